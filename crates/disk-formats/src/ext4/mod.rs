//! ext4 filesystems, written in one pass.
//!
//! A [`Tree`] is planned into a [`Layout`]: every inode, directory block and extent has its place before anything is
//! written. The layout then writes all metadata, and tells where the contents of files belong; copying them is the
//! caller's, who knows where they come from. The result is clean, journalled, checksummed and can be grown by `resize2fs`.
//! Not here: changing an existing filesystem or reading more of it than its [`VolumeHistory`], extended attributes, hashed directories (the kernel reads and
//! extends linear ones), device nodes.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/`; checked against `e2fsck`, `debugfs` and the kernel.
//!
//! Layout of a volume, in blocks of 4096 bytes and groups of 32768 blocks:
//!
//! | where | what |
//! |---|---|
//! | group 0, 1 and powers of 3, 5, 7 | superblock, group descriptors |
//! | first group of a flex group | block bitmaps, inode bitmaps and inode tables of the whole flex group |
//! | the rest, in order | directories and long symlinks, journal, files in tree order |

mod allocation;
mod directory;
mod geometry;
mod history;
mod inode;
mod journal;
mod layout;
mod superblock;

use thiserror::Error;

pub use crate::tree::{Content, FilePlace, Metadata, NodeId, Tree, TreeError};
pub use history::VolumeHistory;
pub use layout::Layout;

/// The block size of every filesystem.
pub const BLOCK_BYTES: u64 = 4096;

/// What a filesystem is besides its tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's length; rounded down to what can be used.
    pub size_bytes: u64,
    /// Volume UUID, as 16 raw bytes. Checksums and the hash seed depend on it.
    pub uuid: [u8; 16],
    /// Volume label; at most 16 bytes are kept.
    pub label: Vec<u8>,
    /// Seconds since the epoch, for the superblock and for directories that are not in the tree.
    pub time: u32,
}

/// Why a tree cannot become a filesystem.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Ext4Error {
    /// The volume is too small.
    #[error("the tree needs {needed_bytes} bytes in an ext4 filesystem; there are {size_bytes}")]
    NoSpace {
        /// What would suffice.
        needed_bytes: u64,
        /// What was given.
        size_bytes: u64,
    },
    /// Something cannot be in a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A quantity exceeds the format or this writer.
    #[error("the tree is too large for an ext4 filesystem: {what}")]
    TooLarge {
        /// The quantity.
        what: &'static str,
    },
    /// The volume could not be written.
    #[error("cannot write the ext4 filesystem")]
    Write(#[source] std::io::Error),
}

/// Converts to a field's width; `what` names the quantity when it does not fit.
fn narrow<Wide, Narrow>(value: Wide, what: &'static str) -> Result<Narrow, Ext4Error>
where
    Narrow: TryFrom<Wide>,
{
    Narrow::try_from(value).map_err(|_| Ext4Error::TooLarge { what })
}

/// The low half of a value that the format splits.
#[allow(clippy::cast_possible_truncation, reason = "the other half is stored elsewhere")]
fn low32(value: u64) -> u32 {
    value as u32
}

/// The low half of a value that the format splits.
#[allow(clippy::cast_possible_truncation, reason = "the other half is stored elsewhere")]
fn low16(value: u32) -> u16 {
    value as u16
}
