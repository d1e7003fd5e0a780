//! The superblock and the other headers of an allocation group, and blocks of its btrees.
//!
//! Offsets are those of the format's `xfs_dsb`, `xfs_agf`, `xfs_agi` and `xfs_agfl`; a block of a btree has a header of 56
//! bytes: magic, level, entries, neighbours, address, sequence number, UUID, group, checksum.

use super::block::{BLOCK, Bytes};
use super::geometry::{FREE_LIST_BLOCKS, Geometry, INODE_BLOCK, LOG_BLOCKS, LOG_GROUP};
use super::inode::{INODE_BYTES, PER_BLOCK};
use super::{LABEL_BYTES, Options, XfsError, narrow};

/// Where the roots of a group's btrees are.
pub(super) const BY_PLACE: u64 = 4;
pub(super) const BY_SIZE: u64 = 5;
pub(super) const INODES: u64 = 6;
pub(super) const FREE_INODES: u64 = 7;
pub(super) const REFERENCES: u64 = 8;

/// Where the entries of a btree's block begin.
const ENTRIES: usize = 56;
/// Inode records of a leaf.
pub(super) const LEAF_RECORDS: usize = (BLOCK - ENTRIES) / 16;
/// Children of a node above inode records.
pub(super) const NODE_CHILDREN: usize = (BLOCK - ENTRIES) / 8;
/// No block, no inode.
const NONE: u32 = u32::MAX;

/// What the headers say of all groups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) inodes: u64,
    pub(super) free_inodes: u64,
    pub(super) free_blocks: u64,
}

/// What the headers say of one group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) number: u64,
    /// First block and length of what is free.
    pub(super) free: Vec<(u64, u64)>,
    pub(super) free_list: u64,
    pub(super) inodes: u64,
    pub(super) free_inodes: u64,
    pub(super) inode_levels: u32,
}

/// The superblock, which stands in every group.
pub(super) fn superblock(geometry: &Geometry, options: &Options, counts: Counts) -> Result<Vec<u8>, XfsError> {
    // Times beyond 2038 and file types in directories; free inodes and shared extents; attributes, inode counts, 32 bits
    // for projects, checksums.
    const INCOMPATIBLE: u32 = 0x8 | 0x1;
    const COMPATIBLE_FOR_READING: u32 = 0x4 | 0x1;
    const FEATURES: u32 = 0x100 | 0x80 | 0x8 | 0x2;
    // Version 5 with links, alignment, log version 2, sectors, extent flags, directories version 2, and the features above.
    const VERSION: u16 = 0xbca5;
    let block: u32 = narrow(BLOCK, "block")?;
    let root = INODE_BLOCK * PER_BLOCK;
    let label = &options.label[..options.label.len().min(LABEL_BYTES)];
    let mut bytes = Bytes::new(BLOCK);
    bytes.raw(0, b"XFSB").u32(4, block).u64(8, geometry.blocks).raw(32, &options.uuid);
    bytes.u64(48, geometry.number(LOG_GROUP, super::geometry::FIXED_BLOCKS));
    bytes.u64(56, root).u64(64, root + 1).u64(72, root + 2).u32(80, 1);
    bytes.u32(84, narrow(geometry.group_blocks, "blocks of a group")?).u32(88, narrow(geometry.groups, "groups")?);
    bytes.u32(96, narrow(LOG_BLOCKS, "log")?).u16(100, VERSION).u16(102, 4096);
    bytes.u16(104, narrow(INODE_BYTES, "inode")?).u16(106, narrow(PER_BLOCK, "inode")?).raw(108, label);
    bytes.u8(120, 12).u8(121, 12).u8(122, 9).u8(123, 3).u8(124, narrow(geometry.group_bits, "blocks of a group")?);
    bytes.u8(127, 25).u64(128, counts.inodes).u64(136, counts.free_inodes).u64(144, counts.free_blocks);
    bytes.u32(180, 4).u8(193, 12).u16(194, 4096).u32(196, 4096).u32(200, FEATURES).u32(204, FEATURES);
    bytes.u32(212, COMPATIBLE_FOR_READING).u32(216, INCOMPATIBLE);
    Ok(bytes.sealed(224))
}

impl Group {
    /// All blocks of a group's start that do not hold inodes, with their places in it.
    pub(super) fn blocks(&self, geometry: &Geometry, options: &Options) -> Result<Vec<(u64, Vec<u8>)>, XfsError> {
        let mut by_size = self.free.clone();
        by_size.sort_by_key(|(first, blocks)| (*blocks, *first));
        Ok(vec![
            (1, self.free_space(geometry, options)?),
            (2, self.inodes(geometry, options)?),
            (3, self.free_list(options)?),
            (BY_PLACE, self.free_tree((BY_PLACE, b"AB3B"), &self.free, geometry, options)?),
            (BY_SIZE, self.free_tree((BY_SIZE, b"AB3C"), &by_size, geometry, options)?),
            (REFERENCES, self.tree_block((REFERENCES, b"R3FC", 0, 0), geometry, options)?.sealed(52)),
        ])
    }

    fn header(&self, magic: &[u8], geometry: &Geometry) -> Result<Bytes, XfsError> {
        let mut bytes = Bytes::new(BLOCK);
        bytes.raw(0, magic).u32(4, 1).u32(8, narrow(self.number, "groups")?);
        bytes.u32(12, narrow(geometry.length(self.number), "blocks of a group")?);
        Ok(bytes)
    }

