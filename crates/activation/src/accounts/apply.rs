//! Writes the account files, remembers ids, makes home directories, and copies live changes back to the persisted
//! files. Decides nothing.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use fs_err as fs;

use super::ACCOUNT_FILES;
use super::observe::{observe_files, state_path};
use super::plan::{AccountsPlan, HomeStep};
use crate::root::{Durability, Ownership, Root, read_if_present, replace_file, set_owner};

const ROOT_ONLY: Ownership = Ownership { mode: 0o600, uid: 0, gid: 0 };

/// Writes what differs: first what is remembered on disk (an id must be on disk before a file carries it), then the
/// live files, then the persisted ones, then home directories. Errors when the files changed since the plan was made.
pub fn apply_accounts(root: &Root, state_directory: &Path, plan: &AccountsPlan) -> io::Result<()> {
    let lock = Lock::take(root)?;
    if !observe_files(root, state_directory)?.has_files_of(&plan.observed) {
        let text = "somebody changed the account files meanwhile; hint: run the same command again";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    let state = state_path(state_directory);
    let text = serde_json::to_vec_pretty(&plan.state)?;
    make_directory(&root.path(state_directory.join("esker")))?;
    write_if_changed(&root.path(&state), &text, ROOT_ONLY, Durability::Synced)?;
    for file in &plan.files {
        let path = root.path(Path::new("/etc").join(file.name));
        write_if_changed(&path, file.content.as_bytes(), file.ownership, Durability::Volatile)?;
    }
    copy_live_files(root, state_directory)?;
    drop(lock);
    plan.homes.iter().try_for_each(|home| make_home(root, home))
}

/// Copies the live account files to the persisted ones where they differ, each in one rename; what the path unit runs
/// after `passwd(1)`. Answers the names of the files that were copied.
pub fn sync_accounts(root: &Root, state_directory: &Path) -> io::Result<Vec<&'static str>> {
    let _lock = Lock::take(root)?;
    copy_live_files(root, state_directory)
}

/// The lock of lckpwdf(3), which passwd(1) and useradd(8) hold while they write. Released with the file.
struct Lock {
    _file: fs::File,
}

impl Lock {
    fn take(root: &Root) -> io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = fs::OpenOptions::from_options(options).open(root.path("/etc/.pwd.lock"))?;
        rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(Self { _file: file })
    }
}

fn copy_live_files(root: &Root, state_directory: &Path) -> io::Result<Vec<&'static str>> {
    let persisted = root.path(state_directory.join("etc"));
    fs::create_dir_all(&persisted)?;
    let mut copied = Vec::new();
    for name in ACCOUNT_FILES {
        let live = root.path(Path::new("/etc").join(name));
        let Some(content) = read_if_present(&live)? else {
            continue;
        };
        // An empty file is a tool's accident, never the intent: root is always in it.
        if content.is_empty() && matches!(name, "passwd" | "group" | "shadow") {
            continue;
        }
        let metadata = fs::metadata(&live)?;
        let owner = Ownership { mode: metadata.mode() & 0o777, uid: metadata.uid(), gid: metadata.gid() };
        if write_if_changed(&persisted.join(name), &content, owner, Durability::Synced)? {
            copied.push(name);
        }
    }
    Ok(copied)
}

/// Whether something was written.
fn write_if_changed(path: &Path, content: &[u8], owner: Ownership, durability: Durability) -> io::Result<bool> {
    if let Some(current) = read_if_present(path)? {
        let metadata = fs::symlink_metadata(path)?;
        let has = Ownership { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() };
        if metadata.is_file() && current == content && has == owner {
            return Ok(false);
        }
    }
    replace_file(path, content, owner, durability)?;
    Ok(true)
}

fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(|error| io::Error::new(error.kind(), format!("failed to make `{}`: {error}", path.display())))
}

fn make_home(root: &Root, home: &HomeStep) -> io::Result<()> {
    let path = root.path(&home.path);
    if home.create {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::create_dir(&path)?;
        let owner = Ownership { mode: 0, uid: home.uid, gid: home.gid };
        let skeleton = root.path("/etc/skel");
        if skeleton.is_dir() {
            copy_skeleton(root, Path::new("/etc/skel"), &path, owner)?;
        }
    }
    set_owner(&path, Ownership { mode: home.mode.0, uid: home.uid, gid: home.gid })?;
    fs::set_permissions(&path, std::fs::Permissions::from_mode(home.mode.0))
}

/// Copies /etc/skel (whose files are links into the store) as files of the user's own.
fn copy_skeleton(root: &Root, from: &Path, to: &Path, owner: Ownership) -> io::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(root.path(from))?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let source = root.resolve(from.join(&name))?;
        let place = to.join(&name);
        if source.is_dir() {
            fs::create_dir(&place)?;
            copy_skeleton(root, &from.join(&name), &place, owner)?;
            set_owner(&place, owner)?;
            fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755))?;
        } else {
            let owner = Ownership { mode: 0o644, ..owner };
            replace_file(&place, &fs::read(source)?, owner, Durability::Volatile)?;
        }
    }
    Ok(())
}
