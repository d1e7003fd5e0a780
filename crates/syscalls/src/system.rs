//! The machine as a whole: reboot, sync, host name, kernel release.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::reboot::{RebootMode, reboot};

use crate::SyscallError;
use crate::error::Context;

/// How the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStop {
    /// Start again through the firmware.
    Reboot,
    /// Switch the power off.
    PowerOff,
    /// Stop the processors and leave the power on, so that the screen stays readable.
    Halt,
    /// Start the kernel that kexec_load(2) put into memory.
    Kexec,
}

/// Stops the machine at once: no process is told and nothing is written back. Returns only on failure.
pub fn stop_machine(how: MachineStop) -> SyscallError {
    let mode = match how {
        MachineStop::Reboot => RebootMode::RB_AUTOBOOT,
        MachineStop::PowerOff => RebootMode::RB_POWER_OFF,
        MachineStop::Halt => RebootMode::RB_HALT_SYSTEM,
        MachineStop::Kexec => RebootMode::RB_KEXEC,
    };
    let Err(errno) = reboot(mode);
    SyscallError::new("reboot", format!("{how:?}"), errno)
}

/// Writes back everything that all filesystems hold in memory.
pub fn sync() {
    nix::unistd::sync();
}

/// Writes back the filesystem that holds `path` and reports whether that worked (syncfs(2), which since 5.8
/// also returns earlier write errors).
pub fn sync_filesystem(path: &Path) -> Result<(), SyscallError> {
    let file = File::open(path).map_err(|error| SyscallError::io("open", path.display().to_string(), &error))?;
    // SAFETY: the descriptor is open for the duration of the call, `file` owns it.
    let result = unsafe { libc::syncfs(file.as_raw_fd()) };
    Errno::result(result).map(drop).on_path("syncfs", path)
}

/// Sets the host name of this UTS namespace.
pub fn set_host_name(name: &str) -> Result<(), SyscallError> {
    nix::unistd::sethostname(name).on("sethostname", name)
}

/// The running kernel's release, as `uname -r` prints it.
pub fn kernel_release() -> Result<OsString, SyscallError> {
    let name = nix::sys::utsname::uname().on("uname", "release")?;
    Ok(name.release().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_that_of_proc() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(kernel_release().unwrap(), release.trim_end());
    }

    #[test]
    fn syncing_a_missing_path_names_it() {
        let error = sync_filesystem(Path::new("/no/such")).unwrap_err();
        assert_eq!((error.call, error.subject.as_str()), ("open", "/no/such"));
    }
}
