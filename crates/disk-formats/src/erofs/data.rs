//! The contents of files, compressed by zstd, in front of the metadata that finds them.
//!
//! A file is cut into chunks of [`CHUNK_BYTES`]; each is compressed for itself and takes whole blocks, with the zeros that
//! fill them up in front. A chunk that does not become smaller stands as it is. Small files are put together into one
//! hidden file, the packed inode, which is cut in the same way: files that the format calls fragments. Only one batch of
//! chunks is held in memory. What tells the kernel where a chunk lies is [`Stored::encode_index`]:
//!
//! | offset | size, little endian | field |
//! |---|---|---|
//! | 0 | 4 | unused; of a fragment 8 bytes, its offset with the highest bit set |
//! | 4 | 2 | advice: 2, a chunk may take several blocks |
//! | 6 | 1 | algorithm: 3, zstd |
//! | 7 | 1 | log2 of the pages of a cluster: 0 |
//! | 8 | 8 | unused |
//! | 16 | 8 for each 4 KiB of the file | type (0 plain, 1 the first of a chunk, 2 a further one), 0, and the block's address or the distances to the first ones of this and of the next chunk |
//!
//! The second entry of a chunk has the number of its blocks, marked, in the place of the first distance.
//! Source: the kernel's `fs/erofs/erofs_fs.h` and `fs/erofs/zmap.c`.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{BLOCK_BYTES, ErofsError, narrow};
use crate::compression::Zstd;

/// How much of a file is compressed at a time: whoever reads a byte decompresses so much.
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
pub(super) const CHUNK_BITS: u8 = 17;
/// Files that are smaller are put together.
const FRAGMENT_BYTES: u64 = 1 << 15;
/// How many chunks are compressed at a time; with the results, all that is held in memory.
const BATCH_CHUNKS: usize = 128;

const PLAIN: u16 = 0;
const HEAD: u16 = 1;
const FURTHER: u16 = 2;
const ADVICE_SEVERAL_BLOCKS: u16 = 2;
const ALGORITHM_ZSTD: u8 = 3;
/// The mark of a fragment's offset.
const FRAGMENT: u64 = 1 << 63;
/// The mark of a number of blocks.
const BLOCK_COUNT: u16 = 1 << 11;

/// A file whose contents are in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(usize);

/// Where the contents of one file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    size_bytes: u64,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the packed inode, from this offset on.
    Fragment(u64),
    Chunks(Vec<Chunk>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chunk {
    /// Its first block.
    block: u32,
    /// How many blocks it takes; nothing where it stands as it is.
    compressed_blocks: Option<u16>,
}

/// The contents of all files of an image.
#[derive(Debug, Clone)]
pub struct StoredFiles {
    files: Vec<Stored>,
    /// The files that were put together, as one.
    pub(super) packed: Stored,
    /// The block behind them.
    pub(super) end_block: u32,
}

/// Writes the contents of files into an image, whose first block it leaves alone.
pub struct DataWriter<'w, W> {
    image: &'w mut W,
    zstd: Zstd,
    files: Vec<Stored>,
    /// Chunks that wait to be compressed, and whose they are; nobody's are the packed inode's.
    batch: Vec<(Option<FileId>, Vec<u8>)>,
    packed: Stored,
    /// What the packed inode has not yet given a chunk for.
    pending: Vec<u8>,
    next_block: u32,
}

impl<'w, W: Write + Seek> DataWriter<'w, W> {
    /// Begins an image at the writer's start.
    ///
    /// Errors when it cannot seek.
    pub fn new(image: &'w mut W, zstd: Zstd) -> io::Result<Self> {
        image.seek(SeekFrom::Start(BLOCK_BYTES as u64))?;
        let packed = Stored { size_bytes: 0, place: Place::Chunks(Vec::new()) };
        Ok(Self { image, zstd, files: Vec::new(), batch: Vec::new(), packed, pending: Vec::new(), next_block: 1 })
    }

