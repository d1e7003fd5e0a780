//! The firmware's own list of what it boots: the variables `Boot####` and `BootOrder`.
//!
//! An entry for systemd-boot on our ESP is added once, in front; an entry that is there is left where a person put it.
//! Nothing else in the firmware is read or written. Observe → plan → apply; planning is pure.
//!
//! Source: UEFI specification 2.10, sections 3.1 (boot manager) and 10.3 (device paths); the kernel's
//! Documentation/filesystems/efivarfs.rst.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use thiserror::Error;

use crate::esp::EspPath;

/// The vendor of the firmware's global variables.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Kept without power, visible to the boot services and to the running system.
const ATTRIBUTES: [u8; 4] = [7, 0, 0, 0];
const LOAD_OPTION_ACTIVE: u32 = 1;
/// What the firmware's menu calls the entry, as `bootctl install` does.
const DESCRIPTION: &str = "Linux Boot Manager";

const MEDIA_DEVICE: u8 = 4;
const HARD_DRIVE: u8 = 1;
const FILE_PATH: u8 = 4;
const END: [u8; 4] = [0x7f, 0xff, 4, 0];

/// A GPT partition, as a device path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EspPartition {
    /// Its number on the disk.
    pub number: u32,
    /// Its first logical block.
    pub start_lba: u64,
    /// Its size in logical blocks.
    pub size_lba: u64,
    /// Its unique GUID, as on the disk.
    pub guid: [u8; 16],
}

/// The firmware's boot entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareEntries {
    /// `Boot####` without the attributes.
    pub options: BTreeMap<u16, Vec<u8>>,
    /// `BootOrder`.
    pub order: Vec<u16>,
}

/// Variables to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwarePlan {
    /// A new `Boot####`.
    pub option: Option<(u16, Vec<u8>)>,
    /// A new `BootOrder`.
    pub order: Option<Vec<u16>>,
}

/// Why the firmware's list could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FirmwareError {
    /// A variable cannot be read.
    #[error("cannot read the firmware's boot entries")]
    Read(#[source] io::Error),
    /// A variable cannot be written.
    #[error("cannot write the firmware's variable `{name}`")]
    Write {
        /// The variable.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is mounted there is no partition of a GPT disk that udev knows.
    #[error("`{mount_point}` is not on a partition that the firmware could find")]
    Partition {
        /// Where the ESP should be mounted.
        mount_point: String,
        /// What could not be found out.
        #[source]
        source: io::Error,
    },
}

/// Reads the list; nothing where there is no UEFI. `efivars` is usually `/sys/firmware/efi/efivars`.
///
/// Errors when a variable exists and cannot be read.
pub fn read_entries(efivars: &Path) -> Result<Option<FirmwareEntries>, FirmwareError> {
    let names = match fs_err::read_dir(efivars) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        names => names.map_err(FirmwareError::Read)?,
    };
    let mut entries = FirmwareEntries::default();
    let mut any = false;
    for name in names {
        any = true;
        let name = name.map_err(FirmwareError::Read)?.file_name();
        let Some(variable) = name.to_str().and_then(|name| name.strip_suffix(&format!("-{GLOBAL}"))) else {
            continue;
        };
        let number = variable.strip_prefix("Boot").filter(|digits| digits.len() == 4);
        let number = number.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if number.is_none() && variable != "BootOrder" {
            continue;
        }
        let bytes = fs_err::read(efivars.join(&name)).map_err(FirmwareError::Read)?;
        let value = bytes.get(ATTRIBUTES.len()..).unwrap_or_default();
        match number {
            Some(number) => drop(entries.options.insert(number, value.to_vec())),
            None => entries.order = value.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect(),
        }
    }
    // The folder is empty where efivarfs is not mounted.
    Ok(any.then_some(entries))
}

/// Plans an entry for `program` on the partition, in front of all others, unless there is one.
#[must_use]
pub fn plan_firmware(observed: &FirmwareEntries, partition: &EspPartition, program: &EspPath) -> FirmwarePlan {
    let path = device_path(partition, program);
    let present = observed.options.iter().find(|(_, option)| boots(option, &path)).map(|(number, _)| *number);
    let number = present.or_else(|| (0..=u16::MAX).find(|number| !observed.options.contains_key(number)));
    let Some(number) = number else {
        return FirmwarePlan::default();
    };
    FirmwarePlan {
        option: present.is_none().then(|| (number, load_option(&path))),
        order: (!observed.order.contains(&number))
            .then(|| [number].into_iter().chain(observed.order.iter().copied()).collect()),
    }
}

