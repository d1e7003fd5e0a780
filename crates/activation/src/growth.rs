//! Growing the store's partition, and its filesystem, to the end of a disk that is larger than it was: an image written to a
//! larger disk, a virtual disk that was enlarged. At boot, before systemd starts.
//!
//! Only what the kernel says of the mounted filesystem decides: it must be on a GPT partition that is the last one of its
//! disk. The partition's table is [`disk_formats::gpt_growth`]'s. Of filesystems only ext4 grows here; others have
//! systemd-growfs. Nothing shrinks, nothing moves.
//!
//! Source: `Documentation/ABI/stable/sysfs-block`; the superblock's fields from `Documentation/filesystems/ext4`.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use disk_formats::gpt_growth::{self, GrowthPlan};
use disk_formats::sector::SectorSize;
use fs_err as fs;
use syscalls::block_device::{resize_ext4, resize_partition};

use crate::root::Root;

/// sysfs counts in these, whatever a disk's sectors.
const SYSFS_SECTOR_BYTES: u64 = 512;
/// Where ext4's superblock begins, and fields of it (little endian).
const SUPERBLOCK: u64 = 1024;
const BLOCKS_LOW: usize = 4;
const BLOCK_SIZE_LOG: usize = 24;
const MAGIC: usize = 56;
const BLOCKS_HIGH: usize = 336;

/// What grows.
#[derive(Debug, PartialEq, Eq)]
pub struct Growth {
    mount_point: PathBuf,
    partition: Option<PartitionGrowth>,
    /// The filesystem's new length in its blocks.
    blocks: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
struct PartitionGrowth {
    disk: PathBuf,
    number: u32,
    table: GrowthPlan,
}

impl fmt::Display for Growth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(PartitionGrowth { disk, number, table }) = &self.partition {
            writeln!(formatter, "grow partition {number} of {} to {} MiB", disk.display(), table.length_bytes >> 20)?;
        }
        if let Some(blocks) = self.blocks {
            writeln!(formatter, "grow the filesystem at {} to {blocks} blocks", self.mount_point.display())?;
        }
        Ok(())
    }
}

/// A partition as the kernel sees it.
struct Partition {
    device: PathBuf,
    disk: PathBuf,
    disk_bytes: u64,
    sector_size: SectorSize,
    number: u32,
    length_bytes: u64,
    /// Whether no other partition begins behind it.
    is_last: bool,
}

/// Looks at what is mounted at `mount_point` and plans; `None` where nothing grows.
///
/// Errors when the kernel's files or the disk cannot be read, or its table is damaged.
pub fn plan_growth(root: &Root, mount_point: &Path) -> io::Result<Option<Growth>> {
    let Some(partition) = observe(root, mount_point)? else {
        return Ok(None);
    };
    let table = match partition.is_last && partition.disk_bytes > partition.length_bytes {
        true => {
            let mut disk = fs::File::open(root.path(&partition.disk))?;
            gpt_growth::plan(disk.file_mut(), partition.disk_bytes, partition.sector_size, partition.number)
                .map_err(|error| io::Error::other(format!("{}: {error}", partition.disk.display())))?
        }
        false => None,
    };
    let length_bytes = table.as_ref().map_or(partition.length_bytes, |table| table.length_bytes);
    let blocks = ext4_blocks(&root.path(&partition.device), length_bytes)?;
    if table.is_none() && blocks.is_none() {
        return Ok(None);
    }
    let Partition { disk, number, .. } = partition;
    let partition = table.map(|table| PartitionGrowth { disk, number, table });
    Ok(Some(Growth { mount_point: mount_point.to_owned(), partition, blocks }))
}

/// Carries it out. After a power cut at any moment the next boot finds the rest to do.
///
/// Errors when the disk cannot be written, or the kernel refuses.
pub fn apply_growth(root: &Root, growth: &Growth) -> io::Result<()> {
    if let Some(PartitionGrowth { disk, number, table }) = &growth.partition {
        let mut disk = std::fs::File::options().read(true).write(true).open(root.path(disk))?;
        table.apply(&mut disk, |disk| disk.sync_all()).map_err(io::Error::other)?;
        resize_partition(&disk, *number, table.start_bytes, table.length_bytes).map_err(io::Error::other)?;
    }
    if let Some(blocks) = growth.blocks {
        let folder = std::fs::File::open(root.path(&growth.mount_point))?;
        resize_ext4(&folder, blocks).map_err(io::Error::other)?;
    }
    Ok(())
}

