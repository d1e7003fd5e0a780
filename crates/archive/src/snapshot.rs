//! Making a lock: which suites Esker follows, what they are now, and that Debian says so.
//!
//! Fetches the signed Release file of each suite, checks signature, age and order, and notes the hashes of the indices. The
//! indices themselves are fetched by whoever opens the archive. Only this step looks at the clock, and only as a number that
//! the caller gives; builds never do.
//!
//! Source: apt-secure(8), <https://wiki.debian.org/DebianRepository/Format>.

use std::path::{Path, PathBuf};

use deb_formats::release::{Release, ReleaseDate, ReleaseError};
use thiserror::Error;

use crate::architecture::Architecture;
use crate::fetch::{Download, FetchError, Fetcher, hash_file};
use crate::lock::{Lock, LockedIndex, LockedSuite};
use crate::mirror::{MirrorName, MirrorUrl};
use crate::signature::{Keyring, SignatureError};

/// The suites of Debian 13, in order of preference for one and the same version.
const SUITES: [(&str, MirrorName); 3] = [
    ("trixie", MirrorName::Debian),
    ("trixie-updates", MirrorName::Debian),
    ("trixie-security", MirrorName::DebianSecurity),
];

/// The components Esker uses: free software, and the firmware without which hardware does not work.
const COMPONENTS: [&str; 2] = ["main", "non-free-firmware"];

/// Why no lock could be made. The old one stays as it is.
#[derive(Debug, Error)]
pub enum UpdateError {
    /// A Release file cannot be fetched.
    #[error("cannot fetch the state of Debian's archive")]
    Fetch(#[from] FetchError),
    /// A local file cannot be read or written.
    #[error("cannot access `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A Release file is not signed by a trusted key. Nothing in it is believed.
    #[error("the Release file of `{suite}` is not accepted as Debian's")]
    Signature {
        /// The suite.
        suite: String,
        /// Why.
        #[source]
        source: SignatureError,
    },
    /// A Release file is malformed.
    #[error("the Release file of `{suite}` is malformed")]
    Release {
        /// The suite.
        suite: String,
        /// Why.
        #[source]
        source: ReleaseError,
    },
    /// A properly signed Release file, but of another suite.
    #[error("the mirror gave the Release file of `{found}` for `{suite}`")]
    Suite {
        /// The suite asked for.
        suite: String,
        /// The suite that came.
        found: String,
    },
    /// The mirror stopped, or someone replays an old state.
    #[error(
        "the Release file of `{suite}` expired on {valid_until}; the mirror is out of date: try another one, or accept it with \
         `--accept-expired` where it is frozen on purpose"
    )]
    Expired {
        /// The suite.
        suite: String,
        /// Its `Valid-Until`.
        valid_until: String,
    },
    /// The mirror is behind what the lock already has.
    #[error(
        "the mirror has `{suite}` of {found}, which is older than the lock's of {locked}; the mirror is out of date, try another one"
    )]
    Older {
        /// The suite.
        suite: String,
        /// The date found.
        found: String,
        /// The date in the lock.
        locked: String,
    },
    /// A suite lacks an index.
    #[error("the Release file of `{suite}` lists no index `{path}`")]
    NoIndex {
        /// The suite.
        suite: String,
        /// The index.
        path: String,
    },
}

impl UpdateError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Signature { .. } => Some(
                "the mirror, or something on the way to it, gave another file than Debian's; the lock is as it was: try \
                 again, or name another mirror with `--mirror`",
            ),
            _ => None,
        }
    }
}

/// Whether a `Valid-Until` in the past is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is.
    Check,
    /// It is not: for a mirror that is frozen on purpose.
    Accept,
}

/// What making a lock needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The archive's directory of files by hash; where [`crate::Archive`] looks.
    pub directory: &'a Path,
    /// The lock so far: no suite may become older than in it.
    pub old: Option<&'a Lock>,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// What to do about `Valid-Until`.
    pub expiry: Expiry,
    /// Whose signatures count.
    pub keyring: &'a Keyring,
}

