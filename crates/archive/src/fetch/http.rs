//! Fetching over HTTP(S) and from folders (`file:`), for hosts without apt.
//!
//! One file after another on kept-alive connections, a few threads side by side. A part left by an interrupted run is
//! continued where the server grants it, else begun anew.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_client::{Client, HttpError};

use super::{Download, DownloadError, FetchError, Fetcher, Interrupt, Mirrors, Progress, accept, part_path};

/// Connections at a time.
const THREADS: usize = 4;
/// How long a mirror may send nothing before it is given up.
const SILENCE: Duration = Duration::from_secs(120);

/// Fetches over HTTP from mirrors given by address.
#[derive(Debug, Clone)]
pub struct HttpFetcher {
    client: Client,
    mirrors: Mirrors,
    interrupt: Interrupt,
}

/// What the threads of one batch share.
struct Batch {
    queue: Mutex<VecDeque<(usize, Download)>>,
    errors: Mutex<BTreeMap<usize, DownloadError>>,
    received_bytes: AtomicU64,
    files_done: AtomicUsize,
    /// Set when nobody waits for the threads any more.
    is_over: AtomicBool,
}

impl HttpFetcher {
    /// A fetcher from these mirrors.
    pub fn new(mirrors: Mirrors) -> Self {
        Self { client: Client::new(), mirrors, interrupt: Interrupt::default() }
    }

    /// The same, ended by an interrupt.
    #[must_use]
    pub fn interruptible(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Works the queue until it is empty.
    fn work(&self, batch: &Batch) {
        loop {
            let next = lock(&batch.queue).pop_front();
            let Some((position, download)) = next else {
                return;
            };
            let download = &download;
            let mut result = Ok(());
            for base in self.mirrors.of(download.url.mirror) {
                result = self.download(download, base, batch);
                if result.is_ok() {
                    break;
                }
            }
            match result {
                Ok(()) => {
                    batch.files_done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    lock(&batch.errors).insert(position, error);
                }
            }
        }
    }

    /// Fetches a file from one mirror. A part that an interrupted run left is continued, and begun anew where that gives
    /// a wrong file.
    fn download(&self, download: &Download, base: &str, batch: &Batch) -> Result<(), DownloadError> {
        let part = part_path(&download.target);
        // A signed file has no hash to check a patched-up copy against; it is small, so it is fetched whole.
        let have = match download.sha256 {
            Some(_) => part.metadata().map_or(0, |metadata| metadata.len()),
            None => 0,
        };
        match self.receive(download, base, have, batch) {
            Err(DownloadError::Hash { .. }) if have > 0 => self.receive(download, base, 0, batch),
            result => result,
        }
    }

    fn receive(&self, download: &Download, base: &str, have: u64, batch: &Batch) -> Result<(), DownloadError> {
        let part = part_path(&download.target);
        let failed =
            |reason: String| DownloadError::Failed { label: download.label.clone(), url: download.url.clone(), reason };
        let gone = || DownloadError::Gone { label: download.label.clone(), url: download.url.clone() };
        let write = |source| DownloadError::Write { label: download.label.clone(), path: part.clone(), source };
        let (mut body, offset): (Box<dyn Read>, u64) = match base.strip_prefix("file:") {
            Some(folder) => match File::open(Path::new(folder).join(&download.url.path)) {
                Ok(file) => (Box::new(file), 0),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone()),
                Err(error) => return Err(failed(error.to_string())),
            },
            None => match self.client.get_from(&format!("{base}/{}", download.url.path), have) {
                Ok(Some(body)) => {
                    let offset = body.offset();
                    (Box::new(body), offset)
                }
                Ok(None) => return Err(gone()),
                // The part is as long as the file or longer: it is whole, or wrong, which the check finds out.
                Err(HttpError::Range { .. }) => return accept(download, &part),
                Err(error) => return Err(failed(with_cause(&error))),
            },
        };
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&part).map_err(write)?;
        file.set_len(offset).and_then(|()| file.seek(SeekFrom::Start(offset))).map_err(write)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = body.read(&mut buffer).map_err(|error| failed(error.to_string()))?;
            if length == 0 {
                break;
            }
            if batch.is_over.load(Ordering::Relaxed) {
                return Err(failed("nobody waits for it any more".to_owned()));
            }
            file.write_all(&buffer[..length]).map_err(write)?;
            batch.received_bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
        drop(file);
        accept(download, &part)
    }
}

/// An error and what it came from, for one line.
fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl Fetcher for HttpFetcher {
    fn fetch(&self, downloads: &[Download], progress: &mut dyn FnMut(&Progress)) -> Result<(), FetchError> {
        let missing = downloads.iter().enumerate().filter(|(_, download)| !download.target.exists());
        let wanted: VecDeque<(usize, Download)> = missing.map(|(i, download)| (i, download.clone())).collect();
        self.mirrors.must_have(wanted.iter().map(|(_, download)| download))?;
        let present = downloads.len() - wanted.len();
        let missing_bytes: u64 = wanted.iter().filter_map(|(_, download)| download.size).sum();
        let total_bytes: u64 = downloads.iter().filter_map(|download| download.size).sum();
        let batch = Arc::new(Batch {
            received_bytes: AtomicU64::new(total_bytes - missing_bytes),
            files_done: AtomicUsize::new(present),
            queue: Mutex::new(wanted),
            errors: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let measure = || Progress {
            received_bytes: batch.received_bytes.load(Ordering::Relaxed),
            total_bytes,
            files_done: batch.files_done.load(Ordering::Relaxed),
            files_total: downloads.len(),
        };
        // Not scoped: a thread that waits for a silent mirror cannot be ended, only be left behind.
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (fetcher, batch) = (self.clone(), batch.clone());
                std::thread::spawn(move || fetcher.work(&batch))
            })
            .collect();
        let (mut last, mut since) = (measure(), Instant::now());
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            let now = measure();
            progress(&now);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            let is_silent = since.elapsed() > SILENCE;
            if self.interrupt.happened() || is_silent {
                batch.is_over.store(true, Ordering::Relaxed);
                lock(&batch.queue).clear();
                return Err(if is_silent { silent(downloads) } else { FetchError::Cancelled });
            }
        }
        progress(&measure());
        let errors: Vec<DownloadError> = std::mem::take(&mut *lock(&batch.errors)).into_values().collect();
        if errors.is_empty() { Ok(()) } else { Err(FetchError::Downloads { errors }) }
    }
}

/// What is to be said when nothing came for long.
fn silent(downloads: &[Download]) -> FetchError {
    let reason = format!("the mirror sent nothing for {} seconds", SILENCE.as_secs());
    let missing = downloads.iter().filter(|download| !download.target.exists());
    let failed = |download: &Download| DownloadError::Failed {
        label: download.label.clone(),
        url: download.url.clone(),
        reason: reason.clone(),
    };
    FetchError::Downloads { errors: missing.map(failed).collect() }
}

/// A thread that panicked holding the lock left the queue or the errors whole, as both change in one step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
