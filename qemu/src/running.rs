//! A machine that runs.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::emulator::{Process, Terminal};
use crate::{Agent, Console, Emulator, FileServer, Machine, Qmp, Sockets, VmError};

/// A machine that runs. Dropping it cuts its power.
#[derive(Debug)]
pub struct Running {
    process: Process,
    // Ends with the machine.
    _file_server: Option<Process>,
    /// The serial console.
    pub console: Console,
    /// The guest agent; it answers once the system is up.
    pub agent: Agent,
    /// QEMU itself.
    pub qmp: Qmp,
    artifacts: PathBuf,
    // Holds the sockets; removed with the machine.
    _folder: tempfile::TempDir,
}

/// How long QEMU may take until its sockets are there.
const START_DEADLINE: Duration = Duration::from_secs(30);

impl Running {
    /// Starts a machine. The console's log and screenshots of failures go to `artifacts`.
    pub fn start(emulator: &Emulator, mut machine: Machine, artifacts: &Path) -> Result<Self, VmError> {
        fs_err::create_dir_all(artifacts).map_err(VmError::io("create", artifacts))?;
        // Below /tmp whatever TMPDIR says: a socket's name must be short.
        let folder = tempfile::Builder::new()
            .prefix("esker-vm-")
            .tempdir_in("/tmp")
            .map_err(VmError::io("make a folder in", "/tmp"))?;
        let sockets = Sockets { folder: folder.path().to_owned() };
        machine.sockets = Some(sockets.clone());
        let file_server = machine.file_server.as_ref().map(FileServer::start).transpose()?;
        let mut process = emulator.spawn(&machine.arguments(), Terminal::Captured)?;
        let console = Console::new(connect(&mut process, &sockets.console())?, &artifacts.join("console.log"))?;
        let qmp = Qmp::new(connect(&mut process, &sockets.qmp())?)?;
        let agent = Agent::new(connect(&mut process, &sockets.agent())?);
        Ok(Self {
            process,
            _file_server: file_server,
            console,
            agent,
            qmp,
            artifacts: artifacts.to_owned(),
            _folder: folder,
        })
    }

    /// Runs a machine on this terminal until it ends, or cuts its power once `cancelled` says so. For a person.
    ///
    /// Errors when QEMU cannot be started or fails; it has said why on the terminal.
    pub fn interactive(emulator: &Emulator, machine: &Machine, cancelled: &dyn Fn() -> bool) -> Result<(), VmError> {
        let _file_server = machine.file_server.as_ref().map(FileServer::start).transpose()?;
        let mut process = emulator.spawn(&machine.arguments(), Terminal::Inherited)?;
        loop {
            match process.wait_timeout(Duration::from_millis(200))? {
                Some(ended) if ended.well => return Ok(()),
                Some(ended) => return Err(VmError::Ended { status: ended.words, output: String::new() }),
                None if cancelled() => {
                    process.kill();
                    return Ok(());
                }
                None => {}
            }
        }
    }

    /// Waits until the machine has turned itself off.
    pub fn wait_for_power_off(&mut self, deadline: Duration) -> Result<(), VmError> {
        match self.process.wait_timeout(deadline)? {
            Some(_) => Ok(()),
            None => Err(VmError::Deadline {
                what: "the machine to turn itself off".into(),
                waited: deadline,
                last: self.console.tail(25),
            }),
        }
    }

    /// Cuts the power: nothing that the guest has not flushed need survive.
    pub fn cut_power(mut self) {
        self.process.kill();
    }

    /// Saves a picture of the screen, named `NAME.png`, and returns its path.
    pub fn screenshot(&mut self, name: &str) -> Result<PathBuf, VmError> {
        let path = self.artifacts.join(format!("{name}.png"));
        self.qmp.screenshot(&path)?;
        Ok(path)
    }
}

fn connect(process: &mut Process, path: &Path) -> Result<UnixStream, VmError> {
    let end = Instant::now() + START_DEADLINE;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(source) => {
                if let Some(ended) = process.try_wait()? {
                    return Err(VmError::Ended { status: ended.words, output: process.output() });
                }
                if Instant::now() >= end {
                    return Err(VmError::Io { action: "connect to", path: path.to_owned(), source });
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
