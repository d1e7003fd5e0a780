//! The kernel's new mount API: fsopen, fsconfig, fsmount, open_tree, mount_setattr, move_mount.
//!
//! [`FsContext`] is a filesystem being configured, [`DetachedMount`] a mount that is attached nowhere yet and that
//! vanishes when dropped. Source: `include/uapi/linux/mount.h`, fsopen(2), move_mount(2), mount_setattr(2).

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int, c_long, c_uint};

use crate::SyscallError;
use crate::error::Context;

const FSOPEN_CLOEXEC: c_uint = 1;
const FSMOUNT_CLOEXEC: c_uint = 1;
const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_uint = libc::O_CLOEXEC as c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x4;
const MOVE_MOUNT_T_SYMLINKS: c_uint = 0x10;
const MOVE_MOUNT_BENEATH: c_uint = 0x200;
const AT_RECURSIVE: c_uint = 0x8000;
const AT_EMPTY_PATH: c_uint = libc::AT_EMPTY_PATH as c_uint;

/// What fsconfig(2) shall do (`enum fsconfig_command`).
#[derive(Clone, Copy)]
#[repr(u32)]
enum FsConfigCommand {
    SetFlag = 0,
    SetString = 1,
    SetFd = 5,
    Create = 6,
}

/// Attributes of a mount (`MOUNT_ATTR_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MountAttributes(u64);

impl MountAttributes {
    /// None.
    pub const NONE: Self = Self(0);
    /// Nothing can be written through this mount.
    pub const READ_ONLY: Self = Self(0x1);
    /// Setuid bits and file capabilities have no effect.
    pub const NO_SUID: Self = Self(0x2);
    /// Device files cannot be opened.
    pub const NO_DEV: Self = Self(0x4);
    /// Programs cannot be executed.
    pub const NO_EXEC: Self = Self(0x8);

    /// These and `other` together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

/// Whether a call means one mount or also all mounts below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// This mount only.
    One,
    /// This mount and every mount below it.
    Tree,
}

impl Depth {
    pub(crate) const fn at_flags(self) -> c_uint {
        match self {
            Self::One => 0,
            Self::Tree => AT_RECURSIVE,
        }
    }
}

/// Where a mount goes on a path that may have mounts already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Over whatever is there.
    OnTop,
    /// Beneath the topmost mount there, so that detaching that one reveals this one without a gap
    /// (`MOVE_MOUNT_BENEATH`, kernel 6.5).
    Beneath,
}

/// A filesystem being configured.
#[derive(Debug)]
pub struct FsContext {
    fd: OwnedFd,
    fstype: String,
}

impl FsContext {
    /// Starts to configure a filesystem of this type. Errors when the kernel does not know the type (`ENODEV`).
    pub fn open(fstype: &str) -> Result<Self, SyscallError> {
        let name = c_string(OsStr::new(fstype)).on("fsopen", fstype)?;
        // SAFETY: `name` is a NUL-terminated string that outlives the call; the kernel only reads it.
        let fd = unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), FSOPEN_CLOEXEC) };
        let fd = owned_fd(fd).on("fsopen", fstype)?;
        Ok(Self { fd, fstype: fstype.to_owned() })
    }

    /// Sets a parameter with a value, like `source` or `lowerdir+`.
    pub fn set_string(&self, key: &str, value: impl AsRef<OsStr>) -> Result<(), SyscallError> {
        let subject = format!("{} {key}={}", self.fstype, Path::new(value.as_ref()).display());
        let key = c_string(OsStr::new(key)).on("fsconfig", &subject)?;
        let value = c_string(value.as_ref()).on("fsconfig", &subject)?;
        self.configure(FsConfigCommand::SetString, key.as_ptr(), value.as_ptr(), 0)
            .map_err(|errno| self.error(subject, errno))
    }

    /// Sets a parameter without value, like `ro`.
    pub fn set_flag(&self, key: &str) -> Result<(), SyscallError> {
        let subject = format!("{} {key}", self.fstype);
        let key = c_string(OsStr::new(key)).on("fsconfig", &subject)?;
        self.configure(FsConfigCommand::SetFlag, key.as_ptr(), std::ptr::null(), 0)
            .map_err(|errno| self.error(subject, errno))
    }

    /// Sets a parameter to an open file or detached mount.
    pub fn set_fd(&self, key: &str, fd: BorrowedFd<'_>) -> Result<(), SyscallError> {
        let subject = format!("{} {key}", self.fstype);
        let key = c_string(OsStr::new(key)).on("fsconfig", &subject)?;
        self.configure(FsConfigCommand::SetFd, key.as_ptr(), std::ptr::null(), fd.as_raw_fd())
            .map_err(|errno| self.error(subject, errno))
    }

    /// Creates the filesystem and a mount of it that is attached nowhere yet.
    pub fn mount(self, attributes: MountAttributes) -> Result<DetachedMount, SyscallError> {
        self.configure(FsConfigCommand::Create, std::ptr::null(), std::ptr::null(), 0)
            .map_err(|errno| self.error(format!("{} create", self.fstype), errno))?;
        // SAFETY: all arguments are integers; the descriptor is open, `self` owns it.
        let fd = unsafe { libc::syscall(libc::SYS_fsmount, self.fd.as_raw_fd(), FSMOUNT_CLOEXEC, attributes.bits()) };
        let fd = owned_fd(fd).map_err(|errno| {
            let mut error = self.error(self.fstype.clone(), errno);
            error.call = "fsmount";
            error
        })?;
        Ok(DetachedMount { fd, name: self.fstype })
    }

    fn configure(
        &self,
        command: FsConfigCommand,
        key: *const c_char,
        value: *const c_char,
        aux: c_int,
    ) -> Result<(), Errno> {
        // SAFETY: `key` and `value` are null or NUL-terminated strings owned by the caller for the call's duration,
        // in the combination that `command` asks for; the kernel only reads them.
        let result =
            unsafe { libc::syscall(libc::SYS_fsconfig, self.fd.as_raw_fd(), command as c_uint, key, value, aux) };
        Errno::result(result).map(drop)
    }

    /// The error with what the kernel wrote into the context, one message per read(2).
    fn error(&self, subject: String, errno: Errno) -> SyscallError {
        let mut error = SyscallError::new("fsconfig", subject, errno);
        let mut message = [0_u8; 1024];
        while let Ok(length @ 1..) = nix::unistd::read(&self.fd, &mut message) {
            // Each message starts with its level: "e ", "w " or "i ".
            let text = String::from_utf8_lossy(&message[..length]);
            let text = text.trim_end();
            error.kernel_log.push(text.get(2..).unwrap_or(text).to_owned());
        }
        error
    }
}

