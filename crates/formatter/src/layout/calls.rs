//! Calls: all on one line, or with one argument that goes on for several, or with arguments on lines of their own.

use syntax::concrete::{Node, NodeKind};

use super::Layout;
use crate::doc::{Doc, choice, concat, flat, group, line, nest, nil, space};

/// The ways to lay out a call.
pub(super) struct Ways {
    /// Those that begin on the current line, the best first.
    pub(super) on_the_line: Vec<Doc>,
    /// The one that needs a line to begin with.
    pub(super) below: Doc,
}

impl Layout<'_> {
    pub(super) fn apply(&self, node: &Node) -> Doc {
        if self.ends_in_text(node) && node.nodes().count() == 2 {
            return self.on_one_line(node);
        }
        let ways = self.ways_to_call(node);
        let mut all = ways.on_the_line;
        all.push(ways.below);
        choice(all)
    }

    pub(super) fn ways_to_call(&self, node: &Node) -> Ways {
        let nodes: Vec<&Node> = node.nodes().collect();
        let docs: Vec<Doc> = (0..nodes.len()).map(|index| self.argument(&nodes, index)).collect();
        let mut below = None;
        for doc in &docs {
            below = Some(match below {
                None => doc.clone(),
                Some(before) => group(concat([before, nest(concat([line(), doc.clone()]))])),
            });
        }
        let below = below.unwrap_or_else(nil);
        let mut on_the_line = Vec::new();
        if !self.has_loose_comments(node) {
            if !below.must_break() {
                on_the_line.push(flat(below.clone()));
            }
            let several = (1..nodes.len()).rev().filter(|index| self.goes_on(nodes[*index]));
            on_the_line.extend(several.filter_map(|index| with_one_open(&docs, index)));
        }
        Ways { on_the_line, below }
    }

    /// Whether a call is of plain names and ends in a text: lines of its own would gain nothing.
    pub(super) fn ends_in_text(&self, call: &Node) -> bool {
        let nodes: Vec<&Node> = call.nodes().collect();
        let plain = [NodeKind::Name, NodeKind::Select, NodeKind::Literal, NodeKind::String];
        nodes.last().is_some_and(|last| last.kind == NodeKind::String)
            && nodes.iter().all(|node| plain.contains(&node.kind))
            && !self.has_loose_comments(call)
    }

    /// A call with spaces between its parts.
    pub(super) fn on_one_line(&self, call: &Node) -> Doc {
        let parts = call.nodes().enumerate();
        concat(parts.map(|(index, node)| concat([if index > 0 { space() } else { nil() }, self.expr(node)])))
    }

    /// Whether a call of a plain name has a set or list as its only argument.
    pub(super) fn takes_one_set(&self, call: &Node) -> bool {
        let mut nodes = call.nodes();
        let (Some(function), Some(argument), None) = (nodes.next(), nodes.next(), nodes.next()) else { return false };
        call.kind == NodeKind::Apply
            && function.kind == NodeKind::Name
            && self.is_absorbable(argument)
            && !self.is_commented(argument)
    }

    /// The function or an argument. Short lists stay on the line, but not alone at the end.
    fn argument(&self, nodes: &[&Node], index: usize) -> Doc {
        let is_short = |index: usize| nodes.get(index).is_some_and(|node| self.is_short_list(node));
        let (node, is_last) = (nodes[index], index + 1 == nodes.len());
        if index > 0 && is_short(index) && (!is_last || is_short(index - 1)) {
            return self.short_list(node);
        }
        let function = node.nodes().next().filter(|inner| self.is_absorbed_function(inner));
        match function {
            Some(function) if node.kind == NodeKind::Paren && !is_last && !self.has_loose_comments(node) => {
                concat([self.own(node, 0), self.expr(function), self.own(node, 1)])
            }
            _ => self.expr(node),
        }
    }

    /// Whether an argument may go on for several lines beside others on the same line.
    fn goes_on(&self, node: &Node) -> bool {
        node.kind == NodeKind::Paren || self.is_absorbable(node)
    }
}

/// A call with one argument on several lines and all others on one; `None` where others must be on several, too.
fn with_one_open(docs: &[Doc], open: usize) -> Option<Doc> {
    let mut parts = Vec::new();
    for (index, doc) in docs.iter().enumerate() {
        if index > 0 {
            parts.push(space());
        }
        if index == open {
            parts.push(doc.clone());
        } else if doc.must_break() {
            return None;
        } else {
            parts.push(flat(doc.clone()));
        }
    }
    Some(concat(parts))
}