    /// Takes a file's contents up to their end.
    ///
    /// Errors when they cannot be read or the image cannot be written.
    pub fn add(&mut self, contents: &mut impl Read) -> io::Result<FileId> {
        let id = FileId(self.files.len());
        self.files.push(Stored { size_bytes: 0, place: Place::Chunks(Vec::new()) });
        loop {
            let mut chunk = Vec::new();
            contents.take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
            let (length, first) = (chunk.len(), self.files[id.0].size_bytes == 0);
            if first && (length as u64) < FRAGMENT_BYTES {
                self.files[id.0] = self.fragment(&chunk)?;
                return Ok(id);
            }
            if length == 0 {
                return Ok(id);
            }
            self.files[id.0].size_bytes += length as u64;
            self.wait(Some(id), chunk)?;
        }
    }

    /// Writes what still waits.
    ///
    /// Errors when the image cannot be written.
    pub fn finish(mut self) -> io::Result<StoredFiles> {
        if !self.pending.is_empty() {
            let rest = std::mem::take(&mut self.pending);
            self.wait(None, rest)?;
        }
        self.write_batch()?;
        Ok(StoredFiles { files: self.files, packed: self.packed, end_block: self.next_block })
    }

    /// Puts a small file's contents behind those before.
    fn fragment(&mut self, contents: &[u8]) -> io::Result<Stored> {
        let offset = self.packed.size_bytes;
        self.packed.size_bytes += contents.len() as u64;
        self.pending.extend_from_slice(contents);
        if self.pending.len() >= CHUNK_BYTES {
            let rest = self.pending.split_off(CHUNK_BYTES);
            let chunk = std::mem::replace(&mut self.pending, rest);
            self.wait(None, chunk)?;
        }
        Ok(Stored { size_bytes: contents.len() as u64, place: Place::Fragment(offset) })
    }

    fn wait(&mut self, file: Option<FileId>, chunk: Vec<u8>) -> io::Result<()> {
        self.batch.push((file, chunk));
        if self.batch.len() == BATCH_CHUNKS { self.write_batch() } else { Ok(()) }
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let pieces: Vec<&[u8]> = batch.iter().map(|(_, chunk)| chunk.as_slice()).collect();
        for ((file, chunk), compressed) in batch.iter().zip(self.zstd.compress_each(&pieces)?) {
            let placed = self.write_chunk(chunk, compressed)?;
            let stored = match file {
                Some(id) => &mut self.files[id.0],
                None => &mut self.packed,
            };
            if let Place::Chunks(chunks) = &mut stored.place {
                chunks.push(placed);
            }
        }
        Ok(())
    }

    /// A chunk as whichever form takes fewer blocks.
    fn write_chunk(&mut self, chunk: &[u8], compressed: Option<Vec<u8>>) -> io::Result<Chunk> {
        let blocks = chunk.len().div_ceil(BLOCK_BYTES);
        let smaller = compressed.filter(|bytes| bytes.len().div_ceil(BLOCK_BYTES) < blocks);
        let zeros = |length: usize| vec![0; length.next_multiple_of(BLOCK_BYTES) - length];
        let count = match &smaller {
            Some(bytes) => {
                self.image.write_all(&zeros(bytes.len()))?;
                self.image.write_all(bytes)?;
                bytes.len().div_ceil(BLOCK_BYTES)
            }
            None => {
                self.image.write_all(chunk)?;
                self.image.write_all(&zeros(chunk.len()))?;
                blocks
            }
        };
        let count = u16::try_from(count).map_err(io::Error::other)?;
        let placed = Chunk { block: self.next_block, compressed_blocks: smaller.map(|_| count) };
        self.next_block = self.next_block.checked_add(count.into()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(placed)
    }
}

impl StoredFiles {
    /// What the tree says of a file.
    #[must_use]
    pub fn of(&self, file: FileId) -> Stored {
        self.files[file.0].clone()
    }
}

impl Stored {
    /// The file's length.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many blocks are its own.
    pub(super) fn blocks(&self) -> Result<u32, ErofsError> {
        let Place::Chunks(chunks) = &self.place else {
            return Ok(0);
        };
        let of_chunk = |(chunk, clusters): (&Chunk, usize)| chunk.compressed_blocks.map_or(clusters, usize::from);
        narrow(chunks.iter().zip(self.clusters()).map(of_chunk).sum::<usize>(), "blocks of one file")
    }

    /// The length of [`Self::encode_index`].
    pub(super) fn index_bytes(&self) -> Result<usize, ErofsError> {
        match &self.place {
            Place::Fragment(_) => Ok(8),
            Place::Chunks(_) => {
                Ok(16 + 8 * narrow::<u64, usize>(self.size_bytes.div_ceil(BLOCK_BYTES as u64), "file size")?)
            }
        }
    }

