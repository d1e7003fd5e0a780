//! Inodes: 512 bytes each, of which 336 are for extents, a short symlink or a small directory.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 2, 2, 1, 1 | `IN`, mode, version 3, format of the data |
//! | 8 | 4, 4, 4 | user, group, links |
//! | 32 | 8, 8, 8 | access, change of data, change of the inode |
//! | 56 | 8, 8 | size, blocks |
//! | 76 | 4 | extents |
//! | 83 | 1 | format of attributes: extents, none |
//! | 90 | 2 | flags |
//! | 96 | 4 | next unlinked inode: none |
//! | 100 | 4 | checksum |
//! | 104 | 8 | changes |
//! | 120 | 8 | more flags |
//! | 144 | 8, 8, 16 | creation, number, UUID |

use super::block::Bytes;
use super::geometry::{Extent, Geometry};
use super::{XfsError, narrow};
use crate::tree::{Content, Metadata};

/// The size of an inode.
pub(super) const INODE_BYTES: usize = 512;
/// Inodes of a block.
pub(super) const PER_BLOCK: u64 = 8;
/// Inodes that are allocated together.
pub(super) const PER_CHUNK: u64 = 64;
/// What an inode has for its data.
pub(super) const LITERAL_BYTES: usize = INODE_BYTES - DATA;
/// The flag of the inode of the realtime bitmap.
pub(super) const NEW_REALTIME_BITMAP: u16 = 4;

const DATA: usize = 176;
const EXTENT_BYTES: usize = 16;

/// What an inode's bytes depend on, besides its number.
#[derive(Debug)]
pub(super) struct Inode<'a> {
    pub(super) metadata: Metadata,
    pub(super) type_bits: u16,
    pub(super) links: u32,
    pub(super) size_bytes: u64,
    pub(super) flags: u16,
    pub(super) body: Body<'a>,
}

/// Where an inode's data is.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// In the inode.
    Local(&'a [u8]),
    /// In extents, each at this block of the file.
    Extents(&'a [(u64, Extent)]),
}

/// `S_IFMT` bits and the directory entry's type code.
pub(super) fn type_codes(content: &Content) -> (u16, u8) {
    match content {
        Content::File { .. } => (0o100_000, 1),
        Content::Directory => (0o040_000, 2),
        Content::Symlink { .. } => (0o120_000, 7),
    }
}

/// An inode that nobody has.
pub(super) fn free(number: u64, uuid: &[u8; 16]) -> Vec<u8> {
    let mut bytes = Bytes::new(INODE_BYTES);
    bytes.raw(0, b"IN").u8(4, 3).u32(96, u32::MAX).u64(152, number).raw(160, uuid);
    bytes.sealed(100)
}

/// Seconds since the epoch in nanoseconds since 1901.
fn time(seconds: u32) -> u64 {
    (u64::from(seconds) + (1 << 31)) * 1_000_000_000
}

impl Inode<'_> {
    /// The inode's bytes with their checksum.
    ///
    /// Errors when there are more extents than fit.
    pub(super) fn encode(&self, number: u64, geometry: &Geometry, uuid: &[u8; 16]) -> Result<Vec<u8>, XfsError> {
        const BIG_TIME: u64 = 1 << 3;
        let Metadata { mode, uid, gid, mtime } = self.metadata;
        let mut bytes = Bytes::new(INODE_BYTES);
        bytes.raw(0, b"IN").u16(2, mode & 0o7777 | self.type_bits).u8(4, 3).u32(8, uid).u32(12, gid);
        bytes.u32(16, self.links).u64(56, self.size_bytes).u8(83, 2).u16(90, self.flags).u32(96, u32::MAX);
        for offset in [32, 40, 48, 144] {
            bytes.u64(offset, time(mtime));
        }
        bytes.u64(104, 1).u64(120, BIG_TIME).u64(152, number).raw(160, uuid);
        match self.body {
            Body::Local(data) => {
                bytes.u8(5, 1).raw(DATA, data);
            }
            Body::Extents(extents) => {
                if extents.len() > LITERAL_BYTES / EXTENT_BYTES {
                    return Err(XfsError::TooLarge { what: "extents of a file" });
                }
                let blocks = extents.iter().map(|(_, extent)| extent.blocks).sum();
                bytes.u8(5, 2).u64(64, blocks).u32(76, narrow(extents.len(), "extents of a file")?);
                for (place, (file_block, extent)) in (DATA..).step_by(EXTENT_BYTES).zip(extents) {
                    let first = geometry.number(extent.group, extent.first);
                    bytes.u64(place, file_block << 9 | first >> 43).u64(place + 8, first << 21 | extent.blocks);
                }
            }
        }
        Ok(bytes.sealed(100))
    }
}
