//! Mounting the /usr view: EROFS metadata under an overlay whose file contents are the store's, and replacing a
//! mounted view by another without a moment in between.
//!
//! A view is an image of directories, modes and owners; each regular file in it is an overlay redirect to
//! `<hash>-<name>/usr/…` in one of the stores. This package mounts such an image and builds none. Nor does it decide
//! when: stage 1 attaches, activation flips.
//!
//! Needs kernel 6.8 (`lowerdir+`, `datadir+`); mounting the image without a loop device needs 6.12.
//! Source: the kernel's `Documentation/filesystems/overlayfs.rst` (data-only lower layers) and `erofs.rst`.

mod error;
mod layers;
mod mount;
mod plan;

pub use error::ViewError;
pub use layers::{StoreLayers, StoreOverlay};
pub use mount::{Attachment, apply};
pub use plan::{Cover, ViewMount};
