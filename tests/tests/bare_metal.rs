//! One image boots from whatever a machine has its disks on: the initrd for any machine has the driver, and stage 1 finds it
//! by what the hardware says. In a machine whose firmware is a BIOS the disk says that it wants UEFI.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qemu::{DirectKernel, Disk, Medium};
use stories::{Checks, Lab};

const BOOT: Duration = Duration::from_secs(300);
const MEMORY_MIB: u32 = 1024;
/// What systemd says first: by then stage 1 has found the store and gone.
const SYSTEM_STARTS: &str = "Welcome to ";
/// The initrd with every driver of disks, without the processors' microcode, has at most this size.
const MOST_INITRD_BYTES: u64 = 12 << 20;

/// Who reads kernel and initrd.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Starter {
    /// The firmware, from the disk.
    Firmware,
    /// QEMU: Debian's OVMF has no driver for the disk.
    Emulator,
}

/// What disks hang on. NVMe is first: that system is looked at.
const BUSES: [(&str, Medium, Starter); 9] = [
    ("nvme", Medium::Nvme, Starter::Firmware),
    ("ahci", Medium::Ahci, Starter::Firmware),
    ("usb-storage", Medium::Usb, Starter::Firmware),
    ("usb-uas", Medium::Uas, Starter::Emulator),
    ("sd-card", Medium::SdCard, Starter::Emulator),
    ("virtio-scsi", Medium::Scsi, Starter::Firmware),
    ("lsi53c895a", Medium::SymbiosScsi, Starter::Emulator),
    ("pvscsi", Medium::VmwareScsi, Starter::Emulator),
    ("megasas", Medium::MegaRaid, Starter::Emulator),
];

/// The image, in a folder that goes with the story, and what it was made of.
struct Image {
    lab: Lab,
    _folder: tempfile::TempDir,
    path: PathBuf,
    /// Where the toplevel lies here.
    toplevel: PathBuf,
    /// As the machine names it.
    logical: String,
}

impl Image {
    fn write() -> Self {
        let lab = Lab::open("bare-metal");
        let folder = tempfile::Builder::new().prefix("bare-metal-").tempdir_in(lab.state()).expect("a folder");
        let path = folder.path().join("disk.img");
        let configuration = lab.file("systems/bare-metal.nix");
        let [configuration, output] = [&configuration, &path].map(|path| path.to_str().expect("a path in UTF-8"));
        // The sizes of SD cards are powers of two.
        let report = lab.json(&["image", configuration, "--output", output, "--size", "2G"]);
        let logical = report["toplevel"].as_str().expect("the toplevel").to_owned();
        let toplevel = lab.state().join("store").join(logical.trim_start_matches('/'));
        Self { lab, _folder: folder, path, toplevel, logical }
    }

    /// The file that a link of the toplevel means.
    fn file(&self, name: &str) -> PathBuf {
        let target = fs_err::read_link(self.toplevel.join(name)).expect("a link of the toplevel");
        self.lab.state().join("store").join(target.strip_prefix("/").expect("a store path"))
    }

    /// The image as a disk on a bus; nothing that a machine writes stays.
    fn disk(&self, medium: Medium) -> Disk {
        Disk { medium, ephemeral: true, ..Disk::raw(&self.path) }
    }

    fn kernel(&self) -> DirectKernel {
        let parameters = fs_err::read_to_string(self.toplevel.join("kernel-params")).expect("the parameters");
        let command_line = format!("init={}/init {}", self.logical, parameters.trim());
        DirectKernel { kernel: self.file("kernel"), initrd: self.file("initrd"), command_line }
    }
}

#[test]
fn one_image_boots_from_every_bus() {
    let image = Image::write();
    let mut checks = Checks::new();
    the_initrd_is_small_and_begins_with_microcode(&image.file("initrd"), &mut checks);
    for (name, medium, starter) in BUSES {
        let started = Instant::now();
        let lab = Lab::open(&format!("bare-metal-{name}"));
        let mut vm = match starter {
            Starter::Firmware => lab.boot_alone(image.disk(medium), MEMORY_MIB),
            Starter::Emulator => lab.boot_kernel(image.kernel(), vec![image.disk(medium)], MEMORY_MIB),
        };
        let system = vm.console.wait_for(SYSTEM_STARTS, BOOT);
        checks.fact(&format!("the system starts from {name}"), system.is_ok(), format!("{system:?}"));
        eprintln!("{name}: {:.0?}", started.elapsed());
        if medium == Medium::Nvme && system.is_ok() {
            let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
            checks.fact("it is running", state.is_ok(), format!("{state:?}"));
            checks.prints(&mut vm.agent, "it is the image's", "readlink -f /run/booted-system", &image.logical);
            checks.mentions(&mut vm.agent, "its store is on that bus", "findmnt -n -o SOURCE /nix", "/dev/nvme0n1p");
        }
        vm.cut_power();
    }
    checks.done();
}

#[test]
fn a_bios_is_told_that_the_disk_wants_uefi() {
    let image = Image::write();
    let mut vm = Lab::open("bare-metal-bios").boot_by_bios(image.disk(Medium::Ahci));
    let told = vm.console.wait_for("This disk starts by UEFI", Duration::from_secs(60));
    assert!(told.is_ok(), "{told:?}");
}

/// The kernel finds microcode at the very beginning and uncompressed only.
fn the_initrd_is_small_and_begins_with_microcode(initrd: &Path, checks: &mut Checks) {
    let bytes = fs_err::read(initrd).expect("the initrd");
    let (names, end) = uncompressed_files(&bytes);
    for vendor in ["GenuineIntel", "AuthenticAMD"] {
        let name = format!("kernel/x86/microcode/{vendor}.bin");
        checks.fact("microcode is in front of the initrd", names.contains(&name), format!("{names:?}"));
    }
    let rest_bytes = (bytes.len() - end) as u64;
    checks.fact("the rest is small", rest_bytes <= MOST_INITRD_BYTES, format!("{rest_bytes} bytes"));
    eprintln!("the initrd has {rest_bytes} bytes, and {end} of microcode");
}

/// The names in the cpio archives at the beginning, and where something else begins.
fn uncompressed_files(bytes: &[u8]) -> (Vec<String>, usize) {
    let number = |at: usize| usize::from_str_radix(std::str::from_utf8(&bytes[at..at + 8]).unwrap(), 16).unwrap();
    let (mut names, mut at) = (Vec::new(), 0);
    while bytes[at..].starts_with(b"070701") {
        let (size_bytes, name_bytes) = (number(at + 54), number(at + 94));
        let name = String::from_utf8_lossy(&bytes[at + 110..at + 110 + name_bytes - 1]).into_owned();
        at = ((at + 110 + name_bytes).next_multiple_of(4) + size_bytes).next_multiple_of(4);
        if name == "TRAILER!!!" {
            at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
        }
        names.push(name);
    }
    (names, at)
}
