//! Sections added to an EFI program: how a unified kernel image is made of systemd's stub.
//!
//! The program's own sections stay as they are; new ones follow them in the file and in memory. Their contents are the
//! caller's to write. Not here: signatures (a signed program is refused), symbols, other kinds of programs.
//!
//! Source: Microsoft's "PE Format"; the UAPI Group's "Unified Kernel Image".
//!
//! | from | offset | bytes | field, little endian |
//! |---|---|---|---|
//! | start | 60 | 4 | where `PE\0\0` stands |
//! | `PE\0\0` | 6, 20 | 2, 2 | number of sections, length of the optional header |
//! | optional header | 0 | 2 | 0x20b: 64 bit |
//! | | 32, 36 | 4, 4 | alignment in memory and in the file |
//! | | 56, 60, 64 | 4 each | length in memory, length of all headers, checksum |
//! | | 144 | 8 | place and length of signatures |
//! | a section's header | 0 | 8 | name |
//! | | 8, 12 | 4, 4 | length and place in memory |
//! | | 16, 20 | 4, 4 | length and place in the file |
//! | | 36 | 4 | 0x40000040: data, readable |

use thiserror::Error;

const PE_OFFSET: usize = 60;
const COFF_BYTES: usize = 24;
const SECTION_BYTES: usize = 40;
const MAGIC_64: u16 = 0x20b;
const READABLE_DATA: u32 = 0x4000_0040;

/// A section to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name, at most 8 bytes.
    pub name: &'a str,
    /// The length of its contents.
    pub size_bytes: u64,
}

/// A program with room for new sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extended {
    /// The program with its new headers: what the file begins with. Its length does not depend on the sections' lengths.
    pub head: Vec<u8>,
    /// Where the contents of each section go.
    pub offsets: Vec<u64>,
    /// The file's length.
    pub size_bytes: u64,
}

/// Why sections cannot be added.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeError {
    /// The bytes are no program that this module knows.
    #[error("this is no unsigned 64-bit EFI program")]
    Unknown,
    /// Nothing is left between the headers and what follows.
    #[error("the EFI program has no room for {count} more sections")]
    NoRoom {
        /// How many were to be added.
        count: usize,
    },
    /// A section is beyond what the format's fields hold.
    #[error("the section `{name}` is too large for an EFI program")]
    TooLarge {
        /// The section.
        name: String,
    },
}

/// Adds sections behind those of a program.
///
/// Errors when it is none, has no room for their headers, or they are too large.
pub fn extend(program: &[u8], sections: &[Section<'_>]) -> Result<Extended, PeError> {
    let layout = Layout::parse(program).ok_or(PeError::Unknown)?;
    let headers_end = layout.headers + (layout.sections + sections.len()) * SECTION_BYTES;
    if headers_end > layout.first_data {
        return Err(PeError::NoRoom { count: sections.len() });
    }
    let mut head = program.to_vec();
    head.resize(program.len().next_multiple_of(layout.file_alignment), 0);
    let (mut file_end, mut memory_end) = (head.len() as u64, layout.memory_end);
    let mut offsets = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        let too_large = || PeError::TooLarge { name: section.name.to_owned() };
        let narrow = |value: u64| u32::try_from(value).map_err(|_| too_large());
        let file_bytes = section.size_bytes.next_multiple_of(layout.file_alignment as u64);
        let fields = [section.size_bytes, memory_end, file_bytes, file_end];
        let mut header = section.name.as_bytes().to_vec();
        header.resize(8, 0);
        for field in fields {
            header.extend(narrow(field)?.to_le_bytes());
        }
        header.extend([0; 12]);
        header.extend(READABLE_DATA.to_le_bytes());
        let place = layout.headers + (layout.sections + number) * SECTION_BYTES;
        head[place..place + SECTION_BYTES].copy_from_slice(&header);
        offsets.push(file_end);
        file_end += file_bytes;
        memory_end = (memory_end + section.size_bytes).next_multiple_of(layout.memory_alignment);
        narrow(memory_end.max(file_end))?;
    }
    let count = u16::try_from(layout.sections + sections.len()).unwrap_or(u16::MAX);
    let memory_bytes = u32::try_from(memory_end).unwrap_or(u32::MAX);
    head[layout.pe + 6..layout.pe + 8].copy_from_slice(&count.to_le_bytes());
    let optional = layout.pe + COFF_BYTES;
    head[optional + 56..optional + 60].copy_from_slice(&memory_bytes.to_le_bytes());
    head[optional + 64..optional + 68].fill(0);
    Ok(Extended { head, offsets, size_bytes: file_end })
}

