//! The mounts of systemd's own package that need nothing but the kernel, made before systemd starts.
//!
//! systemd runs mount(8) for each of these units: a dozen processes, some tenths of a second of every boot. What is mounted
//! already it takes over. The units are read from the generation, with their drop-ins, so what a configuration says of
//! them holds; whatever is not plain, or fails, is left to systemd, which reports it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use syscalls::SyscallError;
use syscalls::mount::mount;
use syscalls::mount_options::MountOptions;

use super::file::Unit;
use super::fstab;
use super::view::{Found, GenerationView};

/// The units that are looked at.
const UNITS: &[&str] = &[
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "tmp.mount",
];

/// Filesystems without a device.
const FILESYSTEMS: &[&str] = &["configfs", "debugfs", "fusectl", "hugetlbfs", "mqueue", "tmpfs", "tracefs"];

/// One mount: what mount(8) would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyMount {
    source: String,
    place: PathBuf,
    fs_type: String,
    options: MountOptions,
}

/// The mounts that a generation's units ask for. Errors when its files cannot be read.
pub fn plan_early_mounts(view: &GenerationView) -> io::Result<Vec<EarlyMount>> {
    let fstab = view.read(Path::new("/etc/fstab"))?.unwrap_or_default();
    let by_generator = fstab::units(&String::from_utf8_lossy(&fstab));
    let mut mounts = Vec::new();
    for name in UNITS {
        if by_generator.contains(*name) {
            continue;
        }
        if let Found::Unit(unit) = view.unit(name)? {
            mounts.extend(EarlyMount::of(&unit));
        }
    }
    Ok(mounts)
}

impl EarlyMount {
    fn of(unit: &Unit) -> Option<Self> {
        let value = |key| unit.value("Mount", key).and_then(without_specifiers);
        let fs_type = value("Type").filter(|fs_type| FILESYSTEMS.contains(&fs_type.as_str()))?;
        let options = match unit.value("Mount", "Options") {
            None => String::new(),
            Some(options) => without_specifiers(options)?,
        };
        Some(Self {
            source: value("What")?,
            place: value("Where")?.into(),
            fs_type,
            options: MountOptions::parse([options.as_str()]),
        })
    }

    /// Mounts it, unless something is mounted there or the place is neither there nor can be made.
    /// Errors with what the kernel says.
    pub fn apply(&self) -> Result<(), SyscallError> {
        if !is_free(&self.place) {
            return Ok(());
        }
        mount(Path::new(&self.source), &self.place, &self.fs_type, self.options.flags, &self.options.data)
    }
}

/// Whether `place` is a directory, made if need be, on which nothing is mounted.
fn is_free(place: &Path) -> bool {
    // Within a filesystem of the kernel nothing can be made: then the kernel has no use for it.
    let made = fs::create_dir(place).is_ok();
    let device = |path: &Path| fs::symlink_metadata(path).map(|metadata| (metadata.is_dir(), metadata.dev()));
    match (device(place), place.parent().map(device)) {
        (Ok((true, own)), Some(Ok((_, above)))) => made || own == above,
        _ => false,
    }
}

/// A value of a unit file with `%%` resolved; `None` when it has other specifiers.
fn without_specifiers(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split("%%").collect();
    (!parts.iter().any(|part| part.contains('%'))).then(|| parts.join("%"))
}

#[cfg(test)]
mod tests {
    use syscalls::mount::MountFlags;

    use super::*;

    #[test]
    fn a_unit_says_what_is_mounted() {
        let unit = Unit::parse(
            "[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\nOptions=mode=1777,strictatime,nosuid,nodev,size=50%%,nr_inodes=1m",
        );
        let mount = EarlyMount::of(&unit).unwrap();
        assert_eq!(mount.place, Path::new("/tmp"));
        assert_eq!(mount.options.data, "mode=1777,size=50%,nr_inodes=1m");
        assert_eq!(mount.options.flags, MountFlags::MS_STRICTATIME | MountFlags::MS_NOSUID | MountFlags::MS_NODEV);
    }

    #[test]
    fn devices_and_specifiers_are_left_to_systemd() {
        let disk = "[Mount]\nWhat=/dev/sdb1\nWhere=/tmp\nType=ext4";
        let specifier = "[Mount]\nWhat=tmpfs\nWhere=/run/%i\nType=tmpfs";
        assert_eq!([disk, specifier].map(|text| EarlyMount::of(&Unit::parse(text))), [None, None]);
    }

    #[test]
    fn a_place_that_cannot_be_made_or_is_mounted_over_is_not_free() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_free(&directory.path().join("new")));
        assert!(is_free(&directory.path().join("new")));
        assert!(!is_free(&directory.path().join("none/below")));
        assert!(!is_free(Path::new("/proc")));
    }
}
