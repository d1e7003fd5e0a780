//! Decides what happens to each unit at a switch.
//!
//! The rules are NixOS's where NixOS has them:
//! - a unit that runs and is gone (or masked) is stopped, unless `X-StopOnRemoval=false`;
//! - a changed service is stopped before the switch and started after it; restarted in place with
//!   `X-StopIfChanged=false`, reloaded with `X-ReloadIfChanged=true` or when only `X-Reload-Triggers` changed, left alone
//!   with `X-RestartIfChanged=false`, `X-OnlyManualStart=true` or `RefuseManualStop=true`;
//! - with a socket-activated service its sockets are stopped and started, unless `X-NotSocketActivated=true`;
//! - changed mounts are remounted; slices and targets take changes up with `daemon-reload`.
//!
//! and beyond NixOS:
//! - Debian's units say nothing of the kind, so a table stands in ([`super::policy`]);
//! - a service whose text is equal but whose program or libraries lie elsewhere has changed ([`super::program`]), as has
//!   one whose well-known settings in /etc differ ([`super::settings`]);
//! - a unit that nothing wants any more is stopped even when its package still ships it;
//! - what starts is listed one by one: what is newly wanted, and what is wanted and failed or changed. Nobody's stopped
//!   service comes back because of a switch that does not concern it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::compare::{Difference, compare, triggers_changed};
use super::file::{Flag, Unit};
use super::fstab::{self, FstabChange};
use super::graph::{Generation, Reached};
use super::plan::{ManagerReload, UnitAction, UnitPlan, UnitState, UnitStep};
use super::policy::{Policy, is_system_mount, policy_of};
use super::program::{Programs, first_change};
use super::settings::{Uptake, changed_settings};
use super::view::{Found, GenerationView, kind_of};

/// Plans all units; `states` are all that systemd has loaded. Errors when a unit file exists and cannot be read.
pub fn plan_units(old: &GenerationView, new: &GenerationView, states: &[UnitState]) -> io::Result<UnitPlan> {
    let mut planner = Planner {
        old: Generation::new(old),
        new: Generation::new(new),
        old_programs: Programs::new(old),
        new_programs: Programs::new(new),
        states: states.iter().map(|state| (state.name.as_str(), state)).collect(),
        before: Reached::default(),
        after: Reached::default(),
        steps: BTreeMap::new(),
    };
    planner.reach()?;
    planner.plan_running()?;
    planner.plan_unwanted()?;
    planner.plan_settings()?;
    planner.plan_fstab()?;
    planner.plan_dependents()?;
    planner.plan_starts()?;
    planner.finish()
}

struct Planner<'a> {
    old: Generation<'a>,
    new: Generation<'a>,
    old_programs: Programs<'a>,
    new_programs: Programs<'a>,
    states: BTreeMap<&'a str, &'a UnitState>,
    before: Reached,
    after: Reached,
    steps: BTreeMap<String, UnitStep>,
}

impl<'a> Planner<'a> {
    /// A stronger action takes the place of a weaker one.
    fn put(&mut self, unit: &str, action: UnitAction, reason: impl Into<String>) {
        if self.steps.get(unit).is_some_and(|step| step.action >= action) {
            return;
        }
        self.steps.insert(unit.to_owned(), UnitStep { unit: unit.to_owned(), action, reason: reason.into() });
    }

    fn is_up(&self, unit: &str) -> bool {
        self.states.get(unit).is_some_and(|state| state.is_up())
    }

