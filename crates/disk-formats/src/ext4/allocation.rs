//! Handing out blocks in order, and remembering which are in use.
//!
//! Knows what the geometry reserves; knows nothing of what blocks are for.

use super::geometry::{GROUP_BLOCKS, Geometry};

/// The longest extent that the format can say in one record.
const EXTENT_BLOCKS: u64 = 32_768;

/// Consecutive blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: u64,
    pub(super) blocks: u64,
}

/// The blocks of a filesystem.
#[derive(Debug)]
pub(super) struct Allocation {
    /// One bit per block, whole groups; set if in use or behind the end.
    bitmap: Vec<u8>,
    next: u64,
}

impl Allocation {
    /// Everything free but what the geometry reserves.
    pub(super) fn new(geometry: &Geometry) -> Self {
        let bytes = geometry.groups * GROUP_BLOCKS / 8;
        let mut allocation = Allocation { bitmap: vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)], next: 0 };
        for group in 0..geometry.groups {
            let first = geometry.group_start(group);
            allocation.mark(Extent { first, blocks: geometry.overhead_blocks(group) });
        }
        let end = geometry.groups * GROUP_BLOCKS;
        allocation.mark(Extent { first: geometry.blocks, blocks: end - geometry.blocks });
        allocation
    }

    /// The next free blocks, in as few pieces as possible; fewer than asked for when there are no more.
    pub(super) fn take(&mut self, blocks: u64) -> Vec<Extent> {
        let mut extents = Vec::new();
        let mut missing = blocks;
        while missing > 0 {
            let Some(first) = self.next_free(self.next) else {
                break;
            };
            let limit = first + missing.min(EXTENT_BLOCKS);
            let mut end = first;
            while end < limit && !self.is_used(end) {
                end += 1;
            }
            let extent = Extent { first, blocks: end - first };
            self.mark(extent);
            self.next = end;
            missing -= extent.blocks;
            extents.push(extent);
        }
        extents
    }

    /// A group's part of the bitmap, one block long.
    pub(super) fn group_bitmap(&self, group: u64) -> &[u8] {
        let bytes = usize::try_from(GROUP_BLOCKS / 8).unwrap_or(usize::MAX);
        let start = usize::try_from(group).unwrap_or(usize::MAX).saturating_mul(bytes);
        &self.bitmap[start..start + bytes]
    }

    /// Free blocks of a group.
    pub(super) fn free_blocks(&self, group: u64) -> u64 {
        self.group_bitmap(group).iter().map(|byte| u64::from(byte.count_zeros())).sum()
    }

    fn next_free(&self, from: u64) -> Option<u64> {
        let mut block = from;
        while block / 8 < self.bitmap.len() as u64 {
            if block % 8 == 0 && self.byte(block) == 0xff {
                block += 8;
            } else if self.is_used(block) {
                block += 1;
            } else {
                return Some(block);
            }
        }
        None
    }

    fn byte(&self, block: u64) -> u8 {
        usize::try_from(block / 8).ok().and_then(|place| self.bitmap.get(place)).copied().unwrap_or(0xff)
    }

    fn is_used(&self, block: u64) -> bool {
        self.byte(block) >> (block % 8) & 1 == 1
    }

    fn mark(&mut self, extent: Extent) {
        for block in extent.first..extent.first + extent.blocks {
            if let Some(byte) = usize::try_from(block / 8).ok().and_then(|place| self.bitmap.get_mut(place)) {
                *byte |= 1 << (block % 8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allocation, Extent};
    use crate::ext4::geometry::Geometry;

    #[test]
    fn blocks_come_in_order_around_what_is_reserved() {
        let geometry = Geometry::new(300 << 20, 100).unwrap();
        let mut allocation = Allocation::new(&geometry);
        let first = geometry.overhead_blocks(0);
        assert_eq!(allocation.take(3), [Extent { first, blocks: 3 }]);
        let rest = 32_768 - first - 3;
        let second = 32_768 + geometry.overhead_blocks(1);
        assert_eq!(
            allocation.take(rest + 5),
            [Extent { first: first + 3, blocks: rest }, Extent { first: second, blocks: 5 }]
        );
    }

    #[test]
    fn free_blocks_are_counted_and_run_out() {
        let geometry = Geometry::new(300 << 20, 100).unwrap();
        let mut allocation = Allocation::new(&geometry);
        let free: u64 = (0..geometry.groups).map(|group| allocation.free_blocks(group)).sum();
        let taken: u64 = allocation.take(u64::MAX).iter().map(|extent| extent.blocks).sum();
        assert_eq!(taken, free);
        assert_eq!(allocation.take(1), []);
        assert_eq!(allocation.free_blocks(0), 0);
    }
}
