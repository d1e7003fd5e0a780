//! Applying a plan: jobs on all cores, fetching in one call, registration in batches.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix_formats::StorePath;
use store::{PathInfo, PathLocks, Scratch, StoreError};

use crate::builder::{Builder, BuilderOptions, FailurePolicy};
use crate::builtin::{BuiltinContext, References};
use crate::cancel::Cancellation;
use crate::environment::string_list;
use crate::error::{BuildError, BuildFailure, FailureReason};
use crate::fetch::FetchError;
use crate::fetching::Fetched;
use crate::log::BuildLog;
use crate::observer::{BuildEvent, Task};
use crate::output::FinishedOutput;
use crate::plan::{BuildPlan, PlannedBuild, PlannedSubstitution};
use crate::queue::{AfterFailure, Next, Outcome, Queue};
use crate::registrar::Registrar;
use crate::sandboxed::SandboxedBuild;

/// How often a lock that another process holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// What applying a plan did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Derivations built.
    pub built: usize,
    /// Files fetched.
    pub fetched: usize,
    /// Paths copied from caches.
    pub substituted: usize,
    /// Derivations that somebody else realised meanwhile.
    pub reused: usize,
}

#[derive(Clone, Copy)]
pub(crate) enum Job<'p> {
    Build(&'p PlannedBuild),
    Fetch(&'p PlannedBuild),
    Substitute(&'p PlannedSubstitution),
}

impl<'p> Job<'p> {
    fn task(self) -> Task {
        match self {
            Self::Build(_) => Task::Build,
            Self::Fetch(_) => Task::Fetch,
            Self::Substitute(_) => Task::Substitute,
        }
    }

    fn path(self) -> &'p StorePath {
        match self {
            Self::Build(planned) | Self::Fetch(planned) => &planned.drv,
            Self::Substitute(planned) => &planned.info.path,
        }
    }

    fn makes(self) -> Vec<&'p StorePath> {
        match self {
            Self::Build(planned) | Self::Fetch(planned) => planned.outputs.values().collect(),
            Self::Substitute(planned) => vec![&planned.info.path],
        }
    }

    fn needs(self) -> &'p BTreeSet<StorePath> {
        match self {
            Self::Build(planned) | Self::Fetch(planned) => &planned.inputs,
            Self::Substitute(planned) => &planned.info.references,
        }
    }
}

/// How a job that did not fail ended.
pub(crate) enum Success {
    Made,
    Reused,
}

pub(crate) fn apply_plan(builder: &Builder<'_>, plan: &BuildPlan) -> Result<BuildReport, BuildError> {
    if plan.is_empty() {
        return Ok(BuildReport::default());
    }
    builder.tools.observer.event(&BuildEvent::Planned { plan });
    let jobs: Vec<Job<'_>> = (plan.to_fetch.values().map(Job::Fetch))
        .chain(plan.to_substitute.values().map(Job::Substitute))
        .chain(plan.to_build.values().map(Job::Build))
        .collect();
    let fetches: BTreeSet<usize> = (0..plan.to_fetch.len()).collect();
    let after_failure = match builder.options.failure_policy {
        FailurePolicy::KeepGoing => AfterFailure::Continue,
        FailurePolicy::StopEarly => AfterFailure::Stop,
    };
    let run = Run {
        builder,
        queue: Queue::new(&dependencies(&jobs), &fetches, after_failure),
        jobs,
        registrar: Registrar::new(builder.store, builder.tools.observer),
        scratch: builder.store.scratch()?,
        fetched: Mutex::default(),
        failures: Mutex::default(),
        report: Mutex::default(),
        stop: Cancellation::new(),
    };
    std::thread::scope(|scope| {
        if !fetches.is_empty() {
            scope.spawn(|| run.fetch_all(&fetches));
        }
        for slot in 0..builder.options.max_jobs.max(1) {
            let run = &run;
            scope.spawn(move || run.work(slot));
        }
    });
    run.end()
}

/// For each job, the jobs whose paths it needs.
fn dependencies(jobs: &[Job<'_>]) -> Vec<BTreeSet<usize>> {
    let mut makers: BTreeMap<&StorePath, usize> = BTreeMap::new();
    for (i, job) in jobs.iter().enumerate() {
        for path in job.makes() {
            // Two derivations can declare the same contents; either will do.
            makers.entry(path).or_insert(i);
        }
    }
    let of = |(i, job): (usize, &Job<'_>)| {
        job.needs().iter().filter_map(|path| makers.get(path).copied()).filter(|maker| *maker != i).collect()
    };
    jobs.iter().enumerate().map(of).collect()
}

/// One application of a plan.
pub(crate) struct Run<'r> {
    pub(crate) builder: &'r Builder<'r>,
    pub(crate) jobs: Vec<Job<'r>>,
    pub(crate) queue: Queue,
    pub(crate) registrar: Registrar<'r>,
    pub(crate) scratch: Scratch,
    pub(crate) fetched: Mutex<BTreeMap<usize, Fetched>>,
    failures: Mutex<Vec<BuildFailure>>,
    report: Mutex<BuildReport>,
    /// Set when the user cancels, and when a failure shall end what runs.
    pub(crate) stop: Cancellation,
}