    fn running(&self) -> Vec<&'a UnitState> {
        self.states.values().copied().filter(|state| state.is_up() && !state.is_transient()).collect()
    }

    fn reach(&mut self) -> io::Result<()> {
        let targets = self.running().into_iter().filter(|state| kind_of(&state.name) == "target");
        let targets: BTreeSet<String> = targets.map(|state| state.name.clone()).collect();
        self.before = self.old.reach(&targets)?;
        let mut remaining = BTreeSet::new();
        for target in targets {
            if self.new.unit(&target)?.is_some() {
                remaining.insert(target);
            }
        }
        self.after = self.new.reach(&remaining)?;
        Ok(())
    }

    /// Units that run and are gone or changed.
    fn plan_running(&mut self) -> io::Result<()> {
        for state in self.running() {
            let name = state.name.as_str();
            if matches!(kind_of(name), "device" | "scope") {
                continue;
            }
            let Some(old) = self.old.unit(name)? else {
                continue;
            };
            match self.new.found(name)?.clone() {
                Found::Missing => self.plan_removal(name, &old, "it is gone"),
                Found::Masked => self.plan_removal(name, &old, "it is masked"),
                Found::Unit(new) => self.plan_changed(name, &old, &new)?,
            }
        }
        Ok(())
    }

    fn plan_removal(&mut self, name: &str, old: &Unit, reason: &str) {
        let is_session = name.starts_with("user@") || name.starts_with("user-runtime-dir@");
        if is_session || is_system_mount(name) {
            return;
        }
        if old.flag("X-StopOnRemoval", Flag::Set) {
            self.put(name, UnitAction::Stop, reason);
        } else {
            self.put(name, UnitAction::Skip, format!("{reason}, but X-StopOnRemoval=false"));
        }
    }

    fn plan_changed(&mut self, name: &str, old: &Unit, new: &Unit) -> io::Result<()> {
        let reason = match compare(old, new) {
            Difference::Restart(reason) => reason,
            Difference::Reload(reason) => {
                let reason = match self.program_change(old, new)? {
                    None => {
                        self.put(name, reload_action(name, new), reason);
                        return Ok(());
                    }
                    Some(change) => change,
                };
                return self.plan_modified(name, new, &reason, triggers_changed(old, new));
            }
            Difference::None => match self.program_change(old, new)? {
                Some(reason) => reason,
                None => {
                    if kind_of(name) == "target" && new.flag("X-StopOnReconfiguration", Flag::Unset) {
                        self.put(name, UnitAction::StopThenStart, "X-StopOnReconfiguration=true");
                    }
                    return Ok(());
                }
            },
        };
        self.plan_modified(name, new, &reason, triggers_changed(old, new))
    }

    fn program_change(&mut self, old: &Unit, new: &Unit) -> io::Result<Option<String>> {
        if self.old.view.shares_usr_with(self.new.view) {
            return Ok(None);
        }
        let (old, new) = (self.old_programs.files_of(old)?, self.new_programs.files_of(new)?);
        Ok(first_change(&old, &new))
    }

    fn plan_modified(&mut self, name: &str, new: &Unit, reason: &str, triggered: bool) -> io::Result<()> {
        match kind_of(name) {
            // Nothing to do: daemon-reload applies limits, and a target is nothing but its dependencies.
            "slice" | "target" => {}
            "mount" | "automount" | "swap" if is_system_mount(name) => {
                self.put(name, UnitAction::Skip, format!("{reason}; the running system is on it"));
            }
            "mount" if !new.flag("X-RestartIfChanged", Flag::Set) => {
                self.put(name, UnitAction::Skip, format!("{reason}; X-RestartIfChanged=false"));
            }
            "service" => self.plan_service(name, new, reason, triggered)?,
            "socket" => self.plan_socket(name, new, reason)?,
            _ => self.put(name, UnitAction::Restart, reason),
        }
        Ok(())
    }

    fn plan_service(&mut self, name: &str, new: &Unit, reason: &str, triggered: bool) -> io::Result<()> {
        if new.flag("X-ReloadIfChanged", Flag::Unset) {
            self.put(name, reload_action(name, new), reason);
            return Ok(());
        }
        for (key, default, keeps) in [
            ("X-RestartIfChanged", Flag::Set, false),
            ("X-OnlyManualStart", Flag::Unset, true),
            ("RefuseManualStop", Flag::Unset, true),
            ("RefuseManualStart", Flag::Unset, true),
        ] {
            if new.flag(key, default) == keeps {
                self.put(name, UnitAction::Skip, format!("{reason}; {key}={keeps}"));
                return Ok(());
            }
        }
        match policy_of(name).filter(|_| !triggered) {
            Some((Policy::Never, why)) => {
                self.put(name, UnitAction::Skip, format!("{reason}; {why}"));
                return Ok(());
            }
            Some((Policy::Reload, why)) => {
                self.put(name, UnitAction::Reload, format!("{reason}; {why}"));
                return Ok(());
            }
            Some((Policy::InPlace, _)) => {
                self.put(name, UnitAction::Restart, reason);
                return Ok(());
            }
            None => {}
        }
        if !new.flag("X-StopIfChanged", Flag::Set) {
            self.put(name, UnitAction::Restart, reason);
            return Ok(());
        }
        let sockets = if new.flag("X-NotSocketActivated", Flag::Unset) { Vec::new() } else { self.sockets(name, new) };
        for socket in &sockets {
            self.stop_and_start_if_it_stays(socket, &format!("{name}: {reason}"))?;
        }
        if sockets.is_empty() || self.after.pulled.contains_key(name) {
            self.put(name, UnitAction::StopThenStart, reason);
        } else {
            self.put(name, UnitAction::Stop, format!("{reason}; its socket starts it again"));
        }
        Ok(())
    }

    /// The sockets of a service that are listening now.
    fn sockets(&self, name: &str, unit: &Unit) -> Vec<String> {
        let mut sockets: Vec<String> = unit.words("Service", "Sockets").map(str::to_owned).collect();
        if sockets.is_empty() {
            let stem = name.strip_suffix(".service").unwrap_or(name);
            sockets.push(format!("{stem}.socket"));
        }
        sockets.retain(|socket| self.is_up(socket));
        sockets
    }

    fn plan_socket(&mut self, name: &str, new: &Unit, reason: &str) -> io::Result<()> {
        let stem = name.strip_suffix(".socket").unwrap_or(name);
        let service = new.value("Socket", "Service").map_or_else(|| format!("{stem}.service"), str::to_owned);
        // A socket cannot be bound anew while its service holds it.
        if self.is_up(&service) && policy_of(&service).is_none() {
            self.stop_and_start_if_it_stays(&service, &format!("{name}: {reason}"))?;
        } else if self.is_up(&service) {
            self.put(name, UnitAction::Skip, format!("{reason}; {service} holds it"));
            return Ok(());
        }
        self.put(name, UnitAction::StopThenStart, reason);
        Ok(())
    }

    fn stop_and_start_if_it_stays(&mut self, name: &str, reason: &str) -> io::Result<()> {
        let stays = self.new.unit(name)?.is_some();
        self.put(name, if stays { UnitAction::StopThenStart } else { UnitAction::Stop }, reason);
        Ok(())
    }

    /// Units that the old generation wanted and the new one does not, though it still has their files.
    fn plan_unwanted(&mut self) -> io::Result<()> {
        for state in self.running() {
            let name = state.name.as_str();
            let stoppable = matches!(kind_of(name), "service" | "socket" | "timer" | "path" | "mount" | "automount");
            let unwanted = self.before.kept.contains(name) && !self.after.kept.contains(name);
            if !stoppable || !unwanted || is_system_mount(name) {
                continue;
            }
            // What belongs to the boot comes and goes with it.
            if matches!(policy_of(name), Some((Policy::Never | Policy::Reload, _))) {
                continue;
            }
            if let Some(unit) = self.new.unit(name)? {
                self.plan_removal(name, &unit, "nothing wants it any more");
            }
        }
        Ok(())
    }

    fn plan_settings(&mut self) -> io::Result<()> {
        for (unit, uptake, reason) in changed_settings(self.old.view, self.new.view)? {
            if !self.is_up(unit) {
                continue;
            }
            let Some(new) = self.new.unit(unit)? else {
                continue;
            };
            let action = match uptake {
                Uptake::Reload => reload_action(unit, &new),
                Uptake::Restart => UnitAction::Restart,
            };
            self.put(unit, action, reason);
        }
        Ok(())
    }

    fn plan_fstab(&mut self) -> io::Result<()> {
        let read = |view: &GenerationView| -> io::Result<String> {
            let bytes = view.read(Path::new("/etc/fstab"))?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (old, new) = (read(self.old.view)?, read(self.new.view)?);
        for (unit, change) in fstab::changes(&old, &new) {
            if !self.is_up(&unit) {
                continue;
            }
            let (action, reason) = match change {
                FstabChange::Removed => (UnitAction::Stop, "it is gone from /etc/fstab"),
                FstabChange::Options if kind_of(&unit) == "mount" => (UnitAction::Reload, "its options changed"),
                FstabChange::Options | FstabChange::Device => (UnitAction::Restart, "its line in /etc/fstab changed"),
            };
            let action = if is_system_mount(&unit) { UnitAction::Skip } else { action };
            self.put(&unit, action, reason);
        }
        for unit in fstab::added(&old, &new) {
            if !self.is_up(&unit) && !is_system_mount(&unit) {
                self.put(&unit, UnitAction::Start, "it is new in /etc/fstab");
            }
        }
        Ok(())
    }

    /// systemd stops what requires a stopped unit; so say it, and start it again.
    fn plan_dependents(&mut self) -> io::Result<()> {
        let mut again = true;
        while again {
            again = false;
            for state in self.running() {
                let name = state.name.as_str();
                if self.steps.get(name).is_some_and(|step| step.action >= UnitAction::Restart) {
                    continue;
                }
                let Some((cause, action)) = self.stopped_requirement(name)? else {
                    continue;
                };
                let action = if self.new.unit(name)?.is_some() { action } else { UnitAction::Stop };
                self.put(name, action, format!("it requires {cause}"));
                again = true;
            }
        }
        Ok(())
    }

    fn stopped_requirement(&mut self, name: &str) -> io::Result<Option<(String, UnitAction)>> {
        let Some(unit) = self.old.unit(name)? else {
            return Ok(None);
        };
        let mut required: BTreeSet<String> = BTreeSet::new();
        for key in ["Requires", "BindsTo", "PartOf"] {
            required.extend(unit.words("Unit", key).map(str::to_owned));
        }
        let causes = required.into_iter().filter_map(|unit| {
            let action = self.steps.get(&unit)?.action;
            match action {
                UnitAction::Stop => Some((unit, UnitAction::StopThenStart)),
                UnitAction::StopThenStart | UnitAction::Restart => Some((unit, action)),
                UnitAction::Skip | UnitAction::Reload | UnitAction::Start => None,
            }
        });
        Ok(causes.max_by_key(|(_, action)| *action))
    }

    /// What the new generation wants and does not run.
    fn plan_starts(&mut self) -> io::Result<()> {
        for (name, wanted_by) in self.after.pulled.clone() {
            if self.is_up(&name) || name.contains("@.") || matches!(kind_of(&name), "device" | "scope" | "slice") {
                continue;
            }
            let Some(new) = self.new.unit(&name)? else {
                continue;
            };
            if new.flag("X-OnlyManualStart", Flag::Unset) || new.flag("RefuseManualStart", Flag::Unset) {
                continue;
            }
            let failed = self.states.get(name.as_str()).is_some_and(|state| state.active == "failed");
            let old = self.old.unit(&name)?;
            let changed = old.as_ref().map(|old| compare(old, &new));
            let reason = if !self.before.pulled.contains_key(&name) {
                format!("wanted by {wanted_by}")
            } else if failed {
                "it had failed".to_owned()
            } else if let Some(Difference::Restart(reason)) = changed {
                // Boot-time units of systemd itself have done their work already.
                if matches!(policy_of(&name), Some((Policy::Never, _))) {
                    continue;
                }
                reason
            } else {
                continue;
            };
            self.put(&name, UnitAction::Start, reason);
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<UnitPlan> {
        let systemd = "/usr/lib/systemd/systemd";
        let old = self.old_programs.files_of_program(systemd)?;
        let new = self.new_programs.files_of_program(systemd)?;
        let upgraded = first_change(&old, &new).is_some();
        let mut steps: Vec<UnitStep> = self.steps.into_values().collect();
        steps.sort_by(|a, b| b.action.cmp(&a.action).then_with(|| a.unit.cmp(&b.unit)));
        Ok(UnitPlan { steps, manager: if upgraded { ManagerReload::Reexec } else { ManagerReload::Reload } })
    }
}

/// A service that cannot reload is restarted, so that the change reaches it.
fn reload_action(name: &str, unit: &Unit) -> UnitAction {
    let can_reload =
        !unit.values("Service", "ExecReload").is_empty() || unit.value("Service", "Type") == Some("notify-reload");
    if kind_of(name) != "service" || can_reload { UnitAction::Reload } else { UnitAction::Restart }
}
