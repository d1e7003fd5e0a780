//! The host's side of the guest agent: commands and files in the guest, without a login.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::VmError;
use crate::protocol::{Action, Bytes, Outcome, Request, Response};

/// A connection to the agent in a guest.
#[derive(Debug)]
pub struct Agent {
    reader: BufReader<UnixStream>,
    next: u64,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status; a signal's number negated.
    pub status: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// How long between two looks at a condition in the guest.
const POLL: Duration = Duration::from_millis(300);

impl Agent {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { reader: BufReader::new(stream), next: 1 }
    }

    /// Waits until the agent answers: the machine is up.
    pub fn wait_until_up(&mut self, deadline: Duration) -> Result<(), VmError> {
        let end = Instant::now() + deadline;
        loop {
            match self.request(Action::Ping {}, Duration::from_secs(1)) {
                Ok(_) => return Ok(()),
                Err(_) if Instant::now() < end => std::thread::sleep(POLL),
                Err(_) => {
                    return Err(VmError::Deadline {
                        what: "the guest agent".into(),
                        waited: deadline,
                        last: String::new(),
                    });
                }
            }
        }
    }

    fn request(&mut self, action: Action, deadline: Duration) -> Result<Outcome, VmError> {
        let request = Request { id: self.next, action };
        self.next += 1;
        let mut line = serde_json::to_string(&request)
            .map_err(|error| VmError::Protocol { peer: "the host", line: error.to_string() })?;
        line.push('\n');
        let stream = self.reader.get_mut();
        stream.write_all(line.as_bytes()).map_err(VmError::io("write to", "the agent's socket"))?;
        let end = Instant::now() + deadline;
        let mut line = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.reader
                .get_mut()
                .set_read_timeout(Some(left))
                .map_err(VmError::io("set a deadline on", "the agent's socket"))?;
            // Answers to requests that were given up on come late and are passed over; a line that the deadline cut
            // stays in `line` until the next read.
            let failed = VmError::io("read from", "the agent's socket");
            match self.reader.read_until(b'\n', &mut line) {
                // The machine is gone, and so is the answer.
                Ok(0) => return Err(failed(ErrorKind::UnexpectedEof.into())),
                result => result.map_err(failed)?,
            };
            if let Ok(response) = serde_json::from_slice::<Response>(&line) {
                if response.id == request.id {
                    return Ok(response.outcome);
                }
            }
            line.clear();
        }
    }

    /// Runs a shell command as root and returns how it ended. Errors when it does not end in time.
    pub fn run(&mut self, script: &str, deadline: Duration) -> Result<Output, VmError> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        self.run_with_input(command, Vec::new(), deadline)
    }

    /// Runs a program with a standard input.
    pub fn run_with_input(
        &mut self,
        command: Vec<String>,
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<Output, VmError> {
        let shown = command.join(" ");
        match self.request(Action::Run { command, input: Bytes(input) }, deadline)? {
            Outcome::Ended { status, output, errors } => Ok(Output {
                status,
                output: String::from_utf8_lossy(&output.0).into_owned(),
                errors: String::from_utf8_lossy(&errors.0).into_owned(),
            }),
            other => Err(unexpected(format!("run `{shown}`"), other)),
        }
    }

    /// Runs a shell command that must succeed; returns what it printed, without the last line's end.
    pub fn succeed(&mut self, script: &str, deadline: Duration) -> Result<String, VmError> {
        let Output { status, output, errors } = self.run(script, deadline)?;
        if status == 0 {
            return Ok(output.trim_end().to_owned());
        }
        Err(VmError::Command { command: script.to_owned(), status, output: format!("{output}{errors}") })
    }

    /// Runs a shell command again and again until it succeeds.
    pub fn wait_until_succeeds(&mut self, script: &str, deadline: Duration) -> Result<String, VmError> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.succeed(script, left.max(Duration::from_secs(5))) {
                Ok(output) => return Ok(output),
                Err(_) if Instant::now() < end => std::thread::sleep(POLL),
                Err(error) => {
                    return Err(VmError::Deadline {
                        what: format!("`{script}`"),
                        waited: deadline,
                        last: error.to_string(),
                    });
                }
            }
        }
    }

    /// Waits until a unit is active. Errors at once when it has failed.
    pub fn wait_for_unit(&mut self, unit: &str, deadline: Duration) -> Result<(), VmError> {
        let end = Instant::now() + deadline;
        loop {
            let state = self.run(&format!("systemctl is-active {unit}"), Duration::from_secs(30))?.output;
            match state.trim() {
                "active" => return Ok(()),
                "failed" => {
                    let status =
                        self.run(&format!("systemctl status --no-pager -l {unit}"), Duration::from_secs(30))?;
                    return Err(VmError::Command { command: format!("unit {unit}"), status: 1, output: status.output });
                }
                _ if Instant::now() < end => std::thread::sleep(POLL),
                other => {
                    let last = format!("the unit is {other}");
                    return Err(VmError::Deadline { what: format!("the unit `{unit}`"), waited: deadline, last });
                }
            }
        }
    }

    /// Writes a file in the guest.
    pub fn write_file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), VmError> {
        let action = Action::Write { path: path.to_owned(), mode, content: Bytes(content.to_vec()) };
        match self.request(action, Duration::from_secs(60))? {
            Outcome::Done {} => Ok(()),
            other => Err(unexpected(format!("write `{path}`"), other)),
        }
    }

    /// Reads a file of the guest.
    pub fn read_file(&mut self, path: &str) -> Result<Vec<u8>, VmError> {
        match self.request(Action::Read { path: path.to_owned() }, Duration::from_secs(60))? {
            Outcome::Content { content } => Ok(content.0),
            other => Err(unexpected(format!("read `{path}`"), other)),
        }
    }
}

fn unexpected(action: String, outcome: Outcome) -> VmError {
    let message = match outcome {
        Outcome::Failed { message } => message,
        other => format!("it answered {other:?}"),
    };
    VmError::Agent { action, message }
}
