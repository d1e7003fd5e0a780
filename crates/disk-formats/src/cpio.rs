//! cpio archives in the `newc` form that the kernel unpacks into its first root filesystem.
//!
//! Names, modes and contents only: everything belongs to 0:0, has time 0 and one link, and entries come out sorted, so an
//! archive is a function of its contents. No compression and no reading. Source: the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cpio::newc;
use thiserror::Error;

/// Headers and contents begin at multiples of it.
pub const ALIGNMENT: usize = 4;

/// What stands at a path of an [`Archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link and its target.
    Symlink(String),
    /// A character device.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// An archive to be written, keyed by path.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    entries: BTreeMap<Vec<String>, (u32, Content)>,
}

/// Why an archive cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CpioError {
    /// A path is empty, absolute, or has an empty, `.` or `..` component.
    #[error("the path `{path}` cannot be stored in a cpio archive")]
    InvalidPath {
        /// The path as given.
        path: String,
    },
    /// Two entries claim one path, or one stands where another needs a directory.
    #[error("`{path}` is given twice in a cpio archive, or is needed as a directory")]
    Conflict {
        /// The path of the second entry.
        path: String,
    },
    /// A file is longer than the format's 32-bit size.
    #[error("`{path}` is too large for a cpio archive")]
    TooLarge {
        /// The file's path.
        path: String,
    },
    /// The archive could not be written.
    #[error("cannot write the cpio archive")]
    Write(#[source] io::Error),
}

impl Archive {
    /// An archive without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry with its permission bits at a relative path. Missing parents appear as directories of mode 0755.
    ///
    /// Errors when the path is malformed, taken, or runs through something that is no directory. A directory may be given
    /// again with the same mode.
    pub fn insert(&mut self, path: &str, mode: u32, content: Content) -> Result<(), CpioError> {
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        if parts.iter().any(|part| matches!(part.as_str(), "" | "." | "..") || part.contains('\0')) {
            return Err(CpioError::InvalidPath { path: path.to_owned() });
        }
        let conflict = || CpioError::Conflict { path: path.to_owned() };
        for depth in 1..parts.len() {
            let parent = self.entries.entry(parts[..depth].to_vec()).or_insert((0o755, Content::Directory));
            if parent.1 != Content::Directory {
                return Err(conflict());
            }
        }
        match self.entries.get(&parts) {
            Some(present) if *present != (mode, Content::Directory) || content != Content::Directory => Err(conflict()),
            _ => {
                self.entries.insert(parts, (mode, content));
                Ok(())
            }
        }
    }

    /// Writes the archive, parents before children, ended by the trailer.
    ///
    /// Errors when a file is too large for the format or `out` refuses bytes.
    pub fn write_to(&self, out: &mut impl Write) -> Result<(), CpioError> {
        let mut inode = 0;
        for (parts, (mode, content)) in &self.entries {
            let path = parts.join("/");
            let (kind, data, device) = match content {
                Content::Directory => (newc::ModeFileType::Directory, &b""[..], (0, 0)),
                Content::File(data) => (newc::ModeFileType::Regular, data.as_slice(), (0, 0)),
                Content::Symlink(target) => (newc::ModeFileType::Symlink, target.as_bytes(), (0, 0)),
                Content::CharacterDevice { major, minor } => (newc::ModeFileType::Char, &b""[..], (*major, *minor)),
            };
            let length = u32::try_from(data.len()).map_err(|_| CpioError::TooLarge { path: path.clone() })?;
            inode += 1;
            let header = newc::Builder::new(&path)
                .ino(inode)
                .mode(mode & 0o7777)
                .set_mode_file_type(kind)
                .rdev_major(device.0)
                .rdev_minor(device.1);
            let mut entry = header.write(&mut *out, length);
            entry.write_all(data).map_err(CpioError::Write)?;
            entry.finish().map_err(CpioError::Write)?;
        }
        newc::trailer(out).map_err(CpioError::Write)?;
        Ok(())
    }
}

/// An archive of one file that is too large to be held, or whose length is known only when it is written: what stands in
/// front of its contents, always equally long, and behind them. Folders on its way must be in an archive before.
///
/// Errors when the file is too large for the format.
pub fn around_file(path: &str, mode: u32, length_bytes: u64) -> Result<(Vec<u8>, Vec<u8>), CpioError> {
    let too_large = || CpioError::TooLarge { path: path.to_owned() };
    let length = u32::try_from(length_bytes).map_err(|_| too_large())?;
    let name_length = u32::try_from(path.len() + 1).map_err(|_| too_large())?;
    // Inode, mode, user, group, links, time, length, four device numbers, the name's length, a checksum.
    let fields = [1, 0o100_000 | mode & 0o7777, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
    let mut front = b"070701".to_vec();
    front.extend(fields.iter().flat_map(|field: &u32| format!("{field:08X}").into_bytes()));
    front.extend(path.as_bytes());
    front.push(0);
    front.resize(front.len().next_multiple_of(ALIGNMENT), 0);
    let mut back = vec![0; (length.next_multiple_of(4) - length) as usize];
    newc::trailer(&mut back).map_err(CpioError::Write)?;
    Ok((front, back))
}

#[cfg(test)]
mod tests {
    use super::{Archive, Content, CpioError};

    fn file(text: &str) -> Content {
        Content::File(text.as_bytes().to_vec())
    }

    #[test]
    fn a_file_alone_is_what_an_archive_makes_of_it() {
        for length in [0, 1, 4, 7] {
            let mut archive = Archive::new();
            archive.insert("store", 0o444, Content::File(vec![7; length])).unwrap();
            let mut whole = Vec::new();
            archive.write_to(&mut whole).unwrap();
            let (front, back) = super::around_file("store", 0o444, length as u64).unwrap();
            assert_eq!([front, vec![7; length], back].concat(), whole);
        }
        assert!(matches!(super::around_file("x", 0o444, 1 << 32), Err(CpioError::TooLarge { .. })));
    }

    #[test]
    fn parents_come_first_and_by_themselves() {
        let mut archive = Archive::new();
        archive.insert("etc/esker/initrd.json", 0o644, file("{}")).unwrap();
        archive.insert("etc-file", 0o644, file("")).unwrap();
        let mut bytes = Vec::new();
        archive.write_to(&mut bytes).unwrap();
        let mut names = Vec::new();
        let mut rest = bytes.as_slice();
        loop {
            let reader = cpio::newc::Reader::new(rest).unwrap();
            names.push(reader.entry().name().to_owned());
            if reader.entry().is_trailer() {
                break;
            }
            rest = reader.finish().unwrap();
        }
        assert_eq!(names, ["etc", "etc/esker", "etc/esker/initrd.json", "etc-file", "TRAILER!!!"]);
    }

    #[test]
    fn conflicts_and_malformed_paths_are_refused() {
        let mut archive = Archive::new();
        archive.insert("a", 0o644, file("")).unwrap();
        assert!(matches!(archive.insert("a", 0o644, file("")), Err(CpioError::Conflict { .. })));
        assert!(matches!(archive.insert("a/b", 0o644, file("")), Err(CpioError::Conflict { .. })));
        archive.insert("d", 0o755, Content::Directory).unwrap();
        archive.insert("d", 0o755, Content::Directory).unwrap();
        assert!(matches!(archive.insert("d", 0o700, Content::Directory), Err(CpioError::Conflict { .. })));
        for path in ["", "/a", "a//b", "../a"] {
            assert!(matches!(archive.insert(path, 0, file("")), Err(CpioError::InvalidPath { .. })), "{path}");
        }
    }
}
