//! ISO 9660 volumes with Rock Ridge names and an El Torito boot image for UEFI.
//!
//! A [`Volume`] is a list of files that have their places already, whose contents the caller writes; [`Volume::encode`]
//! gives what stands from sector 16 on, before them. The first 16 sectors are the caller's too: a partition table fits
//! there, so that one image is a disk as well. Not here: reading, files of 4 GiB and more, boot images for BIOS.
//!
//! Written here because the one kept crate (`hadris-iso`) wants a newer compiler than Debian's.
//! Source: ECMA-119; the Rock Ridge Interchange Protocol, version 1.10, and SUSP 1.10; the El Torito specification, version
//! 1.0; UEFI specification 2.10, section 13.3.2.1.
//!
//! | sector | what |
//! |---|---|
//! | 16 | primary volume descriptor |
//! | 17 | boot record |
//! | 18 | terminator |
//! | 19 | boot catalogue |
//! | 20, 21 | path tables, little and big endian |
//! | 22 | root directory, then the others, a sector each |

mod descriptor;
mod directory;

use thiserror::Error;

use directory::Directories;

/// Bytes of a sector.
pub const SECTOR_BYTES: u64 = 2048;
/// The same, as the length of a slice.
const SECTOR_LENGTH: usize = 2048;
/// The length of every directory.
const DIRECTORY_BYTES: u32 = 2048;
/// The first sector that is a volume's own.
pub const FIRST_SECTOR: u64 = 16;
const CATALOGUE_SECTOR: u32 = 19;
const PATH_TABLE_SECTORS: [u32; 2] = [20, 21];
const ROOT_SECTOR: u32 = 22;
/// What a label may be long.
pub const LABEL_LENGTH: usize = 32;

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its label: upper-case letters, digits and `_`.
    pub label: String,
    /// Its length.
    pub sectors: u64,
    /// Its files.
    pub files: Vec<File>,
    /// Which of them the firmware boots: a FAT filesystem with an EFI program.
    pub boot_image: usize,
}

/// A file of a [`Volume`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is in the volume, without a leading `/`.
    pub path: String,
    /// Where its contents are.
    pub first_sector: u64,
    /// Their length.
    pub size_bytes: u64,
}

/// Why there is no such volume.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IsoError {
    /// The label is empty, too long or has other characters.
    #[error("`{label}` cannot be the label of an ISO 9660 volume: 1 to 32 of A-Z, 0-9 and `_`")]
    Label {
        /// The label.
        label: String,
    },
    /// A path cannot be stored.
    #[error("`{path}` cannot be stored in an ISO 9660 volume: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file or the volume is larger than the format's fields.
    #[error("{what} is too large for an ISO 9660 volume")]
    TooLarge {
        /// What.
        what: String,
    },
}

impl Volume {
    /// The bytes from sector [`FIRST_SECTOR`] on, whole sectors.
    ///
    /// Errors when the label, a path or a length is none that the format has.
    pub fn encode(&self) -> Result<Vec<u8>, IsoError> {
        let label_fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=LABEL_LENGTH).contains(&self.label.len()) || !self.label.bytes().all(label_fits) {
            return Err(IsoError::Label { label: self.label.clone() });
        }
        let directories = Directories::plan(&self.files)?;
        let [little, big] = directories.path_tables();
        let mut bytes = descriptor::primary(self, &directories)?;
        bytes.extend(descriptor::boot_record());
        bytes.extend(descriptor::terminator());
        bytes.extend(descriptor::catalogue(&self.files[self.boot_image])?);
        bytes.extend(sector(little)?);
        bytes.extend(sector(big)?);
        for directory in directories.encode() {
            bytes.extend(sector(directory)?);
        }
        Ok(bytes)
    }
}

/// A number in both byte orders.
fn both32(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&value.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}

/// A number in both byte orders.
fn both16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

/// Filled up to one sector.
fn sector(mut bytes: Vec<u8>) -> Result<Vec<u8>, IsoError> {
    if bytes.len() > SECTOR_LENGTH {
        return Err(IsoError::TooLarge { what: "a directory".to_owned() });
    }
    bytes.resize(SECTOR_LENGTH, 0);
    Ok(bytes)
}

fn narrow<Wide, Narrow: TryFrom<Wide>>(value: Wide, what: &str) -> Result<Narrow, IsoError> {
    Narrow::try_from(value).map_err(|_| IsoError::TooLarge { what: what.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{File, IsoError, Volume};

    fn volume(label: &str, path: &str, size_bytes: u64) -> Volume {
        let files = vec![File { path: path.to_owned(), first_sector: 100, size_bytes }];
        Volume { label: label.to_owned(), sectors: 200, files, boot_image: 0 }
    }

    #[test]
    fn labels_that_the_format_has_not_are_refused() {
        for label in ["", "lower", "A B", &"A".repeat(33)] {
            let error = volume(label, "a", 1).encode().unwrap_err();
            assert_eq!(error, IsoError::Label { label: label.to_owned() });
        }
        volume(&"A".repeat(32), "a", 1).encode().unwrap();
    }

    #[test]
    fn paths_and_lengths_that_the_format_has_not_are_refused() {
        for path in ["", "/a", "a//b", &"n".repeat(200)] {
            assert!(matches!(volume("A", path, 1).encode().unwrap_err(), IsoError::Path { .. }), "{path}");
        }
        assert!(matches!(volume("A", "a", 1 << 32).encode().unwrap_err(), IsoError::TooLarge { .. }));
    }

    #[test]
    fn names_that_become_equal_are_refused() {
        let mut volume = volume("A", "firmware-one", 1);
        volume.files.push(File { path: "firmware-two".to_owned(), first_sector: 101, size_bytes: 1 });
        assert!(volume.encode().unwrap_err().to_string().contains("same short name"));
    }
}
