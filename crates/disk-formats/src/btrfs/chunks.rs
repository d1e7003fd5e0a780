//! Chunks: which stretches of the device the filesystem's own addresses stand for, and what in them can be used.
//!
//! A chunk of data is on the device once, one of metadata twice. Around each copy of the superblock 64 KiB stay unused,
//! wherever a chunk has them.

use super::{BtrfsError, NODE_BYTES, SECTOR_BYTES};

/// Where the superblock and its copies are.
pub(super) const SUPERBLOCKS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
/// What is left to a copy of the superblock; also the length of a stripe.
pub(super) const STRIPE_BYTES: u64 = 64 << 10;
/// Nothing is allocated before this.
const FIRST_BYTES: u64 = 1 << 20;
const SYSTEM_BYTES: u64 = 4 << 20;
/// The length of a chunk of data, but for the last.
const DATA_BYTES: u64 = 1 << 30;
/// What the last chunk of data is rounded up to.
const ROUND_BYTES: u64 = 1 << 20;
/// The longest extent that the kernel makes.
const EXTENT_BYTES: u64 = 128 << 20;
/// What stays free for the first transactions.
const LEAST_FREE_METADATA_BYTES: u64 = 16 << 20;

/// What a chunk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    System,
    Data,
    Metadata,
}

impl Purpose {
    /// Flags of its block group: what, and how often.
    pub(super) fn flags(self) -> u64 {
        const DATA: u64 = 1;
        const SYSTEM: u64 = 2;
        const METADATA: u64 = 4;
        const TWICE: u64 = 1 << 5;
        match self {
            Self::System => SYSTEM | TWICE,
            Self::Data => DATA,
            Self::Metadata => METADATA | TWICE,
        }
    }

    fn copies(self) -> u64 {
        if self == Self::Data { 1 } else { 2 }
    }
}

/// A stretch of the filesystem's addresses, and of them what is taken.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) purpose: Purpose,
    pub(super) logical: u64,
    pub(super) length: u64,
    /// Where each copy begins on the device.
    pub(super) copies: Vec<u64>,
    /// What is in use, in order.
    pub(super) used: Vec<Extent>,
}

/// A stretch of the filesystem's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) logical: u64,
    pub(super) length: u64,
}

impl Extent {
    pub(super) fn end(self) -> u64 {
        self.logical + self.length
    }
}

impl Chunk {
    fn new(purpose: Purpose, logical: u64, length: u64, device: u64) -> Self {
        let copies = (0..purpose.copies()).map(|copy| device + copy * length).collect();
        Chunk { purpose, logical, length, copies, used: Vec::new() }
    }

    pub(super) fn end(&self) -> u64 {
        self.logical + self.length
    }

    /// Where it ends on the device.
    fn device_end(&self) -> u64 {
        self.copies.iter().max().map_or(0, |copy| copy + self.length)
    }

    /// The places on the device of an address in it.
    pub(super) fn places(&self, logical: u64) -> impl Iterator<Item = u64> + '_ {
        self.copies.iter().map(move |copy| copy + (logical - self.logical))
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.used.iter().map(|extent| extent.length).sum()
    }

    /// What is not in use, in order. The places of superblocks count as free, although nobody gets them.
    pub(super) fn free(&self) -> Vec<Extent> {
        let mut free = Vec::new();
        let mut cursor = self.logical;
        for (start, end) in self.used.iter().map(|extent| (extent.logical, extent.end())).chain([(self.end(), 0)]) {
            if start > cursor {
                free.push(Extent { logical: cursor, length: start - cursor });
            }
            cursor = end;
        }
        free
    }

    /// The next `length` bytes that are free, or as many of them as there are in one piece.
    fn room(&self, length: u64) -> Option<Extent> {
        let mut logical = self.used.last().map_or(self.logical, |last| last.end());
        while let Some(behind) = self.superblock_at(logical) {
            logical = behind;
        }
        let room = self.end().saturating_sub(logical).min(self.room_before_superblock(logical));
        let extent = Extent { logical, length: length.min(room) };
        (extent.length > 0).then_some(extent)
    }

    /// Where the place of a superblock ends, if an address is in one.
    fn superblock_at(&self, logical: u64) -> Option<u64> {
        let within = |place: u64| SUPERBLOCKS.iter().find(|&&at| (at..at + STRIPE_BYTES).contains(&place));
        self.places(logical).find_map(|place| within(place).map(|at| logical + (at + STRIPE_BYTES - place)))
    }

    fn room_before_superblock(&self, logical: u64) -> u64 {
        let next = |place: u64| SUPERBLOCKS.iter().filter(move |&&at| at > place).map(move |at| at - place);
        self.places(logical).flat_map(next).min().unwrap_or(u64::MAX)
    }
}

