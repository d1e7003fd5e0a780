//! Where the files of /nix/store lie, for whoever mounts a view of them.
//!
//! On a machine with a store of its own that is /nix/store itself. A virtual machine that shares its host's store has an
//! overlay there: what the host has below, read-only, what the machine adds above. A view is an overlay, too, and
//! filesystems stack two deep at most; so a view never goes through that overlay, but takes the folders that it is made
//! of, each as a data layer. Nothing is mounted here.

use std::path::{Path, PathBuf};

/// The store, as the system names it.
const STORE: &str = "nix/store";
/// Where a shared store's host is mounted.
const READ_ONLY: &str = "nix/.ro-store";
/// What the machine adds to a shared store.
const UPPER: &str = "nix/.rw-store/upper";
/// The overlay's own folder, on the same filesystem.
const WORK: &str = "nix/.rw-store/work";

/// The folders of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLayers {
    store: PathBuf,
    folders: Vec<PathBuf>,
}

/// The parts of a shared store's overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOverlay {
    /// What the host has.
    pub lower: PathBuf,
    /// What the machine adds.
    pub upper: PathBuf,
    /// For the overlay's own use.
    pub work: PathBuf,
    /// Where it is mounted.
    pub store: PathBuf,
}

impl StoreOverlay {
    /// The overlay in the system below `root`.
    pub fn below(root: &Path) -> Self {
        Self { lower: root.join(READ_ONLY), upper: root.join(UPPER), work: root.join(WORK), store: root.join(STORE) }
    }
}

impl StoreLayers {
    /// A store that is one folder, in the system below `root`.
    pub fn own(root: &Path) -> Self {
        let store = root.join(STORE);
        Self { folders: vec![store.clone()], store }
    }

    /// A store that is shared with a host.
    pub fn shared(root: &Path) -> Self {
        let StoreOverlay { lower, upper, store, .. } = StoreOverlay::below(root);
        // A file of the machine's hides one of the host's, as it does in the overlay.
        Self { folders: vec![upper, lower], store }
    }

    /// What the running system has, by its mount table (proc_pid_mountinfo(5)).
    pub fn of_mounts(mountinfo: &str) -> Self {
        let root = Path::new("/");
        let is_overlay = |line: &str| {
            let (place, filesystem) = line.split_once(" - ").unwrap_or_default();
            let mount_point = place.split(' ').nth(4).unwrap_or_default();
            Path::new(mount_point) == root.join(STORE) && filesystem.starts_with("overlay ")
        };
        if mountinfo.lines().any(is_overlay) { Self::shared(root) } else { Self::own(root) }
    }

    /// The folders, in the order in which they are searched.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Where a file of the store lies itself: in the first folder that has it. A path that no folder has, or that is not in
    /// the store, stays as it is.
    pub fn locate(&self, path: &Path) -> PathBuf {
        let Ok(inside) = path.strip_prefix(&self.store) else {
            return path.to_owned();
        };
        let places = self.folders.iter().map(|folder| folder.join(inside));
        places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_table_tells_a_shared_store() {
        let own = "30 29 254:2 /store /nix/store ro,nosuid - ext4 /dev/vda2 rw\n\
                   31 30 0:6 / /usr ro - overlay /nix/store/a-sw/usr.erofs ro\n";
        assert_eq!(StoreLayers::of_mounts(own).folders(), [Path::new("/nix/store")]);
        let shared = "30 29 0:30 / /nix/store rw - overlay overlay rw,lowerdir=/sysroot/nix/.ro-store\n\
                      31 30 0:30 / /nix/store ro,nosuid - overlay overlay rw\n";
        let folders = ["/nix/.rw-store/upper", "/nix/.ro-store"].map(PathBuf::from);
        assert_eq!(StoreLayers::of_mounts(shared).folders(), folders);
    }

    #[test]
    fn a_file_is_found_in_the_layer_that_has_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in ["nix/.ro-store/a-sw", "nix/.rw-store/upper/b-sw"] {
            std::fs::create_dir_all(at(path)).unwrap();
            std::fs::write(at(path).join("usr.erofs"), "").unwrap();
        }
        let layers = StoreLayers::shared(root.path());
        let located = |name: &str| layers.locate(&at("nix/store").join(name).join("usr.erofs"));
        assert_eq!(located("a-sw"), at("nix/.ro-store/a-sw/usr.erofs"));
        assert_eq!(located("b-sw"), at("nix/.rw-store/upper/b-sw/usr.erofs"));
        assert_eq!(located("c-sw"), at("nix/store/c-sw/usr.erofs"));
        assert_eq!(layers.locate(Path::new("/elsewhere")), Path::new("/elsewhere"));
    }
}
