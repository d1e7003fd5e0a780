//! Files and directories: inode numbers, names, and the items of a subvolume's tree.
//!
//! Inodes are numbered from 256, the root directory, in the order of the tree: parents before children, children by name.
//! Small files stand in the tree itself.

use std::collections::BTreeMap;

use super::chunks::{Chunks, Extent};
use super::items::{self, INLINE_HEADER_BYTES, Inode};
use super::key::{Key, id, kind};
use super::{BtrfsError, Options, narrow};
use crate::tree::{Content, NodeId, Tree};

/// Larger files have extents. It is what the kernel does by default.
const INLINE_BYTES: u64 = 2048;
/// The first index of a directory's entries.
const FIRST_INDEX: u64 = 2;

/// What an item holds.
#[derive(Debug)]
pub(super) enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A small file's contents, so many bytes, behind these.
    Small(Vec<u8>, NodeId, usize),
    /// Checksums of so many sectors from this one on, counted over all data.
    Sums(usize, usize),
}

impl Body {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Small(header, _, length) => header.len() + length,
            Self::Sums(_, sectors) => sectors * 4,
        }
    }
}

/// Who takes items in the order of their keys.
pub(super) type Emit<'a> = dyn FnMut(Key, Body) -> Result<(), BtrfsError> + 'a;

/// A name of a node.
#[derive(Debug, Clone)]
pub(super) struct Name {
    /// The subvolume, as its position among all.
    subvolume: usize,
    /// The directory's inode.
    pub(super) directory: u64,
    pub(super) index: u64,
    pub(super) name: Vec<u8>,
}

/// A subvolume, the top-level one among them.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The tree's id.
    pub(super) id: u64,
    pub(super) uuid: [u8; 16],
    /// What is in it; the position is the inode's number less 256.
    nodes: Vec<NodeId>,
}

/// All nodes, and where they went.
#[derive(Debug, Clone)]
pub(super) struct Forest {
    tree: Tree,
    pub(super) subvolumes: Vec<Files>,
    /// Of each node.
    inodes: Vec<u64>,
    names: Vec<Vec<Name>>,
    extents: Vec<Vec<Extent>>,
}

impl Forest {
    /// Numbers everything.
    ///
    /// Errors when a file has names in two subvolumes.
    pub(super) fn new(tree: Tree, options: &Options) -> Result<Self, BtrfsError> {
        let count = tree.nodes.len();
        let top = Files { id: id::FS_TREE, uuid: options.top_uuid, nodes: Vec::new() };
        let others = options.subvolumes.iter().zip(id::FIRST_FREE..);
        let others = others.map(|(subvolume, id)| Files { id, uuid: subvolume.uuid, nodes: Vec::new() });
        let mut forest = Forest {
            subvolumes: [top].into_iter().chain(others).collect(),
            inodes: vec![0; count],
            names: vec![Vec::new(); count],
            extents: vec![Vec::new(); count],
            tree,
        };
        let roots: Vec<NodeId> =
            [forest.tree.root()].into_iter().chain(options.subvolumes.iter().map(|other| other.root)).collect();
        for position in 0..roots.len() {
            forest.number(position, &roots)?;
        }
        Ok(forest)
    }

    fn number(&mut self, subvolume: usize, roots: &[NodeId]) -> Result<(), BtrfsError> {
        let mut pending = vec![roots[subvolume]];
        while let Some(node) = pending.pop() {
            if self.inodes[node.0] != 0 {
                continue;
            }
            let nodes = &mut self.subvolumes[subvolume].nodes;
            self.inodes[node.0] = id::FIRST_FREE + nodes.len() as u64;
            nodes.push(node);
            let children = &self.tree.nodes[node.0].children;
            for (index, (name, child)) in (FIRST_INDEX..).zip(children) {
                let names = &mut self.names[child.0];
                if names.first().is_some_and(|other| other.subvolume != subvolume) {
                    return Err(BtrfsError::LinkAcross { name: String::from_utf8_lossy(name).into_owned() });
                }
                names.push(Name { subvolume, directory: self.inodes[node.0], index, name: name.clone() });
            }
            pending.extend(children.values().rev().filter(|child| !roots.contains(child)));
        }
        Ok(())
    }

    /// The id of a subvolume's parent, and its name there. The top-level one has none.
    pub(super) fn place_of(&self, subvolume: usize) -> Option<(u64, &Name)> {
        let root = self.subvolumes[subvolume].nodes.first()?;
        let name = self.names[root.0].first()?;
        Some((self.subvolumes[name.subvolume].id, name))
    }

    /// Gives files their extents.
    pub(super) fn place_data(&mut self, chunks: &mut Chunks) {
        for (node, size_bytes) in self.large_files().collect::<Vec<_>>() {
            self.extents[node.0] = chunks.take_data(size_bytes);
        }
        chunks.end_data();
    }

    /// Files that have extents, with their lengths, in the order of these.
    pub(super) fn large_files(&self) -> impl Iterator<Item = (NodeId, u64)> {
        let nodes = self.subvolumes.iter().flat_map(|subvolume| &subvolume.nodes);
        nodes.filter_map(|node| match self.tree.nodes[node.0].content {
            Content::File { size_bytes } if size_bytes > INLINE_BYTES => Some((*node, size_bytes)),
            _ => None,
        })
    }

    pub(super) fn extents_of(&self, node: NodeId) -> &[Extent] {
        &self.extents[node.0]
    }

