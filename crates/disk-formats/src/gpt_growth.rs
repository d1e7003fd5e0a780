//! Growing the last partition of a table on a disk that is larger than the table knows: an image on a larger disk.
//!
//! [`plan`] reads and writes nothing; [`GrowthPlan::apply`] writes in an order that a power cut may interrupt: the backup
//! table at the disk's new end first, then front table and protective MBR in one write. What this does not know of a table
//! (types, names, attributes, numbers of partitions) stays as it is. Telling the kernel is the caller's.
//!
//! Of a header (little endian): 0, 8: `EFI PART`; 12, 4: its length; 16, 4: its CRC-32 with these bytes zero; 24, 8: its own
//! sector; 32, 8: the other header's; 48, 8: the last usable sector; 72, 8: the first sector of the entries; 80, 4: their
//! count; 84, 4: the length of one; 88, 4: the CRC-32 of all. Of an entry: 0, 16: its type, zero if unused; 32, 8 and 40, 8: its
//! first and last sector. Source: UEFI specification 2.10, section 5.3.

use std::io::{self, Read, Seek, SeekFrom, Write};

use thiserror::Error;

use crate::sector::SectorSize;

/// What partitions end at multiples of.
const ALIGNMENT_BYTES: u64 = 1 << 20;
const SIGNATURE: &[u8; 8] = b"EFI PART";
/// Where the protective MBR says how many sectors it protects.
const PROTECTED_SECTORS: usize = 446 + 12;
/// More entries than any tool makes.
const MOST_ENTRIES_BYTES: u64 = 1 << 20;

/// Why a table is left alone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GrowthError {
    /// The table at the disk's beginning is none.
    #[error("the partition table is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
    /// There is no such partition.
    #[error("the table has no partition {number}")]
    NoPartition {
        /// Its number, from 1.
        number: u32,
    },
    /// The disk could not be read or written.
    #[error("cannot read or write the partition table")]
    Io(#[from] io::Error),
}

/// A table that is written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowthPlan {
    /// Where the partition begins.
    pub start_bytes: u64,
    /// Its new length.
    pub length_bytes: u64,
    /// What is written where, in order; each is on the disk before the next.
    writes: [(u64, Vec<u8>); 2],
}

/// Plans growing a partition (from 1) as far as the disk goes; `None` where it is not the last one or a MiB would not be
/// gained.
///
/// Errors when the disk cannot be read or its table is damaged.
pub fn plan<D: Read + Seek>(
    disk: &mut D,
    disk_bytes: u64,
    sector_size: SectorSize,
    number: u32,
) -> Result<Option<GrowthPlan>, GrowthError> {
    let sector_bytes = sector_size.bytes();
    let mut table = Table::read(disk, sector_bytes)?;
    let sectors = disk_bytes / sector_bytes;
    let entries_sectors = (table.entries.len() as u64).div_ceil(sector_bytes);
    let last_usable = sectors.saturating_sub(entries_sectors + 2);
    let index = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
    let [first, last] = table.places().get(index).copied().flatten().ok_or(GrowthError::NoPartition { number })?;
    let is_last = table.places().into_iter().flatten().all(|[_, other]| other <= last);
    let alignment = ALIGNMENT_BYTES / sector_bytes;
    let end = (last_usable + 1) / alignment * alignment;
    if !is_last || end < last + 1 + alignment {
        return Ok(None);
    }
    let entry = index * table.entry_bytes;
    put(&mut table.entries, entry + 40, &(end - 1).to_le_bytes());
    put(&mut table.header, 48, &last_usable.to_le_bytes());
    let back_start = last_usable + 1;
    let mut back = table.entries.clone();
    back.resize(usize::try_from(entries_sectors * sector_bytes).unwrap_or(back.len()), 0);
    back.extend(table.header_at(sectors - 1, 1, back_start));
    let protected = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    put(&mut table.front, PROTECTED_SECTORS, &protected.to_le_bytes());
    let header = table.header_at(1, sectors - 1, table.entries_sector);
    put(&mut table.front, usize::try_from(sector_bytes).unwrap_or(512), &header);
    let entries_start = usize::try_from(table.entries_sector * sector_bytes).unwrap_or(0);
    let entries = std::mem::take(&mut table.entries);
    put(&mut table.front, entries_start, &entries);
    Ok(Some(GrowthPlan {
        start_bytes: first * sector_bytes,
        length_bytes: (end - first) * sector_bytes,
        writes: [(back_start * sector_bytes, back), (0, table.front)],
    }))
}

