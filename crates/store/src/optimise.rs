//! Deduplication: equal files become hard links to one file in `.links`, named by the hash of the file's NAR.
//!
//! The names are Nix's, so both programs share the folder.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix_formats::StorePath;

use crate::metadata::set_time;
use crate::scratch::Scratch;
use crate::tree::digest_tree;
use crate::{Context as _, Store, StoreError};

/// What deduplication gained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptimiseReport {
    /// Files that are links now and were not before.
    pub files_linked: u64,
    /// The size of what they no longer take.
    pub bytes_freed: u64,
}

impl Store {
    /// Deduplicates the files of all valid paths.
    ///
    /// Errors when files cannot be read or linked; what was linked until then is valid.
    pub fn optimise(&self) -> Result<OptimiseReport, StoreError> {
        let paths = self.all_valid()?;
        self.optimise_paths(&paths)
    }

    /// Deduplicates the files of the given valid paths.
    ///
    /// Errors as `optimise`.
    pub fn optimise_paths<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<OptimiseReport, StoreError> {
        self.require_writable()?;
        let scratch = self.scratch()?;
        let links = self.layout().links();
        let mut work = Optimiser { links: &links, scratch: &scratch, report: OptimiseReport::default() };
        for path in paths {
            self.add_temp_roots([path])?;
            if self.is_valid(path)? {
                work.visit(&self.physical(path), None)?;
            }
        }
        Ok(work.report)
    }
}

struct Optimiser<'w> {
    links: &'w Path,
    scratch: &'w Scratch,
    report: OptimiseReport,
}

impl Optimiser<'_> {
    /// Visits a tree; `parent` is the folder that must become writable for a moment, `None` for the store itself.
    fn visit(&mut self, path: &Path, parent: Option<&Path>) -> Result<(), StoreError> {
        let metadata = path.symlink_metadata().context("examine", path)?;
        if metadata.is_dir() {
            for entry in std::fs::read_dir(path).context("list", path)? {
                self.visit(&entry.context("list", path)?.path(), Some(path))?;
            }
            return Ok(());
        }
        // Not canonical: not ours to share. Links are left alone, some filesystems cannot link them.
        if !metadata.is_file() || metadata.mode() & 0o222 != 0 {
            return Ok(());
        }
        let shared = self.links.join(digest_tree(path)?.hash.to_base32());
        if !self.offer(path, &shared)? {
            return Ok(());
        }
        let other = shared.symlink_metadata().context("examine", &shared)?;
        if other.ino() == metadata.ino() {
            return Ok(());
        }
        if other.len() != metadata.len() || other.mode() != metadata.mode() {
            // Damaged by somebody: begin a new one with this file.
            std::fs::remove_file(&shared).context("remove", &shared)?;
            self.offer(path, &shared)?;
            return Ok(());
        }
        let Some(fresh) = self.link(&shared)? else {
            return Ok(());
        };
        replace_in(parent, &fresh, path)?;
        self.report.files_linked += 1;
        self.report.bytes_freed += metadata.len();
        Ok(())
    }

    /// Makes `path` the shared file unless there is one. `false` when the filesystem allows no more links.
    fn offer(&self, path: &Path, shared: &Path) -> Result<bool, StoreError> {
        if shared.symlink_metadata().is_ok() {
            return Ok(true);
        }
        match std::fs::hard_link(path, shared) {
            Err(error) if error.kind() == std::io::ErrorKind::TooManyLinks => Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(true),
            result => result.map(|()| true).context("link", shared),
        }
    }

    fn link(&self, shared: &Path) -> Result<Option<std::path::PathBuf>, StoreError> {
        let fresh = self.scratch.fresh();
        match std::fs::hard_link(shared, &fresh) {
            Err(error) if error.kind() == std::io::ErrorKind::TooManyLinks => Ok(None),
            result => result.map(|()| Some(fresh)).context("link", shared),
        }
    }
}

/// Renames `fresh` over `path`, whose folder is read-only, and makes the folder look untouched.
fn replace_in(parent: Option<&Path>, fresh: &Path, path: &Path) -> Result<(), StoreError> {
    let Some(parent) = parent else {
        return std::fs::rename(fresh, path).context("replace", path);
    };
    std::fs::set_permissions(parent, Permissions::from_mode(0o755)).context("set the mode of", parent)?;
    let renamed = std::fs::rename(fresh, path).context("replace", path);
    std::fs::set_permissions(parent, Permissions::from_mode(0o555)).context("set the mode of", parent)?;
    set_time(parent)?;
    renamed
}
