//! Directory blocks as bytes.
//!
//! A block is a chain of records: inode (4), length of the record (2), length of the name (1), type (1), name; little endian,
//! padded to 4. The last record reaches to the block's last 12 bytes, which hold the checksum in the guise of a record.

use super::{BLOCK_BYTES, Ext4Error, narrow};
use crate::checksum::crc32c;

/// The bytes of a block that records can use.
const USABLE_BYTES: usize = 4096 - TAIL_BYTES;
const TAIL_BYTES: usize = 12;
/// The tail's fields before the checksum: no inode, 12 bytes, no name, type 0xde.
const TAIL: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xde];

/// A record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u32,
    pub(super) kind: u8,
}

fn record_bytes(name: &[u8]) -> usize {
    8 + name.len().next_multiple_of(4)
}

/// How many blocks a directory with these names takes, `.` and `..` included.
pub(super) fn blocks<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (mut blocks, mut used) = (1, 0);
    for name in names {
        let needed = record_bytes(name);
        if used + needed > USABLE_BYTES {
            (blocks, used) = (blocks + 1, 0);
        }
        used += needed;
    }
    blocks
}

/// The directory's blocks, back to back.
pub(super) fn encode(records: &[Record<'_>], seed: u32) -> Result<Vec<u8>, Ext4Error> {
    let mut bytes: Vec<u8> = Vec::with_capacity(4096);
    let (mut start, mut last) = (0, 0);
    for record in records {
        let needed = record_bytes(record.name);
        if bytes.len() - start + needed > USABLE_BYTES {
            close(&mut bytes, start, last, seed)?;
            start = bytes.len();
        }
        last = bytes.len();
        bytes.extend(record.inode.to_le_bytes());
        bytes.extend(narrow::<usize, u16>(needed, "directory record")?.to_le_bytes());
        bytes.push(narrow(record.name.len(), "name")?);
        bytes.push(record.kind);
        bytes.extend_from_slice(record.name);
        bytes.resize(last + needed, 0);
    }
    close(&mut bytes, start, last, seed)?;
    Ok(bytes)
}

/// Stretches the last record of the block that began at `start`, and adds the checksum.
fn close(bytes: &mut Vec<u8>, start: usize, last: usize, seed: u32) -> Result<(), Ext4Error> {
    let reach: u16 = narrow(start + USABLE_BYTES - last, "directory record")?;
    bytes[last + 4..last + 6].copy_from_slice(&reach.to_le_bytes());
    bytes.resize(start + USABLE_BYTES, 0);
    let checksum = crc32c(seed, &bytes[start..]);
    bytes.extend(TAIL);
    bytes.extend(checksum.to_le_bytes());
    debug_assert_eq!(bytes.len() as u64 % BLOCK_BYTES, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Record, blocks, encode};

    #[test]
    fn planning_and_encoding_agree_on_the_number_of_blocks() {
        for count in [1_usize, 100, 340, 341, 342, 1_000, 5_000] {
            let names: Vec<Vec<u8>> =
                (0..count).map(|i| format!("{i:04}{}", "n".repeat(i % 200)).into_bytes()).collect();
            let records: Vec<Record<'_>> = names.iter().map(|name| Record { name, inode: 12, kind: 1 }).collect();
            let bytes = encode(&records, 1).unwrap();
            assert_eq!(bytes.len() as u64, 4096 * blocks(names.iter().map(Vec::as_slice)), "{count}");
        }
    }
}
