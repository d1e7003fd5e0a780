//! The lock of a configuration: making it and moving it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use archive::Lock;
use archive::changes::{Changes, compare};
use archive::snapshot::{Update, update_lock};
use archive::solver::SolvedPackage;
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

/// What moving a lock changes for one configuration's system.
#[derive(Clone, Debug)]
pub struct LockUpdate {
    /// The suites with another state: name, date before and date after.
    moved: Vec<MovedSuite>,
    changes: Changes,
}

/// A suite of which the archive has another state than the lock.
#[derive(Clone, Debug, serde::Serialize)]
struct MovedSuite {
    suite: String,
    old: String,
    new: String,
}

impl LockUpdate {
    fn new(old: &Lock, new: &Lock, changes: Changes) -> Self {
        let date = |lock: &Lock, name: &str| {
            lock.suites.iter().find(|suite| suite.name == name).map_or_else(String::new, |suite| suite.date.clone())
        };
        let differing = new.suites.iter().filter(|suite| !old.suites.contains(suite));
        let moved = differing.map(|suite| MovedSuite {
            suite: suite.name.clone(),
            old: date(old, &suite.name),
            new: suite.date.clone(),
        });
        Self { moved: moved.collect(), changes }
    }

    /// Whether the archive moved at all.
    pub fn is_moved(&self) -> bool {
        !self.moved.is_empty()
    }

    /// For people: which suites moved, then what that changes, security fixes first.
    pub fn describe(&self) -> String {
        if !self.is_moved() {
            return "the archive has not moved\n".to_owned();
        }
        let suites: String =
            self.moved.iter().map(|MovedSuite { suite, old, new }| format!("{suite}: {old} → {new}\n")).collect();
        suites + &self.changes.describe()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({ "moved": self.is_moved(), "suites": self.moved, "changes": self.changes })
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
        self.ensure_lock_at(&configuration.lock)
    }

    pub(crate) fn ensure_lock_at(&self, path: &Path) -> Result<bool, SystemError> {
        if path.exists() {
            return Ok(false);
        }
        if self.is_offline() {
            return Err(SystemError::NoLock { path: path.to_owned() });
        }
        tracing::info!(lock = %path.display(), "pinning Debian's archive");
        write_lock(path, &self.current_lock(None)?)?;
        Ok(true)
    }

    /// The state of the archive now, which is not older than a lock.
    pub(crate) fn current_lock(&self, old: Option<&Lock>) -> Result<Lock, SystemError> {
        let folder = self.archive_folder();
        fs_err::create_dir_all(&folder).map_err(|source| SystemError::Write { path: folder.clone(), source })?;
        // The one place that asks for the time: Debian's own statement of how long a Release file is good.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let options = self.archive_options();
        let (expiry, keyring) = (options.expiry()?, options.keyring()?);
        let update = Update { directory: &folder, old, now, expiry, keyring: &keyring };
        update_lock(&*self.archive_fetcher()?, &update).map_err(archive_error)
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
        Ok(LockUpdate::new(&old, &new, changes))
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
}

/// Writes a lock whole or not at all.
pub(crate) fn write_lock(path: &Path, lock: &Lock) -> Result<(), SystemError> {
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
