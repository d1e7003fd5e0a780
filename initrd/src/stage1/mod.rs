//! Stage 1: from the kernel's first user process to the system's init.
//!
//! A boot is a table of phases ([`PHASES`]), run in order and timed. A phase that fails ends the boot with an error on
//! the console and in the kernel's log, and then what the configuration wants ([`failure`]).
//!
//! There is no shell here and no program but this one. Nothing of a toplevel is known but what `init=` names.

mod block_device;
mod command_line;
mod error;
mod failure;
mod filesystems;
mod kernel_modules;
mod live;
mod partition;
mod persistence;
pub(crate) mod report;
mod shared_store;
mod superblock;
mod switch;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::root::Root;
use crate::settings::Settings;
use command_line::CommandLine;
use error::Stage1Error;
use kernel_modules::ModuleLoader;
use report::Report;

/// Where the system's root is put together.
const SYSTEM_ROOT: &str = "/sysroot";

/// One step of the boot.
struct Phase {
    /// Its name in errors and in the table of times.
    name: &'static str,
    run: fn(&mut Boot) -> Result<(), Stage1Error>,
}

const fn phase(name: &'static str, run: fn(&mut Boot) -> Result<(), Stage1Error>) -> Phase {
    Phase { name, run }
}

/// The boot in order.
const PHASES: &[Phase] = &[
    phase("kernel-filesystems", filesystems::mount_kernel_filesystems),
    phase("settings", Boot::read_settings),
    phase("modules", kernel_modules::load_listed),
    phase("devices", kernel_modules::look_at_devices),
    phase("root", filesystems::mount_root),
    phase("filesystems", filesystems::mount_declared),
    phase("live-store", live::mount_live_store),
    phase("shared-store", shared_store::mount_shared_store),
    phase("store", filesystems::protect_store),
    phase("view", view::mount_view),
    phase("persistence", persistence::bind_persisted),
    phase("switch-root", switch::switch_root),
];

/// What the phases know of the boot.
struct Boot {
    report: Report,
    command_line: CommandLine,
    settings: Settings,
    modules: Option<ModuleLoader>,
    /// The system's root.
    system: Root,
    /// The toplevel, as the system names it.
    toplevel: PathBuf,
    /// Mount points of declared filesystems, outer ones first, but for the root.
    mounted: Vec<PathBuf>,
}

/// Boots. As process 1 it returns only after a failure that the policy says to return from, which none does.
pub fn run() -> ExitCode {
    if std::process::id() != 1 {
        report::to_standard_error("this is the first program of a boot; anywhere else it does nothing");
        return ExitCode::from(2);
    }
    let mut boot = Boot {
        report: Report::default(),
        command_line: CommandLine::default(),
        settings: default_settings(),
        modules: None,
        system: Root::new(SYSTEM_ROOT),
        toplevel: PathBuf::new(),
        mounted: Vec::new(),
    };
    // A panic would end process 1 and with it the kernel, before anyone has read why.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| boot.start()));
    let (phase, error) = match result {
        Ok(Ok(never)) => match never {},
        Ok(Err(failed)) => failed,
        Err(_) => ("unknown", Stage1Error::Bug),
    };
    failure::fail(&mut boot, phase, &error)
}

impl Boot {
    /// Runs all phases and the system's init.
    fn start(&mut self) -> Result<std::convert::Infallible, (&'static str, Stage1Error)> {
        for phase in PHASES {
            if self.command_line.debug {
                self.report.info(&format!("phase {}", phase.name));
            }
            let started = self.report.start();
            (phase.run)(self).map_err(|error| (phase.name, error))?;
            self.report.finish(phase.name, started);
        }
        self.report.print_times();
        Err(("init", switch::execute_init(self)))
    }

    /// The kernel's command line and the initrd's settings.
    fn read_settings(&mut self) -> Result<(), Stage1Error> {
        let text = read_text(Path::new("/proc/cmdline"))?;
        self.command_line = CommandLine::parse(&text)?;
        let path = Path::new(crate::settings::PATH);
        self.settings = Settings::parse(&read_text(path)?)?;
        if let Some(policy) = self.command_line.panic {
            self.settings.panic = policy;
        }
        if let Some(seconds) = self.command_line.device_timeout_seconds {
            self.settings.device_timeout_seconds = seconds;
        }
        self.toplevel = self.command_line.toplevel()?.to_owned();
        Ok(())
    }
}

/// Before the real ones are read: what decides about failures until then.
fn default_settings() -> Settings {
    Settings {
        version: crate::settings::VERSION,
        load: Vec::new(),
        filesystems: Vec::new(),
        live: None,
        store: crate::settings::StoreKind::default(),
        state_directory: PathBuf::new(),
        panic: crate::settings::FailurePolicy::default(),
        device_timeout_seconds: 0,
    }
}

fn read_text(path: &Path) -> Result<String, Stage1Error> {
    std::fs::read_to_string(path).map_err(|source| Stage1Error::Read { path: path.to_owned(), source })
}
