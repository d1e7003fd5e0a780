//! Functions and the set patterns of their parameters.

use diagnostics::Span;

use crate::ast::{Expr, Formal, Formals, Kind, Lambda};
use crate::parser::{Parser, Res};
use crate::token::Token;
use crate::{Sym, SyntaxError};

impl<'s> Parser<'_, '_, 's, '_> {
    pub(super) fn lambda(&mut self, start: usize, name: Option<Sym>, formals: Option<Formals<'s>>) -> Res<Expr<'s>> {
        let body = self.expr()?;
        Ok(self.make(start, Kind::Lambda(self.alloc(Lambda { name, formals, body }))))
    }

    /// Whether the `{` at hand opens a set pattern rather than a set.
    pub(super) fn formals_follow(&self) -> Res<bool> {
        let (first, end) = self.peek(self.end)?;
        Ok(match first {
            Token::Ellipsis => true,
            Token::RBrace => matches!(self.peek(end)?.0, Token::Colon | Token::At),
            Token::Ident(_) => matches!(self.peek(end)?.0, Token::Comma | Token::Question | Token::RBrace),
            _ => false,
        })
    }

    pub(super) fn ident(&mut self) -> Res<Sym> {
        match self.token {
            Token::Ident(name) => {
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.unexpected("identifier")),
        }
    }

    pub(super) fn formals(&mut self) -> Res<Formals<'s>> {
        self.expect(Token::LBrace)?;
        let mut list = Vec::new();
        let mut ellipsis = false;
        while self.token != Token::RBrace {
            if self.eat(Token::Ellipsis)? {
                ellipsis = true;
                break;
            }
            let (start, end) = (self.start, self.end);
            let Token::Ident(name) = self.token else {
                return Err(self.unexpected("identifier or '...' or '}'"));
            };
            self.advance()?;
            let default = if self.eat(Token::Question)? { Some(self.expr()?) } else { None };
            list.push(Formal { name, span: self.lexer.span(start, end), default });
            if !self.eat(Token::Comma)? {
                break;
            }
        }
        self.expect(Token::RBrace)?;
        Ok(Formals { list: self.bump.alloc_slice_copy(&list), ellipsis })
    }

    pub(super) fn check_formals(&self, formals: &Formals<'_>, name: Option<Sym>, start: usize) -> Res<()> {
        let mut names: Vec<(Sym, Span)> = formals.list.iter().map(|f| (f.name, f.span)).collect();
        names.sort_by_key(|n| (n.0, n.1.start));
        for pair in names.windows(2) {
            if pair[0].0 == pair[1].0 {
                let text = self.symbols.text(pair[0].0);
                return Err(SyntaxError::new(format!("duplicate formal function argument '{text}'"), pair[1].1)
                    .related(pair[0].1, "first here"));
            }
        }
        match name {
            Some(name) if names.iter().any(|n| n.0 == name) => {
                let text = self.symbols.text(name);
                Err(SyntaxError::new(
                    format!("duplicate formal function argument '{text}'"),
                    self.lexer.span(start, self.prev_end),
                ))
            }
            _ => Ok(()),
        }
    }
}
