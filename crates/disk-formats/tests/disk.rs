//! GPT, FAT32 and cpio against `sgdisk` (gdisk), `fsck.vfat` (dosfstools), mtools and `cpio`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tools;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use disk_formats::cpio::{Archive, Content};
use disk_formats::fat;
use disk_formats::gpt::{DiskLayout, Partition, TYPE_ESP, TYPE_LINUX};
use disk_formats::guid::Guid;
use disk_formats::sector::SectorSize;
use disk_formats::window::Window;
use tempfile::TempDir;
use tools::{output_of, run, text};

const SECTORS: u64 = 120_064;
const ESP_SECTORS: u64 = 73_728;

fn layout() -> DiskLayout {
    let partition = |name: &str, type_guid, id, first, sectors| Partition {
        type_guid,
        guid: Guid([id; 16]),
        start_bytes: first * 512,
        length_bytes: sectors * 512,
        name: name.to_owned(),
    };
    let rest = SECTORS - 64 - (2048 + ESP_SECTORS);
    DiskLayout {
        guid: Guid([0xd1; 16]),
        sector_size: SectorSize::Bytes512,
        length_bytes: SECTORS * 512,
        partitions: vec![
            partition("ESP", TYPE_ESP, 0xe5, 2048, ESP_SECTORS),
            partition("esker-nix", TYPE_LINUX, 0x2a, 2048 + ESP_SECTORS, rest),
        ],
    }
}

/// A disk with a table and an ESP with a few files, one of them many clusters long.
fn disk(directory: &Path) -> PathBuf {
    let path = directory.join("disk.img");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(SECTORS * 512).unwrap();
    layout().write_to(&mut file).unwrap();
    let mut esp = Window::new(&mut file, 2048 * 512, ESP_SECTORS * 512).unwrap();
    let volume = fat::Volume { sector_size: SectorSize::Bytes512, id: 0x1234_abcd, label: "esp" };
    fat::format(&mut esp, volume).unwrap();
    fat::with_filesystem(&mut esp, |filesystem| -> Result<(), fat::FatError> {
        let root = filesystem.root_dir();
        root.create_dir("EFI").unwrap().create_dir("BOOT").unwrap();
        root.create_file("EFI/BOOT/BOOTX64.EFI").unwrap().write_all(&vec![7; 3_000_000]).unwrap();
        root.create_dir("loader").unwrap();
        root.create_file("loader/loader.conf").unwrap().write_all(b"timeout 5\n").unwrap();
        Ok(())
    })
    .unwrap();
    path
}

