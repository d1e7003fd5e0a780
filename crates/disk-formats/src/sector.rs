//! How large a disk's sectors are. Partition tables count in them, and FAT must not have smaller ones than its disk.

/// The length of a disk's logical sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SectorSize {
    /// 512 bytes: nearly every disk, and those that only emulate it.
    #[default]
    Bytes512,
    /// 4096 bytes: disks that are sold as 4Kn, many NVMe drives formatted that way, DASD.
    Bytes4096,
}

impl SectorSize {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Bytes512, Self::Bytes4096];

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Bytes512 => 512,
            Self::Bytes4096 => 4096,
        }
    }

    /// The one of so many bytes; `None` where there is none.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }
}
