//! Where Esker's own parts lie: its modules and library, the programs of target machines, the store, the caches.
//!
//! Layout of an installation: `PREFIX/bin/esker`, `PREFIX/lib/esker/SYSTEM/bin/*` (one folder per target system) and
//! `PREFIX/share/esker/{lib,modules,pkgs}`. A machine that Esker made has its own system's programs and the modules it
//! was made with in its toplevel. `ESKER_SHARE` and `ESKER_RUNTIME` (with a `SYSTEM` folder each in it) override them.

use std::env;
use std::path::{Path, PathBuf};

use crate::SystemError;

/// The folders that Esker works with.
#[derive(Clone, Debug)]
pub struct Locations {
    /// `lib/`, `modules/` and `pkgs/`.
    pub share: PathBuf,
    /// Programs of target machines: `SYSTEM/bin/*`.
    pub runtimes: PathBuf,
    /// The store's root: `ROOT/nix/store`.
    pub store_root: PathBuf,
    /// What can be made again: indices of the archive, downloads.
    pub cache: PathBuf,
}

impl Locations {
    /// Finds them from the program's own place and the environment; `store` is what the caller was told to use.
    ///
    /// Errors when the modules are nowhere.
    pub fn find(store: Option<&Path>) -> Result<Self, SystemError> {
        let program =
            env::current_exe().and_then(fs_err::canonicalize).map_err(|source| SystemError::OwnProgram { source })?;
        let share = match env::var_os("ESKER_SHARE") {
            Some(folder) => PathBuf::from(folder),
            None => ancestor_with(&program, "share/esker/modules/eval.nix")
                .map(|prefix| prefix.join("share/esker"))
                .or_else(|error| machines_own("share", "modules/eval.nix").ok_or(error))?,
        };
        let runtimes = match env::var_os("ESKER_RUNTIME") {
            Some(folder) => PathBuf::from(folder),
            None => ancestor_with(&program, "lib/esker")
                .map(|prefix| prefix.join("lib/esker"))
                .or_else(|error| machines_own("runtime", "bin/init").ok_or(error))?,
        };
        let store_root = Self::store_root(store)?;
        let cache = Self::cache_folder()?;
        Ok(Self { share, runtimes, store_root, cache })
    }

    /// The store's root: what the caller was told to use, else the user's own.
    ///
    /// Errors when nothing says where a user's files go.
    pub(crate) fn store_root(named: Option<&Path>) -> Result<PathBuf, SystemError> {
        match named {
            Some(folder) => std::path::absolute(folder).map_err(|source| SystemError::OwnProgram { source }),
            None => default_store_root(),
        }
    }

    /// Where what can be made again is kept.
    ///
    /// Errors when nothing says where a user's files go.
    pub(crate) fn cache_folder() -> Result<PathBuf, SystemError> {
        cache_folder()
    }

    /// The folder of a target system's programs.
    pub fn runtime(&self, system: &str) -> PathBuf {
        // A machine's own runtime is the one of its system, without a folder for it.
        if self.runtimes.join("bin/init").exists() && system == crate::host_system() {
            return self.runtimes.clone();
        }
        self.runtimes.join(system)
    }
}

/// Whether this is a machine that Esker made: its store is the system's.
pub fn is_esker_machine() -> bool {
    Path::new("/run/current-system/activation.json").exists()
}

/// A part of the running system's toplevel, where there is one with something in it.
fn machines_own(part: &str, with: &str) -> Option<PathBuf> {
    let place = fs_err::canonicalize(Path::new("/run/current-system").join(part)).ok()?;
    place.join(with).exists().then_some(place)
}

/// The folder above a program below which something is.
fn ancestor_with(program: &Path, below: &str) -> Result<PathBuf, SystemError> {
    program
        .ancestors()
        .find(|folder| folder.join(below).exists())
        .map(Path::to_owned)
        .ok_or_else(|| SystemError::NotInstalled { missing: below.to_owned(), program: program.to_owned() })
}

fn default_store_root() -> Result<PathBuf, SystemError> {
    let (uid, _) = syscalls_ids();
    if is_esker_machine() && uid == 0 {
        return Ok(PathBuf::from("/"));
    }
    data_home("XDG_DATA_HOME", ".local/share").map(|home| home.join("esker"))
}

fn cache_folder() -> Result<PathBuf, SystemError> {
    if let Some(folder) = env::var_os("ESKER_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    if is_esker_machine() && syscalls_ids().0 == 0 {
        return Ok(PathBuf::from("/var/cache/esker"));
    }
    data_home("XDG_CACHE_HOME", ".cache").map(|home| home.join("esker"))
}

fn syscalls_ids() -> (u32, u32) {
    syscalls::process::effective_ids()
}

fn data_home(variable: &'static str, below_home: &str) -> Result<PathBuf, SystemError> {
    if let Some(folder) = env::var_os(variable).filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    match env::var_os("HOME").filter(|v| !v.is_empty()) {
        Some(home) => Ok(PathBuf::from(home).join(below_home)),
        None => Err(SystemError::NoHome { variable }),
    }
}
