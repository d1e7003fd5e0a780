//! What stage 1 says: lines in the kernel's log, and how long each phase took.
//!
//! The kernel's log reaches the console as its log level allows, and the journal later.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::error::Stage1Error;

/// Where the times lie for the running system.
pub(super) const TIMES: &str = "/run/esker/boot-times.json";

/// Priorities of the kernel's log.
const ERROR: u8 = 3;
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// How long a phase took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhaseTime {
    name: &'static str,
    /// From the kernel's start, by its monotonic clock.
    start_microseconds: u64,
    duration_microseconds: u64,
}

/// The file with the times.
#[derive(Serialize)]
struct Times<'a> {
    version: u32,
    phases: &'a [PhaseTime],
}

/// Messages and times of this boot.
#[derive(Debug, Default)]
pub(crate) struct Report {
    phases: Vec<PhaseTime>,
}

impl Report {
    /// Something worth knowing.
    pub(super) fn info(&self, text: &str) {
        log(NOTICE, text);
    }

    /// Something that went wrong and does not end the boot.
    pub(crate) fn warning(&self, text: &str) {
        log(WARNING, text);
    }

    /// The error that ends the boot: in the log, and on the console whatever its level.
    pub(super) fn error(&self, text: &str) {
        log(ERROR, text);
        if !console_shows(ERROR) {
            write_to(Path::new("/dev/console"), &format!("esker: {text}\r\n"));
        }
    }

    /// The time at which a phase starts.
    pub(super) fn start(&self) -> Duration {
        // Without a clock there are no times, and that is no reason not to boot.
        syscalls::clock::since_boot().unwrap_or_default()
    }

    /// Notes that a phase is over.
    pub(super) fn finish(&mut self, name: &'static str, started: Duration) {
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.phases.push(PhaseTime {
            name,
            start_microseconds: microseconds(started),
            duration_microseconds: microseconds(self.start().saturating_sub(started)),
        });
    }

    /// Writes the times for the running system, with those of the phases that are over.
    pub(super) fn store_times(&self, path: &Path) -> Result<(), Stage1Error> {
        let failed = |source| Stage1Error::Make { path: path.to_owned(), source };
        let times = Times { version: 1, phases: &self.phases };
        let text = serde_json::to_vec(&times).map_err(|error| failed(error.into()))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(path, text).map_err(failed)
    }

    /// Prints one line with all times.
    pub(super) fn print_times(&self) {
        self.info(&self.times_line());
    }

    fn times_line(&self) -> String {
        let milliseconds = |microseconds: u64| microseconds.div_ceil(1000);
        let total: u64 = self.phases.iter().map(|phase| phase.duration_microseconds).sum();
        let each: Vec<_> = self
            .phases
            .iter()
            .map(|phase| format!("{} {}", phase.name, milliseconds(phase.duration_microseconds)))
            .collect();
        format!("stage 1 took {} ms ({})", milliseconds(total), each.join(", "))
    }
}

/// Says something where no log is yet.
pub(crate) fn to_standard_error(text: &str) {
    // There is nobody to tell if this fails.
    let _ = writeln!(std::io::stderr(), "esker: {text}");
}

/// Whether messages of this priority go from the kernel's log to the console: the first number of this file says
/// below which.
fn console_shows(priority: u8) -> bool {
    let levels = std::fs::read_to_string("/proc/sys/kernel/printk").unwrap_or_default();
    let level: Option<u8> = levels.split_whitespace().next().and_then(|level| level.parse().ok());
    level.is_some_and(|level| priority < level)
}

fn log(priority: u8, text: &str) {
    write_to(Path::new("/dev/kmsg"), &format!("<{priority}>esker: {text}\n"));
}

fn write_to(path: &Path, text: &str) {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    if written.is_err() {
        to_standard_error(text.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_one_line_and_one_file() {
        let mut report = Report::default();
        for (name, duration_microseconds) in [("modules", 12_300), ("root", 700)] {
            report.phases.push(PhaseTime { name, start_microseconds: 5, duration_microseconds });
        }
        assert_eq!(report.times_line(), "stage 1 took 13 ms (modules 13, root 1)");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("esker/boot-times.json");
        report.store_times(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            r#"{"version":1,"phases":[{"name":"modules","startMicroseconds":5,"durationMicroseconds":12300},{"name":"root","startMicroseconds":5,"durationMicroseconds":700}]}"#
        );
    }
}
