//! Filesystems with files in them, whichever of the formats that can hold a store.
//!
//! A [`Recipe`] says all but the size; planning one is pure. What is in an ext4 or XFS filesystem is copied to its
//! places by [`crate::write`], a btrfs one reads files itself, because it keeps checksums of them.

use disk_formats::btrfs::{self, BtrfsError};
use disk_formats::ext4::{self, Ext4Error};
use disk_formats::tree::{Content, Metadata, NodeId, Tree};
use disk_formats::xfs::{self, XfsError};

use crate::ImageError;
use crate::contents::TIME;
use crate::identity::Seed;
use crate::layout::{Format, LayoutError, Slot};

/// A filesystem before it has a size.
pub(crate) struct Recipe {
    pub(crate) format: Format,
    /// What its identifiers derive from.
    pub(crate) seed: Seed,
    /// Which of the image's filesystems it is, for these.
    pub(crate) purpose: String,
    pub(crate) label: String,
    pub(crate) tree: Tree,
    /// Directories that are subvolumes, with their paths.
    pub(crate) subvolumes: Vec<(String, NodeId)>,
}

/// A planned filesystem.
#[derive(Debug)]
pub enum Filesystem {
    /// ext4.
    Ext4(Box<ext4::Layout>),
    /// btrfs.
    Btrfs(Box<btrfs::Layout>),
    /// XFS.
    Xfs(Box<xfs::Layout>),
}

/// Why a filesystem could not be planned.
pub(crate) enum NoPlan {
    /// It is too small.
    NoSpace {
        /// What would suffice, as far as is known.
        needed_bytes: u64,
        /// What there is.
        given_bytes: u64,
    },
    /// Something else.
    Other(ImageError),
}

impl Recipe {
    /// With nothing in it but the subvolumes that a partition declares.
    ///
    /// Errors when one of them has a name that cannot be.
    pub(crate) fn of_empty(format: Format, seed: Seed, slot: &Slot) -> Result<Self, ImageError> {
        let tree = Tree::new(directory());
        Self::new(format, (seed, format!("volume {}", slot.label)), slot, tree)
    }

    /// With a tree, to which directories for the declared subvolumes are added.
    ///
    /// Errors when one of them has a name that cannot be.
    pub(crate) fn new(
        format: Format,
        (seed, purpose): (Seed, String),
        slot: &Slot,
        mut tree: Tree,
    ) -> Result<Self, ImageError> {
        let mut subvolumes = Vec::new();
        for path in &slot.subvolumes {
            let mut folder = tree.root();
            for name in path.split('/') {
                folder = match tree.child(folder, name.as_bytes()) {
                    Some(known) => known,
                    None => tree.add(folder, name.as_bytes(), directory(), Content::Directory)?,
                };
            }
            subvolumes.push((path.clone(), folder));
        }
        Ok(Recipe { format, seed, purpose, label: slot.volume_label.clone(), tree, subvolumes })
    }

    /// Plans it in so many bytes.
    pub(crate) fn plan(&self, size_bytes: u64) -> Result<Filesystem, NoPlan> {
        let (tree, label) = (self.tree.clone(), self.label.as_bytes().to_vec());
        let uuid = self.seed.guid(&self.purpose).0;
        if self.format == Format::Xfs {
            let planned = xfs::Layout::plan(tree, xfs::Options { size_bytes, uuid, label, time: TIME })?;
            return Ok(Filesystem::Xfs(Box::new(planned)));
        }
        if self.format != Format::Btrfs {
            let planned = ext4::Layout::plan(tree, ext4::Options { size_bytes, uuid, label, time: TIME })?;
            return Ok(Filesystem::Ext4(Box::new(planned)));
        }
        let part = |part: &str| self.seed.guid(&format!("{} {part}", self.purpose)).0;
        let subvolume = |(path, root): &(String, NodeId)| btrfs::Subvolume {
            root: *root,
            uuid: part(&format!("subvolume {path}")),
        };
        let options = btrfs::Options {
            size_bytes,
            uuid,
            device_uuid: part("device"),
            chunk_tree_uuid: part("chunk tree"),
            top_uuid: part("top"),
            subvolumes: self.subvolumes.iter().map(subvolume).collect(),
            label,
            time: TIME,
        };
        Ok(Filesystem::Btrfs(Box::new(btrfs::Layout::plan(tree, options)?)))
    }
}

impl Filesystem {
    /// Its length, at most that of its partition.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Ext4(layout) => layout.size_bytes(),
            Self::Btrfs(layout) => layout.size_bytes(),
            Self::Xfs(layout) => layout.size_bytes(),
        }
    }

    /// How many bytes there are for more.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        match self {
            Self::Ext4(layout) => layout.free_bytes(),
            Self::Btrfs(layout) => layout.free_bytes(),
            Self::Xfs(layout) => layout.free_bytes(),
        }
    }
}

impl NoPlan {
    /// As an error of a partition that is too small for its filesystem.
    pub(crate) fn in_slot(self, slot: &Slot) -> ImageError {
        match self {
            Self::NoSpace { needed_bytes, given_bytes } => {
                let what = slot.format.map_or("a filesystem", Format::name);
                LayoutError::NoRoom { option: slot.option.clone(), what, needed_bytes, given_bytes }.into()
            }
            Self::Other(error) => error,
        }
    }
}

impl From<Ext4Error> for NoPlan {
    fn from(error: Ext4Error) -> Self {
        match error {
            Ext4Error::NoSpace { needed_bytes, size_bytes: given_bytes } => Self::NoSpace { needed_bytes, given_bytes },
            error => Self::Other(error.into()),
        }
    }
}

impl From<BtrfsError> for NoPlan {
    fn from(error: BtrfsError) -> Self {
        match error {
            BtrfsError::NoSpace { needed_bytes, size_bytes: given_bytes } => {
                Self::NoSpace { needed_bytes, given_bytes }
            }
            error => Self::Other(error.into()),
        }
    }
}

impl From<XfsError> for NoPlan {
    fn from(error: XfsError) -> Self {
        match error {
            XfsError::NoSpace { needed_bytes, size_bytes: given_bytes } => Self::NoSpace { needed_bytes, given_bytes },
            error => Self::Other(error.into()),
        }
    }
}

fn directory() -> Metadata {
    Metadata { mode: 0o755, uid: 0, gid: 0, mtime: TIME }
}
