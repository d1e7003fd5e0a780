//! What long work shows: on a terminal one line per running build, the totals below and what was fetched; elsewhere one
//! plain line per thing done. Always on standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use build::{BuildEvent, BuildObserver, Task};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nix_formats::StorePath;

/// How often the terminal is redrawn.
const TICK: Duration = Duration::from_millis(100);
/// How often the time of a running build changes.
const SECOND: Duration = Duration::from_secs(1);

/// Shows what a build does.
pub(crate) struct Progress {
    lines: Option<MultiProgress>,
    verbose: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<StorePath, ProgressBar>,
    totals: Option<ProgressBar>,
    built: usize,
    fetched: usize,
    substituted: usize,
    reused: usize,
    /// How many there are to build, to fetch and to copy.
    planned: (usize, usize, usize),
    received_bytes: u64,
    total_bytes: u64,
}

impl Progress {
    /// For a person where standard error is a terminal, else for a log.
    pub(crate) fn new(verbose: bool) -> Self {
        let lines = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { lines, verbose, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters and bars stay usable after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of its own above what runs.
    pub(crate) fn say(&self, text: &str) {
        match &self.lines {
            // A closed terminal shows nothing; the work goes on.
            Some(lines) => drop(lines.println(text)),
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    fn started(&self, task: Task, path: &StorePath) {
        let verb = verb(task);
        let Some(lines) = &self.lines else {
            // Fetching and unpacking are many and small: the totals speak for them.
            if self.verbose || (task == Task::Build && !is_small(path)) {
                self.say(&format!("{verb} {}", shown(path)));
            }
            return;
        };
        let mut state = self.state();
        let state = &mut *state;
        let totals = state.totals.get_or_insert_with(|| {
            let bar = lines.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner:.cyan} {msg}"));
            bar.enable_steady_tick(TICK);
            bar
        });
        // Downloads begin all at once and would fill the screen; the totals speak for them.
        if task == Task::Fetch {
            return;
        }
        let bar = lines.insert_before(totals, ProgressBar::new_spinner());
        bar.set_style(style("  {prefix:.bold} {msg} {elapsed:.dim}"));
        bar.set_prefix(verb);
        bar.set_message(shown(path));
        // Else the time that it shows would be that of its first appearance.
        bar.enable_steady_tick(SECOND);
        state.running.insert(path.clone(), bar);
    }

    fn ended(&self, task: Task, path: &StorePath) {
        let mut state = self.state();
        match task {
            Task::Build => state.built += 1,
            Task::Fetch => state.fetched += 1,
            Task::Substitute => state.substituted += 1,
        }
        if let Some(bar) = state.running.remove(path) {
            bar.finish_and_clear();
        }
        state.show_totals();
    }

    /// Whether nothing was built, fetched or copied since the last time that lines were cleared.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.built + state.fetched + state.substituted == 0
    }

    /// Clears the lines; says what was done where that is something.
    pub(crate) fn finish(&self) {
        let ended = std::mem::take(&mut *self.state());
        for bar in ended.running.values().chain(&ended.totals) {
            bar.finish_and_clear();
        }
        if ended.built + ended.fetched + ended.substituted > 0 {
            self.say(&ended.summary(Form::Done));
        }
    }
}

/// When a summary is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Running,
    Done,
}

impl State {
    fn summary(&self, form: Form) -> String {
        let mut parts = Vec::new();
        let mut part = |count: usize, of: usize, what: &str| {
            if form == Form::Running && count < of {
                parts.push(format!("{count} of {of} {what}"));
            } else if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        part(self.built, self.planned.0, "built");
        part(self.fetched, self.planned.1, "fetched");
        part(self.substituted, self.planned.2, "copied from a cache");
        part(self.reused, 0, "reused");
        if self.received_bytes > 0 {
            parts.push(crate::table::size(self.received_bytes));
        }
        parts.join(", ")
    }

    fn show_totals(&self) {
        let Some(bar) = &self.totals else { return };
        let mut text = self.summary(Form::Running);
        if self.total_bytes > 0 && self.received_bytes < self.total_bytes {
            text.push_str(&format!(" of {}", crate::table::size(self.total_bytes)));
        }
        bar.set_message(text);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn verb(task: Task) -> &'static str {
    match task {
        Task::Build => "building",
        Task::Fetch => "fetching",
        Task::Substitute => "copying",
    }
}

fn shown(path: &StorePath) -> String {
    if path.is_derivation() { path.derivation_name().to_owned() } else { path.name().to_owned() }
}

/// Whether a derivation is one of hundreds that take milliseconds each: unpacking a package.
fn is_small(path: &StorePath) -> bool {
    let name = path.derivation_name();
    !["system-path", "etc", "initrd", "cache-", "kernel-modules", "esker-system", "view"]
        .iter()
        .any(|k| name.starts_with(k))
}

impl BuildObserver for Progress {
    fn event(&self, event: &BuildEvent<'_>) {
        match event {
            BuildEvent::Planned { plan } => {
                let mut state = self.state();
                state.planned = (plan.to_build.len(), plan.to_fetch.len(), plan.to_substitute.len());
                state.reused += plan.valid.len();
            }
            BuildEvent::Started { task, path } => self.started(*task, path),
            BuildEvent::Finished { task, path } | BuildEvent::Failed { task, path } => self.ended(*task, path),
            BuildEvent::Reused { .. } => self.state().reused += 1,
            BuildEvent::LogLine { path, line } => {
                // Warnings about maintainer scripts must be seen whatever the verbosity.
                if self.verbose || line.starts_with("warning:") {
                    self.say(&format!("{}> {line}", shown(path)));
                }
            }
            BuildEvent::Fetched { received_bytes, total_bytes } => {
                let mut state = self.state();
                state.received_bytes = *received_bytes;
                state.total_bytes = *total_bytes;
                state.show_totals();
            }
            BuildEvent::Registered { paths } => tracing::debug!(paths, "registered"),
        }
    }
}
