//! Which accelerator to use: KVM where it truly works, else TCG.
//!
//! A /dev/kvm exists in the wild, on para-virtual hosts, that opens and then hangs or dies in firmware; so the probe
//! runs a machine that has nothing to do under a deadline instead of asking whether the device opens.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Emulator, VmError};

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

/// How long a machine with nothing to do may take to answer.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);

/// Whether a machine under KVM comes up and ends within a deadline. Any failure means TCG.
///
/// The machine runs no firmware: it is asked to quit over standard input as soon as its monitor answers, after its
/// processor has been told to run.
pub fn probe_kvm(emulator: &Emulator) -> Accelerator {
    if !Path::new("/dev/kvm").exists() {
        return Accelerator::Tcg;
    }
    match answers_under_kvm(emulator) {
        Ok(true) => Accelerator::Kvm,
        Ok(false) => Accelerator::Tcg,
        Err(error) => {
            tracing::debug!(%error, "KVM does not work");
            Accelerator::Tcg
        }
    }
}

fn answers_under_kvm(emulator: &Emulator) -> Result<bool, VmError> {
    // `isa-debug-exit` ends QEMU from within the guest; the guest here is the firmware's reset path, so that a KVM
    // that cannot run a single instruction is seen.
    let arguments: Vec<String> = ["-machine", "q35,accel=kvm", "-cpu", "host", "-m", "64", "-nodefaults", "-display", "none"]
        .into_iter()
        .chain(["-serial", "none", "-monitor", "none", "-no-reboot", "-device", "isa-debugcon,iobase=0x402,chardev=log"])
        .chain(["-chardev", "stdio,id=log"])
        .map(str::to_owned)
        .collect();
    let mut child = emulator.spawn(&arguments, crate::emulator::Terminal::Captured)?;
    let deadline = Instant::now() + PROBE_DEADLINE;
    let mut spoke = false;
    while Instant::now() < deadline {
        if child.try_wait()?.is_some() {
            break;
        }
        // SeaBIOS writes to the debug console within milliseconds where the processor really runs.
        if !child.output().is_empty() {
            spoke = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill();
    Ok(spoke)
}
