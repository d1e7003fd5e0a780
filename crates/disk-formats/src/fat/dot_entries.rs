//! Puts the `.` and `..` records of directories where the format wants them.
//!
//! `fatfs` 0.3 gives the two records long names, which shifts them to the second and fourth slot of a new directory, and
//! lets `..` name the root by its cluster instead of 0. `fsck.vfat` calls such a directory damaged. This walks the
//! directories and corrects both; it can go when the crate's fix is released.
//!
//! Fields of the boot sector used here (little endian): 11, 2: bytes per sector; 13, 1: sectors per cluster; 14, 2: reserved
//! sectors; 16, 1: tables; 36, 4: sectors per table; 44, 4: first cluster of the root. Of a directory record: 0, 11: name;
//! 11, 1: attributes; 20, 2 and 26, 2: high and low half of the first cluster.

use std::io::{self, Read, Seek, SeekFrom, Write};

const RECORD_BYTES: usize = 32;
const ATTRIBUTE_DIRECTORY: u8 = 0x10;
const ATTRIBUTES_LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;
/// Table values from here on end a chain.
const CHAIN_END: u32 = 0x0fff_fff7;

/// Where things are on the volume.
struct Geometry {
    table_offset: u64,
    data_offset: u64,
    cluster_bytes: usize,
    root_cluster: u32,
}

/// Repairs every directory of a FAT32 volume; other volumes are left alone.
pub(super) fn repair<D: Read + Write + Seek>(volume: &mut D) -> io::Result<()> {
    let Some(geometry) = Geometry::read(volume)? else {
        return Ok(());
    };
    let mut pending = vec![geometry.root_cluster];
    while let Some(first) = pending.pop() {
        let mut cluster = first;
        while (2..CHAIN_END).contains(&cluster) {
            let mut records = vec![0; geometry.cluster_bytes];
            volume.seek(SeekFrom::Start(geometry.cluster_offset(cluster)))?;
            volume.read_exact(&mut records)?;
            if cluster == first && first != geometry.root_cluster && geometry.correct(&mut records) {
                volume.seek(SeekFrom::Start(geometry.cluster_offset(cluster)))?;
                volume.write_all(&records)?;
            }
            let used = records.chunks_exact(RECORD_BYTES).take_while(|record| record[0] != 0);
            pending.extend(used.filter(|record| is_child(record)).map(first_cluster));
            cluster = geometry.next_cluster(volume, cluster)?;
        }
    }
    volume.flush()
}

impl Geometry {
    fn read<D: Read + Seek>(volume: &mut D) -> io::Result<Option<Self>> {
        let mut sector = [0; 512];
        volume.seek(SeekFrom::Start(0))?;
        volume.read_exact(&mut sector)?;
        let half = |offset: usize| u64::from(u16::from_le_bytes([sector[offset], sector[offset + 1]]));
        let whole = |offset: usize| half(offset) | half(offset + 2) << 16;
        // Only FAT32 has no short table length.
        if half(22) != 0 {
            return Ok(None);
        }
        let sector_bytes = half(11);
        let table_offset = half(14) * sector_bytes;
        Ok(Some(Geometry {
            table_offset,
            data_offset: table_offset + u64::from(sector[16]) * whole(36) * sector_bytes,
            cluster_bytes: usize::from(sector[13]) * usize::from(u16::from_le_bytes([sector[11], sector[12]])),
            root_cluster: u32::from_le_bytes([sector[44], sector[45], sector[46], sector[47]]),
        }))
    }

    fn cluster_offset(&self, cluster: u32) -> u64 {
        self.data_offset + u64::from(cluster - 2) * self.cluster_bytes as u64
    }

    fn next_cluster<D: Read + Seek>(&self, volume: &mut D, cluster: u32) -> io::Result<u32> {
        let mut entry = [0; 4];
        volume.seek(SeekFrom::Start(self.table_offset + u64::from(cluster) * 4))?;
        volume.read_exact(&mut entry)?;
        Ok(u32::from_le_bytes(entry) & 0x0fff_ffff)
    }

    /// Corrects the first cluster of a directory below the root and says whether anything was wrong.
    fn correct(&self, records: &mut [u8]) -> bool {
        let before = records[..4 * RECORD_BYTES].to_vec();
        let name = |slot: usize| &before[slot * RECORD_BYTES..slot * RECORD_BYTES + 11];
        if before[11] == ATTRIBUTES_LONG_NAME && name(1) == b".          " && name(3) == b"..         " {
            records.copy_within(RECORD_BYTES..2 * RECORD_BYTES, 0);
            records.copy_within(3 * RECORD_BYTES..4 * RECORD_BYTES, RECORD_BYTES);
            records[2 * RECORD_BYTES] = DELETED;
            records[3 * RECORD_BYTES] = DELETED;
        }
        let parent = &mut records[RECORD_BYTES..2 * RECORD_BYTES];
        // The root as a parent is written as cluster 0.
        if parent.starts_with(b"..         ") && first_cluster(parent) == self.root_cluster {
            parent[20..22].fill(0);
            parent[26..28].fill(0);
        }
        records[..4 * RECORD_BYTES] != before
    }
}

/// Whether a record names a directory below.
fn is_child(record: &[u8]) -> bool {
    record[11] != ATTRIBUTES_LONG_NAME
        && record[11] & ATTRIBUTE_DIRECTORY != 0
        && record[0] != DELETED
        && record[0] != b'.'
}

fn first_cluster(record: &[u8]) -> u32 {
    u32::from_le_bytes([record[26], record[27], record[20], record[21]])
}
