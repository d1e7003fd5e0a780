//! Reading metadata-only images: what [`super::Tree::write_to`] wrote, as a list.
//!
//! For where the kernel may not mount one: a container makes a tree of links of it. Contents in an image, compressed ones
//! too, are not read; such an image is refused.

use std::collections::BTreeMap;

use thiserror::Error;

use super::BLOCK_BYTES;
use super::tree::{Content, Metadata};

const SUPERBLOCK: usize = 1024;
const MAGIC: u64 = 0xe0f5_e1e2;
const SLOT_BYTES: usize = 32;
const DIRENT_BYTES: usize = 12;
const PREFIXES: [(u8, &str); 3] = [(1, "user."), (4, "trusted."), (6, "security.")];
const REDIRECT: &[u8] = b"trusted.overlay.redirect";
const METACOPY: &[u8] = b"trusted.overlay.metacopy";

/// Why an image cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// It is no EROFS image, or ends early.
    #[error("it is no EROFS image, or damaged")]
    Damaged,
    /// It has something that metadata-only images do not have.
    #[error("`{path}` in it is {what}")]
    Unsupported {
        /// Where.
        path: String,
        /// What it is.
        what: &'static str,
    },
}

/// An entry of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path, without a slash in front; empty for the root.
    pub path: Vec<u8>,
    /// Mode, owner, times and attributes but for overlay's own.
    pub metadata: Metadata,
    /// What it is: a directory, a symlink, or a file with its redirect.
    pub content: Content,
}

/// Everything in an image, parents before children.
///
/// Errors when it is none, or holds more than directories, symlinks and files without contents.
pub fn read(image: &[u8]) -> Result<Vec<Found>, ReadError> {
    let reader = Reader { image };
    if reader.number(SUPERBLOCK, 4)? != MAGIC {
        return Err(ReadError::Damaged);
    }
    let root = reader.number(SUPERBLOCK + 14, 2)?;
    let mut found = Vec::new();
    let mut pending = vec![(Vec::new(), root)];
    while let Some((path, node)) = pending.pop() {
        // Each entry takes more than this of the image; what has more goes in circles.
        if found.len() > image.len() / DIRENT_BYTES {
            return Err(ReadError::Damaged);
        }
        let (entry, children) = reader.entry(path, node)?;
        pending.extend(children.into_iter().rev().map(|(name, node)| {
            let path = if entry.path.is_empty() { name } else { [entry.path.as_slice(), &name].join(&b'/') };
            (path, node)
        }));
        found.push(entry);
    }
    Ok(found)
}

/// Names of a directory with their nodes.
type Children = Vec<(Vec<u8>, u64)>;

