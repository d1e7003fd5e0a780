//! `esker vm`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qemu::{Architecture, Disk, Display, Emulator, Forward, Interface, Machine, Running, probe_kvm};
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::{disk, emulator};

/// Build a configuration and boot it in QEMU, on this terminal
///
/// The disk stays in .esker/vm beside the configuration, so state survives. A changed configuration makes a new disk and
/// keeps the old one as disk.old.img; --keep-disk boots the old one. `Ctrl-a x` ends the machine.
#[derive(Debug, Args)]
pub(crate) struct Vm {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Forget everything that the machine writes
    #[arg(long)]
    ephemeral: bool,
    /// Keep the disk of an earlier run, whatever changed since
    #[arg(long)]
    keep_disk: bool,
    /// The host's port that leads to the machine's ssh
    #[arg(long, value_name = "PORT")]
    ssh_port: Option<u16>,
    /// Lead a port of the host to one of the machine, such as 8080:80
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_forward)]
    forward: Vec<Forward>,
    /// Memory, such as 2G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = super::image::parse_size)]
    memory: u64,
    /// Processors
    #[arg(long, value_name = "N", default_value_t = 2)]
    cpus: u32,
    /// Where the machine's screen is shown
    #[arg(long, value_enum, default_value_t = DisplayArgument::None)]
    display: DisplayArgument,
    /// Another QEMU than the one of the pinned package set
    #[arg(long, value_name = "PROGRAM")]
    qemu: Option<PathBuf>,
    /// Say what would be started, and stop
    #[arg(long)]
    plan: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DisplayArgument {
    /// Nowhere: the serial console is this terminal
    None,
    /// In a window, beside the serial console on this terminal
    Window,
}

fn parse_forward(text: &str) -> Result<Forward, String> {
    let parts = text.split_once(':').and_then(|(host, guest)| Some((host.parse().ok()?, guest.parse().ok()?)));
    let (host, guest) = parts.ok_or_else(|| format!("`{text}` is not HOST:GUEST, two port numbers"))?;
    Ok(Forward { host, guest })
}

impl Vm {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.find()?;
        let system = self.configuration.system();
        let tools = emulator::prepare(&session, &configuration, &system, self.qemu.clone())?;
        if self.plan {
            let emulator = match &tools.emulator {
                Emulator::Host { program } => json!({ "program": program }),
                Emulator::View { usr, program } => json!({ "usr": usr, "program": program }),
            };
            let firmware = json!({ "code": tools.firmware_code, "variables": tools.firmware_variables });
            let plan = json!({ "emulator": emulator, "firmware": firmware });
            context.print(plan.clone(), &serde_json::to_string_pretty(&plan)?);
            return Ok(ExitCode::SUCCESS);
        }
        let built = session.build_system(&configuration, &system)?;
        context.messages(&built.messages);
        let state = configuration.folder().join(".esker/vm");
        let place = disk::machine_disk(&session, &built.toplevel, &state, self.keep_disk)?;
        let machine = self.machine(&tools, &place, &system)?;
        context.say("booting; Ctrl-a x ends the machine");
        let status = Running::interactive(&tools.emulator, &machine, &|| session.is_cancelled())?;
        tracing::info!(status, "the machine ended");
        Ok(ExitCode::SUCCESS)
    }

    fn machine(
        &self,
        tools: &emulator::Tools,
        place: &disk::MachineDisk,
        system: &str,
    ) -> Result<Machine, Box<dyn std::error::Error>> {
        let architecture = Architecture::of_system(system).ok_or_else(|| format!("no machine for `{system}`"))?;
        if !place.variables.exists() || self.ephemeral {
            fs_err::copy(&tools.firmware_variables, &place.variables)?;
            emulator::make_writable(&place.variables)?;
        }
        let mut forwards = self.forward.clone();
        if let Some(host) = self.ssh_port {
            forwards.push(Forward { host, guest: 22 });
        }
        let mut disk = Disk::raw(&place.image);
        disk.ephemeral = self.ephemeral;
        Ok(Machine {
            architecture,
            accelerator: probe_kvm(&tools.emulator),
            memory_mib: u32::try_from(self.memory >> 20)?,
            cpus: self.cpus,
            firmware_code: tools.firmware_code.clone(),
            firmware_variables: place.variables.clone(),
            disks: vec![disk],
            interfaces: vec![Interface::User { forwards, restricted: false }],
            display: match self.display {
                DisplayArgument::None => Display::None,
                DisplayArgument::Window => Display::Window,
            },
            sockets: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_two_ports() {
        assert_eq!(parse_forward("8080:80"), Ok(Forward { host: 8080, guest: 80 }));
        parse_forward("8080").unwrap_err();
        parse_forward("x:80").unwrap_err();
    }
}
