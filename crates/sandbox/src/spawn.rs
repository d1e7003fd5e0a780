//! Entering a sandbox: from the plan to a running child.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use syscalls::SyscallError;
use syscalls::child::{ChildPlan, SpawnError};
use syscalls::process::{Exit, Process};

use crate::prepare::prepare;
use crate::{SandboxError, SandboxPlan};

/// Where the program's standard streams lead.
#[derive(Debug)]
pub enum StandardStreams {
    /// Nothing to read; output and errors both go here.
    Log(OwnedFd),
    /// The caller's own, for an interactive program.
    Inherited,
}

/// A program in its sandbox. Dropping it kills everything in it.
#[derive(Debug)]
pub struct SandboxChild {
    process: Process,
}

/// Runs the plan's program. Returns once it executes.
///
/// The program is killed when the calling *thread* ends, so the thread that spawns must be one that waits.
pub fn spawn(plan: &SandboxPlan, streams: StandardStreams) -> Result<SandboxChild, SandboxError> {
    let mut prepared = prepare(plan, syscalls::process::effective_ids())?;
    let stdio = standard_streams(streams)?;
    let child = ChildPlan {
        namespaces: prepared.namespaces,
        id_maps: Some(prepared.id_maps),
        steps: prepared.steps,
        program: prepared.program,
        stdio,
    };
    match syscalls::child::spawn(&child) {
        Ok(process) => Ok(SandboxChild { process }),
        Err(SpawnError::Parent(source)) => Err(SandboxError::Namespaces { source }),
        Err(SpawnError::Exec { program, errno }) => Err(SandboxError::Execute { program, errno }),
        Err(SpawnError::Step { index, errno }) => Err(SandboxError::Setup {
            step: if index < prepared.purposes.len() {
                prepared.purposes.swap_remove(index)
            } else {
                format!("step {index}")
            },
            errno,
        }),
    }
}

fn standard_streams(streams: StandardStreams) -> Result<[Option<OwnedFd>; 3], SandboxError> {
    let StandardStreams::Log(log) = streams else {
        return Ok([None, None, None]);
    };
    let null = File::open("/dev/null").map_err(|error| SyscallError::io("open", "/dev/null", &error))?;
    let errors = log.try_clone().map_err(|error| SyscallError::io("fcntl", "the log", &error))?;
    Ok([Some(null.into()), Some(log), Some(errors)])
}

impl SandboxChild {
    /// The first process's id, as the caller sees it.
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// Waits until the program ends.
    pub fn wait(&mut self) -> Result<Exit, SandboxError> {
        Ok(self.process.wait()?)
    }

    /// Waits until the program ends or the time is up; `None` then.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Exit>, SandboxError> {
        Ok(self.process.wait_timeout(timeout)?)
    }

    /// Kills everything in the sandbox. It still has to be waited for.
    pub fn kill(&self) -> Result<(), SandboxError> {
        Ok(self.process.kill()?)
    }
}

impl AsFd for SandboxChild {
    /// Readable once the program has ended, for poll.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}
