//! Tokens to tree: recursive descent, with binding powers for the operators.

use std::cell::Cell;

use bumpalo::Bump;
use diagnostics::{Pos, Span};

use crate::ast::{AttrName, Attrs, Binary, Expr, Formal, Formals, Kind, Lambda, Op, Part, Select, Value};
use crate::bindings::Builder;
use crate::indented::{RawPart, strip};
use crate::lexer::{Lexer, is_path_byte};
use crate::token::Token;
use crate::{Sym, Symbols, SyntaxError};

/// Nesting deeper than this is refused instead of overflowing the stack.
const MAX_DEPTH: u32 = 2000;

/// Grammar behind feature names.
#[derive(Clone, Copy, Default, Debug)]
pub struct Features {
    /// `|>` and `<|` (`pipe-operators`).
    pub pipe_operators: bool,
}

/// Parses one expression, all of `text`. Positions start at `base`; the tree lies in `bump`.
///
/// # Errors
/// The first thing wrong with the text.
pub fn parse<'s>(
    text: &[u8],
    base: Pos,
    symbols: &Symbols<'_>,
    bump: &'s Bump,
    features: Features,
) -> Result<Expr<'s>, SyntaxError> {
    let mut parser = Parser {
        lexer: Lexer { text, base },
        symbols,
        bump,
        features,
        token: Token::Eof,
        start: 0,
        end: 0,
        prev_end: 0,
        depth: 0,
        ahead: Cell::new(None),
    };
    parser.advance()?;
    let expr = parser.expr()?;
    if parser.token == Token::Eof { Ok(expr) } else { Err(parser.unexpected("end of file")) }
}

pub(crate) type Res<T> = Result<T, SyntaxError>;

struct Parser<'p, 't, 's, 'y> {
    lexer: Lexer<'t>,
    symbols: &'p Symbols<'y>,
    bump: &'s Bump,
    features: Features,
    token: Token,
    start: usize,
    end: usize,
    prev_end: usize,
    depth: u32,
    /// The token behind the offset that was last peeked at.
    ahead: Cell<Ahead>,
}

/// A token read already: the offset looked at, where the token starts, the token, the offset behind it.
type Ahead = Option<(usize, usize, Token, usize)>;

