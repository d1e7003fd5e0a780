//! Verification: the database against itself, against the disk, and the contents against their hashes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix_formats::StorePath;

use crate::path_info::{NarDigest, PathInfo};
use crate::tree::digest_tree;
use crate::{Store, StoreError};

/// Whether contents are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCheck {
    /// Only whether paths exist.
    Skip,
    /// Each path's NAR is hashed.
    Hash,
}

/// What is done about problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    Report,
    /// Missing and changed paths are unregistered, with all that refers to them, so that they are made again.
    Unregister,
}

/// Something wrong with the store.
#[derive(Debug)]
pub enum VerifyProblem {
    /// SQLite found damage.
    Database {
        /// In its words.
        message: String,
    },
    /// A registered path does not exist.
    Missing {
        /// The path.
        path: StorePath,
    },
    /// A path's contents are not what was registered.
    Changed {
        /// The path.
        path: StorePath,
        /// What was registered.
        expected: NarDigest,
        /// What is there.
        actual: NarDigest,
    },
    /// A path cannot be read.
    Unreadable {
        /// The path.
        path: StorePath,
        /// Why.
        error: StoreError,
    },
}

impl VerifyProblem {
    fn bad_path(&self) -> Option<&StorePath> {
        match self {
            Self::Missing { path } | Self::Changed { path, .. } => Some(path),
            // An unreadable disk says nothing about what was written.
            Self::Database { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// What a verification found and did.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Problems, by path.
    pub problems: Vec<VerifyProblem>,
    /// How many paths were looked at.
    pub checked: usize,
    /// Paths that were unregistered.
    pub unregistered: BTreeSet<StorePath>,
}

impl Store {
    /// Verifies all valid paths.
    ///
    /// Errors when the database cannot be read; damage elsewhere is reported, not an error.
    pub fn verify(&self, contents: ContentCheck, repair: Repair) -> Result<VerifyReport, StoreError> {
        let messages = self.database().integrity_problems()?;
        let mut report = VerifyReport {
            problems: messages.into_iter().map(|message| VerifyProblem::Database { message }).collect(),
            ..VerifyReport::default()
        };
        let infos = self.all_valid()?.iter().map(|path| self.info(path)).collect::<Result<Vec<_>, _>>()?;
        report.checked = infos.len();
        report.problems.extend(self.check_all(&infos, contents));
        if repair == Repair::Unregister {
            self.require_writable()?;
            let mut bad = BTreeSet::new();
            for path in report.problems.iter().filter_map(VerifyProblem::bad_path) {
                self.add_referrers_closure(path, &mut bad)?;
            }
            self.database().unregister(&bad)?;
            report.unregistered = bad;
        }
        Ok(report)
    }

    /// Checks paths on all cores; hashing is what takes the time.
    fn check_all(&self, infos: &[PathInfo], contents: ContentCheck) -> Vec<VerifyProblem> {
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        let threads = match contents {
            ContentCheck::Skip => 1,
            ContentCheck::Hash => std::thread::available_parallelism().map_or(1, usize::from),
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((i, info)) = next_item(&next, infos) {
                        if let Some(problem) = self.check_one(info, contents) {
                            found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((i, problem));
                        }
                    }
                });
            }
        });
        let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        found.sort_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, problem)| problem).collect()
    }

    fn check_one(&self, info: &PathInfo, contents: ContentCheck) -> Option<VerifyProblem> {
        let place = self.physical(&info.path);
        if place.symlink_metadata().is_err() {
            return Some(VerifyProblem::Missing { path: info.path.clone() });
        }
        if contents == ContentCheck::Skip {
            return None;
        }
        match digest_tree(&place) {
            Ok(actual) if actual == info.nar => None,
            Ok(actual) => Some(VerifyProblem::Changed { path: info.path.clone(), expected: info.nar, actual }),
            Err(error) => Some(VerifyProblem::Unreadable { path: info.path.clone(), error }),
        }
    }

    fn add_referrers_closure(&self, path: &StorePath, closure: &mut BTreeSet<StorePath>) -> Result<(), StoreError> {
        let mut queue = vec![path.clone()];
        while let Some(path) = queue.pop() {
            if closure.insert(path.clone()) {
                queue.extend(self.referrers(&path)?);
            }
        }
        Ok(())
    }
}

fn next_item<'i, T>(next: &AtomicUsize, items: &'i [T]) -> Option<(usize, &'i T)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    items.get(i).map(|item| (i, item))
}
