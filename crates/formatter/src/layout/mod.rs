//! The rules of RFC 166: which document each kind of expression is.
//!
//! An expression that may begin on the line of what it belongs to and go on for several, such as a set behind `=`, is
//! *absorbed*. What stands on several lines of its own accord (two bindings, two elements) never fits on one.

mod calls;
mod functions;
mod items;
mod operators;
mod strings;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use syntax::concrete::{Child, Node, NodeKind, Tree};

use crate::comments::{Lead, any_within, between, leading, trailing_comments};
use crate::doc::{Doc, blank, concat, group, hard, line, nest, nil, soft, space, text};

/// The document of a text.
pub(crate) fn document(tree: &Tree<'_>) -> Doc {
    let layout = Layout { tree, led: RefCell::default(), made: RefCell::default() };
    let end = tree.tokens.len() - 1;
    let body = tree.root.nodes().next().map_or_else(nil, |node| layout.body(node, Room::Narrow));
    concat([body, hard(), layout.lead(end)])
}

/// How a set or list with a single element is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Room {
    /// On one line where it fits.
    Narrow,
    /// On several lines.
    Wide,
    /// As wide, and the body of a function has a line of its own behind a pattern.
    Tall,
}

/// Makes documents of the nodes of a tree.
pub(crate) struct Layout<'t> {
    tree: &'t Tree<'t>,
    /// Tokens whose comments before them were written where an expression around them begins.
    led: RefCell<BTreeSet<usize>>,
    /// What was made already: several ways to lay out an expression share what is within it.
    made: RefCell<HashMap<(*const Node, Room), Doc>>,
}

