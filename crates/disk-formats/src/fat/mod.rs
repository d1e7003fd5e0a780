//! FAT32 filesystems for EFI system partitions.
//!
//! Formats with a given identifier and opens for use; times in the filesystem are always the format's first moment, so
//! contents alone decide the bytes. What goes in is the caller's affair. Source: Microsoft's "FAT: General Overview of
//! On-Disk Format", version 1.03; the `fatfs` crate does the work.

mod dot_entries;

use std::io::{self, Read, Seek, SeekFrom, Write};

use fatfs::{Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};
use thiserror::Error;

use crate::sector::SectorSize;

/// The smallest volume that still is FAT32: 65,525 clusters of one sector and the tables.
#[must_use]
pub fn minimum_bytes(sector_size: SectorSize) -> u64 {
    match sector_size {
        SectorSize::Bytes512 => 34 << 20,
        SectorSize::Bytes4096 => 258 << 20,
    }
}

/// What a new filesystem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume<'a> {
    /// Its sectors: a disk's own, because Linux mounts none with smaller ones.
    pub sector_size: SectorSize,
    /// Its identifier.
    pub id: u32,
    /// Its label, at most 11 bytes; the format knows upper case only.
    pub label: &'a str,
}

/// Why a filesystem cannot be made or opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FatError {
    /// Fewer bytes than FAT32 needs.
    #[error("a FAT32 filesystem needs {needed_bytes} bytes; there are {length_bytes}")]
    TooSmall {
        /// What would suffice.
        needed_bytes: u64,
        /// The volume's length.
        length_bytes: u64,
    },
    /// Formatting failed.
    #[error("cannot write a FAT32 filesystem")]
    Format(#[source] io::Error),
    /// There is no FAT filesystem, or it cannot be read.
    #[error("cannot open the FAT filesystem")]
    Open(#[source] io::Error),
    /// The last changes could not be written.
    #[error("cannot finish writing the FAT filesystem")]
    Close(#[source] io::Error),
}

/// Writes an empty FAT32 filesystem over a device whose bytes are all zero, or at least whose tables are.
///
/// Errors when the device is smaller than [`minimum_bytes`] or cannot be written.
pub fn format<D: Read + Write + Seek>(device: &mut D, volume: Volume<'_>) -> Result<(), FatError> {
    let length_bytes = device.seek(SeekFrom::End(0)).map_err(FatError::Format)?;
    device.seek(SeekFrom::Start(0)).map_err(FatError::Format)?;
    let needed_bytes = minimum_bytes(volume.sector_size);
    if length_bytes < needed_bytes {
        return Err(FatError::TooSmall { needed_bytes, length_bytes });
    }
    let mut padded = [b' '; 11];
    for (place, byte) in padded.iter_mut().zip(volume.label.bytes()) {
        *place = byte.to_ascii_uppercase();
    }
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).volume_id(volume.id).volume_label(padded);
    let options = match volume.sector_size {
        SectorSize::Bytes512 => options,
        SectorSize::Bytes4096 => options.bytes_per_sector(4096),
    };
    fatfs::format_volume(device, options).map_err(FatError::Format)
}

/// Opens the filesystem of a volume, lets `work` use it, and closes it properly. Whatever is written is stamped
/// 1980-01-01.
///
/// Errors when there is no FAT filesystem, when `work` fails (what it wrote stays), or when closing fails.
pub fn with_filesystem<D, R, E>(volume: &mut D, work: impl FnOnce(&FileSystem<&mut D>) -> Result<R, E>) -> Result<R, E>
where
    D: Read + Write + Seek,
    E: From<FatError>,
{
    volume.seek(SeekFrom::Start(0)).map_err(FatError::Open)?;
    let options = FsOptions::new().time_provider(&FIRST_MOMENT);
    let filesystem = FileSystem::new(&mut *volume, options).map_err(FatError::Open)?;
    // Counting now makes the crate keep the count of free clusters that fsck and firmware look for.
    filesystem.stats().map_err(FatError::Open)?;
    let result = work(&filesystem);
    filesystem.unmount().map_err(FatError::Close)?;
    dot_entries::repair(volume).map_err(FatError::Close)?;
    result
}

static FIRST_MOMENT: FirstMoment = FirstMoment;

/// A clock that stands at the first time the format can say.
#[derive(Debug)]
struct FirstMoment;

impl TimeProvider for FirstMoment {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        let time = Time { hour: 0, min: 0, sec: 0, millis: 0 };
        DateTime { date: self.get_current_date(), time }
    }
}
