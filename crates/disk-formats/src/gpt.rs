//! GUID partition tables: a value in, protective MBR, primary and backup table out; and back.
//!
//! Identifiers are arguments, never drawn. Everything is said in bytes; the table counts in the disk's sectors. Writing is
//! the `gpt` crate's; this module checks the plan first, because that crate trusts its caller. Growing a partition of a
//! table that is in use is [`crate::gpt_growth`]'s. Source: UEFI specification 2.10, section 5.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, Write};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{OperatingSystem, Type};
use gpt::{GptConfig, GptError as TableError};
use thiserror::Error;
use uuid::Uuid;

use crate::bios_message;
use crate::guid::Guid;
use crate::sector::SectorSize;

/// The table's entries: 128 of 128 bytes.
pub(crate) const ENTRIES_BYTES: u64 = 128 * 128;
/// UTF-16 units that a partition's name may have.
const NAME_UNITS: usize = 36;

/// The type of an EFI system partition.
pub const TYPE_ESP: Guid =
    Guid([0xc1, 0x2a, 0x73, 0x28, 0xf8, 0x1f, 0x11, 0xd2, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);
/// The type of a partition with Linux data of no particular meaning.
pub const TYPE_LINUX: Guid =
    Guid([0x0f, 0xc6, 0x3d, 0xaf, 0x84, 0x83, 0x47, 0x72, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4]);

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub type_guid: Guid,
    /// Which it is (PARTUUID).
    pub guid: Guid,
    /// Where it begins.
    pub start_bytes: u64,
    /// Its length.
    pub length_bytes: u64,
    /// Its name (PARTLABEL), at most 36 UTF-16 units.
    pub name: String,
}

/// A disk's partitioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// The disk's own identifier.
    pub guid: Guid,
    /// What the disk counts in.
    pub sector_size: SectorSize,
    /// The disk's length.
    pub length_bytes: u64,
    /// Its partitions, in the order of their numbers from 1.
    pub partitions: Vec<Partition>,
}

