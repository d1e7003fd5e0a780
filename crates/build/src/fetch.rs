//! Fetching files by URL: the contract with whoever knows mirrors, and a fetcher for `file:` and plain `http(s):`.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use nix_formats::Hash;

use crate::cancel::Cancellation;

/// A file to fetch. Its hash is checked afterwards by the caller; a fetcher may use it to find or verify the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where from: `mirror://debian/pool/…`, `https://…`, `file:///…`.
    pub url: String,
    /// The output's name, for people.
    pub name: String,
    /// The declared hash when it is that of the file itself (flat), not of a tree made from it.
    pub hash: Option<Hash>,
    /// Its size, when the derivation says it (`size`).
    pub size_bytes: Option<u64>,
    /// Where to write it; does not exist yet, its folder does and is on the store's filesystem.
    pub destination: PathBuf,
}

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No fetcher knows this kind of URL.
    #[error("nothing can fetch `{url}`")]
    UnknownScheme {
        /// The URL.
        url: String,
    },
    /// The transfer failed; the fetcher's error is the source.
    #[error("could not fetch `{url}`")]
    Transfer {
        /// The URL.
        url: String,
        /// The fetcher's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user wanted no more.
    #[error("fetching `{url}` was cancelled")]
    Cancelled {
        /// The URL.
        url: String,
    },
}

impl FetchError {
    /// A failed transfer.
    #[must_use]
    pub fn transfer(url: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transfer { url: url.to_owned(), source: source.into() }
    }
}

/// Hears how fetching goes on.
pub trait FetchProgress: Sync {
    /// How many bytes of the whole call there are, and how many are expected (zero: unknown).
    fn bytes(&self, received_bytes: u64, total_bytes: u64);

    /// The request of this index is complete at its destination. A fetcher that can say so early lets dependents begin;
    /// one that cannot says it never, and its results count.
    fn complete(&self, index: usize);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl FetchProgress for Quiet {
    fn bytes(&self, _received_bytes: u64, _total_bytes: u64) {}

    fn complete(&self, _index: usize) {}
}

/// Fetches files, many in one call.
pub trait Fetcher: Send + Sync {
    /// Fetches everything and returns one result per request, in their order.
    fn fetch(
        &self,
        requests: &[FetchRequest],
        progress: &dyn FetchProgress,
        cancellation: &Cancellation,
    ) -> Vec<Result<(), FetchError>>;
}

/// Fetches `file:` URLs by copying and `http:`, `https:` URLs from where they say. One at a time: what is fetched in
/// numbers comes from mirrors and has its own fetcher.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectFetcher;

impl Fetcher for DirectFetcher {
    fn fetch(
        &self,
        requests: &[FetchRequest],
        progress: &dyn FetchProgress,
        cancellation: &Cancellation,
    ) -> Vec<Result<(), FetchError>> {
        let total = requests.iter().filter_map(|request| request.size_bytes).sum();
        let mut received = 0;
        let mut results = Vec::with_capacity(requests.len());
        for (i, request) in requests.iter().enumerate() {
            let result = open(&request.url).and_then(|mut source| {
                copy(&mut *source, &request.destination, cancellation, &mut |bytes| {
                    received += bytes;
                    progress.bytes(received, total);
                })
                .map_err(|error| match error.kind() {
                    std::io::ErrorKind::Interrupted => FetchError::Cancelled { url: request.url.clone() },
                    _ => FetchError::transfer(&request.url, error),
                })
            });
            if result.is_ok() {
                progress.complete(i);
            }
            results.push(result);
        }
        results
    }
}

/// Opens a URL for reading.
pub(crate) fn open(url: &str) -> Result<Box<dyn Read>, FetchError> {
    if let Some(path) = url.strip_prefix("file://") {
        let file = File::open(path).map_err(|error| FetchError::transfer(url, error))?;
        return Ok(Box::new(file));
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        let body = http_client::Client::new().get(url).map_err(|error| FetchError::transfer(url, error))?;
        return Ok(Box::new(body.ok_or_else(|| FetchError::transfer(url, "the server does not have the file"))?));
    }
    Err(FetchError::UnknownScheme { url: url.to_owned() })
}

fn copy(
    source: &mut dyn Read,
    destination: &Path,
    cancellation: &Cancellation,
    received: &mut dyn FnMut(u64),
) -> std::io::Result<()> {
    let mut file = File::create_new(destination)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        if cancellation.is_cancelled() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let got = source.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..got])?;
        received(got as u64);
    }
}