fn observe(root: &Root, mount_point: &Path) -> io::Result<Option<Partition>> {
    let table = fs::read_to_string(root.path("/proc/self/mountinfo"))?;
    let Some((device, source)) = device_at(&table, mount_point) else {
        return Ok(None);
    };
    let mut here = root.resolve(Path::new("/sys/dev/block").join(device))?;
    if let (false, Ok(name)) = (here.exists(), Path::new(source).strip_prefix("/dev")) {
        // A filesystem that may be of several devices has a number of its own; it is grown only where it has one.
        let name = name.to_string_lossy().replace('/', "!");
        here = root.resolve(Path::new("/sys/class/block").join(name))?;
    }
    let Some(number) = read_number(&here.join("partition"))? else {
        return Ok(None);
    };
    let above = here.parent().unwrap_or(&here);
    let bytes = |path: PathBuf| Ok::<_, io::Error>(read_number(&path)?.unwrap_or(0) * SYSFS_SECTOR_BYTES);
    let start_bytes = bytes(here.join("start"))?;
    let mut is_last = true;
    for entry in fs::read_dir(above)? {
        is_last &= bytes(entry?.path().join("start"))? <= start_bytes;
    }
    let sectors = read_number(&above.join("queue/logical_block_size"))?.and_then(SectorSize::of_bytes);
    Ok(Some(Partition {
        device: device_file(&here),
        disk: device_file(above),
        disk_bytes: bytes(above.join("size"))?,
        sector_size: sectors.unwrap_or_default(),
        number: u32::try_from(number).map_err(io::Error::other)?,
        length_bytes: bytes(here.join("size"))?,
        is_last,
    }))
}

/// `major:minor` and source of what is on top at a mount point.
fn device_at<'t>(mountinfo: &'t str, mount_point: &Path) -> Option<(&'t str, &'t str)> {
    mountinfo.lines().rev().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(2);
        let device = fields.next()?;
        let is_there = Path::new(fields.nth(1)?) == mount_point;
        is_there.then_some((device, filesystem.split(' ').nth(1)?))
    })
}

/// The device file of a folder in sysfs, where a slash in a name is an exclamation mark.
fn device_file(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().replace('!', "/");
    Path::new("/dev").join(name)
}

fn read_number(path: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        text => {
            text?.trim().parse().map(Some).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
        }
    }
}

