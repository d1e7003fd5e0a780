//! The tree that becomes an image: paths, metadata and what stands there.
//!
//! Checks names and collisions as entries come in; knows nothing of the format's layout.

use std::collections::BTreeMap;

use super::ErofsError;
use super::data::Stored;

/// Owner, mode, time and extended attributes of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permission bits with setuid, setgid and sticky; the type comes from [`Content`].
    pub mode: u16,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Modification time, seconds since the epoch.
    pub mtime: u64,
    /// Full names (`security.capability`) and values.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A regular file without data.
    File {
        /// The size the file shows, in bytes.
        size_bytes: u64,
        /// The path of its contents in the overlay's data layer, starting with `/`.
        redirect: Option<Vec<u8>>,
    },
    /// A regular file whose contents are in the image.
    Stored(Stored),
    /// A symbolic link.
    Symlink {
        /// Its target, unchecked.
        target: Vec<u8>,
    },
    /// A character device.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// Another name of a file in the tree; the metadata of this entry is ignored.
    HardLink {
        /// Path of the file, relative to the root of the image.
        target: Vec<u8>,
    },
}

/// One entry of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Owner, mode, time, attributes.
    pub metadata: Metadata,
    /// What it is.
    pub content: Content,
}

/// A directory tree, sorted bytewise at every level.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// An entry and, for directories, what it contains (names to indices into [`Tree::nodes`]).
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) entry: Entry,
    pub(super) children: BTreeMap<Vec<u8>, usize>,
    /// Made for the sake of a child; a later entry of that path may still give its metadata.
    implicit: bool,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty root directory, mode 0755, owned by 0:0.
    #[must_use]
    pub fn new() -> Self {
        Tree { nodes: vec![Node::implicit_directory()] }
    }

    /// Adds an entry at a path relative to the root (`bin/sh`; the empty path is the root itself).
    ///
    /// Missing parents appear as directories of mode 0755 owned by 0:0; giving such a directory later sets its metadata.
    ///
    /// Errors when the path is malformed, taken, or runs through something that is no directory.
    pub fn insert(&mut self, path: &[u8], entry: Entry) -> Result<(), ErofsError> {
        check(path, &entry.content)?;
        let conflict = || ErofsError::Conflict { path: display(path) };
        let mut parent = 0;
        let mut components = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).peekable();
        while let Some(name) = components.next() {
            if self.nodes[parent].entry.content != Content::Directory {
                return Err(conflict());
            }
            let known = self.nodes[parent].children.get(name).copied();
            let last = components.peek().is_none();
            parent = match known {
                Some(child) => child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::implicit_directory());
                    self.nodes[parent].children.insert(name.to_vec(), child);
                    if last {
                        self.nodes[child] = Node { entry, children: BTreeMap::new(), implicit: false };
                        return Ok(());
                    }
                    child
                }
            };
        }
        let node = &mut self.nodes[parent];
        if !node.implicit || entry.content != Content::Directory {
            return Err(conflict());
        }
        node.entry = entry;
        node.implicit = false;
        Ok(())
    }

    /// The node at a path, if there is one.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let components = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        components.into_iter().try_fold(0, |node, name| self.nodes[node].children.get(name).copied())
    }
}

impl Node {
    /// An entry that no directory has.
    pub(super) fn hidden(content: Content) -> Self {
        let entry = Entry { metadata: Metadata::default(), content };
        Node { entry, children: BTreeMap::new(), implicit: false }
    }

    fn implicit_directory() -> Self {
        let metadata = Metadata { mode: 0o755, ..Metadata::default() };
        Node { entry: Entry { metadata, content: Content::Directory }, children: BTreeMap::new(), implicit: true }
    }
}

/// A path for an error message.
pub(super) fn display(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn check(path: &[u8], content: &Content) -> Result<(), ErofsError> {
    let well_formed = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= 255 && !name.contains(&0);
    if !path.is_empty() && !path.split(|&byte| byte == b'/').all(well_formed) {
        return Err(ErofsError::InvalidPath { path: display(path) });
    }
    if let Content::Symlink { target } = content {
        if target.is_empty() || target.len() > 4000 {
            return Err(ErofsError::SymlinkTarget { path: display(path), length: target.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Content, Entry, Metadata, Tree};
    use crate::erofs::ErofsError;

    fn file() -> Entry {
        let metadata = Metadata { mode: 0o644, ..Metadata::default() };
        Entry { metadata, content: Content::File { size_bytes: 1, redirect: None } }
    }

    fn directory(mode: u16) -> Entry {
        Entry { metadata: Metadata { mode, ..Metadata::default() }, content: Content::Directory }
    }

    #[test]
    fn a_directory_may_come_after_its_children() {
        let mut tree = Tree::new();
        tree.insert(b"a/b", file()).unwrap();
        tree.insert(b"a", directory(0o700)).unwrap();
        assert_eq!(tree.nodes[tree.find(b"a").unwrap()].entry.metadata.mode, 0o700);
        assert!(tree.find(b"a/b").is_some());
    }

    #[test]
    fn a_path_given_twice_is_a_conflict() {
        let mut tree = Tree::new();
        tree.insert(b"a", file()).unwrap();
        for again in [file(), directory(0o755)] {
            assert!(matches!(tree.insert(b"a", again), Err(ErofsError::Conflict { path }) if path == "a"));
        }
        assert!(matches!(tree.insert(b"a/b", file()), Err(ErofsError::Conflict { path }) if path == "a/b"));
    }

    #[test]
    fn malformed_paths_are_refused() {
        let long = [b'x'; 256];
        for path in [&b"/a"[..], b"a/", b"a//b", b"..", b"a/./b", b"a\0b", &long] {
            assert!(matches!(Tree::new().insert(path, file()), Err(ErofsError::InvalidPath { .. })), "{path:?}");
        }
    }

    #[test]
    fn a_file_cannot_stand_at_the_root() {
        assert!(matches!(Tree::new().insert(b"", file()), Err(ErofsError::Conflict { .. })));
    }
}
