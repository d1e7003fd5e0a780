//! Virtual machines: a machine as a value, starting it, and talking to it.
//!
//! [`Machine`] says what the machine is and turns into QEMU's arguments without touching anything; [`Running`] is one
//! that runs: QMP to steer it, the serial console to read and type on, the guest agent to run commands in it. Nothing
//! here knows a test or a store: where QEMU and its firmware are is the caller's ([`Emulator`]).
//!
//! Source: qemu(1), QEMU's QMP specification; the agent's protocol is Esker's own ([`protocol`]).

mod accelerator;
mod agent;
mod console;
mod emulator;
mod error;
mod file_server;
mod machine;
pub mod protocol;
mod qmp;
mod running;

pub use accelerator::{Accelerator, Probe};
pub use agent::{Agent, Output};
pub use console::Console;
pub use emulator::Emulator;
pub use error::VmError;
pub use file_server::FileServer;
pub use machine::{
    Architecture, DirectKernel, Disk, DiskFormat, Display, Firmware, Forward, Interface, Machine, Medium, Sockets,
    WriteLog,
};
pub use qmp::Qmp;
pub use running::Running;