/// How many blocks the ext4 filesystem of a device has when it fills so many bytes, if those are more than it has. Nothing of
/// another filesystem.
fn ext4_blocks(device: &Path, length_bytes: u64) -> io::Result<Option<u64>> {
    let mut superblock = [0; 1024];
    let mut file = fs::File::open(device)?;
    file.seek(SeekFrom::Start(SUPERBLOCK))?;
    file.read_exact(&mut superblock)?;
    if superblock[MAGIC..MAGIC + 2] != [0x53, 0xef] {
        return Ok(None);
    }
    let word = |at: usize| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|byte| superblock[at + byte]);
        u64::from(u32::from_le_bytes([a, b, c, d]))
    };
    let block_bytes = 1024 << word(BLOCK_SIZE_LOG).min(6);
    let (has, could_have) = (word(BLOCKS_HIGH) << 32 | word(BLOCKS_LOW), length_bytes / block_bytes);
    Ok((could_have > has).then_some(could_have))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use disk_formats::gpt::{DiskLayout, Partition, TYPE_LINUX};
    use disk_formats::guid::Guid;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A machine whose disk of 16 MiB has a table for 8, with partitions of 1 MiB and 4 MiB; the second has an ext4 of 3 MiB and
    /// is mounted at /nix.
    fn machine() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path());
        let sys = "sys/devices/pci0000:00/block/vda";
        let files = [
            ("proc/self/mountinfo", "30 1 0:25 / / rw - tmpfs root rw\n31 30 254:2 / /nix rw - ext4 /dev/vda2 rw\n"),
            (&format!("{sys}/size"), "32768\n"),
            (&format!("{sys}/queue/logical_block_size"), "512\n"),
            (&format!("{sys}/vda1/start"), "2048\n"),
            (&format!("{sys}/vda2/partition"), "2\n"),
            (&format!("{sys}/vda2/start"), "4096\n"),
            (&format!("{sys}/vda2/size"), "8192\n"),
        ];
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::create_dir_all(root.path("/sys/dev/block")).unwrap();
        symlink("../../devices/pci0000:00/block/vda/vda2", root.path("/sys/dev/block/254:2")).unwrap();
        std::fs::create_dir_all(root.path("/dev")).unwrap();
        let mut disk =
            std::fs::File::options().read(true).write(true).create_new(true).open(root.path("/dev/vda")).unwrap();
        let partition = |id: u8, start: u64, length: u64| Partition {
            type_guid: TYPE_LINUX,
            guid: Guid([id; 16]),
            start_bytes: start * MIB,
            length_bytes: length * MIB,
            name: String::new(),
        };
        disk.set_len(8 * MIB).unwrap();
        let partitions = vec![partition(1, 1, 1), partition(2, 2, 4)];
        let layout =
            DiskLayout { guid: Guid([9; 16]), sector_size: SectorSize::Bytes512, length_bytes: 8 * MIB, partitions };
        layout.write_to(&mut disk).unwrap();
        disk.set_len(16 * MIB).unwrap();
        let mut filesystem = vec![0; 4096];
        filesystem[1024 + BLOCKS_LOW..][..4].copy_from_slice(&3072_u32.to_le_bytes());
        filesystem[1024 + MAGIC..][..2].copy_from_slice(&[0x53, 0xef]);
        std::fs::write(root.path("/dev/vda2"), filesystem).unwrap();
        (folder, root)
    }

    #[test]
    fn the_last_partition_and_its_filesystem_grow_to_the_disks_end() {
        let (_folder, root) = machine();
        let growth = plan_growth(&root, Path::new("/nix")).unwrap().unwrap();
        let text = "grow partition 2 of /dev/vda to 13 MiB\ngrow the filesystem at /nix to 13312 blocks\n";
        assert_eq!(growth.to_string(), text);
    }

    #[test]
    fn a_filesystem_that_was_left_behind_follows_its_partition() {
        let (_folder, root) = machine();
        std::fs::write(root.path("/sys/devices/pci0000:00/block/vda/size"), "16384\n").unwrap();
        let growth = plan_growth(&root, Path::new("/nix")).unwrap().unwrap();
        // The table could gain a MiB, as it begins and ends at whole ones.
        assert!(growth.to_string().ends_with("grow the filesystem at /nix to 5120 blocks\n"), "{growth}");
    }

    #[test]
    fn what_is_not_last_or_no_partition_stays() {
        let (_folder, root) = machine();
        assert_eq!(plan_growth(&root, Path::new("/")).unwrap(), None);
        assert_eq!(plan_growth(&root, Path::new("/absent")).unwrap(), None);
        let behind = root.path("/sys/devices/pci0000:00/block/vda/vda3");
        std::fs::create_dir(&behind).unwrap();
        std::fs::write(behind.join("start"), "12288\n").unwrap();
        let growth = plan_growth(&root, Path::new("/nix")).unwrap().unwrap();
        assert_eq!(growth.to_string(), "grow the filesystem at /nix to 4096 blocks\n");
    }

    #[test]
    fn the_partition_of_another_filesystem_grows_alone() {
        let (_folder, root) = machine();
        std::fs::write(root.path("/dev/vda2"), [0; 4096]).unwrap();
        let table = "31 30 0:26 /@nix /nix rw - btrfs /dev/vda2 rw,subvol=/@nix\n";
        std::fs::write(root.path("/proc/self/mountinfo"), table).unwrap();
        std::fs::create_dir_all(root.path("/sys/class/block")).unwrap();
        symlink("../../devices/pci0000:00/block/vda/vda2", root.path("/sys/class/block/vda2")).unwrap();
        let growth = plan_growth(&root, Path::new("/nix")).unwrap().unwrap();
        assert_eq!(growth.to_string(), "grow partition 2 of /dev/vda to 13 MiB\n");
    }

    #[test]
    fn a_damaged_table_is_an_error_that_names_the_disk() {
        let (_folder, root) = machine();
        let mut disk = std::fs::read(root.path("/dev/vda")).unwrap();
        disk[600] ^= 1;
        disk[512 + 40] ^= 1;
        std::fs::write(root.path("/dev/vda"), disk).unwrap();
        let error = plan_growth(&root, Path::new("/nix")).unwrap_err();
        assert_eq!(error.to_string(), "/dev/vda: the partition table is damaged: its header has another checksum");
    }
}