    /// All extents of files, in order, with tree, inode and offset in the file.
    pub(super) fn data(&self) -> impl Iterator<Item = (Extent, u64, u64, u64)> {
        self.subvolumes.iter().flat_map(move |subvolume| {
            subvolume.nodes.iter().flat_map(move |node| {
                let mut offset = 0;
                self.extents[node.0].iter().map(move |extent| {
                    offset += extent.length;
                    (*extent, subvolume.id, self.inodes[node.0], offset - extent.length)
                })
            })
        })
    }

    /// Emits the items of a subvolume.
    pub(super) fn emit(&self, subvolume: usize, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        self.subvolumes[subvolume].nodes.iter().try_for_each(|node| self.emit_node(subvolume, *node, emit))
    }

    fn emit_node(&self, subvolume: usize, node: NodeId, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        let inode = self.inodes[node.0];
        emit(Key::new(inode, kind::INODE_ITEM, 0), Body::Bytes(self.inode(node)?.encode()))?;
        for (directory, names) in self.names_by_directory(inode, node) {
            let mut bytes = Vec::new();
            for (index, name) in names {
                bytes.extend(items::inode_ref(index, name)?);
            }
            emit(Key::new(inode, kind::INODE_REF, directory), Body::Bytes(bytes))?;
        }
        match &self.tree.nodes[node.0].content {
            Content::Directory => self.emit_entries(subvolume, node, emit),
            Content::Symlink { target } => {
                let mut bytes = items::inline_header(target.len() as u64);
                bytes.extend_from_slice(target);
                emit(Key::new(inode, kind::EXTENT_DATA, 0), Body::Bytes(bytes))
            }
            Content::File { size_bytes: 0 } => Ok(()),
            Content::File { size_bytes } if *size_bytes <= INLINE_BYTES => {
                let header = items::inline_header(*size_bytes);
                debug_assert_eq!(header.len(), INLINE_HEADER_BYTES);
                let body = Body::Small(header, node, narrow(*size_bytes, "small file")?);
                emit(Key::new(inode, kind::EXTENT_DATA, 0), body)
            }
            Content::File { .. } => {
                let mut offset = 0;
                for extent in &self.extents[node.0] {
                    let bytes = items::file_extent(*extent);
                    emit(Key::new(inode, kind::EXTENT_DATA, offset), Body::Bytes(bytes))?;
                    offset += extent.length;
                }
                Ok(())
            }
        }
    }

    /// The names of a node by the directory's inode. A subvolume's root is its own parent.
    fn names_by_directory(&self, inode: u64, node: NodeId) -> BTreeMap<u64, Vec<(u64, &[u8])>> {
        if inode == id::FIRST_FREE {
            return BTreeMap::from([(inode, vec![(0, &b".."[..])])]);
        }
        let mut names = BTreeMap::<u64, Vec<(u64, &[u8])>>::new();
        for name in &self.names[node.0] {
            names.entry(name.directory).or_default().push((name.index, &name.name));
        }
        names
    }

    fn emit_entries(&self, subvolume: usize, node: NodeId, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        let inode = self.inodes[node.0];
        let mut by_hash = BTreeMap::<u64, Vec<u8>>::new();
        let mut by_index = Vec::new();
        for (index, (name, child)) in (FIRST_INDEX..).zip(&self.tree.nodes[node.0].children) {
            let (_, type_code) = items::type_codes(&self.tree.nodes[child.0].content);
            let item = items::dir_item(self.location(subvolume, *child), type_code, name)?;
            by_hash.entry(items::name_hash(name)).or_default().extend_from_slice(&item);
            by_index.push((index, item));
        }
        for (hash, bytes) in by_hash {
            emit(Key::new(inode, kind::DIR_ITEM, hash), Body::Bytes(bytes))?;
        }
        for (index, bytes) in by_index {
            emit(Key::new(inode, kind::DIR_INDEX, index), Body::Bytes(bytes))?;
        }
        Ok(())
    }

    /// What a directory's entry leads to: an inode of the same tree, or another tree.
    fn location(&self, subvolume: usize, child: NodeId) -> Key {
        let is_root = |other: &&Files| other.nodes.first() == Some(&child);
        match self.subvolumes.iter().find(is_root).filter(|other| other.id != self.subvolumes[subvolume].id) {
            Some(other) => Key::new(other.id, kind::ROOT_ITEM, u64::MAX),
            None => Key::new(self.inodes[child.0], kind::INODE_ITEM, 0),
        }
    }

    fn inode(&self, id: NodeId) -> Result<Inode, BtrfsError> {
        let node = &self.tree.nodes[id.0];
        let (size_bytes, taken_bytes) = match &node.content {
            // Each name counts twice, for its two items.
            Content::Directory => (node.children.keys().map(|name| name.len() as u64 * 2).sum(), 0),
            Content::Symlink { target } => (target.len() as u64, target.len() as u64),
            Content::File { size_bytes } if *size_bytes <= INLINE_BYTES => (*size_bytes, *size_bytes),
            Content::File { size_bytes } => (*size_bytes, self.extents[id.0].iter().map(|extent| extent.length).sum()),
        };
        let links = match node.content {
            Content::Directory => 1,
            _ => narrow(self.names[id.0].len(), "links")?,
        };
        let (type_bits, _) = items::type_codes(&node.content);
        Ok(Inode { metadata: node.metadata, type_bits, links, size_bytes, taken_bytes, flags: 0 })
    }
}
