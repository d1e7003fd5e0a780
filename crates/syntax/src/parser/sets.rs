//! Lists, attribute sets and attribute paths.

use diagnostics::Span;

use crate::SyntaxError;
use crate::ast::{AttrName, Attrs, Expr, Kind, Part, Select, Value};
use crate::bindings::Builder;
use crate::parser::unread::{Parts, Place};
use crate::parser::{Parser, Res};
use crate::token::Token;

impl<'s> Parser<'_, '_, 's, '_> {
    pub(super) fn list(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        self.advance()?;
        let mut items = Vec::new();
        let mut parts = Parts::default();
        while self.token != Token::RBracket {
            if !self.starts_simple() {
                return Err(self.unclosed(start, Token::RBracket));
            }
            items.push(self.part(Place::Element, &mut parts)?);
        }
        self.advance()?;
        Ok(self.make(start, Kind::List(self.bump.alloc_slice_copy(&items))))
    }

    pub(super) fn attrs(&mut self, start: usize, recursive: bool) -> Res<Expr<'s>> {
        let open = self.start;
        self.expect(Token::LBrace)?;
        let attrs = self.bindings(Builder::new(recursive, self.bump), open, Token::RBrace)?;
        Ok(self.make(start, Kind::Attrs(self.alloc(attrs))))
    }

    /// `let { …; body = e; }` is `(rec { …; body = e; }).body`.
    pub(super) fn legacy_let(&mut self, start: usize) -> Res<Expr<'s>> {
        self.advance()?;
        let base = self.attrs(start, true)?;
        let name = AttrName::Static(self.symbols.intern(b"body"), Span::NONE);
        let path = &*self.bump.alloc_slice_copy(&[name]);
        Ok(self.make(start, Kind::Select(self.alloc(Select { base, path, default: None }))))
    }

    /// Bindings up to and including `close`, of what begins at `open`.
    pub(super) fn bindings(&mut self, mut builder: Builder<'s>, open: usize, close: Token) -> Res<Attrs<'s>> {
        let mut parts = Parts::default();
        while self.token != close {
            let start = self.start;
            if self.eat(Token::Inherit)? {
                self.inherit(&mut builder)?;
                continue;
            }
            if !self.starts_attr() {
                return Err(self.unclosed(open, close));
            }
            let path = self.attr_path()?;
            let span = self.lexer.span(start, self.prev_end);
            if matches!(self.token, Token::Ident(_)) {
                return Err(self
                    .unexpected("'='")
                    .hint("attributes are `name = value;`, arguments have commas between them"));
            }
            self.expect(Token::Assign)?;
            let value = self.part(Place::Value, &mut parts)?;
            self.expect(Token::Semicolon).map_err(|e| e.related(span, "this binding lacks its `;`"))?;
            builder.bind(path, span, value, self.symbols)?;
        }
        self.advance()?;
        Ok(builder.finish())
    }

    pub(super) fn inherit(&mut self, builder: &mut Builder<'s>) -> Res<()> {
        let mut value = Value::Inherit;
        if self.eat(Token::LParen)? {
            let from = self.expr()?;
            self.expect(Token::RParen)?;
            value = Value::InheritFrom(builder.add_from(from));
        }
        while self.token != Token::Semicolon {
            match self.attr_name()? {
                AttrName::Static(name, span) => builder.inherit(name, span, value, self.symbols)?,
                AttrName::Dynamic(e) => {
                    return Err(SyntaxError::new("dynamic attributes not allowed in inherit", e.span));
                }
            }
        }
        self.advance()
    }

    pub(super) fn starts_attr(&self) -> bool {
        self.token.starts_attr()
    }

    pub(super) fn attr_path(&mut self) -> Res<&'s [AttrName<'s>]> {
        let first = self.attr_name()?;
        if self.token != Token::Dot {
            return Ok(self.bump.alloc_slice_copy(&[first]));
        }
        let mut path = vec![first];
        while self.eat(Token::Dot)? {
            path.push(self.attr_name()?);
        }
        Ok(self.bump.alloc_slice_copy(&path))
    }

    pub(super) fn attr_name(&mut self) -> Res<AttrName<'s>> {
        let span = self.lexer.span(self.start, self.end);
        let name = match self.token {
            Token::Ident(name) => name,
            Token::OrKw => self.symbols.intern(b"or"),
            Token::Quote => {
                let string = self.string()?;
                return Ok(match string.kind {
                    Kind::Str([]) => AttrName::Static(self.symbols.intern(b""), string.span),
                    Kind::Str([Part::Text(text)]) => AttrName::Static(self.symbols.intern(text), string.span),
                    _ => AttrName::Dynamic(string),
                });
            }
            Token::DollarBrace => {
                self.advance()?;
                let inner = self.expr()?;
                self.expect(Token::RBrace)?;
                // `${"a"}` is as static as `"a"`.
                return Ok(match inner.kind {
                    Kind::Str([]) => AttrName::Static(self.symbols.intern(b""), inner.span),
                    Kind::Str([Part::Text(text)]) => AttrName::Static(self.symbols.intern(text), inner.span),
                    _ => AttrName::Dynamic(inner),
                });
            }
            _ => return Err(self.unexpected("")),
        };
        self.advance()?;
        Ok(AttrName::Static(name, span))
    }
}
