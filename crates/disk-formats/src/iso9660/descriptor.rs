//! Volume descriptors and the boot catalogue, a sector each.
//!
//! | offset | bytes | field of the primary volume descriptor |
//! |---|---|---|
//! | 0 | 7 | type 1, `CD001`, version 1 |
//! | 8, 40 | 32, 32 | system, label |
//! | 80 | 8 | sectors |
//! | 120, 124, 128 | 4 each | volumes 1, number 1, bytes of a sector |
//! | 132, 140, 148 | 8, 4, 4 | bytes of a path table, their sectors |
//! | 156 | 34 | the root directory's record |
//! | 190-813 | | texts, blank |
//! | 813 | 17 each | made, changed, expires, from |
//! | 881 | 1 | version 1 |
//!
//! | offset | bytes | field of the boot catalogue |
//! |---|---|---|
//! | 0 | 2 | 1, platform 0xef |
//! | 28 | 2 | makes the sum of the first 16 words 0 |
//! | 30 | 2 | 0x55 0xaa |
//! | 32 | 2 | 0x88 bootable, 0 no emulation |
//! | 38 | 2 | units of 512 bytes; 0 for all to the volume's end |
//! | 40 | 4 | sector of the image |

use super::directory::{self, Directories};
use super::{
    CATALOGUE_SECTOR, File, IsoError, PATH_TABLE_SECTORS, SECTOR_BYTES, SECTOR_LENGTH, Volume, both16, both32, narrow,
};

/// The moment at which everything was made, in digits, and its time zone.
const TIME: &[u8; 17] = b"1970010100000000\0";
const PLATFORM_EFI: u8 = 0xef;
/// What boot images are counted in.
const UNIT_BYTES: u64 = 512;

fn descriptor(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR_LENGTH];
    bytes[0] = kind;
    bytes[1..7].copy_from_slice(b"CD001\x01");
    bytes
}

pub(super) fn primary(volume: &Volume, directories: &Directories) -> Result<Vec<u8>, IsoError> {
    let mut bytes = descriptor(1);
    let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
    for (offset, length) in [(8, 64), (190, 623)] {
        put(offset, &vec![b' '; length]);
    }
    put(40, volume.label.as_bytes());
    put(80, &both32(narrow(volume.sectors, "the volume")?));
    put(120, &both16(1));
    put(124, &both16(1));
    put(128, &both16(2048));
    put(132, &both32(directories.path_table_bytes()));
    put(140, &PATH_TABLE_SECTORS[0].to_le_bytes());
    put(148, &PATH_TABLE_SECTORS[1].to_be_bytes());
    put(156, &directory::root_record());
    for offset in [813, 830] {
        put(offset, TIME);
    }
    for offset in [847, 864] {
        put(offset, b"0000000000000000\0");
    }
    put(881, &[1]);
    Ok(bytes)
}

pub(super) fn boot_record() -> Vec<u8> {
    let mut bytes = descriptor(0);
    bytes[7..30].copy_from_slice(b"EL TORITO SPECIFICATION");
    bytes[71..75].copy_from_slice(&CATALOGUE_SECTOR.to_le_bytes());
    bytes
}

pub(super) fn terminator() -> Vec<u8> {
    descriptor(255)
}

pub(super) fn catalogue(image: &File) -> Result<Vec<u8>, IsoError> {
    let mut bytes = vec![0; SECTOR_LENGTH];
    bytes[..2].copy_from_slice(&[1, PLATFORM_EFI]);
    bytes[30..32].copy_from_slice(&[0x55, 0xaa]);
    let sum =
        bytes[..32].chunks_exact(2).fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes([word[0], word[1]])));
    bytes[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    bytes[32] = 0x88;
    let units = u16::try_from(image.size_bytes.next_multiple_of(SECTOR_BYTES) / UNIT_BYTES).unwrap_or(0);
    bytes[38..40].copy_from_slice(&units.to_le_bytes());
    let sector: u32 = narrow(image.first_sector, &image.path)?;
    bytes[40..44].copy_from_slice(&sector.to_le_bytes());
    Ok(bytes)
}
