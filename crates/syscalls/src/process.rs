//! A child process behind a pidfd: waiting for it with a deadline, and killing it without hitting another one.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::SyscallError;
use crate::clock::{Readiness, wait_readable};
use crate::error::Context;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A child process. Dropping it before it was waited for kills and reaps it.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: OwnedFd,
    exit: Option<Exit>,
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, exit: None }
    }

    /// Its process id, in our namespace.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> Result<Exit, SyscallError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let status = loop {
            match waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED) {
                Err(Errno::EINTR) => {}
                result => break result.on("waitid", &self.pid.to_string())?,
            }
        };
        let exit = match status {
            WaitStatus::Signaled(_, signal, _) => Exit::Signal(signal as i32),
            WaitStatus::Exited(_, code) => Exit::Code(code),
            other => {
                return Err(SyscallError::new("waitid", format!("{other:?}"), Errno::EINVAL));
            }
        };
        self.exit = Some(exit);
        Ok(exit)
    }

    /// Waits until it ends or the time is up; `None` then.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Exit>, SyscallError> {
        if self.exit.is_none() && wait_readable(self.pidfd.as_fd(), Some(timeout))? == Readiness::TimedOut {
            return Ok(None);
        }
        self.wait().map(Some)
    }

    /// Kills it, and its process group if it leads one. As the first process of a PID namespace it takes all
    /// others of that namespace with it. Not an error if it has ended already.
    pub fn kill(&self) -> Result<(), SyscallError> {
        if self.exit.is_some() {
            return Ok(());
        }
        // Not reaped yet, so neither its id nor its group's can belong to anyone else.
        if nix::unistd::getpgid(Some(Pid::from_raw(self.pid))) == Ok(Pid::from_raw(self.pid)) {
            already_gone_is_fine(nix::sys::signal::killpg(Pid::from_raw(self.pid), Signal::SIGKILL))
                .on("kill", &format!("process group {}", self.pid))?;
        }
        // SAFETY: the descriptor is open; no signal information is passed.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        already_gone_is_fine(Errno::result(result).map(drop)).on("pidfd_send_signal", &self.pid.to_string())
    }
}

impl AsFd for Process {
    /// Readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // Nobody is left to hear of a failure, and the only likely one is that it has ended already.
            let _ = self.kill();
            let _ = self.wait();
        }
    }
}

fn already_gone_is_fine(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        result => result,
    }
}

/// The effective user and group of this process.
pub fn effective_ids() -> (u32, u32) {
    (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// Replaces this process by a program; returns only on failure.
pub fn exec(program: &std::path::Path, arguments: &[std::ffi::CString]) -> SyscallError {
    use std::os::unix::ffi::OsStrExt;
    let errno = match std::ffi::CString::new(program.as_os_str().as_bytes()) {
        Err(_) => Errno::EINVAL,
        Ok(path) => {
            let Err(errno) = nix::unistd::execv(&path, arguments);
            errno
        }
    };
    SyscallError::path("execve", program, errno)
}
