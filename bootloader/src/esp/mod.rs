//! The ESP as a small filesystem: what planning and applying need of it, and paths on it.
//!
//! Implementations only obey; they decide nothing.

mod directory;
mod fat;

use std::cmp::Ordering;
use std::fmt;
use std::io::{self, Read};

use thiserror::Error;

pub use directory::DirectoryEsp;
pub use fat::{FatEsp, with_fat_esp};

/// A path on the ESP, relative to its root, parts joined by `/`. FAT keeps case and ignores it, and so does comparison.
#[derive(Debug, Clone)]
pub struct EspPath(String);

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Its length in bytes, or nothing for a directory.
    pub size_bytes: Option<u64>,
}

/// Room on the ESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be allocated.
    pub free_bytes: u64,
    /// The unit of allocation.
    pub cluster_bytes: u64,
}

/// An operation on the ESP failed.
#[derive(Debug, Error)]
#[error("cannot {action} `{path}` on the EFI system partition")]
pub struct EspError {
    /// What was tried.
    pub action: &'static str,
    /// On what.
    pub path: EspPath,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

impl EspError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.source.kind() {
            io::ErrorKind::StorageFull => Some(
                "the EFI system partition is full, and every entry that was on it still boots: keep fewer generations in \
                 the menu (`boot.loader.systemd-boot.configurationLimit`, `esker gc --keep N`), or remove what else is on it",
            ),
            io::ErrorKind::ReadOnlyFilesystem => Some(
                "the EFI system partition is mounted read-only: check it with `fsck.vfat` and mount it for writing",
            ),
            _ => None,
        }
    }
}

/// A filesystem that can be an ESP.
pub trait EspFs {
    /// The entries of a directory in no particular order; none if it does not exist.
    ///
    /// Errors when it cannot be read.
    fn list(&mut self, directory: &EspPath) -> Result<Vec<DirectoryEntry>, EspError>;

    /// The contents of a file.
    ///
    /// Errors when it does not exist or cannot be read.
    fn read(&mut self, path: &EspPath) -> Result<Vec<u8>, EspError>;

    /// Makes a directory in an existing one; it may exist already.
    ///
    /// Errors when it cannot be made.
    fn create_directory(&mut self, path: &EspPath) -> Result<(), EspError>;

    /// Creates or overwrites a file; its contents are on the disk when this returns.
    ///
    /// Errors when the disk is full or fails, or `contents` does.
    fn write(&mut self, path: &EspPath, contents: &mut dyn Read) -> Result<(), EspError>;

    /// Renames a file, replacing what has the new name.
    ///
    /// Errors when it does not exist or the disk fails.
    fn rename(&mut self, from: &EspPath, to: &EspPath) -> Result<(), EspError>;

    /// Deletes a file.
    ///
    /// Errors when it does not exist or the disk fails.
    fn remove(&mut self, path: &EspPath) -> Result<(), EspError>;

    /// Returns when all of the above is on the disk.
    ///
    /// Errors when the disk fails.
    fn sync(&mut self) -> Result<(), EspError>;

    /// The room there is.
    ///
    /// Errors when the filesystem cannot be asked.
    fn space(&mut self) -> Result<Space, EspError>;
}

impl EspPath {
    /// A path from text; leading, trailing and doubled `/` and Windows's `\` do not matter.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let parts: Vec<&str> = text.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        EspPath(parts.join("/"))
    }

    /// The root of the ESP.
    #[must_use]
    pub fn root() -> Self {
        EspPath(String::new())
    }

    /// The path of `name` in this directory.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        EspPath::new(&format!("{}/{name}", self.0))
    }

    /// The directory that holds it; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        EspPath(self.0.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned()))
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The path relative to the root, without a leading `/`.
    #[must_use]
    pub fn as_relative(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl fmt::Display for EspPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}", self.0)
    }
}

impl PartialEq for EspPath {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for EspPath {}

impl PartialOrd for EspPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EspPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

/// Turns an I/O error into one that says what was done to which path.
fn failed(action: &'static str, path: &EspPath) -> impl FnOnce(io::Error) -> EspError + use<> {
    let path = path.clone();
    move |source| EspError { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::EspPath;

    #[test]
    fn case_and_slashes_do_not_matter() {
        assert_eq!(EspPath::new("/EFI//BOOT/bootx64.efi"), EspPath::new("efi\\boot\\BOOTX64.EFI"));
        assert_ne!(EspPath::new("a"), EspPath::new("b"));
        assert_eq!(EspPath::new("a/b").parent(), EspPath::new("a"));
        assert_eq!(EspPath::new("a").parent(), EspPath::root());
        assert_eq!(EspPath::new("a/b").name(), "b");
        assert_eq!(EspPath::root().join("x").to_string(), "/x");
    }
}
