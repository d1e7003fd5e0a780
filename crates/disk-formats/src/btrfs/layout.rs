//! From a tree to places: chunks, extents of files, blocks of trees. Writes nothing.

use super::btree::{PlacedTree, Shape};
use super::chunks::{Chunks, SUPERBLOCKS};
use super::extents::{self, Block};
use super::files::{Body, Emit, Forest};
use super::items::{self, Inode, Root};
use super::key::{Key, id, kind};
use super::{BtrfsError, Options, SECTOR_BYTES, superblock};
use crate::tree::Tree;

/// How often the trees about space are counted anew: they have items for their own blocks.
const ATTEMPTS: usize = 16;

/// A planned filesystem.
#[derive(Debug)]
pub struct Layout {
    pub(super) options: Options,
    pub(super) forest: Forest,
    pub(super) chunks: Chunks,
    pub(super) chunk_tree: PlacedTree,
    /// All other trees; the tree of roots is the first.
    pub(super) trees: Vec<PlacedTree>,
    /// All blocks in the order of addresses.
    blocks: Vec<Block>,
}

impl Layout {
    /// Plans a filesystem with this tree.
    ///
    /// Errors when it does not fit the device or the format.
    pub fn plan(tree: Tree, options: Options) -> Result<Self, BtrfsError> {
        let mut forest = Forest::new(tree, &options)?;
        let mut data = Chunks::new();
        forest.place_data(&mut data);
        let subvolumes = forest.subvolumes.iter().map(|subvolume| subvolume.id);
        // The trees about space come last: they change while they are counted.
        let ids = [id::ROOT_TREE, id::DEV_TREE, id::CSUM_TREE, id::UUID_TREE, id::DATA_RELOC_TREE]
            .into_iter()
            .chain(subvolumes)
            .chain([id::FREE_SPACE_TREE, id::EXTENT_TREE]);
        let trees = ids.map(|id| PlacedTree { id, ..PlacedTree::default() }).collect();
        let chunk_tree = PlacedTree { id: id::CHUNK_TREE, ..PlacedTree::default() };
        let mut layout = Layout { options, forest, chunks: data.clone(), chunk_tree, trees, blocks: Vec::new() };
        layout.place_blocks(&data)?;
        let needed_bytes = layout.chunks.device_end();
        match layout.options.size_bytes / SECTOR_BYTES * SECTOR_BYTES {
            size_bytes if size_bytes < needed_bytes => Err(BtrfsError::NoSpace { needed_bytes, size_bytes }),
            _ => Ok(layout),
        }
    }

    /// Gives all blocks their places. Chunks and trees about space depend on how many blocks there are, which depends on
    /// these trees; each round starts from the numbers of the one before.
    fn place_blocks(&mut self, data: &Chunks) -> Result<(), BtrfsError> {
        // Once with a metadata chunk of any size: all trees but those about space are the same whatever it is.
        self.place(data)?;
        for position in 0..self.trees.len() {
            self.trees[position].shape = self.shape(self.trees[position].id)?;
        }
        self.chunk_tree.shape = self.shape(id::CHUNK_TREE)?;
        for _ in 0..ATTEMPTS {
            self.place(data)?;
            let mut settled = true;
            for position in self.trees.len() - 2..self.trees.len() {
                let shape = self.shape(self.trees[position].id)?;
                settled &= shape.blocks() == self.trees[position].shape.blocks();
                self.trees[position].shape = shape;
            }
            if settled {
                return Ok(());
            }
        }
        Err(BtrfsError::TooLarge { what: "trees about space" })
    }

    /// Places as many blocks as the shapes have.
    fn place(&mut self, data: &Chunks) -> Result<(), BtrfsError> {
        self.chunks = data.clone();
        let count = self.trees.iter().map(|tree| tree.shape.blocks()).sum();
        let (system, metadata) = self.chunks.take_blocks(self.chunk_tree.shape.blocks(), count)?;
        let mut rest = metadata.as_slice();
        for tree in &mut self.trees {
            let (blocks, behind) = rest.split_at(tree.shape.blocks());
            tree.blocks = blocks.to_vec();
            rest = behind;
        }
        self.chunk_tree.blocks = system;
        self.blocks.clear();
        for tree in [&self.chunk_tree].into_iter().chain(&self.trees) {
            let levels = tree.shape.block_levels();
            let blocks = tree.blocks.iter().zip(levels);
            self.blocks.extend(blocks.map(|(&address, level)| Block { address, tree: tree.id, level }));
        }
        Ok(())
    }

    fn shape(&self, tree: u64) -> Result<Shape, BtrfsError> {
        let mut shape = Shape::default();
        self.emit(tree, &mut |key, body| shape.add(key, body.len()))?;
        Ok(shape)
    }

