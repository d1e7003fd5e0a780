//! The tree that becomes an ext4, btrfs or XFS filesystem: nodes, names and what stands there.
//!
//! Checks names as entries come in; knows nothing of blocks. Not here: extended attributes, device nodes.

use std::collections::BTreeMap;

use thiserror::Error;

/// Why something cannot be in a tree.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A name is empty, `.`, `..`, too long, or holds NUL or `/`.
    #[error("the name `{name}` cannot be stored in a filesystem")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// Two entries of a directory have one name, or something that is no directory has entries.
    #[error("`{name}` is given twice in one directory of a filesystem, or its parent is no directory")]
    Conflict {
        /// The name.
        name: String,
    },
    /// A hard link to a directory.
    #[error("`{name}` would be a hard link to a directory")]
    LinkToDirectory {
        /// The link's name.
        name: String,
    },
    /// A symlink's target is empty or longer than the kernel reads.
    #[error("a symlink's target has {length} bytes; 1 to 4095 fit in a filesystem")]
    SymlinkTarget {
        /// The target's length.
        length: usize,
    },
}

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

/// Owner, mode and time of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u16,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Modification time, seconds since the epoch; the other times are the same.
    pub mtime: u32,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A regular file. Its contents are the caller's to write.
    File {
        /// Its length.
        size_bytes: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Its target.
        target: Vec<u8>,
    },
}

/// Where a file's contents belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Which file.
    pub node: NodeId,
    /// Pieces in the file's order: offset on the volume and length, together as long as the file.
    pub pieces: Vec<(u64, u64)>,
}

/// A directory tree.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) metadata: Metadata,
    pub(crate) content: Content,
    pub(crate) children: BTreeMap<Vec<u8>, NodeId>,
    /// Names that lead here, without `.` and `..`.
    pub(crate) names: u32,
    pub(crate) parent: NodeId,
}

impl Tree {
    /// An empty root directory.
    #[must_use]
    pub fn new(root: Metadata) -> Self {
        let parent = NodeId(0);
        let children = BTreeMap::new();
        Tree { nodes: vec![Node { metadata: root, content: Content::Directory, children, names: 1, parent }] }
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Puts all that is in the root into one directory of it, which gets the root's own metadata. Nodes keep their ids.
    ///
    /// Errors when the name is malformed.
    pub fn lower(&mut self, name: &[u8]) -> Result<NodeId, TreeError> {
        let root = self.root();
        let entries = std::mem::take(&mut self.nodes[root.0].children);
        let folder = self.add(root, name, self.nodes[root.0].metadata, Content::Directory)?;
        for child in entries.values() {
            if self.nodes[child.0].content == Content::Directory {
                self.nodes[child.0].parent = folder;
            }
        }
        self.nodes[folder.0].children = entries;
        Ok(folder)
    }

    /// Adds a node to a directory.
    ///
    /// Errors when the name is malformed or taken, or `parent` is no directory.
    pub fn add(
        &mut self,
        parent: NodeId,
        name: &[u8],
        metadata: Metadata,
        content: Content,
    ) -> Result<NodeId, TreeError> {
        if let Content::Symlink { target } = &content {
            if target.is_empty() || target.len() > 4095 {
                return Err(TreeError::SymlinkTarget { length: target.len() });
            }
        }
        let node = NodeId(self.nodes.len());
        self.name(parent, name, node)?;
        self.nodes.push(Node { metadata, content, children: BTreeMap::new(), names: 1, parent });
        Ok(node)
    }

    /// Adds another name for a file or symlink.
    ///
    /// Errors when the name is malformed or taken, `parent` is no directory, or `target` is one.
    pub fn link(&mut self, parent: NodeId, name: &[u8], target: NodeId) -> Result<(), TreeError> {
        if self.nodes[target.0].content == Content::Directory {
            return Err(TreeError::LinkToDirectory { name: display(name) });
        }
        self.name(parent, name, target)?;
        self.nodes[target.0].names += 1;
        Ok(())
    }

    /// Whether a directory has an entry of this name, and which.
    #[must_use]
    pub fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.nodes[parent.0].children.get(name).copied()
    }

    /// All entries with their paths, relative to the root, which is the first: parents before children, children by name.
    /// A node with several names comes with each.
    #[must_use]
    pub fn entries(&self) -> Vec<(Vec<u8>, NodeId, Metadata, &Content)> {
        let mut entries = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![(Vec::new(), self.root())];
        while let Some((path, id)) = pending.pop() {
            let node = &self.nodes[id.0];
            let join = |name: &[u8]| if path.is_empty() { name.to_vec() } else { [&path, name].join(&b'/') };
            pending.extend(node.children.iter().rev().map(|(name, child)| (join(name), *child)));
            entries.push((path, id, node.metadata, &node.content));
        }
        entries
    }

    fn name(&mut self, parent: NodeId, name: &[u8], node: NodeId) -> Result<(), TreeError> {
        let malformed = matches!(name, b"" | b"." | b"..") || name.len() > 255;
        if malformed || name.contains(&b'/') || name.contains(&0) {
            return Err(TreeError::InvalidName { name: display(name) });
        }
        let directory = &mut self.nodes[parent.0];
        if directory.content != Content::Directory || directory.children.contains_key(name) {
            return Err(TreeError::Conflict { name: display(name) });
        }
        directory.children.insert(name.to_vec(), node);
        Ok(())
    }

    /// All nodes, parents before children, children by name, each once.
    pub(crate) fn in_order(&self) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![self.root()];
        while let Some(node) = pending.pop() {
            if !std::mem::replace(&mut seen[node.0], true) {
                order.push(node);
                pending.extend(self.nodes[node.0].children.values().rev());
            }
        }
        order
    }
}

fn display(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::TreeError;
    use super::{Content, Metadata, Tree};

    #[test]
    fn names_are_checked() {
        let mut tree = Tree::new(Metadata::default());
        let (root, plain) = (tree.root(), Metadata::default());
        let file = tree.add(root, b"a", plain, Content::File { size_bytes: 0 }).unwrap();
        let directory = tree.add(root, b"d", plain, Content::Directory).unwrap();
        let mut add = |parent, name: &[u8]| tree.add(parent, name, plain, Content::Directory);
        assert!(matches!(add(root, b"a"), Err(TreeError::Conflict { .. })));
        assert!(matches!(add(file, b"b"), Err(TreeError::Conflict { .. })));
        for name in [&b""[..], b".", b"..", b"a/b", b"a\0", &[b'n'; 256]] {
            assert!(matches!(add(root, name), Err(TreeError::InvalidName { .. })));
        }
        assert!(matches!(tree.link(root, b"l", directory), Err(TreeError::LinkToDirectory { .. })));
        tree.link(directory, b"l", file).unwrap();
        assert_eq!(tree.in_order(), [root, file, directory]);
        let paths: Vec<_> = tree.entries().into_iter().map(|(path, id, ..)| (path, id)).collect();
        let expected = [(&b""[..], root), (b"a", file), (b"d", directory), (b"d/l", file)];
        assert_eq!(paths, expected.map(|(path, id)| (path.to_vec(), id)));
        let folder = tree.clone().lower(b"n").unwrap();
        let mut lowered = tree.clone();
        lowered.lower(b"n").unwrap();
        assert_eq!(lowered.in_order(), [root, folder, file, directory]);
        assert_eq!(lowered.nodes[directory.0].parent, folder);
    }
}