    /// What stands behind the inode, from a multiple of 8 on.
    pub(super) fn encode_index(&self) -> Result<Vec<u8>, ErofsError> {
        let chunks = match &self.place {
            Place::Fragment(offset) => return Ok((offset | FRAGMENT).to_le_bytes().to_vec()),
            Place::Chunks(chunks) => chunks,
        };
        let mut bytes = vec![0; 4];
        bytes.extend(ADVICE_SEVERAL_BLOCKS.to_le_bytes());
        bytes.extend([ALGORITHM_ZSTD, 0]);
        bytes.extend([0; 8]);
        for (chunk, clusters) in chunks.iter().zip(self.clusters()) {
            let clusters: u16 = narrow(clusters, "clusters of a chunk")?;
            for cluster in 0..clusters {
                match chunk.compressed_blocks {
                    None => head(&mut bytes, PLAIN, chunk.block + u32::from(cluster)),
                    Some(_) if cluster == 0 => head(&mut bytes, HEAD, chunk.block),
                    Some(blocks) => {
                        let back = if cluster == 1 { blocks | BLOCK_COUNT } else { cluster };
                        [FURTHER, 0, back, clusters - cluster]
                            .iter()
                            .for_each(|field| bytes.extend(field.to_le_bytes()));
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// How many pieces of 4 KiB each chunk has.
    fn clusters(&self) -> impl Iterator<Item = usize> {
        let whole = (CHUNK_BYTES / BLOCK_BYTES) as u64;
        let all = self.size_bytes.div_ceil(BLOCK_BYTES as u64);
        // The last chunk has the rest; both numbers are at most `whole`.
        (0..all.div_ceil(whole)).map(move |chunk| usize::try_from(whole.min(all - chunk * whole)).unwrap_or_default())
    }
}

/// The entry of a cluster that begins at a block.
fn head(bytes: &mut Vec<u8>, kind: u16, block: u32) {
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(block.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{BLOCK_BYTES, CHUNK_BYTES, DataWriter, FileId, Place, StoredFiles};
    use crate::compression::Zstd;

    /// Bytes that do not compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    fn store(files: &[&[u8]], threads: usize) -> (Vec<u8>, StoredFiles, Vec<FileId>) {
        let mut image = Cursor::new(Vec::new());
        let mut writer = DataWriter::new(&mut image, Zstd { level: 3, threads }).unwrap();
        let ids = files.iter().map(|file| writer.add(&mut &**file).unwrap()).collect();
        let stored = writer.finish().unwrap();
        (image.into_inner(), stored, ids)
    }

    #[test]
    fn small_files_share_a_chunk() {
        let (_, stored, ids) = store(&[b"one", b"", b"three"], 1);
        let places: Vec<_> = ids.iter().map(|id| stored.of(*id).place).collect();
        assert_eq!(places, [Place::Fragment(0), Place::Fragment(3), Place::Fragment(3)]);
        assert_eq!((stored.packed.size_bytes, stored.end_block), (8, 2));
        assert_eq!(stored.of(ids[2]).encode_index().unwrap(), [3, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn what_compresses_takes_fewer_blocks_and_what_does_not_stands_as_it_is() {
        let (text, noise) = (vec![b'a'; CHUNK_BYTES + 5000], noise(CHUNK_BYTES));
        let (image, stored, ids) = store(&[&text, &noise], 2);
        // A chunk of one block, two clusters of the rest in one block, then the noise.
        assert_eq!(stored.of(ids[0]).blocks().unwrap(), 2);
        assert_eq!(stored.of(ids[1]).blocks().unwrap(), 32);
        assert_eq!(image[3 * BLOCK_BYTES..], noise);
        let index = stored.of(ids[0]).encode_index().unwrap();
        assert_eq!(index.len(), stored.of(ids[0]).index_bytes().unwrap());
        assert_eq!(index[16..32], [1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 8, 31, 0]);
        assert_eq!(
            index[16 + 31 * 8..][..24],
            [2, 0, 0, 0, 31, 0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 8, 1, 0]
        );
    }

    #[test]
    fn threads_do_not_show() {
        let text: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        assert!(store(&[&text, b"x"], 1).0 == store(&[&text, b"x"], 3).0);
    }
}
