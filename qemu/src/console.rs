//! The serial console: what the machine prints, as it comes, and a keyboard.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::VmError;

/// A serial console.
#[derive(Debug)]
pub struct Console {
    stream: UnixStream,
    seen: Arc<Seen>,
    /// Where the last successful wait ended, so that the next looks at what came after it.
    position: usize,
}

#[derive(Debug, Default)]
struct Seen {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    closed: bool,
}

impl Seen {
    fn lock(&self) -> std::sync::MutexGuard<'_, Text> {
        // The reader only appends; a panic in it leaves the text whole.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console {
    /// Reads from a console's socket until it is closed, keeping everything in memory and in a log file.
    ///
    /// Errors when the log cannot be written.
    pub(crate) fn new(stream: UnixStream, log: &Path) -> Result<Self, VmError> {
        let mut reader = stream.try_clone().map_err(VmError::io("duplicate", "the console"))?;
        let mut log_file = fs_err::File::create(log).map_err(VmError::io("create", log))?;
        let seen = Arc::new(Seen::default());
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let mut text = sink.lock();
                text.closed = count == 0;
                text.bytes.extend_from_slice(&buffer[..count]);
                drop(text);
                sink.changed.notify_all();
                if count == 0 {
                    return;
                }
                if let Err(error) = log_file.write_all(&buffer[..count]) {
                    tracing::warn!(%error, "the console's log cannot be written");
                }
            }
        });
        Ok(Self { stream, seen, position: 0 })
    }

    /// Everything printed so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().bytes).into_owned()
    }

    /// Waits until a text appears after the one last waited for. Errors when it does not within the time.
    pub fn wait_for(&mut self, wanted: &str, deadline: Duration) -> Result<(), VmError> {
        let end = Instant::now() + deadline;
        let mut text = self.seen.lock();
        loop {
            let rest = text.bytes.get(self.position..).unwrap_or_default();
            if let Some(at) = find(rest, wanted.as_bytes()) {
                self.position += at + wanted.len();
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || text.closed {
                let tail = last_lines(&text.bytes, 25);
                return Err(VmError::Deadline {
                    what: format!("`{wanted}` on the console"),
                    waited: deadline,
                    last: tail,
                });
            }
            text = self.seen.changed.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types a text.
    pub fn send(&mut self, text: &str) -> Result<(), VmError> {
        self.stream.write_all(text.as_bytes()).map_err(VmError::io("write to", "the console"))
    }

    /// The last lines printed, for an error message.
    pub fn tail(&self, lines: usize) -> String {
        last_lines(&self.seen.lock().bytes, lines)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

fn last_lines(bytes: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_what_comes_after_the_last_match() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(ours, log.path()).unwrap();
        theirs.write_all(b"login: x login: ").unwrap();
        console.wait_for("login: ", Duration::from_secs(5)).unwrap();
        console.wait_for("login: ", Duration::from_secs(5)).unwrap();
        let error = console.wait_for("login: ", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("`login: ` on the console"), "{error}");
    }

    #[test]
    fn a_closed_console_ends_the_wait() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(ours, log.path()).unwrap();
        drop(theirs);
        console.wait_for("never", Duration::from_secs(600)).unwrap_err();
    }
}
