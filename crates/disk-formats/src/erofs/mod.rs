//! EROFS images: metadata only, or with compressed contents.
//!
//! A [`Tree`] of directories, symlinks, device nodes and regular files becomes an image that the kernel mounts. A file of
//! [`Content::File`] has a size but no data: it is one hole, and an overlay mount takes the contents from its data layer by
//! the file's `trusted.overlay.redirect`. One of [`Content::Stored`] has its contents in the image, where a [`DataWriter`]
//! put them before. Not here: other algorithms than zstd, reading contents.
//!
//! Source: the kernel's `Documentation/filesystems/erofs.rst`, `fs/erofs/erofs_fs.h`, and the EROFS project's description
//! of the core on-disk format; `Documentation/filesystems/overlayfs.rst` for the two attributes.
//!
//! Layout of an image, in blocks of 4096 bytes:
//!
//! | offset | what |
//! |---|---|
//! | 0 | unused (room for a boot sector) |
//! | 1024 | superblock, 128 bytes, and with contents the settings of zstd |
//! | next block | contents, if there are any |
//! | 1152 of the first block, or of the one behind the contents | root inode, shared attributes, then the other inodes in tree order, each on a 32-byte slot |
//! | next block | directory blocks that did not fit behind their inode |

mod data;
mod inode;
mod layout;
pub mod reader;
mod tree;
mod xattr;

use std::io::{self, Seek, SeekFrom, Write};

use thiserror::Error;

use tree::Node;

pub use data::{DataWriter, FileId, Stored, StoredFiles};
pub use tree::{Content, Entry, Metadata, Tree};

/// The block size of every image.
pub const BLOCK_BYTES: usize = 4096;

/// What identifies an image besides its tree.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Volume UUID, as 16 raw bytes.
    pub uuid: [u8; 16],
    /// Volume label; at most 16 bytes are kept.
    pub label: Vec<u8>,
    /// Seconds since the epoch. An entry whose time equals it takes a 32-byte inode instead of a 64-byte one, so the
    /// commonest time of the tree is a good choice.
    pub build_time: u64,
}

/// Why a tree cannot become an image.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ErofsError {
    /// A path has an empty, `.` or `..` component, or one that is too long or holds NUL or `/`.
    #[error("the path `{path}` cannot be stored in an EROFS image")]
    InvalidPath {
        /// The path as given.
        path: String,
    },
    /// Two entries claim one path, or one stands where another needs a directory.
    #[error("`{path}` is given twice in an EROFS image, or is needed as a directory")]
    Conflict {
        /// The path of the second entry.
        path: String,
    },
    /// A hard link names nothing, or a directory.
    #[error("the hard link `{path}` points to `{target}`, which is not a file in the image")]
    DanglingHardLink {
        /// Where the link stands.
        path: String,
        /// What it names.
        target: String,
    },
    /// A symlink's target is empty or longer than the format holds.
    #[error("the symlink `{path}` has a target of {length} bytes; 1 to 4000 fit")]
    SymlinkTarget {
        /// Where the symlink stands.
        path: String,
        /// The target's length in bytes.
        length: usize,
    },
    /// An extended attribute's name has no known prefix, or its name or value is too long.
    #[error("the extended attribute `{name}` cannot be stored in an EROFS image")]
    Attribute {
        /// The attribute's full name.
        name: String,
    },
    /// The tree needs more than the format can address.
    #[error("the tree is too large for an EROFS image: {what}")]
    TooLarge {
        /// The quantity that overflowed.
        what: &'static str,
    },
    /// The image could not be written.
    #[error("cannot write the EROFS image")]
    Write(#[source] io::Error),
}

impl Tree {
    /// Writes the image of this tree and returns its length in bytes, a multiple of [`BLOCK_BYTES`].
    ///
    /// Errors when a hard link dangles, an attribute or the whole tree does not fit the format, or `out` refuses bytes.
    pub fn write_to(&self, options: &Options, out: &mut impl Write) -> Result<u64, ErofsError> {
        let image = layout::metadata_image(self, options)?;
        out.write_all(&image).map_err(ErofsError::Write)?;
        Ok(image.len() as u64)
    }

    /// Writes the image of this tree around contents that are in `image` already, and returns its length as above.
    ///
    /// Errors as [`Self::write_to`].
    pub fn write_around(
        mut self,
        contents: &StoredFiles,
        options: &Options,
        image: &mut (impl Write + Seek),
    ) -> Result<u64, ErofsError> {
        let packed = self.nodes.len();
        self.nodes.push(Node::hidden(Content::Stored(contents.packed.clone())));
        let behind = layout::Behind { packed, first_block: contents.end_block };
        let (superblock, metadata) = layout::parts_around(&self, options, behind)?;
        let start_bytes = u64::from(contents.end_block) * BLOCK_BYTES as u64;
        for (offset, bytes) in [(start_bytes, &metadata), (0, &superblock)] {
            image.seek(SeekFrom::Start(offset)).map_err(ErofsError::Write)?;
            image.write_all(bytes).map_err(ErofsError::Write)?;
        }
        Ok(start_bytes + metadata.len() as u64)
    }
}

/// Converts to a field's width; `what` names the quantity when it does not fit.
fn narrow<Wide, Narrow>(value: Wide, what: &'static str) -> Result<Narrow, ErofsError>
where
    Narrow: TryFrom<Wide>,
{
    Narrow::try_from(value).map_err(|_| ErofsError::TooLarge { what })
}
