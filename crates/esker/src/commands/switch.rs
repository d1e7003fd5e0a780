//! `esker switch`, `boot`, `test`, `dry-activate`, `rollback`: this machine, from one generation to another.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use activation::{
    Rollback as ScheduledRollback, Root, ServiceManager, SwitchLock, SwitchReport, Systemctl, apply_switch, plan_switch,
};
use clap::Args;
use nix_formats::StorePath;
use serde_json::json;
use system::Session;
use system::profile::system_profile;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Where the system comes from: a configuration, or a cache that has it built.
#[derive(Debug, Args)]
struct Source {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// A built system instead of a configuration
    #[arg(long, value_name = "STOREPATH", conflicts_with = "configuration")]
    toplevel: Option<String>,
    /// The binary cache that has it, such as file:///mnt/cache
    #[arg(long, value_name = "CACHE-URL", requires = "toplevel")]
    from: Option<String>,
    /// A public key to trust beside those of /etc/nix/nix.conf
    #[arg(long, value_name = "KEY", requires = "from")]
    trusted_key: Vec<String>,
    /// One of the system's specialisations
    #[arg(long, value_name = "NAME")]
    specialisation: Option<String>,
}

impl Source {
    /// The system's path in the store, where it is complete.
    fn obtain(&self, context: &Context, session: &Session) -> Result<StorePath, Box<dyn std::error::Error>> {
        let Some(named) = &self.toplevel else {
            let built =
                session.build_system(&self.configuration.pinned(context, session)?, &self.configuration.system())?;
            context.messages(&built.messages);
            return Ok(built.toplevel);
        };
        let path = session.store().dir().parse(named)?;
        session.store().add_temp_roots([&path])?;
        if let Some(address) = &self.from {
            let mut keys = system::binary_cache::configured_keys()?;
            keys.extend(system::binary_cache::keys(&self.trusted_key)?);
            let caches = [system::binary_cache::open(address)];
            system::binary_cache::copy_closure(session, &path, &caches, &keys)?;
        }
        context.quiet();
        match session.store().is_valid(&path)? {
            true => Ok(path),
            false => Err(format!("`{named}` is not in the store; name a cache that has it with --from").into()),
        }
    }

    /// What is activated: the system, or a specialisation of it.
    fn activated(&self, session: &Session, toplevel: &StorePath) -> PathBuf {
        let logical = PathBuf::from(session.store().logical(toplevel));
        match &self.specialisation {
            Some(name) => logical.join("specialisation").join(name),
            None => logical,
        }
    }
}

/// Build the configuration, switch this machine to it and make it the default at boot
#[derive(Debug, Args)]
pub(crate) struct Switch {
    #[command(flatten)]
    source: Source,
    /// Go back on its own after so many seconds (120 without a number), unless `esker switch --confirmed` comes before
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "120",
          value_parser = clap::value_parser!(u32).range(1..))]
    confirm: Option<u32>,
    /// Keep the system that a switch with --confirm left on trial
    #[arg(long, conflicts_with_all = ["confirm", "configuration", "toplevel"])]
    confirmed: bool,
}

impl Switch {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let machine = Machine::open(context)?;
        if self.confirmed {
            return machine.keep_trial();
        }
        if self.confirm.is_some() && machine.trial()?.is_some() {
            return Err("a system is on trial already; `esker switch --confirmed` keeps it, `esker test` or a switch \
                        without --confirm replaces it"
                .into());
        }
        let toplevel = self.source.obtain(context, &machine.session)?;
        let target = self.source.activated(&machine.session, &toplevel);
        let Some(seconds) = self.confirm else {
            return machine.activate(&target, None, &mut || install(&machine.session, &toplevel).map(drop));
        };
        let rollback = ScheduledRollback { seconds, command: way_back()? };
        survive_hang_up()?;
        activation::trial::begin(&Root::machine(), Path::new(&machine.session.store().logical(&toplevel)))?;
        let code = machine.activate(&target, Some(rollback), &mut || Ok(()))?;
        context.say(&format!("on trial for {seconds} s; `esker switch --confirmed` keeps it"));
        Ok(code)
    }
}

/// The command that goes back to what runs now: its own program, so that a broken one in the new system does no harm.
fn way_back() -> Result<Vec<OsString>, Box<dyn std::error::Error>> {
    let old = activation::switch::current_system(&Root::machine()).ok_or("no system runs here to go back to")?;
    let program = old.join("runtime/bin/esker");
    Ok(vec![program.into(), "test".into(), "--toplevel".into(), old.into()])
}

