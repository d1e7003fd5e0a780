//! Inodes and extent trees as bytes.
//!
//! An inode is 256 bytes, little endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 2 | mode |
//! | 2, 120 | 2, 2 | user, low and high |
//! | 4, 108 | 4, 4 | size, low and high |
//! | 8, 12, 16 | 4 each | access, change and modification time |
//! | 24, 122 | 2, 2 | group, low and high |
//! | 26 | 2 | links |
//! | 28, 116 | 4, 2 | 512-byte sectors in use, low and high |
//! | 32 | 4 | flags |
//! | 40 | 60 | extent tree or a short symlink's target |
//! | 124, 130 | 2, 2 | checksum, low and high |
//! | 128 | 2 | length of the fields behind 128 |
//! | 144 | 4 | creation time |
//!
//! An extent tree's node has a header of 12 bytes (magic, entries, capacity, depth, generation) and entries of 12 bytes: file
//! block (4), length (2), place high (2) and low (4); in an index: file block (4), place low (4), place high (2), unused (2).

use super::allocation::Extent;
use super::{BLOCK_BYTES, Ext4Error, low16, low32, narrow};
use crate::checksum::crc32c;
use crate::tree::{Content, Metadata};

const MAGIC: u16 = 0xf30a;
/// The data is found through an extent tree.
const FLAG_EXTENTS: u32 = 0x8_0000;
/// Extents that fit into the inode, and into a block of their own.
pub(super) const INLINE_EXTENTS: usize = 4;
pub(super) const LEAF_EXTENTS: usize = 340;
/// A symlink's target up to here stands in the inode.
pub(super) const INLINE_TARGET: usize = 59;
const INODE_BYTES: usize = 256;
const EXTRA_BYTES: u16 = 32;

/// What an inode's bytes depend on, besides its number.
#[derive(Debug)]
pub(super) struct Inode<'a> {
    pub(super) metadata: Metadata,
    pub(super) type_bits: u16,
    pub(super) links: u16,
    pub(super) size_bytes: u64,
    pub(super) body: Body<'a>,
}

/// How an inode's data is found.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// A symlink's target.
    Target(&'a [u8]),
    /// Few extents, or many and the block that lists them.
    Extents { extents: &'a [Extent], leaf: Option<u64> },
}

/// `S_IFMT` bits and the directory record's type code.
pub(super) fn type_codes(content: &Content) -> (u16, u8) {
    match content {
        Content::File { .. } => (0o100_000, 1),
        Content::Directory => (0o040_000, 2),
        Content::Symlink { .. } => (0o120_000, 7),
    }
}

/// Where checksums of an inode's metadata start; the generation number of every inode is 0.
pub(super) fn checksum_seed(volume_seed: u32, number: u32) -> u32 {
    crc32c(crc32c(volume_seed, &number.to_le_bytes()), &[0; 4])
}

impl Inode<'_> {
    /// The inode's bytes with their checksum.
    pub(super) fn encode(&self, seed: u32) -> Result<[u8; INODE_BYTES], Ext4Error> {
        let mut bytes = [0; INODE_BYTES];
        let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
        let Metadata { mode, uid, gid, mtime } = self.metadata;
        put(0, &(mode & 0o7777 | self.type_bits).to_le_bytes());
        put(2, &low16(uid).to_le_bytes());
        put(4, &low32(self.size_bytes).to_le_bytes());
        for time in [8, 12, 16, 144] {
            put(time, &mtime.to_le_bytes());
        }
        put(24, &low16(gid).to_le_bytes());
        put(26, &self.links.to_le_bytes());
        put(108, &low32(self.size_bytes >> 32).to_le_bytes());
        put(120, &low16(uid >> 16).to_le_bytes());
        put(122, &low16(gid >> 16).to_le_bytes());
        put(128, &EXTRA_BYTES.to_le_bytes());
        match &self.body {
            Body::Target(target) => put(40, target),
            Body::Extents { extents, leaf } => {
                let blocks = extents.iter().map(|extent| extent.blocks).sum::<u64>() + u64::from(leaf.is_some());
                let sectors = blocks * (BLOCK_BYTES / 512);
                put(28, &low32(sectors).to_le_bytes());
                put(116, &narrow::<u64, u16>(sectors >> 32, "file size")?.to_le_bytes());
                put(32, &FLAG_EXTENTS.to_le_bytes());
                put(40, &root_node(extents, *leaf)?);
            }
        }
        let checksum = crc32c(seed, &bytes);
        bytes[124..126].copy_from_slice(&low16(checksum).to_le_bytes());
        bytes[130..132].copy_from_slice(&low16(checksum >> 16).to_le_bytes());
        Ok(bytes)
    }
}

/// The tree's root, which stands in the inode.
fn root_node(extents: &[Extent], leaf: Option<u64>) -> Result<Vec<u8>, Ext4Error> {
    match leaf {
        None => node(extents, INLINE_EXTENTS),
        Some(leaf) => {
            let mut bytes = header(1, INLINE_EXTENTS, 1)?;
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(low32(leaf).to_le_bytes());
            bytes.extend(narrow::<u64, u16>(leaf >> 32, "block number")?.to_le_bytes());
            bytes.extend([0; 2]);
            Ok(bytes)
        }
    }
}

/// The block that lists an inode's extents, with its checksum.
pub(super) fn leaf_block(extents: &[Extent], seed: u32) -> Result<Vec<u8>, Ext4Error> {
    let mut bytes = node(extents, LEAF_EXTENTS)?;
    bytes.resize(12 + LEAF_EXTENTS * 12, 0);
    let checksum = crc32c(seed, &bytes);
    bytes.extend(checksum.to_le_bytes());
    Ok(bytes)
}

fn header(entries: usize, capacity: usize, depth: u16) -> Result<Vec<u8>, Ext4Error> {
    let mut bytes = Vec::with_capacity(60);
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend(narrow::<usize, u16>(entries, "extents of a file")?.to_le_bytes());
    bytes.extend(narrow::<usize, u16>(capacity, "extents of a file")?.to_le_bytes());
    bytes.extend(depth.to_le_bytes());
    bytes.extend([0; 4]);
    Ok(bytes)
}

fn node(extents: &[Extent], capacity: usize) -> Result<Vec<u8>, Ext4Error> {
    if extents.len() > capacity {
        return Err(Ext4Error::TooLarge { what: "extents of a file" });
    }
    let mut bytes = header(extents.len(), capacity, 0)?;
    let mut file_block = 0_u64;
    for extent in extents {
        bytes.extend(narrow::<u64, u32>(file_block, "file size")?.to_le_bytes());
        bytes.extend(narrow::<u64, u16>(extent.blocks, "extent")?.to_le_bytes());
        bytes.extend(narrow::<u64, u16>(extent.first >> 32, "block number")?.to_le_bytes());
        bytes.extend(low32(extent.first).to_le_bytes());
        file_block += extent.blocks;
    }
    Ok(bytes)
}