impl GrowthPlan {
    /// Writes the table. `sync` returns when everything written before is on the disk.
    ///
    /// Errors when the disk does; it has a valid table even then.
    pub fn apply<D: Write + Seek>(
        &self,
        disk: &mut D,
        sync: impl Fn(&mut D) -> io::Result<()>,
    ) -> Result<(), GrowthError> {
        for (offset, bytes) in &self.writes {
            disk.seek(SeekFrom::Start(*offset))?;
            disk.write_all(bytes)?;
            sync(disk)?;
        }
        Ok(())
    }
}

/// The table at the front of a disk.
struct Table {
    /// Everything up to the entries' end.
    front: Vec<u8>,
    /// The header's sector.
    header: Vec<u8>,
    header_bytes: usize,
    entries: Vec<u8>,
    entries_sector: u64,
    entry_bytes: usize,
}

impl Table {
    fn read<D: Read + Seek>(disk: &mut D, sector_bytes: u64) -> Result<Self, GrowthError> {
        let damaged = |what| GrowthError::Damaged { what };
        let header = read_at(disk, sector_bytes, sector_bytes)?;
        let header_bytes = usize::try_from(number_at::<4>(&header, 12)).unwrap_or(0);
        if !header.starts_with(SIGNATURE) {
            return Err(damaged("it has no header"));
        }
        if !(92..=header.len()).contains(&header_bytes) || number_at::<8>(&header, 24) != 1 {
            return Err(damaged("its header is none"));
        }
        let mut unsigned = header[..header_bytes].to_vec();
        put(&mut unsigned, 16, &[0; 4]);
        if u64::from(crc32(&unsigned)) != number_at::<4>(&header, 16) {
            return Err(damaged("its header has another checksum"));
        }
        let (count, entry_bytes) = (number_at::<4>(&header, 80), number_at::<4>(&header, 84));
        let entries_bytes = count * entry_bytes;
        let entries_sector = number_at::<8>(&header, 72);
        if entry_bytes < 128 || entries_bytes > MOST_ENTRIES_BYTES || !(2..=2048).contains(&entries_sector) {
            return Err(damaged("its entries are not where tables have them"));
        }
        let entries_start = entries_sector * sector_bytes;
        let front_bytes = (entries_start + entries_bytes).next_multiple_of(sector_bytes);
        let front = read_at(disk, 0, front_bytes)?;
        let range = [entries_start, entries_start + entries_bytes].map(|offset| usize::try_from(offset).unwrap_or(0));
        let entries = front[range[0]..range[1]].to_vec();
        if u64::from(crc32(&entries)) != number_at::<4>(&header, 88) {
            return Err(damaged("its entries have another checksum"));
        }
        let entry_bytes = usize::try_from(entry_bytes).unwrap_or(128);
        Ok(Table { front, header, header_bytes, entries, entries_sector, entry_bytes })
    }

    /// First and last sector of each entry; nothing for unused ones.
    fn places(&self) -> Vec<Option<[u64; 2]>> {
        let place = |entry: &[u8]| {
            let is_used = entry[..16].iter().any(|byte| *byte != 0);
            is_used.then(|| [32, 40].map(|offset| number_at::<8>(entry, offset)))
        };
        self.entries.chunks_exact(self.entry_bytes).map(place).collect()
    }

    /// The header for a place.
    fn header_at(&self, own: u64, other: u64, entries_sector: u64) -> Vec<u8> {
        let mut header = self.header.clone();
        for (offset, number) in [(24, own), (32, other), (72, entries_sector)] {
            put(&mut header, offset, &number.to_le_bytes());
        }
        put(&mut header, 88, &crc32(&self.entries).to_le_bytes());
        put(&mut header, 16, &[0; 4]);
        let checksum = crc32(&header[..self.header_bytes]);
        put(&mut header, 16, &checksum.to_le_bytes());
        header
    }
}

fn read_at<D: Read + Seek>(disk: &mut D, offset: u64, length_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length_bytes).map_err(io::Error::other)?];
    disk.seek(SeekFrom::Start(offset))?;
    disk.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of `N` bytes.
