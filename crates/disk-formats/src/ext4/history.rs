//! What a volume's superblock tells of its past: whether anybody mounted or changed it since it was made.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/super.rst`. Little endian, offsets within the superblock, which
//! stands 1024 bytes into the volume:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0x2c | 4 | time of the last mount, 0 for never |
//! | 0x30 | 4 | time of the last write to the superblock |
//! | 0x34 | 2 | mounts since the last check |
//! | 0x38 | 2 | magic number 0xef53 |
//! | 0x78 | 16 | label, padded with zeros |
//! | 0x108 | 4 | time when the filesystem was made |

use std::io::{self, Read, Seek, SeekFrom};

const SUPERBLOCK_OFFSET: u64 = 1024;
const MAGIC: u16 = 0xef53;

/// A volume's past. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHistory {
    /// The label.
    pub label: Vec<u8>,
    /// How often it was mounted for writing.
    pub mounts: u16,
    /// When it was last mounted for writing; 0 for never.
    pub mounted_at: u32,
    /// When the superblock was last written.
    pub written_at: u32,
    /// When the filesystem was made.
    pub made_at: u32,
}

impl VolumeHistory {
    /// Reads the superblock of a volume; nothing if it holds no ext2, ext3 or ext4 filesystem.
    ///
    /// Errors when the volume cannot be read.
    pub fn read(volume: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut bytes = [0; 1024];
        volume.seek(SeekFrom::Start(SUPERBLOCK_OFFSET))?;
        match volume.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let u16_at = |offset: usize| u16::from_le_bytes([bytes[offset], bytes[offset + 1]]);
        let u32_at = |offset: usize| u32::from(u16_at(offset)) | u32::from(u16_at(offset + 2)) << 16;
        if u16_at(0x38) != MAGIC {
            return Ok(None);
        }
        let label = &bytes[0x78..0x88];
        Ok(Some(VolumeHistory {
            label: label.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            mounts: u16_at(0x34),
            mounted_at: u32_at(0x2c),
            written_at: u32_at(0x30),
            made_at: u32_at(0x108),
        }))
    }

    /// Whether the volume is as it was made: never mounted for writing, never changed by a tool.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.mounts == 0 && self.mounted_at == 0 && self.written_at == self.made_at
    }
}
