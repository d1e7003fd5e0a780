//! What a filesystem says about itself: type, label and UUID, from its superblock.
//!
//! | type | at | magic | UUID at | label at |
//! |---|---|---|---|---|
//! | ext2-4 | 1024 | 0xEF53 (LE) at 56 | 104, 16 bytes | 120, 16 bytes |
//! | btrfs | 65536 | `_BHRfS_M` at 64 | 32, 16 bytes | 299, 256 bytes |
//! | xfs | 0 | `XFSB` at 0 | 32, 16 bytes | 108, 12 bytes |
//! | vfat | 0 | 0xAA55 at 510, `FAT32   ` at 82 or `FAT1` at 54 | 67 or 39, u32 LE | 71 or 43, 11 bytes |
//! | iso9660 | 32768 | `CD001` at 1 | (its times) | 40, 32 bytes |
//!
//! Only superblocks at fixed places, no directories and no checksums: whether the filesystem is sound is the kernel's
//! to say. Source: each filesystem's on-disk format documentation.

use std::io::{self, Read, Seek, SeekFrom};

/// A filesystem's description of itself. Texts are empty when there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    /// The type, as mount knows it.
    pub(super) fs_type: &'static str,
    /// The label.
    pub(super) label: String,
    /// The UUID as udev writes it: lower case with dashes, for vfat `XXXX-XXXX`.
    pub(super) uuid: String,
}

/// Looks for a known superblock. `None` when there is none, also because the device is too small.
pub(super) fn probe(device: &mut (impl Read + Seek)) -> io::Result<Option<Superblock>> {
    let start = read_at(device, 0, 4096)?;
    let found = ext(&start).or_else(|| xfs(&start)).or_else(|| vfat(&start));
    if found.is_some() {
        return Ok(found);
    }
    if let Some(found) = btrfs(&read_at(device, 65536, 4096)?) {
        return Ok(Some(found));
    }
    Ok(iso9660(&read_at(device, 32768, 2048)?))
}

fn ext(start: &[u8]) -> Option<Superblock> {
    let block = start.get(1024..2048)?;
    if field(block, 56, 2)? != [0x53, 0xEF] {
        return None;
    }
    // What tells the versions apart: a journal makes ext3, any of these features ext4.
    const HAS_JOURNAL: u32 = 0x4;
    const EXTENTS_64BIT_FLEX: u32 = 0x40 | 0x80 | 0x200;
    let compatible = little_endian(field(block, 92, 4)?);
    let incompatible = little_endian(field(block, 96, 4)?);
    let fs_type = if incompatible & EXTENTS_64BIT_FLEX != 0 {
        "ext4"
    } else if compatible & HAS_JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    };
    Some(Superblock { fs_type, label: text(field(block, 120, 16)?), uuid: uuid(field(block, 104, 16)?) })
}

fn xfs(start: &[u8]) -> Option<Superblock> {
    (field(start, 0, 4)? == b"XFSB").then_some(Superblock {
        fs_type: "xfs",
        label: text(field(start, 108, 12)?),
        uuid: uuid(field(start, 32, 16)?),
    })
}

fn vfat(start: &[u8]) -> Option<Superblock> {
    if field(start, 510, 2)? != [0x55, 0xAA] {
        return None;
    }
    let (label_at, serial_at) = if field(start, 82, 8)? == b"FAT32   " {
        (71, 67)
    } else if field(start, 54, 4)? == b"FAT1" {
        (43, 39)
    } else {
        return None;
    };
    let label = text(field(start, label_at, 11)?);
    let serial = little_endian(field(start, serial_at, 4)?);
    Some(Superblock {
        fs_type: "vfat",
        label: if label == "NO NAME" { String::new() } else { label },
        uuid: format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF),
    })
}

fn btrfs(block: &[u8]) -> Option<Superblock> {
    (field(block, 64, 8)? == b"_BHRfS_M").then_some(Superblock {
        fs_type: "btrfs",
        label: text(field(block, 299, 256)?),
        uuid: uuid(field(block, 32, 16)?),
    })
}

fn iso9660(block: &[u8]) -> Option<Superblock> {
    (field(block, 1, 5)? == b"CD001").then_some(Superblock {
        fs_type: "iso9660",
        label: text(field(block, 40, 32)?),
        uuid: String::new(),
    })
}

/// Up to `length` bytes, less at the device's end.
pub(super) fn read_at(device: &mut (impl Read + Seek), offset: u64, length: u64) -> io::Result<Vec<u8>> {
    device.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    device.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn field(block: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    block.get(offset..offset + length)
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// Text up to its first NUL, without blanks at the end.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
}

/// Sixteen bytes in groups of 4-2-2-2-6.
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn run(program: &str, arguments: &[&str], file: &Path) -> String {
        let output =
            Command::new(program).args(arguments).arg(file).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let output = output.unwrap_or_else(|error| {
            panic!("`{program}` is needed (e2fsprogs, dosfstools, btrfs-progs, xfsprogs, util-linux): {error}")
        });
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a filesystem with the real tool and compares with what blkid says of it.
    fn check(program: &str, arguments: &[&str], size_bytes: u64) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("image");
        std::fs::File::create(&file).unwrap().set_len(size_bytes).unwrap();
        run(program, arguments, &file);
        let expected = |tag: &str| {
            let output = Command::new("/usr/sbin/blkid").args(["-p", "-s", tag, "-o", "value"]).arg(&file).output();
            let output = output.expect("blkid (Debian package util-linux)");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let found = probe(&mut std::fs::File::open(&file).unwrap()).unwrap().unwrap();
        assert_eq!(found.fs_type, expected("TYPE"));
        assert_eq!(found.label, expected("LABEL"));
        assert_eq!(found.uuid, expected("UUID"));
        assert!(!found.label.is_empty());
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn agrees_with_blkid_on_ext() {
        check("mkfs.ext4", &["-q", "-L", "esker-nix"], 8 * MIB);
        check("mkfs.ext2", &["-q", "-L", "old"], 8 * MIB);
        check("mkfs.ext3", &["-q", "-L", "journal"], 16 * MIB);
    }

    #[test]
    fn agrees_with_blkid_on_vfat() {
        check("mkfs.vfat", &["-F", "32", "-n", "ESP"], 64 * MIB);
        check("mkfs.vfat", &["-F", "16", "-n", "SMALL"], 16 * MIB);
    }

    #[test]
    fn agrees_with_blkid_on_btrfs() {
        check("mkfs.btrfs", &["-q", "-L", "a label with blanks"], 128 * MIB);
    }

    #[test]
    fn agrees_with_blkid_on_xfs() {
        check("mkfs.xfs", &["-q", "-L", "twelve-chars"], 320 * MIB);
    }

    #[test]
    fn nothing_is_found_in_noise_and_on_small_devices() {
        assert_eq!(probe(&mut io::Cursor::new(vec![0xA5; 100_000])).unwrap(), None);
        assert_eq!(probe(&mut io::Cursor::new(vec![0; 10])).unwrap(), None);
    }
}
