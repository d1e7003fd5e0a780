//! A disk with a signed binary cache: how a machine of a story gets its next generation.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Lab;

/// A disk that holds a signed binary cache of one system.
#[derive(Debug)]
pub struct CacheDisk {
    /// The disk: ext4 with the label `cache`.
    pub image: PathBuf,
    /// The system's toplevel.
    pub toplevel: String,
    /// The key that the cache is signed with, as `trusted-public-keys` takes it.
    pub public_key: String,
    // Removes the image.
    _folder: tempfile::TempDir,
}

impl CacheDisk {
    /// Exports a system of `tests/systems` and puts the cache on an ext4 disk.
    pub fn make(lab: &Lab, system: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cache-").tempdir_in(lab.state()).expect("a folder for the cache");
        let (keys, cache, image) =
            (folder.path().join("keys"), folder.path().join("cache"), folder.path().join("cache.img"));
        fs_err::create_dir(&keys).expect("a folder for the keys");
        let public_key = lab.json(&["cache", "key", "stories-1", "--to", text(&keys)]);
        let configuration = lab.file(&format!("systems/{system}.nix"));
        let secret = keys.join("stories-1.secret");
        let report = lab.json(&["cache", "export", text(&configuration), "--to", text(&cache), "--key", text(&secret)]);
        let made = Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-L", "cache", "-m", "0", "-d", text(&cache), text(&image), "1G"])
            .output()
            .expect("mke2fs (package e2fsprogs) runs");
        assert!(made.status.success(), "mke2fs failed: {}", String::from_utf8_lossy(&made.stderr));
        fs_err::remove_dir_all(&cache).expect("the folder is removed");
        let string = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            image,
            toplevel: string(&report["toplevel"]),
            public_key: string(&public_key["public"]),
            _folder: folder,
        }
    }

    /// Mounts the disk, in the guest.
    pub const MOUNT: &str = "mkdir -p /mnt/cache && mount -o ro /dev/disk/by-label/cache /mnt/cache";

    /// An `esker` command line for the guest, with the disk mounted.
    pub fn command(&self, verb: &str) -> String {
        format!(
            "esker --json {verb} --toplevel {} --from file:///mnt/cache --trusted-key {}",
            self.toplevel, self.public_key
        )
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
