//! Binary caches: signed narinfo files and compressed NARs, read by `Substituter`, written by `export_closure`.

mod cache;
mod export;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix_formats::nar::NarError;
use nix_formats::narinfo::NarInfoError;
use nix_formats::signature::PublicKey;
use nix_formats::{ContentAddressMethod, NarInfo, ReferenceSet, StoreDir, StorePath};
use store::{NarDigest, PathInfo};

pub use cache::{BinaryCache, FileCache, HttpCache};
pub use export::{ExportReport, export_closure, generate_key};

use crate::cancel::Cancellation;
use crate::error::FailureReason;
use crate::plan::PlannedSubstitution;

/// Why a binary cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Reading from it failed.
    #[error("could not read `{file}` from the cache `{cache}`")]
    Read {
        /// The cache.
        cache: String,
        /// The file in it.
        file: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A narinfo is malformed.
    #[error("the cache `{cache}` says nonsense about `{path}`")]
    NarInfo {
        /// The cache.
        cache: String,
        /// The path.
        path: StorePath,
        /// What is wrong.
        #[source]
        source: NarInfoError,
    },
    /// The NAR is compressed in a way we cannot read.
    #[error("`{path}` is compressed with `{compression}` in the cache `{cache}`, which is not supported")]
    Compression {
        /// The cache.
        cache: String,
        /// The path.
        path: StorePath,
        /// The compression.
        compression: String,
    },
    /// A file of the cache breaks off, or is none of those that it should be.
    #[error("the cache `{cache}` has a damaged `{file}`")]
    Damaged {
        /// The cache.
        cache: String,
        /// The file in it.
        file: String,
        /// Where it ended.
        #[source]
        source: store::StoreError,
    },
    /// The contents are not what the narinfo says.
    #[error("the cache `{cache}` has other contents for `{path}` than it signed: expected {expected}, got {actual}")]
    Contents {
        /// The cache.
        cache: String,
        /// The path.
        path: StorePath,
        /// The hash in the narinfo.
        expected: String,
        /// The hash of the contents.
        actual: String,
    },
    /// Writing a cache failed.
    #[error("could not {action} `{}` of the cache", path.display())]
    Write {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// At most so many questions at once.
const MAX_QUESTIONS: usize = 16;

type Answer = Option<(usize, NarInfo)>;

/// Asks caches, believes only trusted signatures, and remembers the answers.
pub struct Substituter<'s> {
    dir: &'s StoreDir,
    caches: &'s [Box<dyn BinaryCache>],
    trusted_keys: &'s [PublicKey],
    answers: Mutex<BTreeMap<StorePath, Answer>>,
}

impl<'s> Substituter<'s> {
    /// Caches in the order in which they are asked.
    #[must_use]
    pub fn new(dir: &'s StoreDir, caches: &'s [Box<dyn BinaryCache>], trusted_keys: &'s [PublicKey]) -> Self {
        Self { dir, caches, trusted_keys, answers: Mutex::default() }
    }

    /// Asks about many paths at once, so that `find` knows.
    pub(crate) fn prefetch(&self, paths: BTreeSet<StorePath>) {
        if self.caches.is_empty() {
            return;
        }
        let unknown: Vec<StorePath> = {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            paths.into_iter().filter(|path| !answers.contains_key(path)).collect()
        };
        let share = unknown.len().div_ceil(MAX_QUESTIONS).max(1);
        std::thread::scope(|scope| {
            for share in unknown.chunks(share) {
                scope.spawn(move || {
                    for path in share {
                        // An error comes again when the answer is needed.
                        let _ = self.find(path);
                    }
                });
            }
        });
    }

    /// The first trustworthy answer about a path: which cache, and what it says.
    ///
    /// Errors when a cache answers nonsense. One that cannot be reached counts as not having the path.
    pub fn find(&self, path: &StorePath) -> Result<Option<(usize, NarInfo)>, CacheError> {
        if let Some(answer) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(answer.clone());
        }
        let answer = self.ask(path)?;
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), answer.clone());
        Ok(answer)
    }

    fn ask(&self, path: &StorePath) -> Result<Answer, CacheError> {
        for (i, cache) in self.caches.iter().enumerate() {
            let text = match cache.narinfo(&path.hash_part()) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(cache = cache.url(), %path, error = %diagnostics::one_line(&error), "a binary cache does not answer");
                    continue;
                }
            };
            let info = NarInfo::parse(&text, self.dir).map_err(|source| CacheError::NarInfo {
                cache: cache.url().to_owned(),
                path: path.clone(),
                source,
            })?;
            if info.path != *path {
                continue;
            }
            if self.is_trusted(&info) {
                return Ok(Some((i, info)));
            }
            tracing::warn!(cache = cache.url(), %path, "not signed by a trusted key, so it is not used");
        }
        Ok(None)
    }

    /// Signed by somebody trusted, or with a name that vouches for the contents.
    fn is_trusted(&self, info: &NarInfo) -> bool {
        info.fingerprint().is_signed_by(self.dir, &info.signatures, self.trusted_keys) || self.names_its_contents(info)
    }

    fn names_its_contents(&self, info: &NarInfo) -> bool {
        // Only when the address speaks of the NAR itself does checking the NAR's hash check the name.
        let Some(address) = info.content_address else {
            return false;
        };
        if address.method != ContentAddressMethod::NixArchive || address.hash != info.nar_hash {
            return false;
        }
        let mut references = ReferenceSet::from(info.references.clone());
        references.to_self = references.others.remove(&info.path);
        // A path that refers to itself is named by its contents with the name blanked out, which is another hash.
        !references.to_self
            && self.dir.make_content_path(info.path.name(), &address, &references).is_ok_and(|path| path == info.path)
    }

    /// Downloads and unpacks a path, and checks it against what was signed.
    pub(crate) fn unpack(
        &self,
        planned: &PlannedSubstitution,
        tree: &Path,
        stop: &Cancellation,
    ) -> Result<PathInfo, FailureReason> {
        let info = &planned.info;
        let cache = &self.caches[planned.cache];
        let compressed = Stoppable { inner: cache.nar(&info.url)?, stop };
        let mut nar = Noting { inner: decompress(compressed, info, cache.url())?, failed: false };
        let unpacked = store::unpack_nar(&info.path, &mut nar, tree);
        if stop.is_cancelled() {
            return Err(FailureReason::Cancelled);
        }
        let actual = unpacked.map_err(|source| match nar.failed || is_malformed(&source) {
            true => {
                let (cache, file) = (cache.url().to_owned(), info.url.clone());
                FailureReason::Cache(CacheError::Damaged { cache, file, source })
            }
            // The disk is full, say.
            false => FailureReason::from(source),
        })?;
        let expected = NarDigest { hash: info.nar_hash, size_bytes: info.nar_size_bytes };
        if actual != expected {
            return Err(FailureReason::Cache(CacheError::Contents {
                cache: cache.url().to_owned(),
                path: info.path.clone(),
                expected: expected.hash.to_sri(),
                actual: actual.hash.to_sri(),
            }));
        }
        let mut result = PathInfo::new(info.path.clone(), actual);
        result.references = info.references.clone();
        result.deriver = info.deriver.clone();
        result.signatures = info.signatures.clone();
        result.content_address = info.content_address;
        Ok(result)
    }
}

