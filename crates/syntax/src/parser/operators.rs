//! Operators by their binding powers, application and selection.

use crate::SyntaxError;
use crate::ast::{Binary, Expr, Kind, Op, Select};
use crate::parser::{MAX_DEPTH, Parser, Res};
use crate::token::Token;

impl<'s> Parser<'_, '_, 's, '_> {
    pub(super) fn expr_pipe(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut value = self.expr_op(0)?;
        match self.token {
            Token::PipeInto => {
                while self.token == Token::PipeInto {
                    self.check_pipes()?;
                    self.advance()?;
                    let f = self.expr_op(0)?;
                    value = self.apply(start, f, &[value]);
                }
                Ok(value)
            }
            Token::PipeFrom => {
                self.check_pipes()?;
                self.advance()?;
                let arg = self.expr_pipe_from()?;
                Ok(self.apply(start, value, &[arg]))
            }
            _ => Ok(value),
        }
    }

    pub(super) fn expr_pipe_from(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let f = self.expr_op(0)?;
        if self.token != Token::PipeFrom {
            return Ok(f);
        }
        self.advance()?;
        let arg = self.expr_pipe_from()?;
        Ok(self.apply(start, f, &[arg]))
    }

    pub(super) fn check_pipes(&self) -> Res<()> {
        if self.features.pipe_operators {
            return Ok(());
        }
        Err(SyntaxError::new(
            "experimental Nix feature 'pipe-operators' is disabled; add '--extra-experimental-features pipe-operators' \
             to enable it",
            self.lexer.span(self.start, self.end),
        ))
    }

    pub(super) fn apply(&self, start: usize, f: Expr<'s>, args: &[Expr<'s>]) -> Expr<'s> {
        self.make(start, Kind::Apply(self.alloc((f, &*self.bump.alloc_slice_copy(args)))))
    }

    /// Operators that bind at least as strongly as `min`.
    pub(super) fn expr_op(&mut self, min: u8) -> Res<Expr<'s>> {
        let start = self.start;
        let mut lhs = self.expr_unary()?;
        // The level of the last operator that tolerates no neighbour of its own level.
        let mut last = None;
        loop {
            let (op, level, assoc) = match binary(self.token) {
                Some(b) if b.1 >= min => b,
                _ => return Ok(lhs),
            };
            if assoc == Assoc::None && last == Some(level) {
                return Err(self.unexpected(""));
            }
            last = (assoc == Assoc::None).then_some(level);
            let pos = self.lexer.pos(self.start);
            self.advance()?;
            let Some(op) = op else {
                let path = self.attr_path()?;
                lhs = self.make(start, Kind::HasAttr(self.alloc((lhs, path))));
                continue;
            };
            let rhs = self.nested(|p| p.expr_op(if assoc == Assoc::Right { level } else { level + 1 }))?;
            lhs = self.make(start, Kind::Binary(self.alloc(Binary { op, pos, lhs, rhs })));
        }
    }

    pub(super) fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Res<Expr<'s>>) -> Res<Expr<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new("expression nested too deeply", self.lexer.span(self.start, self.end)));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn expr_unary(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        match self.token {
            Token::Not => {
                self.advance()?;
                let operand = self.nested(|p| p.expr_op(NOT_LEVEL + 1))?;
                Ok(self.make(start, Kind::Not(self.alloc(operand))))
            }
            Token::Minus => {
                self.advance()?;
                let operand = self.nested(Self::expr_unary)?;
                Ok(self.make(start, Kind::Negate(self.alloc(operand))))
            }
            _ => self.expr_app(),
        }
    }

    pub(super) fn starts_simple(&self) -> bool {
        self.token.starts_simple()
    }

    pub(super) fn expr_app(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let f = self.expr_select()?;
        if !self.starts_simple() {
            return Ok(f);
        }
        let mut args = Vec::new();
        while self.starts_simple() {
            args.push(self.expr_select()?);
        }
        Ok(self.apply(start, f, &args))
    }

    pub(super) fn expr_select(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let base = self.expr_simple()?;
        match self.token {
            Token::Dot => {
                self.advance()?;
                let path = self.attr_path()?;
                let default = if self.eat(Token::OrKw)? { Some(self.nested(Self::expr_select)?) } else { None };
                Ok(self.make(start, Kind::Select(self.alloc(Select { base, path, default }))))
            }
            // `f or` once was an application to a variable called `or`, and still is.
            Token::OrKw => {
                let or =
                    Expr { span: self.lexer.span(self.start, self.end), kind: Kind::Var(self.symbols.intern(b"or")) };
                self.advance()?;
                Ok(self.apply(start, base, &[or]))
            }
            _ => Ok(base),
        }
    }
}

/// How operators of one level stand beside each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assoc {
    Left,
    Right,
    None,
}

/// `!` binds weaker than `+` and stronger than `//`.
pub(crate) const NOT_LEVEL: u8 = 7;

/// Operator (none for `?`), level and associativity of a token that stands between operands.
pub(crate) fn binary(token: Token) -> Option<(Option<Op>, u8, Assoc)> {
    let op = match token {
        Token::Question => return Some((None, 11, Assoc::None)),
        Token::Minus => Op::Sub,
        Token::Op(op) => op,
        _ => return None,
    };
    let (level, assoc) = match op {
        Op::Implies => (1, Assoc::Right),
        Op::Or => (2, Assoc::Left),
        Op::And => (3, Assoc::Left),
        Op::Eq | Op::Ne => (4, Assoc::None),
        Op::Lt | Op::Le | Op::Gt | Op::Ge => (5, Assoc::None),
        Op::Update => (6, Assoc::Right),
        Op::Add | Op::Sub => (8, Assoc::Left),
        Op::Mul | Op::Div => (9, Assoc::Left),
        Op::Concat => (10, Assoc::Right),
    };
    Some((Some(op), level, assoc))
}
