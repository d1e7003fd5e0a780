//! Local names: what `let`, functions and recursive sets bind, and where it is used. Works on texts that are not whole.
//!
//! Names that `with` brings and global names are not local. Nothing is evaluated.

use std::collections::HashMap;
use std::ops::Range;

use syntax::concrete::{Node, NodeKind, Tree};

/// All names of a text.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) locals: Vec<Local>,
    /// Names that nothing here binds.
    pub(crate) free: Vec<(String, Range<usize>)>,
}

/// A name that something binds.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) name: String,
    /// Where it can be seen.
    pub(crate) scope: Range<usize>,
    pub(crate) places: Vec<Place>,
}

/// Where a name stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) range: Range<usize>,
    pub(crate) binds: bool,
    /// The `inherit` that it stands in.
    pub(crate) inherit: Option<Inherit>,
}

/// An `inherit`, which binds a name to what has the same name elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inherit {
    pub(crate) statement: Range<usize>,
    /// How many names it has.
    pub(crate) names: usize,
    /// What stands in the parentheses.
    pub(crate) from: Option<String>,
}

impl Names {
    pub(crate) fn of(tree: &Tree<'_>) -> Self {
        let mut walk = Walk { tree, names: Self::default(), scopes: Vec::new() };
        walk.nodes(&tree.root);
        walk.names
    }

    /// The local name that stands at an offset. Of an `inherit` in a `let` it is the name that is bound there.
    pub(crate) fn at(&self, offset: usize) -> Option<&Local> {
        let holds = |place: &&Place| place.range.start <= offset && offset <= place.range.end;
        let found = self.locals.iter().filter(|local| local.places.iter().any(|place| holds(&place)));
        found.max_by_key(|local| local.scope.start)
    }

    /// The local names that can be seen at an offset.
    pub(crate) fn visible(&self, offset: usize) -> impl Iterator<Item = &Local> {
        self.locals.iter().filter(move |local| local.scope.start <= offset && offset <= local.scope.end)
    }

    /// Whether a name stands for something within a range.
    pub(crate) fn is_used_within(&self, name: &str, range: &Range<usize>) -> bool {
        let within = |place: &Range<usize>| range.start <= place.start && place.end <= range.end;
        self.free.iter().any(|(free, place)| free == name && within(place))
            || self.locals.iter().any(|l| l.name == name && l.places.iter().any(|place| within(&place.range)))
    }
}

struct Walk<'t> {
    tree: &'t Tree<'t>,
    names: Names,
    scopes: Vec<HashMap<String, usize>>,
}

