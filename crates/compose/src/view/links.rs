//! A plan's /usr → a tree of symbolic links into the store, the `sw` that people and reference scans see.
//!
//! A directory that one package alone provides, unchanged, becomes one link to the package's directory; its relative links
//! must then stay inside it or inside the package. This tree is for looking; programs run in the real /usr.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Entry, EntryKind, Origin, ViewPlan};
use crate::package::Package;

/// What stands at a path of the link tree (relative to the plan's `usr/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A real directory.
    Directory,
    /// A symbolic link with its text.
    Link(String),
}

/// Plans the link tree, sorted by path, parents first.
#[must_use]
pub fn plan_links(plan: &ViewPlan, packages: &[Package]) -> BTreeMap<String, Node> {
    let whole = WholeDirectories::find(plan, packages);
    let mut nodes = BTreeMap::new();
    for (path, entry) in plan.beneath("usr") {
        if ancestors(path).any(|directory| whole.layer_of(directory).is_some()) {
            continue;
        }
        let node = match &entry.kind {
            EntryKind::Directory => match whole.layer_of(path) {
                Some(layer) => Node::Link(format!("{}/usr/{path}", plan.layers[layer].store_path)),
                None => Node::Directory,
            },
            EntryKind::File(source) => Node::Link(format!("{}/{}", source.store_path, source.path)),
            EntryKind::Symlink(target) => Node::Link(target.clone()),
        };
        nodes.insert(path.to_owned(), node);
    }
    nodes
}

/// Makes the tree in an existing directory.
///
/// # Errors
/// When a directory or link cannot be made; the path is in the message.
pub fn write_links(nodes: &BTreeMap<String, Node>, destination: &Path) -> io::Result<()> {
    for (path, node) in nodes {
        let place = destination.join(path);
        let made = match node {
            Node::Directory => std::fs::create_dir(&place),
            Node::Link(target) => symlink(target, &place),
        };
        made.map_err(|error| io::Error::new(error.kind(), format!("cannot make `{}`: {error}", place.display())))?;
    }
    Ok(())
}

/// Directories (relative to usr/) that one layer provides alone and whole.
struct WholeDirectories<'a>(HashMap<&'a str, usize>);

impl<'a> WholeDirectories<'a> {
    fn find(plan: &'a ViewPlan, packages: &[Package]) -> Self {
        let mut owner: HashMap<&str, Option<usize>> = HashMap::new();
        let mut count: HashMap<&str, usize> = HashMap::new();
        for (path, entry) in plan.beneath("usr") {
            let layer = provider(path, entry, packages);
            for directory in ancestors(path) {
                *count.entry(directory).or_default() += 1;
                let owner = owner.entry(directory).or_insert(layer);
                if *owner != layer {
                    *owner = None;
                }
            }
        }
        let shipped = shipped_counts(packages);
        let split = escaping_directories(plan, packages);
        let whole = owner
            .into_iter()
            .filter_map(|(directory, layer)| layer.map(|layer| (directory, layer)))
            .filter(|(directory, layer)| {
                let own = plan.entries.get(&format!("usr/{directory}"));
                own.is_some_and(|entry| entry.origin == Origin::Tree)
                    && shipped.get(&(*layer, (*directory).to_owned())) == count.get(directory)
                    && !split.contains(*directory)
            })
            .collect();
        WholeDirectories(whole)
    }

    fn layer_of(&self, path: &str) -> Option<usize> {
        self.0.get(path).copied()
    }
}

/// The package that ships this entry at this very place; `None` for what was made, moved or laid over. A directory that
/// several packages ship has one entry with one layer; that its contents agree decides.
fn provider(path: &str, entry: &Entry, packages: &[Package]) -> Option<usize> {
    let in_place = match &entry.kind {
        EntryKind::File(source) => {
            source.path.strip_prefix("usr/") == Some(path) || is_hard_link(entry, packages, path)
        }
        EntryKind::Directory | EntryKind::Symlink(_) => true,
    };
    (entry.origin == Origin::Tree && entry.layer < packages.len() && in_place).then_some(entry.layer)
}

fn is_hard_link(entry: &Entry, packages: &[Package], path: &str) -> bool {
    let members = &packages[entry.layer].members;
    let wanted = format!("usr/{path}");
    members.binary_search_by(|member| member.path.as_str().cmp(&wanted)).is_ok()
}

/// How many members each package has beneath each directory of usr/.
fn shipped_counts(packages: &[Package]) -> HashMap<(usize, String), usize> {
    let mut counts = HashMap::new();
    for (layer, package) in packages.iter().enumerate() {
        for member in &package.members {
            let Some(path) = member.path.strip_prefix("usr/") else {
                continue;
            };
            for directory in ancestors(path) {
                *counts.entry((layer, directory.to_owned())).or_default() += 1;
            }
        }
    }
    counts
}

/// Directories that must stay real because a relative link beneath them leaves them for a file of another package.
fn escaping_directories(plan: &ViewPlan, packages: &[Package]) -> HashSet<String> {
    let mut split = HashSet::new();
    for (path, entry) in plan.beneath("usr") {
        let EntryKind::Symlink(target) = &entry.kind else {
            continue;
        };
        if target.starts_with('/') || entry.layer >= packages.len() {
            continue;
        }
        let meant = normalise(path, target);
        let members = &packages[entry.layer].members;
        let wanted = format!("usr/{meant}");
        if members.binary_search_by(|member| member.path.as_str().cmp(&wanted)).is_ok() {
            continue;
        }
        for directory in ancestors(path).filter(|directory| !meant.starts_with(&format!("{directory}/"))) {
            split.insert(directory.to_owned());
        }
    }
    split
}

/// Where a relative link at `path` leads, both relative to usr/. Climbing out of usr/ stops there.
fn normalise(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            component => parts.push(component),
        }
    }
    parts.join("/")
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash])
}