struct Reader<'a> {
    image: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&self, offset: usize, length: usize) -> Result<&'a [u8], ReadError> {
        offset.checked_add(length).and_then(|end| self.image.get(offset..end)).ok_or(ReadError::Damaged)
    }

    /// A little-endian number.
    fn number(&self, offset: usize, length: usize) -> Result<u64, ReadError> {
        Ok(self.bytes(offset, length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn index(&self, offset: usize, length: usize) -> Result<usize, ReadError> {
        usize::try_from(self.number(offset, length)?).map_err(|_| ReadError::Damaged)
    }

    fn entry(&self, path: Vec<u8>, node: u64) -> Result<(Found, Children), ReadError> {
        let at = usize::try_from(node).ok().and_then(|node| node.checked_mul(SLOT_BYTES)).ok_or(ReadError::Damaged)?;
        let format = self.number(at, 2)?;
        let is_extended = format & 1 == 1;
        let mode = self.number(at + 4, 2)?;
        let (size_bytes, [uid, gid], mtime, inode_bytes) = match is_extended {
            true => (
                self.number(at + 8, 8)?,
                [self.number(at + 24, 4)?, self.number(at + 28, 4)?],
                self.number(at + 32, 8)?,
                64,
            ),
            false => {
                let build_time = self.number(SUPERBLOCK + 24, 8)?;
                (self.number(at + 8, 4)?, [self.number(at + 24, 2)?, self.number(at + 26, 2)?], build_time, 32)
            }
        };
        let words = self.index(at + 2, 2)?;
        let area = at + inode_bytes;
        let area_bytes = if words == 0 { 0 } else { 12 + (words - 1) * 4 };
        let mut xattrs = self.xattrs(area, area_bytes)?;
        let redirect = xattrs.remove(REDIRECT);
        xattrs.remove(METACOPY);
        let data = || {
            let size = usize::try_from(size_bytes).map_err(|_| ReadError::Damaged)?;
            self.data((at, area + area_bytes), format >> 1 & 7, size)
        };
        let mut children = Vec::new();
        let unsupported = |what| ReadError::Unsupported { path: String::from_utf8_lossy(&path).into_owned(), what };
        let content = match mode & 0o170_000 {
            0o040_000 => {
                children = self.children(&data()?)?;
                Content::Directory
            }
            0o120_000 => Content::Symlink { target: data()? },
            0o100_000 if size_bytes > 0 && redirect.is_none() => return Err(unsupported("a file with contents")),
            0o100_000 => Content::File { size_bytes, redirect },
            _ => return Err(unsupported("no file, directory or symlink")),
        };
        let narrow = |number: u64| u32::try_from(number).map_err(|_| ReadError::Damaged);
        let mode = u16::try_from(mode & 0o7777).map_err(|_| ReadError::Damaged)?;
        let metadata = Metadata { mode, uid: narrow(uid)?, gid: narrow(gid)?, mtime, xattrs };
        Ok((Found { path, metadata, content }, children))
    }

    /// The data of a directory or symlink: whole blocks at an address, and the tail there or behind the inode.
    fn data(&self, (at, behind): (usize, usize), layout: u64, size: usize) -> Result<Vec<u8>, ReadError> {
        let address = self.index(at + 16, 4)?.checked_mul(BLOCK_BYTES).ok_or(ReadError::Damaged)?;
        match layout {
            0 => Ok(self.bytes(address, size)?.to_vec()),
            2 => {
                let whole = size / BLOCK_BYTES * BLOCK_BYTES;
                Ok([self.bytes(address, whole)?, self.bytes(behind, size - whole)?].concat())
            }
            _ => Err(ReadError::Damaged),
        }
    }

    fn children(&self, data: &[u8]) -> Result<Children, ReadError> {
        let mut children = Vec::new();
        for block in data.chunks(BLOCK_BYTES) {
            let block = Reader { image: block };
            let count = block.index(8, 2)? / DIRENT_BYTES;
            for record in 0..count {
                let at = record * DIRENT_BYTES;
                let start = block.index(at + 8, 2)?;
                let end = if record + 1 < count { block.index(at + DIRENT_BYTES + 8, 2)? } else { block.image.len() };
                let name = block.bytes(start, end.checked_sub(start).ok_or(ReadError::Damaged)?)?;
                // A block that is not the last is filled up with zeros.
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                if name != b"." && name != b".." {
                    children.push((name.to_vec(), block.number(at, 8)?));
                }
            }
        }
        Ok(children)
    }

    fn xattrs(&self, area: usize, area_bytes: usize) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ReadError> {
        let mut xattrs = BTreeMap::new();
        if area_bytes == 0 {
            return Ok(xattrs);
        }
        let shared = self.index(area + 4, 1)?;
        for number in 0..shared {
            let (name, value, _) = self.record(self.index(area + 12 + number * 4, 4)? * 4)?;
            xattrs.insert(name, value);
        }
        let mut at = area + 12 + shared * 4;
        while at < area + area_bytes {
            let (name, value, next) = self.record(at)?;
            xattrs.insert(name, value);
            at = next;
        }
        Ok(xattrs)
    }

    /// A record's name and value, and where the next one begins.
    fn record(&self, at: usize) -> Result<(Vec<u8>, Vec<u8>, usize), ReadError> {
        let (name_bytes, value_bytes) = (self.index(at, 1)?, self.index(at + 2, 2)?);
        let prefix = self.bytes(at + 1, 1)?[0];
        let prefix = PREFIXES.iter().find(|(index, _)| *index == prefix).map_or("", |(_, prefix)| *prefix);
        let name = [prefix.as_bytes(), self.bytes(at + 4, name_bytes)?].concat();
        let value = self.bytes(at + 4 + name_bytes, value_bytes)?.to_vec();
        Ok((name, value, (at + 4 + name_bytes + value_bytes).next_multiple_of(4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erofs::{Entry, Options, Tree};

    #[test]
    fn what_was_written_is_read() {
        let mut tree = Tree::new();
        let mut expected = BTreeMap::new();
        let mut add = |path: &str, metadata: Metadata, content: Content| {
            tree.insert(path.as_bytes(), Entry { metadata: metadata.clone(), content: content.clone() }).unwrap();
            expected.insert(path.as_bytes().to_vec(), (metadata, content));
        };
        let plain = Metadata { mode: 0o755, ..Metadata::default() };
        add("bin", plain.clone(), Content::Directory);
        let redirect = |name: &str| Some(format!("/00-x/usr/bin/{name}").into_bytes());
        // More names than a block holds.
        for number in 0..400 {
            let name = format!("program-{number:04}");
            let content = Content::File { size_bytes: number + 1, redirect: redirect(&name) };
            add(&format!("bin/{name}"), plain.clone(), content);
        }
        let mut special = Metadata { mode: 0o4750, uid: 70_000, gid: 5, mtime: 77, ..Metadata::default() };
        special.xattrs.insert(b"security.capability".to_vec(), vec![1, 2, 3]);
        add("bin/special", special, Content::File { size_bytes: 9, redirect: redirect("special") });
        add("bin/empty", plain.clone(), Content::File { size_bytes: 0, redirect: None });
        add("lib", plain.clone(), Content::Symlink { target: b"usr/lib".to_vec() });
        let mut image = std::io::Cursor::new(Vec::new());
        tree.write_to(&Options::default(), &mut image).unwrap();
        let found = read(image.get_ref()).unwrap();
        assert_eq!(found[0].path, b"");
        let found: BTreeMap<_, _> =
            found.into_iter().skip(1).map(|found| (found.path, (found.metadata, found.content))).collect();
        assert_eq!(found, expected);
        for length in [0, 1000, 2000] {
            assert_eq!(read(&image.get_ref()[..length]), Err(ReadError::Damaged));
        }
    }
}
