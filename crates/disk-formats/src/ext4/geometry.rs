//! Where a filesystem of a given length keeps its own data: groups, tables, bitmaps.
//!
//! Pure arithmetic; knows no tree.

use super::{BLOCK_BYTES, Ext4Error, narrow};

/// Blocks of a group: as many as one bitmap block has bits.
pub(super) const GROUP_BLOCKS: u64 = 32_768;
/// Bytes of an inode.
pub(super) const INODE_BYTES: u64 = 256;
/// Bytes of a group descriptor.
pub(super) const DESCRIPTOR_BYTES: u64 = 64;
/// Inodes per block of the table.
const INODES_PER_BLOCK: u64 = BLOCK_BYTES / INODE_BYTES;
/// One inode for so many bytes, unless the tree needs more.
const BYTES_PER_INODE: u64 = 16_384;
/// A last group with fewer blocks of its own is left out.
const LEAST_LAST_GROUP: u64 = 64;

/// The shape of a filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) blocks: u64,
    pub(super) groups: u64,
    pub(super) inodes_per_group: u64,
    /// log2 of the groups whose tables stand together.
    pub(super) flex_log2: u32,
}

impl Geometry {
    /// The shape for a length and a number of inodes.
    ///
    /// Errors when the length does not even hold the tables.
    pub(super) fn new(size_bytes: u64, inodes: u64) -> Result<Self, Ext4Error> {
        let mut blocks = size_bytes / BLOCK_BYTES;
        let groups = blocks.div_ceil(GROUP_BLOCKS).max(1);
        let wanted = inodes.max(size_bytes / BYTES_PER_INODE).div_ceil(groups);
        // Bitmaps are bytes and tables are blocks, so a multiple of 16 wastes nothing.
        let inodes_per_group = wanted.next_multiple_of(INODES_PER_BLOCK).max(INODES_PER_BLOCK * 2);
        if inodes_per_group > BLOCK_BYTES * 8 {
            let needed_bytes = inodes.div_ceil(BLOCK_BYTES * 8) * GROUP_BLOCKS * BLOCK_BYTES;
            return Err(Ext4Error::NoSpace { needed_bytes, size_bytes });
        }
        let mut geometry = Geometry { blocks, groups, inodes_per_group, flex_log2: 4 };
        // The tables of a flex group must leave room in its first group.
        while geometry.flex_log2 > 0 && geometry.tables_blocks(0) > GROUP_BLOCKS / 2 {
            geometry.flex_log2 -= 1;
        }
        let last = groups - 1;
        let own = geometry.overhead_blocks(last) + LEAST_LAST_GROUP;
        if last > 0 && blocks - last * GROUP_BLOCKS < own {
            blocks = last * GROUP_BLOCKS;
            geometry = Geometry { blocks, groups: last, ..geometry };
        }
        let in_group_0 = geometry.overhead_blocks(0) + LEAST_LAST_GROUP;
        if blocks.min(GROUP_BLOCKS) < in_group_0 {
            return Err(Ext4Error::NoSpace { needed_bytes: in_group_0 * BLOCK_BYTES, size_bytes });
        }
        Ok(geometry)
    }

    /// All inodes.
    pub(super) fn inodes(&self) -> Result<u32, Ext4Error> {
        narrow(self.inodes_per_group * self.groups, "inodes")
    }

    pub(super) fn table_blocks_per_group(&self) -> u64 {
        self.inodes_per_group / INODES_PER_BLOCK
    }

    /// Blocks of group descriptors.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        (self.groups * DESCRIPTOR_BYTES).div_ceil(BLOCK_BYTES)
    }

    pub(super) fn group_start(&self, group: u64) -> u64 {
        group * GROUP_BLOCKS
    }

    /// Whether a group has a copy of the superblock and the descriptors.
    pub(super) fn has_superblock(group: u64) -> bool {
        let is_power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        group <= 1 || is_power_of(3) || is_power_of(5) || is_power_of(7)
    }

    /// Blocks of superblock and descriptors at a group's start.
    pub(super) fn copies_blocks(&self, group: u64) -> u64 {
        if Self::has_superblock(group) { 1 + self.descriptor_blocks() } else { 0 }
    }

    fn flex_groups(&self) -> u64 {
        1 << self.flex_log2
    }

    fn flex_start(&self, group: u64) -> u64 {
        group >> self.flex_log2 << self.flex_log2
    }

    /// How many groups keep their tables where this group does.
    fn flex_members(&self, group: u64) -> u64 {
        (self.groups - self.flex_start(group)).min(self.flex_groups())
    }

    /// Blocks of bitmaps and tables at a group's start, behind the copies.
    fn tables_blocks(&self, group: u64) -> u64 {
        match group == self.flex_start(group) {
            true => self.flex_members(group) * (2 + self.table_blocks_per_group()),
            false => 0,
        }
    }

    /// Blocks at a group's start that hold no data.
    pub(super) fn overhead_blocks(&self, group: u64) -> u64 {
        self.copies_blocks(group) + self.tables_blocks(group)
    }

    fn tables_start(&self, group: u64) -> u64 {
        let first = self.flex_start(group);
        self.group_start(first) + self.copies_blocks(first)
    }

    pub(super) fn block_bitmap(&self, group: u64) -> u64 {
        self.tables_start(group) + (group - self.flex_start(group))
    }

    pub(super) fn inode_bitmap(&self, group: u64) -> u64 {
        self.block_bitmap(group) + self.flex_members(group)
    }

    pub(super) fn inode_table(&self, group: u64) -> u64 {
        let place = group - self.flex_start(group);
        self.tables_start(group) + 2 * self.flex_members(group) + place * self.table_blocks_per_group()
    }

    /// Where an inode stands, in bytes from the volume's start.
    pub(super) fn inode_offset_bytes(&self, inode: u32) -> u64 {
        let index = u64::from(inode) - 1;
        let table = self.inode_table(index / self.inodes_per_group);
        table * BLOCK_BYTES + index % self.inodes_per_group * INODE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUP_BLOCKS, Geometry};

    #[test]
    fn superblocks_stand_in_the_sparse_groups() {
        let groups: Vec<u64> = (0..130).filter(|group| Geometry::has_superblock(*group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn nothing_overlaps() {
        for (size_mib, inodes) in [(8_u64, 10), (128, 100), (129, 100), (700, 60_000), (5_000, 400_000), (40_000, 10)] {
            let geometry = Geometry::new(size_mib << 20, inodes).unwrap();
            assert!(geometry.inodes_per_group * geometry.groups >= inodes);
            let mut used: Vec<(u64, u64)> = Vec::new();
            for group in 0..geometry.groups {
                used.push((geometry.group_start(group), geometry.copies_blocks(group)));
                used.push((geometry.block_bitmap(group), 1));
                used.push((geometry.inode_bitmap(group), 1));
                used.push((geometry.inode_table(group), geometry.table_blocks_per_group()));
            }
            used.sort_unstable();
            assert!(used.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{size_mib} MiB");
            let overhead: u64 = (0..geometry.groups).map(|group| geometry.overhead_blocks(group)).sum();
            assert_eq!(overhead, used.iter().map(|(_, length)| length).sum::<u64>());
            assert!((0..geometry.groups).all(|group| geometry.overhead_blocks(group) < GROUP_BLOCKS));
        }
    }

    #[test]
    fn a_volume_without_room_for_its_tables_is_refused() {
        assert!(Geometry::new(100 << 10, 11).is_err());
        assert!(Geometry::new(16 << 20, 100_000).is_err());
    }
}
