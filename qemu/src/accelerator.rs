//! Which accelerator to use: KVM where it truly works, else TCG.
//!
//! A /dev/kvm exists in the wild, on para-virtual hosts, that opens and then hangs, or runs some instructions and dies of
//! others in the middle of the firmware; so the probe boots the machine's own firmware under a deadline instead of asking
//! whether the device opens. What it found is remembered until the host boots again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Architecture, Display, Emulator, Firmware, Machine, Running, VmError};

/// How the guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By the processor.
    Kvm,
    /// By QEMU's translator.
    Tcg,
}

impl Accelerator {
    /// QEMU's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// How long the firmware may take to reach its console. It takes less than a second where the processor runs it.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// What OVMF and AAVMF say first when they have a console: a terminal's escape sequence.
const FIRST_WORD: &str = "\x1b[";

/// What a machine under KVM is tried with.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'p> {
    /// QEMU.
    pub emulator: &'p Emulator,
    /// The machine's architecture.
    pub architecture: Architecture,
    /// The firmware's code.
    pub firmware_code: &'p Path,
    /// The firmware's variables, which are copied.
    pub firmware_variables: &'p Path,
}

impl Probe<'_> {
    /// The accelerator under which the firmware comes up within a deadline, as remembered in a folder or else by trying.
    ///
    /// Any failure means TCG.
    pub fn accelerator(&self, memory: &Path) -> Accelerator {
        if !Path::new("/dev/kvm").exists() {
            return Accelerator::Tcg;
        }
        let remembered = self.remembered_in(memory);
        match remembered.as_ref().and_then(|file| fs_err::read_to_string(file).ok()).as_deref() {
            Some("kvm") => return Accelerator::Kvm,
            Some("tcg") => return Accelerator::Tcg,
            _ => {}
        }
        let accelerator = match self.speaks_under_kvm() {
            Ok(()) => Accelerator::Kvm,
            Err(error) => {
                tracing::debug!(%error, "KVM does not work");
                Accelerator::Tcg
            }
        };
        let written = remembered
            .map(|file| fs_err::create_dir_all(memory).and_then(|()| fs_err::write(file, accelerator.name())));
        if let Some(Err(error)) = written {
            tracing::debug!(%error, "whether KVM works cannot be remembered");
        }
        accelerator
    }

    /// The file that knows about this boot of the host and this architecture; none for a QEMU that somebody names, which may
    /// be another one each time.
    fn remembered_in(&self, memory: &Path) -> Option<PathBuf> {
        let Emulator::View { .. } = self.emulator else { return None };
        let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(memory.join(format!("accelerator-{}-{}", self.architecture.system(), boot.trim())))
    }

    fn speaks_under_kvm(&self) -> Result<(), VmError> {
        let folder = tempfile::tempdir().map_err(VmError::io("make a folder in", std::env::temp_dir()))?;
        let variables = folder.path().join("variables");
        let template = fs_err::read(self.firmware_variables).map_err(VmError::io("read", self.firmware_variables))?;
        fs_err::write(&variables, template).map_err(VmError::io("write", &variables))?;
        let machine = Machine {
            architecture: self.architecture,
            accelerator: Accelerator::Kvm,
            memory_mib: 256,
            cpus: 1,
            firmware: Some(Firmware { code: self.firmware_code.to_owned(), variables }),
            kernel: None,
            disks: Vec::new(),
            file_server: None,
            interfaces: Vec::new(),
            display: Display::None,
            sockets: None,
        };
        Running::start(self.emulator, machine, folder.path())?.console.wait_for(FIRST_WORD, PROBE_DEADLINE)
    }
}
