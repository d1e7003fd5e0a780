//! An empty journal: its superblock; the rest is zeros.
//!
//! Big endian, unlike all else in ext4: magic (0, 4), block type (4, 4), sequence (8, 4), block size (12, 4), length in blocks
//! (16, 4), first log block (20, 4), first transaction (24, 4), start of the log (28, 4; 0 means clean), UUID (48, 16), users
//! (64, 4).

use super::{BLOCK_BYTES, low32};

const MAGIC: u32 = 0xc03b_3998;
const TYPE_SUPERBLOCK_V2: u32 = 4;

/// Journal blocks for a filesystem of so many blocks: 4 MiB for the smallest, then 16 to 64 MiB.
pub(super) fn blocks(filesystem_blocks: u64) -> u64 {
    match filesystem_blocks {
        0..32_768 => 1_024,
        32_768..524_288 => 4_096,
        524_288..1_048_576 => 8_192,
        _ => 16_384,
    }
}

/// The first block of a clean journal.
pub(super) fn superblock(blocks: u64, uuid: &[u8; 16]) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut put = |offset: usize, value: u32| bytes[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    put(0, MAGIC);
    put(4, TYPE_SUPERBLOCK_V2);
    put(12, low32(BLOCK_BYTES));
    put(16, low32(blocks));
    put(20, 1);
    put(24, 1);
    put(64, 1);
    bytes[48..64].copy_from_slice(uuid);
    bytes
}
