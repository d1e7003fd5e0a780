//! The phase of a virtual machine that shares its host's store: /nix/store becomes an overlay of that store, which is
//! mounted already and cannot be written to, and of what the machine adds on its own disk.
//!
//! The view of /usr does not go through the overlay (see `usr_view::StoreLayers`). So the features by which an overlay
//! keeps a file in another layer than where its name is are off: each layer is a plain folder of whole files.
//!
//! Source: the kernel's `Documentation/filesystems/overlayfs.rst`.

use std::path::Path;

use syscalls::mount::{MountFlags, mount};
use usr_view::StoreOverlay;

use super::Boot;
use super::error::Stage1Error;
use super::filesystems::make_directory;
use crate::settings::StoreKind;

/// Mounts the overlay; does nothing in a system with a store of its own.
pub(super) fn mount_shared_store(boot: &mut Boot) -> Result<(), Stage1Error> {
    if boot.settings.store != StoreKind::Shared {
        return Ok(());
    }
    let overlay = StoreOverlay::below(boot.system.path());
    for folder in [&overlay.upper, &overlay.work, &overlay.store] {
        make_directory(folder)?;
    }
    let failed = |source| Stage1Error::Mount {
        device: overlay.lower.display().to_string(),
        fs_type: "overlay".to_owned(),
        mount_point: overlay.store.clone(),
        source: Box::new(source),
    };
    mount(Path::new("store"), &overlay.store, "overlay", MountFlags::empty(), &options(&overlay)).map_err(failed)
}

fn options(overlay: &StoreOverlay) -> String {
    let StoreOverlay { lower, upper, work, .. } = overlay;
    format!(
        "lowerdir={},upperdir={},workdir={},metacopy=off,redirect_dir=off,index=off",
        lower.display(),
        upper.display(),
        work.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_store_is_below_and_layers_are_plain_folders() {
        let text = options(&StoreOverlay::below(Path::new("/sysroot")));
        let layers =
            "lowerdir=/sysroot/nix/.ro-store,upperdir=/sysroot/nix/.rw-store/upper,workdir=/sysroot/nix/.rw-store/work";
        assert_eq!(text, format!("{layers},metacopy=off,redirect_dir=off,index=off"));
    }
}
