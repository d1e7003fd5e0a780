//! `mirror://debian/…` addresses: files of Debian's archives without saying which host serves them.
//!
//! Derivations, locks and the store only ever hold these; a host's name comes in when something is fetched, and stays there.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One of Debian's archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MirrorName {
    /// The main archive: trixie, trixie-updates.
    #[serde(rename = "debian")]
    Debian,
    /// Security updates: trixie-security.
    #[serde(rename = "debian-security")]
    DebianSecurity,
}

impl MirrorName {
    /// Both archives.
    pub const ALL: [Self; 2] = [Self::Debian, Self::DebianSecurity];

    /// The name as it stands after `mirror://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::DebianSecurity => "debian-security",
        }
    }

    /// The environment variable that lists mirrors of it.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Debian => "ESKER_MIRROR_DEBIAN",
            Self::DebianSecurity => "ESKER_MIRROR_DEBIAN_SECURITY",
        }
    }
}

impl fmt::Display for MirrorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that is no mirror address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{url}` is not `mirror://debian/PATH` or `mirror://debian-security/PATH`")]
pub struct MirrorUrlError {
    /// The text.
    pub url: String,
}

/// A file of an archive, wherever that archive is mirrored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MirrorUrl {
    /// The archive.
    pub mirror: MirrorName,
    /// The path below the archive's root, without a leading slash: `pool/main/…` or `dists/…`.
    pub path: String,
}

impl MirrorUrl {
    /// Reads `mirror://debian/pool/…`. Errors when the archive is unknown, or the path is empty or climbs with `..`.
    pub fn parse(url: &str) -> Result<Self, MirrorUrlError> {
        let parsed = url.strip_prefix("mirror://").and_then(|rest| rest.split_once('/')).and_then(|(name, path)| {
            let mirror = MirrorName::ALL.into_iter().find(|mirror| mirror.as_str() == name)?;
            let clean = !path.is_empty() && path.split('/').all(|part| !part.is_empty() && part != "..");
            clean.then(|| Self { mirror, path: path.to_owned() })
        });
        parsed.ok_or_else(|| MirrorUrlError { url: url.to_owned() })
    }
}

impl fmt::Display for MirrorUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "mirror://{}/{}", self.mirror, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for url in ["mirror://debian/pool/main/b/bash/bash_5_amd64.deb", "mirror://debian-security/dists/x/InRelease"] {
            assert_eq!(MirrorUrl::parse(url).unwrap().to_string(), url);
        }
    }

    #[test]
    fn rejects_other_addresses() {
        for url in [
            "https://debian/x",
            "mirror://ubuntu/x",
            "mirror://debian",
            "mirror://debian/",
            "mirror://debian/a/../b",
            "mirror://debian//a",
        ] {
            assert!(MirrorUrl::parse(url).is_err(), "{url}");
        }
    }
}
