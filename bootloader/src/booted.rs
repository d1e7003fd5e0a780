//! Which entry the machine was booted from, as systemd-boot tells it in an EFI variable.
//!
//! Reads one file of efivarfs; writes no variable. Source: the Boot Loader Interface (`LoaderEntrySelected`).

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::entry::{EntryId, split_counter};

/// The variable, named with the Boot Loader Interface's vendor GUID.
const SELECTED: &str = "LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The variable could not be read.
#[derive(Debug, Error)]
#[error("cannot read which boot entry was selected")]
pub struct BootedError(#[source] io::Error);

/// The booted entry, if there are EFI variables, systemd-boot set them, and the entry is one of ours. `efivars` is usually
/// `/sys/firmware/efi/efivars`.
///
/// Errors when the variable exists and cannot be read.
pub fn booted_entry(efivars: &Path) -> Result<Option<EntryId>, BootedError> {
    match fs_err::read(efivars.join(SELECTED)) {
        Ok(bytes) => Ok(parse_selected(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BootedError(error)),
    }
}

/// Parses efivarfs's file: 4 bytes of attributes, then UTF-16 (little endian) ended by a zero.
fn parse_selected(bytes: &[u8]) -> Option<EntryId> {
    let units = bytes.get(4..)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let text = String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<u16>>()).ok()?;
    let stem = text.strip_suffix(".conf").unwrap_or(&text);
    EntryId::parse(split_counter(stem).0)
}

#[cfg(test)]
mod tests {
    use super::{booted_entry, parse_selected};
    use crate::entry::EntryId;

    fn variable(text: &str) -> Vec<u8> {
        let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        [6, 0, 0, 0].into_iter().chain(units).collect()
    }

    #[test]
    fn the_selected_entry_is_found_whatever_its_counter() {
        for text in ["esker-12.conf", "esker-12+2-1.conf", "esker-12"] {
            assert_eq!(parse_selected(&variable(text)), Some(EntryId::of_generation(12)), "{text}");
        }
        assert_eq!(parse_selected(&variable("auto-windows")), None);
        assert_eq!(parse_selected(&[6, 0]), None);
    }

    #[test]
    fn a_machine_without_efi_variables_has_none() {
        let empty = tempfile::TempDir::new().unwrap();
        assert_eq!(booted_entry(empty.path()).unwrap(), None);
    }
}
