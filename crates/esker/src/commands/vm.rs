//! `esker vm`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qemu::{Accelerator, Architecture, Display, Emulator, Forward, Interface, Machine, Running};
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::boot_source::{BootSource, Place, State};
use crate::context::Context;
use crate::disk::Earlier;
use crate::emulator::{self, Screen, Tools};
use crate::vm_settings::VmSettings;

/// Build a configuration and boot it in QEMU, on this terminal
///
/// The machine reads this host's store and starts at once: no image is made, nothing is copied. Its state, and what it adds
/// to the store, stays in .esker/vm/state.img beside the configuration and outlives changes of the configuration, whose
/// `virtualisation.vmVariant` says what differs in such a machine. `Ctrl-a x` ends it, `Ctrl-a h` shows other keys.
///
/// With --image it is the system as a disk has it, with firmware, boot menu and boot entries, from a disk image that is made
/// first, in .esker/vm/disk.img. There a changed configuration makes a new disk and keeps the old one as disk.old.img;
/// --keep-disk boots the old one.
#[derive(Debug, Args)]
pub(crate) struct Vm {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Make a disk image and boot that, through firmware and boot menu
    #[arg(long)]
    image: bool,
    /// Forget everything that the machine writes, and leave the disk of earlier runs alone
    #[arg(long)]
    ephemeral: bool,
    /// Keep the disk image of an earlier run, whatever changed since
    #[arg(long, requires = "image")]
    keep_disk: bool,
    /// Lead this port of the host to the port that the machine's ssh server listens on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ssh_port: Option<u16>,
    /// Lead a port of the host to one of the machine, such as 8080:80; again for more
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_forward)]
    forward: Vec<Forward>,
    /// Memory, such as 2G [default: `virtualisation.memorySize`, or 1G]
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<MemoryMib>,
    /// Processors [default: `virtualisation.cores`, or 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255))]
    cpus: Option<u32>,
    /// Where the machine's screen is shown [default: `virtualisation.graphics`, or none]
    #[arg(long, value_enum)]
    display: Option<DisplayArgument>,
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

impl DisplayArgument {
    fn screen(self) -> Screen {
        match self {
            Self::None => Screen::None,
            Self::Window => Screen::Window,
        }
    }
}

/// Mebibytes, as QEMU counts memory.
type MemoryMib = u32;

/// Below this the firmware does not even start the kernel.
const LEAST_MEMORY: MemoryMib = 256;

fn parse_memory(text: &str) -> Result<MemoryMib, String> {
    let bytes = super::image::parse_size(text)?;
    let mebibytes = MemoryMib::try_from(bytes >> 20).map_err(|_| format!("`{text}` is too much"))?;
    match mebibytes {
        0..LEAST_MEMORY => Err(format!("`{text}` is less than {LEAST_MEMORY}M, and nothing boots with that")),
        enough => Ok(enough),
    }
}

fn parse_forward(text: &str) -> Result<Forward, String> {
    let port = |text: &str| text.parse().ok().filter(|&port: &u16| port > 0);
    let parts = text.split_once(':').and_then(|(host, guest)| Some((port(host)?, port(guest)?)));
    let (host, guest) = parts.ok_or_else(|| format!("`{text}` is not HOST:GUEST, two port numbers"))?;
    Ok(Forward { host, guest })
}

impl Vm {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let system = self.configuration.system();
        let architecture = Architecture::of_system(&system).ok_or_else(|| format!("no machine for `{system}`"))?;
        let tools = |display: DisplayArgument| {
            emulator::prepare(&session, &configuration, (architecture, display.screen()), self.qemu.clone())
        };
        if self.plan {
            return show_plan(context, &tools(self.display.unwrap_or(DisplayArgument::None))?);
        }
        let built = match self.image {
            true => session.build_system(&configuration, &system)?,
            false => session.build_vm(&configuration, &system)?,
        };
        context.messages(&built.messages);
        let settings = VmSettings::of(&session, &built.toplevel)?;
        let tools = tools(self.display(&settings))?;
        let mut forwards = self.forward.clone();
        forwards
            .extend(settings.forwards().filter(|declared| self.forward.iter().all(|own| own.host != declared.host)));
        if let Some(host) = self.ssh_port {
            let ports = system::ssh::ports(session.store(), &built.toplevel)?;
            let guest = ports.and_then(|ports| ports.first().copied());
            let guest =
                guest.ok_or("--ssh-port: this system has no ssh server; set `services.openssh.enable = true`")?;
            forwards.push(Forward { host, guest });
        }
        let folder = configuration.folder().join(".esker/vm");
        let state = if self.ephemeral { State::Passing } else { State::Lasting };
        let source = match self.image {
            true => BootSource::image(&session, &built.toplevel, &tools, (&folder, state, self.earlier()))?,
            false => {
                let place = Place { folder: &folder, state, bytes: settings.disk_mib << 20 };
                BootSource::shared_store(&session, &built.toplevel, &tools, place)?
            }
        };
        if let Some(remark) = &source.remark {
            context.say(remark);
        }
        let accelerator = tools.accelerator(&session, architecture);
        let machine = self.machine(&source, Parts { architecture, accelerator, forwards, settings });
        context.say(&describe(&machine));
        Running::interactive(&tools.emulator, &machine, &|| session.is_cancelled())?;
        Ok(ExitCode::SUCCESS)
    }

    /// What becomes of the image of an earlier run.
    fn earlier(&self) -> Earlier {
        match (self.keep_disk, self.ephemeral) {
            (true, _) => Earlier::Keep,
            (false, true) => Earlier::LeaveAlone,
            (false, false) => Earlier::SetAside,
        }
    }

    /// Where the screen is shown.
    fn display(&self, settings: &VmSettings) -> DisplayArgument {
        let declared = if settings.graphics { DisplayArgument::Window } else { DisplayArgument::None };
        self.display.unwrap_or(declared)
    }

    fn machine(&self, source: &BootSource, parts: Parts) -> Machine {
        let Parts { architecture, accelerator, forwards, settings } = parts;
        Machine {
            architecture,
            accelerator,
            memory_mib: self.memory.unwrap_or(settings.memory_mib),
            cpus: self.cpus.unwrap_or(settings.cores),
            firmware: source.firmware.clone(),
            kernel: source.kernel.clone(),
            disks: vec![source.disk.clone()],
            file_server: source.file_server.clone(),
            interfaces: vec![Interface::User { forwards, restricted: false }],
            display: match self.display(&settings) {
                DisplayArgument::None => Display::None,
                DisplayArgument::Window => Display::Window,
            },
            sockets: None,
        }
    }
}