impl<'s> Parser<'_, '_, 's, '_> {
    fn advance(&mut self) -> Res<()> {
        self.prev_end = self.end;
        if let Some((offset, start, token, end)) = self.ahead.get() {
            if offset == self.end {
                (self.start, self.token, self.end) = (start, token, end);
                return Ok(());
            }
        }
        self.start = self.lexer.skip_blank(self.end);
        (self.token, self.end) = self.lexer.token(self.start, self.symbols)?;
        Ok(())
    }

    /// Goes on with the token behind `offset`, where a string or path ended.
    fn resume(&mut self, offset: usize) -> Res<()> {
        self.end = offset;
        self.advance()
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let end = self.end.max(self.start + 1);
        let expecting = if expected.is_empty() { String::new() } else { format!(", expecting {expected}") };
        SyntaxError::new(
            format!("syntax error, unexpected {}{expecting}", self.token.describe()),
            self.lexer.span(self.start, end),
        )
    }

    fn expect(&mut self, token: Token) -> Res<()> {
        if self.token == token { self.advance() } else { Err(self.unexpected(&token.describe())) }
    }

    fn eat(&mut self, token: Token) -> Res<bool> {
        let found = self.token == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// The token behind the current one, and the offset behind that.
    fn peek(&self, offset: usize) -> Res<(Token, usize)> {
        let start = self.lexer.skip_blank(offset);
        let (token, end) = self.lexer.token(start, self.symbols)?;
        self.ahead.set(Some((offset, start, token, end)));
        Ok((token, end))
    }

    fn make(&self, start: usize, kind: Kind<'s>) -> Expr<'s> {
        Expr { span: self.lexer.span(start, self.prev_end), kind }
    }

    fn alloc<T: Copy>(&self, value: T) -> &'s T {
        self.bump.alloc(value)
    }

    fn expr(&mut self) -> Res<Expr<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new("expression nested too deeply", self.lexer.span(self.start, self.end)));
        }
        let result = self.expr_function();
        self.depth -= 1;
        result
    }

    fn expr_function(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        match self.token {
            Token::Ident(name) => match self.peek(self.end)?.0 {
                Token::Colon => {
                    self.advance()?;
                    self.advance()?;
                    self.lambda(start, Some(name), None)
                }
                Token::At => {
                    self.advance()?;
                    self.advance()?;
                    let formals = self.formals()?;
                    self.check_formals(&formals, Some(name), start)?;
                    self.expect(Token::Colon)?;
                    self.lambda(start, Some(name), Some(formals))
                }
                _ => self.expr_pipe(),
            },
            Token::LBrace if self.formals_follow()? => {
                let formals = self.formals()?;
                let mut name = None;
                if self.eat(Token::At)? {
                    name = Some(self.ident()?);
                }
                self.check_formals(&formals, name, start)?;
                self.expect(Token::Colon)?;
                self.lambda(start, name, Some(formals))
            }
            Token::Assert => {
                self.advance()?;
                let condition = self.expr()?;
                self.expect(Token::Semicolon)?;
                let body = self.expr()?;
                Ok(self.make(start, Kind::Assert(self.alloc((condition, body)))))
            }
            Token::With => {
                self.advance()?;
                let set = self.expr()?;
                self.expect(Token::Semicolon)?;
                let body = self.expr()?;
                Ok(self.make(start, Kind::With(self.alloc((set, body)))))
            }
            Token::Let if self.peek(self.end)?.0 != Token::LBrace => self.let_in(start),
            Token::If => {
                self.advance()?;
                let condition = self.expr()?;
                self.expect(Token::Then)?;
                let then = self.expr()?;
                self.expect(Token::Else)?;
                let other = self.expr()?;
                Ok(self.make(start, Kind::If(self.alloc((condition, then, other)))))
            }
            _ => self.expr_pipe(),
        }
    }

    fn let_in(&mut self, start: usize) -> Res<Expr<'s>> {
        self.advance()?;
        let attrs = self.bindings(Builder::new(true, self.bump), Token::In)?;
        if let Some(dynamic) = attrs.dynamics.first() {
            return Err(SyntaxError::new("dynamic attributes not allowed in let", dynamic.span));
        }
        let body = self.expr()?;
        Ok(self.make(start, Kind::Let(self.alloc((attrs, body)))))
    }

    fn lambda(&mut self, start: usize, name: Option<Sym>, formals: Option<Formals<'s>>) -> Res<Expr<'s>> {
        let body = self.expr()?;
        Ok(self.make(start, Kind::Lambda(self.alloc(Lambda { name, formals, body }))))
    }

    /// Whether the `{` at hand opens a set pattern rather than a set.
    fn formals_follow(&self) -> Res<bool> {
        let (first, end) = self.peek(self.end)?;
        Ok(match first {
            Token::Ellipsis => true,
            Token::RBrace => matches!(self.peek(end)?.0, Token::Colon | Token::At),
            Token::Ident(_) => matches!(self.peek(end)?.0, Token::Comma | Token::Question | Token::RBrace),
            _ => false,
        })
    }

    fn ident(&mut self) -> Res<Sym> {
        match self.token {
            Token::Ident(name) => {
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.unexpected("identifier")),
        }
    }

    fn formals(&mut self) -> Res<Formals<'s>> {
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

    fn check_formals(&self, formals: &Formals<'_>, name: Option<Sym>, start: usize) -> Res<()> {
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

    fn expr_pipe(&mut self) -> Res<Expr<'s>> {
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

    fn expr_pipe_from(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let f = self.expr_op(0)?;
        if self.token != Token::PipeFrom {
            return Ok(f);
        }
        self.advance()?;
        let arg = self.expr_pipe_from()?;
        Ok(self.apply(start, f, &[arg]))
    }

    fn check_pipes(&self) -> Res<()> {
        if self.features.pipe_operators {
            return Ok(());
        }
        Err(SyntaxError::new(
            "experimental Nix feature 'pipe-operators' is disabled",
            self.lexer.span(self.start, self.end),
        )
        .hint("add '--extra-experimental-features pipe-operators' to enable it"))
    }

    fn apply(&self, start: usize, f: Expr<'s>, args: &[Expr<'s>]) -> Expr<'s> {
        self.make(start, Kind::Apply(self.alloc((f, &*self.bump.alloc_slice_copy(args)))))
    }

    /// Operators that bind at least as strongly as `min`.
    fn expr_op(&mut self, min: u8) -> Res<Expr<'s>> {
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

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Res<Expr<'s>>) -> Res<Expr<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new("expression nested too deeply", self.lexer.span(self.start, self.end)));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expr_unary(&mut self) -> Res<Expr<'s>> {
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

    fn starts_simple(&self) -> bool {
        matches!(
            self.token,
            Token::Ident(_)
                | Token::Int(_)
                | Token::Float(_)
                | Token::Quote
                | Token::IndentQuote
                | Token::Path
                | Token::Search
                | Token::Uri
                | Token::LParen
                | Token::LBrace
                | Token::LBracket
                | Token::Rec
                | Token::Let
        )
    }

    fn expr_app(&mut self) -> Res<Expr<'s>> {
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

    fn expr_select(&mut self) -> Res<Expr<'s>> {
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

    fn expr_simple(&mut self) -> Res<Expr<'s>> {
        let (start, end) = (self.start, self.end);
        let kind = match self.token {
            Token::Ident(name) => Kind::Var(name),
            Token::Int(n) => Kind::Int(n),
            Token::Float(n) => Kind::Float(n),
            Token::Uri => Kind::Str(self.text_parts(start, end)),
            Token::Search => {
                Kind::Search(self.alloc(&*self.bump.alloc_slice_copy(&self.lexer.text[start + 1..end - 1])))
            }
            Token::Quote => return self.string(),
            Token::IndentQuote => return self.indented_string(),
            Token::Path => return self.path(),
            Token::LParen => {
                self.advance()?;
                let inner = self.expr()?;
                self.expect(Token::RParen)?;
                return Ok(inner);
            }
            Token::LBracket => return self.list(),
            Token::LBrace => return self.attrs(start, false),
            Token::Rec => {
                self.advance()?;
                return self.attrs(start, true);
            }
            Token::Let => return self.legacy_let(start),
            _ => return Err(self.unexpected("")),
        };
        self.advance()?;
        Ok(self.make(start, kind))
    }

    fn text_parts(&self, start: usize, end: usize) -> &'s [Part<'s>] {
        self.bump.alloc_slice_copy(&[Part::Text(self.bump.alloc_slice_copy(&self.lexer.text[start..end]))])
    }

    fn list(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        self.advance()?;
        let mut items = Vec::new();
        while self.token != Token::RBracket {
            if !self.starts_simple() {
                return Err(self.unexpected(""));
            }
            items.push(self.nested(Self::expr_select)?);
        }
        self.advance()?;
        Ok(self.make(start, Kind::List(self.bump.alloc_slice_copy(&items))))
    }

    fn attrs(&mut self, start: usize, recursive: bool) -> Res<Expr<'s>> {
        self.expect(Token::LBrace)?;
        let attrs = self.bindings(Builder::new(recursive, self.bump), Token::RBrace)?;
        Ok(self.make(start, Kind::Attrs(self.alloc(attrs))))
    }

    /// `let { …; body = e; }` is `(rec { …; body = e; }).body`.
    fn legacy_let(&mut self, start: usize) -> Res<Expr<'s>> {
        self.advance()?;
        let base = self.attrs(start, true)?;
        let name = AttrName::Static(self.symbols.intern(b"body"), Span::NONE);
        let path = &*self.bump.alloc_slice_copy(&[name]);
        Ok(self.make(start, Kind::Select(self.alloc(Select { base, path, default: None }))))
    }

    /// Bindings up to and including `close`.
    fn bindings(&mut self, mut builder: Builder<'s>, close: Token) -> Res<Attrs<'s>> {
        while self.token != close {
            let start = self.start;
            if self.eat(Token::Inherit)? {
                self.inherit(&mut builder)?;
                continue;
            }
            if !self.starts_attr() {
                return Err(self.unexpected(""));
            }
            let path = self.attr_path()?;
            let span = self.lexer.span(start, self.prev_end);
            self.expect(Token::Assign)?;
            let value = self.expr()?;
            self.expect(Token::Semicolon)?;
            builder.bind(path, span, value, self.symbols)?;
        }
        self.advance()?;
        Ok(builder.finish())
    }

    fn inherit(&mut self, builder: &mut Builder<'s>) -> Res<()> {
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

    fn starts_attr(&self) -> bool {
        matches!(self.token, Token::Ident(_) | Token::OrKw | Token::Quote | Token::DollarBrace)
    }

    fn attr_path(&mut self) -> Res<&'s [AttrName<'s>]> {
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

    fn attr_name(&mut self) -> Res<AttrName<'s>> {
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

    /// Reads `${ … }` whose `$` stands at `offset`; the offset behind the `}`.
    fn interpolation(&mut self, offset: usize) -> Res<(Expr<'s>, usize)> {
        self.resume(offset + 2)?;
        let inner = self.expr()?;
        if self.token != Token::RBrace {
            return Err(self.unexpected("'}'"));
        }
        Ok((inner, self.end))
    }

    fn end_in_string(&self, start: usize) -> SyntaxError {
        let end = self.lexer.text.len();
        SyntaxError::new("syntax error, unexpected end of file, expecting '\"'", self.lexer.span(end, end + 1))
            .related(self.lexer.span(start, start + 1), "the string starts here")
    }

    fn string(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = self.end;
        let mut parts = Vec::new();
        let mut text = Vec::new();
        loop {
            if at >= self.lexer.text.len() {
                return Err(self.end_in_string(start));
            }
            match (self.lexer.at(at), self.lexer.at(at + 1)) {
                (b'"', _) => break,
                (b'\\', escaped) if at + 1 < self.lexer.text.len() => {
                    text.push(unescape(escaped));
                    at += 2;
                }
                (b'$', b'{') => {
                    self.flush(&mut text, &mut parts);
                    let (inner, end) = self.interpolation(at)?;
                    parts.push(Part::Expr(inner));
                    at = end;
                }
                // `$` shields the byte behind it: `$${` interpolates nothing.
                (b'$', next) if !matches!(next, b'"' | b'\\') && at + 1 < self.lexer.text.len() => {
                    text.push(b'$');
                    at = self.plain(at + 1, &mut text);
                }
                _ => at = self.plain(at, &mut text),
            }
        }
        self.flush(&mut text, &mut parts);
        self.resume(at + 1)?;
        Ok(self.make(start, Kind::Str(self.bump.alloc_slice_copy(&parts))))
    }

    /// Takes one byte of a string; CR and CRLF are newlines.
    fn plain(&self, at: usize, text: &mut Vec<u8>) -> usize {
        match (self.lexer.at(at), self.lexer.at(at + 1)) {
            (b'\r', b'\n') => {
                text.push(b'\n');
                at + 2
            }
            (b'\r', _) => {
                text.push(b'\n');
                at + 1
            }
            (b, _) => {
                text.push(b);
                at + 1
            }
        }
    }

    fn flush(&self, text: &mut Vec<u8>, parts: &mut Vec<Part<'s>>) {
        if !text.is_empty() {
            parts.push(Part::Text(self.bump.alloc_slice_copy(text)));
            text.clear();
        }
    }

    fn indented_string(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = self.end;
        let mut raw: Vec<RawPart<Expr<'s>>> = Vec::new();
        let mut text = Vec::new();
        loop {
            let rest = self.lexer.text.get(at..).unwrap_or(&[]);
            let escaped: Option<(Vec<u8>, usize)> = match rest {
                [] => return Err(self.end_in_string(start)),
                [b'\'', b'\'', b'$', ..] => Some((b"$".to_vec(), 3)),
                [b'\'', b'\'', b'\\', e, ..] => Some((vec![unescape(*e)], 4)),
                [b'\'', b'\'', b'\'', ..] => Some((b"''".to_vec(), 3)),
                [b'\'', b'\'', ..] => break,
                [b'$', b'{', ..] => {
                    flush_raw(&mut text, &mut raw);
                    let (inner, end) = self.interpolation(at)?;
                    raw.push(RawPart::Expr(inner));
                    at = end;
                    continue;
                }
                [b'$', next, ..] if *next != b'\'' => {
                    text.extend_from_slice(&rest[..2]);
                    at += 2;
                    continue;
                }
                [b'$', ..] => Some((b"$".to_vec(), 1)),
                [b'\'', next, ..] if *next != b'$' => {
                    text.extend_from_slice(&rest[..2]);
                    at += 2;
                    continue;
                }
                [b'\'', ..] => Some((b"'".to_vec(), 1)),
                [b, ..] => {
                    text.push(*b);
                    at += 1;
                    continue;
                }
            };
            if let Some((bytes, width)) = escaped {
                flush_raw(&mut text, &mut raw);
                raw.push(RawPart::Escaped(bytes));
                at += width;
            }
        }
        flush_raw(&mut text, &mut raw);
        let parts: Vec<Part<'s>> = strip(raw)
            .into_iter()
            .map(|p| match p {
                Ok(text) => Part::Text(self.bump.alloc_slice_copy(&text)),
                Err(e) => Part::Expr(e),
            })
            .collect();
        self.resume(at + 2)?;
        Ok(self.make(start, Kind::Str(self.bump.alloc_slice_copy(&parts))))
    }

    fn path(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = start;
        let mut parts = Vec::new();
        let mut text = Vec::new();
        let mut doubled = false;
        if self.lexer.at(at) == b'~' {
            text.push(b'~');
            at += 1;
        }
        loop {
            let b = self.lexer.at(at);
            if at < self.lexer.text.len() && (is_path_byte(b) || b == b'/') {
                doubled |= b == b'/' && parts.is_empty() && text.ends_with(b"/");
                text.push(b);
                at += 1;
            } else if b == b'$' && self.lexer.at(at + 1) == b'{' {
                self.flush(&mut text, &mut parts);
                let (inner, end) = self.interpolation(at)?;
                parts.push(Part::Expr(inner));
                at = end;
            } else {
                break;
            }
        }
        if self.lexer.at(at - 1) == b'/' {
            return Err(SyntaxError::new("path has a trailing slash", self.lexer.span(start, at)));
        }
        self.flush(&mut text, &mut parts);
        if doubled && parts.len() == 1 {
            // What follows two slashes is read as going on to an interpolation.
            let message = "syntax error, unexpected end of the path, expecting '${'";
            return Err(SyntaxError::new(message, self.lexer.span(start, at)));
        }
        self.resume(at)?;
        Ok(self.make(start, Kind::Path(self.bump.alloc_slice_copy(&parts))))
    }
}

fn flush_raw<E>(text: &mut Vec<u8>, raw: &mut Vec<RawPart<E>>) {
    if !text.is_empty() {
        raw.push(RawPart::Text(std::mem::take(text)));
    }
}

fn unescape(b: u8) -> u8 {
    match b {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Assoc {
    Left,
    Right,
    None,
}

/// `!` binds weaker than `+` and stronger than `//`.
const NOT_LEVEL: u8 = 7;

/// Operator (none for `?`), level and associativity of a token that stands between operands.
fn binary(token: Token) -> Option<(Option<Op>, u8, Assoc)> {
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
