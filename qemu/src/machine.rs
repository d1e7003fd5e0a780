//! A machine as a value, and the arguments that make QEMU be it.

use std::path::PathBuf;

use crate::{Accelerator, FileServer};

/// The processor architecture of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// x86_64, as a Q35 PC.
    X86_64,
    /// aarch64, as QEMU's `virt` board.
    Aarch64,
}

impl Architecture {
    /// The emulator's program.
    pub fn emulator(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// Nix's name for systems of it.
    pub fn system(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux",
            Self::Aarch64 => "aarch64-linux",
        }
    }

    /// Of a system such as `x86_64-linux`; `None` where Esker knows no board for it.
    pub fn of_system(system: &str) -> Option<Self> {
        match system {
            "x86_64-linux" => Some(Self::X86_64),
            "aarch64-linux" => Some(Self::Aarch64),
            _ => None,
        }
    }
}

/// What a disk file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

/// On what bus a disk appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A paravirtual disk.
    Virtio,
    /// An NVMe drive.
    Nvme,
    /// A SATA disk.
    Ahci,
    /// A USB stick.
    Usb,
    /// A USB disk by the newer protocol, USB Attached SCSI; Debian's OVMF does not start from it.
    Uas,
    /// A card in an SD host controller; Debian's OVMF does not start from it.
    SdCard,
    /// A SCSI disk on a paravirtual adapter.
    Scsi,
    /// A SCSI disk on an adapter of the 53C895A kind; Debian's OVMF does not start from it.
    SymbiosScsi,
    /// A SCSI disk on VMware's paravirtual adapter; Debian's OVMF does not start from it.
    VmwareScsi,
    /// A disk of a MegaRAID adapter; Debian's OVMF does not start from it.
    MegaRaid,
    /// A CD-ROM drive.
    Cdrom,
}

/// Where each write to a disk is recorded, with its flushes, in the format of dm-log-writes.
#[derive(Clone, Debug)]
pub struct WriteLog {
    /// The log's file; it must exist and be large enough for what is written.
    pub path: PathBuf,
}

/// A disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The file or device.
    pub path: PathBuf,
    /// What it holds.
    pub format: DiskFormat,
    /// How it appears.
    pub medium: Medium,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Whether writes are forgotten at the end.
    pub ephemeral: bool,
    /// Where writes are recorded.
    pub log: Option<WriteLog>,
    /// The bytes of its logical sectors: 512, or 4096 of a 4Kn disk.
    pub sector_bytes: u32,
}

impl Disk {
    /// A writable virtio disk of raw bytes.
    pub fn raw(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: DiskFormat::Raw,
            medium: Medium::Virtio,
            read_only: false,
            ephemeral: false,
            log: None,
            sector_bytes: 512,
        }
    }
}

/// A port of the host that leads to one of the guest, over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The host's port, on the loopback address.
    pub host: u16,
    /// The guest's port.
    pub guest: u16,
}

/// A network interface.
#[derive(Clone, Debug)]
pub enum Interface {
    /// QEMU's user network: the guest reaches the host, the host reaches the guest through forwarded ports.
    User {
        /// Forwarded ports.
        forwards: Vec<Forward>,
        /// Whether the guest is cut off from everything but the forwarded ports.
        restricted: bool,
    },
    /// A virtual switch that other machines join, by the path of its datagram multicast or socket.
    Switch {
        /// The port of a multicast group on loopback.
        port: u16,
        /// The interface's MAC address.
        mac: String,
    },
}

/// Where the machine's screen is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// Nowhere; screenshots work.
    None,
    /// In a window.
    Window,
    /// There is none: a BIOS writes on the serial console instead.
    Serial,
}

/// The sockets through which a machine is steered. All lie in one folder whose path must be short (a UNIX socket's
/// name has 107 bytes at most).
#[derive(Clone, Debug)]
pub struct Sockets {
    /// The folder.
    pub folder: PathBuf,
}

impl Sockets {
    pub(crate) fn qmp(&self) -> PathBuf {
        self.folder.join("qmp")
    }
    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console")
    }
    pub(crate) fn agent(&self) -> PathBuf {
        self.folder.join("agent")
    }
}

/// The firmware and what it remembers.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// Its code.
    pub code: PathBuf,
    /// Its variables; a copy that belongs to this machine.
    pub variables: PathBuf,
}

