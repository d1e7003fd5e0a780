//! Carries out an [`EtcPlan`]. Decides nothing; the one thing it looks at is whether a directory is empty.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::manifest::EtcRecord;
use super::plan::{EtcPlan, EtcStep};
use crate::root::set_owner;
use crate::root::{Durability, Ownership, Root, read_if_present, remove_if_present, replace_file, replace_link};

const RECORD: &str = "/etc/.esker-manifest.json";
const REPLACED: &str = "/etc/.esker-replaced";

/// What the last activation put into /etc; empty at boot, and when the record is unreadable: then everything found
/// counts as a local edit, which loses nothing.
pub fn load_record(root: &Root) -> io::Result<EtcRecord> {
    let bytes = read_if_present(&root.path(RECORD))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// A step that failed. The others were done all the same: one busy file must not keep a machine from its services.
#[derive(Debug)]
pub struct StepFailure {
    /// What the step was about, relative to /etc.
    pub path: String,
    /// Why.
    pub error: io::Error,
}

/// The part before the switch of `/run/current-system`. Errors when /etc itself cannot be used.
pub fn apply_additions(root: &Root, plan: &EtcPlan) -> io::Result<Vec<StepFailure>> {
    Ok(Target::new(root, plan)?.apply_all(&plan.additions))
}

/// The part after it, and the record for the next activation. `earlier` are the failures of the additions; the answer has
/// them all. What failed is left out of the record, so that the next activation tries again.
pub fn apply_changes(root: &Root, plan: &EtcPlan, earlier: Vec<StepFailure>) -> io::Result<Vec<StepFailure>> {
    let mut failures = earlier;
    failures.extend(Target::new(root, plan)?.apply_all(&plan.changes));
    let mut manifest = plan.manifest.clone();
    manifest.entries.retain(|entry| failures.iter().all(|failure| failure.path != entry.path));
    let record = EtcRecord { static_etc: plan.static_etc.clone(), manifest };
    let text = serde_json::to_vec(&record)?;
    let owner = Ownership { mode: 0o644, uid: 0, gid: 0 };
    replace_file(&root.path(RECORD), &text, owner, Durability::Volatile)?;
    Ok(failures)
}

struct Target<'a> {
    root: &'a Root,
    etc: PathBuf,
    static_etc: &'a Path,
    replaced: PathBuf,
}

impl<'a> Target<'a> {
    fn new(root: &'a Root, plan: &'a EtcPlan) -> io::Result<Self> {
        let etc = root.path("/etc");
        fs::create_dir_all(&etc)?;
        Ok(Self { root, etc, static_etc: &plan.static_etc, replaced: root.path(REPLACED) })
    }

    fn apply_all(&self, steps: &[EtcStep]) -> Vec<StepFailure> {
        let failed = |step: &EtcStep| {
            let error = self.apply(step).err()?;
            Some(StepFailure { path: step.path().to_owned(), error })
        };
        steps.iter().filter_map(failed).collect()
    }

    fn apply(&self, step: &EtcStep) -> io::Result<()> {
        let path = self.etc.join(step.path());
        match step {
            EtcStep::SaveEdit { path: relative } => self.save_edit(&path, relative),
            EtcStep::Remove { .. } => remove_if_present(&path),
            EtcStep::RemoveDirectory { .. } => remove_if_empty(&path).map(drop),
            EtcStep::Directory { mode, uid, gid, .. } => {
                match fs::create_dir(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
                own(&path, Ownership { mode: mode.0, uid: *uid, gid: *gid })
            }
            EtcStep::Link { target, .. } => replace_link(&path, target),
            EtcStep::Copy { path: relative, mode, uid, gid } => {
                let content = fs::read(self.root.opening_path(&self.static_etc.join(relative))?)?;
                let owner = Ownership { mode: mode.0, uid: *uid, gid: *gid };
                replace_file(&path, &content, owner, Durability::Volatile)
            }
            EtcStep::Ownership { mode, uid, gid, .. } => own(&path, Ownership { mode: mode.0, uid: *uid, gid: *gid }),
        }
    }

    /// Moves an edit out of the way. A directory that turned out empty just goes. An earlier edit of the same path is
    /// kept beside it, numbered: nothing a person wrote is ever overwritten.
    fn save_edit(&self, path: &Path, relative: &str) -> io::Result<()> {
        if path.is_dir() && !path.is_symlink() && remove_if_empty(path)? {
            return Ok(());
        }
        let place = self.replaced.join(relative);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        // Edits may be secrets in a file that only root could read inside a closed directory.
        fs::set_permissions(&self.replaced, std::fs::Permissions::from_mode(0o700))?;
        let mut free = place.clone();
        let mut number = 0;
        while free.symlink_metadata().is_ok() {
            number += 1;
            free = PathBuf::from(format!("{}.~{number}~", place.display()));
        }
        fs::rename(path, free)
    }
}

fn own(path: &Path, owner: Ownership) -> io::Result<()> {
    set_owner(path, owner)?;
    fs::set_permissions(path, std::fs::Permissions::from_mode(owner.mode))
}

/// Whether the directory is gone now.
fn remove_if_empty(path: &Path) -> io::Result<bool> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(true),
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(error),
        },
    }
}
