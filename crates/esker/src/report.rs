//! Errors as people see them: what failed, its causes, a hint; and the exit codes.
//!
//! 0 done, 1 the user's or the configuration's, 2 the command line's (1 of nix-instantiate), 4 some units failed at a switch,
//! 70 a bug in Esker, 130 interrupted (SIGINT), 143 terminated (SIGTERM).

use diagnostics::{causes, messages};
use std::error::Error;
use std::io::{ErrorKind, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use archive::FetchError;
use archive::fetch::DownloadError;
use archive::snapshot::UpdateError;
use bootloader::apply::ApplyError;
use bootloader::esp::EspError;
use bootloader::plan::PlanError;
use build::BuildError;
use images::ImageError;
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

/// The exit code of a command line that is none.
const USAGE: u8 = 2;
/// The exit code of a bug, as sysexits.h has it.
const INTERNAL: u8 = 70;
/// What shells add to a signal's number for the exit code of what it ended.
const SIGNALLED: u8 = 128;

/// Runs the program; a panic is a bug in Esker and says so.
pub(crate) fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        // When standard error is gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: this is a bug in Esker; what it did so far is in the lines above");
        ExitCode::from(INTERNAL)
    })
}

/// Who reads the exit codes of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Convention {
    /// Esker's users.
    Esker,
    /// Scripts that were written for a program of Nix, where everything that went wrong is 1.
    Nix,
}

/// Prints what is wrong with the command line, or the help that was asked for; returns the program's exit code.
pub(crate) fn usage(error: &clap::Error, convention: Convention) -> ExitCode {
    // When there is nobody to tell, the exit code still tells.
    let _ = error.print();
    match (error.use_stderr(), convention) {
        (false, _) => ExitCode::SUCCESS,
        (true, Convention::Nix) => ExitCode::FAILURE,
        (true, Convention::Esker) => ExitCode::from(USAGE),
    }
}

/// Prints an error with its causes and hints; returns the program's exit code.
pub(crate) fn failure(error: &(dyn Error + 'static), context: &Context) -> ExitCode {
    context.quiet();
    if causes(error).any(is_cancellation) {
        context.say("interrupted; what was finished is in the store, and the same command goes on from there");
        return ExitCode::from(SIGNALLED + context.signal());
    }
    // When standard error is gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", text(error, context));
    ExitCode::FAILURE
}

/// An error with its causes, failed builds and hints.
pub(crate) fn text(error: &(dyn Error + 'static), context: &Context) -> String {
    let mut text = String::new();
    match error.downcast_ref::<SystemError>() {
        // The evaluator's report is a whole page and says `error` itself.
        Some(SystemError::Evaluation { report }) => text.push_str(report),
        _ => {
            text.push_str(&format!("{} {error}", context.red("error:")));
            for cause in messages(error).iter().skip(1) {
                text.push_str(&format!("\n  caused by: {}", cause.replace('\n', "\n    ")));
            }
        }
    }
    text.push_str(&build_failures(error));
    for hint in hints(error) {
        text.push_str(&format!("\n{} {hint}", context.bold("hint:")));
    }
    text
}

fn is_cancellation(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(BuildError::Cancelled))
        || matches!(error.downcast_ref(), Some(SystemError::Cancelled))
        || matches!(error.downcast_ref(), Some(ImageError::Cancelled))
        || matches!(error.downcast_ref(), Some(FetchError::Cancelled))
}

/// Each failed build with its causes, the end of its log and where the whole log is.
fn build_failures(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for error in causes(error) {
        let Some(BuildError::Failed { failures, .. }) = error.downcast_ref::<BuildError>() else { continue };
        for failure in failures {
            text.push_str(&format!("\n\n{}", failure.path));
            for words in messages(&failure.reason) {
                text.push_str(&format!("\n  {}", words.replace('\n', "\n  ")));
            }
            for line in &failure.last_log_lines {
                text.push_str(&format!("\n    > {line}"));
            }
            if let Some(file) = &failure.log_file {
                text.push_str(&format!("\n  the whole log: {}", file.display()));
            }
        }
    }
    text
}

fn hints(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut hints = Vec::new();
    for error in causes(error) {
        if let Some(BuildError::Failed { failures, .. }) = error.downcast_ref() {
            let causes: Vec<_> = failures.iter().flat_map(|failure| causes(&failure.reason)).collect();
            let special: Vec<String> = causes.iter().filter_map(|cause| hint(*cause)).collect();
            let plain = causes.iter().filter_map(|cause| system_hint(*cause));
            hints.extend(if special.is_empty() { plain.collect() } else { special });
        }
        hints.extend(hint(error));
    }
    if hints.is_empty() {
        hints.extend(causes(error).filter_map(system_hint));
    }
    // Many builds may fail for one reason.
    let mut said = std::collections::BTreeSet::new();
    hints.retain(|hint| said.insert(hint.clone()));
    hints
}

/// What an error of ours says that one can do.
fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<SystemError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<FetchError>() {
        return error.hint();
    }
    // A transparent error is passed over in the chain, so it is looked for in those that wrap it.
    let wrapped = match error.downcast_ref() {
        Some(BuildError::Store(error)) => error.hint(),
        _ => None,
    };
    let text = wrapped
        .or_else(|| said(error, StoreError::hint))
        .or_else(|| said(error, DownloadError::hint))
        .or_else(|| said(error, UpdateError::hint))
        .or_else(|| said(error, ImageError::hint))
        .or_else(|| said(error, PlanError::hint))
        .or_else(|| said(error, ApplyError::hint))
        .or_else(|| said(error, EspError::hint));
    text.map(str::to_owned)
}

/// The hint of an error if it is of this type.
fn said<E: Error + 'static>(
    error: &(dyn Error + 'static),
    hint: fn(&E) -> Option<&'static str>,
) -> Option<&'static str> {
    hint(error.downcast_ref()?)
}

/// What one can do about an answer of the operating system.
fn system_hint(error: &(dyn Error + 'static)) -> Option<String> {
    let text = match error.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::StorageFull => "the disk is full: `esker gc` frees what nothing uses any more",
        ErrorKind::ReadOnlyFilesystem => "that filesystem is read-only: --store and --output name other places",
        ErrorKind::PermissionDenied => "this user may not do that: --store names a store of one's own",
        _ => return None,
    };
    Some(text.to_owned())
}
