//! Collector roots for mounted views.
//!
//! A service with a mount namespace of its own keeps the /usr it started with. The view's image stays alive while it is
//! mounted, but the packages whose files it shows do not. So each view that gets mounted has a link in
//! `/nix/var/nix/gcroots/esker-views/`, and the link goes only when no mount table has the view any more.
//!
//! Source: proc_pid_mountinfo(5); a view's mount names its image as its source (see `usr-view`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::root::{Root, replace_link};

/// The directory of the links; a link is called like the store path it points to.
const VIEW_ROOTS: &str = "/nix/var/nix/gcroots/esker-views";

/// Keeps the store path of a view's image alive.
pub(crate) fn keep(root: &Root, image: &Path) -> io::Result<()> {
    let Some((name, store_path)) = store_path_of(image) else {
        return Ok(());
    };
    let directory = root.path(VIEW_ROOTS);
    fs::create_dir_all(&directory)?;
    replace_link(&directory.join(name), &store_path)
}

/// Drops the links of views that nobody has mounted.
pub(crate) fn drop_unmounted(root: &Root) -> io::Result<()> {
    let mounted = mounted_anywhere()?;
    let entries = match fs::read_dir(root.path(VIEW_ROOTS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| mounted.contains(name)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Drops all links: after a boot only the booted view is mounted, and that has a root of its own.
pub(crate) fn drop_all(root: &Root) -> io::Result<()> {
    match fs::remove_dir_all(root.path(VIEW_ROOTS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Names of all store paths that a mount of any process has as its source.
fn mounted_anywhere() -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        // A process that ended meanwhile has nothing mounted.
        if let Ok(table) = fs::read_to_string(entry.path().join("mountinfo")) {
            names.extend(sources(&table));
        }
    }
    Ok(names)
}

fn sources(mountinfo: &str) -> impl Iterator<Item = String> {
    let sources = mountinfo.lines().filter_map(|line| line.split_once(" - ")?.1.split(' ').nth(1));
    sources.filter_map(|source| Some(store_path_of(Path::new(source))?.0))
}

/// `/nix/store/<name>/…` → the name and the store path.
fn store_path_of(image: &Path) -> Option<(String, PathBuf)> {
    let name = image.strip_prefix("/nix/store").ok()?.components().next()?.as_os_str();
    Some((name.to_str()?.to_owned(), Path::new("/nix/store").join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_mounts_are_found() {
        let text = "31 30 0:6 / /usr ro shared:1 master:2 - overlay /nix/store/a-sw/usr.erofs ro,lowerdir+=x\n\
                    32 30 0:7 / / rw - tmpfs root rw\n";
        assert_eq!(sources(text).collect::<Vec<_>>(), ["a-sw"]);
    }

    #[test]
    fn a_view_is_kept_until_nobody_has_it_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        drop_unmounted(&root).unwrap();
        keep(&root, Path::new("/nix/store/00-sw/usr.erofs")).unwrap();
        let link = root.path(VIEW_ROOTS).join("00-sw");
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("/nix/store/00-sw"));
        drop_unmounted(&root).unwrap();
        assert!(link.symlink_metadata().is_err());
        keep(&root, Path::new("/nix/store/00-sw/usr.erofs")).unwrap();
        drop_all(&root).unwrap();
        drop_all(&root).unwrap();
        assert!(link.symlink_metadata().is_err());
    }
}