/// A kernel that QEMU starts, or hands to the firmware where there is one.
#[derive(Clone, Debug)]
pub struct DirectKernel {
    /// The kernel; an EFI program where there is a firmware.
    pub kernel: PathBuf,
    /// Its initrd.
    pub initrd: PathBuf,
    /// Its command line.
    pub command_line: String,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its architecture.
    pub architecture: Architecture,
    /// How its instructions are run.
    pub accelerator: Accelerator,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// The firmware, a UEFI. Without one there must be a kernel, or a disk that the BIOS of a PC starts.
    pub firmware: Option<Firmware>,
    /// What is started before any disk.
    pub kernel: Option<DirectKernel>,
    /// Disks, in the firmware's boot order.
    pub disks: Vec<Disk>,
    /// A folder of the host that the guest can read.
    pub file_server: Option<FileServer>,
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// The screen.
    pub display: Display,
    /// How it is steered; `None` puts the serial console on standard input and output, for a person.
    pub sockets: Option<Sockets>,
}

/// The name of the agent's virtio port, in the guest `/dev/virtio-ports/NAME`.
pub(crate) const AGENT_PORT: &str = "org.esker.agent.0";

impl Machine {
    /// QEMU's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Arguments::default();
        self.board(&mut arguments);
        if let Some(firmware) = &self.firmware {
            firmware_arguments(&mut arguments, firmware);
        }
        if let Some(DirectKernel { kernel, initrd, command_line }) = &self.kernel {
            arguments.pair("-kernel", kernel.display().to_string());
            arguments.pair("-initrd", initrd.display().to_string());
            arguments.pair("-append", command_line);
        }
        // QEMU gives a kernel the first place in the boot order.
        let before_disks = usize::from(self.kernel.is_some());
        for (index, disk) in self.disks.iter().enumerate() {
            let boot = self.firmware.is_some().then_some(index + before_disks);
            disk_arguments(&mut arguments, index, (disk, self.architecture), boot);
        }
        if let Some(server) = &self.file_server {
            self.file_server_arguments(&mut arguments, server);
        }
        for (index, interface) in self.interfaces.iter().enumerate() {
            interface_arguments(&mut arguments, index, interface);
        }
        self.terminals(&mut arguments);
        arguments.0
    }

    fn board(&self, arguments: &mut Arguments) {
        let accelerator = self.accelerator.name();
        let (machine, cpu) = match (self.architecture, self.accelerator) {
            (Architecture::X86_64, Accelerator::Kvm) => ("q35", "host"),
            (Architecture::X86_64, Accelerator::Tcg) => ("q35", "max"),
            (Architecture::Aarch64, Accelerator::Kvm) => ("virt", "host"),
            // Pointer authentication by the architected algorithm is slow to emulate.
            (Architecture::Aarch64, Accelerator::Tcg) => ("virt", "max,pauth-impdef=on"),
        };
        // Whoever serves files over virtiofs reads and writes the guest's memory.
        let memory = if self.file_server.is_some() { ",memory-backend=memory" } else { "" };
        let graphics = if self.display == Display::Serial { ",graphics=off" } else { "" };
        arguments.pair("-machine", format!("{machine},accel={accelerator}{memory}{graphics}"));
        arguments.pair("-cpu", cpu);
        arguments.pair("-smp", self.cpus.to_string());
        arguments.pair("-m", format!("{}M", self.memory_mib));
        arguments.flag("-nodefaults");
        arguments.flag("-no-user-config");
        arguments.pair("-device", "virtio-rng-pci");
        match self.architecture {
            Architecture::X86_64 if self.display == Display::Serial => {}
            Architecture::X86_64 => arguments.pair("-device", "VGA"),
            Architecture::Aarch64 => arguments.pair("-device", "virtio-gpu-pci"),
        }
        arguments.pair("-device", "qemu-xhci,id=usb");
        arguments.pair("-device", "usb-kbd,bus=usb.0");
        arguments.pair(
            "-display",
            match self.display {
                Display::None | Display::Serial => "none",
                Display::Window => "gtk",
            },
        );
    }

    fn file_server_arguments(&self, arguments: &mut Arguments, server: &FileServer) {
        let size = self.memory_mib;
        arguments.pair("-object", format!("memory-backend-memfd,id=memory,size={size}M,share=on"));
        arguments.pair("-chardev", format!("socket,id=files,path={}", escaped(&server.socket)));
        arguments.pair("-device", format!("vhost-user-fs-pci,chardev=files,tag={}", server.tag));
    }

    fn terminals(&self, arguments: &mut Arguments) {
        let Some(sockets) = &self.sockets else {
            arguments.pair("-serial", "mon:stdio");
            return;
        };
        let server = |path: PathBuf| format!("path={},server=on,wait=off", path.display());
        arguments.pair("-chardev", format!("socket,id=console,{}", server(sockets.console())));
        arguments.pair("-serial", "chardev:console");
        arguments.pair("-qmp", format!("unix:{},server=on,wait=off", sockets.qmp().display()));
        arguments.pair("-chardev", format!("socket,id=agent,{}", server(sockets.agent())));
        arguments.pair("-device", "virtio-serial-pci");
        arguments.pair("-device", format!("virtserialport,chardev=agent,name={AGENT_PORT}"));
    }
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.to_owned());
    }
    fn pair(&mut self, option: &str, value: impl Into<String>) {
        self.0.push(option.to_owned());
        self.0.push(value.into());
    }
}

