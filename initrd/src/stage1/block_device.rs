//! Finding a block device by what a configuration calls it, and waiting for it.
//!
//! There is no udev here: labels and UUIDs are read from the devices themselves.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Boot;
use super::error::Stage1Error;
use super::partition::{PartitionEntry, read_entry};
use super::superblock::{Superblock, probe};

/// How a configuration names a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeviceName {
    /// A path below /dev.
    Node(PathBuf),
    /// A filesystem's label.
    Label(String),
    /// A filesystem's UUID.
    Uuid(String),
    /// A partition's GUID.
    PartUuid(String),
    /// A partition's name.
    PartLabel(String),
    /// No device: the name goes to the filesystem as it is (a virtiofs tag, `tmpfs`).
    None(String),
}

impl DeviceName {
    /// Understands fstab's notation and udev's links.
    pub(super) fn parse(text: &str) -> Self {
        let tagged = |tag: &str, folder: &str| {
            let value = text.strip_prefix(tag).map(|value| value.trim_matches('"').to_owned());
            value.or_else(|| text.strip_prefix(folder).map(unescape))
        };
        if let Some(label) = tagged("LABEL=", "/dev/disk/by-label/") {
            return Self::Label(label);
        }
        if let Some(uuid) = tagged("UUID=", "/dev/disk/by-uuid/") {
            return Self::Uuid(uuid);
        }
        if let Some(uuid) = tagged("PARTUUID=", "/dev/disk/by-partuuid/") {
            return Self::PartUuid(uuid);
        }
        if let Some(label) = tagged("PARTLABEL=", "/dev/disk/by-partlabel/") {
            return Self::PartLabel(label);
        }
        if text.starts_with("/dev/") { Self::Node(text.into()) } else { Self::None(text.to_owned()) }
    }
}

/// udev writes bytes that a file name cannot have, blanks among them, as `\x20`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A block device and what it says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockDevice {
    pub(super) node: PathBuf,
    pub(super) filesystem: Option<Superblock>,
    pub(super) partition: Option<PartitionEntry>,
}

impl BlockDevice {
    fn is(&self, name: &DeviceName) -> bool {
        let filesystem = self.filesystem.as_ref();
        let partition = self.partition.as_ref();
        match name {
            DeviceName::Node(node) => self.node == *node,
            DeviceName::Label(label) => filesystem.is_some_and(|found| found.label == *label),
            DeviceName::Uuid(uuid) => filesystem.is_some_and(|found| found.uuid.eq_ignore_ascii_case(uuid)),
            DeviceName::PartUuid(uuid) => partition.is_some_and(|found| found.uuid.eq_ignore_ascii_case(uuid)),
            DeviceName::PartLabel(label) => partition.is_some_and(|found| found.name == *label),
            DeviceName::None(_) => false,
        }
    }

    /// One line for the person who looks for another one.
    fn describe(&self) -> String {
        let mut text = self.node.display().to_string();
        if let Some(found) = &self.filesystem {
            text.push_str(&format!(" ({}", found.fs_type));
            if !found.label.is_empty() {
                text.push_str(&format!(", LABEL={}", found.label));
            }
            if !found.uuid.is_empty() {
                text.push_str(&format!(", UUID={}", found.uuid));
            }
            text.push(')');
        }
        text
    }
}

/// Where devices are looked for.
pub(super) struct DeviceTree {
    /// sysfs' folder of block devices.
    pub(super) class: PathBuf,
    /// The folder of device files.
    pub(super) nodes: PathBuf,
}

impl DeviceTree {
    /// The machine's.
    pub(super) fn of_machine() -> Self {
        Self { class: "/sys/class/block".into(), nodes: "/dev".into() }
    }

    /// All block devices that can be read, sorted by name. A device that cannot is not ready, or a drive without a disk.
    pub(super) fn list(&self) -> Vec<BlockDevice> {
        let mut names: Vec<_> = std::fs::read_dir(&self.class)
            .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
            .unwrap_or_default();
        names.sort();
        names.iter().filter_map(|name| self.read(Path::new(name))).collect()
    }

    fn read(&self, name: &Path) -> Option<BlockDevice> {
        // In sysfs a slash in a device's name is an exclamation mark.
        let node = self.nodes.join(name.to_str()?.replace('!', "/"));
        let mut file = File::open(&node).ok()?;
        let filesystem = probe(&mut file).ok()?;
        Some(BlockDevice { node, filesystem, partition: self.partition(name) })
    }

    /// The entry in the partition table of the disk, whose folder in sysfs holds the partition's.
    fn partition(&self, name: &Path) -> Option<PartitionEntry> {
        let folder = self.class.join(name).canonicalize().ok()?;
        let number = number_in(&folder.join("partition"))?;
        let disk = folder.parent()?;
        let sector_bytes = number_in(&disk.join("queue/logical_block_size"))?;
        let node = self.nodes.join(disk.file_name()?.to_str()?.replace('!', "/"));
        read_entry(&mut File::open(node).ok()?, number, sector_bytes).ok()?
    }
}

