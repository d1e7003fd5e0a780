//! Temporary roots: what a running process needs, as a file `temproots/<pid>` that it keeps locked.
//!
//! The file is a sequence of absolute logical paths, each ended by NUL. A collector takes gc.lock exclusively and reads
//! all files; files it can lock itself belong to nobody and are deleted. Writers take gc.lock shared, so they wait while
//! a collection runs (a real Nix would let them through its socket; waiting is the simpler of the two ways it allows).

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix_formats::StorePath;

use crate::layout::Layout;
use crate::locks::{FileLock, LockMode};
use crate::{Context as _, StoreError};

pub(crate) struct TempRoots {
    path: PathBuf,
    lock: FileLock,
    written: BTreeSet<StorePath>,
}

impl TempRoots {
    pub(crate) fn create(layout: &Layout) -> Result<Self, StoreError> {
        let pid = std::process::id();
        // A second store object in this process, or the same pid in another namespace, holds the plain name.
        for number in 0_u32.. {
            let name = if number == 0 { pid.to_string() } else { format!("{pid}-{number}") };
            let path = layout.temp_roots().join(name);
            let Some(lock) = FileLock::try_lock(&path, LockMode::Exclusive)? else {
                continue;
            };
            // A collector that found the file unlocked deletes it; then we hold one that nobody will read.
            if path.exists() {
                let mut temp_roots = Self { path, lock, written: BTreeSet::new() };
                temp_roots.lock.file().set_len(0).context("empty", &temp_roots.path)?;
                return Ok(temp_roots);
            }
        }
        unreachable!("the loop over all numbers ends only by returning")
    }

    pub(crate) fn add<'p>(
        &mut self,
        layout: &Layout,
        paths: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<(), StoreError> {
        let mut text = Vec::new();
        for path in paths {
            if self.written.insert(path.clone()) {
                text.extend_from_slice(layout.store_dir().display(path).as_bytes());
                text.push(0);
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        let _no_collection = FileLock::wait(&layout.gc_lock(), LockMode::Shared)?;
        self.lock.file().write_all(&text).context("write", &self.path)
    }
}

impl Drop for TempRoots {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove temporary roots");
        }
    }
}

/// All processes' temporary roots. The caller holds gc.lock exclusively (or only wants to look).
pub(crate) fn read_all(layout: &Layout) -> Result<BTreeSet<StorePath>, StoreError> {
    let folder = layout.temp_roots();
    let mut roots = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).context("list", &folder)? {
        let path = entry.context("list", &folder)?.path();
        let file = match OpenOptions::new().read(true).write(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            result => result.context("open", &path)?,
        };
        if let Some(mut stale) = FileLock::try_lock_file(file, &path, LockMode::Exclusive)? {
            std::fs::remove_file(&path).context("remove", &path)?;
            // Tells its owner, should it just be about to lock it, that the file is gone.
            stale.file().write_all(b"d").context("write", &path)?;
            continue;
        }
        let text = std::fs::read(&path).context("read", &path)?;
        // What follows the last NUL was being written when its process died or is being written now; its writer holds no
        // shared gc.lock, so it does not count yet.
        let complete = text.iter().rposition(|byte| *byte == 0).map_or(0, |end| end + 1);
        for root in text[..complete].split(|byte| *byte == 0) {
            if let Some(root) = std::str::from_utf8(root).ok().and_then(|text| layout.store_dir().parse(text).ok()) {
                roots.insert(root);
            }
        }
    }
    Ok(roots)
}
