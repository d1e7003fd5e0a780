//! What items say, byte for byte. Little endian throughout.
//!
//! Source: the kernel's `include/uapi/linux/btrfs_tree.h`.

use super::chunks::{Chunk, Extent, STRIPE_BYTES};
use super::key::{Key, id, kind};
use super::{BtrfsError, GENERATION, NODE_BYTES, Options, SECTOR_BYTES, narrow};
use crate::checksum::crc32c;
use crate::tree::{Content, Metadata};

/// Bytes of an item before the contents of a small file.
pub(super) const INLINE_HEADER_BYTES: usize = 21;
/// The flag of a root's inode whose flags mean something.
const ROOT_ITEM_INIT: u64 = 1 << 31;

/// Bytes under construction.
#[derive(Debug, Default)]
pub(super) struct Record(Vec<u8>);

impl Record {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    pub(super) fn times(mut self, seconds: u32, count: usize) -> Self {
        for _ in 0..count {
            self = self.u64(seconds.into()).u32(0);
        }
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What an inode is, besides its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inode {
    pub(super) metadata: Metadata,
    pub(super) type_bits: u32,
    pub(super) links: u32,
    pub(super) size_bytes: u64,
    /// What it takes, in whole sectors where it has extents.
    pub(super) taken_bytes: u64,
    pub(super) flags: u64,
}

impl Inode {
    /// The root directory of a tree that is nothing but one.
    pub(super) fn of_empty_root(time: u32) -> Self {
        let metadata = Metadata { mode: 0o755, uid: 0, gid: 0, mtime: time };
        Inode { metadata, type_bits: 0o040_000, links: 1, size_bytes: 0, taken_bytes: 0, flags: 0 }
    }

    /// Generation, transaction, size, bytes taken, hint, links, owner, group, mode, device, flags, sequence, times.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Metadata { mode, uid, gid, mtime } = self.metadata;
        Record::new()
            .u64(GENERATION)
            .u64(GENERATION)
            .u64(self.size_bytes)
            .u64(self.taken_bytes)
            .u64(0)
            .u32(self.links)
            .u32(uid)
            .u32(gid)
            .u32(u32::from(mode & 0o7777) | self.type_bits)
            .u64(0)
            .u64(self.flags)
            .u64(0)
            .zeros(32)
            .times(mtime, 4)
            .bytes()
    }
}

/// `S_IFMT` bits and the directory entry's type code.
pub(super) fn type_codes(content: &Content) -> (u32, u8) {
    match content {
        Content::File { .. } => (0o100_000, 1),
        Content::Directory => (0o040_000, 2),
        Content::Symlink { .. } => (0o120_000, 7),
    }
}

/// By which a directory's entries are found.
pub(super) fn name_hash(name: &[u8]) -> u64 {
    crc32c(!1, name).into()
}

/// A name of an inode in its directory.
pub(super) fn inode_ref(index: u64, name: &[u8]) -> Result<Vec<u8>, BtrfsError> {
    Ok(Record::new().u64(index).u16(narrow(name.len(), "name")?).raw(name).bytes())
}

/// An entry of a directory.
pub(super) fn dir_item(location: Key, type_code: u8, name: &[u8]) -> Result<Vec<u8>, BtrfsError> {
    let record = Record::new().raw(&location.encode()).u64(GENERATION).u16(0);
    Ok(record.u16(narrow(name.len(), "name")?).u8(type_code).raw(name).bytes())
}

/// What stands before the contents of a small file or a symlink's target.
pub(super) fn inline_header(size_bytes: u64) -> Vec<u8> {
    Record::new().u64(GENERATION).u64(size_bytes).zeros(5).bytes()
}

/// A stretch of a file that has an extent to itself.
pub(super) fn file_extent(extent: Extent) -> Vec<u8> {
    const REGULAR: u8 = 1;
    let record = Record::new().u64(GENERATION).u64(extent.length).zeros(4).u8(REGULAR);
    record.u64(extent.logical).u64(extent.length).u64(0).u64(extent.length).bytes()
}

/// A tree, in the tree of roots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root {
    pub(super) block: u64,
    pub(super) level: u8,
    pub(super) blocks: usize,
    /// Its root directory, if it has one.
    pub(super) directory: u64,
    pub(super) uuid: [u8; 16],
    pub(super) time: u32,
}

