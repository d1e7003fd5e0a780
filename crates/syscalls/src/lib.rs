//! Typed system calls: mounts, namespaces, processes, kernel modules, reboot. The one crate with unsafe code.
//!
//! Every wrapper is thin: it turns typed arguments into one system call and its result into a value or a
//! [`SyscallError`] that names the call and what it was about. Nothing here decides, retries, or knows what a
//! store, a build or a system is. What `std` or the `nix` crate already wrap safely is used from there by the
//! callers, or only given its error context here.
//!
//! The one place where more than one call is made in a row is [`child`]: between `clone3` and `execve` only
//! async-signal-safe work is allowed, so that sequence is data prepared by the caller and interpreted here.
//!
//! Sources: the man pages of section 2 and the kernel's `include/uapi` headers.
#![allow(
    unsafe_code,
    reason = "this crate is where the system's unsafe calls are wrapped, each with its safety argument"
)]

pub mod block_device;
pub mod child;
mod child_steps;
pub mod clock;
mod error;
pub mod files;
pub mod fs_context;
pub mod kernel_modules;
pub mod loop_device;
pub mod mount;
pub mod mount_options;
pub mod mount_table;
pub mod namespace;
pub mod network;
pub mod process;
pub mod seccomp;
pub mod system;

pub use child_steps::Step;
pub use error::SyscallError;
pub use nix::errno::Errno;
pub use nix::sys::resource::Resource;
