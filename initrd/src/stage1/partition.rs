//! A partition's entry in the GUID partition table of its disk: its own GUID and its name.
//!
//! | of the header (second sector) | offset |
//! |---|---|
//! | `EFI PART` | 0 |
//! | sector of the entries, u64 | 72 |
//! | number of entries, u32 | 80 |
//! | size of an entry, u32 | 84 |
//!
//! | of an entry | offset |
//! |---|---|
//! | partition GUID, 16 bytes, first three groups little-endian | 16 |
//! | name, 36 UTF-16 units | 56 |
//!
//! Source: UEFI specification, chapter 5. Checksums are not looked at: the kernel did, or there would be no partition.

use std::io::{self, Read, Seek};

use super::superblock::read_at;

/// What the table says of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionEntry {
    /// Lower case with dashes.
    pub(super) uuid: String,
    /// Empty when it has none.
    pub(super) name: String,
}

/// The entry of partition `number` (from 1) on a disk with sectors of this size. `None` when the disk has no such
/// table or entry.
pub(super) fn read_entry(
    disk: &mut (impl Read + Seek),
    number: u64,
    sector_bytes: u64,
) -> io::Result<Option<PartitionEntry>> {
    let header = read_at(disk, sector_bytes, 92)?;
    let Some((table_sector, count, size)) = parse_header(&header) else {
        return Ok(None);
    };
    if number == 0 || number > count {
        return Ok(None);
    }
    let place =
        table_sector.checked_mul(sector_bytes).and_then(|start| start.checked_add((number - 1).checked_mul(size)?));
    match place {
        Some(place) => Ok(parse_entry(&read_at(disk, place, 128)?)),
        None => Ok(None),
    }
}

/// Sector of the entries, their number, and the size of one.
fn parse_header(header: &[u8]) -> Option<(u64, u64, u64)> {
    if header.get(..8)? != b"EFI PART" {
        return None;
    }
    let sector = u64::from_le_bytes(header.get(72..80)?.try_into().ok()?);
    let count = u32::from_le_bytes(header.get(80..84)?.try_into().ok()?);
    let size = u32::from_le_bytes(header.get(84..88)?.try_into().ok()?);
    (size >= 128).then_some((sector, count.into(), size.into()))
}

fn parse_entry(entry: &[u8]) -> Option<PartitionEntry> {
    let guid: &[u8; 16] = entry.get(16..32)?.try_into().ok()?;
    let [a, b, c, d, e, f, g, h, rest @ ..] = *guid;
    let tail: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (clock, node) = tail.split_at(4);
    let units: Vec<u16> = entry
        .get(56..128)?
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|&unit| unit != 0)
        .collect();
    Some(PartitionEntry {
        uuid: format!(
            "{:08x}-{:04x}-{:04x}-{clock}-{node}",
            u32::from_le_bytes([a, b, c, d]),
            u16::from_le_bytes([e, f]),
            u16::from_le_bytes([g, h]),
        ),
        name: String::from_utf16_lossy(&units),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn reads_what_sfdisk_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let mut child = Command::new("/usr/sbin/sfdisk")
            .args(["-q", "--no-reread"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sfdisk (Debian package fdisk)");
        let script = "label: gpt\nsize=8M, name=ESP, uuid=6A898CC3-1DD2-11B2-99A6-080020736631\n\
                      name=\"esker nix ü\", uuid=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n";
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let mut disk = std::fs::File::open(&path).unwrap();
        let entry = |disk: &mut std::fs::File, number| read_entry(disk, number, 512).unwrap();
        assert_eq!(entry(&mut disk, 1).unwrap().uuid, "6a898cc3-1dd2-11b2-99a6-080020736631");
        assert_eq!(
            entry(&mut disk, 2).unwrap(),
            PartitionEntry { uuid: "0fc63daf-8483-4772-8e79-3d69d8477de4".into(), name: "esker nix ü".into() }
        );
        assert_eq!(entry(&mut disk, 0), None);
        assert_eq!(entry(&mut disk, 1000), None);
    }

    #[test]
    fn a_disk_without_table_has_no_entries() {
        assert_eq!(read_entry(&mut io::Cursor::new(vec![0; 4096]), 1, 512).unwrap(), None);
        assert_eq!(read_entry(&mut io::Cursor::new(vec![]), 1, 512).unwrap(), None);
    }
}
