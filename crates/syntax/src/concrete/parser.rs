//! Tokens to a concrete tree. What is missing is an empty [`NodeKind::Error`], what does not belong is put into one.

use super::{Child, Node, NodeKind, Token};
use crate::ast::Op;
use crate::parser::{Assoc, MAX_DEPTH, NOT_LEVEL, binary};
use crate::token::Token as Code;

/// The tree, and whether all of it made sense.
pub(super) fn parse(tokens: &[Token]) -> (Node, bool) {
    let code: Vec<usize> = (0..tokens.len()).filter(|i| !tokens[*i].is_trivia()).collect();
    let mut parser = Parser { tokens, code, at: 0, depth: 0, is_whole: true };
    let mut children = Vec::new();
    parser.expr(&mut children);
    while !parser.at_end() {
        parser.unexpected(&mut children);
        parser.expr_if_any(&mut children);
    }
    parser.take(&mut children);
    (Node { kind: NodeKind::Root, children }, parser.is_whole)
}

/// What the other parser admits is whole here, too: a level of nesting is up to three calls here.
const DEEPEST: u32 = 3 * MAX_DEPTH;

struct Parser<'t> {
    tokens: &'t [Token],
    /// The tokens that are no trivia.
    code: Vec<usize>,
    at: usize,
    depth: u32,
    is_whole: bool,
}

type Children = Vec<Child>;