#[test]
fn sgdisk_finds_no_problem() {
    let directory = TempDir::new().unwrap();
    let path = disk(directory.path());
    let verdict = run("sgdisk", &["-v", text(&path)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    let esp = run("sgdisk", &["-i", "1", text(&path)]);
    assert!(esp.contains("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"), "{esp}");
    assert!(esp.contains("Partition unique GUID: E5E5E5E5-E5E5-E5E5-E5E5-E5E5E5E5E5E5"), "{esp}");
    let nix = run("sgdisk", &["-i", "2", text(&path)]);
    assert!(nix.contains("Partition name: 'esker-nix'"), "{nix}");
    assert!(nix.contains("0FC63DAF-8483-4772-8E79-3D69D8477DE4"), "{nix}");
    assert!(run("sgdisk", &["-p", text(&path)]).contains("D1D1D1D1-D1D1-D1D1-D1D1-D1D1D1D1D1D1"));
}

#[test]
fn fsck_and_mtools_accept_the_esp() {
    let directory = TempDir::new().unwrap();
    let disk = disk(directory.path());
    let esp = directory.path().join("esp.img");
    let bytes = fs::read(&disk).unwrap();
    let from = 2048 * 512;
    let length = usize::try_from(ESP_SECTORS * 512).unwrap();
    fs::write(&esp, &bytes[from..from + length]).unwrap();
    let verdict = run("fsck.vfat", &["-n", "-v", text(&esp)]);
    assert!(
        verdict.contains("32 bit") || verdict.contains("4 bytes per FAT32") || verdict.contains("FAT32"),
        "{verdict}"
    );
    assert_eq!(run("mtype", &["-i", text(&esp), "::loader/loader.conf"]), "timeout 5\n");
    let listing = run("mdir", &["-i", text(&esp), "::EFI/BOOT"]);
    assert!(listing.contains("3000000 1980-01-01"), "{listing}");
    let volume = run("mdir", &["-i", text(&esp), "::"]);
    assert!(volume.contains("Volume Serial Number is 1234-ABCD"), "{volume}");
    assert!(volume.contains("Volume in drive : is ESP"), "{volume}");
    assert!(!verdict.contains("Free cluster summary"), "{verdict}");
}

#[test]
fn fsck_notices_a_damaged_esp() {
    let directory = TempDir::new().unwrap();
    let disk = disk(directory.path());
    let esp = directory.path().join("esp.img");
    let bytes = fs::read(&disk).unwrap();
    let mut esp_bytes = bytes[2048 * 512..].to_vec();
    esp_bytes.truncate(usize::try_from(ESP_SECTORS * 512).unwrap());
    // Lose the chain of the first file cluster in both tables: 32 reserved sectors come first.
    esp_bytes[32 * 512 + 8 * 4] ^= 0x55;
    fs::write(&esp, &esp_bytes).unwrap();
    let (output, _) = output_of("fsck.vfat", &["-n", text(&esp)]);
    assert!(!output.status.success());
}

#[test]
fn disks_are_reproducible() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    assert!(fs::read(disk(one.path())).unwrap() == fs::read(disk(two.path())).unwrap());
}

#[test]
fn an_esp_too_small_for_fat32_is_refused() {
    let mut volume = std::io::Cursor::new(vec![0; 1 << 20]);
    for sector_size in SectorSize::ALL {
        let error = fat::format(&mut volume, fat::Volume { sector_size, id: 1, label: "ESP" }).unwrap_err();
        assert!(matches!(error, fat::FatError::TooSmall { length_bytes: 1_048_576, .. }));
    }
}

#[test]
fn tools_accept_large_sectors() {
    let directory = TempDir::new().unwrap();
    let (disk, esp) = (directory.path().join("disk.img"), directory.path().join("esp.img"));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&disk).unwrap();
    let layout = DiskLayout { sector_size: SectorSize::Bytes4096, ..layout() };
    file.set_len(layout.length_bytes).unwrap();
    layout.write_to(&mut file).unwrap();
    let shown = run("fdisk", &["--sector-size", "4096", "--list", text(&disk)]);
    assert!(shown.contains("Sector size (logical/physical): 4096 bytes / 4096 bytes"), "{shown}");
    assert!(shown.contains("EFI System") && shown.contains("Linux filesystem"), "{shown}");
    let verdict = run("sh", &["-c", "printf 'v\nq\n' | fdisk --sector-size 4096 \"$1\"", "sh", text(&disk)]);
    assert!(verdict.contains("No errors detected."), "{verdict}");

    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&esp).unwrap();
    file.set_len(fat::minimum_bytes(SectorSize::Bytes4096)).unwrap();
    fat::format(&mut file, fat::Volume { sector_size: SectorSize::Bytes4096, id: 7, label: "large" }).unwrap();
    fat::with_filesystem(&mut file, |filesystem| -> Result<(), fat::FatError> {
        let folder = filesystem.root_dir().create_dir("EFI").unwrap();
        folder.create_dir("BOOT").unwrap().create_file("A").unwrap().write_all(&vec![7; 3_000_000]).unwrap();
        Ok(())
    })
    .unwrap();
    let verdict = run("fsck.vfat", &["-n", "-v", text(&esp)]);
    assert!(verdict.contains("4096 bytes per logical sector"), "{verdict}");
    assert!(run("mdir", &["-i", text(&esp), "::EFI/BOOT"]).contains("3000000 1980-01-01"));
}

#[test]
fn cpio_unpacks_what_was_packed() {
    let directory = TempDir::new().unwrap();
    let mut archive = Archive::new();
    archive.insert("init", 0o755, Content::File(b"\x7fELF".to_vec())).unwrap();
    archive.insert("lib/modules/ext4.ko.xz", 0o644, Content::File(vec![1; 4097])).unwrap();
    archive.insert("lib64", 0o777, Content::Symlink("lib".to_owned())).unwrap();
    let path = directory.path().join("initrd.cpio");
    archive.write_to(&mut File::create(&path).unwrap()).unwrap();
    let listing = run("sh", &["-c", "cpio -itv --quiet < \"$1\"", "sh", text(&path)]);
    for fact in [
        "-rwxr-xr-x   1 root     root            4 Jan  1  1970 init",
        "drwxr-xr-x   1 root     root            0 Jan  1  1970 lib/modules",
        "-rw-r--r--   1 root     root         4097 Jan  1  1970 lib/modules/ext4.ko.xz",
        "lrwxrwxrwx   1 root     root            3 Jan  1  1970 lib64 -> lib",
    ] {
        assert!(listing.contains(fact), "{fact:?} is missing in\n{listing}");
    }
}