/// A value within QEMU's comma-separated options: a comma is doubled.
fn escaped(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn firmware_arguments(arguments: &mut Arguments, Firmware { code, variables }: &Firmware) {
    arguments.pair("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={}", code.display()));
    arguments.pair("-drive", format!("if=pflash,unit=1,format=raw,file={}", variables.display()));
}

/// `boot` is the disk's place in the firmware's boot order; a kernel that QEMU starts has the first place itself.
fn disk_arguments(
    arguments: &mut Arguments,
    index: usize,
    (disk, architecture): (&Disk, Architecture),
    boot: Option<usize>,
) {
    let format = match disk.format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
    };
    let read_only = if disk.read_only || disk.medium == Medium::Cdrom { "on" } else { "off" };
    let node = format!("disk{index}");
    match &disk.log {
        Some(log) => {
            let file = format!("driver=file,filename={},node-name={node}-file", escaped(&disk.path));
            arguments.pair("-blockdev", file);
            arguments.pair("-blockdev", format!("driver={format},file={node}-file,node-name={node}-data"));
            arguments.pair("-blockdev", format!("driver=file,filename={},node-name={node}-log", escaped(&log.path)));
            let logged =
                format!("driver=blklogwrites,file={node}-data,log={node}-log,node-name={node},log-sector-size=512");
            arguments.pair("-blockdev", logged);
        }
        None => {
            let snapshot = if disk.ephemeral { "on" } else { "off" };
            // `cache=unsafe` would make a power cut lose what the guest flushed; writeback keeps flushes.
            let drive = format!(
                "if=none,id={node},format={format},file={},readonly={read_only},snapshot={snapshot},cache=writeback,discard=unmap",
                escaped(&disk.path)
            );
            arguments.pair("-drive", drive);
        }
    }
    let boot = boot.map(|place| format!(",bootindex={place}")).unwrap_or_default();
    let sectors = match disk.sector_bytes {
        512 => String::new(),
        bytes => format!(",logical_block_size={bytes},physical_block_size={bytes}"),
    };
    let device = match disk.medium {
        Medium::Virtio => format!("virtio-blk-pci,drive={node}{boot}"),
        Medium::Nvme => format!("nvme,drive={node},serial={node}{boot}"),
        Medium::Usb => format!("usb-storage,bus=usb.0,drive={node}{boot}"),
        Medium::Ahci => {
            arguments.pair("-device", format!("ahci,id=ahci{index}"));
            format!("ide-hd,bus=ahci{index}.0,drive={node}{boot}")
        }
        // The firmware of the `virt` board knows no AHCI.
        Medium::Cdrom if architecture == Architecture::Aarch64 => {
            arguments.pair("-device", format!("virtio-scsi-pci,id=scsi{index}"));
            format!("scsi-cd,bus=scsi{index}.0,drive={node}{boot}")
        }
        Medium::Cdrom => {
            arguments.pair("-device", format!("ahci,id=ahci{index}"));
            format!("ide-cd,bus=ahci{index}.0,drive={node}{boot}")
        }
        Medium::Uas => {
            arguments.pair("-device", format!("usb-uas,id=uas{index},bus=usb.0"));
            format!("scsi-hd,bus=uas{index}.0,drive={node}")
        }
        Medium::SdCard => {
            arguments.pair("-device", format!("sdhci-pci,id=sdhci{index}"));
            format!("sd-card,drive={node}")
        }
        Medium::Scsi => on_adapter(arguments, "virtio-scsi-pci", index, &format!("drive={node}{boot}")),
        Medium::SymbiosScsi => on_adapter(arguments, "lsi53c895a", index, &format!("drive={node}{boot}")),
        Medium::VmwareScsi => on_adapter(arguments, "pvscsi", index, &format!("drive={node}{boot}")),
        Medium::MegaRaid => on_adapter(arguments, "megasas", index, &format!("drive={node}{boot}")),
    };
    arguments.pair("-device", device + &sectors);
}

