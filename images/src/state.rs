//! The disk of a virtual machine that shares its host's store: what the machine adds to the store, and its state.
//!
//! One ext4 filesystem without a partition table, mounted on `/nix`, with the folders that stage 1 and the store expect and
//! nothing in them. It is the same whatever system will run on it, so it outlives all of them. The store's database is
//! made by the machine, which is told by its host what the shared store has.

use std::path::Path;

use disk_formats::ext4::{Content, Layout, Metadata, NodeId, Options, Tree};
use disk_formats::guid::Guid;
use sha2::{Digest, Sha256};

use crate::ImageError;
use crate::contents::TIME;
use crate::output::{self, Output};

/// The filesystem's label, by which stage 1 finds it; `modules/virtualisation/shared-store.nix` says the same.
pub const STATE_LABEL: &str = "esker-state";

/// The folders, outer ones first.
const FOLDERS: &[&str] = &[
    "store",
    // Stage 1 makes an overlay of both: crates/usr-view/src/layers.rs.
    ".ro-store",
    ".rw-store",
    ".rw-store/upper",
    ".rw-store/upper/.links",
    ".rw-store/work",
    "persist",
    "var",
    "var/esker",
    "var/log",
    "var/log/nix",
    "var/log/nix/drvs",
    "var/nix",
    "var/nix/db",
    "var/nix/gcroots",
    "var/nix/gcroots/auto",
    "var/nix/profiles",
    "var/nix/temproots",
];

/// Writes such a disk, of this length; most of the file is a hole. A file of that name is replaced.
///
/// Errors when the file cannot be written, or is too small for a filesystem.
pub fn write_state_disk(path: &Path, size_bytes: u64) -> Result<(), ImageError> {
    output::check(path)?;
    let options = Options {
        size_bytes,
        uuid: Guid::from_digest(&Sha256::digest("esker state disk 1").into()).0,
        label: STATE_LABEL.as_bytes().to_vec(),
        time: TIME,
    };
    let layout = Layout::plan(tree()?, options)?;
    let output = Output::create(path)?;
    output.file().set_len(size_bytes).map_err(output.failed("resize"))?;
    layout
        .write_metadata(&mut output.window(0, size_bytes)?)
        .map_err(|error| ImageError::from(error).of_image(path))?;
    output.finish()
}

fn tree() -> Result<Tree, ImageError> {
    let metadata = |mode| Metadata { mode, uid: 0, gid: 0, mtime: TIME };
    let mut tree = Tree::new(metadata(0o755));
    for folder in FOLDERS {
        let (parent, name) = place(&tree, folder);
        tree.add(parent, name.as_bytes(), metadata(0o755), Content::Directory)?;
    }
    let (parent, name) = place(&tree, "var/nix/gcroots/profiles");
    let target = b"/nix/var/nix/profiles".to_vec();
    tree.add(parent, name.as_bytes(), metadata(0o777), Content::Symlink { target })?;
    Ok(tree)
}

/// The folder that a path is in, and the path's name there.
fn place<'p>(tree: &Tree, path: &'p str) -> (NodeId, &'p str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parts = folder.split('/').filter(|part| !part.is_empty());
    let parent = parts.fold(tree.root(), |node, part| tree.child(node, part.as_bytes()).unwrap_or(node));
    (parent, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn it_is_a_sound_filesystem_in_a_sparse_file_and_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.img"), folder.path().join("b.img"));
        for path in [&first, &second] {
            write_state_disk(path, 256 << 20).unwrap();
        }
        assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap());
        assert!(first.metadata().unwrap().blocks() * 512 < 32 << 20);
        let checked = Command::new("/usr/sbin/e2fsck").args(["-f", "-n"]).arg(&first).output();
        let checked = checked.expect("e2fsck (Debian package e2fsprogs)");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        let listed = Command::new("/usr/sbin/debugfs").args(["-R", "ls -p /.rw-store/upper"]).arg(&first).output();
        let listed = String::from_utf8(listed.expect("debugfs (Debian package e2fsprogs)").stdout).unwrap();
        assert!(listed.contains("/.links/"), "{listed}");
    }
}
