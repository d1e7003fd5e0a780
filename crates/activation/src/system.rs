//! The part that boot and switch share: a toplevel → root file system, /etc, accounts, wrappers, `/run/current-system`.
//!
//! Never touches services, the boot loader or profiles. Order, and why: additions to /etc come before
//! `/run/current-system` is renamed over and changes after it (so links of both generations work at that moment); /usr
//! flips just before it; accounts come after /etc because new homes are filled from /etc/skel.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::accounts::{self, AccountsPlan, AccountsSpec, Mutability, RandomSalts};
use crate::etc::{self, EtcManifest, EtcPlan};
use crate::machine::{self, CURRENT_SYSTEM, MachineStep, Occasion};
use crate::persistence::{PersistencePlan, plan_persistence};
use crate::root::{Root, replace_link};
use crate::toplevel::{PersistedPath, Toplevel, ToplevelError};
use crate::wrappers::{self, WrappersPlan};

/// Why the system part of an activation could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The toplevel is not whole.
    #[error(transparent)]
    Toplevel(#[from] ToplevelError),
    /// The manifest contradicts itself.
    #[error(transparent)]
    Manifest(#[from] crate::etc::ManifestError),
    /// Something of the machine could not be read.
    #[error("failed to look at {what}")]
    Observe {
        /// Which part.
        what: &'static str,
        /// What could not be read.
        #[source]
        source: std::io::Error,
    },
    /// A declared password could not be hashed.
    #[error(transparent)]
    Password(#[from] crate::accounts::PasswordError),
}

/// Why a step of an activation failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}")]
pub struct ApplyError {
    /// The step, as in "activate /etc".
    pub what: String,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl ApplyError {
    pub(crate) fn new(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}

/// Everything that an activation does to the file system, ready to be shown or applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemPlan {
    /// The new generation (store path).
    pub toplevel: PathBuf,
    /// The generation that `/run/current-system` names now.
    pub current: Option<PathBuf>,
    /// Boot or switch.
    pub occasion: Occasion,
    /// Root file system, host name, machine-id, persisted paths.
    pub machine: Vec<MachineStep>,
    /// /etc.
    pub etc: EtcPlan,
    /// Users and groups.
    pub accounts: AccountsPlan,
    /// /run/wrappers.
    pub wrappers: WrappersPlan,
    /// What was left out, and why.
    pub warnings: Vec<String>,
    #[serde(skip)]
    pub(crate) state_directory: PathBuf,
}

/// Looks at the machine and plans. `toplevel` is a target path.
pub fn plan_system(root: &Root, toplevel: &Path, occasion: Occasion) -> Result<SystemPlan, PlanError> {
    let toplevel = Toplevel::load(root, toplevel)?;
    let mut manifest: EtcManifest = toplevel.load_beside_etc(root, "manifest.json")?;
    let reserved = manifest.remove_reserved();
    manifest.check()?;
    let spec: AccountsSpec = toplevel.load_beside_etc(root, "accounts.json")?;
    let config = &toplevel.config;

    let looking_at = |what| move |source| PlanError::Observe { what, source };
    let record = etc::load_record(root).map_err(looking_at("/etc"))?;
    let found = etc::observe(root, &record, &manifest, &toplevel.static_etc).map_err(looking_at("/etc"))?;
    let etc = etc::plan_etc(&record, &manifest, toplevel.static_etc.clone(), &found);

    let found = accounts::observe(root, &config.state_directory, &spec).map_err(looking_at("the accounts"))?;
    let mutability = if config.mutable_users { Mutability::Mutable } else { Mutability::Immutable };
    let accounts = accounts::plan_accounts(&spec, mutability, &found, &mut RandomSalts)?;

    let found = wrappers::observe(root).map_err(looking_at("/run/wrappers"))?;
    let wrappers = wrappers::plan_wrappers(&config.wrappers, &accounts, &found);
    // At boot stage 1 has bound them.
    let persistence = match occasion {
        Occasion::Boot => PersistencePlan::default(),
        Occasion::Switch => {
            let uid = |name: &String| accounts.uid(name);
            let gid = |name: &String| accounts.gid(name);
            let owner_of = |path: &PersistedPath| {
                (path.user.as_ref().and_then(uid).unwrap_or(0), path.group.as_ref().and_then(gid).unwrap_or(0))
            };
            plan_persistence(root, config, &owner_of).map_err(looking_at("the persisted paths"))?
        }
    };
    let mut machine: Vec<MachineStep> = persistence.steps.into_iter().map(MachineStep::Persist).collect();
    let rest =
        machine::plan_machine(root, &toplevel, &accounts, occasion).map_err(looking_at("the root file system"))?;
    machine.extend(rest);
    Ok(SystemPlan {
        current: fs_err::read_link(root.path(CURRENT_SYSTEM)).ok(),
        toplevel: toplevel.path,
        occasion,
        machine,
        etc,
        accounts,
        wrappers,
        warnings: reserved
            .iter()
            .map(|path| format!("/etc/{path} is activation's own; the manifest's is left out"))
            .chain(persistence.warnings)
            .collect(),
        state_directory: toplevel.config.state_directory,
    })
}

impl SystemPlan {
    /// Everything that people should know though nothing failed.
    pub fn all_warnings(&self) -> Vec<String> {
        let all = self.accounts.warnings.iter().chain(&self.wrappers.warnings).chain(&self.warnings);
        all.cloned().collect()
    }

    /// What will happen, one line per change, without secrets.
    pub fn describe(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for SystemPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.machine {
            writeln!(formatter, "{step}")?;
        }
        write!(formatter, "{}{}", self.etc, self.accounts)?;
        if !self.wrappers.steps.is_empty() {
            let names: Vec<&str> = self.wrappers.steps.iter().map(|step| step.name.as_str()).collect();
            writeln!(formatter, "make /run/wrappers/bin anew: {}", names.join(", "))?;
        }
        for warning in self.wrappers.warnings.iter().chain(&self.warnings) {
            writeln!(formatter, "warning: {warning}")?;
        }
        if self.current.as_ref() != Some(&self.toplevel) {
            writeln!(formatter, "switch {CURRENT_SYSTEM} to {}", self.toplevel.display())?;
        }
        Ok(())
    }
}

/// Carries out the plan. Each part is tried even when another failed (a machine that boots with a hole in /etc can be
/// mended, one that does not boot cannot); the answer is what failed. `flip_usr` puts the new /usr in place, or does
/// nothing where stage 1 did.
pub fn apply_system(
    root: &Root,
    plan: &SystemPlan,
    flip_usr: &mut dyn FnMut() -> Result<(), ApplyError>,
) -> Vec<ApplyError> {
    let mut failures = Vec::new();
    let mut attempt = |what: &str, result: std::io::Result<()>| {
        failures.extend(result.err().map(|error| ApplyError::new(what, error)));
    };
    for step in &plan.machine {
        attempt(&step.to_string(), machine::apply_machine_step(root, step));
    }
    let additions = etc::apply_additions(root, &plan.etc).unwrap_or_else(|error| {
        attempt("add to /etc", Err(error));
        Vec::new()
    });
    let flipped = flip_usr();
    let current = root.path(CURRENT_SYSTEM);
    attempt("switch /run/current-system", replace_link(&current, &plan.toplevel));
    match etc::apply_changes(root, &plan.etc, additions) {
        Ok(problems) => {
            for problem in problems {
                attempt(&format!("put /etc/{}", problem.path), Err(problem.error));
            }
        }
        Err(error) => attempt("change /etc", Err(error)),
    }
    let written = accounts::apply_accounts(root, &plan.state_directory, &plan.accounts);
    attempt("write the accounts", written);
    match wrappers::apply_wrappers(root, &plan.wrappers) {
        Ok(problems) => {
            let problems = problems.into_iter();
            failures.extend(problems.map(|text| ApplyError::new("make all wrappers", text)));
        }
        Err(error) => failures.push(ApplyError::new("make the wrappers", error)),
    }
    failures.extend(flipped.err());
    failures
}