    /// Emits the items of a tree in order.
    pub(super) fn emit(&self, tree: u64, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        match tree {
            id::ROOT_TREE => self.emit_roots(emit),
            id::EXTENT_TREE => extents::emit_extents(&self.chunks, &self.blocks, &self.forest, emit),
            id::CHUNK_TREE => extents::emit_chunks(&self.chunks, &self.options, emit),
            id::DEV_TREE => extents::emit_device(&self.chunks, &self.options, emit),
            id::CSUM_TREE => extents::emit_checksums(&self.chunks, emit),
            id::FREE_SPACE_TREE => extents::emit_free_space(&self.chunks, emit),
            id::UUID_TREE => self.emit_uuids(emit),
            id::DATA_RELOC_TREE => self.emit_empty_directory(id::FIRST_FREE, emit),
            _ => match self.forest.subvolumes.iter().position(|subvolume| subvolume.id == tree) {
                Some(position) => self.forest.emit(position, emit),
                None => Ok(()),
            },
        }
    }

    /// An inode of a directory and its name in itself.
    fn emit_empty_directory(&self, inode: u64, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        let bytes = Inode::of_empty_root(self.options.time).encode();
        emit(Key::new(inode, kind::INODE_ITEM, 0), Body::Bytes(bytes))?;
        emit(Key::new(inode, kind::INODE_REF, inode), Body::Bytes(items::inode_ref(0, b"..")?))
    }

    /// The tree of roots: all trees but itself and the chunk tree, and a directory with the default subvolume.
    fn emit_roots(&self, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        const DEFAULT: &[u8] = b"default";
        let mut found = Vec::new();
        for tree in self.trees.iter().filter(|tree| tree.id != id::ROOT_TREE) {
            found.push((Key::new(tree.id, kind::ROOT_ITEM, 0), self.root_item(tree)?));
        }
        for (position, subvolume) in self.forest.subvolumes.iter().enumerate() {
            if let Some((parent, name)) = self.forest.place_of(position) {
                let bytes = items::root_ref(name.directory, name.index, &name.name)?;
                found.push((Key::new(parent, kind::ROOT_REF, subvolume.id), bytes.clone()));
                found.push((Key::new(subvolume.id, kind::ROOT_BACKREF, parent), bytes));
            }
        }
        self.emit_empty_directory(id::ROOT_TREE_DIRECTORY, &mut |key, body| {
            if let Body::Bytes(bytes) = body {
                found.push((key, bytes));
            }
            Ok(())
        })?;
        let top = Key::new(id::FS_TREE, kind::ROOT_ITEM, u64::MAX);
        let key = Key::new(id::ROOT_TREE_DIRECTORY, kind::DIR_ITEM, items::name_hash(DEFAULT));
        found.push((key, items::dir_item(top, 2, DEFAULT)?));
        found.sort();
        found.into_iter().try_for_each(|(key, bytes)| emit(key, Body::Bytes(bytes)))
    }

    fn root_item(&self, tree: &PlacedTree) -> Result<Vec<u8>, BtrfsError> {
        let subvolume = self.forest.subvolumes.iter().find(|subvolume| subvolume.id == tree.id);
        let has_directory = subvolume.is_some() || tree.id == id::DATA_RELOC_TREE;
        let root = Root {
            block: tree.root(),
            level: tree.shape.root_level()?,
            blocks: tree.blocks.len(),
            directory: if has_directory { id::FIRST_FREE } else { 0 },
            uuid: subvolume.map_or([0; 16], |subvolume| subvolume.uuid),
            time: self.options.time,
        };
        Ok(root.encode())
    }

    /// The tree by which subvolumes are found by their UUIDs; a key has one half of it in each number.
    fn emit_uuids(&self, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
        let mut found = Vec::new();
        for subvolume in &self.forest.subvolumes {
            let number = u128::from_le_bytes(subvolume.uuid);
            let half = |number: u128| (number & u128::from(u64::MAX)).try_into().unwrap_or_default();
            found.push((Key::new(half(number), kind::UUID_SUBVOLUME, half(number >> 64)), subvolume.id));
        }
        found.sort();
        found.into_iter().try_for_each(|(key, id)| emit(key, Body::Bytes(id.to_le_bytes().to_vec())))
    }

    /// The length of the filesystem.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.options.size_bytes / SECTOR_BYTES * SECTOR_BYTES
    }

    /// How many bytes there are for further data.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        let data = self.chunks.all.iter().filter(|chunk| chunk.copies.len() == 1);
        let in_chunks: u64 = data.map(|chunk| chunk.length - chunk.used_bytes()).sum();
        in_chunks + self.size_bytes().saturating_sub(self.chunks.device_end())
    }

    /// The superblock and its copies, with their places.
    pub(super) fn superblocks(&self) -> Result<Vec<(u64, Vec<u8>)>, BtrfsError> {
        let fits = |place: &u64| place + superblock::SUPERBLOCK_BYTES as u64 <= self.size_bytes();
        let make = |place| {
            let trees = (&self.trees[0], &self.chunk_tree);
            Ok((place, superblock::superblock(place, trees, &self.chunks, &self.options)?))
        };
        SUPERBLOCKS.into_iter().filter(fits).map(make).collect()
    }
}
