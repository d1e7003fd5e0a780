//! Sets and lists: what stands between braces or brackets, one below the other.

use syntax::concrete::{Node, NodeKind};

use super::functions::has_plain_parameter;
use super::{Layout, Room, is_binding};
use crate::comments::{Lead, between, leading};
use crate::doc::{Doc, blank, choice, concat, flat, group, hard, line, nest, nil, soft, space, text};

/// Elements of a list among other arguments that may be on one line.
const MOST_ON_A_LINE: usize = 6;

/// Names behind `inherit` that may be on one line.
const MOST_INHERITED: usize = 3;

impl Layout<'_> {
    /// Things between two tokens, each on a line of its own, with the comments among them. Begins with the end of a line.
    pub(super) fn items(&self, open: usize, items: &[&Node], close: usize) -> Doc {
        let mut docs = vec![self.comments_behind(open)];
        let mut is_first = docs[0].is_nil();
        for item in items {
            let first = item.first_token();
            let parted = !is_first && first.is_some_and(|first| self.has_blank_before(first));
            docs.push(if parted { blank() } else { hard() });
            docs.push(self.comments_above(item));
            docs.push(self.item(item));
            is_first = false;
        }
        let rest = self.comments_before(close);
        if !rest.is_nil() {
            let parted = !is_first && between(self.tree, close).before.first() == Some(&Lead::Blank);
            docs.push(if parted { blank() } else { hard() });
            docs.push(rest);
        }
        concat(docs)
    }

    fn item(&self, item: &Node) -> Doc {
        match item.kind {
            NodeKind::Binding => self.binding(item),
            NodeKind::Inherit => self.inherit(item),
            NodeKind::Paren => self.element(item),
            _ => group(self.expr(item)),
        }
    }

    /// Comments before an item, all on lines of their own.
    fn comments_above(&self, item: &Node) -> Doc {
        let Some(first) = item.first_token() else { return nil() };
        self.led.borrow_mut().insert(first);
        let own = between(self.tree, first).before.into_iter().map(|lead| match lead {
            Lead::Inline(comment) => Lead::Own(comment),
            other => other,
        });
        leading(self.tree, &own.collect::<Vec<_>>())
    }

    /// Comments on the line of an opening token: they move below it.
    pub(super) fn comments_behind(&self, open: usize) -> Doc {
        let Some(next) = self.next(open) else { return nil() };
        let comments: Vec<Lead> = between(self.tree, next).after.into_iter().map(Lead::Own).collect();
        leading(self.tree, &comments)
    }

    /// Comments before a closing token, which then writes none itself.
    pub(super) fn comments_before(&self, close: usize) -> Doc {
        self.led.borrow_mut().insert(close);
        self.comments_of(close)
    }

    pub(super) fn set(&self, node: &Node, room: Room) -> Doc {
        let tokens: Vec<usize> = node.tokens().collect();
        let [keyword @ .., open, close] = tokens.as_slice() else { return self.parts(node, |_, doc| doc) };
        let keyword = concat(keyword.iter().map(|token| concat([self.token(*token), space()])));
        let items: Vec<&Node> = node.nodes().filter(|node| is_binding(node)).collect();
        concat([keyword, self.enclosed(*open, &items, *close, room)])
    }

    pub(super) fn list(&self, node: &Node, room: Room) -> Doc {
        let tokens: Vec<usize> = node.tokens().collect();
        let [open, close] = tokens.as_slice() else { return self.parts(node, |_, doc| doc) };
        let items: Vec<&Node> = node.nodes().collect();
        self.enclosed(*open, &items, *close, room)
    }

    /// Whether a list has few, simple elements.
    pub(super) fn is_short_list(&self, node: &Node) -> bool {
        let simple = [NodeKind::Name, NodeKind::Literal, NodeKind::String, NodeKind::Path, NodeKind::Select];
        node.kind == NodeKind::List
            && (2..=MOST_ON_A_LINE).contains(&node.nodes().count())
            && node.nodes().all(|element| simple.contains(&element.kind))
            && !self.has_comments(node)
            && !self.tree.node_text(node).contains('\n')
    }

    /// A list on one line if it fits.
    pub(super) fn short_list(&self, node: &Node) -> Doc {
        let elements = node.nodes().map(|element| concat([line(), self.expr(element)]));
        let elements = concat(elements);
        group(concat([self.own(node, 0), nest(elements), line(), self.own(node, 1)]))
    }

    fn enclosed(&self, open: usize, items: &[&Node], close: usize, room: Room) -> Doc {
        let start = concat([self.lead(open), self.bare(open)]);
        let end = concat([self.bare(close), self.trail(close)]);
        let is_commented = crate::comments::any_within(self.tree, open, close);
        let breaks = self.next(open).is_some_and(|next| self.is_on_new_line(next));
        match items {
            [] if !is_commented && !breaks => concat([start, space(), end]),
            [item] if !is_commented && !breaks && room == Room::Narrow => {
                group(concat([start, nest(concat([line(), self.item(item)])), line(), end]))
            }
            _ => concat([start, nest(self.items(open, items, close)), hard(), end]),
        }
    }

    /// An element in parentheses: a call in it may go on for several lines.
    fn element(&self, node: &Node) -> Doc {
        let call = node.nodes().next().filter(|inner| inner.kind == NodeKind::Apply);
        let (Some(call), false) = (call, self.has_loose_comments(node)) else { return self.expr(node) };
        let tokens: Vec<usize> = node.tokens().collect();
        let [open, close] = tokens.as_slice() else { return self.expr(node) };
        let end = concat([self.bare(*close), self.trail(*close)]);
        let mut ways: Vec<Doc> = self.ways_to_call(call).on_the_line;
        ways = ways.into_iter().map(|way| concat([self.bare(*open), way, end.clone()])).collect();
        ways.push(self.expr(node));
        choice(ways)
    }

    fn inherit(&self, node: &Node) -> Doc {
        let tokens: Vec<usize> = node.tokens().collect();
        let [keyword, semicolon] = tokens.as_slice() else { return self.parts(node, |_, doc| doc) };
        let from = node.nodes().find(|node| node.kind == NodeKind::Paren);
        let names: Vec<&Node> = node.nodes().filter(|node| node.kind != NodeKind::Paren).collect();
        let head = concat([self.token(*keyword), from.map_or_else(nil, |from| concat([space(), self.expr(from)]))]);
        let Some(first) = names.first().and_then(|name| name.first_token()) else {
            return concat([head, self.token(*semicolon)]);
        };
        let breaks = names.len() > MOST_INHERITED || self.is_on_new_line(first) || self.has_comments(node);
        let separator = || if breaks { hard() } else { line() };
        let names = names.iter().map(|name| concat([separator(), self.expr(name)]));
        group(concat([head, nest(concat([concat(names), soft(), self.token(*semicolon)]))]))
    }

    pub(super) fn binding(&self, node: &Node) -> Doc {
        let mut nodes = node.nodes();
        let (Some(path), Some(value)) = (nodes.next(), nodes.next()) else { return self.parts(node, |_, doc| doc) };
        concat([self.expr(path), space(), self.own(node, 0), self.assigned(value), self.own(node, 1)])
    }

    /// What stands behind `=`, the space or end of the line before it included.
    pub(super) fn assigned(&self, value: &Node) -> Doc {
        let lead = self.hoisted(value);
        if lead.must_break() {
            return nest(concat([hard(), lead, group(self.expr(value))]));
        }
        if !lead.is_nil() {
            return concat([space(), lead, self.absorbed(value, Room::Wide)]);
        }
        let below = |doc: Doc| group(nest(concat([line(), doc])));
        match value.kind {
            _ if self.is_absorbable(value) => concat([space(), self.absorbed(value, Room::Wide)]),
            NodeKind::Paren if value.nodes().next().is_some_and(|inner| self.takes_one_set(inner)) => {
                concat([space(), self.wide_paren(value)])
            }
            NodeKind::Paren | NodeKind::String | NodeKind::IndentedString | NodeKind::Name | NodeKind::Literal => {
                concat([space(), self.expr(value)])
            }
            NodeKind::Lambda => self.assigned_function(value),
            NodeKind::With if value.nodes().nth(1).is_some_and(|body| self.is_absorbable(body)) => {
                concat([space(), self.with(value, Room::Wide)])
            }
            NodeKind::Apply if self.ends_in_text(value) => concat([space(), self.on_one_line(value)]),
            NodeKind::Apply => {
                let ways = self.ways_to_call(value);
                let mut all: Vec<Doc> = ways.on_the_line.into_iter().map(|way| concat([space(), way])).collect();
                all.push(nest(concat([hard(), ways.below])));
                choice(all)
            }
            NodeKind::Binary => self.assigned_operators(value),
            _ => below(self.expr(value)),
        }
    }

    fn assigned_function(&self, value: &Node) -> Doc {
        let whole = self.expr(value);
        if self.is_absorbed_function(value) && (has_plain_parameter(value) || body_has_one_binding(value)) {
            return concat([space(), whole]);
        }
        if whole.must_break() {
            return nest(concat([hard(), self.expr_in(value, Room::Tall)]));
        }
        group(nest(concat([line(), whole])))
    }

    /// The parameter of a function that is a set pattern.
    pub(super) fn pattern(&self, node: &Node) -> Doc {
        let tokens: Vec<usize> = node.tokens().collect();
        let find = |text: &str| tokens.iter().copied().find(|token| self.is(*token, text));
        let (Some(open), Some(close)) = (find("{"), find("}")) else { return self.parts(node, |_, doc| doc) };
        let formals = self.formals(node, close);
        let at = find("@").map(|at| concat([self.lead(at), self.bare(at), self.trail(at)]));
        let name = node.nodes().find(|node| node.kind == NodeKind::Name).map(|name| self.expr(name));
        let (before, after) = match (at, name) {
            (Some(at), Some(name)) if find("@") < Some(open) => (concat([name, at]), nil()),
            (Some(at), Some(name)) => (nil(), concat([at, name])),
            _ => (nil(), nil()),
        };
        let start = concat([before, self.lead(open), self.bare(open)]);
        let end = concat([self.bare(close), self.trail(close), after]);
        let inside = if formals.is_empty() && !self.has_comments(node) {
            space()
        } else if self.is_long_pattern(node) {
            let commas = formals.into_iter().map(|(lead, formal, tail)| concat([hard(), lead, formal, tail]));
            let inner = concat([self.comments_behind(open), concat(commas), hard(), self.comments_before(close)]);
            concat([nest(inner), hard()])
        } else {
            let count = formals.len();
            let entries = formals.into_iter().enumerate().map(|(index, (_, formal, _))| {
                let comma = if index + 1 < count { text(",") } else { nil() };
                concat([line(), formal, comma])
            });
            concat([nest(concat(entries)), line()])
        };
        let whole = concat([start, inside, end]);
        if self.is_long_pattern(node) { whole } else { flat(whole) }
    }

    /// The names of a pattern: comments before, the name, and the comma with the comments behind.
    fn formals(&self, node: &Node, close: usize) -> Vec<(Doc, Doc, Doc)> {
        let mut entries: Vec<(Doc, Doc, Doc)> = Vec::new();
        let mut waiting = nil();
        for child in &node.children {
            match child {
                syntax::concrete::Child::Node(formal) if formal.kind == NodeKind::Formal => {
                    let lead = concat([std::mem::replace(&mut waiting, nil()), self.hoisted(formal)]);
                    entries.push((lead, self.formal(formal), text(",")));
                }
                syntax::concrete::Child::Token(token) if *token < close && self.is(*token, ",") => {
                    waiting = self.lead(*token);
                    if let Some((_, _, tail)) = entries.last_mut() {
                        *tail = concat([text(","), self.trail(*token)]);
                    }
                }
                syntax::concrete::Child::Token(token) if self.is(*token, "...") => {
                    let lead = concat([std::mem::replace(&mut waiting, nil()), self.lead(*token)]);
                    entries.push((lead, concat([self.bare(*token), self.trail(*token)]), nil()));
                }
                _ => {}
            }
        }
        if let (false, Some((_, _, tail))) = (waiting.is_nil(), entries.last_mut()) {
            *tail = concat([tail.clone(), waiting]);
        }
        entries
    }

    fn formal(&self, node: &Node) -> Doc {
        let default = node.nodes().next().map(|default| concat([space(), self.own(node, 1), self.assigned(default)]));
        concat([self.own(node, 0), default.unwrap_or_else(nil)])
    }
}

/// Whether the body of a function is a set of one binding.
fn body_has_one_binding(lambda: &Node) -> bool {
    let body = lambda.nodes().nth(1);
    body.is_some_and(|body| body.kind == NodeKind::Set && body.nodes().count() == 1)
}
