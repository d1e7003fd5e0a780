//! Stage 1: the first program of a boot, and the packer of the archive that it lives in.
//!
//! [`stage1`] finds the store, mounts the system's filesystems and its /usr view, and executes the toplevel's `init`.
//! [`pack`] makes the initrd: that program, the kernel modules it needs, and its settings. Both share what they know
//! of kernel modules ([`modules`]) and of the settings' form ([`settings`]).
//!
//! [`shutdown`] is the other end: the same program stops the machine when nothing of the system is in use any more.
//!
//! Nothing here evaluates a configuration, and an initrd names no toplevel: which system to boot stands on the kernel's
//! command line, so generations share initrds.

pub mod builder;
pub mod modules;
pub mod pack;
pub mod root;
pub mod settings;
pub mod shutdown;
pub mod stage1;
