//! The end of a machine's run: process 1 after systemd, in a root of its own, from where nothing of the system is in use.
//!
//! systemd unmounts what it can, but it runs from /usr and with it holds the store. When it finds `/run/initramfs/shutdown`
//! it makes /run/initramfs the root, the system's root `/oldroot`, and executes that program, which is this one. It
//! unmounts the rest and stops the machine as systemd was asked to. No shell, no other program; nothing here decides
//! whether the machine stops.
//!
//! Source: systemd's "The initrd Interface" (bootup(7), `/run/initramfs/shutdown`).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use syscalls::mount::{UmountFlags, umount};
use syscalls::mount_table::unescape;
use syscalls::system::{MachineStop, stop_machine, sync};

use crate::stage1::report::{Report, to_standard_error};

/// Where systemd leaves the system's root.
const OLD_ROOT: &str = "/oldroot";

/// Unmounts what is left and stops the machine. Returns only when it is not process 1.
pub fn run(verb: Option<&OsStr>) -> ExitCode {
    if std::process::id() != 1 {
        to_standard_error("this is the last program of a machine's run; anywhere else it does nothing");
        return ExitCode::from(2);
    }
    let report = Report::default();
    sync();
    for left in unmount_all(Path::new(OLD_ROOT)) {
        report.warning(&format!("`{}` stays mounted", left.display()));
    }
    sync();
    let error = stop_machine(stop_of(verb));
    report.warning(&error.to_string());
    // Process 1 must not end: the kernel would panic over it.
    loop {
        std::thread::park();
    }
}

/// What systemd passes on: `reboot`, `poweroff`, `halt` or `kexec` (whose loaded kernel a plain reboot leaves out).
fn stop_of(verb: Option<&OsStr>) -> MachineStop {
    match verb.map(OsStr::as_bytes) {
        Some(b"poweroff") => MachineStop::PowerOff,
        Some(b"halt") => MachineStop::Halt,
        Some(b"kexec") => MachineStop::Kexec,
        _ => MachineStop::Reboot,
    }
}

/// Unmounts everything at and below `root`, inner and later mounts first, as often as that makes a difference: one
/// mount can hold another that is not beneath it. Returns what is left.
fn unmount_all(root: &Path) -> Vec<PathBuf> {
    let mut left = usize::MAX;
    loop {
        let mounts = mounts_below(root, &fs::read("/proc/self/mountinfo").unwrap_or_default());
        if mounts.is_empty() || mounts.len() >= left {
            return mounts;
        }
        left = mounts.len();
        for mount in &mounts {
            // What is busy now may not be in the next round; what stays is reported then.
            let _busy = umount(mount, UmountFlags::empty());
        }
    }
}

/// The mount points at and below `root` in the order in which they can go: the last mounted first.
fn mounts_below(root: &Path, mountinfo: &[u8]) -> Vec<PathBuf> {
    let mount_point = |line: &[u8]| {
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(unescape(field))))
    };
    let lines = mountinfo.split(|byte| *byte == b'\n').filter_map(mount_point);
    let mut mounts: Vec<PathBuf> = lines.filter(|path| path.starts_with(root)).collect();
    mounts.reverse();
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_mounts_go_first_and_others_stay() {
        let mountinfo = b"20 1 0:2 / / rw - tmpfs tmpfs rw\n\
            21 20 0:3 / /oldroot rw,relatime shared:1 - tmpfs tmpfs rw\n\
            22 21 8:1 / /oldroot/nix rw - ext4 /dev/vda2 rw\n\
            23 21 0:4 / /oldroot/a\\040b rw - tmpfs tmpfs rw\n\
            24 20 0:5 / /oldroots rw - tmpfs tmpfs rw\n";
        let expected = ["/oldroot/a b", "/oldroot/nix", "/oldroot"].map(PathBuf::from);
        assert_eq!(mounts_below(Path::new("/oldroot"), mountinfo), expected);
    }

    #[test]
    fn systemds_verbs_are_known_and_others_restart() {
        for (verb, stop) in [
            ("poweroff", MachineStop::PowerOff),
            ("halt", MachineStop::Halt),
            ("kexec", MachineStop::Kexec),
            ("reboot", MachineStop::Reboot),
            ("exit", MachineStop::Reboot),
        ] {
            assert_eq!(stop_of(Some(OsStr::new(verb))), stop, "{verb}");
        }
        assert_eq!(stop_of(None), MachineStop::Reboot);
    }
}
