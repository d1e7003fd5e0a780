//! `esker switch`, `boot`, `test`, `dry-activate`, `rollback`: this machine, from one generation to another.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use activation::{Rollback as ScheduledRollback, Root, SwitchReport, Systemctl, apply_switch, plan_switch};
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
            let built = session.build_system(&self.configuration.find()?, &self.configuration.system())?;
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
    /// Go back on its own after so many seconds, unless `esker switch --confirmed` comes before
    #[arg(long, value_name = "SECONDS")]
    confirm: Option<u32>,
    /// Keep the system that a switch with --confirm left on trial
    #[arg(long, conflicts_with_all = ["confirm", "configuration", "toplevel"])]
    confirmed: bool,
}

impl Switch {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = machine_session(context)?;
        if self.confirmed {
            return confirmed(context, &session);
        }
        let toplevel = self.source.obtain(context, &session)?;
        let target = self.source.activated(&session, &toplevel);
        match self.confirm {
            Some(seconds) => {
                let old = activation::switch::current_system(&Root::machine())
                    .ok_or("no system runs here that could be gone back to")?;
                let command =
                    ["esker", "test", "--toplevel"].map(Into::into).into_iter().chain([old.into_os_string()]).collect();
                let rollback = ScheduledRollback { seconds, command };
                context.say(&format!("on trial for {seconds}s; `esker switch --confirmed` keeps it"));
                activate(context, &session, &target, Some(rollback), &mut || Ok(()))
            }
            None => activate(context, &session, &target, None, &mut || install(&session, &toplevel).map(drop)),
        }
    }
}

/// Keeps a system on trial: the timer ends, the running system becomes the default.
fn confirmed(context: &Context, session: &Session) -> Outcome {
    use activation::ServiceManager;
    let current = activation::switch::current_system(&Root::machine()).ok_or("no system runs here")?;
    Systemctl.cancel_rollback()?;
    let toplevel = session.store().dir().parse(current.to_str().ok_or("the running system's path is no text")?)?;
    install(session, &toplevel).map_err(|error| error as Box<dyn std::error::Error>)?;
    context.say("kept");
    Ok(ExitCode::SUCCESS)
}

/// Build the configuration and make it the default at boot, without touching what runs
#[derive(Debug, Args)]
pub(crate) struct Boot {
    #[command(flatten)]
    source: Source,
}

impl Boot {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = machine_session(context)?;
        let toplevel = self.source.obtain(context, &session)?;
        let generation = install(&session, &toplevel).map_err(|error| error as Box<dyn std::error::Error>)?;
        context.print(json!({ "generation": generation }), &format!("generation {generation} boots next"));
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
        let session = machine_session(context)?;
        let toplevel = self.source.obtain(context, &session)?;
        activate(context, &session, &self.source.activated(&session, &toplevel), None, &mut || Ok(()))
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
        let session = machine_session(context)?;
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
        activate(context, &session, &target, None, &mut || make_default(&session, number))
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
fn install(session: &Session, toplevel: &StorePath) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let generation = system_profile(session.store()).add_generation(toplevel)?;
    make_default(session, generation.number)?;
    Ok(generation.number)
}

/// Writes the boot entries with this default, then moves the profile: a cut in between boots the new generation, whole.
fn make_default(session: &Session, number: u64) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let entries = system::boot_entries::of_machine(session.store(), number)?;
    let mut esp = bootloader::esp::DirectoryEsp::new(entries.mount_point.clone());
    let observed = bootloader::observe::Observed::read(&mut esp)?;
    let plan = bootloader::plan::plan_esp(&observed, &entries.wanted)?;
    tracing::info!(plan = %plan.describe(), "boot entries");
    bootloader::apply::apply(&plan, &mut esp)?;
    system_profile(session.store()).switch(number)?;
    if let Some(program) = &entries.firmware_program {
        // The firmware finds the loader at its usual place without an entry, too.
        if let Err(error) = tell_firmware(&entries.mount_point, program) {
            tracing::warn!("{}", activation::boot::error_chain(&error));
        }
    }
    Ok(())
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

/// Plans, says what will happen, does it and reports.
fn activate(
    context: &Context,
    session: &Session,
    target: &Path,
    rollback: Option<ScheduledRollback>,
    write_boot_entries: BootWriter<'_>,
) -> Outcome {
    let root = Root::machine();
    let plan = session.on_machine(|| plan_switch(&root, target, &mut Systemctl, rollback))??;
    if !context.global.json {
        context.say(plan.describe().trim_end());
    }
    let report = session.on_machine(|| apply_switch(&root, &plan, &mut Systemctl, write_boot_entries))??;
    show(context, &plan, &report)?;
    Ok(ExitCode::from(report.exit_code()))
}

fn show(context: &Context, plan: &activation::SwitchPlan, report: &SwitchReport) -> Result<(), serde_json::Error> {
    for warning in &report.warnings {
        context.say(&format!("{} {warning}", context.bold("warning:")));
    }
    let failures: Vec<String> = report.failures.iter().map(|failure| activation::boot::error_chain(failure)).collect();
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
