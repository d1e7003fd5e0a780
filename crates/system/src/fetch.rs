//! Fetching what derivations name: `mirror://` addresses through the archive's downloads, anything else directly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use archive::fetch::DownloadError;
use archive::{Download, MirrorUrl};
use build::{Cancellation, DirectFetcher, FetchError, FetchProgress, FetchRequest, Fetcher};
use nix_formats::HashAlgo;

/// Fetches for builds. Downloads stay in a folder by their hash, so that a new store needs none of them again.
pub(crate) struct DebianFetcher {
    pub(crate) archive: Arc<dyn archive::Fetcher>,
    pub(crate) downloads: PathBuf,
}

impl DebianFetcher {
    fn download(&self, request: &FetchRequest) -> Result<Download, FetchError> {
        let url = MirrorUrl::parse(&request.url).map_err(|error| FetchError::transfer(&request.url, error))?;
        let hash = request.hash.filter(|hash| hash.algo() == HashAlgo::Sha256);
        let sha256 = hash.map(|hash| hash.to_base16());
        let target = match &sha256 {
            Some(hash) => self.downloads.join(format!("{hash}.deb")),
            None => request.destination.clone(),
        };
        Ok(Download { label: request.name.clone(), url, sha256, size: request.size_bytes, target })
    }
}

impl Fetcher for DebianFetcher {
    fn fetch(
        &self,
        requests: &[FetchRequest],
        progress: &dyn FetchProgress,
        cancellation: &Cancellation,
    ) -> Vec<Result<(), FetchError>> {
        let mut results: Vec<Option<Result<(), FetchError>>> = requests.iter().map(|_| None).collect();
        let mut wanted = Vec::new();
        let mut direct = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            if request.url.starts_with("mirror://") {
                match self.download(request) {
                    Ok(download) => wanted.push((index, download)),
                    Err(error) => results[index] = Some(Err(error)),
                }
            } else {
                direct.push(index);
            }
        }
        self.fetch_wanted(&wanted, requests, progress, &mut results);
        for index in direct {
            let one = DirectFetcher.fetch(&requests[index..=index], progress, cancellation);
            results[index] = one.into_iter().next();
        }
        results
            .into_iter()
            .zip(requests)
            .map(|(result, request)| {
                result.unwrap_or_else(|| Err(FetchError::UnknownScheme { url: request.url.clone() }))
            })
            .collect()
    }
}

impl DebianFetcher {
    fn fetch_wanted(
        &self,
        wanted: &[(usize, Download)],
        requests: &[FetchRequest],
        progress: &dyn FetchProgress,
        results: &mut [Option<Result<(), FetchError>>],
    ) {
        // One file may be asked for twice, under two names.
        let mut targets = BTreeSet::new();
        let downloads: Vec<Download> =
            wanted.iter().map(|(_, d)| d.clone()).filter(|d| targets.insert(d.target.clone())).collect();
        let made = fs_err::create_dir_all(&self.downloads);
        forget_altered(&downloads);
        let fetched = self.archive.fetch(&downloads, &mut |p| progress.bytes(p.received_bytes, p.total_bytes));
        let mut failures = Failures::of(fetched);
        for (index, download) in wanted {
            let request = &requests[*index];
            let result = match (&made, download.target.exists()) {
                (Err(error), _) => Err(FetchError::transfer(&request.url, error.to_string())),
                (Ok(()), true) => put(&download.target, request),
                (Ok(()), false) => Err(failures.take(download, &request.url)),
            };
            if result.is_ok() {
                progress.complete(*index);
            }
            results[*index] = Some(result);
        }
    }
}

/// Why files of one batch could not be had.
struct Failures {
    /// By label. Who asks first gets the error itself, with its hint; whoever asks for the same file gets its words.
    single: BTreeMap<String, (String, Option<DownloadError>)>,
    /// What went wrong with the batch as a whole.
    whole: Option<archive::FetchError>,
}

impl Failures {
    fn of(fetched: Result<(), archive::FetchError>) -> Self {
        let mut failures = Self { single: BTreeMap::new(), whole: None };
        match fetched {
            Ok(()) => {}
            Err(archive::FetchError::Downloads { errors }) => {
                let by_label = |error: DownloadError| (error.label().to_owned(), (error.to_string(), Some(error)));
                failures.single = errors.into_iter().map(by_label).collect();
            }
            Err(error) => failures.whole = Some(error),
        }
        failures
    }

    fn take(&mut self, download: &Download, url: &str) -> FetchError {
        match (&self.whole, self.single.get_mut(&download.label)) {
            (Some(archive::FetchError::Cancelled), _) => FetchError::Cancelled { url: url.to_owned() },
            (Some(error), _) => FetchError::transfer(url, error.to_string()),
            (None, Some((words, error))) => match error.take() {
                Some(error) => FetchError::transfer(url, error),
                None => FetchError::transfer(url, words.clone()),
            },
            (None, None) => FetchError::transfer(url, "the download gave no file"),
        }
    }
}

/// Removes downloads of earlier runs that are not what their names say, so that they are fetched again.
fn forget_altered(downloads: &[Download]) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for part in downloads.chunks(downloads.len().div_ceil(cores).max(1)) {
            scope.spawn(move || part.iter().for_each(forget_if_altered));
        }
    });
}

fn forget_if_altered(download: &Download) {
    let Some(expected) = &download.sha256 else { return };
    // What is not there is fetched, and what cannot be read fails where it is used.
    let Ok(found) = archive::fetch::hash_file(&download.target) else { return };
    if found == *expected {
        return;
    }
    tracing::warn!(path = %download.target.display(), "a downloaded file was altered since; it is fetched again");
    if let Err(error) = fs_err::remove_file(&download.target) {
        tracing::warn!(%error, "the altered file stays");
    }
}

/// Puts a download where the build wants it: a second name of the same file where that is possible.
fn put(download: &std::path::Path, request: &FetchRequest) -> Result<(), FetchError> {
    if download == request.destination {
        return Ok(());
    }
    // The store changes modes and times of what it holds, so a name of the same file would change the cache's too; a
    // copy shares its blocks where the filesystem can.
    fs_err::copy(download, &request.destination).map(drop).map_err(|error| FetchError::transfer(&request.url, error))
}

/// A fetcher for when the network must not be touched: what is not there is an error.
pub(crate) struct Offline;

impl archive::Fetcher for Offline {
    fn fetch(
        &self,
        downloads: &[Download],
        _progress: &mut dyn FnMut(&archive::Progress),
    ) -> Result<(), archive::FetchError> {
        let missing = downloads.iter().filter(|download| !download.target.exists());
        let errors: Vec<_> = missing
            .map(|download| DownloadError::Offline { label: download.label.clone(), url: download.url.clone() })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(archive::FetchError::Downloads { errors }) }
    }
}
