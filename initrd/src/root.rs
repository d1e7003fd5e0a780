//! A directory taken for the root of a filesystem tree: absolute symlinks in it lead to places in it.
//!
//! Stage 1 looks at the new root before it is the root; the packer looks at stores that lie elsewhere on the disk.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The kernel's own limit of symlinks in one look-up.
const MAX_LINKS: usize = 40;

/// The root of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// The tree at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where `inside` (absolute or relative to the root) is from outside, without looking.
    pub fn join(&self, inside: &Path) -> PathBuf {
        self.path.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Where `inside` is from outside after following all symlinks as a process in the root would.
    ///
    /// Errors when a part does not exist or there are too many symlinks.
    pub fn resolve(&self, inside: &Path) -> io::Result<PathBuf> {
        let mut waiting = names(inside);
        let mut resolved = PathBuf::new();
        let mut links = 0;
        while let Some(name) = waiting.pop_front() {
            if name == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(&name);
            let outside = self.path.join(&next);
            if !outside.symlink_metadata()?.is_symlink() {
                resolved = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::other(format!("too many symlinks in `{}`", inside.display())));
            }
            let target = outside.read_link()?;
            if target.is_absolute() {
                resolved = PathBuf::new();
            }
            let mut first = names(&target);
            first.append(&mut waiting);
            waiting = first;
        }
        Ok(self.path.join(resolved))
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("nix/store/a-system")).unwrap();
        std::fs::create_dir_all(dir.path().join("nix/store/b-sw/bin")).unwrap();
        symlink("/nix/store/b-sw", dir.path().join("nix/store/a-system/sw")).unwrap();
        symlink("../../b-sw/bin", dir.path().join("nix/store/b-sw/bin/self")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let root = Root::new(dir.path());
        (dir, root)
    }

    #[test]
    fn absolute_links_stay_inside() {
        let (dir, root) = tree();
        let found = root.resolve(Path::new("/nix/store/a-system/sw/bin")).unwrap();
        assert_eq!(found, dir.path().join("nix/store/b-sw/bin"));
    }

    #[test]
    fn parents_are_those_of_the_links_target() {
        let (dir, root) = tree();
        let found = root.resolve(Path::new("/nix/store/a-system/sw/bin/self")).unwrap();
        assert_eq!(found, dir.path().join("nix/store/b-sw/bin"));
    }

    #[test]
    fn nothing_leads_above_the_root() {
        let (dir, root) = tree();
        assert_eq!(root.resolve(Path::new("/../../nix")).unwrap(), dir.path().join("nix"));
    }

    #[test]
    fn loops_and_missing_parts_are_errors() {
        let (_dir, root) = tree();
        assert!(root.resolve(Path::new("/loop")).unwrap_err().to_string().contains("too many"));
        assert_eq!(root.resolve(Path::new("/nix/none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