impl Parser<'_> {
    fn ahead(&self, by: usize) -> Code {
        self.code.get(self.at + by).map_or(Code::Eof, |token| self.tokens[*token].code)
    }

    fn now(&self) -> Code {
        self.ahead(0)
    }

    /// Whether everything was read; text within strings has no code of its own.
    fn at_end(&self) -> bool {
        self.at + 1 >= self.code.len()
    }

    fn take(&mut self, children: &mut Children) {
        if let Some(token) = self.code.get(self.at) {
            children.push(Child::Token(*token));
            self.at += 1;
        }
    }

    fn eat(&mut self, code: Code, children: &mut Children) -> bool {
        let found = self.now() == code && (code == Code::Eof || !self.at_end());
        if found {
            self.take(children);
        }
        found
    }

    fn expect(&mut self, code: Code, children: &mut Children) {
        self.is_whole &= self.eat(code, children);
    }

    fn missing(&mut self, children: &mut Children) {
        self.is_whole = false;
        children.push(Child::Node(Node { kind: NodeKind::Error, children: Vec::new() }));
    }

    fn unexpected(&mut self, children: &mut Children) {
        self.is_whole = false;
        self.node(NodeKind::Error, children, Self::take);
    }

    fn node(&mut self, kind: NodeKind, children: &mut Children, parts: impl FnOnce(&mut Self, &mut Children)) {
        let mut inner = Vec::new();
        parts(self, &mut inner);
        children.push(Child::Node(Node { kind, children: inner }));
    }

    /// Makes one node of all children from an index on.
    fn wrap(&self, kind: NodeKind, children: &mut Children, from: usize) {
        let inner = children.split_off(from);
        children.push(Child::Node(Node { kind, children: inner }));
    }

    fn deeper(&mut self, children: &mut Children, parts: impl FnOnce(&mut Self, &mut Children)) {
        if self.depth >= DEEPEST {
            // A token must go, or whoever asked would ask again.
            return if self.at_end() { self.missing(children) } else { self.unexpected(children) };
        }
        self.depth += 1;
        stacker::maybe_grow(64 << 10, 1 << 20, || parts(self, children));
        self.depth -= 1;
    }

    fn expr_if_any(&mut self, children: &mut Children) {
        if self.starts_simple() || matches!(self.now(), Code::Assert | Code::With | Code::If | Code::Not | Code::Minus)
        {
            self.expr(children);
        }
    }

    fn expr(&mut self, children: &mut Children) {
        self.deeper(children, Self::expr_function);
    }

    fn expr_function(&mut self, children: &mut Children) {
        match self.now() {
            Code::Ident(_) if self.ahead(1) == Code::Colon => self.lambda(children, Self::name),
            Code::Ident(_) if self.ahead(1) == Code::At => self.lambda(children, Self::pattern),
            Code::LBrace if self.pattern_follows() => self.lambda(children, Self::pattern),
            Code::Assert => self.node(NodeKind::Assert, children, Self::prefixed),
            Code::With => self.node(NodeKind::With, children, Self::prefixed),
            Code::Let if self.ahead(1) != Code::LBrace => self.node(NodeKind::Let, children, |p, inner| {
                p.take(inner);
                p.bindings(Code::In, inner);
                p.expr(inner);
            }),
            Code::If => self.node(NodeKind::If, children, |p, inner| {
                p.take(inner);
                p.expr(inner);
                p.expect(Code::Then, inner);
                p.expr(inner);
                p.expect(Code::Else, inner);
                p.expr(inner);
            }),
            _ => self.pipes(children),
        }
    }

    /// `with e; e` and `assert e; e`
    fn prefixed(&mut self, children: &mut Children) {
        self.take(children);
        self.expr(children);
        self.expect(Code::Semicolon, children);
        self.expr(children);
    }

    fn lambda(&mut self, children: &mut Children, parameter: fn(&mut Self, &mut Children)) {
        self.node(NodeKind::Lambda, children, |p, inner| {
            parameter(p, inner);
            p.expect(Code::Colon, inner);
            p.expr(inner);
        });
    }

    fn name(&mut self, children: &mut Children) {
        self.node(NodeKind::Name, children, Self::take);
    }

    fn pattern_follows(&self) -> bool {
        match self.ahead(1) {
            Code::Ellipsis => true,
            Code::RBrace => matches!(self.ahead(2), Code::Colon | Code::At),
            Code::Ident(_) => match self.ahead(2) {
                Code::Comma | Code::Question => true,
                Code::RBrace => matches!(self.ahead(3), Code::Colon | Code::At),
                _ => false,
            },
            _ => false,
        }
    }

    fn pattern(&mut self, children: &mut Children) {
        self.node(NodeKind::Pattern, children, |p, inner| {
            if matches!(p.now(), Code::Ident(_)) {
                p.name(inner);
                p.expect(Code::At, inner);
            }
            p.expect(Code::LBrace, inner);
            while matches!(p.now(), Code::Ident(_) | Code::Ellipsis | Code::Comma) {
                match p.now() {
                    Code::Ident(_) => p.node(NodeKind::Formal, inner, |p, formal| {
                        p.take(formal);
                        if p.eat(Code::Question, formal) {
                            p.expr(formal);
                        }
                    }),
                    _ => p.take(inner),
                }
            }
            p.expect(Code::RBrace, inner);
            if p.eat(Code::At, inner) {
                match p.now() {
                    Code::Ident(_) => p.name(inner),
                    _ => p.missing(inner),
                }
            }
        });
    }

    fn pipes(&mut self, children: &mut Children) {
        let from = children.len();
        self.operators(0, children);
        while matches!(self.now(), Code::PipeInto | Code::PipeFrom) {
            self.take(children);
            self.operators(0, children);
            self.wrap(NodeKind::Binary, children, from);
        }
    }

    /// Operators that bind at least as strongly as `min`.
    fn operators(&mut self, min: u8, children: &mut Children) {
        let from = children.len();
        match self.now() {
            Code::Not => {
                self.take(children);
                self.deeper(children, |p, children| p.operators(NOT_LEVEL + 1, children));
                self.wrap(NodeKind::Unary, children, from);
            }
            Code::Minus => {
                self.take(children);
                self.deeper(children, |p, children| p.operators(u8::MAX, children));
                self.wrap(NodeKind::Unary, children, from);
            }
            _ => self.application(children),
        }
        while let Some((op, level, assoc)) = binary(self.now()).filter(|found| found.1 >= min) {
            self.take(children);
            let Some(_) = op as Option<Op> else {
                self.attr_path(children);
                self.wrap(NodeKind::HasAttr, children, from);
                continue;
            };
            let right = if assoc == Assoc::Right { level } else { level + 1 };
            self.deeper(children, |p, children| p.operators(right, children));
            self.wrap(NodeKind::Binary, children, from);
        }
    }

    fn starts_simple(&self) -> bool {
        self.now().starts_simple() && !self.at_end()
    }

    fn application(&mut self, children: &mut Children) {
        let from = children.len();
        self.selection(children);
        if !self.starts_simple() {
            return;
        }
        while self.starts_simple() {
            self.selection(children);
        }
        self.wrap(NodeKind::Apply, children, from);
    }

    fn selection(&mut self, children: &mut Children) {
        let from = children.len();
        self.deeper(children, Self::simple);
        if self.eat(Code::Dot, children) {
            self.attr_path(children);
            if self.eat(Code::OrKw, children) {
                self.deeper(children, Self::selection);
            }
            self.wrap(NodeKind::Select, children, from);
        } else if self.now() == Code::OrKw {
            // `f or` is an application to a variable of that name.
            self.name(children);
            self.wrap(NodeKind::Apply, children, from);
        }
    }

    fn simple(&mut self, children: &mut Children) {
        match self.now() {
            Code::Ident(_) => self.name(children),
            Code::Int(_) | Code::Float(_) | Code::Uri | Code::Search => {
                self.node(NodeKind::Literal, children, Self::take)
            }
            Code::Quote => self.string(NodeKind::String, Code::Quote, children),
            Code::IndentQuote => self.string(NodeKind::IndentedString, Code::IndentQuote, children),
            Code::Path => self.node(NodeKind::Path, children, Self::path),
            Code::LParen => self.paren(children),
            Code::LBracket => self.node(NodeKind::List, children, Self::list),
            Code::LBrace | Code::Rec => self.node(NodeKind::Set, children, Self::set),
            Code::Let => self.node(NodeKind::LegacyLet, children, Self::set),
            _ => self.missing(children),
        }
    }

    fn paren(&mut self, children: &mut Children) {
        self.node(NodeKind::Paren, children, |p, inner| {
            p.take(inner);
            p.expr(inner);
            p.expect(Code::RParen, inner);
        });
    }

    fn list(&mut self, children: &mut Children) {
        self.take(children);
        loop {
            if self.starts_simple() {
                self.selection(children);
            } else if self.closes_something() || self.at_end() {
                return self.expect(Code::RBracket, children);
            } else {
                self.unexpected(children);
            }
        }
    }

    fn set(&mut self, children: &mut Children) {
        if matches!(self.now(), Code::Rec | Code::Let) {
            self.take(children);
        }
        self.expect(Code::LBrace, children);
        self.bindings(Code::RBrace, children);
    }

    fn closes_something(&self) -> bool {
        let code = self.now();
        matches!(code, Code::RBracket | Code::RBrace | Code::RParen | Code::Semicolon)
            || matches!(code, Code::In | Code::Then | Code::Else)
    }

    /// Bindings up to and including `close`.
    fn bindings(&mut self, close: Code, children: &mut Children) {
        loop {
            match self.now() {
                Code::Inherit => self.node(NodeKind::Inherit, children, Self::inherit),
                _ if self.starts_attr() => self.node(NodeKind::Binding, children, Self::binding),
                code if code == close => return self.expect(close, children),
                // A stray semicolon ends nothing.
                Code::Semicolon => self.unexpected(children),
                _ if self.closes_something() || self.at_end() => return self.expect(close, children),
                _ => self.unexpected(children),
            }
        }
    }

    fn inherit(&mut self, children: &mut Children) {
        self.take(children);
        if self.now() == Code::LParen {
            self.paren(children);
        }
        while self.starts_attr() {
            self.attr_name(children);
        }
        self.expect(Code::Semicolon, children);
    }

    fn binding(&mut self, children: &mut Children) {
        self.attr_path(children);
        if self.eat(Code::Assign, children) {
            self.expr(children);
        } else {
            self.is_whole = false;
        }
        self.expect(Code::Semicolon, children);
    }

    fn starts_attr(&self) -> bool {
        self.now().starts_attr() && !self.at_end()
    }

    fn attr_path(&mut self, children: &mut Children) {
        self.node(NodeKind::AttrPath, children, |p, inner| {
            loop {
                match p.starts_attr() {
                    true => p.attr_name(inner),
                    false => p.is_whole = false,
                }
                if !p.eat(Code::Dot, inner) {
                    return;
                }
            }
        });
    }

    fn attr_name(&mut self, children: &mut Children) {
        match self.now() {
            Code::Quote => self.string(NodeKind::String, Code::Quote, children),
            Code::DollarBrace => self.interpolation(children),
            _ => self.name(children),
        }
    }

    fn interpolation(&mut self, children: &mut Children) {
        self.node(NodeKind::Interpolation, children, |p, inner| {
            p.take(inner);
            p.expr(inner);
            p.expect(Code::RBrace, inner);
        });
    }

    fn string(&mut self, kind: NodeKind, quote: Code, children: &mut Children) {
        self.node(kind, children, |p, inner| {
            p.take(inner);
            while !p.at_end() && p.now() != quote {
                match p.now() {
                    Code::DollarBrace => p.interpolation(inner),
                    // Text; or what an interpolation left that was not closed.
                    _ => p.take(inner),
                }
            }
            p.expect(quote, inner);
        });
    }

    fn path(&mut self, children: &mut Children) {
        let mut end = None;
        loop {
            let next = self.code.get(self.at).map(|token| self.tokens[*token].range.start);
            let is_adjacent = end.is_none() || next == end;
            match self.now() {
                Code::Path if is_adjacent => self.take(children),
                Code::DollarBrace if is_adjacent => self.interpolation(children),
                _ => return,
            }
            end = self.at.checked_sub(1).map(|last| self.tokens[self.code[last]].range.end);
        }
    }
}
