//! Everything the evaluator wants from the world.
//!
//! The evaluator opens no file, knows no clock and no environment: it asks an [`EvalIo`]. One that records what was
//! asked makes the evaluation cache. [`PureIo`] refuses everything and serves pure expressions.

use std::collections::BTreeMap;

use nix_formats::{Derivation, DerivationFile, Hash, StorePath};

/// What kind of file something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link, not followed.
    Symlink,
    /// A device, socket or pipe.
    Unknown,
}

impl FileType {
    /// As `builtins.readDir` says it.
    pub fn name(self) -> &'static str {
        match self {
            FileType::Regular => "regular",
            FileType::Directory => "directory",
            FileType::Symlink => "symlink",
            FileType::Unknown => "unknown",
        }
    }
}

/// Why the world refused.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// There is no such file.
    #[error("path '{path}' does not exist")]
    NotFound {
        /// Which.
        path: String,
    },
    /// Not allowed in this mode.
    #[error("access to absolute path '{path}' is forbidden in {mode}")]
    Forbidden {
        /// Which.
        path: String,
        /// The mode, and how to leave it.
        mode: &'static str,
    },
    /// This implementation has no such ability.
    #[error("{what} is not possible in this evaluation")]
    Unsupported {
        /// What was wanted.
        what: &'static str,
    },
    /// Anything else, in words that name the path.
    #[error("{message}")]
    Failed {
        /// First line for the user.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// A file tree to be copied to the store.
pub struct CopyRequest<'r> {
    /// Absolute path of the source.
    pub path: &'r str,
    /// Name of the store object.
    pub name: &'r str,
    /// Recursive (NAR) or flat.
    pub recursive: bool,
    /// Fails unless the contents have this SHA-256.
    pub expected: Option<Hash>,
    /// Which files below `path` to take; gets the absolute path and the kind. `None` takes all.
    #[allow(clippy::type_complexity, reason = "a callback type with one use")]
    pub filter: Option<&'r mut dyn FnMut(&str, FileType) -> Result<bool, crate::Error>>,
}

/// What a builtin wants fetched.
#[derive(Clone, Debug)]
pub enum FetchRequest {
    /// `fetchurl`
    Url {
        /// From where.
        url: String,
        /// Name of the store object.
        name: String,
        /// Fails unless the contents have it.
        sha256: Option<String>,
    },
    /// `fetchTarball`
    Tarball {
        /// From where.
        url: String,
        /// Name of the store object.
        name: String,
        /// Fails unless the unpacked tree has it.
        sha256: Option<String>,
    },
    /// `fetchGit`, `fetchMercurial` and `fetchTree`: the attributes as given.
    Tree {
        /// `git`, `hg`, `tarball`, …
        kind: String,
        /// Attributes as strings, integers and booleans.
        attrs: BTreeMap<String, FetchAttr>,
    },
}

/// An attribute of a fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchAttr {
    /// A string.
    String(String),
    /// An integer.
    Int(u64),
    /// A boolean.
    Bool(bool),
}

/// What a fetch gave.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The tree or file in the store.
    pub path: StorePath,
    /// More about it (`rev`, `lastModified`, `narHash`, …).
    pub attrs: BTreeMap<String, FetchAttr>,
}

impl IoError {
    /// A pure evaluation reads no file.
    pub fn forbidden(path: &str) -> Self {
        IoError::Forbidden { path: path.to_owned(), mode: "pure evaluation mode (use '--impure' to override)" }
    }
}

/// The world, as far as the evaluator may see it. All paths are absolute and normalised.
pub trait EvalIo {
    /// Contents of a file; symbolic links are followed.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_file(&self, path: &str) -> Result<Vec<u8>, IoError>;

    /// Entries of a directory by name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_dir(&self, path: &str) -> Result<BTreeMap<Vec<u8>, FileType>, IoError>;

    /// What lies at `path`, links not followed in the last component; `None` for nothing.
    ///
    /// # Errors
    /// When it cannot be told.
    fn file_type(&self, path: &str) -> Result<Option<FileType>, IoError>;

