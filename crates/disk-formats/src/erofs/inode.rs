//! Inodes and directory blocks as bytes.
//!
//! An inode has a compact form of 32 bytes and an extended one of 64:
//!
//! | compact | extended | field, little endian |
//! |---|---|---|
//! | 0, 2 | 0, 2 | format: bit 0 extended, bits 1-3 data layout |
//! | 2, 2 | 2, 2 | count of attribute words |
//! | 4, 2 | 4, 2 | mode |
//! | 6, 2 | 44, 4 | links |
//! | 8, 4 | 8, 8 | size |
//! | 16, 4 | 16, 4 | block address, device number or chunk format |
//! | 20, 4 | 20, 4 | inode number |
//! | 24, 2 | 24, 4 | user |
//! | 26, 2 | 28, 4 | group |
//! | | 32, 8 | time in seconds |
//!
//! A directory block starts with 12-byte records (node 8, name offset 2, type 1, reserved 1); the names follow in the same
//! order. The first record's name offset tells how many records there are.

use std::collections::BTreeMap;

use super::tree::{Content, Metadata};
use super::{BLOCK_BYTES, ErofsError, narrow};

/// Bytes of a directory record.
const DIRENT_BYTES: usize = 12;

/// How an inode's data is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataLayout {
    /// Whole blocks at an address.
    FlatPlain = 0,
    /// Compressed, with an index behind the inode.
    Compressed = 1,
    /// Whole blocks at an address, and the tail behind the inode.
    FlatInline = 2,
    /// An array of chunk addresses behind the inode.
    ChunkBased = 4,
}

/// All that an inode's bytes depend on.
#[derive(Debug)]
pub(super) struct Inode<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) type_bits: u16,
    pub(super) layout: DataLayout,
    pub(super) size_bytes: u64,
    pub(super) links: u32,
    pub(super) number: u32,
    /// The field whose meaning depends on the layout and type.
    pub(super) union: u32,
    pub(super) xattr_words: u16,
}

impl Inode<'_> {
    /// Whether the 32-byte form can hold it.
    pub(super) fn is_compact(&self, build_time: u64) -> bool {
        self.metadata.mtime == build_time
            && u16::try_from(self.metadata.uid).is_ok()
            && u16::try_from(self.metadata.gid).is_ok()
            && u16::try_from(self.links).is_ok()
            && u32::try_from(self.size_bytes).is_ok()
    }

    /// The bytes of the inode proper.
    pub(super) fn encode(&self, build_time: u64) -> Result<Vec<u8>, ErofsError> {
        let compact = self.is_compact(build_time);
        let format = u16::from(!compact) | (self.layout as u16) << 1;
        let mut bytes = Vec::with_capacity(64);
        bytes.extend(format.to_le_bytes());
        bytes.extend(self.xattr_words.to_le_bytes());
        bytes.extend((self.metadata.mode & 0o7777 | self.type_bits).to_le_bytes());
        if compact {
            bytes.extend(narrow::<u32, u16>(self.links, "links")?.to_le_bytes());
            bytes.extend(narrow::<u64, u32>(self.size_bytes, "file size")?.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(self.union.to_le_bytes());
            bytes.extend(self.number.to_le_bytes());
            bytes.extend(narrow::<u32, u16>(self.metadata.uid, "user id")?.to_le_bytes());
            bytes.extend(narrow::<u32, u16>(self.metadata.gid, "group id")?.to_le_bytes());
            bytes.extend([0; 4]);
        } else {
            bytes.extend([0; 2]);
            bytes.extend(self.size_bytes.to_le_bytes());
            bytes.extend(self.union.to_le_bytes());
            bytes.extend(self.number.to_le_bytes());
            bytes.extend(self.metadata.uid.to_le_bytes());
            bytes.extend(self.metadata.gid.to_le_bytes());
            bytes.extend(self.metadata.mtime.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(self.links.to_le_bytes());
            bytes.extend([0; 16]);
        }
        Ok(bytes)
    }
}

/// `S_IFMT` bits and the directory record's type code. A hard link has those of its target.
pub(super) fn type_codes(content: &Content) -> (u16, u8) {
    match content {
        Content::File { .. } | Content::Stored(_) | Content::HardLink { .. } => (0o100_000, 1),
        Content::Directory => (0o040_000, 2),
        Content::CharacterDevice { .. } => (0o020_000, 3),
        Content::BlockDevice { .. } => (0o060_000, 4),
        Content::Fifo => (0o010_000, 5),
        Content::Symlink { .. } => (0o120_000, 7),
    }
}

/// The kernel's 32-bit device number: minor's low byte, major, minor's rest.
pub(super) fn device_number(major: u32, minor: u32) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// The chunk exponent (above the block size) with which one chunk covers the file.
pub(super) fn chunk_bits(size_bytes: u64) -> u32 {
    let bits = u64::BITS - size_bytes.saturating_sub(1).leading_zeros();
    bits.saturating_sub(12).min(31)
}

/// Splits a directory's names, already sorted, into blocks by what each block can hold.
pub(super) fn directory_blocks<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<&'a [u8]>> {
    let mut blocks: Vec<Vec<&[u8]>> = vec![Vec::new()];
    let mut used = 0;
    for name in names {
        let needed = DIRENT_BYTES + name.len();
        if used + needed > BLOCK_BYTES {
            blocks.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(block) = blocks.last_mut() {
            block.push(name);
        }
    }
    blocks
}

/// The bytes that a block of these names uses.
pub(super) fn block_bytes(names: &[&[u8]]) -> usize {
    names.iter().map(|name| DIRENT_BYTES + name.len()).sum()
}

/// One directory block, as long as its contents; `targets` gives node number and type code by name.
pub(super) fn encode_block(names: &[&[u8]], targets: &BTreeMap<&[u8], (u64, u8)>) -> Result<Vec<u8>, ErofsError> {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    let mut name_offset = names.len() * DIRENT_BYTES;
    for name in names {
        let (node, code) = targets[name];
        bytes.extend(node.to_le_bytes());
        bytes.extend(narrow::<usize, u16>(name_offset, "directory block")?.to_le_bytes());
        bytes.extend([code, 0]);
        name_offset += name.len();
    }
    for name in names {
        bytes.extend_from_slice(name);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{block_bytes, chunk_bits, device_number, directory_blocks};

    #[test]
    fn one_chunk_covers_a_file_of_any_usual_size() {
        for (size, bits) in [(1, 0), (4096, 0), (4097, 1), (8192, 1), (1 << 20, 8), ((1 << 20) + 1, 9), (1 << 43, 31)] {
            assert_eq!(chunk_bits(size), bits, "{size}");
        }
    }

    #[test]
    fn device_numbers_match_the_kernels_encoding() {
        assert_eq!(device_number(1, 3), 0x103);
        assert_eq!(device_number(259, 1_000), 0x0030_0000 | 259 << 8 | 0xe8);
    }

    #[test]
    fn directory_blocks_never_overflow() {
        let names: Vec<Vec<u8>> = (0..1000).map(|i| format!("{i:04}{}", "n".repeat(i % 200)).into_bytes()).collect();
        let blocks = directory_blocks(names.iter().map(Vec::as_slice));
        assert!(blocks.len() > 20);
        assert!(blocks.iter().all(|block| block_bytes(block) <= 4096));
        assert_eq!(blocks.concat(), names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}
