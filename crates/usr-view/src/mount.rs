//! Applying a [`ViewMount`].
//!
//! Everything is put together in a private tmpfs and attached in one call, so that a reader of the target finds
//! either nothing of the new view or all of it.

use std::path::Path;

use syscalls::fs_context::{Depth, DetachedMount, FsContext, MountAttributes, Placement};
use syscalls::loop_device::LoopDevice;
use syscalls::mount::{MountFlags, UmountFlags, bind, change, mount, umount};
use syscalls::{Errno, SyscallError};

use crate::{ViewError, ViewMount};

/// How a view comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// Over whatever is there: the first view of a boot.
    OnTop,
    /// In place of the view that is there, which stays usable for whoever has it open. Every look-up finds the old
    /// or the new view. The target must be a mount point.
    Flip,
}

/// Mounts the view. When it fails, what was at the target is still there.
pub fn apply(view: &ViewMount, attachment: Attachment) -> Result<(), ViewError> {
    let staging = Staging::prepare(&view.staging)?;
    let result = assemble(view, &staging).and_then(|()| attach(view, &staging, attachment));
    // Detaching takes the helper mounts with it; the attached copy keeps the filesystems alive.
    let dismantled = staging.dismantle();
    result.and(dismantled)
}

fn assemble(view: &ViewMount, staging: &Staging<'_>) -> Result<(), ViewError> {
    let metadata = staging.path.join(METADATA);
    let root = staging.path.join(ROOT);
    mount_metadata(&view.image)
        .and_then(|image| image.attach(&metadata, Placement::OnTop))
        .map_err(|source| ViewError::Metadata { image: view.image.clone(), source })?;
    mount_overlay(view, &metadata)
        .and_then(|overlay| overlay.attach(&root, Placement::OnTop))
        .map_err(|source| ViewError::Overlay { image: view.image.clone(), source })?;
    for cover in &view.covers {
        bind(&cover.source, &root.join(&cover.target), MountFlags::MS_REC).map_err(|source| ViewError::Cover {
            source_path: cover.source.clone(),
            target: cover.target.clone(),
            source,
        })?;
    }
    Ok(())
}

fn attach(view: &ViewMount, staging: &Staging<'_>, attachment: Attachment) -> Result<(), ViewError> {
    let placement = match attachment {
        Attachment::OnTop => Placement::OnTop,
        Attachment::Flip => Placement::Beneath,
    };
    DetachedMount::copy_of(&staging.path.join(ROOT), Depth::Tree)
        .and_then(|tree| tree.attach(&view.target, placement))
        .map_err(|source| ViewError::Attach { image: view.image.clone(), target: view.target.clone(), source })?;
    if attachment == Attachment::Flip {
        umount(&view.target, UmountFlags::MNT_DETACH)
            .map_err(|source| ViewError::Detach { target: view.target.clone(), source })?;
    }
    Ok(())
}

/// Mounts the image from its file, or through a loop device on kernels that cannot.
fn mount_metadata(image: &Path) -> Result<DetachedMount, SyscallError> {
    match mount_erofs(image) {
        // What a kernel says that wants a block device.
        Err(error) if error.errno == Errno::ENOTBLK => mount_through_loop_device(image),
        result => result,
    }
}

fn mount_through_loop_device(image: &Path) -> Result<DetachedMount, SyscallError> {
    let device = LoopDevice::read_only(image)?;
    mount_erofs(device.path())
}

fn mount_erofs(source: &Path) -> Result<DetachedMount, SyscallError> {
    let erofs = FsContext::open("erofs")?;
    erofs.set_string("source", source)?;
    erofs.set_flag("ro")?;
    erofs.mount(MountAttributes::READ_ONLY)
}

fn mount_overlay(view: &ViewMount, metadata: &Path) -> Result<DetachedMount, SyscallError> {
    let overlay = FsContext::open("overlay")?;
    overlay.set_string("source", &view.name)?;
    overlay.set_string("lowerdir+", metadata)?;
    for store in &view.stores {
        overlay.set_string("datadir+", store)?;
    }
    overlay.set_string("metacopy", "on")?;
    overlay.set_string("redirect_dir", "on")?;
    overlay.set_flag("ro")?;
    overlay.mount(MountAttributes::READ_ONLY)
}

const METADATA: &str = "metadata";
const ROOT: &str = "root";

/// A private tmpfs with two mount points. Private, so that nothing in it shows up in other mount namespaces.
struct Staging<'a> {
    path: &'a Path,
}

impl<'a> Staging<'a> {
    fn prepare(path: &'a Path) -> Result<Self, ViewError> {
        let failed = |source| ViewError::Staging { path: path.to_owned(), source };
        let create = |directory: &Path| {
            std::fs::create_dir_all(directory)
                .map_err(|error| failed(SyscallError::io("mkdir", directory.display().to_string(), &error)))
        };
        create(path)?;
        mount(Path::new("view"), path, "tmpfs", MountFlags::empty(), "mode=0700").map_err(failed)?;
        let staging = Self { path };
        let ready = change(path, MountFlags::MS_PRIVATE)
            .map_err(failed)
            .and_then(|()| create(&path.join(METADATA)))
            .and_then(|()| create(&path.join(ROOT)));
        match ready {
            Ok(()) => Ok(staging),
            Err(error) => {
                // The first failure is the one that explains; a second one would only hide it.
                let _ = staging.dismantle();
                Err(error)
            }
        }
    }

    fn dismantle(self) -> Result<(), ViewError> {
        umount(self.path, UmountFlags::MNT_DETACH)
            .map_err(|source| ViewError::Staging { path: self.path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_device_serves_kernels_that_cannot_mount_files() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        let made = std::process::Command::new("mkfs.erofs").arg("--quiet").arg(&image).arg(&tree).status();
        assert!(made.expect("mkfs.erofs (Debian package erofs-utils)").success());
        mount_through_loop_device(&image).unwrap();
    }
}