impl Root {
    pub(super) fn encode(&self) -> Vec<u8> {
        let own = Metadata { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
        let flags = if self.directory == 0 { 0 } else { ROOT_ITEM_INIT };
        // Nobody looks at this inode; these are the numbers that the kernel gives a new subvolume.
        let inode =
            Inode { metadata: own, type_bits: 0o040_000, links: 1, size_bytes: 3, taken_bytes: NODE_BYTES, flags };
        let record = Record::new().raw(&inode.encode()).u64(GENERATION).u64(self.directory).u64(self.block).u64(0);
        // Bytes used, last snapshot, flags, references, progress of dropping and its level, level.
        let record = record.u64(self.blocks as u64 * NODE_BYTES).u64(0).u64(0).u32(1).zeros(17).u8(0).u8(self.level);
        // Generation again, which says that what follows means something: UUIDs, transactions, times.
        let record = record.u64(GENERATION).raw(&self.uuid).zeros(32);
        let record = match self.directory {
            0 => record.zeros(32 + 48),
            _ => record.u64(GENERATION).u64(GENERATION).zeros(16).times(self.time, 2).zeros(24),
        };
        record.zeros(64).bytes()
    }
}

/// Where a subvolume is: directory, index and name there.
pub(super) fn root_ref(directory: u64, index: u64, name: &[u8]) -> Result<Vec<u8>, BtrfsError> {
    Ok(Record::new().u64(directory).u64(index).u16(narrow(name.len(), "name")?).raw(name).bytes())
}

/// The extent of a tree block.
pub(super) fn block_extent(tree: u64) -> Vec<u8> {
    const TREE_BLOCK: u64 = 2;
    Record::new().u64(1).u64(GENERATION).u64(TREE_BLOCK).u8(kind::TREE_BLOCK_REF).u64(tree).bytes()
}

/// The extent of a stretch of a file: the tree and the inode, and where in the file it is.
pub(super) fn data_extent(tree: u64, inode: u64, offset: u64) -> Vec<u8> {
    const DATA: u64 = 1;
    let record = Record::new().u64(1).u64(GENERATION).u64(DATA).u8(kind::EXTENT_DATA_REF);
    record.u64(tree).u64(inode).u64(offset).u32(1).bytes()
}

/// How much of a chunk is in use.
pub(super) fn block_group(chunk: &Chunk) -> Vec<u8> {
    Record::new().u64(chunk.used_bytes()).u64(id::CHUNKS).u64(chunk.purpose.flags()).bytes()
}

/// A chunk and its places on the device.
pub(super) fn chunk(chunk: &Chunk, options: &Options) -> Result<Vec<u8>, BtrfsError> {
    let stripe: u32 = narrow(STRIPE_BYTES, "stripe")?;
    let mut record = Record::new()
        .u64(chunk.length)
        .u64(id::EXTENT_TREE)
        .u64(STRIPE_BYTES)
        .u64(chunk.purpose.flags())
        .u32(stripe)
        .u32(stripe)
        .u32(narrow(SECTOR_BYTES, "sector")?)
        .u16(narrow(chunk.copies.len(), "copies")?)
        .u16(1);
    for place in &chunk.copies {
        record = record.u64(id::DEVICE).u64(*place).raw(&options.device_uuid);
    }
    Ok(record.bytes())
}

/// A stretch of the device that a chunk has.
pub(super) fn dev_extent(chunk: &Chunk, options: &Options) -> Vec<u8> {
    let record = Record::new().u64(id::CHUNK_TREE).u64(id::CHUNKS).u64(chunk.logical).u64(chunk.length);
    record.raw(&options.chunk_tree_uuid).bytes()
}

/// The device: id, length, bytes in chunks, alignment, type, generation, hints, UUIDs.
pub(super) fn device(used_bytes: u64, options: &Options) -> Result<Vec<u8>, BtrfsError> {
    let sector: u32 = narrow(SECTOR_BYTES, "sector")?;
    let total_bytes = options.size_bytes / SECTOR_BYTES * SECTOR_BYTES;
    let record = Record::new().u64(id::DEVICE).u64(total_bytes).u64(used_bytes).u32(sector).u32(sector).u32(sector);
    let record = record.u64(0).u64(0).u64(0).u32(0).u8(0).u8(0);
    Ok(record.raw(&options.device_uuid).raw(&options.uuid).bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_lengths_of_the_format() {
        assert_eq!(Inode::of_empty_root(1).encode().len(), 160);
        let root = Root { block: 0, level: 0, blocks: 1, directory: 0, uuid: [0; 16], time: 0 };
        assert_eq!(root.encode().len(), 439);
        assert_eq!(Root { directory: 256, ..root }.encode().len(), 439);
        assert_eq!(inline_header(0).len(), INLINE_HEADER_BYTES);
        assert_eq!(file_extent(Extent { logical: 0, length: 0 }).len(), 53);
        assert_eq!(block_extent(1).len(), 33);
        assert_eq!(data_extent(5, 257, 0).len(), 53);
        assert_eq!(device(0, &Options::default()).unwrap().len(), 98);
    }
}
