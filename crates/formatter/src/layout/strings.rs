//! Strings: what is in them stays as it is, but for what indented strings are indented by.

use syntax::concrete::{Child, Node, NodeKind};

use super::Layout;
use crate::doc::{Doc, choice, concat, exact, flat, group, hard, indent, nest, nil, soft, text};

/// A piece of a line of an indented string.
enum Piece<'n, 't> {
    Text(&'t str),
    Inner(&'n Node),
}

impl Layout<'_> {
    pub(super) fn string(&self, node: &Node) -> Doc {
        self.verbatim(node)
    }

    /// Text as it is; interpolations formatted.
    fn verbatim(&self, node: &Node) -> Doc {
        let last = node.children.len().saturating_sub(1);
        concat(node.children.iter().enumerate().map(|(index, child)| match child {
            Child::Node(inner) => self.expr(inner),
            Child::Token(token) if index == 0 => concat([self.lead(*token), self.bare(*token)]),
            Child::Token(token) if index == last => concat([self.bare(*token), self.trail(*token)]),
            Child::Token(token) => self.bare(*token),
        }))
    }

    /// `${ … }`: short ones are on one line, whatever room there is.
    pub(super) fn interpolation(&self, node: &Node) -> Doc {
        let mut tokens = node.tokens();
        let (Some(open), Some(inner), Some(close)) = (tokens.next(), node.nodes().next(), tokens.next()) else {
            return self.parts(node, |_, doc| doc);
        };
        let body =
            concat([self.comments_behind(open), self.body(inner, super::Room::Narrow), self.comments_before(close)]);
        if body.must_break() || self.has_loose_comments(node) {
            return concat([self.bare(open), nest(concat([hard(), body])), hard(), self.bare(close)]);
        }
        if self.is_plain(inner) {
            return flat(concat([self.bare(open), body, self.bare(close)]));
        }
        group(concat([self.bare(open), nest(concat([soft(), body])), soft(), self.bare(close)]))
    }

    /// An interpolation in a string of several lines: a call in it may begin on the line of the string.
    fn absorbed_interpolation(&self, node: &Node) -> Doc {
        let Some(inner) =
            node.nodes().next().filter(|inner| inner.kind == NodeKind::Apply && !self.has_loose_comments(node))
        else {
            return self.expr(node);
        };
        let around = |doc: Doc| concat([self.own(node, 0), doc, self.own(node, 1)]);
        let mut ways: Vec<Doc> = self.ways_to_call(inner).on_the_line.into_iter().map(around).collect();
        ways.push(self.expr(node));
        choice(ways)
    }

    /// Names, attributes, and calls with such arguments.
    fn is_plain(&self, node: &Node) -> bool {
        match node.kind {
            NodeKind::Name | NodeKind::Literal | NodeKind::String | NodeKind::Path | NodeKind::AttrPath => true,
            NodeKind::Select | NodeKind::Apply => node.nodes().all(|node| self.is_plain(node)),
            _ => false,
        }
    }

    pub(super) fn indented_string(&self, node: &Node) -> Doc {
        if !self.tree.node_text(node).contains('\n') {
            return self.verbatim(node);
        }
        let mut tokens = node.tokens();
        let (Some(open), Some(close)) = (tokens.next(), tokens.next_back()) else { return nil() };
        let mut lines = self.lines(node);
        if is_dropped(&lines[0]) {
            lines.remove(0);
        }
        let common = common_indent(&lines);
        let ends_with_newline = lines.len() > 1 && lines.last().is_some_and(|line| is_spaces(line));
        if ends_with_newline {
            lines.pop();
        }
        let body = lines.iter().map(|line| concat([exact(), self.line_of_string(line, common)]));
        let body = nest(concat(body));
        let end = if ends_with_newline { exact() } else { nil() };
        concat([self.lead(open), self.bare(open), body, end, self.bare(close), self.trail(close)])
    }

    fn lines<'n>(&self, node: &'n Node) -> Vec<Vec<Piece<'n, '_>>> {
        let mut lines = vec![Vec::new()];
        let count = node.children.len();
        for child in node.children.iter().take(count.saturating_sub(1)).skip(1) {
            match child {
                Child::Node(inner) => push(&mut lines, Piece::Inner(inner)),
                Child::Token(token) => {
                    for (index, text) in self.tree.token_text(*token).split('\n').enumerate() {
                        if index > 0 {
                            lines.push(Vec::new());
                        }
                        if !text.is_empty() {
                            push(&mut lines, Piece::Text(text));
                        }
                    }
                }
            }
        }
        lines
    }

    fn line_of_string(&self, line: &[Piece<'_, '_>], common: usize) -> Doc {
        let first = match line.first() {
            Some(Piece::Text(first)) => *first,
            _ => "",
        };
        let spaces = first.len() - first.trim_start_matches(' ').len();
        let own = spaces.saturating_sub(common);
        let pieces = line.iter().enumerate().map(|(index, piece)| match piece {
            Piece::Text(piece) if index == 0 => text(&piece[spaces - own..]),
            Piece::Text(piece) => text(*piece),
            Piece::Inner(node) => self.absorbed_interpolation(node),
        });
        indent(own, concat(pieces))
    }
}

fn push<'n, 't>(lines: &mut [Vec<Piece<'n, 't>>], piece: Piece<'n, 't>) {
    if let Some(last) = lines.last_mut() {
        last.push(piece);
    }
}

fn is_spaces(line: &[Piece<'_, '_>]) -> bool {
    line.iter().all(|piece| matches!(piece, Piece::Text(text) if text.bytes().all(|b| b == b' ')))
}

/// The rest of the line of the opening quotes is no part of the string when it is blank.
fn is_dropped(line: &[Piece<'_, '_>]) -> bool {
    is_spaces(line)
}

/// What all lines are indented by that have more than spaces.
fn common_indent(lines: &[Vec<Piece<'_, '_>>]) -> usize {
    let filled = lines.iter().filter(|line| !is_spaces(line));
    let indents = filled.map(|line| match line.first() {
        Some(Piece::Text(text)) => text.len() - text.trim_start_matches(' ').len(),
        _ => 0,
    });
    indents.min().unwrap_or(usize::MAX)
}
