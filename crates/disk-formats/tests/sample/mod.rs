//! Trees for the tests of filesystems.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use disk_formats::tree::{Content, Metadata, NodeId, Tree};

/// A directory's metadata.
pub const DIRECTORY: Metadata = Metadata { mode: 0o755, uid: 0, gid: 0, mtime: 1 };
/// A file's metadata.
pub const FILE: Metadata = Metadata { mode: 0o444, uid: 0, gid: 0, mtime: 1 };

/// A tree and what its files hold.
pub struct Sample {
    /// The tree.
    pub tree: Tree,
    /// The contents of its files.
    pub contents: BTreeMap<NodeId, Vec<u8>>,
}

impl Sample {
    pub fn new() -> Self {
        Sample { tree: Tree::new(DIRECTORY), contents: BTreeMap::new() }
    }

    pub fn directory(&mut self, parent: NodeId, name: &str) -> NodeId {
        self.tree.add(parent, name.as_bytes(), DIRECTORY, Content::Directory).unwrap()
    }

    pub fn file(&mut self, parent: NodeId, name: &str, metadata: Metadata, contents: Vec<u8>) -> NodeId {
        let content = Content::File { size_bytes: contents.len() as u64 };
        let node = self.tree.add(parent, name.as_bytes(), metadata, content).unwrap();
        self.contents.insert(node, contents);
        node
    }

    pub fn symlink(&mut self, parent: NodeId, name: &str, target: &str) {
        let content = Content::Symlink { target: target.as_bytes().to_vec() };
        self.tree.add(parent, name.as_bytes(), DIRECTORY, content).unwrap();
    }

    /// A little of everything.
    pub fn of_everything() -> Self {
        let mut sample = Sample::new();
        let root = sample.tree.root();
        let store = sample.directory(root, "store");
        let package = sample.directory(store, "0123456789abcdfghijklmnpqrsvwxyz-hello-2.12");
        let bin = sample.directory(package, "bin");
        let owned = Metadata { mode: 0o4751, uid: 70_000, gid: 100_000, mtime: 1_700_000_000 };
        let hello = sample.file(bin, "hello", owned, b"hello\n".to_vec());
        sample.tree.link(bin, "hello-again".as_bytes(), hello).unwrap();
        sample.file(bin, "empty", FILE, Vec::new());
        sample.symlink(bin, "short", "hello");
        sample.symlink(bin, "sixty", &"t".repeat(60));
        sample.symlink(bin, "fifty-nine", &"t".repeat(59));
        let many = sample.directory(store, "many");
        for number in 0..2_000_usize {
            let contents = number.to_string().into_bytes();
            sample.file(many, &format!("{number:04}-{}", "n".repeat(number % 100)), FILE, contents);
        }
        sample.file(store, "large", FILE, (0..600_000_u32).flat_map(u32::to_le_bytes).collect());
        sample
    }
}