impl FirmwarePlan {
    /// Whether the firmware already has the entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == FirmwarePlan::default()
    }
}

impl fmt::Display for FirmwarePlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, _)) = &self.option {
            writeln!(out, "add `{DESCRIPTION}` to the firmware as Boot{number:04X}")?;
        }
        if let Some(order) = &self.order {
            let order: Vec<String> = order.iter().map(|number| format!("{number:04X}")).collect();
            writeln!(out, "set the firmware's boot order to {}", order.join(","))?;
        }
        Ok(())
    }
}

/// Carries out a plan; the entry exists before the order names it.
///
/// Errors when the firmware refuses.
pub fn apply_firmware(plan: &FirmwarePlan, efivars: &Path) -> Result<(), FirmwareError> {
    if let Some((number, option)) = &plan.option {
        write_variable(efivars, &format!("Boot{number:04X}"), option)?;
    }
    if let Some(order) = &plan.order {
        let bytes: Vec<u8> = order.iter().flat_map(|number| number.to_le_bytes()).collect();
        write_variable(efivars, "BootOrder", &bytes)?;
    }
    Ok(())
}

fn write_variable(efivars: &Path, name: &str, value: &[u8]) -> Result<(), FirmwareError> {
    let path = efivars.join(format!("{name}-{GLOBAL}"));
    let bytes = [&ATTRIBUTES, value].concat();
    // One write is one call of the firmware.
    let written = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(path);
    written
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|source| FirmwareError::Write { name: name.to_owned(), source })
}

/// The partition that is mounted at `mount_point`.
///
/// Errors when it is none, or udev knows no GUID of it.
pub fn mounted_partition(mount_point: &Path) -> Result<EspPartition, FirmwareError> {
    let failed = |source| FirmwareError::Partition { mount_point: mount_point.display().to_string(), source };
    let device = fs_err::metadata(mount_point).map_err(failed)?.dev();
    let name = format!("{}:{}", nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let folder = Path::new("/sys/dev/block").join(&name);
    let number_in = |file: &str| -> io::Result<u64> {
        fs_err::read_to_string(folder.join(file))?.trim().parse().map_err(io::Error::other)
    };
    let udev = fs_err::read_to_string(format!("/run/udev/data/b{name}")).map_err(failed)?;
    let guid = udev.lines().find_map(|line| line.strip_prefix("E:ID_PART_ENTRY_UUID=")).and_then(parse_guid);
    let guid = guid.ok_or_else(|| failed(io::Error::other("its disk has no GPT")))?;
    // sysfs counts in 512 bytes, whatever the disk does.
    let block_bytes = number_in("../queue/logical_block_size").map_err(failed)?.max(512);
    let blocks = |sectors: u64| sectors * 512 / block_bytes;
    Ok(EspPartition {
        number: u32::try_from(number_in("partition").map_err(failed)?)
            .map_err(|error| failed(io::Error::other(error)))?,
        start_lba: blocks(number_in("start").map_err(failed)?),
        size_lba: blocks(number_in("size").map_err(failed)?),
        guid,
    })
}

/// A GUID's text as the bytes on a disk: the first three groups are little-endian.
fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.split('-').collect();
    if text.len() != 36 || digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    for group in [0..4, 4..6, 6..8] {
        bytes[group].reverse();
    }
    Some(bytes)
}