/// Build the configuration and make it the default at boot, without touching what runs
#[derive(Debug, Args)]
pub(crate) struct Boot {
    #[command(flatten)]
    source: Source,
}

impl Boot {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let machine = Machine::open(context)?;
        let toplevel = self.source.obtain(context, &machine.session)?;
        let installed = install(&machine.session, &toplevel).map_err(|error| error as Box<dyn std::error::Error>)?;
        let Installed { generation, started_by } = installed;
        let text = match started_by {
            StartedBy::BootLoader => format!("generation {generation} boots next"),
            StartedBy::Others => format!(
                "generation {generation} is the default; this machine has no boot loader (`boot.loader.systemd-boot.enable`), so what starts it decides"
            ),
        };
        context.print(json!({ "generation": generation }), &text);
        Ok(ExitCode::SUCCESS)
    }
}

/// Build the configuration and switch this machine to it until it is booted again
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    source: Source,
}

impl Test {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let machine = Machine::open(context)?;
        let toplevel = self.source.obtain(context, &machine.session)?;
        machine.activate(&self.source.activated(&machine.session, &toplevel), None, &mut || Ok(()))
    }
}

/// Build the configuration and say what `esker switch` would do, without doing it
#[derive(Debug, Args)]
pub(crate) struct DryActivate {
    #[command(flatten)]
    source: Source,
}

impl DryActivate {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = machine_session(context)?;
        let toplevel = self.source.obtain(context, &session)?;
        let target = self.source.activated(&session, &toplevel);
        let plan = plan_switch(&Root::machine(), &target, &mut Systemctl, None)?;
        context.print(serde_json::to_value(&plan)?, &plan.describe());
        Ok(ExitCode::SUCCESS)
    }
}

/// Switch back to the generation before the default one, and make it the default
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The generation to go back to
    #[arg(long, value_name = "GENERATION")]
    to: Option<u64>,
}

impl Rollback {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let machine = Machine::open(context)?;
        let session = &machine.session;
        let profile = system_profile(session.store());
        let current = profile.current()?.ok_or("this machine has no generations")?;
        let generations = profile.generations()?;
        let chosen = match self.to {
            Some(number) => generations.iter().find(|g| g.number == number),
            None => generations.iter().rev().find(|g| g.number < current),
        };
        let chosen = chosen.ok_or_else(|| match self.to {
            Some(number) => format!("there is no generation {number}"),
            None => format!("there is no generation before {current}"),
        })?;
        context.say(&format!("back to generation {}", chosen.number));
        let target = PathBuf::from(session.store().logical(&chosen.path));
        let number = chosen.number;
        machine.activate(&target, None, &mut || make_default(session, number).map(drop))
    }
}

/// A session on this machine's own store.
fn machine_session(context: &Context) -> Result<Session, Box<dyn std::error::Error>> {
    if !system::locations::is_esker_machine() {
        return Err("this machine was not made by Esker; `esker vm` and `esker image` make one that was".into());
    }
    let session = context.session()?;
    if session.store().layout().is_chroot() {
        return Err("only root can switch this machine; `esker build` needs no rights".into());
    }
    Ok(session)
}

/// Makes a system the newest generation and the default at boot.
fn install(session: &Session, toplevel: &StorePath) -> Result<Installed, Box<dyn std::error::Error + Send + Sync>> {
    let generation = system_profile(session.store()).add_generation(toplevel)?.number;
    let started_by = make_default(session, generation)?;
    Ok(Installed { generation, started_by })
}

/// A generation that became the default.
struct Installed {
    generation: u64,
    started_by: StartedBy,
}

/// What starts a machine.
enum StartedBy {
    /// Esker's boot entries.
    BootLoader,
    /// Something that Esker has no part in: an emulator, a container's manager, another boot loader.
    Others,
}

/// Writes the boot entries with this default, then moves the profile: a cut in between boots the new generation, whole. A
/// machine without a boot loader has the profile alone.
fn make_default(session: &Session, number: u64) -> Result<StartedBy, Box<dyn std::error::Error + Send + Sync>> {
    let Some(entries) = system::boot_entries::of_machine(session.store(), number)? else {
        system_profile(session.store()).switch(number)?;
        return Ok(StartedBy::Others);
    };
    let mut esp = bootloader::esp::DirectoryEsp::new(entries.mount_point.clone());
    let observed = bootloader::observe::Observed::read(&mut esp)?;
    let plan = bootloader::plan::plan_esp(&observed, &entries.wanted)?;
    tracing::info!(plan = %plan.describe(), "boot entries");
    bootloader::apply::apply(&plan, &mut esp)?;
    system_profile(session.store()).switch(number)?;
    if let Some(program) = &entries.firmware_program {
        // The firmware finds the loader at its usual place without an entry, too.
        if let Err(error) = tell_firmware(&entries.mount_point, program) {
            tracing::warn!("{}", diagnostics::one_line(&error));
        }
    }
    Ok(StartedBy::BootLoader)
}

