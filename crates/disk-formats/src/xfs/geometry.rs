//! Allocation groups, and who gets which of their blocks.
//!
//! There are few groups, and large ones: images are grown, and a filesystem keeps the size of its groups for good.

use super::{BLOCK_BYTES, XfsError, narrow};

/// Blocks of headers and roots at the start of every group.
pub(super) const FIXED_BLOCKS: u64 = 9;
/// Blocks of a group's free list.
pub(super) const FREE_LIST_BLOCKS: u64 = 4;
/// The log's length.
pub(super) const LOG_BLOCKS: u64 = (64 << 20) / BLOCK_BYTES;
/// The group that has the log.
pub(super) const LOG_GROUP: u64 = 1;
/// Where inodes begin in the first group. Tools compute it from the features and the roots before it.
pub(super) const INODE_BLOCK: u64 = 16;
/// The longest extent.
const EXTENT_BLOCKS: u64 = (1 << 21) - 1;
/// From this size on there are more groups than two.
const LARGE_BLOCKS: u64 = (16 << 30) / BLOCK_BYTES;
/// The largest group, less than 1 TiB.
const GROUP_BLOCKS: u64 = (1 << 28) - 1;

/// A stretch of blocks in the filesystem's own numbers, which leave gaps behind each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) group: u64,
    /// The first block in the group.
    pub(super) first: u64,
    pub(super) blocks: u64,
}

/// How large everything is.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub(super) blocks: u64,
    pub(super) groups: u64,
    pub(super) group_blocks: u64,
    /// Bits of a block's number in its group.
    pub(super) group_bits: u32,
}

impl Geometry {
    pub(super) fn new(size_bytes: u64) -> Self {
        let blocks = size_bytes.max(super::MINIMUM_BYTES) / BLOCK_BYTES;
        let least = if blocks < LARGE_BLOCKS { 2 } else { 4 };
        let group_blocks = blocks.div_ceil(least).min(GROUP_BLOCKS);
        // What is left behind the last group must be one itself, or is not used.
        let rest = blocks % group_blocks;
        let blocks = if rest > 0 && rest < 4096 { blocks - rest } else { blocks };
        let group_bits = u64::BITS - (group_blocks - 1).leading_zeros();
        Geometry { blocks, groups: blocks.div_ceil(group_blocks), group_blocks, group_bits }
    }

    /// Blocks of a group; the last is shorter.
    pub(super) fn length(&self, group: u64) -> u64 {
        self.group_blocks.min(self.blocks - group * self.group_blocks)
    }

    /// The number of a block in inodes and headers.
    pub(super) fn number(&self, group: u64, block: u64) -> u64 {
        group << self.group_bits | block
    }

    /// Where a block is on the volume.
    pub(super) fn offset_bytes(&self, group: u64, block: u64) -> u64 {
        (group * self.group_blocks + block) * BLOCK_BYTES
    }

    /// The same in units of 512 bytes, as blocks say it of themselves.
    pub(super) fn address(&self, group: u64, block: u64) -> u64 {
        self.offset_bytes(group, block) / 512
    }
}

/// What is taken: in every group the blocks up to a cursor.
#[derive(Debug, Clone)]
pub(super) struct Allocation {
    geometry: Geometry,
    /// Where each group's free list is.
    pub(super) free_lists: Vec<u64>,
    /// The first block of each group that nobody has.
    cursors: Vec<u64>,
    /// Blocks that nobody has between the free list and the inodes of the first group.
    gap: (u64, u64),
}

impl Allocation {
    /// With headers, roots, log, free lists and so many blocks of inodes.
    pub(super) fn new(geometry: &Geometry, inode_blocks: u64) -> Self {
        let fixed = |group| FIXED_BLOCKS + if group == LOG_GROUP { LOG_BLOCKS } else { 0 };
        let free_lists: Vec<u64> = (0..geometry.groups).map(fixed).collect();
        let mut cursors: Vec<u64> = free_lists.iter().map(|first| first + FREE_LIST_BLOCKS).collect();
        let gap = (cursors[0], INODE_BLOCK - cursors[0]);
        cursors[0] = INODE_BLOCK + inode_blocks;
        Allocation { geometry: geometry.clone(), free_lists, cursors, gap }
    }

    /// How many blocks are taken that a group does not have.
    pub(super) fn missing(&self) -> u64 {
        (0..).zip(&self.cursors).map(|(group, cursor)| cursor.saturating_sub(self.geometry.length(group))).sum()
    }

    /// Takes blocks, as many as there are, in as few pieces as possible.
    pub(super) fn take(&mut self, blocks: u64) -> Vec<Extent> {
        let mut extents = Vec::new();
        let mut missing = blocks;
        for group in 0..self.geometry.groups {
            let length = self.geometry.length(group);
            let Some(cursor) = usize::try_from(group).ok().and_then(|group| self.cursors.get_mut(group)) else {
                break;
            };
            while missing > 0 && *cursor < length {
                let blocks = missing.min(length - *cursor).min(EXTENT_BLOCKS);
                extents.push(Extent { group, first: *cursor, blocks });
                *cursor += blocks;
                missing -= blocks;
            }
        }
        extents
    }

    /// What is free in a group: first block and length, in order.
    pub(super) fn free(&self, group: u64) -> Result<Vec<(u64, u64)>, XfsError> {
        let cursor = self.cursors[narrow::<u64, usize>(group, "groups")?];
        let rest = (cursor, self.geometry.length(group).saturating_sub(cursor));
        let gap = if group == 0 { self.gap } else { (0, 0) };
        Ok([gap, rest].into_iter().filter(|(_, blocks)| *blocks > 0).collect())
    }
}
