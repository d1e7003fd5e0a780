//! Functions: parameters, and where the body begins.

use syntax::concrete::{Node, NodeKind};

use super::{Layout, Room};
use crate::doc::{Doc, concat, group, hard, line, space};

/// Behind more parameters than these a body has a line of its own.
const FEW: usize = 2;

impl Layout<'_> {
    /// A function. In tall room the body has a line of its own behind a pattern.
    pub(super) fn lambda(&self, node: &Node, room: Room) -> Doc {
        self.lambda_behind(node, 0, room)
    }

    /// A function behind so many plain parameters of functions around it.
    fn lambda_behind(&self, node: &Node, plain: usize, room: Room) -> Doc {
        let mut nodes = node.nodes();
        let (Some(parameter), Some(body)) = (nodes.next(), nodes.next()) else { return self.parts(node, |_, doc| doc) };
        let head = concat([self.expr(parameter), self.own(node, 0)]);
        let is_pattern = parameter.kind == NodeKind::Pattern;
        let is_below = is_pattern && room == Room::Tall;
        if is_below || self.has_long_parameter(node) || self.has_lines_before(body) {
            return concat([head, self.new_line(body), self.body(body, Room::Wide)]);
        }
        let plain = if is_pattern { 0 } else { plain + 1 };
        match body.kind {
            NodeKind::Lambda if !is_pattern && has_plain_parameter(body) => {
                concat([head, space(), self.lambda_behind(body, plain, room)])
            }
            _ if self.is_absorbable_body(body) && !(is_pattern && self.tree.has_token(body, "rec")) => {
                concat([head, space(), self.expr(body)])
            }
            NodeKind::Lambda if room == Room::Tall => concat([head, hard(), self.lambda_behind(body, plain, room)]),
            _ if plain > FEW => concat([head, hard(), self.expr(body)]),
            _ => group(concat([head, line(), self.expr(body)])),
        }
    }

    fn is_absorbable_body(&self, body: &Node) -> bool {
        match body.kind {
            NodeKind::With => body.nodes().nth(1).is_some_and(|inner| self.is_absorbable(inner)),
            _ => self.is_absorbable(body),
        }
    }

    fn has_long_parameter(&self, lambda: &Node) -> bool {
        let parameter = lambda.nodes().next();
        parameter.is_some_and(|p| p.kind == NodeKind::Pattern && self.is_long_pattern(p))
    }

    /// Whether a pattern has a line for each of its names.
    pub(super) fn is_long_pattern(&self, node: &Node) -> bool {
        let formals: Vec<&Node> = node.nodes().filter(|node| node.kind == NodeKind::Formal).collect();
        let open = node.tokens().find(|token| self.is(*token, "{"));
        let breaks = open.and_then(|open| self.next(open)).is_some_and(|next| self.is_on_new_line(next));
        let has_names = !formals.is_empty() || self.tree.has_token(node, "...");
        formals.len() > 2
            || formals.iter().any(|formal| formal.nodes().next().is_some())
            || self.has_comments(node)
            || (breaks && has_names)
    }

    /// Whether a function has one plain parameter and a body that is absorbed: parentheses around it need no lines.
    pub(super) fn is_short_function(&self, node: &Node) -> bool {
        let mut nodes = node.nodes();
        let (NodeKind::Lambda, Some(parameter), Some(body)) = (node.kind, nodes.next(), nodes.next()) else {
            return false;
        };
        parameter.kind == NodeKind::Name && self.is_absorbable(body) && !self.has_lines_before(body)
    }

    /// Whether a function's body, behind all of its parameters, is absorbed.
    pub(super) fn is_absorbed_function(&self, node: &Node) -> bool {
        let mut nodes = node.nodes();
        let (NodeKind::Lambda, Some(_), Some(body)) = (node.kind, nodes.next(), nodes.next()) else { return false };
        if self.has_long_parameter(node) || self.has_lines_before(body) {
            return false;
        }
        match body.kind {
            NodeKind::Lambda => has_plain_parameter(body) && self.is_absorbed_function(body),
            _ => self.is_absorbable(body),
        }
    }

    fn has_lines_before(&self, node: &Node) -> bool {
        self.is_commented(node) || self.has_blank_before_node(node)
    }
}

/// Whether a function's parameter is a name.
pub(super) fn has_plain_parameter(lambda: &Node) -> bool {
    lambda.nodes().next().is_some_and(|parameter| parameter.kind == NodeKind::Name)
}
