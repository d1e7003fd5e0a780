//! What every command works with: the global options, the session, and how to print.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use build::Cancellation;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use system::{Session, SessionOptions, SystemError};

use crate::cli::GlobalOptions;
use crate::progress::Progress;

/// The surroundings of a command.
pub(crate) struct Context {
    pub(crate) global: GlobalOptions,
    progress: Arc<Progress>,
    colour: bool,
    /// The signal that ended the work.
    signal: Arc<AtomicU8>,
}

/// Ends running work at the first SIGINT or SIGTERM, so that the store is left whole, and the program at the second.
fn watch_signals(cancellation: Cancellation, seen: Arc<AtomicU8>, progress: Arc<Progress>) {
    match signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
        Ok(mut signals) => {
            std::thread::spawn(move || {
                for signal in &mut signals {
                    if cancellation.is_cancelled() {
                        // The default action ends the program; there is nothing else left to do here.
                        let _ = signal_hook::low_level::emulate_default_handler(signal);
                    }
                    seen.store(u8::try_from(signal).unwrap_or_default(), Ordering::SeqCst);
                    cancellation.cancel();
                    progress.say("ending what runs; once more ends it at once");
                }
            });
        }
        Err(error) => tracing::warn!(%error, "an interrupt will end the program at once"),
    }
}

impl Context {
    pub(crate) fn new(global: GlobalOptions) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let progress = Arc::new(Progress::new(global.verbose > 0));
        Self { global, progress, colour, signal: Arc::default() }
    }

    /// Opens store and caches.
    pub(crate) fn session(&self) -> Result<Session, SystemError> {
        let options = self.session_options();
        watch_signals(options.cancellation.clone(), self.signal.clone(), self.progress.clone());
        Session::open(options)
    }

    /// How to open store and caches.
    pub(crate) fn session_options(&self) -> SessionOptions {
        SessionOptions {
            store: self.global.store.clone(),
            offline: self.global.offline,
            archive: self.global.archive.options(),
            jobs: self.global.jobs,
            colour: self.colour,
            full_trace: self.global.show_trace || self.global.verbose > 0,
            observer: self.progress.clone(),
            cancellation: Cancellation::new(),
        }
    }

    /// The signal that ended the work; SIGINT where none came.
    pub(crate) fn signal(&self) -> u8 {
        match self.signal.load(Ordering::SeqCst) {
            0 => u8::try_from(SIGINT).unwrap_or_default(),
            signal => signal,
        }
    }

    /// Whether nothing had to be built or fetched since something was last printed.
    pub(crate) fn is_idle(&self) -> bool {
        self.progress.is_idle()
    }

    /// Ends the lines of progress before something else is printed.
    pub(crate) fn quiet(&self) {
        self.progress.finish();
    }

    /// Prints a result: JSON where that was asked for, else a text.
    pub(crate) fn print(&self, json: Value, text: &str) {
        self.quiet();
        if self.global.json {
            self.print_text(&json.to_string());
        } else {
            self.print_text(text);
        }
    }

    /// Prints a text on standard output. A reader that has gone away is no error.
    pub(crate) fn print_text(&self, text: &str) {
        self.quiet();
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.is_empty() && !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
    }

    /// Prints warnings of the evaluation.
    pub(crate) fn messages(&self, messages: &[String]) {
        self.quiet();
        for message in messages {
            let _ = writeln!(std::io::stderr(), "{message}");
        }
    }

    /// Says what is done, on standard error.
    pub(crate) fn say(&self, text: &str) {
        self.quiet();
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    pub(crate) fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
