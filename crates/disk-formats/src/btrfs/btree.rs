//! Trees: from items in the order of their keys to blocks.
//!
//! Leaves are filled one after the other, so how many there are, and with which key each begins, follows from the items'
//! lengths alone. The first pass over the items finds that out ([`Shape`]), the second writes ([`LeafWriter`]).
//!
//! | offset in a block | size | what |
//! |---|---|---|
//! | 0 | 32 | crc32c of the rest |
//! | 32 | 16 | UUID of the filesystem |
//! | 48 | 8 | address of the block |
//! | 56 | 8 | flags: written; revision 1 of back references |
//! | 64 | 16 | UUID of the chunk tree |
//! | 80 | 8 | generation |
//! | 88 | 8 | tree |
//! | 96 | 4 | items |
//! | 100 | 1 | level, 0 of a leaf |
//! | 101 | | leaf: key, offset (behind this header) and size of each item, 25 bytes; their contents from the block's end |
//! | 101 | | node: first key, address and generation of each block below, 33 bytes |

use super::items::Record;
use super::key::Key;
use super::{BtrfsError, GENERATION, NODE_BYTES, Options, narrow};
use crate::checksum::crc32c;

const BLOCK: usize = 16384;
const HEADER_BYTES: usize = 101;
/// What a leaf holds.
pub(super) const LEAF_BYTES: usize = BLOCK - HEADER_BYTES;
/// What an item takes in a leaf besides its contents.
pub(super) const ITEM_BYTES: usize = 25;
/// Blocks below a node.
const FANOUT: usize = LEAF_BYTES / 33;
const _: () = assert!(BLOCK as u64 == NODE_BYTES);

/// A tree's blocks before they have places: level by level from the leaves, the root last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The first key of each leaf.
    leaves: Vec<Key>,
    /// What is left in the last.
    room: usize,
}

impl Shape {
    /// Adds the next item.
    ///
    /// Errors when it does not fit a leaf.
    pub(super) fn add(&mut self, key: Key, size: usize) -> Result<(), BtrfsError> {
        let needed = ITEM_BYTES + size;
        if needed > LEAF_BYTES {
            return Err(BtrfsError::TooLarge { what: "names of one file, or of one hash, in a directory" });
        }
        if self.leaves.is_empty() || needed > self.room {
            self.leaves.push(key);
            self.room = LEAF_BYTES;
        }
        self.room -= needed;
        Ok(())
    }

    /// How many blocks each level has; at least one leaf.
    fn levels(&self) -> Vec<usize> {
        let mut levels = vec![self.leaves.len().max(1)];
        while let Some(&count) = levels.last().filter(|count| **count > 1) {
            levels.push(count.div_ceil(FANOUT));
        }
        levels
    }

    /// How many blocks there are.
    pub(super) fn blocks(&self) -> usize {
        self.levels().iter().sum()
    }

    /// The level of the root.
    ///
    /// Errors when the format has no such level.
    pub(super) fn root_level(&self) -> Result<u8, BtrfsError> {
        narrow(self.levels().len() - 1, "levels of a tree")
    }

    /// The level of each block, in order.
    pub(super) fn block_levels(&self) -> impl Iterator<Item = u8> {
        (0_u8..).zip(self.levels()).flat_map(|(level, count)| std::iter::repeat_n(level, count))
    }
}

/// A tree whose blocks have places.
#[derive(Debug, Clone, Default)]
pub(super) struct PlacedTree {
    /// Its id.
    pub(super) id: u64,
    pub(super) shape: Shape,
    /// The address of each block.
    pub(super) blocks: Vec<u64>,
}

impl PlacedTree {
    /// The root's address.
    pub(super) fn root(&self) -> u64 {
        self.blocks.last().copied().unwrap_or_default()
    }

