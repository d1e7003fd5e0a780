//! QEMU and its firmware, from the pinned package set in a view of its own.

use std::path::{Path, PathBuf};

use qemu::{Accelerator, Architecture, Emulator, Probe};
use system::{Configuration, Session};

/// What a machine is started with.
pub(crate) struct Tools {
    pub(crate) emulator: Emulator,
    /// The view's /usr, on this host.
    pub(crate) usr: PathBuf,
    pub(crate) firmware_code: PathBuf,
    pub(crate) firmware_variables: PathBuf,
}

impl Tools {
    /// How fast a machine of this architecture can be here; found out once in each boot of this host.
    pub(crate) fn accelerator(&self, session: &Session, architecture: Architecture) -> Accelerator {
        let Self { emulator, firmware_code, firmware_variables, .. } = self;
        Probe { emulator, architecture, firmware_code, firmware_variables }.accelerator(&session.locations().cache)
    }
}

/// Where the machine's screen will be shown: a window needs more of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Nowhere.
    None,
    /// In a window.
    Window,
}

/// The view in `pkgs/` that holds QEMU for a target, and where firmware is in it.
struct Names {
    view: &'static str,
    view_with_window: &'static str,
    code: &'static str,
    variables: &'static str,
}

const X86_64: Names = Names {
    view: "vm.x86_64",
    view_with_window: "vm.window.x86_64",
    code: "share/OVMF/OVMF_CODE_4M.fd",
    variables: "share/OVMF/OVMF_VARS_4M.fd",
};
const AARCH64: Names = Names {
    view: "vm.aarch64",
    view_with_window: "vm.window.aarch64",
    code: "share/AAVMF/AAVMF_CODE.no-secboot.fd",
    variables: "share/AAVMF/AAVMF_VARS.fd",
};

/// Builds QEMU's view for a target; `program` is another QEMU to use.
pub(crate) fn prepare(
    session: &Session,
    configuration: &Configuration,
    (architecture, screen): (Architecture, Screen),
    program: Option<PathBuf>,
) -> Result<Tools, Box<dyn std::error::Error>> {
    let names = match architecture {
        Architecture::X86_64 => X86_64,
        Architecture::Aarch64 => AARCH64,
    };
    // The emulator runs here, whatever it emulates.
    let view = if screen == Screen::Window { names.view_with_window } else { names.view };
    let view = session.build_package(configuration, &system::host_system(), view)?;
    let usr = session.materialise(&view)?;
    let emulator = match program {
        Some(program) => Emulator::Host { program },
        None => Emulator::View { usr: usr.clone(), program: Path::new("/usr/bin").join(architecture.emulator()) },
    };
    Ok(Tools { emulator, firmware_code: usr.join(names.code), firmware_variables: usr.join(names.variables), usr })
}

/// A copy of a file in the store is read-only.
pub(crate) fn make_writable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o644))
}
