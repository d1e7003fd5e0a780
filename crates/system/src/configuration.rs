//! A configuration on disk: the file that a command names, and the lock beside it.

use std::path::{Path, PathBuf};

use crate::SystemError;

/// The names that a folder's configuration may have, in the order in which they are looked for.
const NAMES: [&str; 2] = ["configuration.nix", "configuration.toml"];

/// Where a machine's own configuration is.
const MACHINE_FOLDER: &str = "/etc/esker";

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The file, absolute.
    pub file: PathBuf,
    /// The lock that pins its packages: beside it, or where `ESKER_LOCK` says.
    pub lock: PathBuf,
}

impl Configuration {
    /// The configuration that a command line names: a file, a folder, or nothing, which is the current folder and on
    /// an Esker machine else /etc/esker.
    ///
    /// Errors when there is none.
    pub fn find(named: Option<&Path>) -> Result<Self, SystemError> {
        let place = named.unwrap_or(Path::new("."));
        if place.is_file() {
            return Self::of_file(place);
        }
        if let Some(found) = in_folder(place) {
            return Self::of_file(&found);
        }
        let machine = Path::new(MACHINE_FOLDER);
        match in_folder(machine) {
            Some(found) if named.is_none() && crate::locations::is_esker_machine() => Self::of_file(&found),
            _ => Err(SystemError::NoConfiguration { place: place.to_owned() }),
        }
    }

    fn of_file(file: &Path) -> Result<Self, SystemError> {
        let file = fs_err::canonicalize(file).map_err(|source| SystemError::Read { path: file.to_owned(), source })?;
        // Several configurations may share a lock that lies elsewhere.
        let lock = std::env::var_os("ESKER_LOCK").map_or_else(|| file.with_file_name("esker.lock"), PathBuf::from);
        Ok(Self { file, lock })
    }

    /// The folder that holds the configuration.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("configuration.toml"), "").unwrap();
        let found = Configuration::find(Some(folder.path())).unwrap();
        assert!(found.file.ends_with("configuration.toml"));
        assert!(found.lock.ends_with("esker.lock"));
    }

    #[test]
    fn a_folder_without_one_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = Configuration::find(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}
