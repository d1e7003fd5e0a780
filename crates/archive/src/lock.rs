//! `esker.lock`: which state of Debian's archive a configuration is built from.
//!
//! The lock is small and textual: for each suite the hash of its signed Release file and of the `Packages` indices that
//! Release vouches for. With the indices (found by hash) it determines every package; nothing in it depends on the host, the
//! mirror or the clock. Making one is [`crate::snapshot`]'s affair.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::architecture::Architecture;
use crate::mirror::{MirrorName, MirrorUrl};

/// The version of the lock's format that this program reads and writes.
const FORMAT: u32 = 1;

/// Why a lock could not be read.
#[derive(Debug, Error)]
pub enum LockError {
    /// The file cannot be read.
    #[error("cannot read the lock `{path}`")]
    Read {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or not a lock's.
    #[error("the lock is malformed; restore it from version control, or delete it and run `esker lock`")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A later version of Esker wrote it.
    #[error("the lock has format {found}, and this version of Esker reads {FORMAT}; use a newer Esker")]
    Format {
        /// The format it says it has.
        found: u32,
    },
    /// A value that no lock has.
    #[error("the lock's suite `{suite}` has `{value}` for {field}")]
    Value {
        /// The suite.
        suite: String,
        /// What the value was to be.
        field: &'static str,
        /// The value.
        value: String,
    },
}

/// A pinned state of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The suites, in order of preference for one and the same version.
    #[serde(rename = "suite")]
    pub suites: Vec<LockedSuite>,
}

/// One suite as it was when the lock was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedSuite {
    /// For instance `trixie-security`.
    pub name: String,
    /// The archive it is in.
    pub mirror: MirrorName,
    /// The point release (`13.2`), where the suite has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// When Debian made this state, as its Release file says.
    pub date: String,
    /// Until when Debian vouches that it is current. Only `esker update` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// SHA-256 of the signed `InRelease` file.
    pub in_release_sha256: String,
    /// Its indices.
    #[serde(rename = "index")]
    pub indices: Vec<LockedIndex>,
}

/// One `Packages` index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedIndex {
    /// Debian's name of the architecture.
    pub architecture: String,
    /// `main` or `non-free-firmware`.
    pub component: String,
    /// The path below `dists/<suite>/`.
    pub path: String,
    /// SHA-256 of that (compressed) file, hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Lock {
    /// A lock of these suites.
    pub fn new(suites: Vec<LockedSuite>) -> Self {
        Self { version: FORMAT, suites }
    }

    /// Reads and parses a lock.
    pub fn load(path: &Path) -> Result<Self, LockError> {
        let text = std::fs::read_to_string(path).map_err(|source| LockError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Parses a lock's text. Errors when it is malformed or of a later format.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        /// Read first, so that a later format is named as such and not as an unknown field.
        #[derive(Deserialize)]
        struct Format {
            version: u32,
        }
        let syntax = |error| LockError::Syntax(Box::new(error));
        let Format { version } = toml::from_str(text).map_err(syntax)?;
        if version != FORMAT {
            return Err(LockError::Format { found: version });
        }
        let lock: Self = toml::from_str(text).map_err(syntax)?;
        for suite in &lock.suites {
            suite.check()?;
        }
        Ok(lock)
    }

    /// The lock's text; parsing it gives the lock again.
    pub fn to_toml(&self) -> String {
        use std::fmt::Write;
        let mut text = String::from(
            "# Written by `esker lock` and `esker update`: the state of Debian's archive this is built from.\n",
        );
        // Writing into a string cannot fail.
        let _ = writeln!(text, "version = {}", self.version);
        for suite in &self.suites {
            text += &suite.to_toml();
        }
        text
    }

    /// What identifies the lock: a hash over everything in it, hexadecimal. Spelling and comments do not matter.
    pub fn key(&self) -> String {
        hex(&Sha256::digest(self.to_toml().as_bytes()))
    }

    /// The indices of one architecture, in the lock's order.
    pub fn indices(&self, architecture: Architecture) -> impl Iterator<Item = (&LockedSuite, &LockedIndex)> {
        self.suites.iter().flat_map(move |suite| {
            suite
                .indices
                .iter()
                .filter(move |index| index.architecture == architecture.debian())
                .map(move |index| (suite, index))
        })
    }
}

impl LockedSuite {
    /// Where one of its indices is found by name.
    pub fn url(&self, index: &LockedIndex) -> MirrorUrl {
        MirrorUrl { mirror: self.mirror, path: format!("dists/{}/{}", self.name, index.path) }
    }

