//! Packages laid over each other: the plan of a whole file hierarchy, as a value.
//!
//! [`plan_view`] decides for every path which package's file stands there, with which mode and owner; the emitters
//! ([`erofs`], [`links`], [`hardlinks`]) turn the very same plan into an image, a symlink tree or a tree of hard links.
//! Planning reads nothing: packages come loaded ([`crate::package`]).
//!
//! The rules are dpkg's where it has any: two packages must not hold one path unless one `Replaces` the other; diversions
//! move other packages' files; a directory gives way to another package's link to a directory.

mod alternatives;
pub mod conflict;
pub mod erofs;
pub mod hardlinks;
pub mod links;
mod paths;
mod permissions;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

pub use conflict::FileConflict;
pub use paths::{merged_path, pattern_matches};
pub use permissions::{AccountIds, PathPermissions};
pub(crate) use permissions::{change_mode, parse_mode};
pub use plan::{ViewInputs, plan_view};

/// A whole file hierarchy: `usr/…`, `etc/…`, `var/…`. Paths are relative to the root, without leading slash.
#[derive(Debug, Clone, Default)]
pub struct ViewPlan {
    /// Every path but the root, sorted; every path's parent is there too, as a directory.
    pub entries: BTreeMap<String, Entry>,
    /// The trees the files come from, by [`Entry::layer`].
    pub layers: Vec<LayerName>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Names one of the trees of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerName {
    /// The Debian package's name, else the store path's name.
    pub name: String,
    /// The logical store path.
    pub store_path: Arc<str>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, in seconds since 1970.
    pub mtime: u64,
    /// Index into [`ViewPlan::layers`]: the tree it comes from, or whose script caused it.
    pub layer: usize,
    /// Whether the layer holds it or a script's effect made it.
    pub origin: Origin,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the layer's tree, at the same place but for the merge of / and /usr.
    Tree,
    /// An alternative, a diversion, a copy, or a parent directory nobody ships.
    Made,
}

/// The kinds of entry. Devices and pipes do not occur: no package has one outside of /dev and /var.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file whose bytes lie in the store. Two entries with the same source are one file with two names.
    File(Source),
    /// A symbolic link with its text.
    Symlink(String),
}

/// Bytes in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The logical store path.
    pub store_path: Arc<str>,
    /// The path in it, without leading slash.
    pub path: String,
    /// Length in bytes.
    pub size_bytes: u64,
    /// The value of `security.capability`.
    pub capabilities: Option<[u8; 20]>,
}

/// Why packages do not make a view.
#[derive(Debug, Error)]
pub enum ViewError {
    /// Files of two packages claim one path. All of them are listed, one per line.
    #[error("packages hold the same files:\n{}", conflict::describe(conflicts))]
    Conflicts {
        /// Every conflict found.
        conflicts: Vec<FileConflict>,
    },
    /// Permissions were declared for a path that nothing in the view has.
    #[error("permissions are declared for `{path}`, which no package of the view has")]
    NoSuchPath {
        /// The path as declared.
        path: String,
    },
    /// An alternative was chosen that no package offers.
    #[error("`{path}` was chosen for the alternative `{name}`, but the candidates are: {candidates}")]
    NoSuchAlternative {
        /// The group's name.
        name: String,
        /// The chosen path.
        path: String,
        /// What the packages offer; `none` when nothing.
        candidates: String,
    },
    /// A declared or recognised mode is not octal.
    #[error("`{mode}` is no octal mode (for `{path}`)")]
    Mode {
        /// The mode as written.
        mode: String,
        /// The path it is for.
        path: String,
    },
    /// A declared or recognised capability text has no meaning.
    #[error("wrong capabilities for `{path}`")]
    Capabilities {
        /// The path they are for.
        path: String,
        /// What is wrong.
        #[source]
        source: crate::capabilities::CapabilityError,
    },
}

impl ViewPlan {
    /// The entries beneath a top-level directory such as `usr`, with paths relative to it.
    pub fn beneath<'a>(&'a self, top: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let prefix = format!("{top}/");
        let start = prefix.len();
        self.entries
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(move |(path, entry)| (&path[start..], entry))
    }

    /// Follows symbolic links until something else stands there; absolute links start again at the root of the plan.
    /// `None` when the path leads nowhere or in circles.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<(String, &Entry)> {
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at = String::new();
        let mut found = None;
        let mut links = 0;
        while let Some(component) = pending.pop() {
            match component.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    found = self.entries.get(&at);
                    continue;
                }
                _ => {}
            }
            let next = if at.is_empty() { component } else { format!("{at}/{component}") };
            let next = merged_path(&next).into_owned();
            let entry = self.entries.get(&next)?;
            if let EntryKind::Symlink(target) = &entry.kind {
                links += 1;
                if links > 40 {
                    return None;
                }
                if target.starts_with('/') {
                    at.clear();
                }
                pending.extend(target.split('/').rev().map(str::to_owned));
            } else {
                at = next;
                found = Some(entry);
            }
        }
        found.map(|entry| (at, entry))
    }
}

#[cfg(test)]
mod tests;