/// Gives the firmware an entry of its own for the loader.
fn tell_firmware(
    mount_point: &Path,
    program: &bootloader::esp::EspPath,
) -> Result<(), bootloader::firmware::FirmwareError> {
    use bootloader::firmware::{apply_firmware, mounted_partition, plan_firmware, read_entries};
    let variables = Path::new("/sys/firmware/efi/efivars");
    let Some(observed) = read_entries(variables)? else {
        return Ok(());
    };
    let plan = plan_firmware(&observed, &mounted_partition(mount_point)?, program);
    tracing::info!(plan = %plan, "the firmware's boot entries");
    apply_firmware(&plan, variables)
}

type BootWriter<'w> = &'w mut (dyn FnMut() -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send);

/// This machine, while one command changes it.
struct Machine<'c> {
    context: &'c Context,
    session: Session,
    // Given back when the command ends.
    _lock: SwitchLock,
}

impl<'c> Machine<'c> {
    fn open(context: &'c Context) -> Result<Self, Box<dyn std::error::Error>> {
        let session = machine_session(context)?;
        let waits = || context.say("waiting for another switch of this machine to end");
        Ok(Self { context, session, _lock: SwitchLock::take(&Root::machine(), waits)? })
    }

    /// The system on trial whose rollback is scheduled.
    fn trial(&self) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
        Ok(if Systemctl.rollback_is_scheduled()? { activation::trial::current(&Root::machine())? } else { None })
    }

    /// Keeps a system on trial: the timer ends, the system becomes the default.
    fn keep_trial(&self) -> Outcome {
        let Some(trial) = self.trial()? else {
            return Err("no system is on trial; one that nobody confirmed in time was taken back".into());
        };
        let toplevel = self.session.store().dir().parse(trial.to_str().ok_or("the system's path is no text")?)?;
        self.end_trial()?;
        let Installed { generation, .. } =
            install(&self.session, &toplevel).map_err(|error| error as Box<dyn std::error::Error>)?;
        self.context.say(&format!("kept: generation {generation} is the default at boot"));
        Ok(ExitCode::SUCCESS)
    }

    fn end_trial(&self) -> Result<(), Box<dyn std::error::Error>> {
        if Systemctl.rollback_is_scheduled()? {
            Systemctl.cancel_rollback()?;
        }
        Ok(activation::trial::end(&Root::machine())?)
    }

    /// Plans, says what will happen, does it and reports.
    fn activate(
        &self,
        target: &Path,
        rollback: Option<ScheduledRollback>,
        write_boot_entries: BootWriter<'_>,
    ) -> Outcome {
        let root = Root::machine();
        let is_trial = rollback.is_some();
        let plan = self.session.on_machine(|| plan_switch(&root, target, &mut Systemctl, rollback))??;
        if !self.context.global.json {
            self.context.say(plan.describe().trim_end());
        }
        survive_hang_up()?;
        if !is_trial {
            // Whoever switches now has decided about the system on trial, too.
            self.end_trial()?;
        }
        let report = self.session.on_machine(|| apply_switch(&root, &plan, &mut Systemctl, write_boot_entries))??;
        show(self.context, &plan, &report)?;
        Ok(ExitCode::from(report.exit_code()))
    }
}

/// From here on the end of the terminal or of the connection does not end this program: half a switch is worse than one
/// that nobody watches.
fn survive_hang_up() -> std::io::Result<()> {
    let hung_up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, hung_up).map(drop)
}

fn show(context: &Context, plan: &activation::SwitchPlan, report: &SwitchReport) -> Result<(), serde_json::Error> {
    for warning in &report.warnings {
        context.say(&format!("{} {warning}", context.bold("warning:")));
    }
    let failures: Vec<String> = report.failures.iter().map(|failure| diagnostics::one_line(failure)).collect();
    for failure in &failures {
        context.say(&format!("{} {failure}", context.red("error:")));
    }
    for unit in &report.failed_units {
        context.say(&format!("{} unit `{unit}` failed; see `systemctl status {unit}`", context.red("error:")));
    }
    if context.global.json {
        let value =
            json!({ "plan": serde_json::to_value(plan)?, "failures": failures, "failedUnits": report.failed_units });
        context.print_text(&value.to_string());
    }
    Ok(())
}