/// A mount that is attached nowhere; it vanishes when dropped unless attached.
#[derive(Debug)]
pub struct DetachedMount {
    fd: OwnedFd,
    name: String,
}

impl DetachedMount {
    /// A copy of the mount (or of the tree of mounts) at `path`, or of the directory or file `path` within it: what
    /// a bind mount would attach.
    pub fn copy_of(path: &Path, depth: Depth) -> Result<Self, SyscallError> {
        let name = c_string(path.as_os_str()).on_path("open_tree", path)?;
        let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth.at_flags();
        // SAFETY: `name` is a NUL-terminated string that outlives the call; the kernel only reads it.
        let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, name.as_ptr(), flags) };
        Ok(Self { fd: owned_fd(fd).on_path("open_tree", path)?, name: path.display().to_string() })
    }

    /// Adds attributes to this mount (`Depth::Tree`: and to all below).
    pub fn add_attributes(&self, attributes: MountAttributes, depth: Depth) -> Result<(), SyscallError> {
        let change = MountAttr::setting(attributes);
        mount_setattr(self.fd.as_raw_fd(), c"", AT_EMPTY_PATH | depth.at_flags(), &change)
            .on("mount_setattr", &self.name)
    }

    /// Attaches the mount at `target`; a symlink there is followed.
    pub fn attach(self, target: &Path, placement: Placement) -> Result<(), SyscallError> {
        let name = c_string(target.as_os_str()).on_path("move_mount", target)?;
        let beneath = match placement {
            Placement::OnTop => 0,
            Placement::Beneath => MOVE_MOUNT_BENEATH,
        };
        let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS | beneath;
        move_mount(self.fd.as_raw_fd(), &name, flags).on_path("move_mount", target)
    }
}

impl AsFd for DetachedMount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Adds attributes to the mount at `path` (`Depth::Tree`: and to all below).
pub fn add_attributes(path: &Path, attributes: MountAttributes, depth: Depth) -> Result<(), SyscallError> {
    let name = c_string(path.as_os_str()).on_path("mount_setattr", path)?;
    let change = MountAttr::setting(attributes);
    mount_setattr(libc::AT_FDCWD, &name, depth.at_flags(), &change).on_path("mount_setattr", path)
}

/// `struct mount_attr`: four u64 in native order, 32 bytes.
#[repr(C)]
pub(crate) struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

impl MountAttr {
    pub(crate) const fn setting(attributes: MountAttributes) -> Self {
        Self { set: attributes.bits(), clear: 0, propagation: 0, userns_fd: 0 }
    }
}

/// mount_setattr(2). Async-signal-safe.
pub(crate) fn mount_setattr(dir: RawFd, path: &std::ffi::CStr, flags: c_uint, change: &MountAttr) -> Result<(), Errno> {
    // SAFETY: `path` and `change` are valid for the call and the size given is that of `change`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            std::ptr::from_ref(change),
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// open_tree(2) of a copy. Async-signal-safe; the descriptor is the caller's.
pub(crate) fn open_tree_copy(path: &std::ffi::CStr, depth: Depth) -> Result<RawFd, Errno> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth.at_flags();
    // SAFETY: `path` is a NUL-terminated string that outlives the call; the kernel only reads it.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd)?;
    RawFd::try_from(fd).map_err(|_| Errno::EBADF)
}

/// move_mount(2) of the mount behind `fd`. Async-signal-safe.
pub(crate) fn move_mount(fd: RawFd, target: &std::ffi::CStr, flags: c_uint) -> Result<(), Errno> {
    // SAFETY: both paths are NUL-terminated strings that outlive the call; the kernel only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_move_mount, fd, c"".as_ptr(), libc::AT_FDCWD, target.as_ptr(), flags) };
    Errno::result(result).map(drop)
}

/// The flags for attaching a descriptor's mount exactly at a path.
pub(crate) const MOVE_FROM_FD: c_uint = MOVE_MOUNT_F_EMPTY_PATH;
/// The flag that makes mount_setattr mean the descriptor itself.
pub(crate) const EMPTY_PATH: c_uint = AT_EMPTY_PATH;

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}

fn owned_fd(result: c_long) -> Result<OwnedFd, Errno> {
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor to us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_filesystem_is_named() {
        let error = FsContext::open("nosuchfs").unwrap_err();
        assert_eq!(error.call, "fsopen");
        assert_eq!(error.subject, "nosuchfs");
    }

    #[test]
    fn attributes_add_up() {
        let both = MountAttributes::READ_ONLY.with(MountAttributes::NO_DEV);
        assert_eq!(both.bits(), 5);
    }

    #[test]
    fn the_kernels_structure_is_32_bytes() {
        assert_eq!(size_of::<MountAttr>(), 32);
    }
}
