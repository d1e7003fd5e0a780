//! A sandbox as a value, and entering it.
//!
//! A [`SandboxPlan`] says what a program will see (its root filesystem, entry by entry), who it will be, and what it
//! may do. [`SandboxPlan::describe`] prints that value; [`spawn`] turns it into prepared steps and runs them in a
//! child process. The same plan serves a build (nothing visible but its inputs) and a program run in a view (the
//! host visible but for /usr).
//!
//! This package knows no derivations and no store: which inputs are visible and where outputs go is the caller's.
//! It needs no privileges where the kernel allows unprivileged user namespaces.
//!
//! Source: user_namespaces(7), mount_namespaces(7), pivot_root(2), seccomp(2); the build user's ids and files are
//! those of Nix's sandbox.

mod entry;
mod error;
mod filter;
mod foreign;
mod plan;
mod prepare;
mod presets;
mod spawn;

pub use entry::{Access, Entry};
pub use error::SandboxError;
pub use foreign::ForeignMachine;
pub use plan::{Command, Identity, Ids, Network, Processes, Resource, ResourceLimit, SandboxPlan, SystemCalls};
pub use presets::{BUILD_IDS, build_account_files, build_plan, host_network_files, minimal_devices, view_plan};
pub use spawn::{SandboxChild, StandardStreams, spawn};
pub use syscalls::process::Exit;
