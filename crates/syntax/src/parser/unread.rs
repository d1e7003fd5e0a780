//! Long lists and sets: most of their parts are read, checked and kept as text until somebody wants them.
//!
//! Large files are data, of which an evaluation looks at little; trees and code take ten times the memory of the text.

use std::cell::Cell;

use bumpalo::Bump;

use crate::ast::{Expr, Kind, Unread};
use crate::free::free_names;
use crate::lexer::Lexer;
use crate::parser::{Parser, Res};
use crate::token::Token;

/// So many parts of a list or set become trees before the rest is kept as text.
const FIRST: usize = 64;
/// Shorter texts are no saving.
const MIN_BYTES: usize = 48;
/// After so many parts that cannot be kept as text no more are tried: each is read twice.
const MAX_FAILURES: u32 = 8;

/// What is being read.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// An element of a list.
    Element,
    /// What an attribute is bound to. A set stays a tree: more attributes may come to it.
    Value,
}

/// The parts of one list or set so far.
#[derive(Default)]
pub(super) struct Parts {
    count: usize,
    failures: u32,
}

impl<'s> Parser<'_, '_, 's, '_> {
    /// The next part of a list or set, perhaps as text.
    pub(super) fn part(&mut self, place: Place, parts: &mut Parts) -> Res<Expr<'s>> {
        parts.count += 1;
        let tries = self.keeps_text && parts.count > FIRST && parts.failures < MAX_FAILURES;
        if tries && self.may_be_kept(place) {
            if let Some(expr) = self.kept_as_text(place)? {
                return Ok(expr);
            }
            parts.failures += 1;
        }
        self.read(place)
    }

    fn read(&mut self, place: Place) -> Res<Expr<'s>> {
        match place {
            Place::Element => self.nested(Self::expr_select),
            Place::Value => self.expr(),
        }
    }

    /// By its first token: names, numbers and short strings are not even tried.
    fn may_be_kept(&self, place: Place) -> bool {
        match place {
            Place::Element => matches!(self.token, Token::LBrace | Token::Rec | Token::LParen | Token::LBracket),
            Place::Value => matches!(
                self.token,
                Token::Ident(_) | Token::LParen | Token::LBracket | Token::Let | Token::With | Token::If
            ),
        }
    }

    /// Reads a part into a tree of its own, which is then forgotten. None, and nothing read, when it has to be a tree.
    fn kept_as_text(&mut self, place: Place) -> Res<Option<Expr<'s>>> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut inner = Parser {
            lexer: Lexer { text: self.lexer.text, base: self.lexer.base },
            symbols: self.symbols,
            bump: &scratch,
            features: self.features,
            token: self.token,
            start: self.start,
            end: self.end,
            prev_end: self.prev_end,
            depth: self.depth,
            ahead: Cell::new(self.ahead.get()),
            keeps_text: false,
            scratch: Bump::new(),
        };
        let expr = inner.read(place)?;
        let is_kind = match expr.kind {
            Kind::List(_) | Kind::Apply(_) | Kind::Let(_) | Kind::With(_) | Kind::If(_) => true,
            Kind::Attrs(_) => matches!(place, Place::Element),
            _ => false,
        };
        let free =
            if is_kind && inner.prev_end - self.start >= MIN_BYTES { free_names(&expr, self.symbols) } else { None };
        let span = expr.span;
        let (token, start, end, prev_end, ahead) =
            (inner.token, inner.start, inner.end, inner.prev_end, inner.ahead.take());
        scratch.reset();
        self.scratch = scratch;
        let Some(free) = free else { return Ok(None) };
        let text = self.lexer.span(self.start, prev_end);
        (self.token, self.start, self.end, self.prev_end) = (token, start, end, prev_end);
        self.ahead.set(ahead);
        let free = &*self.bump.alloc_slice_copy(&free);
        Ok(Some(Expr { span, kind: Kind::Unread(self.alloc(Unread { text, free })) }))
    }
}
