//! `manifest.json`: what a generation wants in /etc, and the record of what the last activation put there. The structs
//! are the contract with `builtin:etc`. Values only: nothing here looks at /etc.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::root::Ownership;
use crate::toplevel::Mode;

/// What activation writes into /etc from other sources than the manifest.
pub const RESERVED: [&str; 10] = [
    ".esker-manifest.json",
    ".esker-replaced",
    "group",
    "gshadow",
    "machine-id",
    "passwd",
    "shadow",
    "static",
    "subgid",
    "subuid",
];

/// `<etc>/manifest.json`: sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcManifest {
    /// What to put into /etc. Directories on the way to an entry are implied (mode 0755, root) unless declared.
    pub entries: Vec<EtcEntry>,
}

/// One file, link or directory in /etc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcEntry {
    /// Relative to /etc, without `.` and `..`.
    pub path: String,
    /// What it is.
    pub kind: EtcKind,
    /// For links: the verbatim target. Absent means `/etc/static/<path>`, which follows the current generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// For copies and directories: permission bits as octal text; default `0644` and `0755`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// For copies and directories: owner; default root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// For copies and directories: group; default root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// Kind of an [`EtcEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EtcKind {
    /// A symbolic link.
    Link,
    /// A regular file with the content of `<etc>/etc/<path>`.
    Copy,
    /// A directory.
    Directory,
}

/// What the last activation put into /etc, kept at `/etc/.esker-manifest.json`: beside what it describes, so that both
/// vanish together where /etc is a tmpfs and both stay where it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcRecord {
    /// Target path of the tree that copies were made from; to tell a local edit from an old copy.
    pub static_etc: PathBuf,
    /// What was declared.
    pub manifest: EtcManifest,
}

/// Why a manifest makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestError {
    /// A path that could leave /etc or name it itself.
    #[error("the /etc manifest has the path `{path}`, which is not a plain relative path")]
    Path {
        /// As written.
        path: String,
    },
    /// Two entries for one path.
    #[error("the /etc manifest declares `{path}` twice")]
    Duplicate {
        /// As written.
        path: String,
    },
    /// Something below a link or a file.
    #[error("the /etc manifest declares `{path}` below `{parent}`, which is not a directory")]
    BelowFile {
        /// The entry below.
        path: String,
        /// The link or copy.
        parent: String,
    },
}

impl EtcEntry {
    /// A link that follows the generation.
    pub fn link(path: impl Into<String>) -> Self {
        Self::new(path, EtcKind::Link)
    }

    /// An entry with nothing but defaults.
    pub fn new(path: impl Into<String>, kind: EtcKind) -> Self {
        Self { path: path.into(), kind, target: None, mode: None, uid: None, gid: None }
    }

    /// Where a link points to.
    pub fn link_target(&self) -> PathBuf {
        match &self.target {
            Some(target) => PathBuf::from(target),
            None => Path::new("/etc/static").join(&self.path),
        }
    }

    /// Mode and owner of a copy or directory.
    pub fn ownership(&self) -> Ownership {
        let usual = if self.kind == EtcKind::Directory { 0o755 } else { 0o644 };
        Ownership {
            mode: self.mode.map_or(usual, |mode| mode.0),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
        }
    }
}

impl EtcManifest {
    /// Takes out what activation writes itself, and answers what went: a package's default must not keep a machine from
    /// booting.
    pub fn remove_reserved(&mut self) -> Vec<String> {
        let is_reserved = |entry: &EtcEntry| RESERVED.contains(&entry.path.as_str());
        let (reserved, entries) = std::mem::take(&mut self.entries).into_iter().partition(is_reserved);
        self.entries = entries;
        Vec::into_iter(reserved).map(|entry| entry.path).collect()
    }

    /// Checks what the planner relies on. Errors name the offending entry.
    pub fn check(&self) -> Result<(), ManifestError> {
        let mut files = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for entry in &self.entries {
            if entry.path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(ManifestError::Path { path: entry.path.clone() });
            }
            if !seen.insert(entry.path.as_str()) {
                return Err(ManifestError::Duplicate { path: entry.path.clone() });
            }
            if entry.kind != EtcKind::Directory {
                files.insert(entry.path.as_str());
            }
        }
        for entry in &self.entries {
            if let Some(parent) = ancestors(&entry.path).find(|parent| files.contains(parent)) {
                return Err(ManifestError::BelowFile { path: entry.path.clone(), parent: parent.to_owned() });
            }
        }
        Ok(())
    }

    /// The directories that entries need and none declares.
    pub(crate) fn implied_directories(&self) -> BTreeSet<&str> {
        let mut implied: BTreeSet<&str> = self.entries.iter().flat_map(|entry| ancestors(&entry.path)).collect();
        for entry in &self.entries {
            implied.remove(entry.path.as_str());
        }
        implied
    }
}

/// `a/b/c` → `a/b`, `a`.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |above| parent(above))
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(above, _)| above)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entries: Vec<EtcEntry>) -> EtcManifest {
        EtcManifest { entries }
    }

    #[test]
    fn the_json_of_the_contract_is_read() {
        let text = r#"{"entries":[
            {"path":"hosts","kind":"link"},
            {"path":"localtime","kind":"link","target":"/usr/share/zoneinfo/UTC"},
            {"path":"sudoers","kind":"copy","mode":"0440"},
            {"path":"ssl/private","kind":"directory","mode":"0710","gid":101}]}"#;
        let manifest: EtcManifest = serde_json::from_str(text).unwrap();
        assert_eq!(manifest.check(), Ok(()));
        assert_eq!(manifest.entries[0].link_target(), Path::new("/etc/static/hosts"));
        assert_eq!(manifest.entries[1].link_target(), Path::new("/usr/share/zoneinfo/UTC"));
        assert_eq!(manifest.entries[2].ownership(), Ownership { mode: 0o440, uid: 0, gid: 0 });
        assert_eq!(manifest.entries[3].ownership(), Ownership { mode: 0o710, uid: 0, gid: 101 });
        assert_eq!(manifest.implied_directories().into_iter().collect::<Vec<_>>(), ["ssl"]);
        let again = serde_json::to_value(&manifest).unwrap();
        assert_eq!(serde_json::from_value::<EtcManifest>(again).unwrap(), manifest);
    }

    #[test]
    fn paths_that_leave_etc_are_refused() {
        for path in ["", "/passwd", "../x", "a/../b", "./a", "a/", "a//b"] {
            let found = manifest(vec![EtcEntry::link(path)]).check();
            assert_eq!(found, Err(ManifestError::Path { path: path.to_owned() }), "{path}");
        }
    }

    #[test]
    fn what_activation_writes_itself_is_taken_out() {
        let mut found = manifest(vec![EtcEntry::new("passwd", EtcKind::Copy), EtcEntry::link("a")]);
        assert_eq!(found.remove_reserved(), ["passwd"]);
        assert_eq!(found.entries, [EtcEntry::link("a")]);
    }

    #[test]
    fn contradictions_are_refused() {
        let twice = manifest(vec![EtcEntry::link("a"), EtcEntry::new("a", EtcKind::Copy)]);
        assert_eq!(twice.check(), Err(ManifestError::Duplicate { path: "a".into() }));
        let below = manifest(vec![EtcEntry::link("a/b"), EtcEntry::link("a/b/c/d")]);
        assert_eq!(below.check(), Err(ManifestError::BelowFile { path: "a/b/c/d".into(), parent: "a/b".into() }));
    }
}