impl Walk<'_> {
    fn nodes(&mut self, node: &Node) {
        for node in node.nodes() {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node.kind {
            NodeKind::Name => self.use_name(node, None),
            NodeKind::Lambda => self.lambda(node),
            NodeKind::Let | NodeKind::LegacyLet => self.recursive(node),
            NodeKind::Set if self.tree.has_token(node, "rec") => self.recursive(node),
            NodeKind::Inherit => self.inherit(node),
            // The names in a path are none of variables.
            NodeKind::AttrPath => {
                node.nodes().filter(|name| name.kind != NodeKind::Name).for_each(|name| self.node(name))
            }
            _ => self.nodes(node),
        }
    }

    fn range(&self, node: &Node) -> Range<usize> {
        self.tree.range(node).unwrap_or_default()
    }

    fn use_name(&mut self, node: &Node, inherit: Option<Inherit>) {
        let (name, range) = (self.tree.node_text(node), self.range(node));
        match self.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            Some(local) => self.names.locals[*local].places.push(Place { range, binds: false, inherit }),
            None => self.names.free.push((name.to_owned(), range)),
        }
    }

    fn bind(&mut self, name: &str, place: Range<usize>, scope: &Range<usize>, inherit: Option<Inherit>) {
        let place = Place { range: place, binds: true, inherit };
        let Some(names) = self.scopes.last_mut() else { return };
        if let Some(known) = names.get(name) {
            return self.names.locals[*known].places.push(place);
        }
        names.insert(name.to_owned(), self.names.locals.len());
        self.names.locals.push(Local { name: name.to_owned(), scope: scope.clone(), places: vec![place] });
    }

    fn lambda(&mut self, node: &Node) {
        let scope = self.range(node);
        self.scopes.push(HashMap::new());
        let mut nodes = node.nodes();
        if let Some(parameter) = nodes.next() {
            let tree = self.tree;
            if parameter.kind == NodeKind::Name {
                self.bind(tree.node_text(parameter), self.range(parameter), &scope, None);
            }
            for part in parameter.nodes().filter(|_| parameter.kind == NodeKind::Pattern) {
                if let Some(name) = part.first_token() {
                    self.bind(tree.token_text(name), tree.tokens[name].range.clone(), &scope, None);
                }
            }
            // Defaults see all names of the pattern.
            for formal in parameter.nodes().filter(|part| part.kind == NodeKind::Formal) {
                self.nodes(formal);
            }
        }
        nodes.for_each(|body| self.node(body));
        self.scopes.pop();
    }

    /// Bindings that see each other, and what else stands among them.
    fn recursive(&mut self, node: &Node) {
        let scope = self.range(node);
        // `inherit x` takes what is called so outside.
        for inherit in node.nodes().filter(|n| n.kind == NodeKind::Inherit) {
            if self.parenthesis(inherit).is_none() {
                self.inherit(inherit);
            }
        }
        self.scopes.push(HashMap::new());
        let tree = self.tree;
        for binding in node.nodes() {
            match binding.kind {
                NodeKind::Binding => {
                    let first = binding.nodes().next().and_then(|path| path.nodes().next());
                    if let Some(name) = first.filter(|name| name.kind == NodeKind::Name) {
                        self.bind(tree.node_text(name), self.range(name), &scope, None);
                    }
                }
                NodeKind::Inherit => {
                    let statement = self.statement(binding);
                    for name in binding.nodes().filter(|name| name.kind == NodeKind::Name) {
                        self.bind(tree.node_text(name), self.range(name), &scope, Some(statement.clone()));
                    }
                }
                _ => {}
            }
        }
        for part in node.nodes() {
            match (part.kind, self.parenthesis(part)) {
                (NodeKind::Inherit, Some(from)) => self.node(from),
                (NodeKind::Inherit, None) => {}
                _ => self.node(part),
            }
        }
        self.scopes.pop();
    }

    fn parenthesis<'n>(&self, inherit: &'n Node) -> Option<&'n Node> {
        inherit.nodes().find(|node| node.kind == NodeKind::Paren)
    }

    fn statement(&self, inherit: &Node) -> Inherit {
        let from = self.parenthesis(inherit).and_then(|from| from.nodes().next());
        Inherit {
            statement: self.range(inherit),
            names: inherit.nodes().filter(|node| node.kind != NodeKind::Paren).count(),
            from: from.map(|from| match from.kind {
                NodeKind::Name | NodeKind::Select => self.tree.node_text(from).to_owned(),
                _ => format!("({})", self.tree.node_text(from)),
            }),
        }
    }

    /// An `inherit` in a set that is not recursive, or what one in a recursive set takes from outside.
    fn inherit(&mut self, node: &Node) {
        if let Some(from) = self.parenthesis(node) {
            return self.node(from);
        }
        let statement = self.statement(node);
        for name in node.nodes().filter(|name| name.kind == NodeKind::Name) {
            self.use_name(name, Some(statement.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts at the places of the name that stands at `|`, with the columns.
    fn places(text: &str) -> Vec<usize> {
        let offset = text.find('|').expect("a cursor");
        let text = text.replace('|', "");
        let names = Names::of(&Tree::of(&text));
        let mut found: Vec<usize> =
            names.at(offset).map(|l| l.places.iter().map(|p| p.range.start).collect()).unwrap_or_default();
        found.sort_unstable();
        found
    }

    #[test]
    fn names_are_found_in_their_scope_only() {
        assert_eq!(places("let |a = 1; in { a = a; b.a = x.a; }"), [4, 20]);
        assert_eq!(places("a: (|a: a) a"), [4, 7]);
        assert_eq!(places("|a: (a: a) a"), [0, 10]);
        assert_eq!(places("{ a, |b ? a }: b"), [5, 14]);
        assert_eq!(places("args@{ a, ... }: |args.a"), [0, 17]);
        assert_eq!(places("rec { |a = 1; b = a; c.a = 2; }"), [6, 17]);
        assert_eq!(places("{ |a = 1; b = a; }"), Vec::<usize>::new());
        assert_eq!(places("let a = 1; in \"${|a}\""), [4, 17]);
        assert_eq!(places("let a.b = 1; a.c = 2; in |a"), [4, 13, 25]);
        assert_eq!(places("with x; |a"), Vec::<usize>::new());
    }

    #[test]
    fn inherit_takes_from_outside_and_binds_inside() {
        assert_eq!(places("|a: { inherit a; }"), [0, 13]);
        assert_eq!(places("a: let inherit |a; in a"), [15, 21]);
        assert_eq!(places("|a: let inherit a; in a"), [0, 15]);
        assert_eq!(places("let inherit (x) |a; in a"), [16, 22]);
    }

    #[test]
    fn broken_texts_have_names_too() {
        assert_eq!(places("{ x }: { a = |x; b = "), [2, 13]);
    }
}