fn decompress<'r>(compressed: impl Read + 'r, info: &NarInfo, cache: &str) -> Result<Box<dyn Read + 'r>, CacheError> {
    let compressed = BufReader::with_capacity(128 * 1024, compressed);
    match &*info.compression {
        "none" | "" => Ok(Box::new(compressed)),
        "xz" => Ok(Box::new(BufReader::new(liblzma::bufread::XzDecoder::new(compressed)))),
        "zstd" => match zstd::Decoder::with_buffer(compressed) {
            Ok(decoder) => Ok(Box::new(BufReader::new(decoder))),
            Err(source) => {
                Err(CacheError::Read { cache: cache.to_owned(), file: info.url.clone(), source: source.into() })
            }
        },
        other => Err(CacheError::Compression {
            cache: cache.to_owned(),
            path: info.path.clone(),
            compression: other.to_owned(),
        }),
    }
}

/// Whether unpacking failed because of what was read.
fn is_malformed(error: &store::StoreError) -> bool {
    match error {
        store::StoreError::Nar { source: NarError::Malformed { .. }, .. } => true,
        store::StoreError::Nar { source: NarError::Io { source, .. }, .. } => {
            source.kind() == std::io::ErrorKind::UnexpectedEof
        }
        _ => false,
    }
}

/// Notes whether reading failed, which unpacking alone does not tell from a failure to write.
struct Noting<R> {
    inner: R,
    failed: bool,
}

impl<R: Read> Read for Noting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let result = self.inner.read(buffer);
        self.failed |= result.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::Interrupted);
        result
    }
}

/// Ends with an error when cancelled.
struct Stoppable<'s, R> {
    inner: R,
    stop: &'s Cancellation,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(std::io::Error::other("cancelled"));
        }
        self.inner.read(buffer)
    }
}
