//! The queue of jobs: which may begin, which wait for what, and when all is done. Knows nothing about what jobs do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting worker looks at the cancellation.
const TICK: Duration = Duration::from_millis(50);

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
}

/// Whether jobs that do not depend on a failed one still begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    Continue,
    Stop,
}

/// What a worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Work on this job and call `finish`.
    Job(usize),
    /// Nothing to do for now: do housekeeping and ask again.
    Idle,
    /// No more work.
    End,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    after_failure: AfterFailure,
}

struct State {
    /// For each job, how many jobs it still waits for.
    waiting_for: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    /// Jobs that may begin, the ones with the longest chain behind them first.
    ready: BTreeSet<(std::cmp::Reverse<usize>, usize)>,
    height: Vec<usize>,
    /// Jobs begun by `Next::Job`, or announced by `hold`.
    running: usize,
    stopped: bool,
    finished: Vec<bool>,
}

impl Queue {
    /// A queue of jobs given by what each waits for. Jobs in `held` are begun by the caller, who releases them with
    /// `release` or `finish`.
    pub(crate) fn new(waits_for: &[BTreeSet<usize>], held: &BTreeSet<usize>, after_failure: AfterFailure) -> Self {
        let mut dependents = vec![Vec::new(); waits_for.len()];
        for (job, needed) in waits_for.iter().enumerate() {
            for other in needed {
                dependents[*other].push(job);
            }
        }
        let height = heights(waits_for, &dependents);
        let ready = (0..waits_for.len())
            .filter(|job| waits_for[*job].is_empty() && !held.contains(job))
            .map(|job| (std::cmp::Reverse(height[job]), job))
            .collect();
        let state = State {
            waiting_for: waits_for.iter().map(BTreeSet::len).collect(),
            dependents,
            ready,
            height,
            running: held.len(),
            stopped: false,
            finished: vec![false; waits_for.len()],
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), after_failure }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, waiting a moment for one to become ready.
    pub(crate) fn next(&self) -> Next {
        let mut state = self.state();
        if state.stopped {
            return Next::End;
        }
        if let Some((_, job)) = state.ready.pop_first() {
            state.running += 1;
            return Next::Job(job);
        }
        if state.running == 0 {
            return Next::End;
        }
        drop(self.changed.wait_timeout(state, TICK));
        Next::Idle
    }

    /// A held job may now be worked on by anyone.
    pub(crate) fn release(&self, job: usize) {
        let mut state = self.state();
        state.running -= 1;
        let height = state.height[job];
        state.ready.insert((std::cmp::Reverse(height), job));
        self.changed.notify_all();
    }

    /// A running or held job has ended.
    pub(crate) fn finish(&self, job: usize, outcome: Outcome) {
        let mut state = self.state();
        state.running -= 1;
        match outcome {
            Outcome::Done => {
                state.finished[job] = true;
                for dependent in std::mem::take(&mut state.dependents[job]) {
                    state.waiting_for[dependent] -= 1;
                    if state.waiting_for[dependent] == 0 {
                        let height = state.height[dependent];
                        state.ready.insert((std::cmp::Reverse(height), dependent));
                    }
                }
            }
            Outcome::Failed if self.after_failure == AfterFailure::Stop => state.stopped = true,
            Outcome::Failed => {}
        }
        self.changed.notify_all();
    }

    /// No further job begins.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Which jobs were done; to be asked when all workers have ended.
    pub(crate) fn finished(&self) -> Vec<bool> {
        self.state().finished.clone()
    }
}

/// For each job, the length of the longest chain of jobs that wait for it.
fn heights(waits_for: &[BTreeSet<usize>], dependents: &[Vec<usize>]) -> Vec<usize> {
    let mut height = vec![0; waits_for.len()];
    let mut open: BTreeMap<usize, usize> =
        dependents.iter().enumerate().map(|(job, dependents)| (job, dependents.len())).collect();
    let mut queue: Vec<usize> = open.iter().filter(|(_, count)| **count == 0).map(|(job, _)| *job).collect();
    while let Some(job) = queue.pop() {
        for needed in &waits_for[job] {
            height[*needed] = height[*needed].max(height[job] + 1);
            if let Some(count) = open.get_mut(needed) {
                *count -= 1;
                if *count == 0 {
                    queue.push(*needed);
                }
            }
        }
    }
    height
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{AfterFailure, Next, Outcome, Queue};

    fn graph(edges: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        edges.iter().map(|needed| needed.iter().copied().collect()).collect()
    }

    #[test]
    fn jobs_wait_for_what_they_need_and_long_chains_go_first() {
        // 0 and 3 are free; 1 needs 0, 2 needs 1.
        let queue = Queue::new(&graph(&[&[], &[0], &[1], &[]]), &BTreeSet::new(), AfterFailure::Stop);
        assert_eq!(queue.next(), Next::Job(0));
        assert_eq!(queue.next(), Next::Job(3));
        assert_eq!(queue.next(), Next::Idle);
        queue.finish(0, Outcome::Done);
        assert_eq!(queue.next(), Next::Job(1));
        queue.finish(3, Outcome::Done);
        queue.finish(1, Outcome::Done);
        assert_eq!(queue.next(), Next::Job(2));
        queue.finish(2, Outcome::Done);
        assert_eq!(queue.next(), Next::End);
        assert_eq!(queue.finished(), [true; 4]);
    }

    #[test]
    fn after_a_failure_only_independent_jobs_go_on() {
        let queue = Queue::new(&graph(&[&[], &[0], &[]]), &BTreeSet::new(), AfterFailure::Continue);
        assert_eq!(queue.next(), Next::Job(0));
        queue.finish(0, Outcome::Failed);
        assert_eq!(queue.next(), Next::Job(2));
        queue.finish(2, Outcome::Done);
        assert_eq!(queue.next(), Next::End);
        assert_eq!(queue.finished(), [false, false, true]);
        let queue = Queue::new(&graph(&[&[], &[]]), &BTreeSet::new(), AfterFailure::Stop);
        assert_eq!(queue.next(), Next::Job(0));
        queue.finish(0, Outcome::Failed);
        assert_eq!(queue.next(), Next::End);
    }

    #[test]
    fn held_jobs_keep_the_workers_waiting() {
        let queue = Queue::new(&graph(&[&[], &[0]]), &BTreeSet::from([0]), AfterFailure::Stop);
        assert_eq!(queue.next(), Next::Idle);
        queue.release(0);
        assert_eq!(queue.next(), Next::Job(0));
        queue.finish(0, Outcome::Done);
        assert_eq!(queue.next(), Next::Job(1));
    }
}
