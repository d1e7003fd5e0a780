//! File calls that the standard library lacks: mknod, renameat2, statx, chown of links, space on a filesystem.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat2};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, makedev};
use nix::unistd::{Gid, Uid};

use crate::SyscallError;
use crate::error::Context;

/// A special file to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialFile {
    /// A character device.
    CharacterDevice {
        /// Which driver.
        major: u64,
        /// Which of its devices.
        minor: u64,
    },
    /// A named pipe.
    Fifo,
}

/// Makes a special file with exactly these permission bits minus the umask.
pub fn mknod(path: &Path, what: SpecialFile, mode: u32) -> Result<(), SyscallError> {
    let (kind, device) = match what {
        SpecialFile::CharacterDevice { major, minor } => (SFlag::S_IFCHR, makedev(major, minor)),
        SpecialFile::Fifo => (SFlag::S_IFIFO, 0),
    };
    nix::sys::stat::mknod(path, kind, Mode::from_bits_truncate(mode), device).on_path("mknod", path)
}

/// Swaps two existing paths atomically (`RENAME_EXCHANGE`).
pub fn exchange(first: &Path, second: &Path) -> Result<(), SyscallError> {
    renameat2(AT_FDCWD, first, AT_FDCWD, second, RenameFlags::RENAME_EXCHANGE).on_path("renameat2 (exchange)", second)
}

/// Renames atomically and errors with `EEXIST` instead of replacing (`RENAME_NOREPLACE`).
pub fn rename_no_replace(from: &Path, to: &Path) -> Result<(), SyscallError> {
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE).on_path("renameat2 (no replace)", to)
}

/// Sets owner and group of `path` itself, not of what a symlink points to.
pub fn set_owner(path: &Path, uid: u32, gid: u32) -> Result<(), SyscallError> {
    nix::unistd::fchownat(
        AT_FDCWD,
        path,
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
    .on_path("fchownat", path)
}

/// What statx(2) tells beyond the standard library's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedStatus {
    /// Identifies the mount that the path is on.
    pub mount_id: u64,
    /// Whether the path is where a mount is attached.
    pub is_mount_root: bool,
    /// Whether the file has an fs-verity digest that the kernel enforces.
    pub has_verity: bool,
}

/// Asks for [`ExtendedStatus`]; a final symlink is not followed.
pub fn extended_status(path: &Path) -> Result<ExtendedStatus, SyscallError> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL).on_path("statx", path)?;
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `name` is NUL-terminated, `status` is writable memory of the size the kernel fills in; both outlive
    // the call.
    let result = unsafe {
        libc::statx(libc::AT_FDCWD, name.as_ptr(), libc::AT_SYMLINK_NOFOLLOW, libc::STATX_MNT_ID, status.as_mut_ptr())
    };
    Errno::result(result).map(drop).on_path("statx", path)?;
    // SAFETY: all bytes were zeroed and every field is an integer, so any content is a valid value.
    let status = unsafe { status.assume_init() };
    let has = |attribute: i32| status.stx_attributes & u64::from(attribute.unsigned_abs()) != 0;
    Ok(ExtendedStatus {
        mount_id: status.stx_mnt_id,
        is_mount_root: has(libc::STATX_ATTR_MOUNT_ROOT),
        has_verity: has(libc::STATX_ATTR_VERITY),
    })
}

/// Bytes that an unprivileged process can still write to the filesystem that holds `path`.
pub fn available_bytes(path: &Path) -> Result<u64, SyscallError> {
    let status = nix::sys::statvfs::statvfs(path).on_path("statvfs", path)?;
    // The types' widths differ between architectures.
    #[allow(clippy::useless_conversion, reason = "the kernel's types are narrower on some architectures")]
    let (blocks, size) = (u64::from(status.blocks_available()), u64::from(status.fragment_size()));
    Ok(blocks.saturating_mul(size))
}

/// Whether the filesystem that holds `path` exists in memory only (ramfs, tmpfs).
pub fn is_in_memory(path: &Path) -> Result<bool, SyscallError> {
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    let status = nix::sys::statfs::statfs(path).on_path("statfs", path)?;
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the type of this number differs between architectures"
    )]
    let magic = status.filesystem_type().0 as u64;
    Ok(magic == RAMFS_MAGIC || magic == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "A").unwrap();
        std::fs::write(&b, "B").unwrap();
        exchange(&a, &b).unwrap();
        assert_eq!(std::fs::read_to_string(&a).unwrap(), "B");
        assert_eq!(std::fs::read_to_string(&b).unwrap(), "A");
    }

    #[test]
    fn does_not_replace_what_exists() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "A").unwrap();
        std::fs::write(&b, "B").unwrap();
        assert_eq!(rename_no_replace(&a, &b).unwrap_err().errno, Errno::EEXIST);
    }

    #[test]
    fn proc_is_a_mount_root_and_its_files_are_not() {
        assert!(extended_status(Path::new("/proc")).unwrap().is_mount_root);
        assert!(!extended_status(Path::new("/proc/version")).unwrap().is_mount_root);
    }

    #[test]
    fn makes_a_fifo() {
        use std::os::unix::fs::FileTypeExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        mknod(&path, SpecialFile::Fifo, 0o600).unwrap();
        assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn the_process_information_is_not_a_memory_filesystem() {
        assert!(!is_in_memory(Path::new("/proc")).unwrap());
        assert!(is_in_memory(Path::new("/dev/shm")).unwrap());
    }
}
