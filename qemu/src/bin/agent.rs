//! The guest agent: runs commands and moves files for whoever holds the host's end of a virtio serial port.
//!
//! It belongs into machines under test only: whoever reaches the port is root. Each request runs in a thread of its
//! own, so a command that hangs does not take the agent with it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qemu::protocol::{Action, Bytes, Outcome, Request, Response};

const PORT: &str = "/dev/virtio-ports/org.esker.agent.0";

/// While no host is connected a read ends at once; this is how long until the next.
const RECONNECT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The journal is this program's only reader.
            let _ = writeln!(std::io::stderr(), "cannot serve on {PORT}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> std::io::Result<()> {
    let port = OpenOptions::new().read(true).write(true).open(PORT)?;
    let writer = Arc::new(Mutex::new(port.try_clone()?));
    let mut reader = BufReader::new(port);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            std::thread::sleep(RECONNECT);
            continue;
        }
        // Half a line is what a host that went away left behind.
        let Ok(request) = serde_json::from_str::<Request>(&line) else { continue };
        let writer = Arc::clone(&writer);
        std::thread::spawn(move || answer(&request, &writer));
    }
}

fn answer(request: &Request, writer: &Mutex<File>) {
    let outcome = act(&request.action).unwrap_or_else(|error| Outcome::Failed { message: error.to_string() });
    let response = Response { id: request.id, outcome };
    if let Ok(mut line) = serde_json::to_vec(&response) {
        line.push(b'\n');
        let mut port = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A host that is gone does not want the answer.
        let _ = port.write_all(&line);
    }
}

fn act(action: &Action) -> std::io::Result<Outcome> {
    match action {
        Action::Ping {} => Ok(Outcome::Done {}),
        Action::Run { command, input } => run(command, input),
        Action::Write { path, mode, content } => {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(*mode).open(path)?;
            file.write_all(&content.0)?;
            file.sync_all()?;
            Ok(Outcome::Done {})
        }
        Action::Read { path } => Ok(Outcome::Content { content: Bytes(std::fs::read(path)?) }),
    }
}

fn run(command: &[String], input: &Bytes) -> std::io::Result<Outcome> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(std::io::Error::other("no program given"));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program may end without reading its input.
        let _ = stdin.write_all(&input.0);
    }
    let output = child.wait_with_output()?;
    let status = output.status.code().or_else(|| output.status.signal().map(|signal| -signal)).unwrap_or(-1);
    Ok(Outcome::Ended { status, output: Bytes(output.stdout), errors: Bytes(output.stderr) })
}