/// | offset | size | what (little-endian) |
/// |---|---|---|
/// | 0 | 4 | attributes |
/// | 4 | 2 | length of the device path |
/// | 6 | … | description, UTF-16, ended by a zero |
/// | … | … | device path |
fn load_option(device_path: &[u8]) -> Vec<u8> {
    let mut bytes = LOAD_OPTION_ACTIVE.to_le_bytes().to_vec();
    bytes.extend(u16::try_from(device_path.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(utf16(DESCRIPTION));
    bytes.extend(device_path);
    bytes
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// The partition, the file on it, the end.
fn device_path(partition: &EspPartition, program: &EspPath) -> Vec<u8> {
    let mut bytes = vec![MEDIA_DEVICE, HARD_DRIVE, 42, 0];
    bytes.extend(partition.number.to_le_bytes());
    bytes.extend(partition.start_lba.to_le_bytes());
    bytes.extend(partition.size_lba.to_le_bytes());
    bytes.extend(partition.guid);
    // The disk has a GPT; the signature is a GUID.
    bytes.extend([2, 2]);
    let name = utf16(&program.to_string().replace('/', "\\"));
    bytes.extend([MEDIA_DEVICE, FILE_PATH]);
    bytes.extend(u16::try_from(name.len() + 4).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(name);
    bytes.extend(END);
    bytes
}

/// Whether a load option leads to this device path. Firmware that completes a path puts nodes before it.
fn boots(option: &[u8], device_path: &[u8]) -> bool {
    let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let (option, path) = (lower(option), lower(device_path));
    option.windows(path.len()).any(|part| part == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

    fn partition() -> EspPartition {
        EspPartition { number: 1, start_lba: 2048, size_lba: 524_288, guid: parse_guid(GUID).unwrap() }
    }

    fn program() -> EspPath {
        EspPath::new("EFI/systemd/systemd-bootx64.efi")
    }

    #[test]
    fn guids_are_as_on_a_disk() {
        let guid = parse_guid(GUID).unwrap();
        assert_eq!(guid[..8], [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]);
        assert_eq!(guid[8..], [0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);
        assert_eq!(parse_guid("c12a7328"), None);
        assert_eq!(parse_guid("zz2a7328-f81f-11d2-ba4b-00a0c93ec93b"), None);
    }

    #[test]
    fn the_option_is_laid_out_as_specified() {
        let option = load_option(&device_path(&partition(), &program()));
        let name_bytes = (DESCRIPTION.len() + 1) * 2;
        let path = &option[6 + name_bytes..];
        assert_eq!(option[..4], [1, 0, 0, 0]);
        assert_eq!(usize::from(u16::from_le_bytes([option[4], option[5]])), path.len());
        assert_eq!(path[..8], [4, 1, 42, 0, 1, 0, 0, 0]);
        assert_eq!(path[40..46], [2, 2, 4, 4, 70, 0]);
        assert!(path.ends_with(&[0, 0, 0x7f, 0xff, 4, 0]));
    }

    #[test]
    fn an_entry_is_added_in_front_and_only_once() {
        let mut firmware = FirmwareEntries::default();
        firmware.options.insert(0, b"another".to_vec());
        firmware.order = vec![0];
        let plan = plan_firmware(&firmware, &partition(), &program());
        assert_eq!(plan.order, Some(vec![1, 0]));
        let (number, option) = plan.option.unwrap();
        firmware.options.insert(number, option);
        // A person preferred the other one since.
        firmware.order = vec![0, 1];
        assert!(plan_firmware(&firmware, &partition(), &program()).is_empty());
        let other_disk = EspPartition { guid: [7; 16], ..partition() };
        assert!(!plan_firmware(&firmware, &other_disk, &program()).is_empty());
        firmware.order = vec![0];
        let again = plan_firmware(&firmware, &partition(), &program());
        assert_eq!((again.option, again.order), (None, Some(vec![1, 0])));
    }

    #[test]
    fn variables_are_read_as_they_were_written() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(read_entries(folder.path()).unwrap(), None);
        assert_eq!(read_entries(&folder.path().join("none")).unwrap(), None);
        std::fs::write(folder.path().join(format!("BootCurrent-{GLOBAL}")), [6, 0, 0, 0, 1, 0]).unwrap();
        let empty = read_entries(folder.path()).unwrap().unwrap();
        let plan = plan_firmware(&empty, &partition(), &program());
        apply_firmware(&plan, folder.path()).unwrap();
        let read = read_entries(folder.path()).unwrap().unwrap();
        assert_eq!((read.options.len(), read.order.as_slice()), (1, [0].as_slice()));
        assert!(plan_firmware(&read, &partition(), &program()).is_empty());
    }
}
