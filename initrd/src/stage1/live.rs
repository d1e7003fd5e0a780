//! The phase of a live system: its store is one compressed file on a medium, in memory, or in the initrd.
//!
//! The file is an EROFS image of what is on /nix otherwise. Its store becomes /nix/store; the rest, which is small and has
//! to be writable, is copied to what is mounted on /nix. The file is mounted through a loop device: kernels that mount
//! files refuse to mount one, the view, that lies on another one. The mounts in between are detached at once, so that the
//! running system has none of them in its way; with a store in memory that frees the medium.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use syscalls::loop_device::LoopDevice;
use syscalls::mount::{MountFlags, UmountFlags, bind, mount, umount};

use super::Boot;
use super::block_device::wait_for;
use super::error::Stage1Error;
use super::filesystems::{STORE, make_directory};

/// Mount points that are only used here.
const MEDIUM: &str = "/run/esker/medium";
const MEMORY: &str = "/run/esker/memory";
const IMAGE: &str = "/run/esker/live";

/// Mounts the store of a live system; does nothing in another one.
pub(super) fn mount_live_store(boot: &mut Boot) -> Result<(), Stage1Error> {
    let Some(live) = boot.settings.live.clone() else {
        return Ok(());
    };
    let file = match &live.medium {
        None => live.file,
        Some(medium) => {
            mount_medium(boot, medium)?;
            let file = Path::new(MEDIUM).join(live.file.strip_prefix("/").unwrap_or(&live.file));
            if boot.command_line.copy_to_ram { copy_to_memory(boot, &file)? } else { file }
        }
    };
    mount_image(&file)?;
    let nix = boot.system.join(Path::new("/nix"));
    copy_tree(&Path::new(IMAGE).join("var"), &nix.join("var"))?;
    let store = boot.system.join(Path::new(STORE));
    make_directory(&store)?;
    bind(&Path::new(IMAGE).join("store"), &store, MountFlags::empty())?;
    for place in [IMAGE, MEMORY, MEDIUM].map(Path::new).into_iter().filter(|place| place.exists()) {
        umount(place, UmountFlags::MNT_DETACH)?;
        // An empty folder more or less harms nobody.
        let _ = fs::remove_dir(place);
    }
    Ok(())
}

fn mount_medium(boot: &mut Boot, medium: &str) -> Result<(), Stage1Error> {
    let device = wait_for(boot, medium)?;
    let fs_type = device.filesystem.map_or("iso9660", |found| found.fs_type);
    let target = Path::new(MEDIUM);
    make_directory(target)?;
    mount(&device.node, target, fs_type, MountFlags::MS_RDONLY, "").map_err(|source| Stage1Error::Mount {
        device: medium.to_owned(),
        fs_type: fs_type.to_owned(),
        mount_point: target.to_owned(),
        source: Box::new(source),
    })
}

/// Copies the store's file to memory of its own, which holds as much as there is.
fn copy_to_memory(boot: &Boot, file: &Path) -> Result<PathBuf, Stage1Error> {
    let failed = |source| Stage1Error::LiveStore { action: "copy to memory", path: file.to_owned(), source };
    make_directory(Path::new(MEMORY))?;
    mount(Path::new("tmpfs"), Path::new(MEMORY), "tmpfs", MountFlags::empty(), "mode=700,size=100%")?;
    let copy = Path::new(MEMORY).join("store");
    let size_bytes = file.metadata().map_err(failed)?.len();
    boot.report.info(&format!("copying {} MiB to memory", size_bytes >> 20));
    io::copy(&mut File::open(file).map_err(failed)?, &mut File::create(&copy).map_err(failed)?).map_err(failed)?;
    Ok(copy)
}

fn mount_image(file: &Path) -> Result<(), Stage1Error> {
    if let Err(source) = file.metadata() {
        return Err(Stage1Error::LiveStore { action: "find", path: file.to_owned(), source });
    }
    make_directory(Path::new(IMAGE))?;
    // The mount holds the device from here on.
    let device = LoopDevice::read_only(file)?;
    mount(device.path(), Path::new(IMAGE), "erofs", MountFlags::MS_RDONLY, "").map_err(|source| Stage1Error::Mount {
        device: file.display().to_string(),
        fs_type: "erofs".to_owned(),
        mount_point: IMAGE.into(),
        source: Box::new(source),
    })
}

/// Copies folders, files and links; everything becomes the owner's to write.
fn copy_tree(source: &Path, target: &Path) -> Result<(), Stage1Error> {
    let failed = |error| Stage1Error::Make { path: target.to_owned(), source: error };
    let kind = source.symlink_metadata().map_err(failed)?.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(source).map_err(failed)?, target).map_err(failed);
    }
    if kind.is_file() {
        fs::copy(source, target).map_err(failed)?;
        return fs::set_permissions(target, fs::Permissions::from_mode(0o644)).map_err(failed);
    }
    make_directory(target)?;
    for entry in fs::read_dir(source).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        copy_tree(&source.join(&name), &target.join(&name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_copied_and_becomes_writable() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("var"), dir.path().join("copy"));
        fs::create_dir_all(source.join("nix/db")).unwrap();
        fs::write(source.join("nix/db/db.sqlite"), "rows").unwrap();
        fs::set_permissions(source.join("nix/db/db.sqlite"), fs::Permissions::from_mode(0o444)).unwrap();
        symlink("system-1-link", source.join("nix/system")).unwrap();
        copy_tree(&source, &target).unwrap();
        assert_eq!(fs::read_to_string(target.join("nix/db/db.sqlite")).unwrap(), "rows");
        assert_eq!(target.join("nix/db/db.sqlite").metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(target.join("nix/system").read_link().unwrap(), Path::new("system-1-link"));
    }
}
