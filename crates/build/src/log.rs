//! Build logs: a file per derivation at Nix's place, lines to the observer, and the last lines for errors.
//!
//! `logs/ab/cdef…-name.drv`, plain text, which a real Nix reads as well. A build that says nothing leaves no file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use nix_formats::StorePath;

use crate::observer::{BuildEvent, BuildObserver};

/// How many lines an error shows.
const LAST_LINES: usize = 20;

/// Longer lines are cut in the observer's view and in errors; the file has them whole.
const SHOWN_LINE_LEN: usize = 4096;

/// The log of one build.
pub(crate) struct BuildLog<'o> {
    drv_path: &'o StorePath,
    observer: &'o dyn BuildObserver,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    /// A log that cannot be written must not fail the build; it is reported once.
    broken: bool,
    last_lines: VecDeque<String>,
}

impl<'o> BuildLog<'o> {
    pub(crate) fn new(logs: &std::path::Path, drv_path: &'o StorePath, observer: &'o dyn BuildObserver) -> Self {
        let (start, rest) = drv_path.base_name().split_at(2);
        Self { drv_path, observer, path: logs.join(start).join(rest), state: Mutex::default() }
    }

    /// Takes a line without its end.
    pub(crate) fn line(&self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes());
    }

    /// Reads until the writers have closed their end.
    pub(crate) fn copy_from(&self, source: impl Read) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        loop {
            line.clear();
            match source.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => self.bytes(&line),
                Err(error) => {
                    tracing::warn!(drv = %self.drv_path, %error, "could not read a build's output");
                    return;
                }
            }
        }
    }

    fn bytes(&self, line: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.broken {
            if let Err(error) = self.write(&mut state, line) {
                tracing::warn!(path = %self.path.display(), %error, "could not write a build log");
                state.broken = true;
            }
        }
        let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN_LINE_LEN)]);
        let shown = shown.trim_end_matches(['\n', '\r']);
        if state.last_lines.len() == LAST_LINES {
            state.last_lines.pop_front();
        }
        state.last_lines.push_back(shown.to_owned());
        drop(state);
        self.observer.event(&BuildEvent::LogLine { path: self.drv_path, line: shown });
    }

    fn write(&self, state: &mut State, line: &[u8]) -> std::io::Result<()> {
        if state.file.is_none() {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            state.file = Some(File::create(&self.path)?);
        }
        match &mut state.file {
            Some(file) => file.write_all(line),
            None => Ok(()),
        }
    }

    /// The last lines, and the file if there is one.
    pub(crate) fn summary(&self) -> (Vec<String>, Option<PathBuf>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = state.file.is_some().then(|| self.path.clone());
        (state.last_lines.iter().cloned().collect(), file)
    }
}