fn number_in(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Waits for a device, loading modules for the hardware one by one as long as it is missing.
pub(super) fn wait_for(boot: &mut Boot, text: &str) -> Result<BlockDevice, Stage1Error> {
    let name = DeviceName::parse(text);
    let tree = DeviceTree::of_machine();
    let limit = Duration::from_secs(boot.settings.device_timeout_seconds);
    let started = Instant::now();
    loop {
        let devices = tree.list();
        if let Some(device) = devices.iter().find(|device| device.is(&name)) {
            return Ok(device.clone());
        }
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            let found: Vec<_> = devices.iter().map(BlockDevice::describe).collect();
            return Err(Stage1Error::NoDevice {
                device: text.to_owned(),
                seconds: limit.as_secs(),
                found: if found.is_empty() { "none".into() } else { found.join(", ") },
            });
        }
        make_progress(boot, left)?;
    }
}

/// Does something after which a device may have appeared.
fn make_progress(boot: &mut Boot, left: Duration) -> Result<(), Stage1Error> {
    /// Some devices become readable without an announcement, so there is a look now and then in any case.
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    let Some(loader) = &mut boot.modules else {
        std::thread::sleep(left.min(LOOK_AGAIN));
        return Ok(());
    };
    loader.look_at_events()?;
    if !loader.load_next(&boot.report) {
        loader.wait_for_event(left.min(LOOK_AGAIN))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn understands_every_notation() {
        let parse = DeviceName::parse;
        assert_eq!(parse("LABEL=esker-nix"), DeviceName::Label("esker-nix".into()));
        assert_eq!(parse("LABEL=\"a b\""), DeviceName::Label("a b".into()));
        assert_eq!(parse("/dev/disk/by-label/a\\x20b"), DeviceName::Label("a b".into()));
        assert_eq!(parse("/dev/disk/by-uuid/1A-2B"), DeviceName::Uuid("1A-2B".into()));
        assert_eq!(parse("PARTUUID=0f"), DeviceName::PartUuid("0f".into()));
        assert_eq!(parse("PARTLABEL=nix"), DeviceName::PartLabel("nix".into()));
        assert_eq!(parse("/dev/vda2"), DeviceName::Node("/dev/vda2".into()));
        assert_eq!(parse("tmpfs"), DeviceName::None("tmpfs".into()));
    }

    /// A disk `vda` with a partition `vda1` that holds a vfat, as files.
    fn machine() -> (tempfile::TempDir, DeviceTree) {
        let dir = tempfile::tempdir().unwrap();
        let tree = DeviceTree { class: dir.path().join("class"), nodes: dir.path().join("dev") };
        let partition = dir.path().join("devices/vda/vda1");
        std::fs::create_dir_all(&partition).unwrap();
        std::fs::create_dir_all(dir.path().join("devices/vda/queue")).unwrap();
        std::fs::create_dir_all(&tree.class).unwrap();
        std::fs::create_dir_all(&tree.nodes).unwrap();
        std::fs::write(partition.join("partition"), "1\n").unwrap();
        std::fs::write(dir.path().join("devices/vda/queue/logical_block_size"), "512\n").unwrap();
        symlink(dir.path().join("devices/vda"), tree.class.join("vda")).unwrap();
        symlink(&partition, tree.class.join("vda1")).unwrap();
        // A drive without a disk has no node that can be opened.
        std::fs::create_dir_all(tree.class.join("sr0")).unwrap();

        let mut disk = vec![0_u8; 8192];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[512 + 72] = 2;
        disk[512 + 80] = 4;
        disk[512 + 84] = 128;
        disk[1024 + 16..1024 + 32].copy_from_slice(&[7; 16]);
        disk[1024 + 56] = b'n';
        std::fs::write(tree.nodes.join("vda"), disk).unwrap();
        let mut fat = vec![0_u8; 4096];
        fat[82..90].copy_from_slice(b"FAT32   ");
        fat[71..82].copy_from_slice(b"ESP        ");
        fat[67..71].copy_from_slice(&[0x34, 0x12, 0xCD, 0xAB]);
        fat[510..512].copy_from_slice(&[0x55, 0xAA]);
        std::fs::write(tree.nodes.join("vda1"), fat).unwrap();
        (dir, tree)
    }

    #[test]
    fn finds_a_partition_by_each_of_its_names() {
        let (_dir, tree) = machine();
        let devices = tree.list();
        for name in ["LABEL=ESP", "UUID=abcd-1234", "PARTLABEL=n", "PARTUUID=07070707-0707-0707-0707-070707070707"] {
            let name = DeviceName::parse(name);
            let found: Vec<_> = devices.iter().filter(|device| device.is(&name)).collect();
            assert_eq!(found.len(), 1, "{name:?} in {devices:?}");
            assert_eq!(found[0].node, tree.nodes.join("vda1"));
        }
    }

    #[test]
    fn describes_devices_for_the_error() {
        let (_dir, tree) = machine();
        let texts: Vec<_> = tree.list().iter().map(BlockDevice::describe).collect();
        let nodes = tree.nodes.display();
        assert_eq!(texts, [format!("{nodes}/vda"), format!("{nodes}/vda1 (vfat, LABEL=ESP, UUID=ABCD-1234)")]);
    }
}
