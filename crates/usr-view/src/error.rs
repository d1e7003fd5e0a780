//! Why a view could not be mounted.

use std::path::PathBuf;

use syscalls::SyscallError;

/// An error of mounting a view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The staging directory could not be prepared.
    #[error("cannot prepare `{}` for mounting a view", path.display())]
    Staging {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// The metadata could not be mounted.
    #[error("cannot mount the view's metadata `{}`", image.display())]
    Metadata {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// The overlay could not be mounted.
    #[error("cannot lay the view `{}` over the store", image.display())]
    Overlay {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// A directory could not be laid over a part of the view.
    #[error("cannot show `{}` in the view at `{}`", source_path.display(), target.display())]
    Cover {
        /// What should be shown.
        source_path: PathBuf,
        /// Where in the view.
        target: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// The finished view could not be put in its place.
    #[error("cannot attach the view `{}` at `{}`", image.display(), target.display())]
    Attach {
        /// The image.
        image: PathBuf,
        /// Its place.
        target: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// The new view is in place, beneath the old one that could not be detached.
    #[error("cannot detach the old view at `{}`; the new one lies beneath it", target.display())]
    Detach {
        /// The place.
        target: PathBuf,
        /// Why.
        #[source]
        source: SyscallError,
    },
}

impl ViewError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cover { target, .. } => Some(format!("the view must have a directory `{}`", target.display())),
            Self::Metadata { .. } => Some("the kernel's log says more".into()),
            _ => None,
        }
    }
}
