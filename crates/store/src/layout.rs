//! Where a store's files lie: the translation between logical paths and the disk.
//!
//! ```text
//! root/nix/store/                    paths, `.links/` (deduplicated files), `tmp-*` (scratch), `*.lock`
//! root/nix/var/nix/db/               db.sqlite, schema, big-lock, reserved
//! root/nix/var/nix/{gc.lock,gcroots,profiles,temproots}
//! root/nix/var/log/nix/drvs/         build logs
//! root/nix/var/esker/                what only Esker keeps
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use nix_formats::{StoreDir, StorePath};

use crate::{Context as _, StoreError};

/// The folders of one store.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    store_dir: StoreDir,
    physical_store: PathBuf,
}

impl Layout {
    /// The layout below `root`, which is made absolute but need not exist.
    ///
    /// Errors when the working folder is needed and gone.
    pub fn new(root: &Path, store_dir: StoreDir) -> Result<Self, StoreError> {
        let absolute = std::path::absolute(root).context("find", root)?;
        // Roots found in /proc and in links are compared with this path, so it must be the real one.
        let root = absolute.canonicalize().unwrap_or(absolute);
        let physical_store = below(&root, Path::new(store_dir.as_str()));
        Ok(Self { root, store_dir, physical_store })
    }

    /// What stands for `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The logical store folder.
    #[must_use]
    pub fn store_dir(&self) -> &StoreDir {
        &self.store_dir
    }

    /// The physical store folder.
    #[must_use]
    pub fn physical_store(&self) -> &Path {
        &self.physical_store
    }

    /// Whether logical and physical paths differ.
    #[must_use]
    pub fn is_chroot(&self) -> bool {
        self.physical_store.as_os_str().as_bytes() != self.store_dir.as_str().as_bytes()
    }

    /// Where a path's files lie.
    #[must_use]
    pub fn physical(&self, path: &StorePath) -> PathBuf {
        self.physical_store.join(path.base_name())
    }

    /// Where an absolute logical path lies (`/nix/store/…/bin/x`, `/nix/var/…`).
    #[must_use]
    pub fn physical_of_logical(&self, logical: &Path) -> PathBuf {
        below(&self.root, logical)
    }

    /// The store path that a logical *or* physical path lies in; `None` when it lies in no store path.
    #[must_use]
    pub fn store_path_of(&self, path: &Path) -> Option<StorePath> {
        let inside =
            path.strip_prefix(&self.physical_store).or_else(|_| path.strip_prefix(self.store_dir.as_str())).ok()?;
        match inside.components().next()? {
            Component::Normal(name) => StorePath::from_base_name(name.to_str()?).ok(),
            _ => None,
        }
    }

    /// Nix's state folder, `nix/var/nix`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("nix/var/nix")
    }

    /// Esker's own state folder, `nix/var/esker`.
    #[must_use]
    pub fn esker_state(&self) -> PathBuf {
        self.root.join("nix/var/esker")
    }

    /// Trees of views as programs see them, `nix/var/esker/views`.
    #[must_use]
    pub fn views(&self) -> PathBuf {
        self.esker_state().join("views")
    }

    /// The log folder, `nix/var/log/nix/drvs`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("nix/var/log/nix/drvs")
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.state().join("db")
    }

    pub(crate) fn db_file(&self) -> PathBuf {
        self.db().join("db.sqlite")
    }

    pub(crate) fn gc_lock(&self) -> PathBuf {
        self.state().join("gc.lock")
    }

    pub(crate) fn temp_roots(&self) -> PathBuf {
        self.state().join("temproots")
    }

    /// The folder of permanent roots, `nix/var/nix/gcroots`.
    #[must_use]
    pub fn gc_roots(&self) -> PathBuf {
        self.state().join("gcroots")
    }

    /// The folder of profiles, `nix/var/nix/profiles`.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.state().join("profiles")
    }

    /// The store of a virtual machine's host, where this store is what the machine adds to it: what lies there can be hidden
    /// here and never be removed. Source: crates/usr-view/src/layers.rs.
    fn shared_store(&self) -> PathBuf {
        self.root.join("nix/.ro-store")
    }

    /// Whether a name in the store folder is the host's, and not this store's to remove.
    pub(crate) fn is_shared(&self, name: &str) -> bool {
        self.shared_store().join(name).symlink_metadata().is_ok()
    }

    pub(crate) fn links(&self) -> PathBuf {
        self.physical_store.join(".links")
    }

    pub(crate) fn lock_file(&self, path: &StorePath) -> PathBuf {
        self.physical_store.join(format!("{path}.lock"))
    }

    pub(crate) fn create_folders(&self) -> Result<(), StoreError> {
        // Everything else is made after this one: when it exists, nothing is left to do.
        let auto = self.gc_roots().join("auto");
        let profile_roots = self.gc_roots().join("profiles");
        if auto.is_dir() && profile_roots.is_symlink() {
            return Ok(());
        }
        for folder in [self.links(), self.db(), self.temp_roots(), self.profiles(), self.gc_roots(), self.logs()] {
            std::fs::create_dir_all(&folder).context("create folder", &folder)?;
        }
        for folder in [&self.physical_store, &self.links(), &self.state()] {
            let permissions = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder, permissions).context("set the mode of", folder)?;
        }
        match symlink(self.store_state_path("profiles"), &profile_roots) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error).context("create link", &profile_roots)?;
            }
            _ => {}
        }
        std::fs::create_dir_all(&auto).context("create folder", &auto)
    }

    /// A path in the state folder as Nix writes it into links: physical, as `gcroots/profiles` is.
    fn store_state_path(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }
}

/// `root` + an absolute path. `Path::join` would let the absolute path replace the root.
fn below(root: &Path, absolute: &Path) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(absolute.components().filter(|part| matches!(part, Component::Normal(_))));
    path
}

/// The base name of a file as a store path, if it is one.
pub(crate) fn base_name_as_store_path(name: &OsStr) -> Option<StorePath> {
    StorePath::from_base_name(name.to_str()?).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix_formats::StoreDir;

    use super::Layout;

    #[test]
    fn logical_and_physical_paths_translate() {
        let layout = Layout::new(Path::new("/some/where"), StoreDir::default()).unwrap();
        let base = "7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-konsole-18.12.3";
        let logical = format!("/nix/store/{base}/bin/x");
        let physical = format!("/some/where{logical}");
        assert_eq!(layout.physical_of_logical(Path::new(&logical)), Path::new(&physical));
        for path in [logical, physical] {
            assert_eq!(layout.store_path_of(Path::new(&path)).unwrap().base_name(), base);
        }
        assert_eq!(layout.store_path_of(Path::new("/nix/store/.links/x")), None);
        assert!(layout.is_chroot());
        assert!(!Layout::new(Path::new("/"), StoreDir::default()).unwrap().is_chroot());
    }
}
