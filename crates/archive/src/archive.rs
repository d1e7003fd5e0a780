//! The archive as a lock pins it: its indices and packages, fetched when needed and kept by hash.
//!
//! Everything lives in one directory that may be deleted at any time: `by-hash/` (Release and Packages files), `index/` (made
//! from them), `debs/` (downloaded packages), `solutions/` (see [`crate::solution`]). Files are trusted by their name because
//! they only get it after a check. Nothing is built or unpacked here.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::architecture::Architecture;
use crate::fetch::{Download, FetchError, Fetcher, Progress};
use crate::index::{BuildError, Index, IndexError, Package, Source, build_index};
use crate::lock::{Lock, LockedIndex, LockedSuite, hex};
use crate::search::{Found, all, search};

/// Raised when the index's bytes change for the same `Packages` texts.
const INDEX_FORMAT: &str = "1";

/// Why the archive cannot be used.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Files of the archive cannot be had.
    #[error("cannot fetch what the lock names")]
    Fetch(#[from] FetchError),
    /// The index is unreadable even after it was made anew.
    #[error("cannot use the package index")]
    Index(#[from] IndexError),
    /// The index cannot be made.
    #[error("cannot make the package index")]
    Build(#[from] BuildError),
    /// The lock has nothing for an architecture.
    #[error("the lock has no index for `{architecture}`\nhint: `esker update` pins Debian for every architecture")]
    NotLocked {
        /// The architecture.
        architecture: Architecture,
    },
    /// A `Packages` file does not decompress to text.
    #[error("cannot decompress `{path}`; delete it to have it fetched again")]
    Decompress {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: std::io::Error,
    },
    /// A file of the archive's directory cannot be accessed.
    #[error("cannot access `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An index could not be had before, and is not asked for again.
    #[error(transparent)]
    Before(Arc<ArchiveError>),
}

/// A pinned archive.
pub struct Archive {
    directory: PathBuf,
    lock: Lock,
    fetcher: Arc<dyn Fetcher>,
    indices: Mutex<[Option<Tried>; Architecture::ALL.len()]>,
}

/// How the first attempt at an index went. Whoever asks for a thousand packages waits for an archive that does not answer
/// once.
type Tried = Result<Arc<Index>, Arc<ArchiveError>>;

impl Archive {
    /// Opens the archive that `lock` pins, with `directory` for what it keeps. Nothing is read or fetched yet.
    pub fn open(directory: &Path, lock: Lock, fetcher: Arc<dyn Fetcher>) -> Self {
        Self { directory: directory.to_owned(), lock, fetcher, indices: Mutex::default() }
    }

    /// The lock.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The directory of what the archive keeps.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The index of an architecture; made (and its `Packages` files fetched) the first time a lock is used.
    ///
    /// Errors when it cannot be made; later calls fail likewise, at once.
    pub fn index(&self, architecture: Architecture) -> Result<Arc<Index>, ArchiveError> {
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = indices[architecture as usize]
            .get_or_insert_with(|| self.open_index(architecture).map(Arc::new).map_err(Arc::new));
        tried.clone().map_err(ArchiveError::Before)
    }

    fn open_index(&self, architecture: Architecture) -> Result<Index, ArchiveError> {
        let path = self.index_path(architecture);
        Index::open(&path).or_else(|error| {
            if path.exists() {
                tracing::warn!(path = %path.display(), %error, "making the package index anew");
            }
            self.build(architecture, &path)?;
            Ok(Index::open(&path)?)
        })
    }

    /// Runs `read` on an architecture's index; when a part of it turns out to be damaged, makes the index anew and runs it
    /// once more.
    pub fn with_index<T, E>(&self, architecture: Architecture, read: impl Fn(&Index) -> Result<T, E>) -> Result<T, E>
    where
        E: From<ArchiveError> + AsIndexError,
    {
        let result = read(&*self.index(architecture)?);
        let Err(error) = &result else { return result };
        if !matches!(error.as_index_error(), Some(IndexError::Corrupt { .. })) {
            return result;
        }
        let path = self.index_path(architecture);
        tracing::warn!(path = %path.display(), "the package index is damaged; making it anew");
        self.indices.lock().unwrap_or_else(PoisonError::into_inner)[architecture as usize] = None;
        self.build(architecture, &path)?;
        read(&*self.index(architecture)?)
    }

    /// The newest version of a package, or `None` when there is none of that name.
    pub fn candidate(&self, name: &str, architecture: Architecture) -> Result<Option<Package>, ArchiveError> {
        self.with_index(architecture, |index| match index.versions(name).first() {
            Some(&id) => Ok(Some(index.package(id)?)),
            None => Ok(None),
        })
    }

    /// All package names of an architecture, sorted.
    pub fn names(&self, architecture: Architecture) -> Result<Vec<String>, ArchiveError> {
        Ok(self.index(architecture)?.names().map(str::to_owned).collect())
    }

    /// Packages whose name or summary holds every word; see [`crate::search::search`].
    pub fn search(&self, words: &[&str], architecture: Architecture) -> Result<Vec<Found>, ArchiveError> {
        self.with_index(architecture, |index| Ok(search(index, words)?))
    }

    /// All packages of an architecture with their summaries, by name.
    pub fn summaries(&self, architecture: Architecture) -> Result<Vec<Found>, ArchiveError> {
        self.with_index(architecture, |index| Ok(all(index)?))
    }

    /// Where a package's .deb is kept once it was fetched.
    pub fn deb_path(&self, sha256: &str) -> PathBuf {
        self.directory.join("debs").join(format!("{sha256}.deb"))
    }

    /// Fetches the .debs that are not there yet, all together.
    pub fn fetch_debs<'a>(
        &self,
        packages: impl IntoIterator<Item = &'a Package>,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), ArchiveError> {
        let directory = self.directory.join("debs");
        std::fs::create_dir_all(&directory).map_err(|source| ArchiveError::File { path: directory, source })?;
        let downloads: Vec<Download> = packages
            .into_iter()
            .map(|package| Download {
                label: format!("{} {}", package.name, package.version),
                url: package.url(),
                sha256: Some(package.sha256.clone()),
                size: Some(package.size),
                target: self.deb_path(&package.sha256),
            })
            .collect();
        Ok(self.fetcher.fetch(&downloads, progress)?)
    }

    fn index_path(&self, architecture: Architecture) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(INDEX_FORMAT);
        for (suite, index) in self.lock.indices(architecture) {
            hasher.update(format!("{} {} {}\n", suite.name, suite.mirror, index.sha256));
        }
        let key = hex(&hasher.finalize()[..16]);
        self.directory.join("index").join(format!("{key}-{architecture}"))
    }

    /// Makes the index file: fetches what is missing, decompresses, sorts, and puts it in place whole.
    fn build(&self, architecture: Architecture, path: &Path) -> Result<(), ArchiveError> {
        let locked: Vec<(&LockedSuite, &LockedIndex)> = self.lock.indices(architecture).collect();
        if locked.is_empty() {
            return Err(ArchiveError::NotLocked { architecture });
        }
        self.fetch_indices(&locked)?;
        let texts = locked.iter().map(|(_, index)| self.read_index(index)).collect::<Result<Vec<_>, _>>()?;
        let sources: Vec<Source<'_>> = locked
            .iter()
            .zip(&texts)
            .map(|((suite, _), text)| Source { suite: &suite.name, mirror: suite.mirror, text })
            .collect();
        let bytes = build_index(architecture, &sources)?;
        write_atomically(path, &bytes).map_err(|source| ArchiveError::File { path: path.to_owned(), source })
    }

    /// By hash first, as that also works when the suite has moved on; by name for mirrors that have no `by-hash`.
    fn fetch_indices(&self, locked: &[(&LockedSuite, &LockedIndex)]) -> Result<(), ArchiveError> {
        let directory = self.directory.join("by-hash");
        std::fs::create_dir_all(&directory).map_err(|source| ArchiveError::File { path: directory.clone(), source })?;
        let downloads = |url: fn(&LockedSuite, &LockedIndex) -> crate::mirror::MirrorUrl| -> Vec<Download> {
            let download = |&(suite, index): &(&LockedSuite, &LockedIndex)| Download {
                label: format!("package index of {}/{} for {}", suite.name, index.component, index.architecture),
                url: url(suite, index),
                sha256: Some(index.sha256.clone()),
                size: Some(index.size),
                target: directory.join(&index.sha256),
            };
            locked.iter().map(download).collect()
        };
        match self.fetcher.fetch(&downloads(LockedSuite::by_hash_url), &mut |_| {}) {
            Err(FetchError::Downloads { .. }) => Ok(self.fetcher.fetch(&downloads(LockedSuite::url), &mut |_| {})?),
            result => Ok(result?),
        }
    }

    fn read_index(&self, index: &LockedIndex) -> Result<String, ArchiveError> {
        let path = self.directory.join("by-hash").join(&index.sha256);
        let file = std::fs::File::open(&path).map_err(|source| ArchiveError::File { path: path.clone(), source })?;
        let mut text = String::new();
        let mut decoder: Box<dyn Read> = if index.path.ends_with(".xz") {
            Box::new(liblzma::read::XzDecoder::new_multi_decoder(file))
        } else {
            Box::new(file)
        };
        decoder.read_to_string(&mut text).map_err(|source| ArchiveError::Decompress { path, source })?;
        Ok(text)
    }
}

/// Errors that may hold an index's, so that [`Archive::with_index`] can tell damage from other failures.
pub trait AsIndexError {
    /// The index's error, if that is what this is.
    fn as_index_error(&self) -> Option<&IndexError>;
}

impl AsIndexError for ArchiveError {
    fn as_index_error(&self) -> Option<&IndexError> {
        match self {
            Self::Index(error) => Some(error),
            Self::Before(error) => error.as_index_error(),
            _ => None,
        }
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    // Temporary files are private; this one is nobody's secret.
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
