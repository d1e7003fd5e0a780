//! Where QEMU is, and starting it: a program of the host's, or one of the pinned set in a view of its own, where /usr
//! is the view and everything else the host's.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sandbox::{Exit, SandboxChild, StandardStreams, view_plan};

use crate::VmError;

/// Where QEMU is.
#[derive(Clone, Debug)]
pub enum Emulator {
    /// A program of the host's.
    Host {
        /// Its path or name.
        program: PathBuf,
    },
    /// A program in a view.
    View {
        /// The view's /usr, physically.
        usr: PathBuf,
        /// The program in it, such as `/usr/bin/qemu-system-x86_64`.
        program: PathBuf,
    },
}

/// Where QEMU's own streams lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// To the caller's terminal.
    Inherited,
    /// Into a file that can be asked for.
    Captured,
}

/// How QEMU ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status, in words.
    pub(crate) words: String,
    /// Whether that means success.
    pub(crate) well: bool,
}

/// A QEMU that runs, or what serves it. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    kind: Kind,
    output: Option<std::fs::File>,
}

#[derive(Debug)]
enum Kind {
    Host(Child),
    View(SandboxChild),
}

impl Emulator {
    fn program(&self) -> &Path {
        match self {
            Self::Host { program } | Self::View { program, .. } => program,
        }
    }

    /// Starts QEMU with these arguments.
    pub(crate) fn spawn(&self, arguments: &[String], terminal: Terminal) -> Result<Process, VmError> {
        tracing::debug!(program = %self.program().display(), ?arguments, "start");
        let output = match terminal {
            Terminal::Inherited => None,
            Terminal::Captured => {
                Some(tempfile::tempfile().map_err(VmError::io("make a file in", std::env::temp_dir()))?)
            }
        };
        let kind = match self {
            Self::Host { program } => Kind::Host(spawn_on_host(program, arguments, output.as_ref())?),
            Self::View { usr, program } => Kind::View(spawn_in_view(usr, program, arguments, output.as_ref())?),
        };
        Ok(Process { kind, output })
    }
}

fn duplicate(file: &std::fs::File) -> Result<std::fs::File, VmError> {
    file.try_clone().map_err(VmError::io("duplicate", "QEMU's output"))
}

fn spawn_on_host(program: &Path, arguments: &[String], output: Option<&std::fs::File>) -> Result<Child, VmError> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(file) = output {
        command.stdin(Stdio::null()).stdout(duplicate(file)?).stderr(duplicate(file)?);
    }
    command.spawn().map_err(|source| VmError::Start { program: program.display().to_string(), source })
}

fn spawn_in_view(
    usr: &Path,
    program: &Path,
    arguments: &[String],
    output: Option<&std::fs::File>,
) -> Result<SandboxChild, VmError> {
    let name = program.display().to_string();
    let mut command = sandbox::Command::new(&name, arguments.iter().map(String::as_str));
    // The caller's environment, so that a window finds its display; QEMU is no builder.
    command.environment = std::env::vars_os().collect();
    command.working_directory = std::env::current_dir().map_err(VmError::io("find", "the current folder"))?;
    let plan = view_plan(usr, command).map_err(VmError::io("read", "/"))?;
    tracing::debug!(plan = %plan.describe(), "QEMU's view");
    let streams = match output {
        Some(file) => StandardStreams::Log(duplicate(file)?.into()),
        None => StandardStreams::Inherited,
    };
    sandbox::spawn(&plan, streams).map_err(|source| VmError::StartInView { program: name, source })
}

impl Process {
    /// Another program of a view, whose output goes to this file.
    pub(crate) fn in_view(child: SandboxChild, output: std::fs::File) -> Self {
        Self { kind: Kind::View(child), output: Some(output) }
    }

    /// How QEMU ended, once it has.
    pub(crate) fn try_wait(&mut self) -> Result<Option<Ended>, VmError> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Waits until QEMU ends or the time is up.
    pub(crate) fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Ended>, VmError> {
        match &mut self.kind {
            Kind::View(child) => {
                let exit = child
                    .wait_timeout(timeout)
                    .map_err(|source| VmError::StartInView { program: "QEMU".into(), source })?;
                Ok(exit.map(|exit| match exit {
                    Exit::Code(code) => Ended { words: format!("exit status: {code}"), well: code == 0 },
                    Exit::Signal(signal) => Ended { words: format!("signal: {signal}"), well: false },
                }))
            }
            Kind::Host(child) => {
                let deadline = std::time::Instant::now() + timeout;
                loop {
                    let status = child.try_wait().map_err(VmError::io("wait for", "QEMU"))?;
                    if let Some(status) = status {
                        return Ok(Some(Ended { words: status.to_string(), well: status.success() }));
                    }
                    if std::time::Instant::now() >= deadline {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    /// Ends QEMU at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        // An error here means that it has ended already.
        match &mut self.kind {
            Kind::Host(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Kind::View(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// What QEMU itself printed so far, where that is captured.
    pub(crate) fn output(&self) -> String {
        let mut text = Vec::new();
        if let Some(file) = &self.output {
            let read = file.try_clone().and_then(|mut file| {
                let end = file.stream_position()?;
                file.seek(SeekFrom::Start(0))?;
                file.read_to_end(&mut text)?;
                file.seek(SeekFrom::Start(end.max(text.len() as u64)))
            });
            if let Err(error) = read {
                tracing::debug!(%error, "QEMU's output cannot be read");
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