    /// Where one of its indices is found by hash, also for some time after the suite moved on.
    pub fn by_hash_url(&self, index: &LockedIndex) -> MirrorUrl {
        let directory = index.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        MirrorUrl {
            mirror: self.mirror,
            path: format!("dists/{}/{directory}/by-hash/SHA256/{}", self.name, index.sha256),
        }
    }

    /// These values become parts of file names and addresses.
    fn check(&self) -> Result<(), LockError> {
        let fail =
            |field, value: &str| Err(LockError::Value { suite: self.name.clone(), field, value: value.to_owned() });
        let is_hash = |text: &str| {
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_path = |text: &str| text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_path(&self.name) {
            return fail("its name", &self.name);
        }
        if !is_hash(&self.in_release_sha256) {
            return fail("the hash of its InRelease", &self.in_release_sha256);
        }
        for index in &self.indices {
            if !is_hash(&index.sha256) {
                return fail("the hash of an index", &index.sha256);
            }
            if !is_path(&index.path) {
                return fail("the path of an index", &index.path);
            }
        }
        Ok(())
    }

    fn to_toml(&self) -> String {
        let mut text = format!("\n[[suite]]\nname = \"{}\"\nmirror = \"{}\"\n", self.name, self.mirror);
        let mut field = |name: &str, value: &str| {
            // TOML's basic strings escape as JSON's do.
            text += &format!("{name} = {}\n", serde_json::Value::from(value));
        };
        self.release.iter().for_each(|release| field("release", release));
        field("date", &self.date);
        self.valid_until.iter().for_each(|date| field("valid-until", date));
        field("in-release-sha256", &self.in_release_sha256);
        if self.indices.is_empty() {
            return text + "index = []\n";
        }
        text += "index = [\n";
        for index in &self.indices {
            text += &format!(
                "  {{ architecture = \"{}\", component = \"{}\", path = \"{}\", sha256 = \"{}\", size = {} }},\n",
                index.architecture, index.component, index.path, index.sha256, index.size
            );
        }
        text + "]\n"
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Lock {
        Lock::new(vec![LockedSuite {
            name: "trixie".to_owned(),
            mirror: MirrorName::Debian,
            release: Some("13.2".to_owned()),
            date: "Sat, 12 Sep 2026 07:55:41 UTC".to_owned(),
            valid_until: None,
            in_release_sha256: "a".repeat(64),
            indices: vec![LockedIndex {
                architecture: "amd64".to_owned(),
                component: "main".to_owned(),
                path: "main/binary-amd64/Packages.xz".to_owned(),
                sha256: "b".repeat(64),
                size: 12,
            }],
        }])
    }

    #[test]
    fn round_trips() {
        let lock = example();
        assert_eq!(Lock::parse(&lock.to_toml()).unwrap(), lock);
        assert_eq!(lock.key(), Lock::parse(&format!("# other\n{}", lock.to_toml())).unwrap().key());
        let mut other = lock.clone();
        other.suites[0].indices[0].size = 13;
        assert_ne!(lock.key(), other.key());
    }

    #[test]
    fn finds_indices_by_name_and_by_hash() {
        let lock = example();
        let (suite, index) = lock.indices(Architecture::Amd64).next().unwrap();
        assert_eq!(suite.url(index).to_string(), "mirror://debian/dists/trixie/main/binary-amd64/Packages.xz");
        assert_eq!(
            suite.by_hash_url(index).to_string(),
            format!("mirror://debian/dists/trixie/main/binary-amd64/by-hash/SHA256/{}", "b".repeat(64))
        );
        assert_eq!(lock.indices(Architecture::Arm64).count(), 0);
    }

    #[test]
    fn names_what_is_wrong() {
        let text = example().to_toml();
        let error = |text: &str| Lock::parse(text).unwrap_err().to_string();
        assert_eq!(
            error(&text.replace("version = 1", "version = 2")),
            "the lock has format 2, and this version of Esker reads 1; use a newer Esker"
        );
        assert!(error("version = 1\nsuit = 3\n").starts_with("the lock is malformed"));
        assert_eq!(
            error(&text.replace(&"b".repeat(64), "../x")),
            "the lock's suite `trixie` has `../x` for the hash of an index"
        );
        assert!(matches!(Lock::load(Path::new("/nonexistent/esker.lock")), Err(LockError::Read { .. })));
    }
}
