//! Directories: their records with Rock Ridge attributes, and the path tables.
//!
//! | offset | bytes | field of a record |
//! |---|---|---|
//! | 0 | 1 | its length, even |
//! | 2, 10 | 8, 8 | first sector, length |
//! | 18 | 7 | time: years since 1900, month, day, hour, minute, second, zone |
//! | 25 | 1 | 2: a directory |
//! | 28 | 4 | volume 1 |
//! | 32 | | length of the name, the name, a zero if that is even, attributes |
//!
//! An attribute is two letters, its length, version 1 and its value: `SP` (in the root's own record: attributes begin at
//! once), `ER` (whose attributes they are), `PX` (mode, links, user, group), `NM` (the true name).

use std::collections::BTreeMap;

use super::{DIRECTORY_BYTES, File, IsoError, ROOT_SECTOR, both16, both32, narrow};

const TIME: [u8; 7] = [70, 1, 1, 0, 0, 0, 0];
const DIRECTORY: u8 = 2;
/// The names of a directory itself and of the one that it is in.
const SELF: &[u8] = &[0];
const PARENT: &[u8] = &[1];
const DIRECTORY_MODE: u32 = 0o040_555;
const FILE_MODE: u32 = 0o100_444;
/// Of a name; with the rest of the record it fits a byte.
const LONGEST_NAME: usize = 100;

/// The directories of a volume, the root first, parents before children.
#[derive(Debug)]
pub(super) struct Directories {
    directories: Vec<Directory>,
}

#[derive(Debug)]
struct Directory {
    short_name: Vec<u8>,
    parent: usize,
    /// By the name that the format allows.
    entries: BTreeMap<Vec<u8>, Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    target: Target,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Directory(usize),
    File { first_sector: u32, size_bytes: u32 },
}

impl Directories {
    pub(super) fn plan(files: &[File]) -> Result<Self, IsoError> {
        let mut planned = Directories { directories: vec![Directory::new(SELF.to_vec(), 0)] };
        for file in files {
            let refuse = |why| IsoError::Path { path: file.path.clone(), why };
            if file.path.split('/').any(|part| matches!(part, "" | "." | "..") || part.len() > LONGEST_NAME) {
                return Err(refuse("a part of it is empty or too long"));
            }
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let mut directory = 0;
            for part in folder.split('/').filter(|_| !folder.is_empty()) {
                directory = planned.subdirectory(directory, part).map_err(refuse)?;
            }
            let first_sector = narrow(file.first_sector, &file.path)?;
            let target = Target::File { first_sector, size_bytes: narrow(file.size_bytes, &file.path)? };
            let short_name = [&short_name(name), b";1".as_slice()].concat();
            planned.add(directory, short_name, name, target).map_err(refuse)?;
        }
        Ok(planned)
    }

    fn subdirectory(&mut self, parent: usize, name: &str) -> Result<usize, &'static str> {
        let known = self.directories[parent].entries.values().find(|entry| entry.name == name);
        match known.map(|entry| entry.target) {
            Some(Target::Directory(directory)) => Ok(directory),
            Some(Target::File { .. }) => Err("a file stands where it needs a directory"),
            None => {
                let directory = self.directories.len();
                let short_name = fit(name, 8);
                self.add(parent, short_name.clone(), name, Target::Directory(directory))?;
                self.directories.push(Directory::new(short_name, parent));
                Ok(directory)
            }
        }
    }

    fn add(&mut self, directory: usize, short_name: Vec<u8>, name: &str, target: Target) -> Result<(), &'static str> {
        let entry = Entry { name: name.to_owned(), target };
        match self.directories[directory].entries.insert(short_name, entry) {
            None => Ok(()),
            Some(_) => Err("another one has the same short name"),
        }
    }

    /// The sector of a directory; each has one.
    fn sector(directory: usize) -> u32 {
        u32::try_from(directory).map_or(u32::MAX, |number| ROOT_SECTOR.saturating_add(number))
    }

    /// The directories' bytes, in order.
    pub(super) fn encode(&self) -> Vec<Vec<u8>> {
        let encode = |(number, directory): (usize, &Directory)| {
            let links = directory.subdirectories() + 2;
            let parent_links = self.directories[directory.parent].subdirectories() + 2;
            let attributes = match number {
                0 => [root_attributes(), posix(DIRECTORY_MODE, links)].concat(),
                _ => posix(DIRECTORY_MODE, links),
            };
            let mut bytes = record(SELF, place_of(number), DIRECTORY, &attributes);
            bytes.extend(record(PARENT, place_of(directory.parent), DIRECTORY, &posix(DIRECTORY_MODE, parent_links)));
            for (short_name, entry) in &directory.entries {
                let (place, flags, attributes) = match entry.target {
                    Target::Directory(number) => {
                        let links = self.directories[number].subdirectories() + 2;
                        (place_of(number), DIRECTORY, posix(DIRECTORY_MODE, links))
                    }
                    Target::File { first_sector, size_bytes } => ((first_sector, size_bytes), 0, posix(FILE_MODE, 1)),
                };
                bytes.extend(record(short_name, place, flags, &[attributes, true_name(&entry.name)].concat()));
            }
            bytes
        };
        self.directories.iter().enumerate().map(encode).collect()
    }

    pub(super) fn path_table_bytes(&self) -> u32 {
        u32::try_from(self.path_tables()[0].len()).unwrap_or(u32::MAX)
    }

    /// The path table in little and in big endian.
    pub(super) fn path_tables(&self) -> [Vec<u8>; 2] {
        let mut tables = [Vec::new(), Vec::new()];
        for (number, directory) in self.directories.iter().enumerate() {
            let parent = u16::try_from(directory.parent + 1).unwrap_or(u16::MAX);
            let sector = Self::sector(number);
            let places = [(sector.to_le_bytes(), parent.to_le_bytes()), (sector.to_be_bytes(), parent.to_be_bytes())];
            for (table, (sector, parent)) in tables.iter_mut().zip(places) {
                table.extend([length_byte(&directory.short_name), 0]);
                table.extend(sector);
                table.extend(parent);
                table.extend(&directory.short_name);
                table.resize(table.len().next_multiple_of(2), 0);
            }
        }
        tables
    }
}