impl Run<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        if self.builder.tools.cancellation.is_cancelled() {
            self.stop.cancel();
        }
        self.stop.is_cancelled()
    }

    pub(crate) fn event(&self, event: &BuildEvent<'_>) {
        self.builder.tools.observer.event(event);
    }

    fn work(&self, slot: usize) {
        loop {
            if self.is_cancelled() {
                self.queue.stop();
            }
            match self.queue.next() {
                Next::End => return,
                Next::Idle => self.note_store_failure(self.registrar.flush_if_old()),
                Next::Job(i) => self.run_job(i, slot),
            }
        }
    }

    fn run_job(&self, i: usize, slot: usize) {
        let job = self.jobs[i];
        let path = job.path();
        let log = BuildLog::new(&self.builder.store.layout().logs(), path, self.builder.tools.observer);
        if !matches!(job, Job::Fetch(_)) {
            self.event(&BuildEvent::Started { task: job.task(), path });
        }
        let result = match job {
            Job::Build(planned) => self.build(planned, &log, slot),
            Job::Fetch(planned) => self.finish_fetch(i, planned),
            Job::Substitute(planned) => self.substitute(planned),
        };
        match result {
            Ok(success) => {
                self.count(job, &success);
                self.event(&match success {
                    Success::Made => BuildEvent::Finished { task: job.task(), path },
                    Success::Reused => BuildEvent::Reused { path },
                });
                self.queue.finish(i, Outcome::Done);
            }
            Err(reason) => self.fail(i, reason, log.summary()),
        }
    }

    pub(crate) fn count(&self, job: Job<'_>, success: &Success) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        match (success, job) {
            (Success::Reused, _) => report.reused += 1,
            (Success::Made, Job::Build(_)) => report.built += 1,
            (Success::Made, Job::Fetch(_)) => report.fetched += 1,
            (Success::Made, Job::Substitute(_)) => report.substituted += 1,
        }
    }

    pub(crate) fn fail(
        &self,
        i: usize,
        reason: FailureReason,
        (last_log_lines, log_file): (Vec<String>, Option<PathBuf>),
    ) {
        let (task, path) = (self.jobs[i].task(), self.jobs[i].path());
        self.event(&BuildEvent::Failed { task, path });
        let failure = BuildFailure { path: path.clone(), reason, last_log_lines, log_file };
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
        if self.builder.options.failure_policy == FailurePolicy::StopEarly {
            self.stop.cancel();
        }
        self.queue.finish(i, Outcome::Failed);
    }

    /// A store that cannot register ends everything; the error comes again when the rest is registered at the end.
    fn note_store_failure(&self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::error!(%error, "could not register finished paths");
            self.stop.cancel();
        }
    }

    /// Locks paths, polling, because the holder may be waiting for what we have not registered yet. `None` when
    /// everything is there already.
    pub(crate) fn lock_missing<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p StorePath> + Clone,
    ) -> Result<Option<PathLocks>, FailureReason> {
        loop {
            if self.all_present(paths.clone())? {
                return Ok(None);
            }
            if let Some(locks) = self.builder.store.try_lock_paths(paths.clone())? {
                // Whoever held them may have registered the paths in between.
                return Ok(if self.all_present(paths)? { None } else { Some(locks) });
            }
            if self.is_cancelled() {
                return Err(FailureReason::Cancelled);
            }
            self.registrar.flush()?;
            std::thread::sleep(LOCK_RETRY);
        }
    }

    pub(crate) fn all_present<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<bool, StoreError> {
        for path in paths {
            if !self.registrar.has(path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn build(&self, planned: &PlannedBuild, log: &BuildLog<'_>, slot: usize) -> Result<Success, FailureReason> {
        let Some(locks) = self.lock_missing(planned.outputs.values())? else {
            return Ok(Success::Reused);
        };
        let builder = String::from_utf8_lossy(&planned.derivation.builder).into_owned();
        let scratch = self.builder.store.scratch()?;
        let made = match builder.strip_prefix("builtin:") {
            Some(name) => self.build_builtin(planned, name, log, &scratch)?,
            None => {
                self.check_system(planned)?;
                let build = SandboxedBuild {
                    builder: self.builder,
                    planned,
                    registrar: &self.registrar,
                    log,
                    stop: &self.stop,
                };
                let trees = build.run(&scratch, slot)?;
                trees.into_iter().map(|(name, tree)| (name, (tree, References::Scan))).collect()
            }
        };
        if self.is_cancelled() {
            return Err(FailureReason::Cancelled);
        }
        self.register_outputs(planned, made, locks)?;
        Ok(Success::Made)
    }

    fn check_system(&self, planned: &PlannedBuild) -> Result<(), FailureReason> {
        let required = String::from_utf8_lossy(&planned.derivation.system).into_owned();
        let BuilderOptions { systems, emulators, .. } = &self.builder.options;
        if systems.contains(&required) || emulators.contains_key(&required) {
            return Ok(());
        }
        Err(FailureReason::WrongSystem { required, offered: systems.iter().chain(emulators.keys()).cloned().collect() })
    }

    fn build_builtin(
        &self,
        planned: &PlannedBuild,
        name: &str,
        log: &BuildLog<'_>,
        scratch: &Scratch,
    ) -> Result<BTreeMap<String, (PathBuf, References)>, FailureReason> {
        let Some(builtin) = self.builder.tools.builtins.get(name) else {
            return Err(FailureReason::UnknownBuiltin { builder: format!("builtin:{name}") });
        };
        let mut context = BuiltinContext {
            drv_path: &planned.drv,
            derivation: &planned.derivation,
            inputs: &planned.inputs,
            registrar: &self.registrar,
            outputs: planned.outputs.keys().map(|name| (name.clone(), scratch.fresh())).collect(),
            references: BTreeMap::new(),
            scratch,
            log,
            cancellation: &self.stop,
            closure: RefCell::new(None),
        };
        builtin.build(&mut context)?;
        let BuiltinContext { outputs, mut references, .. } = context;
        let with_references = |(name, tree): (String, PathBuf)| {
            let references = references.remove(&name).unwrap_or(References::Scan);
            (name, (tree, references))
        };
        Ok(outputs.into_iter().map(with_references).collect())
    }

    pub(crate) fn register_outputs(
        &self,
        planned: &PlannedBuild,
        made: BTreeMap<String, (PathBuf, References)>,
        locks: PathLocks,
    ) -> Result<(), FailureReason> {
        let mut candidates = BTreeSet::new();
        if made.values().any(|(_, references)| *references == References::Scan) {
            candidates = self.registrar.closure(&planned.inputs)?;
            candidates.extend(planned.outputs.values().cloned());
        }
        let mut finished: Vec<(PathInfo, PathBuf)> = Vec::new();
        for (name, (tree, references)) in &made {
            let output = FinishedOutput {
                drv_path: &planned.drv,
                derivation: &planned.derivation,
                name,
                tree,
                references,
                candidates: &candidates,
            };
            let info = output.examine()?;
            self.check_reference_rules(planned, name, &info)?;
            finished.push((info, tree.clone()));
        }
        self.registrar.add(finished, locks)?;
        Ok(())
    }

    fn check_reference_rules(
        &self,
        planned: &PlannedBuild,
        output: &str,
        info: &PathInfo,
    ) -> Result<(), FailureReason> {
        let dir = self.builder.store.dir();
        // Rules name outputs of the derivation itself, or store paths.
        let parse = |names: Vec<String>| -> BTreeSet<StorePath> {
            let path = |name: &String| planned.outputs.get(name).cloned().or_else(|| dir.parse(name).ok());
            names.iter().filter_map(path).collect()
        };
        for rule in ["allowedReferences", "disallowedReferences", "allowedRequisites", "disallowedRequisites"] {
            let Some(named) = string_list(&planned.derivation, rule)?.map(parse) else {
                continue;
            };
            let mut subject = info.references.clone();
            if rule.ends_with("Requisites") {
                subject = self.registrar.closure(&subject)?;
            }
            let allowed = rule.starts_with("allowed");
            let bad: Vec<StorePath> = subject.into_iter().filter(|path| named.contains(path) != allowed).collect();
            if !bad.is_empty() {
                return Err(FailureReason::ForbiddenReferences { output: output.to_owned(), rule, references: bad });
            }
        }
        Ok(())
    }

    fn substitute(&self, planned: &PlannedSubstitution) -> Result<Success, FailureReason> {
        let path = &planned.info.path;
        let Some(locks) = self.lock_missing([path])? else {
            return Ok(Success::Reused);
        };
        let tree = self.scratch.fresh();
        let info = self.builder.substituter.unpack(planned, &tree, &self.stop)?;
        self.registrar.add(vec![(info, tree)], locks)?;
        Ok(Success::Made)
    }

    /// Registers the rest and says how it went.
    fn end(self) -> Result<BuildReport, BuildError> {
        self.registrar.flush()?;
        let failures = self.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.builder.tools.cancellation.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        // What was ended because of another failure is not a failure of its own.
        let (cancelled, failures): (Vec<_>, Vec<_>) = failures.into_iter().partition(|failure| failure.is_cancelled());
        let finished = self.queue.finished();
        if failures.is_empty() && cancelled.is_empty() && finished.iter().all(|done| *done) {
            return Ok(self.report.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        let failed: BTreeSet<&StorePath> = failures.iter().map(|failure| &failure.path).collect();
        let skipped = self.jobs.iter().zip(finished).filter(|(_, done)| !done).map(|(job, _)| job.path());
        let skipped = skipped.filter(|path| !failed.contains(path)).cloned().collect();
        Err(BuildError::Failed { failures, skipped })
    }
}

impl BuildFailure {
    fn is_cancelled(&self) -> bool {
        matches!(
            self.reason,
            FailureReason::Cancelled
                | FailureReason::Builtin(crate::BuiltinError::Cancelled)
                | FailureReason::Fetch(FetchError::Cancelled { .. })
        )
    }
}
