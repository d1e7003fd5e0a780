//! Whole switches below a temporary root, with a service manager that records what it is asked. Needs root privileges, as
//! activation does.
#![allow(clippy::unwrap_used, reason = "helpers of tests are no #[test] functions themselves")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::Path;

use activation::systemd::ManagerError;
use activation::units::{ManagerReload, UnitState};
use activation::{Rollback, Root, ServiceManager, SwitchPlan, apply_switch, plan_switch};

/// Records calls; units named `broken…` fail when they are started.
#[derive(Default)]
struct Recorder {
    states: BTreeMap<String, String>,
    calls: Vec<String>,
    /// Looks at the machine at each call.
    current: Option<std::path::PathBuf>,
}

impl Recorder {
    fn running(names: &[&str]) -> Self {
        let states = names.iter().map(|name| ((*name).to_owned(), "active".to_owned())).collect();
        Self { states, ..Self::default() }
    }

    fn record(&mut self, call: String) {
        let current = self.current.as_ref().and_then(|link| std::fs::read_link(link).ok());
        let generation = current.map_or(String::new(), |path| format!(" in {}", path.display()));
        self.calls.push(format!("{call}{generation}"));
    }
}

impl ServiceManager for Recorder {
    fn units(&mut self) -> Result<Vec<UnitState>, ManagerError> {
        let states = self.states.iter().map(|(name, active)| UnitState {
            name: name.clone(),
            active: active.clone(),
            sub: "running".into(),
            fragment: format!("/etc/systemd/system/{name}"),
        });
        Ok(states.collect())
    }

    fn act(&mut self, verb: &str, units: &[&str]) -> Result<(), ManagerError> {
        if units.is_empty() {
            return Ok(());
        }
        self.record(format!("{verb} {}", units.join(" ")));
        for unit in units {
            let state = match verb {
                "stop" => "inactive",
                _ if unit.starts_with("broken") => "failed",
                _ => "active",
            };
            self.states.insert((*unit).to_owned(), state.to_owned());
        }
        Ok(())
    }

    fn reload_manager(&mut self, how: ManagerReload) -> Result<(), ManagerError> {
        self.record(format!("{how:?}"));
        Ok(())
    }

    fn create_tmpfiles(&mut self) -> Result<(), ManagerError> {
        self.record("tmpfiles".into());
        Ok(())
    }

    fn schedule_rollback(&mut self, seconds: u32, command: &[&OsStr]) -> Result<(), ManagerError> {
        self.record(format!("schedule {command:?} in {seconds} s"));
        Ok(())
    }

    fn cancel_rollback(&mut self) -> Result<(), ManagerError> {
        self.record("cancel".into());
        Ok(())
    }
}

struct Machine {
    _directory: tempfile::TempDir,
    root: Root,
}

const ACCOUNTS: &str =
    r#"{"users":[{"name":"root","uid":0,"group":"root","home":"/root"}],"groups":[{"name":"root","gid":0}]}"#;
const MORE_ACCOUNTS: &str = r#"{"users":[{"name":"root","uid":0,"group":"root","home":"/root"},
    {"name":"new","uid":1001,"group":"root","home":"/home/new"}],"groups":[{"name":"root","gid":0}]}"#;

impl Machine {
    /// A machine that runs generation `1` with the given units, each wanted by multi-user.target.
    fn booted(units: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let machine = Self { root: Root::at(directory.path()), _directory: directory };
        std::fs::create_dir_all(machine.root.path("/usr/bin")).unwrap();
        let top = machine.generation("1", units, ACCOUNTS);
        let report = activation::boot::activate_for_boot(&machine.root, Path::new(&top));
        assert_eq!(report.failures, Vec::<String>::new());
        machine
    }

