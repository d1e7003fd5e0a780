//! The monotonic clock and waiting on file descriptors. No wall clock: nothing built may depend on it.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use crate::SyscallError;
use crate::error::Context;

/// Time since the kernel started (CLOCK_MONOTONIC; it does not count suspension).
pub fn since_boot() -> Result<Duration, SyscallError> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).on("clock_gettime", "CLOCK_MONOTONIC")?;
    Ok(Duration::from(now))
}

/// Whether a descriptor became ready before the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It can be read, or its other end is closed.
    Ready,
    /// The time was up first.
    TimedOut,
}

/// Waits until `fd` can be read, at most `timeout` (rounded up to milliseconds; `None` waits for ever).
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<Readiness, SyscallError> {
    let mut remaining = match timeout {
        None => PollTimeout::NONE,
        Some(limit) => {
            let ms = limit.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(i32::try_from(ms).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
        }
    };
    loop {
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, remaining) {
            Ok(0) => return Ok(Readiness::TimedOut),
            Ok(_) => return Ok(Readiness::Ready),
            // A signal came in between. Callers with a deadline come back with what is left of it.
            Err(Errno::EINTR) if timeout.is_some() => return Ok(Readiness::TimedOut),
            Err(Errno::EINTR) => remaining = PollTimeout::NONE,
            Err(errno) => return Err(SyscallError::new("poll", "a descriptor", errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_silent_pipe_times_out_and_a_closed_one_is_ready() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let limit = Some(Duration::from_millis(1));
        assert_eq!(wait_readable(reader.as_fd(), limit).unwrap(), Readiness::TimedOut);
        drop(writer);
        assert_eq!(wait_readable(reader.as_fd(), limit).unwrap(), Readiness::Ready);
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let first = since_boot().unwrap();
        assert!(since_boot().unwrap() >= first);
    }
}
