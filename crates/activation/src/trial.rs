//! A system on trial: which one it is, until somebody confirms it or the timer takes it back. Kept in /run, because a boot
//! ends every trial: the default at boot is still the system before.

use std::io;
use std::path::{Path, PathBuf};

use crate::root::Root;

const PLACE: &str = "/run/esker/trial";

/// Notes that a toplevel (store path) is on trial.
///
/// Errors when that cannot be written.
pub fn begin(root: &Root, toplevel: &Path) -> io::Result<()> {
    let path = root.path(PLACE);
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(path, toplevel.as_os_str().as_encoded_bytes())
}

/// The toplevel on trial, if there is one.
///
/// Errors when the note cannot be read.
pub fn current(root: &Root) -> io::Result<Option<PathBuf>> {
    match fs_err::read_to_string(root.path(PLACE)) {
        Ok(text) => Ok(Some(PathBuf::from(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Notes that nothing is on trial (any more).
///
/// Errors when the note cannot be removed.
pub fn end(root: &Root) -> io::Result<()> {
    match fs_err::remove_file(root.path(PLACE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_begins_and_ends() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        assert_eq!(current(&root).unwrap(), None);
        begin(&root, Path::new("/nix/store/x-system")).unwrap();
        assert_eq!(current(&root).unwrap().as_deref(), Some(Path::new("/nix/store/x-system")));
        end(&root).unwrap();
        end(&root).unwrap();
        assert_eq!(current(&root).unwrap(), None);
    }
}