/// What a machine is made of, beside what the command line and its source say.
struct Parts {
    architecture: Architecture,
    accelerator: Accelerator,
    forwards: Vec<Forward>,
    settings: VmSettings,
}

fn show_plan(context: &Context, tools: &Tools) -> Outcome {
    let emulator = match &tools.emulator {
        Emulator::Host { program } => json!({ "program": program }),
        Emulator::View { usr, program } => json!({ "usr": usr, "program": program }),
    };
    let firmware = json!({ "code": tools.firmware_code, "variables": tools.firmware_variables });
    let plan = json!({ "emulator": emulator, "firmware": firmware });
    context.print(plan.clone(), &serde_json::to_string_pretty(&plan)?);
    Ok(ExitCode::SUCCESS)
}

/// What a person should know before the console takes the terminal.
fn describe(machine: &Machine) -> String {
    let accelerator = match machine.accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "QEMU's translator (no usable KVM here, so it is slow)",
    };
    let mut text = format!("booting with {accelerator}; Ctrl-a x ends the machine");
    for interface in &machine.interfaces {
        let Interface::User { forwards, .. } = interface else { continue };
        for Forward { host, guest } in forwards {
            text.push_str(&format!("\n127.0.0.1:{host} leads to the machine's port {guest}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// The command alone, as the program's command line has it.
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        vm: Vm,
    }

    fn parsed(arguments: &[&str]) -> Result<Vm, clap::Error> {
        Line::try_parse_from([&["vm"], arguments].concat()).map(|line| line.vm)
    }

    fn qemu_arguments(arguments: &[&str]) -> String {
        qemu_arguments_with(VmSettings::default(), arguments)
    }

    fn qemu_arguments_with(settings: VmSettings, arguments: &[&str]) -> String {
        let vm = parsed(arguments).unwrap();
        let parts = Parts {
            architecture: Architecture::X86_64,
            accelerator: Accelerator::Tcg,
            forwards: vm.forward.clone(),
            settings,
        };
        vm.machine(&BootSource::of_disk("/vm/disk.img"), parts).arguments().join(" ")
    }

    #[test]
    fn a_machine_has_what_the_command_line_says() {
        let plain = qemu_arguments(&[]);
        for part in ["-m 1024M", "-smp 2", "-display none", "-serial mon:stdio", "file=/vm/disk.img"] {
            assert!(plain.contains(part), "`{part}` is not in {plain}");
        }
        let chosen = qemu_arguments(&["--memory", "3G", "--cpus", "4", "--display", "window", "--forward", "8080:80"]);
        for part in ["-m 3072M", "-smp 4", "-display gtk", "hostfwd=tcp:127.0.0.1:8080-:80"] {
            assert!(chosen.contains(part), "`{part}` is not in {chosen}");
        }
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let declared = VmSettings { memory_mib: 4096, cores: 3, graphics: true, ..VmSettings::default() };
        let plain = qemu_arguments_with(declared.clone(), &[]);
        for part in ["-m 4096M", "-smp 3", "-display gtk"] {
            assert!(plain.contains(part), "`{part}` is not in {plain}");
        }
        let chosen = qemu_arguments_with(declared, &["--memory", "512M", "--cpus", "1", "--display", "none"]);
        for part in ["-m 512M", "-smp 1", "-display none"] {
            assert!(chosen.contains(part), "`{part}` is not in {chosen}");
        }
    }

    #[test]
    fn what_makes_no_machine_is_refused() {
        for wrong in [
            ["--memory", "64M"],
            ["--memory", "9999T"],
            ["--cpus", "0"],
            ["--ssh-port", "0"],
            ["--forward", "8080"],
            ["--forward", "x:80"],
            ["--forward", "8080:0"],
            // There is no image to keep.
            ["--keep-disk", "--ephemeral"],
        ] {
            assert!(parsed(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn forwards_are_two_ports() {
        let vm = parsed(&["--forward", "8080:80"]).unwrap();
        assert_eq!(vm.forward, [Forward { host: 8080, guest: 80 }]);
    }
}
