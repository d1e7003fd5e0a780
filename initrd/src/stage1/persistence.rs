//! The phase that binds persisted paths from the state directory, as the toplevel's activation.json lists them.
//!
//! New directories get their mode here; their owners are given by activation, which knows the accounts.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use syscalls::fs_context::{Depth, DetachedMount, Placement};
use syscalls::mount::{MountFlags, UmountFlags, bind, umount};

use super::error::Stage1Error;
use super::filesystems::{make_directory, set_mode};
use super::{Boot, read_text};
use crate::root::Root;

/// What stage 1 reads of activation.json; the rest is activation's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activation {
    #[serde(default)]
    persistence: Vec<PersistedPath>,
    state_directory: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedPath {
    path: PathBuf,
    kind: Kind,
    /// Octal. A file without one is made by whoever writes it first.
    mode: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Directory,
    File,
}

/// One thing to do, with paths from outside of the system's root.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// Make the directory at `source` with this mode if it is missing, and show it at `target`; the filesystems that are
    /// mounted `within` it, outer ones first, lie over it again.
    BindDirectory { source: PathBuf, target: PathBuf, mode: u32, within: Vec<PathBuf> },
    /// Show the file at `source` at `target`; with a mode, make it empty if it is missing.
    BindFile { source: PathBuf, target: PathBuf, mode: Option<u32> },
    /// There is no file yet: whoever makes it at `target` makes it in the state directory, through a link.
    LinkFile { link: PathBuf, target: PathBuf, source: PathBuf },
}

/// Binds all persisted paths.
pub(super) fn bind_persisted(boot: &mut Boot) -> Result<(), Stage1Error> {
    let path = boot.toplevel.join("activation.json");
    let file = boot.system.resolve(&path).map_err(|source| Stage1Error::NotInStore { path: path.clone(), source })?;
    let text = read_text(&file)?;
    let activation: Activation =
        serde_json::from_str(&text).map_err(|source| Stage1Error::Activation { path, source })?;
    let state = activation.state_directory.as_ref().unwrap_or(&boot.settings.state_directory).clone();
    for action in plan(&boot.system, &state, &boot.mounted, activation.persistence)? {
        apply(&action)?;
    }
    Ok(())
}

fn plan(
    system: &Root,
    state: &Path,
    mounted: &[PathBuf],
    mut persisted: Vec<PersistedPath>,
) -> Result<Vec<Action>, Stage1Error> {
    // Outer paths first, so that a path within a persisted directory lies over it.
    persisted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut actions = Vec::new();
    for PersistedPath { path, kind, mode } in persisted {
        let kept = state.join(path.strip_prefix("/").unwrap_or(&path));
        let (source, target) = (system.join(&kept), system.join(&path));
        actions.push(match kind {
            Kind::Directory => {
                let within = mounted.iter().filter(|other| other.starts_with(&path)).map(|other| system.join(other));
                let within = within.collect();
                let mode = parse_mode(path, mode)?.unwrap_or(0o755);
                Action::BindDirectory { source, target, mode, within }
            }
            Kind::File => match parse_mode(path, mode)? {
                None if !source.exists() => Action::LinkFile { link: target, target: kept, source },
                mode => Action::BindFile { source, target, mode },
            },
        });
    }
    Ok(actions)
}

fn parse_mode(path: PathBuf, mode: Option<String>) -> Result<Option<u32>, Stage1Error> {
    let Some(mode) = mode else {
        return Ok(None);
    };
    u32::from_str_radix(&mode, 8).map(Some).map_err(|_| Stage1Error::Mode { path, mode })
}

