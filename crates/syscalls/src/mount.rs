//! The classic mount calls: mount, umount2, pivot_root, chroot. The new mount API is in [`crate::fs_context`].

use std::path::Path;

pub use nix::mount::{MntFlags as UmountFlags, MsFlags as MountFlags};

use crate::SyscallError;
use crate::error::Context;

/// Mounts filesystem `fstype` from `source` at `target`. `data` are the filesystem's own options, comma separated.
pub fn mount(source: &Path, target: &Path, fstype: &str, flags: MountFlags, data: &str) -> Result<(), SyscallError> {
    nix::mount::mount(Some(source), target, Some(fstype), flags, Some(data)).on_path("mount", target)
}

/// Makes the directory or file `source` visible at `target` too (`MS_BIND`). Only `MS_REC` has a meaning in `flags`.
pub fn bind(source: &Path, target: &Path, flags: MountFlags) -> Result<(), SyscallError> {
    nix::mount::mount(Some(source), target, None::<&str>, flags | MountFlags::MS_BIND, None::<&str>)
        .on_path("mount --bind", target)
}

/// Changes the flags of the mount at `target`. A bind mount is made read-only by
/// `MS_REMOUNT | MS_BIND | MS_RDONLY`; propagation by one of `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`.
pub fn change(target: &Path, flags: MountFlags) -> Result<(), SyscallError> {
    nix::mount::mount(None::<&str>, target, None::<&str>, flags, None::<&str>).on_path("mount (change)", target)
}

/// Moves the mount at `source` to `target` (`MS_MOVE`).
pub fn move_to(source: &Path, target: &Path) -> Result<(), SyscallError> {
    nix::mount::mount(Some(source), target, None::<&str>, MountFlags::MS_MOVE, None::<&str>)
        .on_path("mount --move", target)
}

/// Detaches the topmost mount at `target`.
pub fn umount(target: &Path, flags: UmountFlags) -> Result<(), SyscallError> {
    nix::mount::umount2(target, flags).on_path("umount2", target)
}

/// Makes `new_root` the root mount of this mount namespace and puts the old one at `put_old` (which may be
/// `new_root` itself; then the old root lies over the new one and is detached next).
pub fn pivot_root(new_root: &Path, put_old: &Path) -> Result<(), SyscallError> {
    nix::unistd::pivot_root(new_root, put_old).on_path("pivot_root", new_root)
}

/// Makes `root` this process's root directory. The working directory stays where it was.
pub fn chroot(root: &Path) -> Result<(), SyscallError> {
    nix::unistd::chroot(root).on_path("chroot", root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_target() {
        let error = umount(Path::new("/no/such/mount"), UmountFlags::empty()).unwrap_err();
        assert_eq!(error.to_string(), "umount2 failed on `/no/such/mount`");
    }
}
