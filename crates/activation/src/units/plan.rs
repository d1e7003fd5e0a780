//! The plan of the units: what happens to each and why. Values, and how they read.

use std::fmt;

use serde::Serialize;

/// What systemd says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// Its main name.
    pub name: String,
    /// `active`, `activating`, `reloading`, `inactive`, `failed`, `deactivating`.
    pub active: String,
    /// `running`, `exited`, `auto-restart`, …
    pub sub: String,
    /// Where it was loaded from; empty for units without a file.
    pub fragment: String,
}

impl UnitState {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading")
    }

    /// Made while the system runs, by `systemd-run` or a generator: no generation's business.
    pub(super) fn is_transient(&self) -> bool {
        self.fragment.starts_with("/run/")
    }
}

/// What happens to a unit; in this order of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitAction {
    /// Changed, but left alone.
    Skip,
    /// `systemctl reload`, after the switch.
    Reload,
    /// `systemctl start`, after the switch.
    Start,
    /// `systemctl restart`, after the switch.
    Restart,
    /// `systemctl stop` before and `systemctl start` after the switch.
    StopThenStart,
    /// `systemctl stop`, before the switch.
    Stop,
}

/// One unit's fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitStep {
    /// The unit's name.
    pub unit: String,
    /// What happens.
    pub action: UnitAction,
    /// Why.
    pub reason: String,
}

/// What systemd itself has to do after the files have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagerReload {
    /// Read the unit files again.
    Reload,
    /// Also start itself anew, because it was upgraded.
    Reexec,
}

/// What happens to all units, sorted by action and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitPlan {
    /// One step per unit.
    pub steps: Vec<UnitStep>,
    /// What systemd itself does.
    pub manager: ManagerReload,
}

impl UnitPlan {
    /// A plan that touches no unit.
    pub fn nothing() -> Self {
        Self { steps: Vec::new(), manager: ManagerReload::Reload }
    }

    /// Units with one of the actions, sorted.
    pub fn units(&self, actions: &[UnitAction]) -> Vec<&str> {
        let mut units: Vec<&str> =
            self.steps.iter().filter(|step| actions.contains(&step.action)).map(|step| step.unit.as_str()).collect();
        units.sort_unstable();
        units
    }
}

impl fmt::Display for UnitPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let verb = match step.action {
                UnitAction::Skip => "leave alone",
                UnitAction::Reload => "reload",
                UnitAction::Start => "start",
                UnitAction::Restart => "restart",
                UnitAction::StopThenStart => "stop and start again",
                UnitAction::Stop => "stop",
            };
            writeln!(formatter, "{verb} {} ({})", step.unit, step.reason)?;
        }
        if self.manager == ManagerReload::Reexec {
            writeln!(formatter, "re-execute systemd (it was upgraded)")?;
        }
        Ok(())
    }
}
