//! One process at a time fetches into a folder of downloads: the parts that two of them write would be neither's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use archive::{Download, FetchError, Fetcher, Interrupt, Progress};
use store::{FileLock, LockMode};

/// How long to wait before looking again whether the other one has ended.
const PAUSE: Duration = Duration::from_millis(100);

/// A fetcher that has the folder to itself while it fetches.
pub(crate) struct ExclusiveFetcher {
    pub(crate) inner: Arc<dyn Fetcher>,
    /// The folder of downloads.
    pub(crate) folder: PathBuf,
    pub(crate) interrupt: Interrupt,
}

impl Fetcher for ExclusiveFetcher {
    fn fetch(&self, downloads: &[Download], progress: &mut dyn FnMut(&Progress)) -> Result<(), FetchError> {
        // What the other one has fetched meanwhile is there when the lock comes, and is not fetched again.
        let _alone = match downloads.iter().all(|download| download.target.exists()) {
            true => None,
            false => Some(self.wait()?),
        };
        self.inner.fetch(downloads, progress)
    }
}

impl ExclusiveFetcher {
    fn wait(&self) -> Result<FileLock, FetchError> {
        let path = self.folder.join("lock");
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| FetchError::Lock { path: path.clone(), source };
        fs_err::create_dir_all(&self.folder).map_err(|error| failed(error.into()))?;
        let mut waits = false;
        loop {
            if let Some(lock) = FileLock::try_lock(&path, LockMode::Exclusive).map_err(|error| failed(error.into()))? {
                return Ok(lock);
            }
            if self.interrupt.happened() {
                return Err(FetchError::Cancelled);
            }
            if !waits {
                tracing::info!(path = %path.display(), "another process fetches; waiting for it");
                waits = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Fails when it is not alone.
    struct Alone(AtomicBool);

    impl Fetcher for Alone {
        fn fetch(&self, downloads: &[Download], _progress: &mut dyn FnMut(&Progress)) -> Result<(), FetchError> {
            assert!(!self.0.swap(true, Ordering::SeqCst), "two at a time");
            std::thread::sleep(Duration::from_millis(20));
            std::fs::write(&downloads[0].target, "x").unwrap();
            self.0.store(false, Ordering::SeqCst);
            Ok(())
        }
    }

    fn download(folder: &std::path::Path, name: &str) -> Download {
        let url = archive::MirrorUrl::parse("mirror://debian/x").unwrap();
        Download { label: "x".to_owned(), url, sha256: None, size: None, target: folder.join(name) }
    }

    #[test]
    fn two_fetch_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let inner: Arc<dyn Fetcher> = Arc::new(Alone(AtomicBool::new(false)));
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let (inner, folder) = (inner.clone(), folder.path().to_owned());
                scope.spawn(move || {
                    let wanted = [download(&folder, name)];
                    let fetcher = ExclusiveFetcher { inner, folder, interrupt: Interrupt::default() };
                    fetcher.fetch(&wanted, &mut |_| {}).unwrap();
                });
            }
        });
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let _held = FileLock::wait(&folder.path().join("lock"), LockMode::Exclusive).unwrap();
        let fetcher = ExclusiveFetcher {
            inner: Arc::new(Alone(AtomicBool::new(false))),
            folder: folder.path().to_owned(),
            interrupt: Interrupt::new(|| true),
        };
        let error = fetcher.fetch(&[download(folder.path(), "a")], &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::Cancelled), "{error}");
    }
}
