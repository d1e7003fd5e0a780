//! The lock of a configuration: making it, moving it, and looking into the archive that it pins.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use archive::changes::{Changes, compare};
use archive::snapshot::{Expiry, Update, update_lock};
use archive::solver::SolvedPackage;
use archive::{Architecture, Lock};
use serde_json::{Value, json};

use crate::evaluation::{attribute_path, evaluate, select_path};
use crate::{Configuration, Session, Subject, SystemError};

/// Whether an update is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteLock {
    /// The lock is moved.
    Yes,
    /// The lock stays; only the answer is wanted.
    No,
}

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

/// What moving a lock changes for one configuration's system.
#[derive(Clone, Debug)]
pub struct LockUpdate {
    /// Whether the archive moved at all.
    moved: bool,
    changes: Changes,
}

impl LockUpdate {
    /// For people: upgrades, security fixes first.
    pub fn describe(&self) -> String {
        if self.moved { self.changes.describe() } else { "the archive has not moved\n".to_owned() }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({ "moved": self.moved, "changes": self.changes })
    }
}

fn archive_error(error: impl std::error::Error + Send + Sync + 'static) -> SystemError {
    SystemError::Archive(Box::new(error))
}

impl Session {
    /// Makes the lock where there is none; says whether it did.
    ///
    /// Errors when the archive cannot be reached or its signatures are wrong.
    pub fn ensure_lock(&self, configuration: &Configuration) -> Result<bool, SystemError> {
        if configuration.lock.exists() {
            return Ok(false);
        }
        if self.is_offline() {
            return Err(SystemError::NoLock { path: configuration.lock.clone() });
        }
        tracing::info!(lock = %configuration.lock.display(), "pinning Debian's archive");
        let lock = self.current_lock(None)?;
        write_lock(&configuration.lock, &lock)?;
        Ok(true)
    }

    fn current_lock(&self, old: Option<&Lock>) -> Result<Lock, SystemError> {
        let folder = self.archive_folder();
        fs_err::create_dir_all(&folder).map_err(|source| SystemError::Write { path: folder.clone(), source })?;
        // The one place that asks for the time: Debian's own statement of how long a Release file is good.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let update = Update { directory: &folder, old, now, expiry: self.expiry()? };
        update_lock(&*self.archive_fetcher()?, &update).map_err(archive_error)
    }

    fn expiry(&self) -> Result<Expiry, SystemError> {
        let apt = archive::AptFetcher::of_host().map_err(archive_error)?;
        let accepts = apt.map(|apt| apt.accepts_expired()).transpose().map_err(archive_error)?;
        Ok(if accepts == Some(true) { Expiry::Accept } else { Expiry::Check })
    }

    /// Moves the lock to the archive as it is now, and says what that changes for the system.
    ///
    /// Errors when the archive cannot be reached, its signatures are wrong, or the configuration does not evaluate.
    pub fn update(
        &self,
        configuration: &Configuration,
        system: &str,
        write: WriteLock,
    ) -> Result<LockUpdate, SystemError> {
        let fresh = self.ensure_lock(configuration)?;
        let old = Lock::load(&configuration.lock)?;
        let new = if fresh { old.clone() } else { self.current_lock(Some(&old))? };
        let changes = self.changes(configuration, system, &old, &new)?;
        if write == WriteLock::Yes && new != old {
            write_lock(&configuration.lock, &new)?;
        }
        Ok(LockUpdate { moved: new != old, changes })
    }

    fn changes(
        &self,
        configuration: &Configuration,
        system: &str,
        old: &Lock,
        new: &Lock,
    ) -> Result<Changes, SystemError> {
        let folder = tempfile::tempdir().map_err(|source| SystemError::Write { path: std::env::temp_dir(), source })?;
        let packages = |name: &str, lock: &Lock| -> Result<Vec<SolvedPackage>, SystemError> {
            let path = folder.path().join(name);
            write_lock(&path, lock)?;
            let pinned = Configuration { file: configuration.file.clone(), lock: path };
            self.packages_of(&pinned, system)
        };
        Ok(compare(&packages("old", old)?, &packages("new", new)?))
    }

    /// The packages of a configuration's view, as its lock pins them.
    fn packages_of(&self, configuration: &Configuration, system: &str) -> Result<Vec<SolvedPackage>, SystemError> {
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let path = attribute_path("config.system.build.view.drvPath");
        let ((), io) = evaluate(self, &subject, |eval, value| select_path(eval, value, &path).map(drop))?;
        Ok(io.take_solution())
    }

    /// Packages whose names or descriptions have all the words.
    ///
    /// Errors when the archive's index cannot be had.
    pub fn search(
        &self,
        configuration: &Configuration,
        system: &str,
        words: &[String],
    ) -> Result<Vec<Found>, SystemError> {
        self.ensure_lock(configuration)?;
        let archive = self.archive(configuration)?;
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
}

/// Writes a lock whole or not at all.
fn write_lock(path: &Path, lock: &Lock) -> Result<(), SystemError> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, lock.to_toml().as_bytes())?;
        file.as_file().sync_all()?;
        // A temporary file is its owner's alone; a lock is for everyone who reads the configuration.
        fs_err::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| SystemError::Write { path: path.to_owned(), source })
}
