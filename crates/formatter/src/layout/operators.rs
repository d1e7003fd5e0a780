//! Operators: a chain of one kind on one line, or with each operator at the beginning of a line.

use syntax::concrete::{Node, NodeKind};

use super::{Layout, Room};
use crate::comments::between;
use crate::doc::{Doc, choice, concat, flat, group, hard, line, nest, space};

/// A chain of operators that bind alike.
struct Chain<'n> {
    first: &'n Node,
    /// Each operator with what stands behind it.
    rest: Vec<(usize, &'n Node)>,
}

impl Layout<'_> {
    /// Operators stand in one chain when they bind alike.
    fn strength(&self, operator: usize) -> &str {
        match self.tree.token_text(operator) {
            "-" => "+",
            "/" => "*",
            "!=" => "==",
            "<=" | ">" | ">=" => "<",
            other => other,
        }
    }

    fn chain<'n>(&self, node: &'n Node) -> Option<Chain<'n>> {
        let operator = node.tokens().next()?;
        let mut operands = node.nodes();
        let (left, right) = (operands.next()?, operands.next()?);
        let same = |side: &Node| {
            let own = side.tokens().next().filter(|_| side.kind == NodeKind::Binary);
            own.is_some_and(|own| self.strength(own) == self.strength(operator))
        };
        let mut chain = match same(left) {
            true => self.chain(left)?,
            false => Chain { first: left, rest: Vec::new() },
        };
        if same(right) {
            let tail = self.chain(right)?;
            chain.rest.push((operator, tail.first));
            chain.rest.extend(tail.rest);
        } else {
            chain.rest.push((operator, right));
        }
        Some(chain)
    }

    pub(super) fn binary(&self, node: &Node) -> Doc {
        let Some(chain) = self.chain(node) else { return self.parts(node, |_, doc| doc) };
        let on_lines = concat([self.expr_in(chain.first, Room::Wide), self.tail(&chain, hard)]);
        let whole = concat([self.expr(chain.first), self.tail(&chain, line)]);
        if whole.must_break() || self.is_commented_chain(&chain) {
            on_lines
        } else {
            choice(vec![flat(whole), on_lines])
        }
    }

    fn is_commented_chain(&self, chain: &Chain<'_>) -> bool {
        chain.rest.iter().any(|(operator, operand)| {
            let operand = operand.first_token().unwrap_or(*operator);
            [*operator, operand].into_iter().any(|token| between(self.tree, token).is_commented())
        })
    }

    fn tail(&self, chain: &Chain<'_>, end_of_line: fn() -> Doc) -> Doc {
        let operation = |(operator, operand): &(usize, &Node)| {
            concat([end_of_line(), self.token(*operator), self.operand(operand)])
        };
        concat(chain.rest.iter().map(operation))
    }

    /// What stands behind an operator. Other operators in it begin on a line of their own if they do not fit.
    fn operand(&self, node: &Node) -> Doc {
        match node.kind {
            NodeKind::Binary => group(nest(concat([line(), self.expr(node)]))),
            _ => concat([space(), self.expr(node)]),
        }
    }

    /// A chain behind `=`.
    pub(super) fn assigned_operators(&self, node: &Node) -> Doc {
        let below = nest(concat([hard(), self.binary(node)]));
        let Some(chain) = self.chain(node).filter(|chain| !self.is_commented_chain(chain)) else { return below };
        let mut ways = Vec::new();
        let whole = self.binary(node);
        let ends_in_set =
            matches!(chain.rest.as_slice(), [(_, last)] if last.kind == NodeKind::Set && last.nodes().next().is_some());
        if !whole.must_break() && !ends_in_set {
            ways.push(concat([space(), flat(whole)]));
        }
        let first = self.expr(chain.first);
        if let ([(operator, last)], false) = (chain.rest.as_slice(), first.must_break()) {
            if self.is_absorbable(last) {
                let absorbed = self.absorbed(last, Room::Wide);
                ways.push(concat([space(), flat(first), space(), self.token(*operator), space(), absorbed]));
            }
        }
        if self.is_absorbable(chain.first) {
            ways.push(concat([space(), self.expr_in(chain.first, Room::Wide), self.tail(&chain, hard)]));
        }
        ways.push(below);
        choice(ways)
    }
}
