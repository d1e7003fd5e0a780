//! Starting as a container: what stage 1 does for a machine, where there is no stage 1.
//!
//! The container's manager has mounted /proc, /sys, /dev and /run and says in the environment that it is one
//! (`container=`, systemd's CONTAINER_INTERFACE). The root is an ordinary folder that stays. It may not mount EROFS, so /usr is
//! a tree of hard links to the store, made once for each view beside the store and bound over /usr. What differs from the
//! store in owner, mode or capabilities is a copy: the store holds no setuid bit.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use disk_formats::erofs::reader::{Found, read};
use disk_formats::erofs::{Content, Metadata};
use fs_err as fs;
use syscalls::mount::{MountFlags, UmountFlags, bind, change, umount};

use crate::root::{Ownership, Root, set_owner};
use crate::system::ApplyError;

/// What runs, as the tarball and every switch have it.
const PROFILE: &str = "/nix/var/nix/profiles/system";
/// Where trees are kept, called like the store paths of their views.
const TREES: &str = "/nix/var/esker/container";
const STORE: &str = "/nix/store";
/// Files that managers mount over a system's own, which says what they are.
const MANAGERS: [&str; 1] = ["/etc/localtime"];

/// Whether this process was started as the first one of a container.
pub fn is_container() -> bool {
    std::process::id() == 1 && std::env::var_os("container").is_some_and(|manager| !manager.is_empty())
}

/// Makes /usr and says which toplevel is to be activated. `program` is the name that this program was started by: the init
/// of a toplevel, or `/sbin/init` for the system profile's.
///
/// Errors when there is no system, or its view cannot be made or bound.
pub fn prepare(root: &Root, program: &Path) -> Result<PathBuf, ApplyError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| ApplyError::new(what, error)
    };
    let toplevel = match program.parent() {
        Some(folder) if folder.starts_with(STORE) => folder.to_owned(),
        _ => root.resolve_target(PROFILE).map_err(failed("find the container's system"))?,
    };
    let image = root.resolve_target(toplevel.join("sw/usr.erofs")).map_err(failed("find the system's view"))?;
    let tree = tree_of(root, &image).map_err(failed("make the container's /usr"))?;
    // A person may have laid something there, which stays below.
    let bound = bind(&tree, &root.path("/usr"), MountFlags::empty()).and_then(|()| {
        change(&root.path("/usr"), MountFlags::MS_REMOUNT | MountFlags::MS_BIND | MountFlags::MS_RDONLY)
    });
    bound.map_err(|error| ApplyError::new("show the container's /usr", error))?;
    for file in MANAGERS {
        // Mostly nothing is there.
        let _ = umount(&root.path(file), UmountFlags::MNT_DETACH);
    }
    Ok(toplevel)
}

/// The tree of a view, made if it is not there. Those of other views go: what has one mounted keeps it.
fn tree_of(root: &Root, image: &Path) -> io::Result<PathBuf> {
    let name = image.parent().and_then(Path::file_name).unwrap_or_default();
    let trees = root.path(TREES);
    let tree = trees.join(name);
    if !tree.exists() {
        let part = trees.join("part");
        remove_tree(&part)?;
        fs::create_dir_all(&trees)?;
        let entries = read(&fs::read(root.path(image))?).map_err(io::Error::other)?;
        for entry in &entries {
            make(root, &part, entry)?;
        }
        fs::rename(&part, &tree)?;
    }
    for entry in fs::read_dir(&trees)? {
        let other = entry?.path();
        if other != tree {
            remove_tree(&other)?;
        }
    }
    Ok(tree)
}

/// Makes one entry below `tree`; its folder is there.
fn make(root: &Root, tree: &Path, entry: &Found) -> io::Result<()> {
    let Found { path, metadata, content } = entry;
    let place = tree.join(std::ffi::OsStr::from_bytes(path));
    match content {
        Content::Directory => {
            fs::create_dir(&place)?;
            own(&place, metadata)
        }
        Content::Symlink { target } => symlink(std::ffi::OsStr::from_bytes(target), &place),
        Content::File { redirect, .. } => {
            let Some(redirect) = redirect else {
                fs::File::create(&place)?;
                return own(&place, metadata);
            };
            let source = root.path(format!("{STORE}{}", String::from_utf8_lossy(redirect)));
            if is_as_in_the_store(metadata, &source)? && fs::hard_link(&source, &place).is_ok() {
                return Ok(());
            }
            fs::copy(&source, &place)?;
            own(&place, metadata)
        }
        // The reader gives no others.
        _ => Ok(()),
    }
}

