//! Temporary folders on the store's filesystem, and removing trees.
//!
//! They lie in the store folder as `tmp-<pid>-<n>` and are locked while in use, which is how collectors, ours and Nix's,
//! tell them from the remains of a process that died.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::Layout;
use crate::locks::{FileLock, LockMode};
use crate::{Context as _, StoreError};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    next: AtomicU64,
    _lock: FileLock,
}

impl Scratch {
    pub(crate) fn create(layout: &Layout) -> Result<Self, StoreError> {
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = layout.physical_store().join(format!("tmp-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                // Left by a process that died, or another pid namespace's.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                result => result.context("create folder", &path)?,
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
                .context("set the mode of", &path)?;
            let Ok(folder) = File::open(&path) else {
                continue;
            };
            // A collector may have come between; then begin again.
            if let Some(lock) = FileLock::try_lock_file(folder, &path, LockMode::Exclusive)? {
                if path.is_dir() {
                    return Ok(Self { path, next: AtomicU64::new(0), _lock: lock });
                }
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name in the folder that was not given out before.
    #[must_use]
    pub fn fresh(&self) -> PathBuf {
        self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove a temporary folder");
        }
    }
}

/// Removes a tree whose folders may be read-only; nothing happens when it does not exist.
///
/// Errors when something cannot be removed.
pub(crate) fn remove_tree(root: &Path) -> Result<(), StoreError> {
    let metadata = match root.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.context("examine", root)?,
    };
    if !metadata.is_dir() {
        return std::fs::remove_file(root).context("remove", root);
    }
    if metadata.permissions().mode() & 0o700 != 0o700 {
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700)).context("set the mode of", root)?;
    }
    for entry in std::fs::read_dir(root).context("list", root)? {
        let entry = entry.context("list", root)?;
        let path = entry.path();
        if entry.file_type().context("examine", &path)?.is_dir() {
            remove_tree(&path)?;
        } else {
            std::fs::remove_file(&path).context("remove", &path)?;
        }
    }
    std::fs::remove_dir(root).context("remove", root)
}