/// A SCSI disk on an adapter of its own.
fn on_adapter(arguments: &mut Arguments, adapter: &str, index: usize, properties: &str) -> String {
    arguments.pair("-device", format!("{adapter},id=scsi{index}"));
    format!("scsi-hd,bus=scsi{index}.0,{properties}")
}

fn interface_arguments(arguments: &mut Arguments, index: usize, interface: &Interface) {
    let (backend, mac) = match interface {
        Interface::User { forwards, restricted } => {
            let forwards: String =
                forwards.iter().map(|f| format!(",hostfwd=tcp:127.0.0.1:{}-:{}", f.host, f.guest)).collect();
            let restrict = if *restricted { ",restrict=on" } else { "" };
            (format!("user,id=net{index}{restrict}{forwards}"), None)
        }
        Interface::Switch { port, mac } => {
            (format!("socket,id=net{index},mcast=230.0.0.1:{port},localaddr=127.0.0.1"), Some(mac))
        }
    };
    arguments.pair("-netdev", backend);
    let mac = mac.map(|m| format!(",mac={m}")).unwrap_or_default();
    // Without an option ROM the firmware does not try to boot from the network.
    arguments.pair("-device", format!("virtio-net-pci,netdev=net{index},romfile={mac}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            architecture: Architecture::X86_64,
            accelerator: Accelerator::Tcg,
            memory_mib: 1024,
            cpus: 2,
            firmware: Some(Firmware { code: "/fw/code".into(), variables: "/vm/vars".into() }),
            kernel: None,
            disks: vec![Disk::raw("/vm/a,b.img")],
            file_server: None,
            interfaces: vec![Interface::User { forwards: vec![Forward { host: 2222, guest: 22 }], restricted: false }],
            display: Display::None,
            sockets: Some(Sockets { folder: "/tmp/x".into() }),
        }
    }

    #[test]
    fn commas_in_paths_are_doubled() {
        let arguments = machine().arguments().join(" ");
        assert!(arguments.contains("file=/vm/a,,b.img,"), "{arguments}");
    }

    #[test]
    fn ports_are_forwarded_from_loopback_only() {
        let arguments = machine().arguments().join(" ");
        assert!(arguments.contains("hostfwd=tcp:127.0.0.1:2222-:22"), "{arguments}");
    }

    #[test]
    fn a_logged_disk_records_its_writes() {
        let mut machine = machine();
        machine.disks[0].log = Some(WriteLog { path: "/vm/log".into() });
        let arguments = machine.arguments().join(" ");
        assert!(arguments.contains("driver=blklogwrites,file=disk0-data,log=disk0-log"), "{arguments}");
    }

    #[test]
    fn a_kernel_without_firmware_has_the_first_place_and_shares_memory_with_a_file_server() {
        let mut machine = machine();
        let plain = machine.arguments().join(" ");
        assert!(plain.contains(",bootindex=0") && !plain.contains("memory-backend"), "{plain}");
        machine.firmware = None;
        machine.file_server = Some(FileServer {
            usr: "/view".into(),
            folder: "/store".into(),
            tag: "tag".into(),
            socket: "/tmp/s".into(),
        });
        let arguments = machine.arguments().join(" ");
        for part in [
            "-machine q35,accel=tcg,memory-backend=memory",
            "memory-backend-memfd,id=memory,size=1024M,share=on",
            "socket,id=files,path=/tmp/s",
            "vhost-user-fs-pci,chardev=files,tag=tag",
        ] {
            assert!(arguments.contains(part), "`{part}` is not in {arguments}");
        }
        assert!(!arguments.contains("bootindex") && !arguments.contains("pflash"), "{arguments}");
    }

    #[test]
    fn a_person_gets_the_console_on_the_terminal() {
        let mut machine = machine();
        machine.sockets = None;
        assert!(machine.arguments().windows(2).any(|w| w == ["-serial", "mon:stdio"]));
    }
}
