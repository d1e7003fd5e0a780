//! GUID partition tables: a value in, protective MBR, primary and backup table out; and back.
//!
//! Identifiers are arguments, never drawn. Sectors are 512 bytes. Writing is the `gpt` crate's; this module checks the
//! plan first, because that crate trusts its caller. Source: UEFI specification 2.10, section 5.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, Write};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{OperatingSystem, Type};
use gpt::{GptConfig, GptError as TableError};
use thiserror::Error;
use uuid::Uuid;

use crate::guid::Guid;

/// Bytes of a sector.
pub const SECTOR_BYTES: u64 = 512;
/// Sectors of the table at each end of the disk: the protective MBR (front only), a header, 32 sectors of entries.
const FRONT_SECTORS: u64 = 34;
const BACK_SECTORS: u64 = 33;
/// UTF-16 units that a partition's name may have.
const NAME_UNITS: usize = 36;

/// The type of an EFI system partition.
pub const TYPE_ESP: Guid =
    Guid([0xc1, 0x2a, 0x73, 0x28, 0xf8, 0x1f, 0x11, 0xd2, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);
/// The type of a partition with Linux data of no particular meaning.
pub const TYPE_LINUX: Guid =
    Guid([0x0f, 0xc6, 0x3d, 0xaf, 0x84, 0x83, 0x47, 0x72, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4]);

/// A sector's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lba(pub u64);

impl Lba {
    /// The sector's offset in bytes.
    #[must_use]
    pub fn offset_bytes(self) -> u64 {
        self.0 * SECTOR_BYTES
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub type_guid: Guid,
    /// Which it is (PARTUUID).
    pub guid: Guid,
    /// Its first sector.
    pub first: Lba,
    /// Its length.
    pub sectors: u64,
    /// Its name (PARTLABEL), at most 36 UTF-16 units.
    pub name: String,
}

/// A disk's partitioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// The disk's own identifier.
    pub guid: Guid,
    /// The disk's length.
    pub sectors: u64,
    /// Its partitions, in the order of their numbers from 1.
    pub partitions: Vec<Partition>,
}

/// Why a table cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GptError {
    /// A partition is empty or reaches into the tables or past the end.
    #[error("the partition `{name}` does not fit the disk: sectors {first} to {end} of {sectors}")]
    OutOfRange {
        /// The partition's name.
        name: String,
        /// Its first sector.
        first: u64,
        /// The sector behind it.
        end: u64,
        /// The disk's length in sectors.
        sectors: u64,
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
        let protected = u32::try_from(self.sectors - 1).unwrap_or(u32::MAX);
        ProtectiveMBR::with_lb_size(protected).overwrite_lba0(device).map_err(GptError::Mbr)?;
        let partitions: BTreeMap<u32, _> = (1..).zip(self.partitions.iter().map(encode)).collect();
        let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
        let guid = Some(Uuid::from_bytes(self.guid.0));
        let mut table = config.create_from_device(device, guid).map_err(GptError::Table)?;
        table.update_partitions(partitions).map_err(GptError::Table)?;
        table.write().map_err(GptError::Table)?;
        Ok(())
    }

    /// Reads the table of a device.
    ///
    /// Errors when neither the primary nor the backup table is valid.
    pub fn read_from(device: &mut impl Device) -> Result<Self, GptError> {
        let config = GptConfig::new().logical_block_size(LogicalBlockSize::Lb512);
        let table = config.open_from_device(device).map_err(GptError::Table)?;
        let partitions = table.partitions().values().filter(|entry| entry.is_used());
        Ok(DiskLayout {
            guid: Guid(table.guid().into_bytes()),
            sectors: table.header().last_usable + 1 + BACK_SECTORS,
            partitions: partitions
                .map(|entry| Partition {
                    type_guid: Guid(entry.part_type_guid.guid.into_bytes()),
                    guid: Guid(entry.part_guid.into_bytes()),
                    first: Lba(entry.first_lba),
                    sectors: entry.last_lba - entry.first_lba + 1,
                    name: entry.name.clone(),
                })
                .collect(),
        })
    }

    fn check(&self) -> Result<(), GptError> {
        if self.partitions.len() > 128 {
            return Err(GptError::TooManyPartitions { count: self.partitions.len() });
        }
        let usable = FRONT_SECTORS..=self.sectors.saturating_sub(BACK_SECTORS);
        for partition in &self.partitions {
            let end = partition.first.0.saturating_add(partition.sectors);
            if partition.sectors == 0 || !usable.contains(&partition.first.0) || !usable.contains(&end) {
                let (name, first) = (partition.name.clone(), partition.first.0);
                return Err(GptError::OutOfRange { name, first, end, sectors: self.sectors });
            }
            if partition.name.encode_utf16().count() > NAME_UNITS {
                return Err(GptError::NameTooLong { name: partition.name.clone() });
            }
        }
        let mut sorted: Vec<&Partition> = self.partitions.iter().collect();
        sorted.sort_by_key(|partition| partition.first);
        for pair in sorted.windows(2) {
            if pair[0].first.0 + pair[0].sectors > pair[1].first.0 {
                return Err(GptError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() });
            }
        }
        Ok(())
    }
}

fn encode(partition: &Partition) -> gpt::partition::Partition {
    gpt::partition::Partition {
        part_type_guid: Type { guid: Uuid::from_bytes(partition.type_guid.0), os: OperatingSystem::None },
        part_guid: Uuid::from_bytes(partition.guid.0),
        first_lba: partition.first.0,
        last_lba: partition.first.0 + partition.sectors - 1,
        flags: 0,
        name: partition.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{DiskLayout, GptError, Lba, Partition, TYPE_ESP, TYPE_LINUX};
    use crate::guid::Guid;

    fn partition(name: &str, first: u64, sectors: u64) -> Partition {
        let guid = Guid([u8::try_from(first % 251).unwrap(); 16]);
        Partition { type_guid: TYPE_LINUX, guid, first: Lba(first), sectors, name: name.to_owned() }
    }

    fn layout(partitions: Vec<Partition>) -> DiskLayout {
        DiskLayout { guid: Guid([1; 16]), sectors: 20_000, partitions }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut written = layout(vec![partition("ESP", 2048, 4096), partition("esker-nix", 6144, 20_000 - 33 - 6144)]);
        written.partitions[0].type_guid = TYPE_ESP;
        let mut device = Cursor::new(vec![0; 20_000 * 512]);
        written.write_to(&mut device).unwrap();
        assert_eq!(DiskLayout::read_from(&mut device).unwrap(), written);
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
        assert!(device.into_inner().iter().all(|byte| *byte == 0), "a refused plan must not touch the disk");
    }
}
