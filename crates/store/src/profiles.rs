//! Profiles: numbered generations `NAME-N-link` and the link `NAME` to the current one, in `nix/var/nix/profiles`.
//!
//! Links hold logical paths, because they are followed on the machine whose store this is.

use std::path::{Path, PathBuf};

use nix_formats::StorePath;

use crate::layout::Layout;
use crate::locks::PathLocks;
use crate::roots::replace_link;
use crate::{Context as _, StoreError};

/// One generation of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    /// Its number; never used again once deleted, unless it was the highest.
    pub number: u64,
    /// What it is.
    pub path: StorePath,
    /// When its link was made, in seconds since 1970.
    pub created: i64,
}

/// A profile. It need not exist yet.
#[derive(Clone, Debug)]
pub struct Profile {
    layout: Layout,
    name: String,
}

impl Profile {
    pub(crate) fn new(layout: &Layout, name: &str) -> Self {
        Self { layout: layout.clone(), name: name.to_owned() }
    }

    /// The link to the current generation, on disk.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        self.layout.profiles().join(&self.name)
    }

    fn generation_name(&self, number: u64) -> String {
        format!("{}-{number}-link", self.name)
    }

    fn generation_link(&self, number: u64) -> PathBuf {
        self.layout.profiles().join(self.generation_name(number))
    }

    fn number_of(&self, link_name: &str) -> Option<u64> {
        link_name.strip_prefix(&self.name)?.strip_prefix('-')?.strip_suffix("-link")?.parse().ok()
    }

    /// All generations, by number.
    ///
    /// Errors when the folder cannot be read.
    pub fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        let folder = self.layout.profiles();
        let mut generations = Vec::new();
        for entry in std::fs::read_dir(&folder).context("list", &folder)? {
            let entry = entry.context("list", &folder)?;
            let Some(number) = entry.file_name().to_str().and_then(|name| self.number_of(name)) else {
                continue;
            };
            let link = entry.path();
            let target = std::fs::read_link(&link).context("read link", &link)?;
            let Some(path) = self.layout.store_path_of(&target) else {
                continue;
            };
            let metadata = link.symlink_metadata().context("examine", &link)?;
            let created = std::os::unix::fs::MetadataExt::mtime(&metadata);
            generations.push(Generation { number, path, created });
        }
        generations.sort();
        Ok(generations)
    }

    /// The current generation's number; `None` when the profile has none.
    ///
    /// Errors when the link cannot be read.
    pub fn current(&self) -> Result<Option<u64>, StoreError> {
        let link = self.link();
        match std::fs::read_link(&link) {
            Ok(target) => Ok(target.file_name().and_then(|name| name.to_str()).and_then(|name| self.number_of(name))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read link", &link),
        }
    }

    /// Adds a generation with the next number, without making it current. When the newest generation is the same path,
    /// that one is returned. The caller keeps `path` alive meanwhile (`Store::add_temp_roots`).
    ///
    /// Errors when the link cannot be made.
    pub fn add_generation(&self, path: &StorePath) -> Result<Generation, StoreError> {
        let _lock = self.lock()?;
        let generations = self.generations()?;
        if let Some(last) = generations.last().filter(|last| last.path == *path) {
            return Ok(last.clone());
        }
        // The current link may outlive the generation it names; its number must not be given out again either.
        let highest = generations.last().map(|last| last.number).max(self.current()?).unwrap_or(0);
        let number = highest + 1;
        replace_link(&self.generation_link(number), Path::new(&self.layout.store_dir().display(path)))?;
        self.sync()?;
        let found = self.generations()?.into_iter().find(|generation| generation.number == number);
        found.ok_or_else(|| self.no_generation(number))
    }

    /// Makes a generation current, atomically and durably.
    ///
    /// Errors when it does not exist.
    pub fn switch(&self, number: u64) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        if self.generation_link(number).symlink_metadata().is_err() {
            return Err(self.no_generation(number));
        }
        replace_link(&self.link(), Path::new(&self.generation_name(number)))?;
        self.sync()
    }

    /// Deletes generations; what they kept is left to the collector.
    ///
    /// Errors when one does not exist or is current; then none is deleted.
    pub fn delete(&self, numbers: &[u64]) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let current = self.current()?;
        for number in numbers {
            if Some(*number) == current {
                return Err(StoreError::CurrentGeneration { profile: self.name.clone(), number: *number });
            }
            if self.generation_link(*number).symlink_metadata().is_err() {
                return Err(self.no_generation(*number));
            }
        }
        for number in numbers {
            let link = self.generation_link(*number);
            std::fs::remove_file(&link).context("remove", &link)?;
        }
        self.sync()
    }

    fn no_generation(&self, number: u64) -> StoreError {
        StoreError::NoGeneration { profile: self.name.clone(), number }
    }

    /// The lock that nix-env takes on the same profile.
    fn lock(&self) -> Result<PathLocks, StoreError> {
        let mut locks = PathLocks::default();
        locks.wait_for(&self.layout.profiles().join(format!("{}.lock", self.name)))?;
        Ok(locks)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let folder = self.layout.profiles();
        std::fs::File::open(&folder).and_then(|file| file.sync_all()).context("sync", &folder)
    }
}