impl Directory {
    fn new(short_name: Vec<u8>, parent: usize) -> Self {
        Directory { short_name, parent, entries: BTreeMap::new() }
    }

    fn subdirectories(&self) -> u32 {
        let count = self.entries.values().filter(|entry| matches!(entry.target, Target::Directory(_))).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// The root's record in the volume descriptor.
pub(super) fn root_record() -> Vec<u8> {
    record(SELF, place_of(0), DIRECTORY, &[])
}

/// Sector and length of a directory.
fn place_of(directory: usize) -> (u32, u32) {
    (Directories::sector(directory), DIRECTORY_BYTES)
}

fn record(short_name: &[u8], (sector, size_bytes): (u32, u32), flags: u8, attributes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(both32(sector));
    bytes.extend(both32(size_bytes));
    bytes.extend(TIME);
    bytes.extend([flags, 0, 0]);
    bytes.extend(both16(1));
    bytes.push(length_byte(short_name));
    bytes.extend(short_name);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes.extend(attributes);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = length_byte(&bytes);
    bytes
}

/// A length that names' limits keep small.
fn length_byte(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}

fn attribute(kind: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_vec();
    bytes.extend([length_byte(value) + 4, 1]);
    bytes.extend(value);
    bytes
}

fn root_attributes() -> Vec<u8> {
    let of_whom = [&[10, 0, 0, 1], b"RRIP_1991A".as_slice()].concat();
    [attribute(b"SP", &[0xbe, 0xef, 0]), attribute(b"ER", &of_whom)].concat()
}

fn posix(mode: u32, links: u32) -> Vec<u8> {
    attribute(b"PX", &[both32(mode), both32(links), both32(0), both32(0)].concat())
}

fn true_name(name: &str) -> Vec<u8> {
    attribute(b"NM", &[&[0], name.as_bytes()].concat())
}

/// The beginning of a text in the characters of the format.
fn fit(text: &str, length: usize) -> Vec<u8> {
    let character = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() } else { b'_' };
    text.bytes().take(length).map(character).collect()
}

/// A name as the format's first level has it: 8 and 3 characters of few kinds.
fn short_name(name: &str) -> Vec<u8> {
    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
    [fit(stem, 8), vec![b'.'], fit(suffix, 3)].concat()
}

#[cfg(test)]
mod tests {
    use super::{record, short_name};

    #[test]
    fn short_names_have_eight_and_three_characters() {
        assert_eq!(short_name("store.erofs"), b"STORE.ERO");
        assert_eq!(short_name("a-long-name"), b"A_LONG_N.");
    }

    #[test]
    fn records_are_even_and_say_their_length() {
        for name in [&b"A"[..], b"AB"] {
            let bytes = record(name, (1, 2), 0, &[7; 5]);
            assert_eq!((bytes.len() % 2, usize::from(bytes[0])), (0, bytes.len()));
        }
    }
}
