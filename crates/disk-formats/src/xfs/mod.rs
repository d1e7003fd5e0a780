//! XFS filesystems, written in one pass.
//!
//! A [`Tree`](crate::tree::Tree) is planned into a [`Layout`], as for ext4: all metadata is written, and the caller copies the
//! contents of files to their places. The result is of version 5 with checksums, free inode and reference count btrees,
//! file types in directories and times beyond 2038; it is clean and can be grown. Its sectors have 4096 bytes, which every
//! disk takes. Not here: extended attributes, several devices, reverse mapping, directories of more than 250,000 entries,
//! reading more of a filesystem than its [`VolumeHistory`].
//!
//! Source: the XFS Algorithms & Data Structures document and the kernel's `fs/xfs/libxfs/xfs_format.h`; checked against
//! `xfs_repair`, `xfs_db` and the kernel. Big endian but for checksums.
//!
//! Order in an allocation group, in blocks of 4096 bytes:
//!
//! | block | what |
//! |---|---|
//! | 0-3 | superblock, free space header, inode header, free list |
//! | 4-8 | roots: free space by place and by size, inodes, free inodes, reference counts |
//! | 9 | group 1 only: the log, 64 MiB |
//! | behind | four blocks of the free list |
//! | 16 | group 0 only: all inodes, the root's first |
//! | behind | group 0: leaves of the inode btree, directories and long symlinks; files in tree order |

mod block;
mod directory;
mod geometry;
mod headers;
mod history;
mod inode;
mod layout;
mod log;

use thiserror::Error;

pub use history::VolumeHistory;
pub use layout::Layout;

/// The block size, and that of sectors.
pub const BLOCK_BYTES: u64 = 4096;
/// The smallest filesystem: what mkfs asks for.
pub const MINIMUM_BYTES: u64 = 300 << 20;
/// How long a label may be.
pub const LABEL_BYTES: usize = 12;

/// What a filesystem is besides its tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's length; rounded down to a block.
    pub size_bytes: u64,
    /// Volume UUID, as 16 raw bytes.
    pub uuid: [u8; 16],
    /// Label; at most [`LABEL_BYTES`] bytes are kept.
    pub label: Vec<u8>,
    /// Seconds since the epoch, for inodes that are not in the tree.
    pub time: u32,
}

/// Why a tree cannot become a filesystem.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum XfsError {
    /// The volume is too small.
    #[error("the tree needs {needed_bytes} bytes in an XFS filesystem; there are {size_bytes}")]
    NoSpace {
        /// What would suffice, as far as is known.
        needed_bytes: u64,
        /// What was given.
        size_bytes: u64,
    },
    /// A quantity exceeds the format or this writer.
    #[error("the tree is too large for an XFS filesystem: {what}")]
    TooLarge {
        /// The quantity.
        what: &'static str,
    },
    /// The volume could not be written.
    #[error("cannot write the XFS filesystem")]
    Write(#[source] std::io::Error),
}

/// Converts to a field's width; `what` names the quantity when it does not fit.
fn narrow<Wide, Narrow>(value: Wide, what: &'static str) -> Result<Narrow, XfsError>
where
    Narrow: TryFrom<Wide>,
{
    Narrow::try_from(value).map_err(|_| XfsError::TooLarge { what })
}
