//! What was written to a disk, write by write, as QEMU's `blklogwrites` records it.
//!
//! The format is that of the kernel's dm-log-writes: a superblock in the first sector, then for each write a sector that
//! describes it, with the data after it. Numbers are little-endian. QEMU updates the superblock's count at each flush
//! only; until then what follows is told from the rest of the (new, empty) file by not being blank.
//!
//! Source: the kernel's Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c; QEMU's
//! documentation of `blklogwrites`.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use fs_err::File;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
const SECTOR_BYTES: u64 = 512;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

/// What one entry of the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes went to the disk.
    Write {
        /// Where on the disk.
        offset_bytes: u64,
        /// How many.
        length_bytes: u64,
        /// Where in the log they are.
        log_offset_bytes: u64,
    },
    /// Everything before is to survive a power cut.
    Flush,
    /// The content of a place is no longer needed, or a mark: nothing that changes what must be on the disk.
    Other,
}

/// A log that has been read: its entries in their order, with the data still in the file.
#[derive(Debug)]
pub struct RecordedWrites {
    file: File,
    entries: Vec<Entry>,
}

impl RecordedWrites {
    /// Makes the empty file that QEMU fills. It takes no room until then.
    pub fn prepare(path: &Path, limit_bytes: u64) -> io::Result<()> {
        File::create(path)?.set_len(limit_bytes)
    }

    /// Reads the entries that a log holds now, also while a machine writes it.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        let counted = superblock(&sector_at(&mut file, 0)?)?;
        let mut entries = Vec::new();
        let mut at = SECTOR_BYTES;
        while at + SECTOR_BYTES <= size_bytes {
            let head = sector_at(&mut file, at)?;
            if (entries.len() as u64) >= counted && head.iter().all(|byte| *byte == 0) {
                break;
            }
            let (entry, data_bytes) = parse(&head, at)?;
            entries.push(entry);
            at += SECTOR_BYTES + data_bytes;
        }
        if (entries.len() as u64) < counted {
            return Err(invalid(format!("{} entries instead of {counted}", entries.len())));
        }
        Ok(Self { file, entries })
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first bytes of a write.
    pub fn data(&mut self, log_offset_bytes: u64, length_bytes: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(log_offset_bytes))?;
        let mut data = vec![0; usize::try_from(length_bytes).map_err(io::Error::other)?];
        self.file.read_exact(&mut data)?;
        Ok(data)
    }
}

fn sector_at(file: &mut File, offset_bytes: u64) -> io::Result<[u8; 512]> {
    let mut sector = [0; 512];
    file.seek(SeekFrom::Start(offset_bytes))?;
    file.read_exact(&mut sector)?;
    Ok(sector)
}

fn number(sector: &[u8; 512], index: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&sector[index * 8..index * 8 + 8]);
    u64::from_le_bytes(bytes)
}

/// The count of entries in the superblock.
fn superblock(sector: &[u8; 512]) -> io::Result<u64> {
    if number(sector, 0) != MAGIC || number(sector, 1) != VERSION {
        return Err(invalid("no superblock".to_owned()));
    }
    let sector_bytes = number(sector, 3) & 0xffff_ffff;
    if sector_bytes != SECTOR_BYTES {
        return Err(invalid(format!("sectors of {sector_bytes} bytes")));
    }
    Ok(number(sector, 2))
}

/// An entry whose description stands at `at`, and how many bytes of data follow it.
fn parse(head: &[u8; 512], at: u64) -> io::Result<(Entry, u64)> {
    let (offset_bytes, length_bytes) = (bytes(number(head, 0))?, bytes(number(head, 1))?);
    let (flags, data_bytes) = (number(head, 2), number(head, 3));
    if flags & !0x1f != 0 {
        return Err(invalid(format!("flags {flags:#x} at {at}")));
    }
    if flags & MARK != 0 {
        return Ok((Entry::Other, data_bytes.next_multiple_of(SECTOR_BYTES)));
    }
    if flags & DISCARD != 0 {
        return Ok((Entry::Other, 0));
    }
    if length_bytes == 0 {
        return Ok((if flags & FLUSH != 0 { Entry::Flush } else { Entry::Other }, 0));
    }
    Ok((Entry::Write { offset_bytes, length_bytes, log_offset_bytes: at + SECTOR_BYTES }, length_bytes))
}

fn bytes(sectors: u64) -> io::Result<u64> {
    sectors.checked_mul(SECTOR_BYTES).ok_or_else(|| invalid(format!("{sectors} sectors")))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the log of writes: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sector that begins with these numbers.
    fn sector(numbers: &[u64]) -> Vec<u8> {
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.resize(512, 0);
        bytes
    }

    fn log(sectors: &[Vec<u8>]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), sectors.concat()).unwrap();
        file
    }

    #[test]
    fn writes_and_flushes_are_told_apart() {
        let data = [vec![7; 512], vec![8; 512]].concat();
        let log = log(&[
            sector(&[MAGIC, 1, 4, 512]),
            sector(&[10, 2, 0, 0]),
            data.clone(),
            sector(&[0, 0, FLUSH, 0]),
            sector(&[4, 1000, DISCARD, 0]),
            sector(&[0, 0, MARK, 5]),
            sector(&[]),
        ]);
        let mut read = RecordedWrites::read(log.path()).unwrap();
        let write = Entry::Write { offset_bytes: 5120, length_bytes: 1024, log_offset_bytes: 1024 };
        assert_eq!(read.entries(), [write, Entry::Flush, Entry::Other, Entry::Other]);
        assert_eq!(read.data(1024, 1024).unwrap(), data);
    }

    #[test]
    fn entries_that_the_superblock_does_not_count_yet_are_seen() {
        let log = log(&[sector(&[MAGIC, 1, 0, 512]), sector(&[10, 1, 0, 0]), vec![7; 512], sector(&[])]);
        assert_eq!(RecordedWrites::read(log.path()).unwrap().entries().len(), 1);
    }

    #[test]
    fn a_log_that_is_cut_off_is_refused() {
        let log = log(&[sector(&[MAGIC, 1, 2, 512]), sector(&[0, 0, FLUSH, 0])]);
        assert!(RecordedWrites::read(log.path()).unwrap_err().to_string().contains("1 entries instead of 2"));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let wrong = [sector(&[1, 1, 0, 512]), sector(&[MAGIC, 2, 0, 512]), sector(&[MAGIC, 1, 0, 4096])];
        for superblock in wrong {
            assert!(RecordedWrites::read(log(&[superblock]).path()).is_err());
        }
        let odd = log(&[sector(&[MAGIC, 1, 1, 512]), sector(&[0, 0, 0x100, 0])]);
        assert!(RecordedWrites::read(odd.path()).is_err());
    }
}
