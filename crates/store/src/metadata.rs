//! The metadata every file in the store has: mode 0444 or 0555, modification time 1, the store's owner.
//!
//! Owner and group are set only by root; an ordinary user's files are theirs already.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid};

use crate::{Context as _, StoreError};

/// `UTIME_OMIT` for the access time.
const KEEP: TimeSpec = TimeSpec::UTIME_OMIT;
/// One second after the epoch; zero upsets some programs.
const ONE: TimeSpec = TimeSpec::new(1, 0);

/// Canonicalises a tree. The root stays writable for its owner if it is a folder, so that it can still be moved; `seal`
/// ends that.
///
/// Errors on files that are neither regular, folder nor link.
pub fn canonicalise(root: &Path) -> Result<(), StoreError> {
    let owner = Owner::wanted();
    let metadata = root.symlink_metadata().context("examine", root)?;
    if metadata.is_dir() {
        set_mode(root, &metadata, 0o755)?;
        owner.give(root, &metadata)?;
        canonicalise_entries(root, &owner)?;
        return set_time(root);
    }
    canonicalise_node(root, &metadata, &owner)
}

/// Takes the last write permission from a tree that lies at its final place.
///
/// Errors when the root cannot be changed.
pub(crate) fn seal(root: &Path) -> Result<(), StoreError> {
    let metadata = root.symlink_metadata().context("examine", root)?;
    if metadata.is_dir() {
        set_mode(root, &metadata, 0o555)?;
    }
    if metadata.mtime() == 1 && metadata.mtime_nsec() == 0 { Ok(()) } else { set_time(root) }
}

fn canonicalise_entries(folder: &Path, owner: &Owner) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(folder).context("list", folder)? {
        let path = entry.context("list", folder)?.path();
        let metadata = path.symlink_metadata().context("examine", &path)?;
        canonicalise_node(&path, &metadata, owner)?;
    }
    Ok(())
}

fn canonicalise_node(path: &Path, metadata: &Metadata, owner: &Owner) -> Result<(), StoreError> {
    owner.give(path, metadata)?;
    if metadata.is_dir() {
        // A builder may have left a folder that its owner cannot read or write.
        if metadata.mode() & 0o700 != 0o700 {
            set_mode(path, metadata, 0o755)?;
        }
        canonicalise_entries(path, owner)?;
        let now = path.symlink_metadata().context("examine", path)?;
        set_mode(path, &now, 0o555)?;
        // Changing entries above changed the time, so what was read before does not count.
        return if has_canonical_time(&now) { Ok(()) } else { set_time(path) };
    }
    if metadata.is_file() {
        set_mode(path, metadata, if metadata.mode() & 0o100 == 0 { 0o444 } else { 0o555 })?;
    } else if !metadata.is_symlink() {
        return Err(StoreError::FileType { path: path.to_owned() });
    }
    if has_canonical_time(metadata) { Ok(()) } else { set_time(path) }
}

fn has_canonical_time(metadata: &Metadata) -> bool {
    metadata.mtime() == 1 && metadata.mtime_nsec() == 0
}

pub(crate) fn set_mode(path: &Path, metadata: &Metadata, mode: u32) -> Result<(), StoreError> {
    if metadata.mode() & 0o7777 == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).context("set the mode of", path)
}

pub(crate) fn set_time(path: &Path) -> Result<(), StoreError> {
    utimensat(AT_FDCWD, path, &KEEP, &ONE, UtimensatFlags::NoFollowSymlink).context("set the time of", path)
}

/// Whom files shall belong to.
struct Owner {
    user: Option<(u32, u32)>,
}

impl Owner {
    fn wanted() -> Self {
        Self { user: Uid::effective().is_root().then(|| (0, Gid::effective().as_raw())) }
    }

    fn give(&self, path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
        match self.user {
            Some((uid, gid)) if metadata.uid() != uid || metadata.gid() != gid => {
                std::os::unix::fs::lchown(path, Some(uid), Some(gid)).context("set the owner of", path)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::{canonicalise, seal};

    #[test]
    fn modes_and_times_become_canonical() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("d")).unwrap();
        std::fs::write(root.join("d/program"), "x").unwrap();
        std::fs::set_permissions(root.join("d/program"), std::fs::Permissions::from_mode(0o4755)).unwrap();
        std::fs::write(root.join("text"), "x").unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
        canonicalise(&root).unwrap();
        seal(&root).unwrap();
        for (name, mode) in [("", 0o555), ("d", 0o555), ("d/program", 0o555), ("text", 0o444), ("link", 0o777)] {
            let metadata = root.join(name).symlink_metadata().unwrap();
            assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
            assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1, 0), "{name}");
        }
        crate::scratch::remove_tree(&root).unwrap();
    }

    #[test]
    fn sockets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let error = canonicalise(folder.path()).unwrap_err();
        assert!(error.to_string().contains("unsupported type"), "{error}");
    }
}
