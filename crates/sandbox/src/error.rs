//! Why a program could not be started in its sandbox, or not be waited for.

use std::path::PathBuf;

use syscalls::{Errno, SyscallError};

use crate::foreign::FOREIGN_PROGRAMS;

/// An error of a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// An entry's source does not exist or cannot be looked at.
    #[error("cannot show `{}` in the sandbox (entry `{entry}`)", source_path.display())]
    Source {
        /// The path on the host.
        source_path: PathBuf,
        /// The entry's description.
        entry: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A target is not an absolute path without `..`.
    #[error("`{}` is no place in a sandbox: it must be absolute and without `..`", target.display())]
    Target {
        /// The path.
        target: PathBuf,
    },
    /// A text that goes to the kernel contains a NUL byte.
    #[error("`{text}` contains a NUL byte")]
    NulByte {
        /// The text, with the byte escaped.
        text: String,
    },
    /// The program's ids are set through /proc.
    #[error("a sandbox needs an entry for /proc")]
    NoProc,
    /// Another account needs root.
    #[error("only root can run a build as user {uid}")]
    NotRoot {
        /// The account's user.
        uid: u32,
    },
    /// The child could not be started.
    #[error("cannot make the sandbox's namespaces")]
    Namespaces {
        /// Why.
        #[source]
        source: SyscallError,
    },
    /// A step inside failed.
    #[error("cannot set up the sandbox: {step}")]
    Setup {
        /// What it was to do.
        step: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// The sandbox was ready and the program could not be executed.
    #[error("cannot execute `{program}` in the sandbox")]
    Execute {
        /// The program, as seen inside.
        program: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// Waiting or killing failed.
    #[error("cannot control the sandbox's process")]
    Control {
        /// Why.
        #[from]
        source: SyscallError,
    },
}

impl SandboxError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Namespaces { source } => match source.errno {
                Errno::EPERM | Errno::EACCES | Errno::ENOSPC | Errno::EUSERS => Some(
                    "user namespaces must be allowed: see the sysctls `user.max_user_namespaces`, \
                     `kernel.unprivileged_userns_clone` and `kernel.apparmor_restrict_unprivileged_userns`",
                ),
                _ => None,
            },
            Self::Setup { step, .. } if step.starts_with(FOREIGN_PROGRAMS) => Some(
                "binfmt_misc in a user namespace needs Linux 6.7 or newer with the module `binfmt_misc` loaded; on older \
                 ones build on a machine of that architecture, or with the host's own rules for it (Debian's package \
                 `qemu-user-binfmt`)",
            ),
            Self::Execute { errno, .. } => match *errno {
                Errno::ENOENT => Some("it, or the interpreter that it names, is not visible inside"),
                Errno::ENOEXEC => Some("it may be for another architecture"),
                _ => None,
            },
            _ => None,
        }
    }
}
