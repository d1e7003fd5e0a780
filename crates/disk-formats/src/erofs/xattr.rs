//! Extended attributes: names to prefix indices, and which attributes inodes share.
//!
//! An attribute that several inodes have in common (every redirected file has the same empty metacopy mark) is stored
//! once and referred to by its offset; the others stand behind their inode.
//!
//! An attribute's record, padded with zeros to a multiple of 4:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | length of the name without its prefix |
//! | 1 | 1 | index of the prefix |
//! | 2 | 2, little endian | length of the value |
//! | 4 | | name, value |

use std::collections::BTreeMap;

use super::tree::{Content, Entry, display};
use super::{ErofsError, narrow};

/// Name prefixes by index. A POSIX ACL's prefix is its whole name.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// Header of the attributes behind an inode: name filter (4 bytes), count of shared ones (1), reserved (7).
const HEADER_BYTES: usize = 12;

/// The attribute area of one image.
#[derive(Debug, Default)]
pub(super) struct SharedXattrs {
    /// Records in order, ready to be written.
    pub(super) bytes: Vec<u8>,
    /// Record to its offset in `bytes`.
    offsets: BTreeMap<Vec<u8>, usize>,
}

/// The records of an entry's attributes, sorted by name; overlay's own among them.
pub(super) fn records(entry: &Entry) -> Result<Vec<Vec<u8>>, ErofsError> {
    let mut xattrs = entry.metadata.xattrs.clone();
    if let Content::File { redirect: Some(redirect), .. } = &entry.content {
        xattrs.insert(b"trusted.overlay.metacopy".to_vec(), Vec::new());
        xattrs.insert(b"trusted.overlay.redirect".to_vec(), redirect.clone());
    }
    xattrs.iter().map(|(name, value)| record(name, value)).collect()
}

fn record(name: &[u8], value: &[u8]) -> Result<Vec<u8>, ErofsError> {
    let invalid = || ErofsError::Attribute { name: display(name) };
    let (suffix, index) =
        PREFIXES.iter().find_map(|(prefix, index)| Some((name.strip_prefix(*prefix)?, *index))).ok_or_else(invalid)?;
    let mut bytes = vec![u8::try_from(suffix.len()).map_err(|_| invalid())?, index];
    bytes.extend(u16::try_from(value.len()).map_err(|_| invalid())?.to_le_bytes());
    bytes.extend_from_slice(suffix);
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(bytes)
}

impl SharedXattrs {
    /// Chooses the records that more than one of the inodes has.
    pub(super) fn choose<'a>(inodes: impl Iterator<Item = &'a Vec<Vec<u8>>>) -> Self {
        let mut uses: BTreeMap<&[u8], usize> = BTreeMap::new();
        for record in inodes.flatten() {
            *uses.entry(record).or_default() += 1;
        }
        let mut shared = SharedXattrs::default();
        for (record, _) in uses.into_iter().filter(|(_, count)| *count > 1) {
            shared.offsets.insert(record.to_vec(), shared.bytes.len());
            shared.bytes.extend_from_slice(record);
        }
        shared
    }

    /// What stands behind an inode with these records; empty if it has none. `area_offset` is where the shared area
    /// starts, counted in bytes from the block that the superblock names.
    pub(super) fn inline_area(&self, records: &[Vec<u8>], area_offset: usize) -> Result<Vec<u8>, ErofsError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; HEADER_BYTES];
        let mut shared_count = 0_usize;
        for offset in records.iter().filter_map(|record| self.offsets.get(record)) {
            let id: u32 = narrow((area_offset + offset) / 4, "shared attributes")?;
            bytes.extend(id.to_le_bytes());
            shared_count += 1;
        }
        bytes[4] = narrow(shared_count, "shared attributes of one inode")?;
        for record in records.iter().filter(|record| !self.offsets.contains_key(*record)) {
            bytes.extend_from_slice(record);
        }
        Ok(bytes)
    }
}

/// The inode's count of attribute words: the header counts as one, then 4-byte words.
pub(super) fn word_count(area_bytes: usize) -> Result<u16, ErofsError> {
    match area_bytes.checked_sub(HEADER_BYTES) {
        None => Ok(0),
        Some(rest) => narrow(rest / 4 + 1, "attributes of one inode"),
    }
}

#[cfg(test)]
mod tests {
    use super::{SharedXattrs, record, word_count};

    #[test]
    fn a_record_is_padded_to_words() {
        assert_eq!(record(b"trusted.ab", b"xyz").unwrap(), b"\x02\x04\x03\x00abxyz\0\0\0");
        assert_eq!(record(b"system.posix_acl_access", b"1234").unwrap(), b"\x00\x02\x04\x001234");
    }

    #[test]
    fn names_without_a_known_prefix_are_refused() {
        assert!(record(b"system.nfs4_acl", b"").is_err());
        assert!(record(b"plain", b"").is_err());
        assert!(record(&[b"user.".as_slice(), &[b'n'; 256]].concat(), b"").is_err());
    }

    #[test]
    fn only_repeated_records_are_shared() {
        let (a, b) = (record(b"user.a", b"").unwrap(), record(b"user.b", b"").unwrap());
        let inodes = [vec![a.clone(), b.clone()], vec![a.clone()]];
        let shared = SharedXattrs::choose(inodes.iter());
        assert_eq!(shared.bytes, a);
        let area = shared.inline_area(&inodes[0], 64).unwrap();
        assert_eq!(area, [vec![0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0], b].concat());
        assert_eq!(word_count(area.len()).unwrap(), 4);
        assert_eq!(word_count(0).unwrap(), 0);
    }
}
