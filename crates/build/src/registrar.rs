//! Collecting finished paths and registering many at once.
//!
//! A path that is finished can be used as an input at once; registering it costs a sync of the filesystem, so that is
//! done for what has gathered: at the end, when there are many, and every few seconds, because the locks of what is not
//! registered yet may keep another process waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix_formats::StorePath;
use store::{PathInfo, PathLocks, Store, StoreError};

use crate::observer::{BuildEvent, BuildObserver};

/// Each waiting path holds a lock file open; the usual limit is 1024 files.
const MAX_WAITING: usize = 256;
/// How long others may have to wait for our locks.
const MAX_AGE: Duration = Duration::from_secs(3);

/// The paths of one run that are finished, registered or not.
pub(crate) struct Registrar<'s> {
    store: &'s Store,
    observer: &'s dyn BuildObserver,
    state: Mutex<State>,
    /// Held while paths are registered, so that they are registered in the order in which they were finished.
    committing: Mutex<()>,
}

#[derive(Default)]
struct State {
    waiting: Vec<PathInfo>,
    locks: PathLocks,
    oldest: Option<Instant>,
    finished: BTreeMap<StorePath, BTreeSet<StorePath>>,
}

impl<'s> Registrar<'s> {
    pub(crate) fn new(store: &'s Store, observer: &'s dyn BuildObserver) -> Self {
        Self { store, observer, state: Mutex::default(), committing: Mutex::new(()) }
    }

    pub(crate) fn store(&self) -> &'s Store {
        self.store
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves finished, canonical trees into the store and notes them for registration, all in the same transaction: the
    /// outputs of one derivation may refer to each other.
    pub(crate) fn add(&self, paths: Vec<(PathInfo, PathBuf)>, locks: PathLocks) -> Result<(), StoreError> {
        for (info, tree) in &paths {
            self.store.move_into_place(&info.path, tree)?;
        }
        let mut state = self.state();
        for (info, _) in paths {
            state.finished.insert(info.path.clone(), info.references.clone());
            state.waiting.push(info);
        }
        state.locks.extend(locks);
        state.oldest.get_or_insert_with(Instant::now);
        let waiting = state.waiting.len();
        drop(state);
        if waiting >= MAX_WAITING { self.flush() } else { self.flush_if_old() }
    }

    /// Registers what has waited too long.
    pub(crate) fn flush_if_old(&self) -> Result<(), StoreError> {
        let is_old = self.state().oldest.is_some_and(|oldest| oldest.elapsed() > MAX_AGE);
        if is_old { self.flush() } else { Ok(()) }
    }

    /// Registers everything finished so far.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let _order = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let (waiting, _locks) = {
            let mut state = self.state();
            state.oldest = None;
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.locks))
        };
        if waiting.is_empty() {
            return Ok(());
        }
        self.store.sync_and_register(&waiting)?;
        let paths = waiting.len();
        self.observer.event(&BuildEvent::Registered { paths });
        Ok(())
    }

    /// Whether a path can be used: registered, or finished in this run.
    pub(crate) fn has(&self, path: &StorePath) -> Result<bool, StoreError> {
        Ok(self.state().finished.contains_key(path) || self.store.is_valid(path)?)
    }

    pub(crate) fn references(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        if let Some(references) = self.state().finished.get(path) {
            return Ok(references.clone());
        }
        self.store.references(path)
    }

    /// The paths and everything they refer to, registered or not.
    pub(crate) fn closure(&self, roots: &BTreeSet<StorePath>) -> Result<BTreeSet<StorePath>, StoreError> {
        let mut closure = BTreeSet::new();
        let mut queue: Vec<StorePath> = roots.iter().cloned().collect();
        while let Some(path) = queue.pop() {
            if !closure.contains(&path) {
                queue.extend(self.references(&path)?);
                closure.insert(path);
            }
        }
        Ok(closure)
    }
}