impl Layout<'_> {
    // ---- tokens

    /// A token with the comments around it.
    fn token(&self, token: usize) -> Doc {
        concat([self.lead(token), self.bare(token), self.trail(token)])
    }

    /// A token alone.
    fn bare(&self, token: usize) -> Doc {
        text(self.tree.token_text(token))
    }

    /// Comments before a token, unless they were written already.
    fn lead(&self, token: usize) -> Doc {
        if self.led.borrow().contains(&token) { nil() } else { self.comments_of(token) }
    }

    /// Comments before a token, whoever writes them.
    fn comments_of(&self, token: usize) -> Doc {
        leading(self.tree, &between(self.tree, token).before)
    }

    /// Comments behind a token, on its line.
    fn trail(&self, token: usize) -> Doc {
        match self.next(token) {
            Some(next) => trailing_comments(self.tree, &between(self.tree, next).after),
            None => nil(),
        }
    }

    fn next(&self, token: usize) -> Option<usize> {
        (token + 1..self.tree.tokens.len()).find(|i| !self.tree.tokens[*i].is_trivia())
    }

    fn has_blank_before(&self, token: usize) -> bool {
        between(self.tree, token).before.contains(&Lead::Blank)
    }

    /// Whether the source has the end of a line before a token.
    fn is_on_new_line(&self, token: usize) -> bool {
        let before = &self.tree.tokens[..token];
        let blanks = before.iter().rev().take_while(|t| t.is_trivia());
        blanks.filter_map(|t| self.tree.text.get(t.range.clone())).any(|text| text.contains('\n'))
    }

    /// Whether there are comments within a node.
    fn has_comments(&self, node: &Node) -> bool {
        match (node.first_token(), node.last_token()) {
            (Some(first), Some(last)) => any_within(self.tree, first, last),
            _ => false,
        }
    }

    /// Whether comments stand between the parts of a node, not deeper.
    fn has_loose_comments(&self, node: &Node) -> bool {
        let first = |child: &Child| match child {
            Child::Node(node) => node.first_token(),
            Child::Token(token) => Some(*token),
        };
        node.children.iter().skip(1).filter_map(first).any(|token| between(self.tree, token).is_commented())
    }

    /// The comments before a node, which its own document then leaves out.
    fn hoisted(&self, node: &Node) -> Doc {
        let Some(first) = node.first_token() else { return nil() };
        self.led.borrow_mut().insert(first);
        self.comments_of(first)
    }

    /// A keyword or the like among the own tokens of a node.
    fn own(&self, node: &Node, index: usize) -> Doc {
        node.tokens().nth(index).map_or_else(nil, |token| self.token(token))
    }

    fn is(&self, token: usize, text: &str) -> bool {
        self.tree.token_text(token) == text
    }

    // ---- expressions

    /// Any expression.
    fn expr(&self, node: &Node) -> Doc {
        self.expr_in(node, Room::Narrow)
    }

    fn expr_in(&self, node: &Node, room: Room) -> Doc {
        let key = (std::ptr::from_ref(node), room);
        if let Some(known) = self.made.borrow().get(&key) {
            return known.clone();
        }
        let doc = self.make(node, room);
        self.made.borrow_mut().insert(key, doc.clone());
        doc
    }

    fn make(&self, node: &Node, room: Room) -> Doc {
        match node.kind {
            NodeKind::Set | NodeKind::LegacyLet => self.set(node, room),
            NodeKind::List => self.list(node, room),
            NodeKind::Let => self.let_in(node),
            NodeKind::With => self.with(node, Room::Narrow),
            NodeKind::Assert => self.assert(node),
            NodeKind::If => self.conditional(node),
            NodeKind::Lambda => self.lambda(node, room),
            NodeKind::Pattern => self.pattern(node),
            NodeKind::Apply => self.apply(node),
            NodeKind::Binary => self.binary(node),
            NodeKind::Paren => self.paren(node),
            NodeKind::String => self.string(node),
            NodeKind::IndentedString => self.indented_string(node),
            NodeKind::Interpolation => self.interpolation(node),
            NodeKind::HasAttr => self.parts(node, |_, token| concat([space(), token, space()])),
            NodeKind::Select => self.parts(node, |token, doc| match self.is(token, "or") {
                true => concat([space(), doc, space()]),
                false => doc,
            }),
            _ => self.parts(node, |_, doc| doc),
        }
    }

    /// All parts one behind the other, the own tokens perhaps with spaces around them.
    fn parts(&self, node: &Node, around: impl Fn(usize, Doc) -> Doc) -> Doc {
        concat(node.children.iter().map(|child| match child {
            Child::Node(node) => self.expr(node),
            Child::Token(token) => around(*token, self.token(*token)),
        }))
    }

    /// An expression on lines of its own, behind the end of a line that was written already.
    fn body(&self, node: &Node, room: Room) -> Doc {
        concat([self.hoisted(node), self.absorbed(node, room)])
    }

    /// What is absorbed. A list of one element is short wherever it stands.
    fn absorbed(&self, node: &Node, room: Room) -> Doc {
        self.expr_in(node, if node.kind == NodeKind::List { Room::Narrow } else { room })
    }

    /// The end of a line before a node, with an empty one where the source has it.
    fn new_line(&self, node: &Node) -> Doc {
        match node.first_token() {
            Some(first) if self.has_blank_before(first) => blank(),
            _ => hard(),
        }
    }

    /// Whether an expression may begin on the line of what it belongs to and go on for several.
    fn is_absorbable(&self, node: &Node) -> bool {
        match node.kind {
            NodeKind::Set | NodeKind::List | NodeKind::LegacyLet => true,
            NodeKind::IndentedString => self.tree.node_text(node).contains('\n'),
            _ => false,
        }
    }

    /// Whether comments stand before a node.
    fn is_commented(&self, node: &Node) -> bool {
        node.first_token().is_some_and(|first| !self.comments_of(first).is_nil())
    }

    // ---- small statements

    fn let_in(&self, node: &Node) -> Doc {
        let mut tokens = node.tokens();
        let (Some(open), Some(close)) = (tokens.next(), tokens.next()) else { return self.parts(node, |_, d| d) };
        let bindings: Vec<&Node> = node.nodes().filter(|n| is_binding(n)).collect();
        let Some(value) = node.nodes().last() else { return nil() };
        let before_in = if self.has_blank_before(close) && !bindings.is_empty() { blank() } else { hard() };
        concat([
            self.lead(open),
            self.bare(open),
            nest(self.items(open, &bindings, close)),
            before_in,
            self.bare(close),
            self.trail(close),
            self.new_line(value),
            self.body(value, Room::Wide),
        ])
    }

    /// `with e; body`, where a set or list may be absorbed.
    fn with(&self, node: &Node, room: Room) -> Doc {
        let (head, body) = self.prefix(node);
        let Some(body) = body else { return head };
        if self.is_absorbable(body) && !self.is_commented(body) {
            return concat([head, space(), self.absorbed(body, room)]);
        }
        let body = concat([if self.has_blank_before_node(body) { blank() } else { line() }, self.body(body, room)]);
        concat([head, group(body)])
    }

    fn has_blank_before_node(&self, node: &Node) -> bool {
        node.first_token().is_some_and(|first| self.has_blank_before(first))
    }

    fn assert(&self, node: &Node) -> Doc {
        let (head, body) = self.prefix(node);
        let Some(body) = body else { return head };
        concat([head, self.new_line(body), self.body(body, Room::Wide)])
    }

    /// `with e;` or `assert e;`, and what stands behind it.
    fn prefix<'n>(&self, node: &'n Node) -> (Doc, Option<&'n Node>) {
        let mut nodes = node.nodes();
        let (Some(condition), body) = (nodes.next(), nodes.next()) else { return (nil(), None) };
        (concat([self.own(node, 0), space(), self.expr(condition), self.own(node, 1)]), body)
    }

    fn conditional(&self, node: &Node) -> Doc {
        let goes_on = node.nodes().nth(2).is_some_and(|other| other.kind == NodeKind::If);
        match goes_on || self.has_loose_comments(node) {
            true => self.branches(node, hard),
            false => group(self.branches(node, line)),
        }
    }

    fn branches(&self, node: &Node, end_of_line: fn() -> Doc) -> Doc {
        let nodes: Vec<&Node> = node.nodes().collect();
        let [condition, then, other] = nodes.as_slice() else { return self.parts(node, |_, doc| doc) };
        let condition =
            concat([self.own(node, 0), nest(concat([line(), self.expr(condition)])), line(), self.own(node, 1)]);
        let otherwise = match other.kind == NodeKind::If && !self.is_commented(other) {
            true => concat([space(), self.branches(other, end_of_line)]),
            false => nest(concat([end_of_line(), self.body(other, Room::Narrow)])),
        };
        let then = nest(concat([end_of_line(), group(self.body(then, Room::Narrow))]));
        concat([group(condition), then, end_of_line(), self.own(node, 2), otherwise])
    }

    fn paren(&self, node: &Node) -> Doc {
        let absorbs =
            |inner: &Node| self.is_absorbable(inner) || self.is_short_function(inner) || self.takes_one_set(inner);
        match node.nodes().next() {
            Some(inner) if !self.has_loose_comments(node) && absorbs(inner) => {
                concat([self.own(node, 0), self.expr(inner), self.own(node, 1)])
            }
            _ => self.wide_paren(node),
        }
    }

    /// Parentheses that are on lines of their own if what they hold is on several.
    fn wide_paren(&self, node: &Node) -> Doc {
        let mut tokens = node.tokens();
        let (Some(open), Some(inner), Some(close)) = (tokens.next(), node.nodes().next(), tokens.next()) else {
            return self.parts(node, |_, doc| doc);
        };
        let (start, end) = (concat([self.lead(open), self.bare(open)]), concat([self.bare(close), self.trail(close)]));
        if self.has_loose_comments(node) {
            let inside =
                concat([self.comments_behind(open), self.body(inner, Room::Narrow), self.comments_before(close)]);
            return concat([start, nest(concat([hard(), inside])), hard(), end]);
        }
        group(concat([start, nest(concat([soft(), self.expr(inner)])), soft(), end]))
    }
}

/// Whether a node stands in a set or `let` between semicolons.
pub(crate) fn is_binding(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Binding | NodeKind::Inherit | NodeKind::Error)
}
