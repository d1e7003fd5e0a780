//! Stage 2: activates a toplevel for boot, then becomes systemd. Runs as PID 1 in the final root, with /proc, /sys, /dev,
//! /run, /nix and /usr mounted by stage 1. Never gives up on its own: what fails is reported on the console and in
//! `/run/esker/activation.log`, and the boot goes on.

use diagnostics::one_line;
use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fs_err as fs;

use crate::container;
use crate::growth::{apply_growth, plan_growth};
use crate::machine::Occasion;
use crate::root::Root;
use crate::system::{ApplyError, PlanError, apply_system, plan_system};
use crate::toplevel::Toplevel;
use crate::units::{GenerationView, plan_early_mounts};
use crate::views;

/// The service manager.
const SYSTEMD: &str = "/usr/lib/systemd/systemd";
/// What went wrong at boot, one line each; absent when nothing did. A unit turns it into a failed unit.
const FAILURES: &str = "/run/esker/activation-failed";

/// How an activation at boot went.
#[derive(Debug)]
pub struct BootReport {
    /// Steps that failed, or the reason why nothing could be planned.
    pub failures: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Activates `toplevel` (a target path) for boot. Never fails: see the report.
pub fn activate_for_boot(root: &Root, toplevel: &Path) -> BootReport {
    let plan = match plan_system(root, toplevel, Occasion::Boot) {
        Ok(plan) => plan,
        Err(error) => {
            return BootReport { failures: vec![one_line(&error)], warnings: Vec::new() };
        }
    };
    // Stage 1 mounted this generation's /usr.
    let mut flip_usr = || Ok::<(), ApplyError>(());
    let mut failures = apply_system(root, &plan, &mut flip_usr);
    let dropped = views::drop_all(root);
    failures.extend(dropped.err().map(|error| ApplyError::new("forget the views of earlier boots", error)));
    let warnings = plan.all_warnings();
    BootReport { failures: failures.iter().map(|error| one_line(error)).collect(), warnings }
}

/// Stage 2 itself. `arguments` are PID 1's, without the name. Returns only when systemd could not be started; PID 1
/// ending then is the kernel's panic, and with `panic=N` its reboot into whatever boot counting still trusts.
pub fn boot(toplevel: &Path, arguments: &[CString]) -> ApplyError {
    let root = Root::machine();
    let mut report = activate_for_boot(&root, toplevel);
    report.failures.extend(grow(&root, toplevel).err().map(|error| one_line(&error)));
    for warning in &report.warnings {
        say(&format!("warning: {warning}"));
    }
    for failure in &report.failures {
        say(&format!("error: {failure}"));
    }
    if !report.failures.is_empty() {
        if let Err(error) = record_failures(&root, &report.failures) {
            say(&format!("error: {error}"));
        }
    }
    mount_early(&root, toplevel);
    let mut command = vec![CString::from(c"systemd")];
    command.extend(arguments.iter().cloned());
    let error = syscalls::process::exec(Path::new(SYSTEMD), &command);
    let failure = ApplyError::new("start systemd", error);
    say(&format!("error: {}", one_line(&failure)));
    failure
}

/// Grows the store's partition where the disk is larger than it was.
fn grow(root: &Root, toplevel: &Path) -> Result<(), ApplyError> {
    // That a toplevel cannot be read was said already.
    let Some(mount_point) = Toplevel::load(root, toplevel).ok().and_then(|toplevel| toplevel.config.grow) else {
        return Ok(());
    };
    let failed = |error| ApplyError::new(format!("grow the partition of {}", mount_point.display()), error);
    let Some(growth) = plan_growth(root, &mount_point).map_err(failed)? else {
        return Ok(());
    };
    growth.to_string().lines().for_each(say);
    apply_growth(root, &growth).map_err(failed)
}

/// Spares systemd some processes. What fails here it tries again, and reports.
fn mount_early(root: &Root, toplevel: &Path) {
    let mounts = GenerationView::of(root, toplevel).and_then(|view| plan_early_mounts(&view));
    for mount in mounts.unwrap_or_default() {
        let _tried_again = mount.apply();
    }
}

fn record_failures(root: &Root, failures: &[String]) -> std::io::Result<()> {
    let path = root.path(FAILURES);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, failures.join("\n") + "\n")
}

/// To the kernel's log, which reaches the console and, later, the journal; a container has only its console. Nobody is left to
/// hear of a failure.
fn say(text: &str) {
    if container::is_container() {
        let _unheard = writeln!(std::io::stderr(), "esker: {text}");
        return;
    }
    if let Ok(mut log) = std::fs::OpenOptions::new().write(true).open("/dev/kmsg") {
        let _unheard = log.write_all(format!("<4>esker: {text}").as_bytes());
    }
}

/// The absolute toplevel that a program called `<toplevel>/init` or `<toplevel>/activate` belongs to.
/// `None` when the name has no directory.
pub fn toplevel_of_program(name: &std::ffi::OsStr) -> Option<&Path> {
    let directory = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes())).parent()?;
    directory.is_absolute().then_some(directory)
}

/// A [`PlanError`] in one line.
impl From<PlanError> for ApplyError {
    fn from(error: PlanError) -> Self {
        Self::new("plan the activation", error)
    }
}
