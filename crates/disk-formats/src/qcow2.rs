//! QEMU's copy-on-write image, version 3: a disk without its holes, compressed if wanted.
//!
//! Written once from a disk that is there, front to back, with a bounded amount of memory: data clusters first, then the
//! tables that find them, the header last. Clusters of zeros are left out. No backing file, no snapshots, no encryption,
//! and no reading. Source: QEMU's `docs/interop/qcow2.rst`.
//!
//! | offset | bytes | field (all big endian) |
//! |---|---|---|
//! | 0 | 4 | `QFI\xfb` |
//! | 4 | 4 | version, 3 |
//! | 20 | 4 | cluster bits |
//! | 24 | 8 | size of the disk |
//! | 36 | 4 | entries of the L1 table |
//! | 40 | 8 | offset of the L1 table |
//! | 48 | 8 | offset of the refcount table |
//! | 56 | 4 | clusters of the refcount table |
//! | 72 | 8 | incompatible features (bit 3: a compression type other than deflate) |
//! | 96 | 4 | refcount order, 4: 16 bits each |
//! | 100 | 4 | header length |
//! | 104 | 1 | compression type, 1: zstd |

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::compression::Zstd;

const CLUSTER_BITS: u32 = 16;
/// How large a cluster is.
pub const CLUSTER_BYTES: u64 = 1 << CLUSTER_BITS;
/// The same, as the length of a slice.
const CLUSTER_LENGTH: usize = 1 << CLUSTER_BITS;
const HEADER_BYTES: u32 = 112;
const FEATURE_COMPRESSION_TYPE: u64 = 1 << 3;
const COMPRESSION_ZSTD: u8 = 1;
/// An entry with this bit belongs to one table only.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
/// Where the count of sectors starts in a compressed cluster's entry.
const SECTORS_SHIFT: u32 = 62 - (CLUSTER_BITS - 8);
const SECTOR_BYTES: u64 = 512;
/// How many clusters are compressed at a time; with the results, all that is held in memory.
const BATCH_CLUSTERS: usize = 128;

/// Whether clusters are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// By zstd.
    Zstd(Zstd),
}

/// A stretch of the disk that may hold something else than zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts.
    pub start_bytes: u64,
    /// How long it is.
    pub length_bytes: u64,
}

/// Writes an image of a disk of `size_bytes`, of which only `extents` (sorted, apart) are read.
///
/// Errors when the disk cannot be read or the image cannot be written.
pub fn write(
    disk: &mut (impl Read + Seek),
    (size_bytes, extents): (u64, &[Extent]),
    compression: Compression,
    image: &mut (impl Write + Seek),
) -> io::Result<()> {
    let mut writer = Writer::new(image, size_bytes, compression);
    let mut batch = Vec::with_capacity(BATCH_CLUSTERS);
    for index in clusters(extents, size_bytes) {
        let cluster = read_cluster(disk, index, size_bytes)?;
        if cluster.iter().any(|byte| *byte != 0) {
            batch.push((index, cluster));
        }
        if batch.len() == BATCH_CLUSTERS {
            writer.put(std::mem::take(&mut batch))?;
        }
    }
    writer.put(batch)?;
    writer.finish()
}

/// The numbers of the clusters that the extents touch, each once.
fn clusters(extents: &[Extent], size_bytes: u64) -> impl Iterator<Item = u64> {
    let mut next = 0;
    let ranges = extents.iter().map(move |extent| {
        let end_bytes = (extent.start_bytes + extent.length_bytes).min(size_bytes);
        let first = (extent.start_bytes / CLUSTER_BYTES).max(next);
        next = end_bytes.div_ceil(CLUSTER_BYTES).max(first);
        first..next
    });
    ranges.collect::<Vec<_>>().into_iter().flatten()
}

/// A whole cluster; behind the disk's end there are zeros.
fn read_cluster(disk: &mut (impl Read + Seek), index: u64, size_bytes: u64) -> io::Result<Vec<u8>> {
    let start_bytes = index * CLUSTER_BYTES;
    disk.seek(SeekFrom::Start(start_bytes))?;
    let mut cluster = Vec::new();
    disk.take(CLUSTER_BYTES.min(size_bytes - start_bytes)).read_to_end(&mut cluster)?;
    cluster.resize(CLUSTER_LENGTH, 0);
    Ok(cluster)
}

struct Writer<'w, W> {
    image: &'w mut W,
    size_bytes: u64,
    compression: Compression,
    /// Where the next bytes go.
    end_bytes: u64,
    /// One entry for each cluster of the disk; 0 is a hole.
    entries: Vec<u64>,
    /// How many entries use each cluster of the image.
    references: Vec<u16>,
}

impl<'w, W: Write + Seek> Writer<'w, W> {
    fn new(image: &'w mut W, size_bytes: u64, compression: Compression) -> Self {
        let entries = vec![0; index_of(size_bytes.div_ceil(CLUSTER_BYTES))];
        // The header's cluster comes first.
        Self { image, size_bytes, compression, end_bytes: CLUSTER_BYTES, entries, references: vec![1] }
    }

    fn put(&mut self, batch: Vec<(u64, Vec<u8>)>) -> io::Result<()> {
        let compressed = compress(&batch, self.compression)?;
        for ((index, cluster), compressed) in batch.into_iter().zip(compressed) {
            let entry = match compressed {
                Some(bytes) => self.append_compressed(&bytes)?,
                None => self.append_cluster(&cluster)? | COPIED,
            };
            self.entries[index_of(index)] = entry;
        }
        Ok(())
    }

