//! `esker vm`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qemu::{Accelerator, Architecture, Disk, Display, Emulator, Forward, Interface, Machine, Running};
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::disk::{self, Earlier, MachineDisk};
use crate::emulator::{self, Screen, Tools};

type Error = Box<dyn std::error::Error>;

/// Build a configuration and boot it in QEMU, on this terminal
///
/// The disk stays in .esker/vm beside the configuration, so state survives. A changed configuration makes a new disk and
/// keeps the old one as disk.old.img; --keep-disk boots the old one. `Ctrl-a x` ends the machine, `Ctrl-a h` shows other keys.
#[derive(Debug, Args)]
pub(crate) struct Vm {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Forget everything that the machine writes, and leave the disk of earlier runs alone
    #[arg(long)]
    ephemeral: bool,
    /// Keep the disk of an earlier run, whatever changed since
    #[arg(long)]
    keep_disk: bool,
    /// Lead this port of the host to the port that the machine's ssh server listens on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ssh_port: Option<u16>,
    /// Lead a port of the host to one of the machine, such as 8080:80; again for more
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_forward)]
    forward: Vec<Forward>,
    /// Memory, such as 2G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_memory)]
    memory: MemoryMib,
    /// Processors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=255))]
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
        let screen = if self.display == DisplayArgument::Window { Screen::Window } else { Screen::None };
        let tools = emulator::prepare(&session, &configuration, (architecture, screen), self.qemu.clone())?;
        if self.plan {
            return show_plan(context, &tools);
        }
        let built = session.build_system(&configuration, &system)?;
        context.messages(&built.messages);
        let mut forwards = self.forward.clone();
        if let Some(host) = self.ssh_port {
            let ports = system::ssh::ports(session.store(), &built.toplevel)?;
            let guest = ports.and_then(|ports| ports.first().copied());
            let guest =
                guest.ok_or("--ssh-port: this system has no ssh server; set `services.openssh.enable = true`")?;
            forwards.push(Forward { host, guest });
        }
        let earlier = match (self.keep_disk, self.ephemeral) {
            (true, _) => Earlier::Keep,
            (false, true) => Earlier::LeaveAlone,
            (false, false) => Earlier::SetAside,
        };
        let state = configuration.folder().join(".esker/vm");
        let place = disk::machine_disk(&session, &built.toplevel, &state, earlier)?;
        if let Some(old) = &place.set_aside {
            context.say(&format!("the system is another one: a new disk; the one before is {}", old.display()));
        }
        let variables = self.firmware_variables(&tools, &place)?;
        let accelerator = tools.accelerator(&session, architecture);
        let parts = Parts { architecture, accelerator, forwards, variables: variables.path() };
        let machine = self.machine(&tools, &place.image, parts);
        context.say(&describe(&machine));
        Running::interactive(&tools.emulator, &machine, &|| session.is_cancelled())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The firmware's variables: the machine's own file, or one that goes with this run.
    fn firmware_variables(&self, tools: &Tools, place: &MachineDisk) -> Result<Variables, Error> {
        let template = if place.variables.exists() { &place.variables } else { &tools.firmware_variables };
        let variables = match self.ephemeral {
            true => Variables::Passing(tempfile::NamedTempFile::new()?),
            false => Variables::Lasting(place.variables.clone()),
        };
        if template != variables.path() {
            fs_err::copy(template, variables.path())?;
            emulator::make_writable(variables.path())?;
        }
        Ok(variables)
    }

    fn machine(&self, tools: &Tools, image: &Path, parts: Parts<'_>) -> Machine {
        let mut disk = Disk::raw(image);
        disk.ephemeral = self.ephemeral;
        Machine {
            architecture: parts.architecture,
            accelerator: parts.accelerator,
            memory_mib: self.memory,
            cpus: self.cpus,
            firmware_code: tools.firmware_code.clone(),
            firmware_variables: parts.variables.to_owned(),
            kernel: None,
            disks: vec![disk],
            interfaces: vec![Interface::User { forwards: parts.forwards, restricted: false }],
            display: match self.display {
                DisplayArgument::None => Display::None,
                DisplayArgument::Window => Display::Window,
            },
            sockets: None,
        }
    }
}

/// What a machine is made of, beside what the command line and the tools say.
struct Parts<'p> {
    architecture: Architecture,
    accelerator: Accelerator,
    forwards: Vec<Forward>,
    variables: &'p Path,
}

/// The file of the firmware's variables.
enum Variables {
    /// It belongs to the machine.
    Lasting(PathBuf),
    /// It goes with this run.
    Passing(tempfile::NamedTempFile),
}

impl Variables {
    fn path(&self) -> &Path {
        match self {
            Self::Lasting(path) => path,
            Self::Passing(file) => file.path(),
        }
    }
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
        let vm = parsed(arguments).unwrap();
        let tools = Tools {
            emulator: Emulator::Host { program: "/nonexistent/qemu".into() },
            firmware_code: "/fw/code".into(),
            firmware_variables: "/fw/variables".into(),
        };
        let parts = Parts {
            architecture: Architecture::X86_64,
            accelerator: Accelerator::Tcg,
            forwards: vm.forward.clone(),
            variables: Path::new("/vm/variables"),
        };
        vm.machine(&tools, Path::new("/vm/disk.img"), parts).arguments().join(" ")
    }

    #[test]
    fn a_machine_has_what_the_command_line_says() {
        let plain = qemu_arguments(&[]);
        for part in ["-m 1024M", "-smp 2", "-display none", "snapshot=off", "-serial mon:stdio", "file=/vm/variables"] {
            assert!(plain.contains(part), "`{part}` is not in {plain}");
        }
        let chosen = qemu_arguments(&[
            "--memory",
            "3G",
            "--cpus",
            "4",
            "--ephemeral",
            "--display",
            "window",
            "--forward",
            "8080:80",
        ]);
        for part in ["-m 3072M", "-smp 4", "-display gtk", "snapshot=on", "hostfwd=tcp:127.0.0.1:8080-:80"] {
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
