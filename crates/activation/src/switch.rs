//! Switching a running machine: the plan of everything, and its order.
//!
//! 1. boot entries (the caller's callback: this package knows no boot loader; the caller has switched the profile before);
//! 2. stop what goes or changes;
//! 3. root file system, additions to /etc, the flip of /usr, `/run/current-system`, changes of /etc, accounts, wrappers;
//! 4. systemd reads its units again; tmpfiles;
//! 5. reload, restart, start; report.
//!
//! A cut before 1 ends boots the old generation, after it the new one: both are whole, because nothing that lasts is
//! written after 1 but account files, each replaced in one rename. A failure after 1 never stops the rest: half a switch is
//! worse than a switch with one part missing, and the report names it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::machine::{BOOTED_SYSTEM, CURRENT_SYSTEM, Occasion};
use crate::root::Root;
use crate::system::{ApplyError, PlanError, SystemPlan, apply_system, plan_system};
use crate::systemd::{ManagerError, ServiceManager};
use crate::units::{GenerationView, UnitAction, UnitPlan, plan_units};
use crate::views;

/// Where the booted kernel's modules lie in its `kernel-modules`, as stage 1 looks for them.
const MODULE_FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// Why a switch could not be planned. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The file-system part.
    #[error(transparent)]
    System(#[from] PlanError),
    /// systemd did not say what runs.
    #[error(transparent)]
    Manager(#[from] ManagerError),
    /// A unit file or program could not be read.
    #[error("failed to compare the units of the two generations")]
    Units(#[source] std::io::Error),
    /// The boot entries could not be written; the running system was not touched.
    #[error("failed to write the boot entries; the running system was not touched")]
    BootEntries(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The rollback could not be scheduled; nothing was touched.
    #[error("failed to schedule the rollback; nothing was touched")]
    Rollback(#[source] ManagerError),
}

/// A command that takes the switch back unless somebody confirms it.
///
/// With it, the caller switches no profile and hands [`apply_switch`] a `write_boot_entries` that does nothing: until
/// the confirmation ([`ServiceManager::cancel_rollback`], then profile and boot entries) a cut boots the old generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// How long to wait for the confirmation, once the switch is done.
    pub seconds: u32,
    /// What to run then, such as `esker switch --toplevel OLD`.
    #[serde(skip)]
    pub command: Vec<OsString>,
}

/// How much later than wanted a rollback comes when the switch itself never ends.
const ALLOWANCE: u32 = 300;

impl Rollback {
    fn schedule(&self, manager: &mut dyn ServiceManager, allowance: u32) -> Result<(), ManagerError> {
        let command: Vec<&OsStr> = self.command.iter().map(OsString::as_os_str).collect();
        manager.schedule_rollback(self.seconds.saturating_add(allowance), &command)
    }
}

/// The flip of /usr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsrFlip {
    /// The EROFS image of the new view (store path).
    pub image: PathBuf,
    /// The booted kernel's modules, laid over the view's lib/modules.
    pub modules: Option<PathBuf>,
}

/// Everything that a switch does. What `dry-activate` prints is what [`apply_switch`] consumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchPlan {
    /// The scheduled rollback.
    pub rollback: Option<Rollback>,
    /// Services.
    pub units: UnitPlan,
    /// The flip of /usr; absent when both generations have the same.
    pub usr: Option<UsrFlip>,
    /// Everything else of the file system.
    pub system: SystemPlan,
}

impl SwitchPlan {
    /// What will happen, one line per change, without secrets.
    pub fn describe(&self) -> String {
        match self.to_string() {
            nothing if nothing.is_empty() => "nothing changes\n".to_owned(),
            changes => changes,
        }
    }
}

impl fmt::Display for SwitchPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rollback) = &self.rollback {
            writeln!(formatter, "roll back after {} seconds unless confirmed", rollback.seconds)?;
        }
        write!(formatter, "{}", self.units)?;
        if let Some(usr) = &self.usr {
            writeln!(formatter, "switch /usr to {}", usr.image.display())?;
        }
        write!(formatter, "{}", self.system)
    }
}

