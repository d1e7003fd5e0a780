//! The store: immutable trees under `<root>/nix/store`, registered in a SQLite database that a real Nix understands.
//!
//! It adds paths, answers questions about them, protects them with roots and locks, and collects, verifies and
//! deduplicates them. It never evaluates and never builds.
//!
//! Two kinds of paths are kept apart by type. `StorePath` is *logical*: what texts and references say. `PathBuf` is
//! *physical*: where the files lie, below the store's root, which may be anywhere (`Layout` translates).
//!
//! Writes are crash safe by their order: contents are written beside the store's paths and renamed into place, one
//! `syncfs` makes them durable, and only then one transaction registers them. What is in the way of a half-done
//! write is an unregistered path, which the next writer replaces and the garbage collector removes.
//!
//! Source: Nix 2.26's behaviour on disk (database schema 10, lock files, temporary roots), tested against it.

mod batch;
mod database;
mod error;
mod gc;
mod layout;
mod locks;
mod metadata;
mod optimise;
mod path_info;
mod processes;
mod profiles;
mod query;
mod registrations;
mod roots;
mod schema;
mod scratch;
mod temp_roots;
mod tree;
mod verify;
mod views;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix_formats::{StoreDir, StorePath};

pub use batch::{Batch, unpack_nar};
pub use error::StoreError;
pub use gc::{DeadPath, GcReport, GcRequest};
pub use layout::Layout;
pub use locks::{FileLock, LockMode, PathLocks};
pub use metadata::canonicalise;
pub use optimise::OptimiseReport;
pub use path_info::{NarDigest, PathInfo};
pub use profiles::{Generation, Profile};
pub use roots::{Root, RootKind};
pub use scratch::Scratch;
pub use tree::{TreeWriter, digest_tree, scan_tree, walk_tree};
pub use verify::{ContentCheck, Repair, VerifyProblem, VerifyReport};

use database::Database;
use temp_roots::TempRoots;

/// Whether a store may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The usual: folders and database are created when absent.
    ReadWrite,
    /// Only questions; nothing is created or locked, so the store may belong to somebody else.
    ReadOnly,
}

/// What registration writes as the time of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationTime {
    /// The clock's time.
    Now,
    /// A constant in seconds since 1970, for databases inside reproducible images.
    Fixed(i64),
}

/// What a registration must outlast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut.
    PowerCut,
    /// Nothing: the database is read back at once and thrown away. It is never synced.
    Throwaway,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The physical folder that stands for `/`: the store is `root/nix/store`.
    pub root: PathBuf,
    /// The logical folder, `/nix/store` unless tests say otherwise.
    pub store_dir: StoreDir,
    /// Whether it may be written.
    pub access: Access,
    /// What registration writes as time.
    pub registration_time: RegistrationTime,
    /// What a registration must outlast.
    pub durability: Durability,
}

impl StoreOptions {
    /// A store below `root`, writable, with the usual logical folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            store_dir: StoreDir::default(),
            access: Access::ReadWrite,
            registration_time: RegistrationTime::Now,
            durability: Durability::PowerCut,
        }
    }
}

/// An open store. Shared between threads by reference.
pub struct Store {
    layout: Layout,
    access: Access,
    registration_time: RegistrationTime,
    database: Mutex<Database>,
    temp_roots: Mutex<Option<TempRoots>>,
    /// Held shared as long as the store is open, so that no one changes the schema under us.
    _big_lock: Option<FileLock>,
}

impl Store {
    /// Opens the store, creating folders and database when they are absent and writing is allowed.
    ///
    /// Errors when the root cannot be written, or holds a database of another schema or a damaged one.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let layout = Layout::new(&options.root, options.store_dir)?;
        let (database, big_lock) = match options.access {
            Access::ReadWrite => {
                layout.create_folders()?;
                let lock = schema::prepare(&layout)?;
                (Database::open(&layout, options.durability)?, Some(lock))
            }
            Access::ReadOnly => (Database::open_read_only(&layout)?, None),
        };
        Ok(Self {
            layout,
            access: options.access,
            registration_time: options.registration_time,
            database: Mutex::new(database),
            temp_roots: Mutex::new(None),
            _big_lock: big_lock,
        })
    }

    /// Where things lie on disk.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The logical store folder.
    #[must_use]
    pub fn dir(&self) -> &StoreDir {
        self.layout.store_dir()
    }

    /// Where a path's files lie.
    #[must_use]
    pub fn physical(&self, path: &StorePath) -> PathBuf {
        self.layout.physical(path)
    }

    /// The absolute logical path.
    #[must_use]
    pub fn logical(&self, path: &StorePath) -> String {
        self.dir().display(path)
    }

    /// Keeps paths, valid or yet to come, from the garbage collector while this process lives. Waits for a running
    /// collection to end; ask for validity after this call, not before.
    ///
    /// Errors when the temporary roots cannot be written.
    pub fn add_temp_roots<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<(), StoreError> {
        let mut temp_roots = self.temp_roots.lock().unwrap_or_else(PoisonError::into_inner);
        if temp_roots.is_none() {
            *temp_roots = Some(TempRoots::create(&self.layout)?);
        }
        match temp_roots.as_mut() {
            Some(temp_roots) => temp_roots.add(&self.layout, paths),
            None => Ok(()),
        }
    }

    /// Locks paths that are about to be written, waiting for whoever holds them. Locks are taken in order, so two
    /// processes that lock the same set cannot block each other.
    ///
    /// Errors when a lock file cannot be made.
    pub fn lock_paths<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<PathLocks, StoreError> {
        let mut files: Vec<PathBuf> = paths.into_iter().map(|path| self.layout.lock_file(path)).collect();
        files.sort();
        let mut locks = PathLocks::default();
        for file in files {
            locks.wait_for(&file)?;
        }
        Ok(locks)
    }

    /// As `lock_paths`, but `None` at once when somebody holds one of the locks.
    ///
    /// Errors when a lock file cannot be made.
    pub fn try_lock_paths<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<Option<PathLocks>, StoreError> {
        let mut locks = PathLocks::default();
        for path in paths {
            if !locks.try_add(&self.layout.lock_file(path))? {
                return Ok(None);
            }
        }
        Ok(Some(locks))
    }

    /// A temporary folder on the store's filesystem, removed when dropped; the collector leaves it alone until then.
    ///
    /// Errors when it cannot be made.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        Scratch::create(&self.layout)
    }

    /// A profile, such as `system`: numbered generations and the one that is current.
    #[must_use]
    pub fn profile(&self, name: &str) -> Profile {
        Profile::new(&self.layout, name)
    }

    pub(crate) fn database(&self) -> MutexGuard<'_, Database> {
        // A panic while the lock was held can have left no half transaction: those roll back when dropped.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registration_time(&self) -> i64 {
        match self.registration_time {
            RegistrationTime::Fixed(seconds) => seconds,
            RegistrationTime::Now => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_secs()).ok())
                .unwrap_or(1),
        }
    }

    pub(crate) fn require_writable(&self) -> Result<(), StoreError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(StoreError::ReadOnly { root: self.layout.root().to_owned() }),
        }
    }
}

/// Gives an I/O error the action and the path it lacks.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io { action, path: path.to_owned(), source })
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|errno| StoreError::Io { action, path: path.to_owned(), source: errno.into() })
    }
}