fn apply(action: &Action) -> Result<(), Stage1Error> {
    match action {
        Action::BindDirectory { source, target, mode, within } => {
            if !source.exists() {
                make_directory(source)?;
                set_mode(source, *mode)?;
            }
            make_directory(target)?;
            let lifted: Vec<DetachedMount> =
                within.iter().map(|place| DetachedMount::copy_of(place, Depth::One)).collect::<Result<_, _>>()?;
            for place in within.iter().rev() {
                umount(place, UmountFlags::MNT_DETACH)?;
            }
            bind(source, target, MountFlags::MS_REC)?;
            for (mount, place) in lifted.into_iter().zip(within) {
                make_directory(place)?;
                mount.attach(place, Placement::OnTop)?;
            }
            Ok(())
        }
        Action::BindFile { source, target, mode } => {
            if let (Some(mode), false) = (mode, source.exists()) {
                make_parent(source)?;
                make_file(source)?;
                set_mode(source, *mode)?;
            }
            make_parent(target)?;
            make_file(target)?;
            Ok(bind(source, target, MountFlags::empty())?)
        }
        Action::LinkFile { link, target, source } => {
            make_parent(link)?;
            make_parent(source)?;
            match symlink(target, link) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    Err(Stage1Error::Make { path: link.clone(), source: error })
                }
                _ => Ok(()),
            }
        }
    }
}

fn make_file(path: &Path) -> Result<(), Stage1Error> {
    let made = std::fs::OpenOptions::new().append(true).create(true).open(path);
    made.map(drop).map_err(|source| Stage1Error::Make { path: path.to_owned(), source })
}

fn make_parent(path: &Path) -> Result<(), Stage1Error> {
    path.parent().map_or(Ok(()), make_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persisted(path: &str, kind: Kind, mode: &str) -> PersistedPath {
        PersistedPath { path: path.into(), kind, mode: (!mode.is_empty()).then(|| mode.into()) }
    }

    #[test]
    fn outer_paths_come_first_and_files_depend_on_whether_they_exist() {
        let dir = tempfile::tempdir().unwrap();
        let system = Root::new(dir.path());
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("nix/persist/etc")).unwrap();
        std::fs::write(at("nix/persist/etc/adjtime"), "").unwrap();
        let list = vec![
            persisted("/var/lib/private", Kind::Directory, "0700"),
            persisted("/var", Kind::Directory, "0755"),
            persisted("/etc/adjtime", Kind::File, ""),
            persisted("/etc/new", Kind::File, ""),
            persisted("/etc/secret", Kind::File, "0600"),
        ];
        let mounted = ["/nix", "/var/lib/data", "/var/log", "/variable"].map(PathBuf::from);
        let actions = plan(&system, Path::new("/nix/persist"), &mounted, list).unwrap();
        let expected = [
            Action::BindFile { source: at("nix/persist/etc/adjtime"), target: at("etc/adjtime"), mode: None },
            Action::LinkFile {
                link: at("etc/new"),
                target: "/nix/persist/etc/new".into(),
                source: at("nix/persist/etc/new"),
            },
            Action::BindFile { source: at("nix/persist/etc/secret"), target: at("etc/secret"), mode: Some(0o600) },
            Action::BindDirectory {
                source: at("nix/persist/var"),
                target: at("var"),
                mode: 0o755,
                within: vec![at("var/lib/data"), at("var/log")],
            },
            Action::BindDirectory {
                source: at("nix/persist/var/lib/private"),
                target: at("var/lib/private"),
                mode: 0o700,
                within: Vec::new(),
            },
        ];
        assert_eq!(actions, expected);
    }

    #[test]
    fn a_link_leads_to_the_state_directory_of_the_running_system() {
        let dir = tempfile::tempdir().unwrap();
        let system = Root::new(dir.path());
        let list = vec![persisted("/etc/ssh/key", Kind::File, "")];
        for action in plan(&system, Path::new("/nix/persist"), &[], list).unwrap() {
            apply(&action).unwrap();
        }
        let link = dir.path().join("etc/ssh/key").read_link().unwrap();
        assert_eq!(link, Path::new("/nix/persist/etc/ssh/key"));
        assert!(dir.path().join("nix/persist/etc/ssh").is_dir());
    }

    #[test]
    fn the_contracts_form_is_understood_and_a_wrong_mode_named() {
        let text = r#"{"version":1,"hostName":"x","mutableUsers":true,"stateDirectory":"/nix/persist","wrappers":[],
            "persistence":[{"path":"/root","kind":"directory","mode":"rwx","user":"root","group":"root"}]}"#;
        let activation: Activation = serde_json::from_str(text).unwrap();
        let error = plan(&Root::new("/x"), Path::new("/nix/persist"), &[], activation.persistence).unwrap_err();
        assert_eq!(error.to_string(), "the persisted path `/root` has the mode `rwx`, expected octal digits");
    }
}