/// Pins the archive as it is now.
pub fn update_lock(fetcher: &dyn Fetcher, update: &Update<'_>) -> Result<Lock, UpdateError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| UpdateError::File { path, source }
    };
    let by_hash = update.directory.join("by-hash");
    std::fs::create_dir_all(&by_hash).map_err(file_error(&by_hash))?;
    // On the same file system as its final place, and gone when anything fails.
    let incoming = tempfile::tempdir_in(update.directory).map_err(file_error(update.directory))?;
    let downloads = SUITES.map(|(suite, mirror)| Download {
        label: format!("state of {suite}"),
        url: MirrorUrl { mirror, path: format!("dists/{suite}/InRelease") },
        sha256: None,
        size: None,
        target: incoming.path().join(suite),
    });
    fetcher.fetch(&downloads, &mut |_| {})?;
    let mut suites = Vec::new();
    for ((name, mirror), download) in SUITES.into_iter().zip(&downloads) {
        let text = std::fs::read_to_string(&download.target).map_err(file_error(&download.target))?;
        let signed = update
            .keyring
            .verify(&text, update.now)
            .map_err(|source| UpdateError::Signature { suite: name.to_owned(), source })?;
        let in_release_sha256 = hash_file(&download.target).map_err(file_error(&download.target))?;
        suites.push(locked_suite(name, mirror, &signed, in_release_sha256, update)?);
    }
    // Kept, so that a lock's origin can be shown later.
    for (download, suite) in downloads.iter().zip(&suites) {
        let path = by_hash.join(&suite.in_release_sha256);
        std::fs::rename(&download.target, &path).map_err(file_error(&path))?;
    }
    Ok(Lock::new(suites))
}

/// Reads the signed text of a Release file into what the lock keeps of it.
fn locked_suite(
    name: &str,
    mirror: MirrorName,
    signed: &str,
    in_release_sha256: String,
    update: &Update<'_>,
) -> Result<LockedSuite, UpdateError> {
    let suite = || name.to_owned();
    let release = Release::parse(signed).map_err(|source| UpdateError::Release { suite: suite(), source })?;
    if release.codename != name {
        return Err(UpdateError::Suite { suite: suite(), found: release.codename });
    }
    if let Some(valid_until) =
        release.valid_until.as_ref().filter(|date| update.expiry == Expiry::Check && date.unix_seconds() < update.now)
    {
        return Err(UpdateError::Expired { suite: suite(), valid_until: valid_until.text().to_owned() });
    }
    let locked = update.old.and_then(|lock| lock.suites.iter().find(|suite| suite.name == name));
    if let Some(locked) = locked.filter(|locked| {
        ReleaseDate::parse(&locked.date).is_some_and(|date| date.unix_seconds() > release.date.unix_seconds())
    }) {
        return Err(UpdateError::Older {
            suite: suite(),
            found: release.date.text().to_owned(),
            locked: locked.date.clone(),
        });
    }
    let mut indices = Vec::new();
    for architecture in Architecture::ALL {
        for component in COMPONENTS {
            let path = format!("{component}/binary-{architecture}/Packages.xz");
            let file =
                release.files.get(&path).ok_or_else(|| UpdateError::NoIndex { suite: suite(), path: path.clone() })?;
            indices.push(LockedIndex {
                architecture: architecture.debian().to_owned(),
                component: component.to_owned(),
                path,
                sha256: file.sha256.clone(),
                size: file.size,
            });
        }
    }
    Ok(LockedSuite {
        name: suite(),
        mirror,
        release: release.version,
        date: release.date.text().to_owned(),
        valid_until: release.valid_until.map(|date| date.text().to_owned()),
        in_release_sha256,
        indices,
    })
}

#[cfg(test)]
mod tests;
