//! QEMU's machine protocol: steering a machine from outside.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::VmError;

/// A connection to QEMU's machine protocol.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

/// QEMU answers commands within its main loop; longer than this means that it hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

impl Qmp {
    /// Greets QEMU on a connected socket.
    pub(crate) fn new(stream: UnixStream) -> Result<Self, VmError> {
        stream.set_read_timeout(Some(ANSWER_DEADLINE)).map_err(VmError::io("set a deadline on", "the QMP socket"))?;
        let mut qmp = Self { reader: BufReader::new(stream) };
        qmp.read()?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn read(&mut self) -> Result<Value, VmError> {
        let mut line = String::new();
        self.reader.read_line(&mut line).map_err(VmError::io("read from", "the QMP socket"))?;
        serde_json::from_str(&line).map_err(|_| VmError::Protocol { peer: "QEMU", line })
    }

    /// Runs a command and returns its answer. Events that come before it are passed over.
    ///
    /// Errors when QEMU refuses the command or does not answer.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, VmError> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        tracing::trace!(line, "QMP");
        self.reader.get_mut().write_all(line.as_bytes()).map_err(VmError::io("write to", "the QMP socket"))?;
        loop {
            let answer = self.read()?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                let description = error["desc"].as_str().unwrap_or("no reason given").to_owned();
                return Err(VmError::Qmp { command: command.to_owned(), description });
            }
            tracing::debug!(%answer, "QEMU's event");
        }
    }

    /// Saves what the screen shows as a PNG.
    pub fn screenshot(&mut self, path: &std::path::Path) -> Result<(), VmError> {
        self.execute("screendump", json!({ "filename": path, "format": "png" })).map(drop)
    }

    /// Presses keys one after the other, by QEMU's key names: `down`, `ret`, `a`.
    pub fn press(&mut self, keys: &[&str]) -> Result<(), VmError> {
        for key in keys {
            let keys = json!([{ "type": "qcode", "data": key }]);
            self.execute("send-key", json!({ "keys": keys }))?;
            // Firmware polls its keyboard; keys that come faster than it looks are lost.
            std::thread::sleep(Duration::from_millis(150));
        }
        Ok(())
    }

    /// Presses the power button.
    pub fn power_button(&mut self) -> Result<(), VmError> {
        self.execute("system_powerdown", json!({})).map(drop)
    }

    /// Resets the machine, as its reset button would.
    pub fn reset(&mut self) -> Result<(), VmError> {
        self.execute("system_reset", json!({})).map(drop)
    }
}
