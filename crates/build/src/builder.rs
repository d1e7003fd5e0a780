//! The entry point: what building needs from outside, and the three steps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use nix_formats::StorePath;
use nix_formats::signature::PublicKey;
use store::Store;

use crate::builtin::BuiltinRegistry;
use crate::cancel::Cancellation;
use crate::error::BuildError;
use crate::fetch::Fetcher;
use crate::observer::BuildObserver;
use crate::plan::{BuildPlan, BuildTarget, plan_build, plan_copy};
use crate::schedule::{BuildReport, apply_plan};
use crate::substitute::{BinaryCache, Substituter};
use crate::view::ViewProvider;

/// What happens to independent work when something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Everything that does not depend on the failure is still done.
    KeepGoing,
    /// Nothing new begins, and running programs are ended.
    StopEarly,
}

/// How to build.
#[derive(Clone, Debug)]
pub struct BuilderOptions {
    /// How many jobs run at once; at least one.
    pub max_jobs: usize,
    /// How many cores each sandboxed builder is told to use.
    pub cores: usize,
    /// Platforms that this machine runs, besides `builtin`.
    pub systems: BTreeSet<String>,
    /// Other platforms, by the statically linked emulators that run their programs.
    pub emulators: BTreeMap<String, PathBuf>,
    /// What happens after a failure.
    pub failure_policy: FailurePolicy,
    /// Variables that fixed-output derivations may ask for (`impureEnvVars`), such as proxies.
    pub impure_variables: BTreeMap<String, String>,
    /// How long a program may run; as long as it likes unless said otherwise.
    pub timeout: Option<Duration>,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            max_jobs: cores,
            cores,
            systems: BTreeSet::from([format!("{}-linux", std::env::consts::ARCH)]),
            emulators: BTreeMap::new(),
            failure_policy: FailurePolicy::StopEarly,
            impure_variables: BTreeMap::new(),
            timeout: None,
        }
    }
}

/// What building needs and does not know itself.
#[derive(Clone, Copy)]
pub struct Tools<'t> {
    /// Builders in process.
    pub builtins: &'t BuiltinRegistry,
    /// Fetches files.
    pub fetcher: &'t dyn Fetcher,
    /// Makes views for sandboxes; without one, derivations that want a view fail.
    pub views: Option<&'t dyn ViewProvider>,
    /// Binary caches, the preferred one first.
    pub caches: &'t [Box<dyn BinaryCache>],
    /// Whose signatures count.
    pub trusted_keys: &'t [PublicKey],
    /// Hears what happens.
    pub observer: &'t dyn BuildObserver,
    /// Ends everything when set.
    pub cancellation: &'t Cancellation,
}

/// Realises derivations in a store.
pub struct Builder<'b> {
    pub(crate) store: &'b Store,
    pub(crate) tools: Tools<'b>,
    pub(crate) options: BuilderOptions,
    pub(crate) substituter: Substituter<'b>,
}

impl<'b> Builder<'b> {
    /// A builder for a store.
    #[must_use]
    pub fn new(store: &'b Store, tools: Tools<'b>, options: BuilderOptions) -> Self {
        let substituter = Substituter::new(store.dir(), tools.caches, tools.trusted_keys);
        Self { store, tools, options, substituter }
    }

    /// Says what must be done for the targets.
    ///
    /// Errors when a derivation is not in the store, an input cannot be had, or an output's path is not known.
    pub fn plan(&self, targets: &[BuildTarget]) -> Result<BuildPlan, BuildError> {
        plan_build(self.store, &self.substituter, targets)
    }

    /// Does what a plan says. What was finished before a failure or cancellation is registered and valid.
    ///
    /// Errors with all failures together.
    pub fn apply(&self, plan: &BuildPlan) -> Result<BuildReport, BuildError> {
        apply_plan(self, plan)
    }

    /// Copies paths with all that they refer to from the caches; what is valid already stays.
    ///
    /// Errors when no cache has one of them signed by a trusted key, and as `apply`.
    pub fn copy(&self, paths: &BTreeSet<StorePath>) -> Result<BuildReport, BuildError> {
        let plan = plan_copy(self.store, &self.substituter, paths)?;
        self.apply(&plan)
    }

    /// Plans and applies; gives the outputs asked for, by derivation and name.
    ///
    /// Errors as `plan` and `apply`.
    pub fn realise(
        &self,
        targets: &[BuildTarget],
    ) -> Result<BTreeMap<StorePath, BTreeMap<String, StorePath>>, BuildError> {
        let plan = self.plan(targets)?;
        self.apply(&plan)?;
        Ok(plan.outputs)
    }
}
