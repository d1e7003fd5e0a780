//! A live system on every medium, for machines of either architecture: an ISO in a CD-ROM drive and the same file on a USB
//! stick, kernel and initrd alone, and one EFI program on a boot partition.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use disk_formats::fat;
use disk_formats::sector::SectorSize;
use qemu::{Agent, Architecture, DirectKernel, Disk, Medium, Running};

use crate::menu::choose;
use crate::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
/// The initrd with the store is in memory twice while it is unpacked.
const MEMORY_MIB: u32 = 2048;
const MOMENT: Duration = Duration::from_secs(90);
/// What an ISO without firmware for devices has at most.
const MOST_ISO_BYTES: u64 = 300_000_000;

/// An ISO boots from a CD-ROM drive and from a USB stick, and is not too large.
pub fn iso(architecture: Architecture) {
    let images = Images::new(architecture);
    let toplevel = images.write("iso", "live.iso");
    let size_bytes = fs_err::metadata(images.path("live.iso")).unwrap().len();
    assert!(size_bytes <= MOST_ISO_BYTES, "the ISO has {size_bytes} bytes, more than {MOST_ISO_BYTES}");
    // Each machine keeps its firmware's variables beside its disk.
    fs_err::hard_link(images.path("live.iso"), images.path("stick.img")).unwrap();
    from_drive(&images, &toplevel);
    from_stick(&images, &toplevel);
}

/// Kernel and initrd are a whole system, and so is one EFI program.
pub fn memory(architecture: Architecture) {
    let images = Images::new(architecture);
    let toplevel = images.write("netboot", "netboot");
    let same = images.write("uki", "live.efi");
    assert_eq!(toplevel, same);
    from_kernel(&images, &toplevel);
    from_program(&images, &toplevel);
}

