//! Looking for packages in the archive: as a configuration's lock pins it, or as it was seen last where there is none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use archive::{Architecture, Archive, Lock};

use crate::locking::write_lock;
use crate::{Configuration, Session, SystemError};

/// A package that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its candidate's version.
    pub version: String,
    /// One line.
    pub description: String,
}

/// How long a search without a configuration makes do with what it knows of the archive.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

fn archive_error(error: impl std::error::Error + Send + Sync + 'static) -> SystemError {
    SystemError::Archive(Box::new(error))
}

impl Session {
    /// Packages whose names or descriptions have all the words. Without a configuration, in the archive as it is, or as it
    /// was within the last day.
    ///
    /// Errors when the archive's index cannot be had.
    pub fn search(
        &self,
        configuration: Option<&Configuration>,
        system: &str,
        words: &[String],
    ) -> Result<Vec<Found>, SystemError> {
        let lock = match configuration {
            Some(configuration) => configuration.lock.clone(),
            None => self.standing_lock()?,
        };
        self.ensure_lock_at(&lock)?;
        let archive = Archive::open(&self.archive_folder(), Lock::load(&lock)?, self.archive_fetcher()?);
        let architecture = Architecture::parse(system).ok_or_else(|| SystemError::Unexpected {
            what: system.to_owned(),
            expected: "a system that Debian has packages for",
        })?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for hit in archive.search(&words, architecture).map_err(archive_error)? {
            let candidate = archive.candidate(&hit.name, architecture).map_err(archive_error)?;
            let version = candidate.map(|package| package.version).unwrap_or_default();
            found.push(Found { name: hit.name, version, description: hit.summary });
        }
        Ok(found)
    }

    /// A lock that no configuration depends on, moved along once a day. An archive that cannot be reached now leaves it as
    /// it is.
    fn standing_lock(&self) -> Result<PathBuf, SystemError> {
        if let Some(named) = std::env::var_os("ESKER_LOCK") {
            return Ok(PathBuf::from(named));
        }
        let path = self.archive_folder().join("esker.lock");
        if !self.is_offline() && is_old(&path) {
            match self.current_lock(None) {
                Ok(lock) => write_lock(&path, &lock)?,
                Err(error) => tracing::warn!(%error, "searching in the archive as it was seen last"),
            }
        }
        Ok(path)
    }
}

/// Whether a file is there and was written long ago.
fn is_old(path: &Path) -> bool {
    let age = path.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > FRESH)
}