    fn append_compressed(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let start_bytes = self.append(bytes)?;
        let last_bytes = self.end_bytes - 1;
        for cluster in start_bytes / CLUSTER_BYTES..=last_bytes / CLUSTER_BYTES {
            self.refer(cluster);
        }
        let more_sectors = last_bytes / SECTOR_BYTES - start_bytes / SECTOR_BYTES;
        Ok(COMPRESSED | (more_sectors << SECTORS_SHIFT) | start_bytes)
    }

    /// Appends whole clusters and gives where they start.
    fn append_cluster(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.end_bytes = self.end_bytes.next_multiple_of(CLUSTER_BYTES);
        let start_bytes = self.append(bytes)?;
        self.end_bytes = self.end_bytes.next_multiple_of(CLUSTER_BYTES);
        (start_bytes / CLUSTER_BYTES..self.end_bytes / CLUSTER_BYTES).for_each(|cluster| self.refer(cluster));
        Ok(start_bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let start_bytes = self.end_bytes;
        self.image.seek(SeekFrom::Start(start_bytes))?;
        self.image.write_all(bytes)?;
        self.end_bytes += bytes.len() as u64;
        Ok(start_bytes)
    }

    fn refer(&mut self, cluster: u64) {
        let cluster = index_of(cluster);
        if self.references.len() <= cluster {
            self.references.resize(cluster + 1, 0);
        }
        self.references[cluster] += 1;
    }

    /// The tables and the header.
    fn finish(mut self) -> io::Result<()> {
        let per_table = CLUSTER_LENGTH / 8;
        let mut l1 = Vec::new();
        for table in std::mem::take(&mut self.entries).chunks(per_table) {
            l1.push(match table.iter().all(|entry| *entry == 0) {
                true => 0,
                false => self.append_cluster(&padded(&big_endian(table)))? | COPIED,
            });
        }
        let l1_entries = u32::try_from(l1.len()).map_err(io::Error::other)?;
        let l1_bytes = self.append_cluster(&padded(&big_endian(&l1)))?;
        let (refcounts_bytes, refcounts_clusters) = self.refcounts()?;

        let mut header = vec![0; CLUSTER_LENGTH];
        let mut set = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
        set(0, b"QFI\xfb");
        set(4, &3_u32.to_be_bytes());
        set(20, &CLUSTER_BITS.to_be_bytes());
        set(24, &self.size_bytes.to_be_bytes());
        set(36, &l1_entries.to_be_bytes());
        set(40, &l1_bytes.to_be_bytes());
        set(48, &refcounts_bytes.to_be_bytes());
        set(56, &refcounts_clusters.to_be_bytes());
        set(96, &4_u32.to_be_bytes());
        set(100, &HEADER_BYTES.to_be_bytes());
        if self.compression != Compression::None {
            set(72, &FEATURE_COMPRESSION_TYPE.to_be_bytes());
            set(104, &[COMPRESSION_ZSTD]);
        }
        self.image.seek(SeekFrom::Start(0))?;
        self.image.write_all(&header)
    }

    /// The refcount blocks and their table, which count themselves. Gives the table's place and clusters.
    fn refcounts(&mut self) -> io::Result<(u64, u32)> {
        let per_block = CLUSTER_BYTES / 2;
        let used = self.end_bytes.div_ceil(CLUSTER_BYTES);
        let (mut blocks, mut tables) = (0, 0);
        loop {
            let needed_blocks = (used + blocks + tables).div_ceil(per_block);
            let needed_tables = (needed_blocks * 8).div_ceil(CLUSTER_BYTES);
            if (needed_blocks, needed_tables) == (blocks, tables) {
                break;
            }
            (blocks, tables) = (needed_blocks, needed_tables);
        }
        (used..used + blocks + tables).for_each(|cluster| self.refer(cluster));
        let counts: Vec<u8> = self.references.iter().flat_map(|count| count.to_be_bytes()).collect();
        let start_bytes = used * CLUSTER_BYTES;
        self.end_bytes = start_bytes;
        self.append(&padded(&counts))?;
        let table: Vec<u64> = (0..blocks).map(|block| start_bytes + block * CLUSTER_BYTES).collect();
        self.append(&padded(&big_endian(&table)))?;
        Ok((start_bytes + blocks * CLUSTER_BYTES, u32::try_from(tables).map_err(io::Error::other)?))
    }
}

/// Each cluster compressed, or nothing where that does not make it smaller.
fn compress(batch: &[(u64, Vec<u8>)], compression: Compression) -> io::Result<Vec<Option<Vec<u8>>>> {
    match compression {
        Compression::None => Ok(vec![None; batch.len()]),
        Compression::Zstd(zstd) => {
            zstd.compress_each(&batch.iter().map(|(_, cluster)| cluster.as_slice()).collect::<Vec<_>>())
        }
    }
}

/// A cluster's number as an index; a table too long for this machine's memory could not have been made.
fn index_of(cluster: u64) -> usize {
    usize::try_from(cluster).unwrap_or(usize::MAX)
}

fn big_endian(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_be_bytes()).collect()
}

/// Filled up with zeros to whole clusters, at least one.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().max(1).next_multiple_of(CLUSTER_LENGTH), 0);
    padded
}
