//! The error of a system call: which call, about what, and what the kernel said. It does not advise: what
//! to do about it is known further up.

use std::path::Path;

use nix::errno::Errno;

/// A failed system call.
///
/// The text names the call and its subject (a path, a module, an option); the kernel's reason is the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call} failed on `{subject}`{}", said(kernel_log))]
pub struct SyscallError {
    /// The system call, as section 2 of the manual calls it.
    pub call: &'static str,
    /// What the call was about: a path, an option, a module's parameters.
    pub subject: String,
    /// Messages that the kernel left in a filesystem context; empty for all other calls.
    pub kernel_log: Vec<String>,
    /// Why it failed.
    #[source]
    pub errno: Errno,
}

impl SyscallError {
    /// An error of `call` about `subject`.
    pub fn new(call: &'static str, subject: impl Into<String>, errno: Errno) -> Self {
        Self { call, subject: subject.into(), kernel_log: Vec::new(), errno }
    }

    /// An error of `call` about a path.
    pub(crate) fn path(call: &'static str, path: &Path, errno: Errno) -> Self {
        Self::new(call, path.display().to_string(), errno)
    }

    /// An error of `call` whose reason came through the standard library.
    pub fn io(call: &'static str, subject: impl Into<String>, error: &std::io::Error) -> Self {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Self::new(call, subject, errno)
    }
}

fn said(kernel_log: &[String]) -> String {
    if kernel_log.is_empty() {
        return String::new();
    }
    format!(" (the kernel says: {})", kernel_log.join("; "))
}

/// Attaches call and path to the result of a wrapped call.
pub(crate) trait Context<T> {
    fn on_path(self, call: &'static str, path: &Path) -> Result<T, SyscallError>;
    fn on(self, call: &'static str, subject: &str) -> Result<T, SyscallError>;
}

impl<T> Context<T> for Result<T, Errno> {
    fn on_path(self, call: &'static str, path: &Path) -> Result<T, SyscallError> {
        self.map_err(|errno| SyscallError::path(call, path, errno))
    }

    fn on(self, call: &'static str, subject: &str) -> Result<T, SyscallError> {
        self.map_err(|errno| SyscallError::new(call, subject, errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_call_and_subject_and_leaves_the_reason_to_the_source() {
        let error = SyscallError::new("mount", "/usr", Errno::EBUSY);
        assert_eq!(error.to_string(), "mount failed on `/usr`");
        let source = std::error::Error::source(&error).expect("a source");
        assert!(source.to_string().contains("EBUSY"), "{source}");
    }

    #[test]
    fn shows_what_the_kernel_wrote_into_the_context() {
        let mut error = SyscallError::new("fsconfig", "erofs", Errno::EINVAL);
        error.kernel_log.push("erofs: cannot find valid superblock".into());
        assert_eq!(
            error.to_string(),
            "fsconfig failed on `erofs` (the kernel says: erofs: cannot find valid superblock)"
        );
    }
}