    fn free_space(&self, geometry: &Geometry, options: &Options) -> Result<Vec<u8>, XfsError> {
        let place = |block: u64| narrow::<u64, u32>(block, "roots");
        let free_blocks = self.free.iter().map(|(_, blocks)| blocks).sum::<u64>();
        let longest = self.free.iter().map(|(_, blocks)| *blocks).max().unwrap_or_default();
        let mut bytes = self.header(b"XAGF", geometry)?;
        bytes.u32(16, place(BY_PLACE)?).u32(20, place(BY_SIZE)?).u32(28, 1).u32(32, 1);
        bytes.u32(44, narrow(FREE_LIST_BLOCKS - 1, "free list")?).u32(48, narrow(FREE_LIST_BLOCKS, "free list")?);
        bytes.u32(52, narrow(free_blocks, "blocks of a group")?).u32(56, narrow(longest, "blocks of a group")?);
        bytes.raw(64, &options.uuid).u32(84, 1).u32(88, place(REFERENCES)?).u32(92, 1);
        Ok(bytes.sealed(216))
    }

    fn inodes(&self, geometry: &Geometry, options: &Options) -> Result<Vec<u8>, XfsError> {
        let place = |block: u64| narrow::<u64, u32>(block, "roots");
        let newest = if self.inodes == 0 { NONE } else { narrow(INODE_BLOCK * PER_BLOCK, "inodes")? };
        let mut bytes = self.header(b"XAGI", geometry)?;
        bytes.u32(16, narrow(self.inodes, "inodes")?).u32(20, place(INODES)?).u32(24, self.inode_levels);
        bytes.u32(28, narrow(self.free_inodes, "inodes")?).u32(32, newest).u32(36, NONE).fill(40, 256, 0xff);
        bytes.raw(296, &options.uuid).u32(328, place(FREE_INODES)?).u32(332, 1);
        Ok(bytes.sealed(312))
    }

    fn free_list(&self, options: &Options) -> Result<Vec<u8>, XfsError> {
        let mut bytes = Bytes::new(BLOCK);
        bytes.raw(0, b"XAFL").u32(4, narrow(self.number, "groups")?).raw(8, &options.uuid).fill(36, BLOCK - 36, 0xff);
        for (offset, block) in (36..).step_by(4).zip(self.free_list..self.free_list + FREE_LIST_BLOCKS) {
            bytes.u32(offset, narrow(block, "blocks of a group")?);
        }
        Ok(bytes.sealed(32))
    }

    /// A block of a btree of this group: place, magic, level and how many entries.
    fn tree_block(
        &self,
        (place, magic, level, entries): (u64, &[u8; 4], u16, usize),
        geometry: &Geometry,
        options: &Options,
    ) -> Result<Bytes, XfsError> {
        let mut bytes = Bytes::new(BLOCK);
        bytes.raw(0, magic).u16(4, level).u16(6, narrow(entries, "entries of a btree")?).u32(8, NONE).u32(12, NONE);
        bytes.u64(16, geometry.address(self.number, place)).raw(32, &options.uuid);
        bytes.u32(48, narrow(self.number, "groups")?);
        Ok(bytes)
    }

    fn free_tree(
        &self,
        (place, magic): (u64, &[u8; 4]),
        free: &[(u64, u64)],
        geometry: &Geometry,
        options: &Options,
    ) -> Result<Vec<u8>, XfsError> {
        let mut bytes = self.tree_block((place, magic, 0, free.len()), geometry, options)?;
        for (offset, (first, blocks)) in (ENTRIES..).step_by(8).zip(free) {
            bytes.u32(offset, narrow(*first, "blocks of a group")?);
            bytes.u32(offset + 4, narrow(*blocks, "blocks of a group")?);
        }
        Ok(bytes.sealed(52))
    }

    /// A leaf of inodes: the first of each 64, and which of them are free. `neighbours` are the leaves before and behind.
    pub(super) fn inode_leaf(
        &self,
        (place, magic): (u64, &[u8; 4]),
        records: &[(u64, u64)],
        neighbours: [Option<u64>; 2],
        (geometry, options): (&Geometry, &Options),
    ) -> Result<Vec<u8>, XfsError> {
        let mut bytes = self.tree_block((place, magic, 0, records.len()), geometry, options)?;
        for (offset, neighbour) in [8, 12].into_iter().zip(neighbours) {
            if let Some(block) = neighbour {
                bytes.u32(offset, narrow(block, "inodes")?);
            }
        }
        for (offset, (first, free)) in (ENTRIES..).step_by(16).zip(records) {
            bytes.u32(offset, narrow(*first, "inodes")?).u32(offset + 4, free.count_ones()).u64(offset + 8, *free);
        }
        Ok(bytes.sealed(52))
    }

    /// The root above leaves of inodes: the first inode of each, and where it is.
    pub(super) fn inode_root(
        &self,
        children: &[(u64, u64)],
        geometry: &Geometry,
        options: &Options,
    ) -> Result<Vec<u8>, XfsError> {
        let mut bytes = self.tree_block((INODES, b"IAB3", 1, children.len()), geometry, options)?;
        for (offset, (first, leaf)) in (ENTRIES..).step_by(4).zip(children) {
            bytes.u32(offset, narrow(*first, "inodes")?);
            bytes.u32(offset + 4 * NODE_CHILDREN, narrow(*leaf, "inodes")?);
        }
        Ok(bytes.sealed(52))
    }
}