/// What is known of a program.
struct Layout {
    /// Where `PE\0\0` stands.
    pe: usize,
    /// Where the sections' headers begin, and how many there are.
    headers: usize,
    sections: usize,
    /// Where the contents of the first section are in the file.
    first_data: usize,
    file_alignment: usize,
    memory_alignment: u64,
    /// The first free place in memory.
    memory_end: u64,
}

impl Layout {
    fn parse(program: &[u8]) -> Option<Self> {
        let pe = usize::try_from(field(program, PE_OFFSET)?).ok()?;
        let optional = pe + COFF_BYTES;
        let is_program = program.get(pe..pe + 4)? == b"PE\0\0" && short(program, optional)? == MAGIC_64;
        let is_signed = field(program, optional + 144)? != 0;
        let headers = optional + usize::from(short(program, pe + 20)?);
        let sections = usize::from(short(program, pe + 6)?);
        let memory_alignment = u64::from(field(program, optional + 32)?);
        let file_alignment = usize::try_from(field(program, optional + 36)?).ok()?;
        let (mut memory_end, mut first_data) = (0, program.len());
        for number in 0..sections {
            let header = headers + number * SECTION_BYTES;
            let memory = u64::from(field(program, header + 12)?) + u64::from(field(program, header + 8)?);
            memory_end = memory.max(memory_end);
            match usize::try_from(field(program, header + 20)?).ok()? {
                // A section without contents.
                0 => {}
                data => first_data = data.min(first_data),
            }
        }
        let sound = is_program && !is_signed && memory_alignment.is_power_of_two() && file_alignment.is_power_of_two();
        let memory_end = memory_end.next_multiple_of(memory_alignment.max(1));
        sound.then_some(Layout { pe, headers, sections, first_data, file_alignment, memory_alignment, memory_end })
    }
}

fn field(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{PeError, Section, extend};

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"MZ", &[0; 4096]] {
            assert_eq!(extend(bytes, &[]).unwrap_err(), PeError::Unknown);
        }
    }

    /// A program without sections and with room for one.
    fn program() -> Vec<u8> {
        let mut bytes = vec![0; 512];
        let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
        put(60, &64_u32.to_le_bytes());
        put(64, b"PE\0\0");
        put(64 + 20, &(512_u16 - 64 - 24 - 40).to_le_bytes());
        put(64 + 24, &0x20b_u16.to_le_bytes());
        put(64 + 24 + 32, &4096_u32.to_le_bytes());
        put(64 + 24 + 36, &512_u32.to_le_bytes());
        bytes
    }

    #[test]
    fn room_and_sizes_are_checked() {
        let section = |size_bytes| Section { name: ".initrd", size_bytes };
        let extended = extend(&program(), &[section(5)]).unwrap();
        assert_eq!((extended.offsets, extended.size_bytes, extended.head.len()), (vec![512], 1024, 512));
        assert_eq!(extend(&program(), &[section(5); 2]).unwrap_err(), PeError::NoRoom { count: 2 });
        assert!(matches!(extend(&program(), &[section(1 << 32)]).unwrap_err(), PeError::TooLarge { .. }));
    }
}
