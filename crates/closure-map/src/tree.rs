//! A closure as a tree: each entry below the one without which it would not be there.

use serde::Serialize;

use crate::ClosureMap;
use crate::dominators::immediate_dominators;

/// A store path, or who asks for packages, with what is there only because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The store path's name, or who asks.
    pub name: String,
    /// The store path's base name; nothing for who asks.
    pub path: Option<String>,
    /// Its own size.
    pub own_bytes: u64,
    /// What would go with it: itself and all entries below.
    pub only_bytes: u64,
    /// Itself and all that it needs, whoever else needs that too.
    pub closure_bytes: u64,
    /// What is there only because of it, the largest first.
    pub children: Vec<Entry>,
}

/// Arranges a closure.
#[must_use]
pub fn arrange(map: &ClosureMap) -> Entry {
    let mut below = vec![Vec::new(); map.nodes.len()];
    for (node, dominator) in immediate_dominators(&map.needs).into_iter().enumerate() {
        if let Some(dominator) = dominator {
            below[dominator].push(node);
        }
    }
    entry(map, &below, 0)
}

/// Dominator trees are shallow: as deep as a chain of packages that only one another need.
fn entry(map: &ClosureMap, below: &[Vec<usize>], number: usize) -> Entry {
    let node = &map.nodes[number];
    let mut children: Vec<Entry> = below[number].iter().map(|&child| entry(map, below, child)).collect();
    children.sort_by(|a, b| (b.only_bytes, &a.name, &a.path).cmp(&(a.only_bytes, &b.name, &b.path)));
    let sizes = map.reach(number).into_iter().zip(&map.nodes);
    Entry {
        name: node.name.clone(),
        path: node.path.as_ref().map(|path| path.base_name().to_owned()),
        own_bytes: node.own_bytes,
        only_bytes: node.own_bytes + children.iter().map(|child| child.only_bytes).sum::<u64>(),
        closure_bytes: sizes.filter(|(reached, _)| *reached).map(|(_, node)| node.own_bytes).sum(),
        children,
    }
}

/// How much of a tree is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// How many levels below the first.
    pub depth: usize,
    /// How many entries below each.
    pub limit: usize,
}

/// A line of a tree for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'e> {
    /// An entry, and the strokes before its name.
    Entry(String, &'e Entry),
    /// The strokes, how many entries are left out here, and what would go with them.
    Rest(String, usize, u64),
}

/// The lines of a tree, in order.
#[must_use]
pub fn lines(root: &Entry, extent: Extent) -> Vec<Line<'_>> {
    let mut found = vec![Line::Entry(String::new(), root)];
    add_lines(root, extent, "", &mut found);
    found
}

fn add_lines<'e>(entry: &'e Entry, extent: Extent, strokes: &str, found: &mut Vec<Line<'e>>) {
    if extent.depth == 0 {
        return;
    }
    let shown = entry.children.len().min(extent.limit);
    let (shown, rest) = entry.children.split_at(shown);
    for (position, child) in shown.iter().enumerate() {
        let is_last = rest.is_empty() && position + 1 == shown.len();
        found.push(Line::Entry(format!("{strokes}{}", if is_last { "└─ " } else { "├─ " }), child));
        let deeper = format!("{strokes}{}", if is_last { "   " } else { "│  " });
        add_lines(child, Extent { depth: extent.depth - 1, ..extent }, &deeper, found);
    }
    if !rest.is_empty() {
        let bytes = rest.iter().map(|child| child.only_bytes).sum();
        found.push(Line::Rest(format!("{strokes}└─ "), rest.len(), bytes));
    }
}
