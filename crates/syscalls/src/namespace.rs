//! Namespaces of the calling process: unshare and setns. New processes in new namespaces are in [`crate::child`].

use std::os::fd::AsFd;

pub use nix::sched::CloneFlags as NamespaceFlags;

use crate::SyscallError;
use crate::error::Context;

/// Moves this thread into new namespaces. `CLONE_NEWUSER` needs a process with a single thread.
pub fn unshare(namespaces: NamespaceFlags) -> Result<(), SyscallError> {
    nix::sched::unshare(namespaces).on("unshare", &format!("{namespaces:?}"))
}

/// Moves this thread into the namespace that `namespace` (an open /proc/PID/ns file) refers to.
pub fn enter(namespace: impl AsFd, kind: NamespaceFlags) -> Result<(), SyscallError> {
    nix::sched::setns(namespace, kind).on("setns", &format!("{kind:?}"))
}
