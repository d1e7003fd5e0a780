//! What can go wrong between a configuration and its system. Evaluation errors come rendered: their sources end with
//! the evaluation.

use std::path::PathBuf;

/// An error of building a system.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The program cannot find itself.
    #[error("cannot find where this program is installed")]
    OwnProgram {
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Parts of Esker are not where the program is.
    #[error("there is no `{missing}` above `{program}`")]
    NotInstalled {
        /// What was looked for.
        missing: String,
        /// The program.
        program: PathBuf,
    },
    /// Neither the variable nor HOME says where a person's files go.
    #[error("neither {variable} nor HOME is set")]
    NoHome {
        /// The variable that was asked first.
        variable: &'static str,
    },
    /// No configuration where one was named or expected.
    #[error("there is no configuration.nix or configuration.toml in `{place}`")]
    NoConfiguration {
        /// Where it was looked for.
        place: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The configuration is wrong. The report is for people, with source lines, and complete.
    #[error("{report}")]
    Evaluation {
        /// The rendered errors.
        report: String,
    },
    /// The evaluation gave something else than was asked for.
    #[error("`{what}` is not {expected}")]
    Unexpected {
        /// What was evaluated.
        what: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Esker's own programs for a target are not installed.
    #[error("Esker's programs for `{system}` are not at `{path}`")]
    NoRuntime {
        /// The target.
        system: String,
        /// Where they should be.
        path: PathBuf,
    },
    /// The lock is missing and the network must not be touched.
    #[error("there is no `{path}` and --offline forbids making one")]
    NoLock {
        /// Where it should be.
        path: PathBuf,
    },
    /// The user wanted no more.
    #[error("it was interrupted")]
    Cancelled,
    /// The boot entries cannot be made.
    #[error("the boot entries cannot be made")]
    BootEntries(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A generation that does not exist was named.
    #[error("there is no generation {number}")]
    NoGeneration {
        /// Its number.
        number: u64,
    },
    /// The store refused.
    #[error("the store refused")]
    Store(#[from] store::StoreError),
    /// The machine's store is read-only and cannot be made writable.
    #[error("cannot make `{store}` writable for this program")]
    StoreMount {
        /// The store.
        store: PathBuf,
        /// The kernel's answer.
        #[source]
        source: syscalls::SyscallError,
    },
    /// What concerns the whole machine cannot be done from this program's own mounts.
    #[error("cannot go back to the machine's own mounts")]
    MachineMounts(#[source] syscalls::SyscallError),
    /// The lock is unreadable or wrong.
    #[error("the lock cannot be used")]
    Lock(#[from] archive::lock::LockError),
    /// Debian's archive, as the lock pins it, cannot be had.
    #[error("the pinned package archive cannot be used")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A build failed.
    #[error("the build failed")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SystemError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoConfiguration { .. } if crate::locations::is_esker_machine() => {
                Some("name the configuration's folder; without a name, it is the current one or else /etc/esker".into())
            }
            Self::NoConfiguration { .. } => {
                Some("name the configuration's folder, or make a configuration.toml".into())
            }
            Self::NotInstalled { .. } => {
                Some("set ESKER_SHARE and ESKER_RUNTIME where Esker's parts lie elsewhere".into())
            }
            Self::NoRuntime { .. } => Some("`just build` makes them; ESKER_RUNTIME names another folder".into()),
            Self::NoLock { .. } => Some("run `esker lock` once with a network".into()),
            Self::NoGeneration { .. } => Some("`esker generations` lists those there are".into()),
            Self::Store(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}
