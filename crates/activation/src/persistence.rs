//! Persisted paths that a switch adds: stage 1 binds those of a boot, a running system gets new ones here.
//!
//! A path that holds something of its own is left alone and reported: what is in it would vanish beneath the mount, and
//! whether it is worth keeping is for people to say. Nothing is unmounted: what is persisted no longer stays so until
//! the next boot.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use syscalls::mount::{MountFlags, bind};

use crate::root::{Ownership, Root, set_owner};
use crate::toplevel::{ActivationConfig, Mode, PersistedKind, PersistedPath};

/// A path to keep from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersistStep {
    /// As the system sees it.
    pub path: PathBuf,
    /// Where it is kept.
    pub source: PathBuf,
    /// What it is.
    pub kind: PersistedKind,
    /// Mode of a new one.
    pub mode: Option<Mode>,
    /// Owner of a new one.
    pub uid: u32,
    /// Group of a new one.
    pub gid: u32,
}

/// What a switch does about persisted paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PersistencePlan {
    /// Paths to bind.
    pub steps: Vec<PersistStep>,
    /// Paths that stay as they are, and why.
    pub warnings: Vec<String>,
}

/// Compares what is declared with what is there. `owner_of` says whose a new path is.
pub fn plan_persistence(
    root: &Root,
    config: &ActivationConfig,
    owner_of: &dyn Fn(&PersistedPath) -> (u32, u32),
) -> io::Result<PersistencePlan> {
    let mut plan = PersistencePlan::default();
    let mut declared: Vec<&PersistedPath> = config.persistence.iter().collect();
    // Outer paths first, as they are mounted.
    declared.sort_by(|a, b| a.path.cmp(&b.path));
    for declared in declared {
        let PersistedPath { path, kind, mode, .. } = declared;
        let source = config.state_directory.join(path.strip_prefix("/").unwrap_or(path));
        match state_of(root, path, &source)? {
            State::Kept => {}
            State::Free => {
                let (uid, gid) = owner_of(declared);
                plan.steps.push(PersistStep { path: path.clone(), source, kind: *kind, mode: *mode, uid, gid });
            }
            State::Occupied => plan.warnings.push(format!(
                "`{0}` persists from the next boot on, and what is in it now does not; `cp -a {0} {1}` keeps it",
                path.display(),
                source.display()
            )),
        }
    }
    Ok(plan)
}

enum State {
    /// It is what is kept already.
    Kept,
    /// Nothing is there that could get lost.
    Free,
    /// It has contents of its own.
    Occupied,
}

fn state_of(root: &Root, path: &Path, source: &Path) -> io::Result<State> {
    let here = match fs::symlink_metadata(root.path(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Free),
        here => here?,
    };
    if here.is_symlink() {
        return Ok(if fs::read_link(root.path(path))? == source { State::Kept } else { State::Occupied });
    }
    let same = |kept: &std::fs::Metadata| (kept.dev(), kept.ino()) == (here.dev(), here.ino());
    match fs::symlink_metadata(root.path(source)) {
        Ok(kept) if same(&kept) => return Ok(State::Kept),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let empty = here.is_dir() && fs::read_dir(root.path(path))?.next().is_none();
    Ok(if empty { State::Free } else { State::Occupied })
}

/// Makes what is missing and binds it.
pub fn apply_persist_step(root: &Root, step: &PersistStep) -> io::Result<()> {
    let (path, source) = (root.path(&step.path), root.path(&step.source));
    for parent in [path.parent(), source.parent()].into_iter().flatten() {
        fs::create_dir_all(parent)?;
    }
    match step.kind {
        PersistedKind::Directory => {
            if !source.exists() {
                fs::create_dir(&source)?;
                own(&source, step, 0o755)?;
            }
            fs::create_dir_all(&path)?;
        }
        // Whoever writes it first makes it, through a link.
        PersistedKind::File if step.mode.is_none() && !source.exists() => return symlink(&step.source, path),
        PersistedKind::File => {
            if !source.exists() {
                make_file(&source)?;
                own(&source, step, 0o644)?;
            }
            make_file(&path)?;
        }
    }
    bind(&source, &path, MountFlags::MS_REC).map_err(io::Error::other)
}

fn own(path: &Path, step: &PersistStep, usual_mode: u32) -> io::Result<()> {
    let mode = step.mode.map_or(usual_mode, |mode| mode.0);
    set_owner(path, Ownership { mode, uid: step.uid, gid: step.gid })?;
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn make_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(paths: &[(&str, PersistedKind, Option<Mode>)]) -> ActivationConfig {
        let mut config: ActivationConfig = serde_json::from_str(r#"{"version":1}"#).unwrap();
        let path = |(path, kind, mode): &(&str, PersistedKind, Option<Mode>)| {
            let json = serde_json::json!({ "path": path, "kind": kind, "mode": mode });
            serde_json::from_value(json).unwrap()
        };
        config.persistence = paths.iter().map(path).collect();
        config
    }

    #[test]
    fn only_what_holds_nothing_is_bound() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for path in ["/nix/persist/var/lib/x", "/empty", "/full"] {
            std::fs::create_dir_all(root.path(path)).unwrap();
        }
        std::fs::write(root.path("/full/file"), "").unwrap();
        // As if /var were bound already.
        symlink("nix/persist/var", root.path("/var")).unwrap();
        let folder = PersistedKind::Directory;
        let config = config(&[
            ("/var/lib/x", folder, None),
            ("/empty", folder, None),
            ("/new", folder, Some(Mode(0o700))),
            ("/full", folder, None),
        ]);
        let plan = plan_persistence(&root, &config, &|_| (0, 0)).unwrap();
        let bound: Vec<&Path> = plan.steps.iter().map(|step| step.path.as_path()).collect();
        assert_eq!(bound, [Path::new("/empty"), Path::new("/new")]);
        assert_eq!(plan.steps[1].source, Path::new("/nix/persist/new"));
        assert_eq!(
            plan.warnings,
            [
                "`/full` persists from the next boot on, and what is in it now does not; `cp -a /full /nix/persist/full` keeps it"
            ]
        );
    }

    #[test]
    fn a_file_without_a_mode_is_a_link_to_where_it_will_be() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let config = config(&[("/etc/key", PersistedKind::File, None)]);
        let plan = plan_persistence(&root, &config, &|_| (0, 0)).unwrap();
        apply_persist_step(&root, &plan.steps[0]).unwrap();
        assert_eq!(std::fs::read_link(root.path("/etc/key")).unwrap(), Path::new("/nix/persist/etc/key"));
        let again = plan_persistence(&root, &config, &|_| (0, 0)).unwrap();
        assert_eq!(again, PersistencePlan::default());
    }
}
