//! The superblock and the group descriptors as bytes.
//!
//! Little endian. The offsets stand beside the fields below, as in the kernel's description.

use super::geometry::{DESCRIPTOR_BYTES, GROUP_BLOCKS, Geometry, INODE_BYTES};
use super::{Ext4Error, Options, low16, low32, narrow};
use crate::checksum::crc32c;

/// The first inode that is not reserved.
pub(super) const FIRST_INODE: u32 = 11;
pub(super) const ROOT_INODE: u32 = 2;
pub(super) const JOURNAL_INODE: u32 = 8;

/// has_journal, ext_attr, dir_index.
const COMPAT: u32 = 0x4 | 0x8 | 0x20;
/// filetype, extents, 64bit, flex_bg.
const INCOMPAT: u32 = 0x2 | 0x40 | 0x80 | 0x200;
/// sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
const RO_COMPAT: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400;

/// A group's inodes are all unused and its bitmap is not written.
pub(super) const GROUP_INODE_UNINIT: u16 = 1;
/// A group's blocks are all unused but its own, and its bitmap is not written.
pub(super) const GROUP_BLOCK_UNINIT: u16 = 2;
/// A group's inode table is zeroed.
pub(super) const GROUP_INODE_ZEROED: u16 = 4;

/// What the superblock counts.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) free_blocks: u64,
    pub(super) free_inodes: u32,
    /// The journal inode's 60 bytes of extents, for recovery without the inode.
    pub(super) journal_map: [u8; 60],
    pub(super) journal_bytes: u64,
}

/// A group's descriptor before encoding.
#[derive(Debug, Clone, Default)]
pub(super) struct Descriptor {
    pub(super) free_blocks: u32,
    pub(super) free_inodes: u32,
    pub(super) directories: u32,
    pub(super) unused_inodes: u32,
    pub(super) flags: u16,
    pub(super) block_bitmap_checksum: u32,
    pub(super) inode_bitmap_checksum: u32,
}

/// The superblock as it stands in `group`, with its checksum.
pub(super) fn superblock(
    geometry: &Geometry,
    options: &Options,
    counts: &Counts,
    group: u64,
) -> Result<[u8; 1024], Ext4Error> {
    let mut bytes = [0; 1024];
    let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
    let time = options.time.to_le_bytes();
    put(0x00, &geometry.inodes()?.to_le_bytes());
    put(0x04, &low32(geometry.blocks).to_le_bytes());
    put(0x0c, &low32(counts.free_blocks).to_le_bytes());
    put(0x10, &counts.free_inodes.to_le_bytes());
    // Block and cluster size: 2 to the power of 10 + 2.
    put(0x18, &[2, 0, 0, 0, 2, 0, 0, 0]);
    put(0x20, &low32(GROUP_BLOCKS).to_le_bytes());
    put(0x24, &low32(GROUP_BLOCKS).to_le_bytes());
    put(0x28, &low32(geometry.inodes_per_group).to_le_bytes());
    put(0x30, &time);
    // Never check by count of mounts.
    put(0x36, &u16::MAX.to_le_bytes());
    put(0x38, &0xef53_u16.to_le_bytes());
    // Clean; errors let the kernel continue; dynamic revision.
    put(0x3a, &[1, 0, 1, 0]);
    put(0x40, &time);
    put(0x4c, &1_u32.to_le_bytes());
    put(0x54, &FIRST_INODE.to_le_bytes());
    put(0x58, &narrow::<u64, u16>(INODE_BYTES, "inode")?.to_le_bytes());
    put(0x5a, &narrow::<u64, u16>(group.min(u64::from(u16::MAX)), "group")?.to_le_bytes());
    put(0x5c, &COMPAT.to_le_bytes());
    put(0x60, &INCOMPAT.to_le_bytes());
    put(0x64, &RO_COMPAT.to_le_bytes());
    put(0x68, &options.uuid);
    put(0x78, &options.label[..options.label.len().min(16)]);
    put(0xe0, &JOURNAL_INODE.to_le_bytes());
    // The hash seed only spreads names of hashed directories; any value does.
    put(0xec, &options.uuid);
    // Half MD4; the journal's map below is valid.
    put(0xfc, &[1, 1]);
    put(0xfe, &narrow::<u64, u16>(DESCRIPTOR_BYTES, "descriptor")?.to_le_bytes());
    // Mount with user_xattr and acl.
    put(0x100, &0xc_u32.to_le_bytes());
    put(0x108, &time);
    put(0x10c, &counts.journal_map);
    put(0x148, &low32(counts.journal_bytes >> 32).to_le_bytes());
    put(0x14c, &low32(counts.journal_bytes).to_le_bytes());
    put(0x150, &low32(geometry.blocks >> 32).to_le_bytes());
    put(0x158, &low32(counts.free_blocks >> 32).to_le_bytes());
    put(0x15c, &[32, 0, 32, 0]);
    // Directory hashes take bytes as signed.
    put(0x160, &1_u32.to_le_bytes());
    // Checksums are CRC-32C.
    put(0x174, &[narrow(geometry.flex_log2, "flex group")?, 1]);
    let checksum = crc32c(!0, &bytes[..0x3fc]);
    bytes[0x3fc..].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

impl Descriptor {
    /// The descriptor's bytes with their checksum.
    pub(super) fn encode(&self, geometry: &Geometry, group: u64, seed: u32) -> Result<[u8; 64], Ext4Error> {
        let mut bytes = [0; 64];
        let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
        let places = [geometry.block_bitmap(group), geometry.inode_bitmap(group), geometry.inode_table(group)];
        for (place, (low, high)) in places.into_iter().zip([(0x00, 0x20), (0x04, 0x24), (0x08, 0x28)]) {
            put(low, &low32(place).to_le_bytes());
            put(high, &low32(place >> 32).to_le_bytes());
        }
        let halves = [
            (self.free_blocks, 0x0c, 0x2c),
            (self.free_inodes, 0x0e, 0x2e),
            (self.directories, 0x10, 0x30),
            (self.block_bitmap_checksum, 0x18, 0x38),
            (self.inode_bitmap_checksum, 0x1a, 0x3a),
            (self.unused_inodes, 0x1c, 0x32),
        ];
        for (value, low, high) in halves {
            put(low, &low16(value).to_le_bytes());
            put(high, &low16(value >> 16).to_le_bytes());
        }
        put(0x12, &self.flags.to_le_bytes());
        let number: u32 = narrow(group, "groups")?;
        let checksum = crc32c(crc32c(seed, &number.to_le_bytes()), &bytes);
        bytes[0x1e..0x20].copy_from_slice(&low16(checksum).to_le_bytes());
        Ok(bytes)
    }
}
