//! Getting files from mirrors: what a download is, what a fetcher must do, and the check that no fetcher can skip.
//!
//! Two fetchers: [`AptFetcher`] uses apt's downloader where there is one, [`HttpFetcher`] speaks HTTP itself. Both take [`Mirrors`].
//! Which host serves a file is the fetcher's knowledge alone. Every file is checked against its SHA-256 here, whoever fetched
//! it, before it gets its final name. Files that the archive no longer has are errors that say what to do.

mod apt;
mod http;
mod interrupt;
mod sources;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use apt::AptFetcher;
pub use http::HttpFetcher;
pub use interrupt::Interrupt;
pub use sources::{Mirrors, SourcesError};

use crate::lock::hex;
use crate::mirror::{MirrorName, MirrorUrl};

/// A file to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What it is for people: a package's name and version, or an index.
    pub label: String,
    /// Where it is.
    pub url: MirrorUrl,
    /// The SHA-256 it must have, hexadecimal. `None` only for signed files.
    pub sha256: Option<String>,
    /// Its length in bytes, when known.
    pub size: Option<u64>,
    /// The file to write. Exists only whole and checked; parts lie beside it as `.part`.
    pub target: PathBuf,
}

/// Why one file could not be had.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The mirrors do not have the file (any more).
    #[error("{label}: no mirror has `{url}` (any more)")]
    Gone {
        /// The download's label.
        label: String,
        /// The file.
        url: MirrorUrl,
    },
    /// The mirrors could not be reached, or failed midway.
    #[error("{label}: cannot fetch `{url}`: {reason}")]
    Failed {
        /// The download's label.
        label: String,
        /// The file.
        url: MirrorUrl,
        /// What the downloader said.
        reason: String,
    },
    /// The network must not be touched.
    #[error("{label}: cannot fetch `{url}`: --offline forbids fetching it")]
    Offline {
        /// The download's label.
        label: String,
        /// The file.
        url: MirrorUrl,
    },
    /// The file is not what the lock says.
    #[error("{label}: `{url}` has the wrong SHA-256: expected {expected}, got {found}")]
    Hash {
        /// The download's label.
        label: String,
        /// The file.
        url: MirrorUrl,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The file cannot be written here.
    #[error("{label}: cannot write `{path}`")]
    Write {
        /// The download's label.
        label: String,
        /// The local file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DownloadError {
    /// The download's label.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Gone { label, .. }
            | Self::Failed { label, .. }
            | Self::Offline { label, .. }
            | Self::Hash { label, .. }
            | Self::Write { label, .. } => label,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Gone { .. } => Some(
                "the archive has moved on since the lock was made; run `esker update`, or name a mirror that keeps old files with `--mirror`",
            ),
            Self::Failed { .. } => {
                Some("run the same command again: what came so far is kept, and it goes on from there")
            }
            Self::Hash { .. } => Some(
                "what the mirror gave was thrown away; run the same command again, or name another mirror with \
                 `--mirror`",
            ),
            Self::Offline { .. } => Some("run the same command once without --offline"),
            Self::Write { .. } => None,
        }
    }
}

/// Why a batch of downloads did not succeed.
#[derive(Debug, Error)]
pub enum FetchError {
    /// Some files could not be had; the others were fetched and kept.
    #[error("{} could not be fetched:\n{}{}", count(errors), lines(errors), hints(errors))]
    Downloads {
        /// One error for each file, in the order asked for.
        errors: Vec<DownloadError>,
    },
    /// The user wanted no more; what came so far is kept.
    #[error("fetching was cancelled")]
    Cancelled,
    /// The downloader cannot be run.
    #[error("cannot run `{program}`")]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder of downloads cannot be locked.
    #[error("cannot lock `{path}`")]
    Lock {
        /// The file that is locked.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No mirror is known for an archive.
    #[error("no mirror of the archive `{mirror}` is known")]
    NoMirror {
        /// The archive.
        mirror: MirrorName,
    },
    /// The host's list of mirrors cannot be read.
    #[error("cannot read the host's package sources")]
    Sources(#[from] SourcesError),
}

impl FetchError {
    /// What a person can do about it. Hints about single files stand in the text itself.
    pub fn hint(&self) -> Option<String> {
        let Self::NoMirror { mirror } = self else { return None };
        Some(format!(
            "name one with `--mirror {mirror}=ADDRESS` or in {}; a machine that Esker made keeps it in the option \
             `esker.mirrors.{mirror}`",
            mirror.variable()
        ))
    }
}

fn count(errors: &[DownloadError]) -> String {
    if errors.len() == 1 { "a file".to_owned() } else { format!("{} files", errors.len()) }
}

fn lines(errors: &[DownloadError]) -> String {
    let shown: Vec<String> = errors
        .iter()
        .map(|error| match std::error::Error::source(error) {
            Some(source) => format!("  {error}: {source}"),
            None => format!("  {error}"),
        })
        .collect();
    shown.join("\n")
}

/// What can be done about each kind of failure, one line per kind.
fn hints(errors: &[DownloadError]) -> String {
    let hints: std::collections::BTreeSet<&str> = errors.iter().filter_map(DownloadError::hint).collect();
    hints.into_iter().map(|hint| format!("\nhint: {hint}")).collect()
}

/// What a fetcher tells while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of all files of the batch that are there so far.
    pub received_bytes: u64,
    /// Bytes of the whole batch, as far as sizes are known.
    pub total_bytes: u64,
    /// Files that are complete.
    pub files_done: usize,
    /// Files of the batch.
    pub files_total: usize,
}

/// Fetches files of Debian's archives.
pub trait Fetcher: Send + Sync {
    /// Fetches every file of the batch to its target and checks it; targets that exist are trusted and left alone. Tries them
    /// all before it reports the failures together. What an interrupted run left is resumed or begun anew.
    fn fetch(&self, downloads: &[Download], progress: &mut dyn FnMut(&Progress)) -> Result<(), FetchError>;
}

impl Mirrors {
    /// Errors when an archive that a download needs has no mirror.
    fn must_have<'d>(&self, mut downloads: impl Iterator<Item = &'d Download>) -> Result<(), FetchError> {
        let missing = downloads.find(|download| self.of(download.url.mirror).is_empty());
        missing.map_or(Ok(()), |download| Err(FetchError::NoMirror { mirror: download.url.mirror }))
    }
}

/// Where a download grows before it is checked.
fn part_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Checks a downloaded part and gives it its final name; the part goes if it is wrong.
fn accept(download: &Download, part: &Path) -> Result<(), DownloadError> {
    let write = |source| DownloadError::Write { label: download.label.clone(), path: download.target.clone(), source };
    if let Some(expected) = &download.sha256 {
        let found = hash_file(part).map_err(write)?;
        if found != *expected {
            std::fs::remove_file(part).map_err(write)?;
            let (label, url) = (download.label.clone(), download.url.clone());
            return Err(DownloadError::Hash { label, url, expected: expected.clone(), found });
        }
    }
    // From a `file:` mirror apt only makes a link, which would not outlive the mirror.
    if std::fs::symlink_metadata(part).map_err(write)?.is_symlink() {
        let bytes = std::fs::read(part).map_err(write)?;
        std::fs::remove_file(part).and_then(|()| std::fs::write(part, bytes)).map_err(write)?;
    }
    // Without this a power cut could leave a file of the right name and no content, which would then be trusted.
    File::open(part).and_then(|file| file.sync_all()).map_err(write)?;
    std::fs::rename(part, &download.target).map_err(write)
}

/// SHA-256 of a file, hexadecimal.
///
/// Errors when it cannot be read.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..length]);
    }
}
