//! `a.b` and attribute paths.

use std::cell::Cell;

use diagnostics::Span;
use syntax::ast::{self, AttrName, Expr, Kind};

use crate::code::{Code, NameCode, SelectCode};
use crate::compile::Compiler;
use crate::error::Res;
use crate::value::Value;

impl<'a> Compiler<'_, 'a> {
    /// `builtins.x`, when nobody redefined `builtins`.
    pub(super) fn known_select(&mut self, expr: &Expr<'_>) -> Option<&'a Value<'a>> {
        let Kind::Select(select) = expr.kind else { return None };
        let (Kind::Var(name), [AttrName::Static(attr, _)]) = (select.base.kind, select.path) else { return None };
        if name != self.eval.names.builtins || self.lookup(name).is_some() {
            return None;
        }
        let Value::Attrs(builtins) = self.globals.get(&name)?.peek() else { return None };
        let value = builtins.get(*attr)?.value();
        value.is_evaluated().then(|| &*self.bump.alloc(value.peek()))
    }

    pub(super) fn select(&mut self, select: &ast::Select<'_>, span: Span) -> Res<Code<'a>> {
        let base = self.code(&select.base)?;
        let path = self.attr_path(select.path)?;
        let default = match &select.default {
            Some(e) => Some(self.code(e)?),
            None => None,
        };
        Ok(Code::Select(self.bump.alloc(SelectCode { base, path, default, span, guess: Cell::new(0) })))
    }

    pub(super) fn attr_path(&mut self, path: &[AttrName<'_>]) -> Res<&'a [NameCode<'a>]> {
        let mut names = Vec::with_capacity(path.len());
        for name in path {
            names.push(match name {
                AttrName::Static(sym, span) => NameCode::Static(*sym, *span),
                AttrName::Dynamic(e) => NameCode::Dynamic(self.code(e)?, e.span),
            });
        }
        Ok(self.slice(names))
    }
}
