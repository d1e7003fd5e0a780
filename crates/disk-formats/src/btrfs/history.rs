//! What a device's superblock tells of its past: how often the filesystem on it was changed.
//!
//! Offsets are those of [`super::superblock`]. Copies of the superblock are not looked at.

use std::io::{self, Read, Seek, SeekFrom};

use super::GENERATION;
use super::chunks::SUPERBLOCKS;

/// A device's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHistory {
    /// How many transactions there were, the one that made it among them.
    pub generation: u64,
}

impl VolumeHistory {
    /// Reads the superblock of a device; nothing if it holds no btrfs filesystem.
    ///
    /// Errors when the device cannot be read.
    pub fn read(device: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut bytes = [0; 80];
        device.seek(SeekFrom::Start(SUPERBLOCKS[0]))?;
        match device.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let (start, generation) = bytes.split_at(72);
        let generation = generation.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok((&start[64..] == b"_BHRfS_M").then_some(VolumeHistory { generation }))
    }

    /// Whether the filesystem is as it was made: nothing was ever written to it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.generation == GENERATION
    }
}
