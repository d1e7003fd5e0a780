//! Operators that stand for functions: `-`, `*`, `/` and `<` are calls of them, by whatever the names mean where they
//! stand. Nearly always they mean the usual, and the operator is code of its own.

use diagnostics::Span;
use syntax::Sym;
use syntax::ast::{self, Expr, Op};

use crate::code::{CallCode, Code};
use crate::compile::Compiler;
use crate::error::Res;

impl<'a> Compiler<'_, 'a> {
    pub(super) fn operators(&self) -> [Sym; 4] {
        let names = &self.eval.names;
        [names.sub, names.mul, names.div, names.less_than]
    }

    /// The function an operator is a call of, whether the operands change places, and whether the result is negated.
    pub(super) fn as_call(&self, op: Op) -> Option<(Sym, bool, bool)> {
        let names = &self.eval.names;
        Some(match op {
            Op::Sub => (names.sub, false, false),
            Op::Mul => (names.mul, false, false),
            Op::Div => (names.div, false, false),
            Op::Lt => (names.less_than, false, false),
            Op::Ge => (names.less_than, false, true),
            Op::Gt => (names.less_than, true, false),
            Op::Le => (names.less_than, true, true),
            _ => return None,
        })
    }

    pub(super) fn redefined_binary(&mut self, b: &ast::Binary<'_>) -> Res<Code<'a>> {
        let (function, swapped, negated) = self.as_call(b.op).unwrap_or((self.eval.names.sub, false, false));
        let span = b.op.span(b.pos);
        let args = if swapped { [&b.rhs, &b.lhs] } else { [&b.lhs, &b.rhs] };
        let call = self.operator_call(function, args, span)?;
        Ok(if negated { Code::Not(self.bump.alloc((call, span))) } else { call })
    }

    pub(super) fn operator_call(&mut self, function: Sym, args: [&Expr<'_>; 2], span: Span) -> Res<Code<'a>> {
        let function = self.var(function, span);
        let args = args.into_iter().map(|e| self.argument(e)).collect::<Res<Vec<_>>>()?;
        Ok(Code::Call(self.bump.alloc(CallCode { function, args: self.slice(args), span })))
    }
}