    /// The blocks above the leaves, with their addresses.
    pub(super) fn inner(&self, options: &Options) -> Result<Vec<(u64, Vec<u8>)>, BtrfsError> {
        let mut inner = Vec::new();
        let (mut below, mut blocks) = self.blocks.split_at(self.shape.leaves.len().max(1));
        let mut keys = self.shape.leaves.clone();
        let mut level = 0;
        while below.len() > 1 {
            level += 1;
            let (this, above) = blocks.split_at(below.len().div_ceil(FANOUT));
            let pairs: Vec<(Key, u64)> = keys.iter().copied().zip(below.iter().copied()).collect();
            for (address, children) in this.iter().zip(pairs.chunks(FANOUT)) {
                let mut record =
                    Header { tree: self.id, address: *address, items: children.len(), level }.record(options)?;
                for (key, child) in children {
                    record = record.raw(&key.encode()).u64(*child).u64(GENERATION);
                }
                inner.push((*address, sealed(record.bytes())));
            }
            keys = pairs.chunks(FANOUT).filter_map(|children| Some(children.first()?.0)).collect();
            (below, blocks) = (this, above);
        }
        Ok(inner)
    }
}

struct Header {
    tree: u64,
    address: u64,
    items: usize,
    level: u8,
}

impl Header {
    fn record(&self, options: &Options) -> Result<Record, BtrfsError> {
        const WRITTEN: u64 = 1;
        const BACK_REFERENCES: u64 = 1 << 56;
        let record = Record::new().zeros(32).raw(&options.uuid).u64(self.address).u64(WRITTEN | BACK_REFERENCES);
        let record = record.raw(&options.chunk_tree_uuid).u64(GENERATION).u64(self.tree);
        Ok(record.u32(narrow(self.items, "items of a block")?).u8(self.level))
    }
}

/// A block in its full length with its checksum.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(BLOCK, 0);
    seal(&mut bytes);
    bytes
}

/// Puts the checksum where blocks and superblocks have it.
pub(super) fn seal(bytes: &mut [u8]) {
    let checksum = !crc32c(!0, &bytes[32..]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// Fills leaves, in the way of the [`Shape`].
#[derive(Debug)]
pub(super) struct LeafWriter<'a> {
    tree: &'a PlacedTree,
    options: &'a Options,
    items: Vec<(Key, Vec<u8>)>,
    room: usize,
    written: usize,
}

impl<'a> LeafWriter<'a> {
    pub(super) fn new(tree: &'a PlacedTree, options: &'a Options) -> Self {
        LeafWriter { tree, options, items: Vec::new(), room: LEAF_BYTES, written: 0 }
    }

    /// Adds the next item; returns the leaf that it did not fit into, if that was the case, with its address.
    pub(super) fn add(&mut self, key: Key, contents: Vec<u8>) -> Result<Option<(u64, Vec<u8>)>, BtrfsError> {
        let needed = ITEM_BYTES + contents.len();
        let full = if needed > self.room { Some(self.leaf()?) } else { None };
        self.room = self.room.saturating_sub(needed);
        self.items.push((key, contents));
        Ok(full)
    }

    /// The last leaf with its address.
    pub(super) fn finish(mut self) -> Result<(u64, Vec<u8>), BtrfsError> {
        self.leaf()
    }

    fn leaf(&mut self) -> Result<(u64, Vec<u8>), BtrfsError> {
        // As many leaves as the shape has: both passes see the same items.
        let address = self.tree.blocks.get(self.written).copied().unwrap_or_default();
        let items = std::mem::take(&mut self.items);
        let mut record = Header { tree: self.tree.id, address, items: items.len(), level: 0 }.record(self.options)?;
        let mut offset = LEAF_BYTES;
        for (key, contents) in &items {
            offset -= contents.len();
            record = record.raw(&key.encode());
            record = record.u32(narrow(offset, "item")?).u32(narrow(contents.len(), "item")?);
        }
        let mut block = record.bytes();
        block.resize(HEADER_BYTES + offset, 0);
        for (_, contents) in items.iter().rev() {
            block.extend_from_slice(contents);
        }
        self.written += 1;
        self.room = LEAF_BYTES;
        Ok((address, sealed(block)))
    }
}
