//! What a volume tells of its past: whether anything was written to the filesystem since it was made.
//!
//! Every change goes through the log: it then begins with other blocks than those of [`super::log`], and with a clean
//! unmount the superblock has the sequence number of a record. Offsets are those of [`super::headers`].

use std::io::{self, Read, Seek, SeekFrom};

use super::block::BLOCK;
use super::{BLOCK_BYTES, log};

/// A volume's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHistory {
    is_untouched: bool,
}

impl VolumeHistory {
    /// Reads the superblock and the log's start; nothing if the volume holds no XFS filesystem.
    ///
    /// Errors when the volume cannot be read.
    pub fn read(volume: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut superblock = [0; 256];
        volume.seek(SeekFrom::Start(0))?;
        match volume.read_exact(&mut superblock) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        if &superblock[..4] != b"XFSB" {
            return Ok(None);
        }
        let number = |offset: usize, length: usize| {
            superblock[offset..offset + length].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let (log_start, group_blocks, group_bits) = (number(48, 8), number(84, 4), number(124, 1).min(63));
        let block = (log_start >> group_bits).saturating_mul(group_blocks) + (log_start & ((1 << group_bits) - 1));
        let mut records = [0; 2 * BLOCK];
        volume.seek(SeekFrom::Start(block.saturating_mul(BLOCK_BYTES)))?;
        match volume.read_exact(&mut records) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            // A filesystem that is longer than its volume is none of ours.
            Err(_) => return Ok(Some(VolumeHistory { is_untouched: false })),
            Ok(()) => {}
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&superblock[32..48]);
        let (first, behind) = records.split_at(BLOCK);
        let is_clean = first == log::clean(&uuid) && behind.iter().all(|byte| *byte == 0);
        let is_untouched = number(240, 8) == 0 && is_clean;
        Ok(Some(VolumeHistory { is_untouched }))
    }

    /// Whether the filesystem is as it was made: nothing was ever written to it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.is_untouched
    }
}