/// Why a table cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GptError {
    /// A partition is empty or reaches into the tables or past the end.
    #[error("the partition `{name}` does not fit the disk: bytes {start_bytes} to {end_bytes} of {length_bytes}")]
    OutOfRange {
        /// The partition's name.
        name: String,
        /// Where it begins.
        start_bytes: u64,
        /// The byte behind it.
        end_bytes: u64,
        /// The disk's length.
        length_bytes: u64,
    },
    /// A place is in the middle of a sector.
    #[error("{what} is not a whole number of sectors of {} bytes: {bytes} bytes", sector_size.bytes())]
    Unaligned {
        /// What has the place.
        what: String,
        /// Where it is.
        bytes: u64,
        /// The disk's sectors.
        sector_size: SectorSize,
    },
    /// Two partitions share sectors.
    #[error("the partitions `{first}` and `{second}` overlap")]
    Overlap {
        /// The one that starts first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A name is too long.
    #[error("the partition name `{name}` is longer than 36 UTF-16 units")]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// More than 128 partitions.
    #[error("{count} partitions; a table holds 128")]
    TooManyPartitions {
        /// How many were given.
        count: usize,
    },
    /// The device could not be read or written, or holds no valid table.
    #[error("cannot read or write the partition table")]
    Table(#[source] TableError),
    /// The protective MBR could not be written.
    #[error("cannot write the protective MBR")]
    Mbr(#[source] gpt::mbr::MBRError),
}

/// Where a table can stand.
pub trait Device: Read + Write + Seek + fmt::Debug {}
impl<D: Read + Write + Seek + fmt::Debug> Device for D {}

impl DiskLayout {
    /// Checks the plan and writes it. The device must already be as long as the layout says.
    ///
    /// Errors when partitions overlap, leave the usable sectors or have names too long, or when the device fails.
    pub fn write_to(&self, device: &mut impl Device) -> Result<(), GptError> {
        self.check()?;
        let protected = u32::try_from(self.length_bytes / self.sector_size.bytes() - 1).unwrap_or(u32::MAX);
        let mut mbr = ProtectiveMBR::with_lb_size(protected);
        mbr.set_bootcode(bios_message::boot_code());
        mbr.overwrite_lba0(device).map_err(GptError::Mbr)?;
        let partitions: BTreeMap<u32, _> =
            (1..).zip(self.partitions.iter().map(|partition| self.encode(partition))).collect();
        let config = GptConfig::new().writable(true).logical_block_size(block_size(self.sector_size));
        let guid = Some(Uuid::from_bytes(self.guid.0));
        let mut table = config.create_from_device(device, guid).map_err(GptError::Table)?;
        table.update_partitions(partitions).map_err(GptError::Table)?;
        table.write().map_err(GptError::Table)?;
        Ok(())
    }

    /// Reads the table of a device, whatever its sectors.
    ///
    /// Errors when neither the primary nor the backup table is valid for any size of sectors.
    pub fn read_from(device: &mut impl Device) -> Result<Self, GptError> {
        let [first, others @ ..] = SectorSize::ALL;
        let read = Self::read_with(device, first);
        // What the usual size has to say is the better error.
        read.or_else(|error| others.into_iter().find_map(|size| Self::read_with(device, size).ok()).ok_or(error))
    }

    fn read_with(device: &mut impl Device, sector_size: SectorSize) -> Result<Self, GptError> {
        let config = GptConfig::new().logical_block_size(block_size(sector_size));
        let table = config.open_from_device(device).map_err(GptError::Table)?;
        let partitions = table.partitions().values().filter(|entry| entry.is_used());
        let bytes = |sectors: u64| sectors * sector_size.bytes();
        Ok(DiskLayout {
            guid: Guid(table.guid().into_bytes()),
            sector_size,
            length_bytes: bytes(table.header().last_usable + 1) + back_bytes(sector_size),
            partitions: partitions
                .map(|entry| Partition {
                    type_guid: Guid(entry.part_type_guid.guid.into_bytes()),
                    guid: Guid(entry.part_guid.into_bytes()),
                    start_bytes: bytes(entry.first_lba),
                    length_bytes: bytes(entry.last_lba - entry.first_lba + 1),
                    name: entry.name.clone(),
                })
                .collect(),
        })
    }

    fn check(&self) -> Result<(), GptError> {
        if self.partitions.len() > 128 {
            return Err(GptError::TooManyPartitions { count: self.partitions.len() });
        }
        self.check_aligned("the disk", self.length_bytes)?;
        // The protective MBR stands before the first table.
        let front_bytes = back_bytes(self.sector_size) + self.sector_size.bytes();
        let usable = front_bytes..=self.length_bytes.saturating_sub(back_bytes(self.sector_size));
        for partition in &self.partitions {
            let Partition { start_bytes, length_bytes, name, .. } = partition;
            let end_bytes = start_bytes.saturating_add(*length_bytes);
            if *length_bytes == 0 || !usable.contains(start_bytes) || !usable.contains(&end_bytes) {
                let (name, start_bytes, length_bytes) = (name.clone(), *start_bytes, self.length_bytes);
                return Err(GptError::OutOfRange { name, start_bytes, end_bytes, length_bytes });
            }
            self.check_aligned(&format!("the partition `{name}`"), *start_bytes)?;
            self.check_aligned(&format!("the partition `{name}`"), *length_bytes)?;
            if name.encode_utf16().count() > NAME_UNITS {
                return Err(GptError::NameTooLong { name: name.clone() });
            }
        }
        let mut sorted: Vec<&Partition> = self.partitions.iter().collect();
        sorted.sort_by_key(|partition| partition.start_bytes);
        for pair in sorted.windows(2) {
            if pair[0].start_bytes + pair[0].length_bytes > pair[1].start_bytes {
                return Err(GptError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() });
            }
        }
        Ok(())
    }

    fn check_aligned(&self, what: &str, bytes: u64) -> Result<(), GptError> {
        match bytes % self.sector_size.bytes() {
            0 => Ok(()),
            _ => Err(GptError::Unaligned { what: what.to_owned(), bytes, sector_size: self.sector_size }),
        }
    }

    fn encode(&self, partition: &Partition) -> gpt::partition::Partition {
        let first_lba = partition.start_bytes / self.sector_size.bytes();
        gpt::partition::Partition {
            part_type_guid: Type { guid: Uuid::from_bytes(partition.type_guid.0), os: OperatingSystem::None },
            part_guid: Uuid::from_bytes(partition.guid.0),
            first_lba,
            last_lba: first_lba + partition.length_bytes / self.sector_size.bytes() - 1,
            flags: 0,
            name: partition.name.clone(),
        }
    }
}

/// What the table at the disk's end takes: the entries and a header.
pub(crate) fn back_bytes(sector_size: SectorSize) -> u64 {
    ENTRIES_BYTES + sector_size.bytes()
}

fn block_size(sector_size: SectorSize) -> LogicalBlockSize {
    match sector_size {
        SectorSize::Bytes512 => LogicalBlockSize::Lb512,
        SectorSize::Bytes4096 => LogicalBlockSize::Lb4096,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{DiskLayout, GptError, Partition, TYPE_ESP, TYPE_LINUX};
    use crate::guid::Guid;
    use crate::sector::SectorSize;

    fn partition(name: &str, first: u64, sectors: u64) -> Partition {
        let guid = Guid([u8::try_from(first % 251).unwrap(); 16]);
        let [start_bytes, length_bytes] = [first, sectors].map(|sectors| sectors * 512);
        Partition { type_guid: TYPE_LINUX, guid, start_bytes, length_bytes, name: name.to_owned() }
    }

    fn layout(partitions: Vec<Partition>) -> DiskLayout {
        let (sector_size, length_bytes) = (SectorSize::Bytes512, 20_000 * 512);
        DiskLayout { guid: Guid([1; 16]), sector_size, length_bytes, partitions }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut written = layout(vec![partition("ESP", 2048, 4096), partition("esker-nix", 6144, 20_000 - 64 - 6144)]);
        written.partitions[0].type_guid = TYPE_ESP;
        for sector_size in SectorSize::ALL {
            written.sector_size = sector_size;
            let mut device = Cursor::new(vec![0; 20_000 * 512]);
            written.write_to(&mut device).unwrap();
            assert_eq!(DiskLayout::read_from(&mut device).unwrap(), written);
        }
    }

    #[test]
    fn plans_that_do_not_fit_are_refused() {
        let mut device = Cursor::new(vec![0; 20_000 * 512]);
        let mut refuse = |partitions| layout(partitions).write_to(&mut device).unwrap_err();
        for bad in [partition("p", 33, 10), partition("p", 2048, 0), partition("p", 2048, 20_000 - 33 - 2047)] {
            assert!(matches!(refuse(vec![bad]), GptError::OutOfRange { .. }));
        }
        let overlapping = vec![partition("b", 3000, 10), partition("a", 2048, 953)];
        assert!(matches!(refuse(overlapping), GptError::Overlap { first, .. } if first == "a"));
        assert!(matches!(refuse(vec![partition(&"n".repeat(37), 2048, 1)]), GptError::NameTooLong { .. }));
        let large = DiskLayout { sector_size: SectorSize::Bytes4096, ..layout(vec![partition("p", 2049, 8)]) };
        assert!(matches!(large.write_to(&mut device), Err(GptError::Unaligned { bytes: 1_049_088, .. })));
        assert!(device.into_inner().iter().all(|byte| *byte == 0), "a refused plan must not touch the disk");
    }
}
