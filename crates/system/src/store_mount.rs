//! The store of a running machine: mounted read-only for everybody, writable for this program alone.
//!
//! As Nix does: the program takes a mount namespace of its own and changes the mount there. What must be seen by the
//! whole machine (the switch of /usr) is done in the namespace that the program came from.

use std::fs::File;
use std::path::Path;

use syscalls::SyscallError;
use syscalls::mount::{MountFlags, change};
use syscalls::namespace::{NamespaceFlags, enter, unshare};

use crate::SystemError;

/// The mount namespace that this program came from.
pub(crate) struct OuterNamespace {
    file: File,
}

/// Makes the store writable for this thread and those that it starts. Nothing happens, and there is no outer namespace,
/// where the store is no mount of its own.
///
/// Errors when the rights for it are missing.
pub(crate) fn make_writable(store: &Path) -> Result<Option<OuterNamespace>, SystemError> {
    if !is_mount_point(store)? {
        return Ok(None);
    }
    let path = Path::new("/proc/thread-self/ns/mnt");
    let file = File::open(path).map_err(|source| SystemError::Read { path: path.to_owned(), source })?;
    let failed = |source| SystemError::StoreMount { store: store.to_owned(), source };
    unshare(NamespaceFlags::CLONE_NEWNS).map_err(failed)?;
    // A change of flags stays in this namespace. The other flags are those that stage 1 sets.
    let flags = MountFlags::MS_REMOUNT | MountFlags::MS_BIND | MountFlags::MS_NOSUID | MountFlags::MS_NODEV;
    change(store, flags).map_err(failed)?;
    Ok(Some(OuterNamespace { file }))
}

fn is_mount_point(store: &Path) -> Result<bool, SystemError> {
    let path = Path::new("/proc/thread-self/mountinfo");
    let text = fs_err::read_to_string(path).map_err(|source| SystemError::Read { path: path.to_owned(), source })?;
    Ok(text.lines().any(|line| line.split(' ').nth(4).is_some_and(|place| Path::new(place) == store)))
}

impl OuterNamespace {
    /// Does something where the whole machine sees it.
    ///
    /// Errors when the namespace cannot be entered; nothing was done then.
    pub(crate) fn run<R: Send>(&self, act: impl FnOnce() -> R + Send) -> Result<R, SyscallError> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // Only a thread that shares its root and working directory with no other may enter a mount namespace.
                unshare(NamespaceFlags::CLONE_FS)?;
                enter(&self.file, NamespaceFlags::CLONE_NEWNS)?;
                Ok(act())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
