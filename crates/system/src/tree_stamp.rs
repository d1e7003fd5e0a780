//! Telling whether a tree was touched without reading its files, and remembering what a large one hashes to.
//!
//! A stamp covers each file's path, kind, mode, times, size and inode. Like a single file's, it proves nothing unless it
//! is older than the moment at which the tree was read. What is remembered is a cache: a damaged entry is none.

use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix_formats::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::now_ns;

/// What tells whether a tree was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeStamp {
    /// SHA-256 of all that is looked at, base 16.
    hash: String,
    /// The latest time in it, since 1970.
    newest_ns: i128,
}

impl TreeStamp {
    /// Looks at a tree. Nothing where it cannot be looked at.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let mut stamp = (Sha256::new(), 0);
        add(root, Path::new(""), &mut stamp).ok()?;
        let (hasher, newest_ns) = stamp;
        Some(Self { hash: format!("{:x}", hasher.finalize()), newest_ns })
    }

    /// Whether the tree cannot have been written to since without its stamp showing it.
    pub(crate) fn is_older_than(&self, time_ns: i128) -> bool {
        self.newest_ns < time_ns
    }
}

fn add(root: &Path, below: &Path, stamp: &mut (Sha256, i128)) -> io::Result<()> {
    let path = root.join(below);
    let found = path.symlink_metadata()?;
    let (hasher, newest_ns) = stamp;
    hasher.update(below.as_os_str().as_bytes());
    hasher.update([0]);
    for number in [i64::from(found.mode()), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()] {
        hasher.update(number.to_le_bytes());
    }
    hasher.update(found.len().to_le_bytes());
    hasher.update(found.ino().to_le_bytes());
    *newest_ns = (*newest_ns).max(newest(&found));
    if found.is_dir() {
        let mut names: Vec<_> = path.read_dir()?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        names.iter().try_for_each(|name| add(root, &below.join(name), stamp))?;
    }
    Ok(())
}

fn newest(found: &Metadata) -> i128 {
    let ns = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    ns(found.mtime(), found.mtime_nsec()).max(ns(found.ctime(), found.ctime_nsec()))
}

#[derive(Serialize, Deserialize)]
struct Known {
    stamp: TreeStamp,
    hash: String,
}

/// The hash of a tree's NAR, from `memory` if the tree was not touched since it was put there.
///
/// Errors when the tree must be read and cannot be.
pub(crate) fn digest_remembered(root: &Path, memory: &Path) -> Result<Hash, store::StoreError> {
    let place = place_of(root, memory);
    let started_ns = now_ns();
    let stamp = TreeStamp::of(root);
    if let (Some(known), Some(stamp)) = (read(&place), &stamp) {
        if known.stamp == *stamp {
            if let Ok(hash) = Hash::parse(&known.hash, None) {
                return Ok(hash);
            }
        }
    }
    let hash = store::digest_tree(root)?.hash;
    // A tree that was only just written may be written to again without its stamp showing it.
    if let Some(stamp) = stamp.filter(|stamp| stamp.is_older_than(started_ns)) {
        if let Err(error) = keep(&place, &Known { stamp, hash: hash.to_string() }) {
            tracing::debug!(%error, "a tree's hash cannot be remembered");
        }
    }
    Ok(hash)
}

fn place_of(root: &Path, memory: &Path) -> PathBuf {
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    memory.join(format!("{digest:x}").get(..40).unwrap_or_default())
}

fn read(place: &Path) -> Option<Known> {
    serde_json::from_slice(&std::fs::read(place).ok()?).ok()
}

fn keep(place: &Path, known: &Known) -> io::Result<()> {
    let folder = place.parent().unwrap_or(place);
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(known)?)?;
    file.persist(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_done_to_a_tree_shows() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/f"), "text").unwrap();
        let mut seen = vec![TreeStamp::of(&root).unwrap()];
        assert_eq!(TreeStamp::of(&root).as_ref(), seen.last());
        let mut changed = || {
            let stamp = TreeStamp::of(&root).unwrap();
            assert!(!seen.contains(&stamp));
            seen.push(stamp);
        };
        std::fs::write(root.join("a/g"), "").unwrap();
        changed();
        std::fs::rename(root.join("a/g"), root.join("a/h")).unwrap();
        changed();
        std::fs::write(root.join("a/f"), "longer text").unwrap();
        changed();
        std::fs::remove_file(root.join("a/h")).unwrap();
        changed();
    }

    #[test]
    fn a_hash_is_remembered_until_the_tree_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (root, memory) = (folder.path().join("tree"), folder.path().join("memory"));
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("f"), "text").unwrap();
        let hash = digest_remembered(&root, &memory).unwrap();
        assert_eq!(hash, store::digest_tree(&root).unwrap().hash);
        // A wrong hash on purpose: only memory can give it.
        let wrong = Hash::of(nix_formats::HashAlgo::Sha256, b"");
        let known = Known { stamp: TreeStamp::of(&root).unwrap(), hash: wrong.to_string() };
        keep(&place_of(&root, &memory), &known).unwrap();
        assert_eq!(digest_remembered(&root, &memory).unwrap(), wrong);
        std::fs::write(root.join("f"), "other").unwrap();
        assert_eq!(digest_remembered(&root, &memory).unwrap(), store::digest_tree(&root).unwrap().hash);
    }

    #[test]
    fn what_was_only_just_written_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = TreeStamp::of(folder.path()).unwrap();
        assert!(!stamp.is_older_than(0));
        assert!(stamp.is_older_than(i128::MAX));
    }
}