/// All chunks, in the order of their addresses.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    pub(super) all: Vec<Chunk>,
}

impl Chunks {
    /// The system chunk and one of data, both empty.
    pub(super) fn new() -> Self {
        let system = Chunk::new(Purpose::System, FIRST_BYTES, SYSTEM_BYTES, FIRST_BYTES);
        let mut chunks = Chunks { all: vec![system] };
        chunks.add(Purpose::Data, DATA_BYTES);
        chunks
    }

    fn add(&mut self, purpose: Purpose, length: u64) {
        let logical = self.all.last().map_or(FIRST_BYTES, Chunk::end);
        self.all.push(Chunk::new(purpose, logical, length, self.device_end()));
    }

    /// Where the last chunk ends on the device.
    pub(super) fn device_end(&self) -> u64 {
        self.all.iter().map(Chunk::device_end).max().unwrap_or(FIRST_BYTES)
    }

    /// Takes room for the data of a file, in whole sectors.
    pub(super) fn take_data(&mut self, size_bytes: u64) -> Vec<Extent> {
        let mut missing = size_bytes.next_multiple_of(SECTOR_BYTES);
        let mut extents = Vec::new();
        while missing > 0 {
            let last = self.all.last_mut().and_then(|chunk| {
                let extent = chunk.room(missing.min(EXTENT_BYTES))?;
                chunk.used.push(extent);
                Some(extent)
            });
            match last {
                Some(extent) => {
                    missing -= extent.length;
                    extents.push(extent);
                }
                None => self.add(Purpose::Data, DATA_BYTES),
            }
        }
        extents
    }

    /// Gives back what the last chunk of data has too much.
    pub(super) fn end_data(&mut self) {
        if let Some(chunk) = self.all.last_mut() {
            let end = chunk.used.last().map_or(chunk.logical, |last| last.end());
            chunk.length = (end - chunk.logical).next_multiple_of(ROUND_BYTES).max(ROUND_BYTES);
        }
    }

    /// Adds the metadata chunk and takes the blocks of trees: so many of the chunk tree, and so many others.
    /// Returns both addresses.
    ///
    /// Errors when the chunk tree is too large for its chunk.
    pub(super) fn take_blocks(&mut self, chunk_tree: usize, others: usize) -> Result<(Vec<u64>, Vec<u64>), BtrfsError> {
        let used = others as u64 * NODE_BYTES;
        let length = used + (used / 4).max(LEAST_FREE_METADATA_BYTES);
        self.add(Purpose::Metadata, length.next_multiple_of(ROUND_BYTES));
        let (mut system, mut metadata) = (Vec::new(), Vec::new());
        for (chunk, count, blocks) in [(0, chunk_tree, &mut system), (self.all.len() - 1, others, &mut metadata)] {
            let chunk = &mut self.all[chunk];
            for _ in 0..count {
                let taken = chunk.room(NODE_BYTES).filter(|extent| extent.length == NODE_BYTES);
                let extent = taken.ok_or(BtrfsError::TooLarge { what: "tree blocks" })?;
                chunk.used.push(extent);
                blocks.push(extent.logical);
            }
        }
        Ok((system, metadata))
    }

    /// The chunk that has an address.
    pub(super) fn of(&self, logical: u64) -> &Chunk {
        let position = self.all.partition_point(|chunk| chunk.end() <= logical);
        &self.all[position]
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, Extent, SUPERBLOCKS};

    #[test]
    fn data_keeps_out_of_the_places_of_superblocks() {
        let mut chunks = Chunks::new();
        let extents = chunks.take_data(100 << 20);
        assert_eq!(extents.len(), 2);
        let place = |extent: Extent| chunks.of(extent.logical).places(extent.logical).next().unwrap();
        assert_eq!(place(extents[0]) + extents[0].length, SUPERBLOCKS[1]);
        assert_eq!(place(extents[1]), SUPERBLOCKS[1] + (64 << 10));
    }

    #[test]
    fn large_files_are_split_and_chunks_are_filled() {
        let mut chunks = Chunks::new();
        let extents = chunks.take_data(5 << 29);
        assert_eq!(extents.iter().map(|extent| extent.length).sum::<u64>(), 5 << 29);
        assert!(extents.iter().all(|extent| extent.length <= 128 << 20));
        chunks.end_data();
        assert_eq!(chunks.all.iter().map(|chunk| chunk.length >> 20).collect::<Vec<_>>(), [4, 1024, 1024, 513]);
        let (_, blocks) = chunks.take_blocks(1, 2_000).unwrap();
        assert!(blocks.windows(2).all(|pair| pair[1] >= pair[0] + 16384));
    }
}
