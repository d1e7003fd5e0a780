//! The fetching part of a run: all `builtin:fetchurl` derivations of a plan in few calls of the fetcher.
//!
//! One thread fetches. What has come is handed to the workers, who check and register it like any other output.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use store::PathLocks;

use crate::builtin::References;
use crate::error::FailureReason;
use crate::fetch::{FetchError, FetchProgress};
use crate::fetchurl::Fetchurl;
use crate::observer::{BuildEvent, Task};
use crate::plan::PlannedBuild;
use crate::queue::Outcome;
use crate::schedule::{Job, Run, Success};

/// How many files are fetched in one call: each holds a lock file open meanwhile.
const FETCH_GROUP: usize = 256;

/// A fetched file on its way to become an output.
pub(crate) struct Fetched {
    fetchurl: Fetchurl,
    locks: PathLocks,
    result: Result<(), FetchError>,
}

impl Run<'_> {
    /// Fetches all files, group by group, and hands each over to the workers as it comes.
    pub(crate) fn fetch_all(&self, fetches: &BTreeSet<usize>) {
        let all: Vec<usize> = fetches.iter().copied().collect();
        let mut later = Vec::new();
        for group in all.chunks(FETCH_GROUP) {
            self.fetch_group(group, &mut later);
        }
        // Somebody else held these; now there is time to wait for them.
        for i in later {
            let Job::Fetch(planned) = self.jobs[i] else {
                continue;
            };
            match self.lock_missing(planned.outputs.values()) {
                Ok(None) => self.reuse(i, planned),
                Ok(Some(locks)) => {
                    drop(locks);
                    self.fetch_group(&[i], &mut Vec::new());
                }
                Err(reason) => self.fail(i, reason, (Vec::new(), None)),
            }
        }
    }

    fn reuse(&self, i: usize, planned: &PlannedBuild) {
        self.count(Job::Fetch(planned), &Success::Reused);
        self.event(&BuildEvent::Reused { path: &planned.drv });
        self.queue.finish(i, Outcome::Done);
    }

    fn fetch_group(&self, group: &[usize], later: &mut Vec<usize>) {
        let mut requests = Vec::new();
        let mut begun = Vec::new();
        for i in group {
            let Job::Fetch(planned) = self.jobs[*i] else {
                continue;
            };
            match self.begin_fetch(planned) {
                Ok(Begun::Fetch(fetchurl, locks)) => {
                    self.event(&BuildEvent::Started { task: Task::Fetch, path: &planned.drv });
                    requests.push(fetchurl.request.clone());
                    begun.push((*i, Mutex::new(Some((fetchurl, locks)))));
                }
                Ok(Begun::Present) => self.reuse(*i, planned),
                Ok(Begun::Locked) => later.push(*i),
                Err(reason) => self.fail(*i, reason, (Vec::new(), None)),
            }
        }
        if requests.is_empty() {
            return;
        }
        let hand_over = |n: usize, result: Result<(), FetchError>| {
            let Some((i, slot)) = begun.get(n) else {
                return;
            };
            let Some((fetchurl, locks)) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                return;
            };
            let fetched = Fetched { fetchurl, locks, result };
            self.fetched.lock().unwrap_or_else(PoisonError::into_inner).insert(*i, fetched);
            self.queue.release(*i);
        };
        let progress = Progress { run: self, hand_over: &hand_over };
        let results = self.builder.tools.fetcher.fetch(&requests, &progress, &self.stop);
        for (n, result) in results.into_iter().enumerate() {
            hand_over(n, result);
        }
        for (n, request) in requests.iter().enumerate() {
            // Not if the fetcher keeps its promise; a job without an end would leave the workers waiting for ever.
            hand_over(n, Err(FetchError::transfer(&request.url, "the fetcher gave no result")));
        }
    }

    fn begin_fetch(&self, planned: &PlannedBuild) -> Result<Begun, FailureReason> {
        if self.is_cancelled() {
            return Err(FailureReason::Cancelled);
        }
        if self.all_present(planned.outputs.values())? {
            return Ok(Begun::Present);
        }
        let fetchurl = Fetchurl::parse(&planned.derivation, self.scratch.fresh())?;
        let Some(locks) = self.builder.store.try_lock_paths(planned.outputs.values())? else {
            return Ok(Begun::Locked);
        };
        Ok(if self.all_present(planned.outputs.values())? { Begun::Present } else { Begun::Fetch(fetchurl, locks) })
    }

    pub(crate) fn finish_fetch(&self, i: usize, planned: &PlannedBuild) -> Result<Success, FailureReason> {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner).remove(&i);
        let Some(Fetched { fetchurl, locks, result }) = fetched else {
            return Err(FailureReason::Cancelled);
        };
        result?;
        let tree = fetchurl.treat(self.scratch.fresh())?;
        let outputs = planned.outputs.keys().map(|name| (name.clone(), (tree.clone(), References::None)));
        self.register_outputs(planned, outputs.collect(), locks)?;
        Ok(Success::Made)
    }
}

enum Begun {
    Fetch(Fetchurl, PathLocks),
    Present,
    Locked,
}

struct Progress<'p> {
    run: &'p Run<'p>,
    hand_over: &'p (dyn Fn(usize, Result<(), FetchError>) + Sync),
}

impl FetchProgress for Progress<'_> {
    fn bytes(&self, received_bytes: u64, total_bytes: u64) {
        self.run.event(&BuildEvent::Fetched { received_bytes, total_bytes });
        if self.run.builder.tools.cancellation.is_cancelled() {
            self.run.stop.cancel();
        }
    }

    fn complete(&self, index: usize) {
        (self.hand_over)(index, Ok(()));
    }
}