/// Images of the live system, in a folder that goes with the story.
struct Images {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Images {
    fn new(architecture: Architecture) -> Self {
        let lab = Lab::open_for("media", architecture);
        let folder = tempfile::Builder::new().prefix("media-").tempdir_in(lab.state()).expect("a folder");
        Self { lab, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the image of a format and returns its toplevel.
    fn write(&self, format: &str, name: &str) -> String {
        let configuration = self.lab.file("systems/live.nix");
        let output = self.path(name);
        let [configuration, output] = [&configuration, &output].map(|path| path.to_str().expect("a path in UTF-8"));
        let system = self.lab.architecture().system();
        let arguments = ["image", configuration, "--system", system, "--format", format, "--output", output];
        let report = self.lab.json(&arguments);
        report["toplevel"].as_str().expect("the toplevel").to_owned()
    }

    /// The laboratory of one of the machines, which leaves what it saw under its own name.
    fn machine(&self, name: &str) -> Lab {
        let architecture = self.lab.architecture();
        Lab::open_for(&format!("media-{name}-{}", architecture.system()), architecture)
    }

    /// The device of the serial line.
    fn serial_line(&self) -> &'static str {
        match self.lab.architecture() {
            Architecture::X86_64 => "ttyS0",
            Architecture::Aarch64 => "ttyAMA0",
        }
    }

    /// The program that firmware looks for on a disk that it does not know.
    fn fallback_program(&self) -> &'static str {
        match self.lab.architecture() {
            Architecture::X86_64 => "BOOTX64.EFI",
            Architecture::Aarch64 => "BOOTAA64.EFI",
        }
    }
}

fn medium(path: &Path, medium: Medium) -> Disk {
    Disk { medium, read_only: medium == Medium::Cdrom, ephemeral: true, ..Disk::raw(path) }
}

/// What is true of a live system wherever it comes from.
fn lives(agent: &mut Agent, toplevel: &str, checks: &mut Checks) {
    let state = agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the system is running", state.is_ok(), format!("{state:?}"));
    checks.prints(agent, "it is the image's", "readlink -f /run/booted-system", toplevel);
    checks.prints(agent, "its store is compressed", "findmnt -n -o FSTYPE /nix/store | sort -u", "erofs");
    let others = "findmnt -n -l -o TARGET,SOURCE -t erofs,iso9660 | grep -v -e ^/nix/store -e ^/usr/lib/modules; true";
    checks.prints(agent, "and nothing else of it is mounted", others, "");
    checks.fails(agent, "the store is read-only", "touch /nix/store/x");
    checks.succeeds(agent, "the state is not", "touch /nix/var/nix/x /var/x /root/x");
    let session = agent.wait_until_succeeds("loginctl list-sessions --no-legend | grep -q root", MOMENT);
    checks.fact("a person is logged in", session.is_ok(), format!("{session:?}"));
    checks.succeeds(agent, "the rescue tools are there", "parted --version && smartctl --version && esker --version");
}

fn from_drive(images: &Images, toplevel: &str) {
    let mut checks = Checks::new();
    let mut vm = images.machine("drive").boot(vec![medium(&images.path("live.iso"), Medium::Cdrom)], Ports::free());
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let agent = &mut vm.agent;
    lives(agent, toplevel, &mut checks);
    let systems = "ls -d /nix/store/*-esker-system-live-* | wc -l";
    checks.prints(agent, "the system is there, with its menu's variants and as it would be installed", systems, "4");
    if images.lab.architecture() == Architecture::X86_64 {
        the_store_is_what_it_is_here(images, agent, &mut checks);
        serial_console(images, &mut vm, &mut checks);
    }
    checks.done();
}

/// Every file of an eighth of all paths: each kind of contents is among them.
fn the_store_is_what_it_is_here(images: &Images, agent: &mut Agent, checks: &mut Checks) {
    let sums = "export LC_ALL=C; cd /nix/store && find ./[0-3]* -type f -print0 | sort -z | xargs -0 cksum | sha256sum";
    let on_the_medium = agent.succeed(sums, BOOT).expect("sums of all files");
    let names = agent.succeed("ls -d /nix/store/[0-3]*", MOMENT).expect("what is in the store");
    let listed: String = names.lines().map(|name| format!(".{}\0", name.trim_start_matches("/nix/store"))).collect();
    fs_err::write(images.path("names"), listed).unwrap();
    let script = "cd \"$1/nix/store\" && xargs -0 sh -c 'find \"$@\" -type f -print0' sh <\"$2\" | sort -z | xargs -0 cksum | sha256sum";
    let output = Command::new("sh")
        .env("LC_ALL", "C")
        .args(["-c", script, "sh"])
        .arg(images.lab.state().join("store"))
        .arg(images.path("names"))
        .output();
    let here = String::from_utf8(output.expect("sums of the same files").stdout).unwrap();
    checks.fact("the files of the store are what it is here", on_the_medium == here.trim_end(), on_the_medium);
}

/// The menu's entry for machines without a screen: the kernel speaks on the serial line, and somebody can log in there.
fn serial_console(images: &Images, vm: &mut Running, checks: &mut Checks) {
    let line = images.serial_line();
    checks.fails(&mut vm.agent, "by default nobody is asked on the serial line", "systemctl is-active serial-getty@*");
    checks.succeeds(&mut vm.agent, "it is asked to reboot", "systemd-run --on-active=1 systemctl reboot");
    vm.console.wait_for("Boot in ", BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    choose(vm, "Esker live, generation 1 (serial-console)", checks);
    for text in ["Welcome to ", "live login: root (automatic login)"] {
        let seen = vm.console.wait_for(text, BOOT);
        checks.fact("the serial line shows the boot and a login", seen.is_ok(), format!("{seen:?}"));
    }
    let prompt = vm.console.wait_for("root@live", MOMENT).and_then(|()| vm.console.send("tty\r"));
    let answer = prompt.and_then(|()| vm.console.wait_for(&format!("/dev/{line}"), MOMENT));
    checks.fact("somebody is at the serial line", answer.is_ok(), format!("{answer:?}"));
}

/// By the menu's entry that copies the store to memory, after which the stick may go.
fn from_stick(images: &Images, toplevel: &str) {
    let mut checks = Checks::new();
    let mut vm = images.machine("stick").boot(vec![medium(&images.path("stick.img"), Medium::Usb)], Ports::free());
    vm.console.wait_for("Boot in ", BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    choose(&mut vm, "Esker live, generation 1 (to-ram)", &mut checks);
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let agent = &mut vm.agent;
    let variant = agent.succeed("readlink -f /nix/var/nix/profiles/system/specialisation/to-ram", MOMENT);
    lives(agent, variant.expect("the variant's toplevel").trim_end(), &mut checks);
    checks.prints(agent, "the image is of the system", "readlink -f /nix/var/nix/profiles/system", toplevel);
    checks.succeeds(agent, "nobody has the stick open any more", "blockdev --rereadpt /dev/sda");
    // In a moment, so that the answer comes before the end.
    checks.succeeds(agent, "it is asked to turn off", "systemd-run --on-active=1 systemctl poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
    checks.done();
}

fn from_kernel(images: &Images, toplevel: &str) {
    let mut checks = Checks::new();
    let folder = images.path("netboot");
    let command_line = fs_err::read_to_string(folder.join("command-line")).unwrap().trim_end().to_owned();
    let with_console = format!("{command_line} console={}", images.serial_line());
    let script = fs_err::read_to_string(folder.join("boot.ipxe")).unwrap();
    checks.fact("iPXE gets the same command line", script.contains(&command_line), &script);
    let kernel =
        DirectKernel { kernel: folder.join("kernel"), initrd: folder.join("initrd"), command_line: with_console };
    let mut vm = images.machine("kernel").boot_kernel(kernel, Vec::new(), MEMORY_MIB);
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    lives(&mut vm.agent, toplevel, &mut checks);
    checks.done();
}

/// The program is on an otherwise empty boot partition, where firmware looks for what it does not know.
fn from_program(images: &Images, toplevel: &str) {
    let disk = images.path("boot.img");
    let mut file = File::options().read(true).write(true).create_new(true).open(&disk).unwrap();
    let program_bytes = fs_err::metadata(images.path("live.efi")).unwrap().len();
    file.set_len((program_bytes + program_bytes / 16).max(fat::minimum_bytes(SectorSize::Bytes512))).unwrap();
    let volume = fat::Volume { sector_size: SectorSize::Bytes512, id: 1, label: "BOOT" };
    fat::format(&mut file, volume).unwrap();
    fat::with_filesystem(&mut file, |filesystem| -> Result<(), fat::FatError> {
        let folder = filesystem.root_dir().create_dir("EFI").and_then(|folder| folder.create_dir("BOOT"));
        let target = folder.and_then(|folder| folder.create_file(images.fallback_program()));
        std::io::copy(&mut fs_err::File::open(images.path("live.efi")).unwrap(), &mut target.unwrap()).unwrap();
        Ok(())
    })
    .unwrap();
    let mut checks = Checks::new();
    let mut vm = images.machine("program").boot_alone(medium(&disk, Medium::Virtio), MEMORY_MIB);
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    lives(&mut vm.agent, toplevel, &mut checks);
    checks.done();
}
