//! What an evaluation read, and whether it would read the same again.
//!
//! Each observation is a hash of what was seen. For files a stamp (time, size, inode) stands beside it, so that a file
//! that was not touched is not read again; a stamp that is not older than the record itself proves nothing, since the
//! file may have been written within the same tick, and the file is hashed.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lang::io::FileType;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tree_stamp::TreeStamp;

/// Everything that was read, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    observations: BTreeMap<PathBuf, Vec<Observation>>,
}

/// One thing that was seen at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Observation {
    /// A file's content, by hash, with the stamp it had.
    File {
        /// SHA-256, base 16.
        hash: String,
        /// Its stamp when it was read.
        stamp: Option<Stamp>,
    },
    /// A folder's entries with their kinds, by hash.
    Folder {
        /// SHA-256, base 16.
        hash: String,
    },
    /// What kind of file was there, or none.
    Kind {
        /// `builtins.readDir`'s word; none where there was nothing.
        kind: Option<String>,
    },
    /// A link's target.
    Link {
        /// The target.
        target: String,
    },
    /// A whole tree, as it was copied to the store.
    Tree {
        /// Its hash.
        hash: String,
        /// Its stamp when it was copied.
        stamp: Option<TreeStamp>,
    },
}

/// What tells whether a file was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    modified_ns: i128,
    changed_ns: i128,
    size: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let m = path.metadata().ok()?;
        let ns = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Some(Self {
            modified_ns: ns(m.mtime(), m.mtime_nsec()),
            changed_ns: ns(m.ctime(), m.ctime_nsec()),
            size: m.len(),
            inode: m.ino(),
        })
    }

    fn is_older_than(&self, time_ns: i128) -> bool {
        self.modified_ns < time_ns && self.changed_ns < time_ns
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Observation {
    pub(crate) fn file(path: &Path, bytes: &[u8]) -> Self {
        Self::File { hash: hash(bytes), stamp: Stamp::of(path) }
    }

    pub(crate) fn absent() -> Self {
        Self::Kind { kind: None }
    }

    pub(crate) fn folder(entries: &BTreeMap<Vec<u8>, FileType>) -> Self {
        let mut bytes = Vec::new();
        for (name, kind) in entries {
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(kind.name().as_bytes());
            bytes.push(0);
        }
        Self::Folder { hash: hash(&bytes) }
    }

    pub(crate) fn kind(kind: Option<FileType>) -> Self {
        Self::Kind { kind: kind.map(|kind| kind.name().to_owned()) }
    }

    pub(crate) fn link(target: &str) -> Self {
        Self::Link { target: target.to_owned() }
    }

    pub(crate) fn tree(path: &Path, hash: nix_formats::Hash) -> Self {
        Self::Tree { hash: hash.to_string(), stamp: TreeStamp::of(path) }
    }

    /// Whether the same would be seen now.
    fn holds(&self, path: &Path, recorded_ns: i128) -> bool {
        match self {
            Self::File { hash: seen, stamp } => {
                let now = Stamp::of(path);
                if now.is_some() && now == *stamp && stamp.is_some_and(|s| s.is_older_than(recorded_ns)) {
                    return true;
                }
                std::fs::read(path).is_ok_and(|bytes| hash(&bytes) == *seen)
            }
            Self::Folder { .. } => crate::world::entries(path).is_ok_and(|entries| Self::folder(&entries) == *self),
            Self::Kind { kind } => {
                let now = path.symlink_metadata().ok().map(|m| crate::world::kind_of(m.file_type()).name().to_owned());
                now == *kind
            }
            Self::Link { target } => std::fs::read_link(path).is_ok_and(|now| now.to_string_lossy() == *target),
            Self::Tree { hash, stamp } => {
                let is_untouched =
                    |stamp: &TreeStamp| stamp.is_older_than(recorded_ns) && TreeStamp::of(path).as_ref() == Some(stamp);
                stamp.as_ref().is_some_and(is_untouched)
                    || store::digest_tree(path).is_ok_and(|digest| digest.hash.to_string() == *hash)
            }
        }
    }
}

impl Record {
    pub(crate) fn note(&mut self, path: &Path, observation: Observation) {
        let at_path = self.observations.entry(path.to_owned()).or_default();
        if !at_path.contains(&observation) {
            at_path.push(observation);
        }
    }

    /// Whether everything would be seen as it was, when the record was made at `recorded_ns` since 1970.
    pub(crate) fn holds(&self, recorded_ns: i128) -> bool {
        self.observations.iter().all(|(path, at_path)| {
            let same = at_path.iter().all(|observation| observation.holds(path, recorded_ns));
            if !same {
                tracing::info!(path = %path.display(), "changed since the last evaluation");
            }
            same
        })
    }
}

/// Now, in nanoseconds since 1970. For comparing with file stamps only; it reaches no output.
pub(crate) fn now_ns() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(path: &Path, observation: Observation) -> Record {
        let mut record = Record::default();
        record.note(path, observation);
        record
    }

    #[test]
    fn a_changed_file_of_the_same_stamp_is_seen_when_the_stamp_is_young() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "old").unwrap();
        let record = noted(&path, Observation::file(&path, b"other"));
        assert!(!record.holds(0));
    }

    #[test]
    fn an_untouched_file_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "text").unwrap();
        // The hash is wrong on purpose: only the stamp can make this hold.
        let record = noted(&path, Observation::file(&path, b"not the text"));
        assert!(record.holds(i128::MAX));
    }

    #[test]
    fn a_file_that_appears_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let record = noted(&path, Observation::absent());
        assert!(record.holds(0));
        std::fs::write(&path, "").unwrap();
        assert!(!record.holds(0));
    }

    #[test]
    fn a_new_entry_of_a_folder_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let record = noted(folder.path(), Observation::folder(&crate::world::entries(folder.path()).unwrap()));
        assert!(record.holds(0));
        std::fs::write(folder.path().join("f"), "").unwrap();
        assert!(!record.holds(0));
    }
}
