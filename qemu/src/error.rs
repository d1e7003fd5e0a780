//! What can go wrong with a virtual machine, each with what was being done and to what.

use std::path::PathBuf;
use std::time::Duration;

/// An error of a virtual machine.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// A file or a socket of the machine.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried, such as "connect to".
        action: &'static str,
        /// The file or socket.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// QEMU could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// QEMU could not be started in its view.
    #[error("cannot start `{program}` in its view")]
    StartInView {
        /// The program.
        program: String,
        /// Which step failed.
        #[source]
        source: sandbox::SandboxError,
    },
    /// QEMU ended although it was to run.
    #[error("QEMU ended on its own ({status}){}", said(.output))]
    Ended {
        /// Its exit status, in words.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// What serves files to the guest ended before it began.
    #[error("the file server ended on its own ({status}){}", said(.output))]
    FileServer {
        /// Its exit status, in words.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// Something did not happen in time.
    #[error("waited {}s for {what}{}", .waited.as_secs(), said(.last))]
    Deadline {
        /// What was awaited.
        what: String,
        /// How long.
        waited: Duration,
        /// The last that was seen, such as the end of the console.
        last: String,
    },
    /// QEMU refused a QMP command.
    #[error("QEMU refused `{command}`: {description}")]
    Qmp {
        /// The command.
        command: String,
        /// QEMU's words.
        description: String,
    },
    /// The agent refused a request.
    #[error("the guest agent could not {action}: {message}")]
    Agent {
        /// What was asked.
        action: String,
        /// The agent's words.
        message: String,
    },
    /// A peer spoke something else than its protocol.
    #[error("unexpected words from {peer}: `{line}`")]
    Protocol {
        /// Who spoke.
        peer: &'static str,
        /// What it said.
        line: String,
    },
    /// A command in the guest failed.
    #[error("`{command}` failed in the guest with status {status}\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status; negative for a signal.
        status: i32,
        /// What it printed, errors last.
        output: String,
    },
}

fn said(output: &str) -> String {
    let output = output.trim_end();
    if output.is_empty() { String::new() } else { format!("; the last it said:\n{output}") }
}

impl VmError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