fn number_at<const N: usize>(bytes: &[u8], offset: usize) -> u64 {
    bytes[offset..offset + N].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn put(bytes: &mut [u8], offset: usize, what: &[u8]) {
    bytes[offset..offset + what.len()].copy_from_slice(what);
}

/// CRC-32 as in IEEE 802.3. Over a few kilobytes, once: no table is worth it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |register: u32, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| {
            if register & 1 == 1 { (register >> 1) ^ 0xedb8_8320 } else { register >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{GrowthError, crc32, plan};
    use crate::gpt::{DiskLayout, Partition, TYPE_LINUX};
    use crate::guid::Guid;
    use crate::sector::SectorSize;

    const MIB: u64 = 1 << 20;

    /// A disk of 8 MiB with a partition of 2 MiB and one behind it that ends where the table begins.
    fn disk(sector_size: SectorSize) -> (Cursor<Vec<u8>>, DiskLayout) {
        let partition = |id: u8, start: u64, length: u64| Partition {
            type_guid: TYPE_LINUX,
            guid: Guid([id; 16]),
            start_bytes: start * MIB,
            length_bytes: length * MIB,
            name: format!("part {id}"),
        };
        let partitions = vec![partition(1, 1, 2), partition(2, 3, 4)];
        let layout = DiskLayout { guid: Guid([9; 16]), sector_size, length_bytes: 8 * MIB, partitions };
        let mut device = Cursor::new(vec![0; 8 << 20]);
        layout.write_to(&mut device).unwrap();
        (device, layout)
    }

    fn grown_by(device: &mut Cursor<Vec<u8>>, bytes: u64) -> u64 {
        let length = device.get_ref().len() as u64 + bytes;
        device.get_mut().resize(usize::try_from(length).unwrap(), 0);
        length
    }

    #[test]
    fn the_last_partition_takes_what_the_disk_has_more() {
        for sector_size in SectorSize::ALL {
            let (mut device, mut expected) = disk(sector_size);
            let length_bytes = grown_by(&mut device, 5 * MIB + 4096);
            let growth = plan(&mut device, length_bytes, sector_size, 2).unwrap().unwrap();
            assert_eq!((growth.start_bytes, growth.length_bytes), (3 * MIB, 9 * MIB));
            growth.apply(&mut device, |_| Ok(())).unwrap();
            expected.length_bytes = length_bytes;
            expected.partitions[1].length_bytes = 9 * MIB;
            assert_eq!(DiskLayout::read_from(&mut device).unwrap(), expected);
            assert_eq!(plan(&mut device, length_bytes, sector_size, 2).unwrap(), None, "once is enough");
        }
    }

    #[test]
    fn a_power_cut_leaves_a_table() {
        let sector_size = SectorSize::Bytes512;
        let (mut device, before) = disk(sector_size);
        let length_bytes = grown_by(&mut device, 5 * MIB);
        let growth = plan(&mut device, length_bytes, sector_size, 2).unwrap().unwrap();
        let failing = |_: &mut Cursor<Vec<u8>>| Err(std::io::ErrorKind::Other.into());
        growth.apply(&mut device, failing).unwrap_err();
        // Only the new end is written: the front says what it said.
        assert_eq!(DiskLayout::read_from(&mut device).unwrap().partitions, before.partitions);
        assert_eq!(
            plan(&mut device, length_bytes, sector_size, 2).unwrap(),
            Some(growth.clone()),
            "and it can be tried again"
        );
        // The front header lost while it is written: what was written first is a whole table.
        device.get_mut()[512..1024].fill(0);
        assert_eq!(DiskLayout::read_from(&mut device).unwrap().partitions[1].length_bytes, growth.length_bytes);
    }

    #[test]
    fn what_cannot_grow_is_left_alone() {
        let sector_size = SectorSize::Bytes512;
        let (mut device, _) = disk(sector_size);
        assert_eq!(plan(&mut device, 8 * MIB, sector_size, 2).unwrap(), None, "there is no more room");
        let length_bytes = grown_by(&mut device, 5 * MIB);
        assert_eq!(plan(&mut device, length_bytes, sector_size, 1).unwrap(), None, "it is not the last one");
        let error = plan(&mut device, length_bytes, sector_size, 3).unwrap_err();
        assert!(matches!(error, GrowthError::NoPartition { number: 3 }));
        device.get_mut()[2 * 512 + 60] ^= 1;
        let error = plan(&mut device, length_bytes, sector_size, 2).unwrap_err();
        assert_eq!(error.to_string(), "the partition table is damaged: its entries have another checksum");
    }

    #[test]
    fn matches_the_check_value_of_the_polynomial() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
