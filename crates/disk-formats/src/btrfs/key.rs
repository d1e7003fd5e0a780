//! Keys of items: what every tree is sorted by.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | object id |
//! | 8 | 1 | type of the item |
//! | 9 | 8 | offset, whose meaning is the type's |

/// Size of an encoded key.
pub(super) const KEY_BYTES: usize = 17;

/// Ids of trees and of what is special in them.
pub(super) mod id {
    pub(in super::super) const ROOT_TREE: u64 = 1;
    pub(in super::super) const EXTENT_TREE: u64 = 2;
    pub(in super::super) const CHUNK_TREE: u64 = 3;
    pub(in super::super) const DEV_TREE: u64 = 4;
    pub(in super::super) const FS_TREE: u64 = 5;
    pub(in super::super) const ROOT_TREE_DIRECTORY: u64 = 6;
    pub(in super::super) const CSUM_TREE: u64 = 7;
    pub(in super::super) const UUID_TREE: u64 = 9;
    pub(in super::super) const FREE_SPACE_TREE: u64 = 10;
    pub(in super::super) const DATA_RELOC_TREE: u64 = 9_u64.wrapping_neg();
    /// What all checksums of data belong to.
    pub(in super::super) const CSUMS: u64 = 10_u64.wrapping_neg();
    /// All devices in the chunk tree; also the only device's own id.
    pub(in super::super) const DEVICE: u64 = 1;
    /// All chunks in the chunk tree.
    pub(in super::super) const CHUNKS: u64 = 256;
    /// The first subvolume besides the top-level one, and the root directory of every subvolume.
    pub(in super::super) const FIRST_FREE: u64 = 256;
}

/// Types of items.
pub(super) mod kind {
    pub(in super::super) const INODE_ITEM: u8 = 1;
    pub(in super::super) const INODE_REF: u8 = 12;
    pub(in super::super) const DIR_ITEM: u8 = 84;
    pub(in super::super) const DIR_INDEX: u8 = 96;
    pub(in super::super) const EXTENT_DATA: u8 = 108;
    pub(in super::super) const EXTENT_CSUM: u8 = 128;
    pub(in super::super) const ROOT_ITEM: u8 = 132;
    pub(in super::super) const ROOT_BACKREF: u8 = 144;
    pub(in super::super) const ROOT_REF: u8 = 156;
    pub(in super::super) const EXTENT_ITEM: u8 = 168;
    pub(in super::super) const METADATA_ITEM: u8 = 169;
    pub(in super::super) const TREE_BLOCK_REF: u8 = 176;
    pub(in super::super) const EXTENT_DATA_REF: u8 = 178;
    pub(in super::super) const BLOCK_GROUP_ITEM: u8 = 192;
    pub(in super::super) const FREE_SPACE_INFO: u8 = 198;
    pub(in super::super) const FREE_SPACE_EXTENT: u8 = 199;
    pub(in super::super) const DEV_EXTENT: u8 = 204;
    pub(in super::super) const DEV_ITEM: u8 = 216;
    pub(in super::super) const CHUNK_ITEM: u8 = 228;
    pub(in super::super) const UUID_SUBVOLUME: u8 = 251;
}

/// An item's key. Keys sort as they stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) object: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

impl Key {
    pub(super) fn new(object: u64, kind: u8, offset: u64) -> Self {
        Key { object, kind, offset }
    }

    pub(super) fn encode(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.object.to_le_bytes());
        bytes[8] = self.kind;
        bytes[9..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }
}