/// How a switch went.
#[derive(Debug)]
pub struct SwitchReport {
    /// Steps that failed.
    pub failures: Vec<ApplyError>,
    /// Units that failed and had not before, sorted.
    pub failed_units: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl SwitchReport {
    /// NixOS's exit codes: 0 all well, 4 units failed, 2 something else failed.
    pub fn exit_code(&self) -> u8 {
        match (self.failed_units.is_empty(), self.failures.is_empty()) {
            (true, true) => 0,
            (false, _) => 4,
            (true, false) => 2,
        }
    }
}

/// Plans a switch to `toplevel` (a target path). Only looks.
pub fn plan_switch(
    root: &Root,
    toplevel: &Path,
    manager: &mut dyn ServiceManager,
    rollback: Option<Rollback>,
) -> Result<SwitchPlan, SwitchError> {
    let system = plan_system(root, toplevel, Occasion::Switch)?;
    let units = match &system.current {
        Some(current) => {
            let old = GenerationView::of(root, current).map_err(SwitchError::Units)?;
            let new = GenerationView::of(root, &system.toplevel).map_err(SwitchError::Units)?;
            plan_units(&old, &new, &manager.units()?).map_err(SwitchError::Units)?
        }
        None => UnitPlan::nothing(),
    };
    let usr = plan_usr(root, &system).map_err(SwitchError::Units)?;
    Ok(SwitchPlan { rollback, units, usr, system })
}

fn plan_usr(root: &Root, system: &SystemPlan) -> std::io::Result<Option<UsrFlip>> {
    let image = root.resolve_target(system.toplevel.join("sw/usr.erofs"))?;
    let mounted = if root.is_machine() {
        mounted_view(&fs_err::read_to_string("/proc/self/mountinfo")?)
    } else {
        let current = system.current.as_ref().map(|current| root.resolve_target(current.join("sw/usr.erofs")));
        current.transpose()?
    };
    if mounted.as_ref() == Some(&image) || !root.path(&image).is_file() {
        return Ok(None);
    }
    let mut modules = None;
    for folder in MODULE_FOLDERS {
        let place = root.resolve_target(Path::new(BOOTED_SYSTEM).join("kernel-modules").join(folder))?;
        if modules.is_none() && root.path(&place).is_dir() {
            modules = Some(place);
        }
    }
    Ok(Some(UsrFlip { image, modules }))
}

/// What is mounted at /usr: the view's image, which is the mount's source (proc_pid_mountinfo(5)). The last line counts.
fn mounted_view(mountinfo: &str) -> Option<PathBuf> {
    let line = mountinfo.lines().rev().find(|line| line.split(' ').nth(4) == Some("/usr"))?;
    let (_, after) = line.split_once(" - ")?;
    after.split(' ').nth(1).map(PathBuf::from)
}

/// Carries out a switch. `write_boot_entries` comes first; when it fails nothing has been touched.
pub fn apply_switch(
    root: &Root,
    plan: &SwitchPlan,
    manager: &mut dyn ServiceManager,
    write_boot_entries: &mut dyn FnMut() -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Result<SwitchReport, SwitchError> {
    if let Some(rollback) = &plan.rollback {
        rollback.schedule(manager, ALLOWANCE).map_err(SwitchError::Rollback)?;
    }
    write_boot_entries().map_err(SwitchError::BootEntries)?;
    let failed_before = failed_units(manager)?;
    let mut failures = Vec::new();
    let mut attempt = |what: &str, result: Result<(), ManagerError>| {
        failures.extend(result.err().map(|error| ApplyError::new(what, error)));
    };

    attempt("stop units", manager.act("stop", &plan.units.units(&[UnitAction::Stop, UnitAction::StopThenStart])));
    let mut flip_usr = || match &plan.usr {
        Some(flip) if root.is_machine() => flip_view(root, flip),
        _ => Ok(()),
    };
    let system_failures = apply_system(root, &plan.system, &mut flip_usr);
    attempt("reload systemd", manager.reload_manager(plan.units.manager));
    attempt("apply tmpfiles", manager.create_tmpfiles());
    attempt("reload units", manager.act("reload", &plan.units.units(&[UnitAction::Reload])));
    attempt("restart units", manager.act("restart", &plan.units.units(&[UnitAction::Restart])));
    attempt("start units", manager.act("start", &plan.units.units(&[UnitAction::StopThenStart, UnitAction::Start])));
    if let Some(rollback) = &plan.rollback {
        // The time to confirm begins now.
        attempt("set the rollback's timer", manager.cancel_rollback().and_then(|()| rollback.schedule(manager, 0)));
    }
    failures.extend(system_failures);

    if root.is_machine() {
        let dropped = views::drop_unmounted(root);
        failures.extend(dropped.err().map(|error| ApplyError::new("forget unmounted views", error)));
    }

    let mut failed = failed_units(manager)?;
    let touched = plan.units.units(&[UnitAction::Restart, UnitAction::StopThenStart, UnitAction::Start]);
    failed.retain(|unit| !failed_before.contains(unit) || touched.contains(&unit.as_str()));
    let warnings = plan.system.all_warnings();
    Ok(SwitchReport { failures, failed_units: failed, warnings })
}

/// Units that failed, or that systemd starts again and again.
fn failed_units(manager: &mut dyn ServiceManager) -> Result<Vec<String>, ManagerError> {
    let states = manager.units()?.into_iter();
    let failed = states.filter(|state| state.active == "failed" || state.sub == "auto-restart");
    let mut names: Vec<String> = failed.map(|state| state.name).collect();
    names.sort();
    Ok(names)
}

fn flip_view(root: &Root, flip: &UsrFlip) -> Result<(), ApplyError> {
    // Both are rooted before the flip: services in namespaces of their own keep the old one.
    let mountinfo = fs_err::read_to_string("/proc/self/mountinfo");
    let rooted = mountinfo.and_then(|text| {
        let mounted = mounted_view(&text);
        mounted.iter().chain([&flip.image]).try_for_each(|image| views::keep(root, image))?;
        Ok(usr_view::StoreLayers::of_mounts(&text))
    });
    let layers = rooted.map_err(|error| ApplyError::new("keep the mounted /usr from the collector", error))?;
    let cover = |source: &PathBuf| usr_view::Cover { source: source.clone(), target: PathBuf::from("lib/modules") };
    let view = usr_view::ViewMount {
        image: layers.locate(&flip.image),
        name: flip.image.clone(),
        stores: layers.folders().to_vec(),
        covers: flip.modules.iter().map(cover).collect(),
        target: PathBuf::from("/usr"),
        staging: PathBuf::from("/run/esker/view"),
    };
    usr_view::apply(&view, usr_view::Attachment::Flip).map_err(|error| ApplyError::new("switch /usr", error))
}

/// The generation that runs (store path), if any.
pub fn current_system(root: &Root) -> Option<PathBuf> {
    fs_err::read_link(root.path(CURRENT_SYSTEM)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mounted_view_is_the_last_mount_at_usr() {
        let text = "30 1 0:5 / / rw - tmpfs root rw\n\
                    31 30 0:6 / /usr ro shared:1 - overlay /nix/store/a-sw/usr.erofs ro\n\
                    32 30 0:7 / /usr ro shared:1 - overlay /nix/store/b-sw/usr.erofs ro,lowerdir+=x\n\
                    33 32 0:8 / /usr/lib/modules ro - ext4 /dev/vda2 ro\n";
        assert_eq!(mounted_view(text), Some(PathBuf::from("/nix/store/b-sw/usr.erofs")));
        assert_eq!(mounted_view(""), None);
    }
}
