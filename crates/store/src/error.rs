//! The store's errors.

use std::path::PathBuf;

use nix_formats::StorePath;
use nix_formats::content_address::MakePathError;
use nix_formats::derivation::ParseError;
use nix_formats::nar::NarError;
use rusqlite::ErrorCode;

const DISK_FULL: &str = "the disk is full: `esker gc` frees what nothing uses any more";

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// The database refused.
    #[error("could not {action} in the store database `{}`", path.display())]
    Database {
        /// What was attempted.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// The database is damaged.
    #[error("the store database `{}` is damaged", path.display())]
    DatabaseCorrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// A text with registrations makes no sense.
    #[error("the registrations have {} instead of {expected}", found_at(*line))]
    Registration {
        /// The line, from 1; 0 is the end of the text.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// A row of the database makes no sense.
    #[error("the store database `{}` holds an invalid {what}: `{value}`", path.display())]
    DatabaseValue {
        /// The database file.
        path: PathBuf,
        /// What the value should have been.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// The database has a schema that we neither read nor convert.
    #[error("the store database in `{}` has schema `{found}`, and only schema 10 is supported", path.display())]
    Schema {
        /// The database's folder.
        path: PathBuf,
        /// The `schema` file's text.
        found: String,
    },
    /// The store was opened read-only.
    #[error("the store below `{}` is open for reading only", root.display())]
    ReadOnly {
        /// The store's root.
        root: PathBuf,
    },
    /// A file is neither regular, folder nor link.
    #[error("`{}` has an unsupported type: the store holds only files, folders and symbolic links", path.display())]
    FileType {
        /// The file.
        path: PathBuf,
    },
    /// A path is not registered.
    #[error("path `{path}` is not valid in this store")]
    NotValid {
        /// The path.
        path: StorePath,
    },
    /// A path refers to one that is not registered.
    #[error("path `{path}` refers to `{reference}`, which is not valid in this store")]
    InvalidReference {
        /// The path to be registered.
        path: StorePath,
        /// What it refers to.
        reference: StorePath,
    },
    /// Contents do not have the hash they should.
    #[error("the contents of `{path}` have hash `{actual}`, but `{expected}` was expected")]
    HashMismatch {
        /// The path.
        path: StorePath,
        /// The hash it should have.
        expected: String,
        /// The hash it has.
        actual: String,
    },
    /// A path cannot be computed.
    #[error("could not make a store path")]
    MakePath(#[from] MakePathError),
    /// An archive is malformed.
    #[error("could not unpack the NAR of `{path}`")]
    Nar {
        /// The path it was for.
        path: StorePath,
        /// What is wrong.
        #[source]
        source: NarError,
    },
    /// A derivation in the store is malformed.
    #[error("could not read derivation `{path}`")]
    Derivation {
        /// The derivation.
        path: StorePath,
        /// What is wrong.
        #[source]
        source: ParseError,
    },
    /// A generation does not exist.
    #[error("profile `{profile}` has no generation {number}")]
    NoGeneration {
        /// The profile.
        profile: String,
        /// The generation.
        number: u64,
    },
    /// The current generation cannot be deleted.
    #[error("generation {number} of profile `{profile}` is the current one and cannot be deleted")]
    CurrentGeneration {
        /// The profile.
        profile: String,
        /// The generation.
        number: u64,
    },
    /// A result link would replace something that is no link.
    #[error("`{}` exists and is no symbolic link, so it will not be replaced", path.display())]
    NotALink {
        /// The file in the way.
        path: PathBuf,
    },
}

fn found_at(line: usize) -> String {
    if line == 0 { "their end".to_owned() } else { format!("something else in line {line}") }
}

impl StoreError {
    /// Advice for a person, where there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::DatabaseCorrupt { .. } => Some(
                "move the database away and restore it from a backup, or remove the store and build again: \
                 everything in it can be rebuilt or fetched",
            ),
            Self::Schema { .. } => Some("let the Nix that made this store upgrade or remove it"),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Some(DISK_FULL),
            Self::Io { source, .. } if source.raw_os_error() == Some(nix::libc::EDQUOT) => {
                Some("the disk quota is used up: `esker gc` frees what nothing uses any more")
            }
            Self::Database { source, .. } if source.sqlite_error_code() == Some(ErrorCode::DiskFull) => Some(DISK_FULL),
            _ => None,
        }
    }
}