    fn generation(&self, name: &str, units: &[(&str, &str)], accounts: &str) -> String {
        let etc = self.root.path(format!("/nix/store/{name}-etc"));
        let units_directory = etc.join("etc/systemd/system");
        let wants = units_directory.join("multi-user.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        let mut entries = Vec::new();
        let target = [("multi-user.target", "[Unit]\n")];
        for (unit, text) in units.iter().chain(&target) {
            std::fs::write(units_directory.join(unit), text).unwrap();
            entries.push(format!(r#"{{"path":"systemd/system/{unit}","kind":"copy"}}"#));
            if *unit != "multi-user.target" {
                symlink(format!("../{unit}"), wants.join(unit)).unwrap();
                let path = format!("systemd/system/multi-user.target.wants/{unit}");
                entries.push(format!(r#"{{"path":"{path}","kind":"link","target":"../{unit}"}}"#));
            }
        }
        std::fs::write(etc.join("manifest.json"), format!(r#"{{"entries":[{}]}}"#, entries.join(","))).unwrap();
        std::fs::write(etc.join("accounts.json"), accounts).unwrap();
        let top = self.root.path(format!("/nix/store/{name}-top"));
        std::fs::create_dir_all(&top).unwrap();
        std::fs::create_dir_all(self.root.path(format!("/nix/store/{name}-sw"))).unwrap();
        std::fs::write(top.join("activation.json"), r#"{"version":1,"hostName":"machine"}"#).unwrap();
        symlink(format!("/nix/store/{name}-etc/etc"), top.join("etc")).unwrap();
        symlink(format!("/nix/store/{name}-sw"), top.join("sw")).unwrap();
        format!("/nix/store/{name}-top")
    }

    fn recorder(&self, units: &[&str]) -> Recorder {
        let current = Some(self.root.path("/run/current-system"));
        Recorder { current, ..Recorder::running(&[&["multi-user.target"], units].concat()) }
    }

    fn plan(&self, top: &str, manager: &mut Recorder) -> SwitchPlan {
        plan_switch(&self.root, Path::new(top), manager, None).unwrap()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.resolve(path).unwrap()).unwrap()
    }
}

const A: &str = "[Service]\nExecStart=/bin/a\n";
const B: &str = "[Service]\nExecStart=/bin/b\n";

#[test]
fn a_switch_goes_in_the_promised_order() {
    let machine = Machine::booted(&[("changed.service", A), ("gone.service", A), ("same.service", A)]);
    let units = [("changed.service", B), ("added.service", A), ("same.service", A)];
    let top = machine.generation("2", &units, MORE_ACCOUNTS);
    let mut manager = machine.recorder(&["changed.service", "gone.service", "same.service"]);
    let plan = machine.plan(&top, &mut manager);
    let mut entries_written = false;
    let report = apply_switch(&machine.root, &plan, &mut manager, &mut || {
        entries_written = true;
        Ok(())
    });
    let report = report.unwrap();
    assert_eq!((report.exit_code(), entries_written), (0, true), "{:?}", report.failures);
    assert_eq!(
        manager.calls,
        [
            "stop changed.service gone.service in /nix/store/1-top",
            "Reload in /nix/store/2-top",
            "tmpfiles in /nix/store/2-top",
            "start added.service changed.service in /nix/store/2-top",
        ]
    );
    assert_eq!(machine.read("/etc/systemd/system/changed.service"), B);
    assert!(!machine.root.path("/etc/systemd/system/gone.service").exists());
    assert!(machine.read("/etc/passwd").contains("new:x:1001:"));
    assert_eq!(
        std::fs::read_link(machine.root.path("/run/booted-system")).unwrap(),
        Path::new("/nix/store/1-top"),
        "a switch boots nothing"
    );
}

#[test]
fn a_dry_run_says_everything_and_touches_nothing() {
    let machine = Machine::booted(&[("changed.service", A), ("gone.service", A)]);
    let top = machine.generation("2", &[("changed.service", B), ("added.service", A)], MORE_ACCOUNTS);
    let mut manager = machine.recorder(&["changed.service", "gone.service"]);
    let before = machine.read("/etc/.esker-manifest.json");
    let plan = machine.plan(&top, &mut manager);
    assert_eq!(
        plan.describe(),
        "stop gone.service (it is gone)\n\
               stop and start again changed.service (ExecStart changed)\n\
               start added.service (wanted by multi-user.target)\n\
               add /etc/systemd/system/added.service\n\
               add /etc/systemd/system/multi-user.target.wants/added.service\n\
               remove /etc/systemd/system/multi-user.target.wants/gone.service\n\
               remove /etc/systemd/system/gone.service\n\
               change /etc/systemd/system/changed.service\n\
               add user new (uid 1001)\n\
               switch /run/current-system to /nix/store/2-top\n"
    );
    assert_eq!(manager.calls, Vec::<String>::new());
    assert_eq!(machine.read("/etc/.esker-manifest.json"), before);
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["units"]["steps"][0]["action"], "stop");
    assert_eq!(json["system"]["accounts"]["changes"][0]["change"], "addUser");
}

#[test]
fn switching_to_what_runs_touches_no_unit() {
    let machine = Machine::booted(&[("same.service", A)]);
    let mut manager = machine.recorder(&["same.service"]);
    let plan = machine.plan("/nix/store/1-top", &mut manager);
    assert_eq!(plan.describe(), "nothing changes\n");
}

#[test]
fn a_rollback_restores_the_earlier_generation() {
    let machine = Machine::booted(&[("a.service", A)]);
    let top = machine.generation("2", &[("a.service", B), ("added.service", A)], MORE_ACCOUNTS);
    let mut manager = machine.recorder(&["a.service"]);
    let mut nothing = || Ok(());
    let plan = machine.plan(&top, &mut manager);
    apply_switch(&machine.root, &plan, &mut manager, &mut nothing).unwrap();
    manager.calls.clear();
    let back = machine.plan("/nix/store/1-top", &mut manager);
    apply_switch(&machine.root, &back, &mut manager, &mut nothing).unwrap();
    assert_eq!(manager.calls[0], "stop a.service added.service in /nix/store/2-top");
    assert_eq!(manager.calls[3], "start a.service in /nix/store/1-top");
    assert!(!machine.root.path("/etc/systemd/system/added.service").exists());
    assert!(!machine.read("/etc/passwd").contains("new:"), "a declared user goes with its generation");
}

#[test]
fn failed_units_are_reported_with_nixos_exit_code() {
    let machine = Machine::booted(&[]);
    let top = machine.generation("2", &[("broken.service", A)], ACCOUNTS);
    let mut manager = machine.recorder(&[]);
    manager.states.insert("old-trouble.service".into(), "failed".into());
    let plan = machine.plan(&top, &mut manager);
    let report = apply_switch(&machine.root, &plan, &mut manager, &mut || Ok(())).unwrap();
    assert_eq!(report.failed_units, ["broken.service"]);
    assert_eq!(report.exit_code(), 4);
}

#[test]
fn failing_boot_entries_leave_the_machine_alone() {
    let machine = Machine::booted(&[("a.service", A)]);
    let top = machine.generation("2", &[("a.service", B)], ACCOUNTS);
    let mut manager = machine.recorder(&["a.service"]);
    let plan = machine.plan(&top, &mut manager);
    let error = apply_switch(&machine.root, &plan, &mut manager, &mut || Err("the ESP is full".into())).unwrap_err();
    assert_eq!(error.to_string(), "failed to write the boot entries; the running system was not touched");
    assert_eq!(manager.calls, Vec::<String>::new());
    assert_eq!(machine.read("/etc/systemd/system/a.service"), A);
}

#[test]
fn an_unconfirmed_switch_is_scheduled_to_be_taken_back() {
    let machine = Machine::booted(&[]);
    let top = machine.generation("2", &[], ACCOUNTS);
    let mut manager = machine.recorder(&[]);
    let command = ["esker", "switch", "--toplevel", "/nix/store/1-top"].map(OsString::from).to_vec();
    let rollback = Some(Rollback { seconds: 60, command });
    let plan = plan_switch(&machine.root, Path::new(&top), &mut manager, rollback).unwrap();
    assert!(plan.describe().starts_with("roll back after 60 seconds unless confirmed\n"));
    apply_switch(&machine.root, &plan, &mut manager, &mut || Ok(())).unwrap();
    assert!(manager.calls[0].starts_with(r#"schedule ["esker", "switch""#), "{:?}", manager.calls);
    assert!(manager.calls[0].ends_with(" in 360 s in /nix/store/1-top"), "{:?}", manager.calls);
    let last: Vec<&str> = manager.calls.iter().rev().take(2).rev().map(String::as_str).collect();
    assert!(last[0].starts_with("cancel") && last[1].ends_with(" in 60 s in /nix/store/2-top"), "{last:?}");
}

#[test]
fn accounts_changed_between_plan_and_apply_are_not_undone() {
    let machine = Machine::booted(&[]);
    let top = machine.generation("2", &[], MORE_ACCOUNTS);
    let mut manager = machine.recorder(&[]);
    let plan = machine.plan(&top, &mut manager);
    let shadow = machine.read("/etc/shadow").replace("root:!:", "root:$y$meanwhile:");
    std::fs::write(machine.root.path("/etc/shadow"), &shadow).unwrap();
    let report = apply_switch(&machine.root, &plan, &mut manager, &mut || Ok(())).unwrap();
    assert_eq!(report.exit_code(), 2);
    assert!(format!("{:?}", report.failures).contains("somebody changed the account files meanwhile"));
    assert_eq!(machine.read("/etc/shadow"), shadow);
}