    /// Target of a symbolic link.
    ///
    /// # Errors
    /// When it is none.
    fn read_link(&self, path: &str) -> Result<String, IoError>;

    /// Copies a file or tree to the store (in a read-only evaluation: only computes where it would be).
    ///
    /// # Errors
    /// When it cannot be read, the filter fails or the hash differs.
    fn copy_to_store(&self, request: CopyRequest<'_>) -> Result<StorePath, CopyError>;

    /// Puts a text with references into the store as `path`.
    ///
    /// # Errors
    /// When it cannot be written.
    fn add_text(&self, path: &StorePath, text: &[u8], references: &[StorePath]) -> Result<(), IoError>;

    /// Puts a derivation into the store as `path`; `file` is what its file says.
    ///
    /// # Errors
    /// When it cannot be written.
    fn add_derivation(&self, path: &StorePath, derivation: &Derivation, file: &DerivationFile) -> Result<(), IoError>;

    /// A derivation already in the store.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    fn read_derivation(&self, path: &StorePath) -> Result<Derivation, IoError> {
        let _ = path;
        Err(IoError::Unsupported { what: "reading a derivation from the store" })
    }

    /// Makes sure a store path exists (`builtins.storePath`); substitutes it if need be.
    ///
    /// # Errors
    /// When it cannot be had.
    fn ensure_path(&self, path: &StorePath) -> Result<(), IoError> {
        let _ = path;
        Err(IoError::Unsupported { what: "looking up a store path" })
    }

    /// Builds outputs that the evaluation needs (import from derivation).
    ///
    /// # Errors
    /// When one cannot be built.
    fn realise(&self, drv: &StorePath, output: &str) -> Result<(), IoError> {
        let _ = (drv, output);
        Err(IoError::Unsupported { what: "import from derivation" })
    }

    /// Fetches something into the store.
    ///
    /// # Errors
    /// When it cannot be had or its hash differs.
    fn fetch(&self, request: &FetchRequest) -> Result<Fetched, IoError> {
        let _ = request;
        Err(IoError::Unsupported { what: "fetching" })
    }

    /// An environment variable; empty in pure mode.
    fn env(&self, name: &str) -> String {
        let _ = name;
        String::new()
    }

    /// Seconds since 1970; `None` in pure mode, where `builtins.currentTime` does not exist.
    fn current_time(&self) -> Option<i64> {
        None
    }

    /// The search path of `<…>`: prefix and path; empty in pure mode.
    fn search_path(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// A message of `builtins.trace` or `builtins.warn`, without newline.
    fn trace(&self, message: &str) {
        let _ = message;
    }
}

/// Why a copy failed: the world, or the filter function.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The world refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The filter function failed.
    #[error("while evaluating the filter function")]
    Filter(#[source] Box<crate::Error>),
}

/// A world with nothing in it; texts and derivations vanish.
#[derive(Clone, Copy, Debug, Default)]
pub struct PureIo;

impl EvalIo for PureIo {
    fn read_file(&self, path: &str) -> Result<Vec<u8>, IoError> {
        Err(IoError::forbidden(path))
    }

    fn read_dir(&self, path: &str) -> Result<BTreeMap<Vec<u8>, FileType>, IoError> {
        Err(IoError::forbidden(path))
    }

    fn file_type(&self, _path: &str) -> Result<Option<FileType>, IoError> {
        Ok(None)
    }

    fn read_link(&self, path: &str) -> Result<String, IoError> {
        Err(IoError::forbidden(path))
    }

    fn copy_to_store(&self, request: CopyRequest<'_>) -> Result<StorePath, CopyError> {
        Err(IoError::forbidden(request.path).into())
    }

    fn add_text(&self, _: &StorePath, _: &[u8], _: &[StorePath]) -> Result<(), IoError> {
        Ok(())
    }

    fn add_derivation(&self, _: &StorePath, _: &Derivation, _: &DerivationFile) -> Result<(), IoError> {
        Ok(())
    }
}
