//! Why builds fail.

use std::path::PathBuf;

use nix_formats::StorePath;
use store::StoreError;

use crate::builtin::BuiltinError;
use crate::fetch::FetchError;
use crate::substitute::CacheError;
use crate::view::ViewError;

/// Why a plan could not be made or applied.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Paths that were to be copied are in no cache, or nothing trusted signed them.
    #[error("no trusted binary cache has `{}` with all that it needs", paths.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `"))]
    NotInCaches {
        /// The paths.
        paths: Vec<StorePath>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Binary caches could not be asked.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A derivation lacks the output asked for.
    #[error("derivation `{drv}` has no output `{output}`")]
    NoOutput {
        /// The derivation.
        drv: StorePath,
        /// The output.
        output: String,
    },
    /// An output's path cannot be known before building.
    #[error(
        "output `{output}` of derivation `{drv}` is content-addressed without a declared hash, which is not supported"
    )]
    UnknownOutputPath {
        /// The derivation.
        drv: StorePath,
        /// The output.
        output: String,
    },
    /// A derivation that another one makes would have to be built first.
    #[error("`{drv}` needs an output of a derivation that building `{input}` makes, which is not supported")]
    DynamicInput {
        /// Who needs it.
        drv: StorePath,
        /// What makes the derivation.
        input: StorePath,
    },
    /// An input is neither valid nor buildable nor in a cache.
    #[error("`{drv}` needs `{path}`, which is not in the store, and nothing says how to make it")]
    MissingInput {
        /// Who needs it.
        drv: StorePath,
        /// What is missing.
        path: StorePath,
    },
    /// Derivations failed.
    #[error("{}", failures_text(failures, skipped.len()))]
    Failed {
        /// Each failure by itself.
        failures: Vec<BuildFailure>,
        /// Derivations not tried because of them.
        skipped: Vec<StorePath>,
    },
    /// The user wanted no more.
    #[error("the build was cancelled")]
    Cancelled,
}

fn failures_text(failures: &[BuildFailure], skipped: usize) -> String {
    let names: Vec<String> = failures.iter().map(|failure| format!("`{}`", failure.path)).collect();
    let what = if failures.len() == 1 { "building" } else { "building each of" };
    let more = if skipped == 0 { String::new() } else { format!(", and {skipped} more could not be tried") };
    format!("{what} {} failed{more}", names.join(", "))
}

/// One failed derivation or substitution.
#[derive(Debug)]
pub struct BuildFailure {
    /// The derivation, or the path that could not be substituted.
    pub path: StorePath,
    /// Why.
    pub reason: FailureReason,
    /// The last lines of its log.
    pub last_log_lines: Vec<String>,
    /// The whole log, if there is one.
    pub log_file: Option<PathBuf>,
}

/// Why one derivation failed.
#[derive(Debug, thiserror::Error)]
pub enum FailureReason {
    /// Its builder is builtin and failed.
    #[error(transparent)]
    Builtin(#[from] BuiltinError),
    /// There is no such builtin builder.
    #[error("there is no builder `{builder}`")]
    UnknownBuiltin {
        /// The builder asked for.
        builder: String,
    },
    /// It is for another kind of machine.
    #[error("it must be built on `{required}`, and this machine builds for {}", offered.join(", "))]
    WrongSystem {
        /// Its platform.
        required: String,
        /// Ours.
        offered: Vec<String>,
    },
    /// The program exited with a status other than zero.
    #[error("the builder exited with status {status}")]
    ExitStatus {
        /// The status.
        status: i32,
    },
    /// The program took longer than allowed.
    #[error("the builder took longer than the {seconds} s it was given")]
    TimedOut {
        /// How long it was given.
        seconds: u64,
    },
    /// A signal ended the program.
    #[error("signal {signal} ended the builder")]
    Signal {
        /// Its number.
        signal: i32,
    },
    /// The sandbox could not be set up.
    #[error("could not run the builder in a sandbox")]
    Sandbox(#[from] sandbox::SandboxError),
    /// The view could not be made.
    #[error("could not make the view `{view}` for the sandbox")]
    View {
        /// The view.
        view: StorePath,
        /// Why.
        #[source]
        source: ViewError,
    },
    /// The builder succeeded without making an output.
    #[error("the builder did not make output `{output}`")]
    MissingOutput {
        /// The output.
        output: String,
    },
    /// A fixed output has other contents than declared.
    #[error("hash mismatch: specified {expected}, got {actual}")]
    HashMismatch {
        /// The declared hash, as SRI.
        expected: String,
        /// The contents' hash, as SRI.
        actual: String,
    },
    /// A flat fixed output must be one plain file.
    #[error("output `{output}` must be a regular file that is not executable, because its hash is flat")]
    NotAFlatFile {
        /// The output.
        output: String,
    },
    /// A fixed output must not refer to anything.
    #[error("fixed output `{output}` refers to {}", list(references))]
    FixedOutputReferences {
        /// The output.
        output: String,
        /// What it refers to.
        references: Vec<StorePath>,
    },
    /// References break a rule of the derivation.
    #[error("output `{output}` must not refer to {} (`{rule}`)", list(references))]
    ForbiddenReferences {
        /// The output.
        output: String,
        /// The attribute with the rule.
        rule: &'static str,
        /// What it must not refer to.
        references: Vec<StorePath>,
    },
    /// An attribute that steers the build is malformed.
    #[error("attribute `{name}` of the derivation is malformed: expected {expected}")]
    Attribute {
        /// The attribute.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A file could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A path could not be had from a cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file operation failed.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The user, or another failure, ended it.
    #[error("it was cancelled")]
    Cancelled,
}

fn list(paths: &[StorePath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

/// Gives an I/O error the action and the path it lacks.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, FailureReason>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, FailureReason> {
        self.map_err(|source| FailureReason::Io { action, path: path.to_owned(), source })
    }
}
