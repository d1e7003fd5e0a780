//! btrfs filesystems of one device, written in one pass.
//!
//! A [`Tree`](crate::tree::Tree) is planned into a [`Layout`]: every inode, extent and tree block has its place before
//! anything is written. Writing reads each file once, in order, for its bytes and their checksums. Directories of the tree
//! can be subvolumes. The result is what mkfs makes by default: data once, metadata twice (DUP), crc32c, skinny
//! metadata, no holes, a free space tree; it is clean, of generation 1, and can be grown.
//! Not here: compression (mount options compress what is written later), extended attributes, snapshots, several
//! devices, reading more of a filesystem than its [`VolumeHistory`].
//!
//! Source: the on-disk format as documented by the btrfs project and the kernel's `include/uapi/linux/btrfs_tree.h`;
//! checked against `btrfs check`, `btrfs restore` and the kernel.
//!
//! Order on the device, in the same order in the filesystem's own (logical) addresses:
//!
//! | from | what |
//! |---|---|
//! | 64 KiB, 64 MiB, 256 GiB | superblock and its copies; nothing else in the 64 KiB around each |
//! | 1 MiB | system chunk, twice 4 MiB: the chunk tree |
//! | 9 MiB | data chunks, each at most 1 GiB |
//! | behind them | metadata chunk, twice: all other trees |
//! | the rest | unallocated; the kernel makes chunks of it |

mod btree;
mod chunks;
mod extents;
mod files;
mod history;
mod items;
mod key;
mod layout;
mod superblock;
mod write;

use std::io;

use thiserror::Error;

use crate::tree::NodeId;

pub use history::VolumeHistory;
pub use layout::Layout;
pub use write::Open;

/// The unit of data.
const SECTOR_BYTES: u64 = 4096;
/// The size of a tree block.
const NODE_BYTES: u64 = 16384;
/// Everything is of the first generation.
const GENERATION: u64 = 1;
/// How long a label may be.
pub const LABEL_BYTES: usize = 255;

/// What a filesystem is besides its tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The device's length; rounded down to a sector.
    pub size_bytes: u64,
    /// UUID of the filesystem, by which it is found. All UUIDs are 16 raw bytes.
    pub uuid: [u8; 16],
    /// UUID of the device in the filesystem.
    pub device_uuid: [u8; 16],
    /// UUID that stands in all tree blocks.
    pub chunk_tree_uuid: [u8; 16],
    /// UUID of the top-level subvolume.
    pub top_uuid: [u8; 16],
    /// The other subvolumes; they get the ids from 256 on.
    pub subvolumes: Vec<Subvolume>,
    /// Label; at most [`LABEL_BYTES`] bytes are kept.
    pub label: Vec<u8>,
    /// Seconds since the epoch, for what is not in the tree.
    pub time: u32,
}

/// A directory that is a subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subvolume {
    /// Which directory; not the tree's root.
    pub root: NodeId,
    /// The subvolume's UUID.
    pub uuid: [u8; 16],
}

/// Why a tree cannot become a filesystem.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BtrfsError {
    /// The device is too small.
    #[error("the tree needs {needed_bytes} bytes in a btrfs filesystem; there are {size_bytes}")]
    NoSpace {
        /// What would suffice.
        needed_bytes: u64,
        /// What was given.
        size_bytes: u64,
    },
    /// A file has names in two subvolumes.
    #[error("the hard link `{name}` is in another btrfs subvolume than its file")]
    LinkAcross {
        /// The link's name.
        name: String,
    },
    /// A quantity exceeds the format or this writer.
    #[error("the tree is too large for a btrfs filesystem: {what}")]
    TooLarge {
        /// The quantity.
        what: &'static str,
    },
    /// A file could not be read.
    #[error("cannot read a file for the btrfs filesystem")]
    Read {
        /// Which.
        node: NodeId,
        /// Why.
        source: io::Error,
    },
    /// A file is not as long as it was when the filesystem was planned.
    #[error("a file for the btrfs filesystem changed its length")]
    Changed {
        /// Which.
        node: NodeId,
    },
    /// The device could not be written.
    #[error("cannot write the btrfs filesystem")]
    Write(#[source] io::Error),
}

/// Converts to a field's width; `what` names the quantity when it does not fit.
fn narrow<Wide, Narrow>(value: Wide, what: &'static str) -> Result<Narrow, BtrfsError>
where
    Narrow: TryFrom<Wide>,
{
    Narrow::try_from(value).map_err(|_| BtrfsError::TooLarge { what })
}
