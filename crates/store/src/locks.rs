//! File locks as Nix takes them: `flock` on lock files, and per-path `.lock` files that vanish after use.
//!
//! A per-path lock file is deleted by its holder; one who opened it earlier and gets the lock afterwards sees a file of
//! non-zero size (the holder wrote into it before closing) and begins again with a fresh file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::{Context as _, StoreError};

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// By many at once.
    Shared,
    /// By one alone.
    Exclusive,
}

/// A held lock on a file; dropping it releases the lock.
#[derive(Debug)]
pub struct FileLock {
    file: Flock<File>,
}

impl FileLock {
    /// Opens (creating it if absent) and locks a file, waiting as long as it takes.
    ///
    /// Errors when the file cannot be opened.
    pub fn wait(path: &Path, mode: LockMode) -> Result<Self, StoreError> {
        let mut file = open(path)?;
        let how = match mode {
            LockMode::Shared => FlockArg::LockShared,
            LockMode::Exclusive => FlockArg::LockExclusive,
        };
        loop {
            match Flock::lock(file, how) {
                Ok(file) => return Ok(Self { file }),
                Err((again, Errno::EINTR)) => file = again,
                Err((_, errno)) => return Err(errno).context("lock", path),
            }
        }
    }

    /// As `wait`, but `None` when somebody else holds the lock.
    ///
    /// Errors when the file cannot be opened.
    pub fn try_lock(path: &Path, mode: LockMode) -> Result<Option<Self>, StoreError> {
        Self::try_lock_file(open(path)?, path, mode)
    }

    pub(crate) fn try_lock_file(file: File, path: &Path, mode: LockMode) -> Result<Option<Self>, StoreError> {
        let how = match mode {
            LockMode::Shared => FlockArg::LockSharedNonblock,
            LockMode::Exclusive => FlockArg::LockExclusiveNonblock,
        };
        match Flock::lock(file, how) {
            Ok(file) => Ok(Some(Self { file })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno).context("lock", path),
        }
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    fn is_stale(&self, path: &Path) -> Result<bool, StoreError> {
        Ok(self.file.metadata().context("examine", path)?.len() != 0)
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .context("open lock file", path)
}

/// Held locks on store paths. Dropping them deletes the lock files.
#[derive(Debug, Default)]
pub struct PathLocks {
    held: Vec<(PathBuf, FileLock)>,
}

impl PathLocks {
    /// How many paths are locked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is locked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes over the locks of another set.
    pub fn extend(&mut self, mut other: Self) {
        self.held.append(&mut other.held);
    }

    pub(crate) fn wait_for(&mut self, file: &Path) -> Result<(), StoreError> {
        loop {
            let lock = FileLock::wait(file, LockMode::Exclusive)?;
            if !lock.is_stale(file)? {
                self.held.push((file.to_owned(), lock));
                return Ok(());
            }
        }
    }

    /// Whether the lock could be had at once.
    pub(crate) fn try_add(&mut self, file: &Path) -> Result<bool, StoreError> {
        loop {
            match FileLock::try_lock(file, LockMode::Exclusive)? {
                None => return Ok(false),
                Some(lock) if lock.is_stale(file)? => {}
                Some(lock) => {
                    self.held.push((file.to_owned(), lock));
                    return Ok(true);
                }
            }
        }
    }
}

impl Drop for PathLocks {
    fn drop(&mut self) {
        for (path, lock) in &mut self.held {
            // A lock file that stays behind does no harm: the next one to lock it finds it empty and uses it.
            if std::fs::remove_file(&*path).is_ok() {
                let marked = lock.file().write_all(b"d");
                if let Err(error) = marked {
                    tracing::debug!(path = %path.display(), %error, "could not mark a deleted lock file");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FileLock, LockMode, PathLocks};

    #[test]
    fn a_lock_excludes_others_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.lock");
        let mut first = PathLocks::default();
        first.wait_for(&file).unwrap();
        let mut second = PathLocks::default();
        assert!(!second.try_add(&file).unwrap());
        drop(first);
        assert!(!file.exists());
        assert!(second.try_add(&file).unwrap());
    }

    #[test]
    fn a_waiter_does_not_keep_a_deleted_lock_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.lock");
        let mut first = PathLocks::default();
        first.wait_for(&file).unwrap();
        let waiter = std::thread::spawn({
            let file = file.clone();
            move || {
                let mut locks = PathLocks::default();
                locks.wait_for(&file).unwrap();
                assert!(file.exists());
            }
        });
        drop(first);
        waiter.join().unwrap();
    }

    #[test]
    fn shared_locks_coexist() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gc.lock");
        let _first = FileLock::wait(&file, LockMode::Shared).unwrap();
        assert!(FileLock::try_lock(&file, LockMode::Shared).unwrap().is_some());
        assert!(FileLock::try_lock(&file, LockMode::Exclusive).unwrap().is_none());
    }
}
