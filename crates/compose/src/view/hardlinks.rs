//! A plan → a tree of hard links to the store's files, for sandboxes and kernels that cannot mount the image.
//!
//! Files keep the store's modes and owners, since they are the store's inodes; programs that would be setuid or setgid in the
//! image are left out. The tree holds `usr/`, and `etc/` with the packages' defaults. It is made under another name and
//! renamed, so a half-made tree is never seen.

use std::fs::{File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::{EntryKind, ViewPlan};
use crate::location::{NotInStore, StoreLocation};

const SETUID_SETGID: u32 = 0o6000;

/// Why the tree could not be made.
#[derive(Debug, Error)]
pub enum HardLinkError {
    /// A file's source is not in the store.
    #[error(transparent)]
    NotInStore(#[from] NotInStore),
    /// A directory, link or copy failed.
    #[error("cannot make `{path}` of the view")]
    Make {
        /// What was being made.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Makes the tree at `destination` unless it is there. Two processes may try at once; one rename wins.
///
/// # Errors
/// When a file cannot be linked or copied, or the rename fails.
pub fn make_tree(plan: &ViewPlan, store: &StoreLocation, destination: &Path) -> Result<(), HardLinkError> {
    if destination.exists() {
        return Ok(());
    }
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = destination.with_file_name(name);
    let failed = |path: &Path, source| HardLinkError::Make { path: path.to_owned(), source };
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).map_err(|source| failed(&temporary, source))?;
    }
    fill_tree(plan, store, &temporary)?;
    match std::fs::rename(&temporary, destination) {
        Ok(()) => Ok(()),
        Err(_) if destination.exists() => {
            std::fs::remove_dir_all(&temporary).map_err(|source| failed(&temporary, source))
        }
        Err(source) => Err(failed(destination, source)),
    }
}

fn fill_tree(plan: &ViewPlan, store: &StoreLocation, root: &Path) -> Result<(), HardLinkError> {
    let failed = |path: &Path, source| HardLinkError::Make { path: path.to_owned(), source };
    for top in ["usr", "etc"] {
        let path = root.join(top);
        std::fs::create_dir_all(&path).map_err(|source| failed(&path, source))?;
    }
    let shown = || plan.entries.iter().filter(|(path, _)| path.starts_with("usr/") || path.starts_with("etc/"));
    for (path, entry) in shown() {
        let place = root.join(path);
        match &entry.kind {
            EntryKind::Directory => std::fs::create_dir(&place).map_err(|source| failed(&place, source))?,
            EntryKind::Symlink(target) => symlink(target, &place).map_err(|source| failed(&place, source))?,
            EntryKind::File(_) if entry.mode & SETUID_SETGID != 0 => {}
            EntryKind::File(source) => {
                let original = store.physical(&format!("{}/{}", source.store_path, source.path))?;
                link_or_copy(&original, &place).map_err(|error| failed(&place, error))?;
            }
        }
    }
    // Caches (fontconfig's) remember directories' times: they must be those of the image.
    for (path, entry) in shown().filter(|(_, entry)| entry.kind == EntryKind::Directory) {
        let place = root.join(path);
        let time = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(entry.mtime));
        File::open(&place).and_then(|file| file.set_times(time)).map_err(|source| failed(&place, source))?;
    }
    Ok(())
}

/// Links, or copies when the file has as many links as its filesystem allows or lies on another one.
fn link_or_copy(original: &Path, place: &Path) -> io::Result<()> {
    match std::fs::hard_link(original, place) {
        Err(error) if matches!(error.kind(), io::ErrorKind::TooManyLinks | io::ErrorKind::CrossesDevices) => {
            std::fs::copy(original, place).map(|_| ())
        }
        linked => linked,
    }
}
