//! When the boot cannot go on: say why, then what the configuration wants.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use diagnostics::one_line;
use syscalls::mount::{MountFlags, chroot, mount};
use syscalls::system::{MachineStop, stop_machine, sync};

use super::Boot;
use super::error::Stage1Error;
use crate::settings::FailurePolicy;

/// How long an error stays readable before the machine restarts.
const BEFORE_REBOOT: Duration = Duration::from_secs(10);

/// Ends the boot.
pub(super) fn fail(boot: &mut Boot, phase: &'static str, error: &Stage1Error) -> ! {
    boot.report.error(&format!("cannot boot: {}", one_line(error)));
    if let Some(hint) = error.hint() {
        boot.report.error(&format!("hint: {hint}"));
    }
    boot.report.error(&format!("failed in stage 1, phase `{phase}`"));
    if boot.command_line.debug {
        if let Err(error) = debug_shell(boot) {
            boot.report.error(&format!("no shell: {}", one_line(&error)));
        }
    }
    sync();
    match boot.settings.panic {
        FailurePolicy::Reboot => {
            boot.report.error(&format!("restarting in {} s", BEFORE_REBOOT.as_secs()));
            std::thread::sleep(BEFORE_REBOOT);
            stop(boot, MachineStop::Reboot);
        }
        FailurePolicy::Halt => {
            boot.report.error("stopping here");
            stop(boot, MachineStop::Halt);
        }
    }
}

fn stop(boot: &Boot, how: MachineStop) -> ! {
    let error = stop_machine(how);
    boot.report.error(&one_line(&error));
    // Process 1 must not end, or the kernel panics and scrolls the error away.
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// A shell in the system's root as far as it is mounted; the initrd itself has none.
fn debug_shell(boot: &mut Boot) -> Result<(), Stage1Error> {
    let root = boot.system.path().to_owned();
    // The failure may have come before or after these were moved there; a second mount does no harm.
    for (fstype, place) in [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")] {
        let target = root.join(place);
        if std::fs::create_dir_all(&target).is_ok() {
            mount(Path::new(fstype), &target, fstype, MountFlags::empty(), "")?;
        }
    }
    // A keyboard may need a driver that the boot did not.
    if let Some(loader) = &mut boot.modules {
        while loader.load_next(&boot.report) {}
    }
    chroot(&root)?;
    let shell = Path::new("/bin/sh");
    let failed = |source| Stage1Error::Read { path: shell.to_owned(), source };
    std::env::set_current_dir("/").map_err(failed)?;
    shell.metadata().map_err(failed)?;
    boot.report.error("esker.debug: a shell in the system's root; the boot ends with it");
    Command::new(shell).env("PATH", "/usr/sbin:/usr/bin").status().map(drop).map_err(failed)
}