/// Whether a file may be the store's own: everybody may read it, and run it if it is a program, and that is all.
fn is_as_in_the_store(metadata: &Metadata, source: &Path) -> io::Result<bool> {
    let is_program = fs::metadata(source)?.permissions().mode() & 0o111 == 0o111;
    let usual = if is_program { 0o555 } else { 0o444 };
    let mode = u32::from(metadata.mode);
    Ok((metadata.uid, metadata.gid) == (0, 0)
        && metadata.xattrs.is_empty()
        && mode & !0o222 == usual
        && mode & 0o022 == 0)
}

fn own(place: &Path, metadata: &Metadata) -> io::Result<()> {
    let Metadata { mode, uid, gid, xattrs, .. } = metadata;
    set_owner(place, Ownership { mode: u32::from(*mode), uid: *uid, gid: *gid })?;
    fs::set_permissions(place, Permissions::from_mode(u32::from(*mode)))?;
    for (name, value) in xattrs {
        rustix::fs::setxattr(place, name.as_slice(), value, rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use disk_formats::erofs::{Entry, Options, Tree};

    use super::*;

    #[test]
    fn a_view_becomes_links_to_the_store_and_copies_of_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path());
        let package = root.path("/nix/store/00-x/usr/bin");
        fs::create_dir_all(&package).unwrap();
        for (name, mode) in [("tool", 0o555), ("su", 0o555), ("notes", 0o444)] {
            fs::write(package.join(name), name).unwrap();
            fs::set_permissions(package.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let mut tree = Tree::new();
        let mine = fs::metadata(&package).unwrap();
        let mut add = |path: &str, mode: u16, content: Content| {
            // Whoever runs the test owns everything; as root it is as on a machine.
            let metadata = Metadata { mode, uid: mine.uid(), gid: mine.gid(), ..Metadata::default() };
            tree.insert(path.as_bytes(), Entry { metadata, content }).unwrap();
        };
        let file = |name: &str| {
            let redirect = Some(format!("/00-x/usr/bin/{name}").into_bytes());
            Content::File { size_bytes: name.len() as u64, redirect }
        };
        add("bin", 0o755, Content::Directory);
        add("bin/tool", 0o755, file("tool"));
        add("bin/su", 0o4755, file("su"));
        add("bin/notes", 0o640, file("notes"));
        add("bin/t", 0o777, Content::Symlink { target: b"tool".to_vec() });
        fs::create_dir_all(root.path("/nix/store/01-sw")).unwrap();
        fs::create_dir_all(root.path(TREES).join("old/bin")).unwrap();
        let mut image = Vec::new();
        tree.write_to(&Options::default(), &mut image).unwrap();
        fs::write(root.path("/nix/store/01-sw/usr.erofs"), image).unwrap();

        let made = tree_of(&root, Path::new("/nix/store/01-sw/usr.erofs")).unwrap();
        assert_eq!(made, root.path(TREES).join("01-sw"));
        let of = |path: &Path| fs::metadata(path).unwrap();
        if mine.uid() == 0 {
            assert_eq!(of(&made.join("bin/tool")).ino(), of(&package.join("tool")).ino());
        }
        assert_ne!(of(&made.join("bin/su")).ino(), of(&package.join("su")).ino());
        assert_eq!(of(&made.join("bin/su")).mode() & 0o7777, 0o4755);
        assert_eq!(of(&made.join("bin/notes")).mode() & 0o7777, 0o640);
        assert_eq!(of(&package.join("su")).mode() & 0o7777, 0o555, "the store is as it was");
        assert_eq!(fs::read_to_string(made.join("bin/t")).unwrap(), "tool");
        assert_eq!(fs::read_dir(root.path(TREES)).unwrap().count(), 1);
        let again = tree_of(&root, Path::new("/nix/store/01-sw/usr.erofs")).unwrap();
        assert_eq!(again, made);
    }
}
