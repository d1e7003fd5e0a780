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
/// The machine has a firmware and nothing to boot.
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
    // The firmware's own words, apart from QEMU's complaints: that it speaks shows that the processor runs.
    let words = tempfile::NamedTempFile::new().map_err(VmError::io("make a file in", std::env::temp_dir()))?;
    let log = format!("file,id=log,path={}", words.path().display());
    let arguments: Vec<String> =
        ["-machine", "q35,accel=kvm", "-cpu", "host", "-m", "64", "-nodefaults", "-display", "none"]
            .into_iter()
            .chain(["-serial", "none", "-monitor", "none", "-device", "isa-debugcon,iobase=0x402,chardev=log"])
            .chain(["-chardev", &log])
            .map(str::to_owned)
            .collect();
    let mut child = emulator.spawn(&arguments, crate::emulator::Terminal::Captured)?;
    let deadline = Instant::now() + PROBE_DEADLINE;
    // SeaBIOS writes to the debug console within milliseconds where the processor really runs.
    let spoke = || words.path().metadata().is_ok_and(|metadata| metadata.len() > 0);
    while Instant::now() < deadline && child.try_wait()?.is_none() && !spoke() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let works = spoke() && child.try_wait()?.is_none();
    child.kill();
    Ok(works)
}
