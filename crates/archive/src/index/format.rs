//! The bytes of an index file: little-endian integers, varint-prefixed texts, checksums.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | `ESKRIDX1` |
//! | 8 | 4 | CRC-32 of the front section |
//! | 12 | 4 | length of the front section |
//! | 16 | 4 | n, packages |
//! | 20 | 4 | m, names |
//! | 24 | 4 | p, provides |
//! | 28 | 4 | length of the names' text |
//! | 32 | 4 | length of the provided versions' text |
//! | 36 | 4 | offset of the summaries section |
//! | 40 | 4 | length of the summaries section |
//! | 44 | 4 | length of the essential names' text |
//! | 48 | | front section: end of each name (m), first package of each name (m + 1), first provides of each name (m + 1), package and version end of each provides (2 p), offset of each block (n + 1), names, versions, essential names (lines) |
//! | | | one block per package, each followed by its CRC-32 |
//! | | | summaries: `name TAB summary LF` for each name's newest package |
//!
//! Integers are `u32` except where said otherwise. All parts follow from the `Packages` texts alone.

use deb_formats::packages::Priority;

use super::Package;
use crate::mirror::MirrorName;

pub(super) const MAGIC: [u8; 8] = *b"ESKRIDX1";
pub(super) const HEADER_BYTES: usize = 48;

/// Where the arrays of the front section start, relative to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) packages: usize,
    pub(super) names: usize,
    pub(super) name_ends: usize,
    pub(super) first_package: usize,
    pub(super) first_provides: usize,
    pub(super) provides: usize,
    pub(super) blocks: usize,
    pub(super) names_text: usize,
    pub(super) versions_text: usize,
    pub(super) essential_text: usize,
    pub(super) end: usize,
    pub(super) summaries: (u64, usize),
}

impl Layout {
    /// The layout that a header describes; `None` when it is no header. Sizes are bounded by the caller's comparison of
    /// `end` with the front section's length.
    pub(super) fn of_header(header: &[u8; HEADER_BYTES]) -> Option<(Self, u32)> {
        if header[..8] != MAGIC {
            return None;
        }
        let field = |offset: usize| read_u32(header, offset);
        let (packages, names, provides) = (field(16)? as usize, field(20)? as usize, field(24)? as usize);
        let name_ends = 0;
        let first_package = name_ends + 4 * names;
        let first_provides = first_package + 4 * (names + 1);
        let provides_at = first_provides + 4 * (names + 1);
        let blocks = provides_at + 8 * provides;
        let names_text = blocks + 4 * (packages + 1);
        let versions_text = names_text + field(28)? as usize;
        let essential_text = versions_text + field(32)? as usize;
        let end = essential_text + field(44)? as usize;
        let summaries = (u64::from(field(36)?), field(40)? as usize);
        let layout = Self {
            packages,
            names,
            name_ends,
            first_package,
            first_provides,
            provides: provides_at,
            blocks,
            names_text,
            versions_text,
            essential_text,
            end,
            summaries,
        };
        (end == field(12)? as usize).then_some((layout, field(8)?))
    }
}

pub(super) fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Appends a package's block with its checksum.
pub(super) fn write_block(package: &Package, output: &mut Vec<u8>) {
    let start = output.len();
    output.push(priority_code(package.priority));
    output.push(
        u8::from(package.essential)
            | u8::from(package.security) << 1
            | u8::from(package.mirror == MirrorName::DebianSecurity) << 2,
    );
    write_varint(package.size, output);
    write_varint(package.installed_size_kib, output);
    for text in package.texts() {
        write_varint(text.len() as u64, output);
        output.extend_from_slice(text.as_bytes());
    }
    let sum = checksum(&output[start..]);
    output.extend_from_slice(&sum.to_le_bytes());
}

/// Reads a block with its checksum; `None` when it is damaged.
pub(super) fn read_block(block: &[u8]) -> Option<Package> {
    let (mut rest, sum) = block.split_at_checked(block.len().checked_sub(4)?)?;
    if checksum(rest) != u32::from_le_bytes(sum.try_into().ok()?) {
        return None;
    }
    let (priority, flags) = (*rest.first()?, *rest.get(1)?);
    rest = &rest[2..];
    let mut package = Package {
        priority: priority_of(priority)?,
        essential: flags & 1 != 0,
        security: flags & 2 != 0,
        mirror: if flags & 4 != 0 { MirrorName::DebianSecurity } else { MirrorName::Debian },
        size: read_varint(&mut rest)?,
        installed_size_kib: read_varint(&mut rest)?,
        ..Package::default()
    };
    for text in package.texts_mut() {
        let length = usize::try_from(read_varint(&mut rest)?).ok()?;
        let (bytes, after) = rest.split_at_checked(length)?;
        *text = String::from_utf8(bytes.to_vec()).ok()?;
        rest = after;
    }
    rest.is_empty().then_some(package)
}

const PRIORITIES: [Priority; 5] =
    [Priority::Required, Priority::Important, Priority::Standard, Priority::Optional, Priority::Extra];

fn priority_code(priority: Priority) -> u8 {
    match priority {
        Priority::Required => 0,
        Priority::Important => 1,
        Priority::Standard => 2,
        Priority::Optional => 3,
        Priority::Extra => 4,
    }
}

fn priority_of(code: u8) -> Option<Priority> {
    PRIORITIES.get(usize::from(code)).copied()
}

/// Seven bits a byte, lowest first, the high bit saying that more follow.
fn write_varint(mut number: u64, output: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0x7f);
        number >>= 7;
        if number == 0 {
            output.push(low);
            return;
        }
        output.push(low | 0x80);
    }
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(number, &mut bytes);
            assert_eq!(read_varint(&mut &bytes[..]), Some(number));
        }
        assert_eq!(read_varint(&mut &[0x80][..]), None);
    }

    #[test]
    fn every_priority_has_its_code() {
        for priority in PRIORITIES {
            assert_eq!(priority_of(priority_code(priority)), Some(priority));
        }
    }

    #[test]
    fn a_damaged_block_is_noticed_at_every_byte() {
        let package =
            Package { name: "a".to_owned(), version: "1".to_owned(), size: 300, essential: true, ..Package::default() };
        let mut block = Vec::new();
        write_block(&package, &mut block);
        assert_eq!(read_block(&block), Some(package));
        for position in 0..block.len() {
            let mut damaged = block.clone();
            damaged[position] ^= 0x10;
            assert_eq!(read_block(&damaged), None, "byte {position}");
            assert_eq!(read_block(&block[..position]), None);
        }
    }
}
