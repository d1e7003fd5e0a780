//! From places to bytes: data first, which gives the checksums, then the trees, the superblocks last.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::btree::LeafWriter;
use super::files::Body;
use super::{BtrfsError, Layout, SECTOR_BYTES};
use crate::checksum::crc32c;
use crate::tree::NodeId;

/// How much of a file is read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// The unit of checksums.
const SECTOR: usize = 4096;
const _: () = assert!(SECTOR as u64 == SECTOR_BYTES);

/// Who opens files for their contents.
pub type Open<'a> = dyn FnMut(NodeId) -> io::Result<Box<dyn Read + 'a>> + 'a;

impl Layout {
    /// Writes the filesystem to a device whose bytes are all zero. Every file that is not empty is opened once.
    ///
    /// Errors when a file cannot be read or has another length than the tree says, or the device refuses bytes.
    pub fn write(&self, device: &mut (impl Write + Seek), open: &mut Open<'_>) -> Result<(), BtrfsError> {
        let sums = self.write_data(device, open)?;
        for tree in [&self.chunk_tree].into_iter().chain(&self.trees) {
            let mut leaves = LeafWriter::new(tree, &self.options);
            self.emit(tree.id, &mut |key, body| {
                let contents = match body {
                    Body::Bytes(bytes) => bytes,
                    Body::Small(header, node, length) => with_contents(header, node, length, open)?,
                    Body::Sums(first, count) => {
                        sums[first..first + count].iter().flat_map(|sum| sum.to_le_bytes()).collect()
                    }
                };
                match leaves.add(key, contents)? {
                    Some((address, block)) => self.write_block(device, address, &block),
                    None => Ok(()),
                }
            })?;
            let (address, block) = leaves.finish()?;
            self.write_block(device, address, &block)?;
            for (address, block) in tree.inner(&self.options)? {
                self.write_block(device, address, &block)?;
            }
        }
        self.superblocks()?.iter().try_for_each(|(place, bytes)| write_at(device, *place, bytes))
    }

    /// Writes the data of files. Returns the checksums of all sectors.
    fn write_data(&self, device: &mut (impl Write + Seek), open: &mut Open<'_>) -> Result<Vec<u32>, BtrfsError> {
        let mut sums = Vec::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        for (node, size_bytes) in self.forest.large_files() {
            let mut source = Source { node, file: open(node).map_err(|source| BtrfsError::Read { node, source })? };
            let mut missing = size_bytes;
            for extent in self.forest.extents_of(node) {
                let mut address = extent.logical;
                while address < extent.end() {
                    let length = (extent.end() - address).min(BUFFER_BYTES as u64);
                    let block = &mut buffer[..usize::try_from(length).unwrap_or(BUFFER_BYTES)];
                    let contents = block.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                    source.fill(&mut block[..contents])?;
                    block[contents..].fill(0);
                    missing -= contents as u64;
                    sums.extend(block.chunks(SECTOR).map(|sector| !crc32c(!0, sector)));
                    self.write_block(device, address, block)?;
                    address += length;
                }
            }
            source.end()?;
        }
        Ok(sums)
    }

    /// Writes to every place of an address.
    fn write_block(&self, device: &mut (impl Write + Seek), address: u64, bytes: &[u8]) -> Result<(), BtrfsError> {
        self.chunks.of(address).places(address).try_for_each(|place| write_at(device, place, bytes))
    }
}

fn write_at(device: &mut (impl Write + Seek), place: u64, bytes: &[u8]) -> Result<(), BtrfsError> {
    device.seek(SeekFrom::Start(place)).map_err(BtrfsError::Write)?;
    device.write_all(bytes).map_err(BtrfsError::Write)
}

/// The contents of a small file behind its item's header.
fn with_contents(mut bytes: Vec<u8>, node: NodeId, length: usize, open: &mut Open<'_>) -> Result<Vec<u8>, BtrfsError> {
    let mut source = Source { node, file: open(node).map_err(|source| BtrfsError::Read { node, source })? };
    let start = bytes.len();
    bytes.resize(start + length, 0);
    source.fill(&mut bytes[start..])?;
    source.end()?;
    Ok(bytes)
}

/// A file that must be exactly as long as planned.
struct Source<'a> {
    node: NodeId,
    file: Box<dyn Read + 'a>,
}

impl Source<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BtrfsError> {
        let node = self.node;
        self.file.read_exact(buffer).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => BtrfsError::Changed { node },
            _ => BtrfsError::Read { node, source },
        })
    }

    fn end(&mut self) -> Result<(), BtrfsError> {
        let node = self.node;
        match self.file.read(&mut [0]).map_err(|source| BtrfsError::Read { node, source })? {
            0 => Ok(()),
            _ => Err(BtrfsError::Changed { node }),
        }
    }
}
