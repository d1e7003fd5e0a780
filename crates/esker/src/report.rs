//! Errors as people see them: what failed, its causes, a hint; and the exit codes.
//!
//! 0 done, 1 the user's or the configuration's, 2 the command line's (clap), 4 some units failed at a switch,
//! 70 a bug in Esker, 130 interrupted.

use std::error::Error;
use std::io::{ErrorKind, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use build::BuildError;
use store::StoreError;
use system::SystemError;
use tracing_subscriber::EnvFilter;

use crate::context::Context;

/// Turns `-v` into what tracing prints, on standard error.
pub(crate) fn start_tracing(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("ESKER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}

/// The exit code of a bug, as sysexits.h has it.
const INTERNAL: u8 = 70;
/// The exit code of what SIGINT ended, as shells have it.
const INTERRUPTED: u8 = 130;

/// Runs the program; a panic is a bug in Esker and says so.
pub(crate) fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        // When standard error is gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: this is a bug in Esker; what it did so far is in the lines above");
        ExitCode::from(INTERNAL)
    })
}

/// An error and its causes, the outermost first.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let mut all = vec![error];
    let mut next = error.source();
    while let Some(error) = next {
        all.push(error);
        next = error.source();
    }
    all
}

/// Prints an error with its causes and hints; returns the program's exit code.
pub(crate) fn failure(error: &(dyn Error + 'static), context: &Context) -> ExitCode {
    context.quiet();
    if chain(error).iter().any(|e| matches!(e.downcast_ref(), Some(BuildError::Cancelled))) {
        context.say("interrupted; what was finished is in the store, and the same command goes on from there");
        return ExitCode::from(INTERRUPTED);
    }
    let mut text = String::new();
    match error.downcast_ref::<SystemError>() {
        // The evaluator's report is a whole page and says `error` itself.
        Some(SystemError::Evaluation { report }) => text.push_str(report),
        _ => {
            text.push_str(&format!("{} {error}", context.red("error:")));
            let mut cause = error.source();
            let mut last = error.to_string();
            while let Some(error) = cause {
                let words = error.to_string();
                // A transparent error repeats its source.
                if words != last {
                    text.push_str(&format!("\n  caused by: {}", words.replace('\n', "\n    ")));
                }
                last = words;
                cause = error.source();
            }
        }
    }
    text.push_str(&build_failures(error));
    for hint in hints(error) {
        text.push_str(&format!("\n{} {hint}", context.bold("hint:")));
    }
    // When standard error is gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

/// Each failed build with its causes, the end of its log and where the whole log is.
fn build_failures(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(BuildError::Failed { failures, .. }) = error.downcast_ref::<BuildError>() {
            for failure in failures {
                text.push_str(&format!("\n\n{}", failure.path));
                let mut last = String::new();
                let mut cause: Option<&(dyn Error + 'static)> = Some(&failure.reason);
                while let Some(error) = cause {
                    let words = error.to_string();
                    if words != last {
                        text.push_str(&format!("\n  {}", words.replace('\n', "\n  ")));
                    }
                    last = words;
                    cause = error.source();
                }
                for line in &failure.last_log_lines {
                    text.push_str(&format!("\n    > {line}"));
                }
                if let Some(file) = &failure.log_file {
                    text.push_str(&format!("\n  the whole log: {}", file.display()));
                }
            }
        }
        next = error.source();
    }
    text
}

fn hints(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut hints = Vec::new();
    for error in chain(error) {
        if let Some(BuildError::Failed { failures, .. }) = error.downcast_ref() {
            hints.extend(failures.iter().flat_map(|failure| chain(&failure.reason)).filter_map(hint));
        }
        hints.extend(hint(error));
    }
    // Many builds may fail for one reason.
    let mut said = std::collections::BTreeSet::new();
    hints.retain(|hint| said.insert(hint.clone()));
    hints
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<SystemError>() {
        return error.hint();
    }
    // A transparent error is passed over in the chain.
    let store = match error.downcast_ref() {
        Some(BuildError::Store(error)) => Some(error),
        _ => error.downcast_ref::<StoreError>(),
    };
    if let Some(error) = store {
        return error.hint().map(str::to_owned);
    }
    match error.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::StorageFull => Some("the disk is full: `esker gc` frees what nothing uses any more".to_owned()),
        ErrorKind::ReadOnlyFilesystem => {
            Some("that filesystem is read-only: --store and --output name other places".to_owned())
        }
        ErrorKind::PermissionDenied => Some("this user may not do that: --store names a store of one's own".to_owned()),
        _ => None,
    }
}
