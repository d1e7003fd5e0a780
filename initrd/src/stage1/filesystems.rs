//! The phases that mount: the kernel's own filesystems, the root, the declared ones, and the store read-only.

use std::path::{Path, PathBuf};

use diagnostics::one_line;
use syscalls::fs_context::{Depth, DetachedMount, MountAttributes, Placement};
use syscalls::mount::{MountFlags, mount};
use syscalls::mount_options::MountOptions;

use super::Boot;
use super::block_device::{DeviceName, wait_for};
use super::error::Stage1Error;
use crate::settings::Filesystem;

/// The store, as the system names it.
pub(super) const STORE: &str = "/nix/store";

/// The kernel's filesystems: type, place, flags, options. They move to the system in the end.
pub(super) const KERNEL_FILESYSTEMS: &[(&str, &str, MountFlags, &str)] = {
    const NO_SUID: MountFlags = MountFlags::MS_NOSUID;
    const SAFE: MountFlags = NO_SUID.union(MountFlags::MS_NODEV).union(MountFlags::MS_NOEXEC);
    &[
        ("proc", "proc", SAFE, ""),
        ("sysfs", "sys", SAFE, ""),
        // Programs map device memory executable, so no noexec.
        ("devtmpfs", "dev", NO_SUID, "mode=755"),
        ("tmpfs", "run", NO_SUID.union(MountFlags::MS_NODEV), "mode=755"),
    ]
};

/// Directories of an empty root. Whatever else is needed is made by who needs it.
const ROOT_DIRECTORIES: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("nix", 0o755),
    ("proc", 0o555),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
];

/// Mounts proc, sys, dev and run.
pub(super) fn mount_kernel_filesystems(_boot: &mut Boot) -> Result<(), Stage1Error> {
    for (fstype, place, flags, options) in KERNEL_FILESYSTEMS {
        let target = Path::new("/").join(place);
        make_directory(&target)?;
        mount(Path::new(fstype), &target, fstype, *flags, options)?;
    }
    Ok(())
}

/// Mounts the system's root: what is declared for `/`, or a tmpfs.
pub(super) fn mount_root(boot: &mut Boot) -> Result<(), Stage1Error> {
    let declared = boot.settings.filesystems.iter().find(|fs| fs.mount_point == Path::new("/"));
    let root = declared.cloned().unwrap_or_else(|| Filesystem {
        mount_point: "/".into(),
        device: "tmpfs".into(),
        fs_type: "tmpfs".into(),
        options: vec!["mode=755".into(), "size=50%".into()],
    });
    mount_filesystem(boot, &root)?;
    for (name, mode) in ROOT_DIRECTORIES {
        let path = boot.system.path().join(name);
        make_directory(&path)?;
        set_mode(&path, *mode)?;
    }
    Ok(())
}

/// Mounts the other declared filesystems, outer ones first.
pub(super) fn mount_declared(boot: &mut Boot) -> Result<(), Stage1Error> {
    for filesystem in plan_declared(boot) {
        let result = mount_filesystem(boot, &filesystem);
        let options = MountOptions::parse(filesystem.options.iter().map(String::as_str));
        match result {
            Err(error) if options.no_fail => boot.report.warning(&one_line(&error)),
            result => {
                result?;
                boot.mounted.push(filesystem.mount_point);
            }
        }
    }
    Ok(())
}

/// The declared filesystems but the root, with what the command line says of the store's.
fn plan_declared(boot: &Boot) -> Vec<Filesystem> {
    let not_root = |fs: &&Filesystem| fs.mount_point != Path::new("/");
    let mut filesystems: Vec<_> = boot.settings.filesystems.iter().filter(not_root).cloned().collect();
    // Paths compare part by part, so an outer one comes before those within.
    filesystems.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    let line = &boot.command_line;
    let holds_store = |fs: &&mut Filesystem| Path::new(STORE).starts_with(&fs.mount_point);
    if let Some(store) = filesystems.iter_mut().rfind(holds_store) {
        if let Some(device) = &line.store_device {
            store.device.clone_from(device);
        }
        if let Some(fs_type) = &line.store_fs_type {
            store.fs_type.clone_from(fs_type);
        }
        if let Some(options) = &line.store_options {
            store.options.clone_from(options);
        }
    }
    filesystems
}

fn mount_filesystem(boot: &mut Boot, filesystem: &Filesystem) -> Result<(), Stage1Error> {
    let (source, fs_type) = match DeviceName::parse(&filesystem.device) {
        DeviceName::None(name) => (PathBuf::from(name), filesystem.fs_type.clone()),
        _ => {
            let device = wait_for(boot, &filesystem.device)?;
            let fs_type = match (filesystem.fs_type.as_str(), &device.filesystem) {
                ("auto", Some(found)) => found.fs_type.to_owned(),
                ("auto", None) => {
                    return Err(Stage1Error::UnknownFilesystem {
                        device: filesystem.device.clone(),
                        mount_point: filesystem.mount_point.clone(),
                    });
                }
                (declared, _) => declared.to_owned(),
            };
            (device.node, fs_type)
        }
    };
    let target = boot.system.join(&filesystem.mount_point);
    make_directory(&target)?;
    let options = MountOptions::parse(filesystem.options.iter().map(String::as_str));
    mount(&source, &target, &fs_type, options.flags, &options.data).map_err(|source| Stage1Error::Mount {
        device: filesystem.device.clone(),
        fs_type,
        mount_point: filesystem.mount_point.clone(),
        source: Box::new(source),
    })
}

/// Makes the store read-only, and checks that the system to boot is in it.
pub(super) fn protect_store(boot: &mut Boot) -> Result<(), Stage1Error> {
    let not_in_store = |source| Stage1Error::NotInStore { path: boot.toplevel.clone(), source };
    boot.system.resolve(&boot.toplevel).map_err(not_in_store)?;
    let store = boot.system.join(Path::new(STORE));
    // Nothing in it has a set-uid bit or is a device, so these attributes only make sure.
    let attributes = MountAttributes::READ_ONLY.with(MountAttributes::NO_SUID).with(MountAttributes::NO_DEV);
    let mount = DetachedMount::copy_of(&store, Depth::One)?;
    mount.add_attributes(attributes, Depth::One)?;
    mount.attach(&store, Placement::OnTop)?;
    Ok(())
}

pub(super) fn make_directory(path: &Path) -> Result<(), Stage1Error> {
    std::fs::create_dir_all(path).map_err(|source| Stage1Error::Make { path: path.to_owned(), source })
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), Stage1Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|source| Stage1Error::Make { path: path.to_owned(), source })
}
