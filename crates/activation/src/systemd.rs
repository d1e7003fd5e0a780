//! The service manager, through `systemctl`: it is in every /usr, waits for jobs, and keeps D-Bus out of a static program.
//! Carries out, never decides. Source: systemctl(1).

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use crate::units::{ManagerReload, UnitState};

/// Why the service manager did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// The program could not be run.
    #[error("failed to run `{command}`")]
    Run {
        /// With its arguments.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ran and reported a failure.
    #[error("`{command}` failed ({status}): {output}")]
    Failed {
        /// With its arguments.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
}

/// What a switch asks of the service manager. Names are full unit names; empty lists do nothing.
pub trait ServiceManager {
    /// All loaded units.
    fn units(&mut self) -> Result<Vec<UnitState>, ManagerError>;
    /// One of `stop`, `start`, `restart`, `reload` for some units; returns when the jobs are done.
    fn act(&mut self, verb: &str, units: &[&str]) -> Result<(), ManagerError>;
    /// `daemon-reload` or `daemon-reexec`.
    fn reload_manager(&mut self, how: ManagerReload) -> Result<(), ManagerError>;
    /// Makes what tmpfiles.d declares.
    fn create_tmpfiles(&mut self) -> Result<(), ManagerError>;
    /// Runs a command once, some seconds from now, unless [`ServiceManager::cancel_rollback`] comes before.
    fn schedule_rollback(&mut self, seconds: u32, command: &[&OsStr]) -> Result<(), ManagerError>;
    /// Forgets the scheduled command. An error when there is none.
    fn cancel_rollback(&mut self) -> Result<(), ManagerError>;
}

/// The name of the transient timer and service of a rollback.
const ROLLBACK: &str = "esker-rollback";

/// The systemd of this machine.
#[derive(Debug, Default)]
pub struct Systemctl;

impl ServiceManager for Systemctl {
    fn units(&mut self) -> Result<Vec<UnitState>, ManagerError> {
        let properties = "--property=Id,ActiveState,SubState,FragmentPath";
        let output = run("systemctl", &["show", "--all", properties, "*"])?;
        Ok(parse_units(&String::from_utf8_lossy(&output.stdout)))
    }

    fn act(&mut self, verb: &str, units: &[&str]) -> Result<(), ManagerError> {
        if units.is_empty() {
            return Ok(());
        }
        let mut arguments = vec![verb, "--"];
        arguments.extend(units);
        run("systemctl", &arguments).map(drop)
    }

    fn reload_manager(&mut self, how: ManagerReload) -> Result<(), ManagerError> {
        let verb = match how {
            ManagerReload::Reload => "daemon-reload",
            ManagerReload::Reexec => "daemon-reexec",
        };
        run("systemctl", &[verb]).map(drop)
    }

    fn create_tmpfiles(&mut self) -> Result<(), ManagerError> {
        match run("systemd-tmpfiles", &["--create", "--exclude-prefix=/dev"]) {
            // 65: some lines were ignored; 73: some could not be made. It has said so in the journal, as at boot.
            Err(ManagerError::Failed { status, .. }) if matches!(status.code(), Some(65 | 73)) => Ok(()),
            result => result.map(drop),
        }
    }

    fn schedule_rollback(&mut self, seconds: u32, command: &[&OsStr]) -> Result<(), ManagerError> {
        let unit = format!("--unit={ROLLBACK}");
        let after = format!("--on-active={seconds}s");
        let accuracy = "--timer-property=AccuracySec=1s";
        let mut arguments: Vec<&OsStr> = [&unit, &after, accuracy, "--collect", "--"].map(OsStr::new).to_vec();
        arguments.extend(command);
        run("systemd-run", &arguments).map(drop)
    }

    fn cancel_rollback(&mut self) -> Result<(), ManagerError> {
        run("systemctl", &["stop", &format!("{ROLLBACK}.timer")]).map(drop)
    }
}

impl Systemctl {
    /// Whether a rollback is scheduled and has not begun.
    pub fn rollback_is_scheduled(&self) -> Result<bool, ManagerError> {
        match run("systemctl", &["is-active", "--quiet", &format!("{ROLLBACK}.timer")]) {
            Ok(_) => Ok(true),
            Err(ManagerError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<Output, ManagerError> {
    let words = arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned());
    let command = std::iter::once(program.to_owned()).chain(words).collect::<Vec<_>>().join(" ");
    // Set, not inherited: the caller's PATH may name anything.
    let output = Command::new(format!("/usr/bin/{program}"))
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("SYSTEMD_PAGER", "")
        // A terminal that goes away in the middle of a switch takes its own processes with it, and not this one.
        .process_group(0)
        .output()
        .map_err(|source| ManagerError::Run { command: command.clone(), source })?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(ManagerError::Failed { command, status: output.status, output: text })
}

/// Blocks of `Key=value` lines, parted by empty lines.
fn parse_units(text: &str) -> Vec<UnitState> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    let blocks = text.split("\n\n").map(|block| UnitState {
        name: value(block, "Id"),
        active: value(block, "ActiveState"),
        sub: value(block, "SubState"),
        fragment: value(block, "FragmentPath"),
    });
    blocks.filter(|state| !state.name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_systemctl_show_is_read() {
        let text = "Id=a.service\nActiveState=active\nSubState=running\nFragmentPath=/etc/systemd/system/a.service\n\n\
                    SubState=dead\nId=b.mount\nActiveState=inactive\nFragmentPath=\n";
        let states = parse_units(text);
        assert_eq!(states.len(), 2);
        assert_eq!((states[0].sub.as_str(), states[0].fragment.as_str()), ("running", "/etc/systemd/system/a.service"));
        assert_eq!((states[1].name.as_str(), states[1].active.as_str()), ("b.mount", "inactive"));
    }
}
