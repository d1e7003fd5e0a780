//! A closure as a graph: what is in it, how large, and what needs what.
//!
//! Debian packages in the store refer to nothing, and generated files name many of them; who needs a package is known
//! only to the solution that put it there. So packages of the system's view hang from those that want them, and from
//! nothing else; whatever else is in the closure hangs from what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use nix_formats::StorePath;
use serde::Deserialize;
use store::{Store, StoreError};

/// The packages of the system's view and why they are in it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PackageGraph {
    /// All packages.
    pub packages: Vec<Package>,
    /// Those that were asked for.
    pub roots: Vec<PackageRoot>,
}

/// A package of the view.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// The Debian package's name.
    pub name: String,
    /// Its logical store path.
    pub path: String,
    /// The names of the packages that satisfy its dependencies.
    pub depends: Vec<String>,
}

/// A package that was asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageRoot {
    /// The Debian package's name.
    pub name: String,
    /// Who asks, such as `environment.systemPackages`.
    pub wanted_by: String,
}

/// Something in a closure: a store path, or who asks for packages, which has no size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) path: Option<StorePath>,
    pub(crate) own_bytes: u64,
}

/// A closure with its sizes; node 0 is the path that it is of.
#[derive(Debug, Clone)]
pub struct ClosureMap {
    pub(crate) nodes: Vec<Node>,
    pub(crate) needs: Vec<Vec<usize>>,
}

impl ClosureMap {
    /// Reads the closure of a path.
    ///
    /// Errors when it is not valid.
    pub fn load(store: &Store, root: &StorePath, packages: &PackageGraph) -> Result<Self, StoreError> {
        let mut paths: Vec<StorePath> = store.closure([root])?.into_iter().filter(|path| path != root).collect();
        paths.insert(0, root.clone());
        let index: BTreeMap<StorePath, usize> = paths.iter().cloned().zip(0..).collect();
        let by_name: BTreeMap<&str, usize> = packages
            .packages
            .iter()
            .filter_map(|package| Some((package.name.as_str(), *index.get(&store.dir().parse(&package.path).ok()?)?)))
            .collect();
        let of_view: BTreeSet<usize> = by_name.values().copied().collect();
        let mut map = Self { nodes: Vec::new(), needs: Vec::new() };
        for path in paths {
            let info = store.info(&path)?;
            let references = info.references.iter().filter_map(|reference| index.get(reference));
            let needs = references.copied().filter(|needed| !of_view.contains(needed)).collect();
            let name = path.name().to_owned();
            map.push(Node { name, path: Some(path), own_bytes: info.nar.size_bytes }, needs);
        }
        map.connect(packages, &by_name);
        Ok(map)
    }

    fn push(&mut self, node: Node, needs: Vec<usize>) {
        self.nodes.push(node);
        self.needs.push(needs);
    }

    /// Hangs the packages from those that want them.
    fn connect(&mut self, packages: &PackageGraph, by_name: &BTreeMap<&str, usize>) {
        let numbers = |names: &mut dyn Iterator<Item = &String>| -> Vec<usize> {
            names.filter_map(|name| by_name.get(name.as_str()).copied()).collect()
        };
        for package in &packages.packages {
            if let Some(&node) = by_name.get(package.name.as_str()) {
                self.needs[node] = numbers(&mut package.depends.iter());
            }
        }
        let mut asked: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for root in &packages.roots {
            asked.entry(&root.wanted_by).or_default().push(&root.name);
        }
        for (who, names) in asked {
            let asks = self.nodes.len();
            let needs = numbers(&mut names.into_iter());
            self.push(Node { name: who.to_owned(), path: None, own_bytes: 0 }, needs);
            self.needs[0].push(asks);
        }
        // A package that nobody asks for, as a damaged description would have it, still takes its room.
        let reached = self.reach(0);
        let lost = by_name.values().copied().filter(|node| !reached[*node]);
        let lost: Vec<usize> = lost.collect();
        self.needs[0].extend(lost);
    }

    /// What a node needs, directly or not, and itself.
    pub(crate) fn reach(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        reached[from] = true;
        let mut queue = vec![from];
        while let Some(node) = queue.pop() {
            for &next in &self.needs[node] {
                if !std::mem::replace(&mut reached[next], true) {
                    queue.push(next);
                }
            }
        }
        reached
    }

    /// How many store paths there are.
    #[must_use]
    pub fn path_count(&self) -> usize {
        self.nodes.iter().filter(|node| node.path.is_some()).count()
    }
}
