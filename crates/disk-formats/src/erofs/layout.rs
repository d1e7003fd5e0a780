//! From a tree to the bytes of its image: order, places, then encoding.
//!
//! Every inode's size is known before any address, so places are given in one pass and nothing moves afterwards.

use std::collections::BTreeMap;

use super::data;
use super::inode::{self, DataLayout, Inode};
use super::tree::{Content, Node, Tree, display};
use super::xattr::{self, SharedXattrs};
use super::{BLOCK_BYTES, ErofsError, Options, narrow};
use crate::checksum::crc32c;

const SUPERBLOCK_OFFSET: usize = 1024;
const SUPERBLOCK_BYTES: usize = 128;
const SLOT_BYTES: usize = 32;
const MAGIC: u32 = 0xe0f5_e1e2;
/// The superblock's checksum is valid.
const COMPAT_CHECKSUM: u32 = 1;
/// Times in inodes are modification times.
const COMPAT_MTIME: u32 = 2;
/// There are chunk-based files.
const INCOMPAT_CHUNKED_FILE: u32 = 4;
/// There are compressed files: zeros in front of compressed data (1), settings behind the superblock and data of several
/// blocks (2), a packed inode (32).
const INCOMPAT_COMPRESSED: u32 = 1 | 2 | 32;
/// The bit of zstd among the algorithms.
const ALGORITHMS_ZSTD: u16 = 1 << 3;
/// The chunk address of a hole.
const HOLE: [u8; 4] = [0xff; 4];

/// An inode on its way into the image.
struct Placed {
    node: usize,
    parent: usize,
    records: Vec<Vec<u8>>,
    xattr_bytes: usize,
    /// Data blocks of a directory (of names) or nothing.
    names: Vec<Vec<Vec<u8>>>,
    size_bytes: u64,
    /// The last, partly filled piece of data: its length, and whether it stands behind the inode.
    tail_bytes: usize,
    tail_inline: bool,
    offset: usize,
    data_block: usize,
    inode_bytes: usize,
}

/// What metadata has to know of the contents that it stands behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind {
    /// The node of the packed inode, which no directory has.
    pub(super) packed: usize,
    /// The first block that is the metadata's.
    pub(super) first_block: u32,
}

/// The finished image of a tree without contents.
pub(super) fn metadata_image(tree: &Tree, options: &Options) -> Result<Vec<u8>, ErofsError> {
    let image = Image::plan(tree, options, None)?;
    let mut bytes = image.encode()?;
    image.put_superblock(&mut bytes)?;
    Ok(bytes)
}

/// The first block and the metadata of an image with contents.
pub(super) fn parts_around(tree: &Tree, options: &Options, behind: Behind) -> Result<(Vec<u8>, Vec<u8>), ErofsError> {
    let image = Image::plan(tree, options, Some(behind))?;
    let mut first = vec![0; BLOCK_BYTES];
    image.put_superblock(&mut first)?;
    Ok((first, image.encode()?))
}

struct Image<'a> {
    tree: &'a Tree,
    options: &'a Options,
    /// Inodes in the order of their places, the root first.
    inodes: Vec<Placed>,
    /// Node to index into `inodes`; a hard link's is its target's.
    index: Vec<usize>,
    links: Vec<u32>,
    shared: SharedXattrs,
    shared_offset: usize,
    /// Blocks of metadata.
    blocks: usize,
    contents: Option<Behind>,
}

impl<'a> Image<'a> {
    fn plan(tree: &'a Tree, options: &'a Options, contents: Option<Behind>) -> Result<Self, ErofsError> {
        let mut inodes = Vec::with_capacity(tree.nodes.len());
        collect(tree, 0, 0, &mut inodes)?;
        if let Some(Behind { packed, .. }) = contents {
            collect(tree, packed, packed, &mut inodes)?;
        }
        let mut index = vec![usize::MAX; tree.nodes.len()];
        for (place, inode) in inodes.iter().enumerate() {
            index[inode.node] = place;
        }
        let mut links = resolve_hard_links(tree, &mut index, inodes.len())?;
        if let Some(Behind { packed, .. }) = contents {
            links[index[packed]] = 1;
        }
        let shared = SharedXattrs::choose(inodes.iter().map(|inode| &inode.records));
        let mut image = Image { tree, options, inodes, index, links, shared, shared_offset: 0, blocks: 0, contents };
        image.place()?;
        Ok(image)
    }

    /// Gives every inode its offset and every data block its address.
    fn place(&mut self) -> Result<(), ErofsError> {
        let mut cursor = SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES;
        for place in 0..self.inodes.len() {
            let compact = self.inode(place, 0)?.is_compact(self.options.build_time);
            let inode = &mut self.inodes[place];
            inode.inode_bytes = if compact { 32 } else { 64 };
            // Sizes do not depend on where the shared area is, only the identifiers inside do.
            inode.xattr_bytes = self.shared.inline_area(&inode.records, 0)?.len();
            let fixed = inode.inode_bytes + inode.xattr_bytes;
            inode.tail_inline = inode.tail_bytes > 0 && fixed + inode.tail_bytes <= BLOCK_BYTES;
            let behind = match &self.tree.nodes[inode.node].entry.content {
                Content::File { size_bytes: 1.., .. } => HOLE.len(),
                Content::Stored(stored) => index_gap(fixed) + stored.index_bytes()?,
                _ if inode.tail_inline => inode.tail_bytes,
                _ => 0,
            };
            let total = fixed + behind;
            cursor = cursor.next_multiple_of(SLOT_BYTES);
            // Data behind an inode must not cross a block, and nothing else should: it would cost a second read.
            let room = BLOCK_BYTES - cursor % BLOCK_BYTES;
            let must_fit = if total <= BLOCK_BYTES { total } else { inode.inode_bytes };
            if must_fit > room {
                cursor += room;
            }
            inode.offset = cursor;
            cursor += total;
            if place == 0 {
                self.shared_offset = cursor.next_multiple_of(4);
                cursor = self.shared_offset + self.shared.bytes.len();
            }
        }
        let mut block = cursor.div_ceil(BLOCK_BYTES);
        for inode in self.inodes.iter_mut().filter(|inode| inode.data_blocks() > 0) {
            inode.data_block = block;
            block += inode.data_blocks();
        }
        self.blocks = block;
        Ok(())
    }

    /// The values of an inode's fields, but for the length of its attributes.
    fn inode(&self, place: usize, xattr_bytes: usize) -> Result<Inode<'a>, ErofsError> {
        let placed = &self.inodes[place];
        let entry = &self.tree.nodes[placed.node].entry;
        let (layout, union) = match &entry.content {
            Content::File { size_bytes, .. } if *size_bytes > 0 => {
                (DataLayout::ChunkBased, inode::chunk_bits(*size_bytes))
            }
            Content::Stored(stored) => (DataLayout::Compressed, stored.blocks()?),
            Content::CharacterDevice { major, minor } | Content::BlockDevice { major, minor } => {
                (DataLayout::FlatPlain, inode::device_number(*major, *minor))
            }
            _ if placed.tail_inline => (DataLayout::FlatInline, self.address(placed.data_block)?),
            _ => (DataLayout::FlatPlain, self.address(placed.data_block)?),
        };
        Ok(Inode {
            metadata: &entry.metadata,
            type_bits: inode::type_codes(&entry.content).0,
            layout,
            size_bytes: placed.size_bytes,
            links: self.links[place],
            number: narrow(place + 1, "inodes")?,
            union,
            xattr_words: xattr::word_count(xattr_bytes)?,
        })
    }

    /// The first block of the metadata.
    fn first_block(&self) -> u32 {
        self.contents.map_or(0, |contents| contents.first_block)
    }

    /// The address of a block of the metadata.
    fn address(&self, block: usize) -> Result<u32, ErofsError> {
        let block: u32 = narrow(block, "blocks")?;
        block.checked_add(self.first_block()).ok_or(ErofsError::TooLarge { what: "blocks" })
    }

    /// The metadata, without the superblock.
    fn encode(&self) -> Result<Vec<u8>, ErofsError> {
        let mut bytes = vec![0; self.blocks * BLOCK_BYTES];
        let mut put = |offset: usize, piece: &[u8]| bytes[offset..offset + piece.len()].copy_from_slice(piece);
        put(self.shared_offset, &self.shared.bytes);
        for (place, placed) in self.inodes.iter().enumerate() {
            let area = self.shared.inline_area(&placed.records, self.shared_offset)?;
            put(placed.offset, &self.inode(place, area.len())?.encode(self.options.build_time)?);
            let behind = placed.offset + placed.inode_bytes;
            put(behind, &area);
            let behind = behind + area.len();
            match &self.tree.nodes[placed.node].entry.content {
                Content::File { size_bytes: 1.., .. } => put(behind, &HOLE),
                Content::Stored(stored) => put(behind.next_multiple_of(8), &stored.encode_index()?),
                Content::Symlink { target } => put(placed.tail_offset(behind), target),
                Content::Directory => {
                    let targets = self.targets(placed)?;
                    for (number, names) in placed.names.iter().enumerate() {
                        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
                        let last = number + 1 == placed.names.len();
                        let offset = match last {
                            true => placed.tail_offset(behind),
                            false => (placed.data_block + number) * BLOCK_BYTES,
                        };
                        put(offset, &inode::encode_block(&names, &targets)?);
                    }
                }
                _ => {}
            }
        }
        Ok(bytes)
    }

    /// Puts the superblock into the image's first block.
    fn put_superblock(&self, block: &mut [u8]) -> Result<(), ErofsError> {
        let mut put = |offset: usize, piece: &[u8]| block[offset..offset + piece.len()].copy_from_slice(piece);
        put(SUPERBLOCK_OFFSET, &self.superblock()?);
        if self.contents.is_some() {
            // The settings' length, the format 0, and log2 of the KiB that zstd has to look back.
            put(SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES, &[6, 0, 0, data::CHUNK_BITS - 10]);
        }
        let checksum = crc32c(!0, &block[SUPERBLOCK_OFFSET..BLOCK_BYTES]);
        block[SUPERBLOCK_OFFSET + 4..SUPERBLOCK_OFFSET + 8].copy_from_slice(&checksum.to_le_bytes());
        Ok(())
    }

    /// Node number and type of each name in a directory, `.` and `..` included.
    fn targets(&self, directory: &Placed) -> Result<BTreeMap<&[u8], (u64, u8)>, ErofsError> {
        let target = |node: usize| {
            let placed = &self.inodes[self.index[node]];
            let (_, code) = inode::type_codes(&self.tree.nodes[placed.node].entry.content);
            ((placed.offset / SLOT_BYTES) as u64, code)
        };
        let children = &self.tree.nodes[directory.node].children;
        let mut targets: BTreeMap<&[u8], (u64, u8)> =
            children.iter().map(|(name, node)| (name.as_slice(), target(*node))).collect();
        targets.insert(b".", target(directory.node));
        targets.insert(b"..", target(directory.parent));
        Ok(targets)
    }

    /// The superblock, its checksum still zero.
    ///
    /// | offset | size | field |
    /// |---|---|---|
    /// | 0 | 4 | magic |
    /// | 4 | 4 | checksum of the first block from here on |
    /// | 8 | 4 | compatible features |
    /// | 12 | 1 | log2 of the block size |
    /// | 14 | 2 | node number of the root |
    /// | 16 | 8 | number of inodes |
    /// | 24 | 8 | build time |
    /// | 36 | 4 | number of blocks |
    /// | 40, 44 | 4, 4 | blocks from which node numbers and shared attributes count: both the metadata's first |
    /// | 48 | 16 | UUID |
    /// | 64 | 16 | label |
    /// | 80 | 4 | incompatible features |
    /// | 84 | 2 | algorithms |
    /// | 96 | 8 | node number of the packed inode |
    fn superblock(&self) -> Result<[u8; SUPERBLOCK_BYTES], ErofsError> {
        let chunked = self
            .inodes
            .iter()
            .any(|placed| matches!(self.tree.nodes[placed.node].entry.content, Content::File { size_bytes: 1.., .. }));
        let root: u16 = narrow(self.inodes[0].offset / SLOT_BYTES, "root inode")?;
        let mut block = [0; SUPERBLOCK_BYTES];
        let mut put = |offset: usize, piece: &[u8]| block[offset..offset + piece.len()].copy_from_slice(piece);
        put(0, &MAGIC.to_le_bytes());
        put(8, &(COMPAT_CHECKSUM | COMPAT_MTIME).to_le_bytes());
        put(12, &[12]);
        put(14, &root.to_le_bytes());
        put(16, &(self.inodes.len() as u64).to_le_bytes());
        put(24, &self.options.build_time.to_le_bytes());
        put(36, &self.address(self.blocks)?.to_le_bytes());
        put(40, &self.first_block().to_le_bytes());
        put(44, &self.first_block().to_le_bytes());
        put(48, &self.options.uuid);
        put(64, &self.options.label[..self.options.label.len().min(16)]);
        let mut features = if chunked { INCOMPAT_CHUNKED_FILE } else { 0 };
        if let Some(Behind { packed, .. }) = self.contents {
            features |= INCOMPAT_COMPRESSED;
            put(84, &ALGORITHMS_ZSTD.to_le_bytes());
            put(96, &((self.inodes[self.index[packed]].offset / SLOT_BYTES) as u64).to_le_bytes());
        }
        put(80, &features.to_le_bytes());
        Ok(block)
    }
}

impl Placed {
    fn new(node: usize, parent: usize, content: &Node) -> Result<Self, ErofsError> {
        let names = match content.entry.content {
            Content::Directory => {
                let mut sorted: Vec<&[u8]> = content.children.keys().map(Vec::as_slice).collect();
                sorted.extend([&b"."[..], b".."]);
                sorted.sort_unstable();
                inode::directory_blocks(sorted.into_iter())
            }
            _ => Vec::new(),
        };
        let tail_bytes = match &content.entry.content {
            Content::Symlink { target } => target.len(),
            _ => names.last().map_or(0, |block| inode::block_bytes(block)),
        };
        let size_bytes = match &content.entry.content {
            Content::File { size_bytes, .. } => *size_bytes,
            Content::Stored(stored) => stored.size_bytes(),
            _ => (names.len().saturating_sub(1) * BLOCK_BYTES + tail_bytes) as u64,
        };
        Ok(Placed {
            node,
            parent,
            records: xattr::records(&content.entry)?,
            xattr_bytes: 0,
            names: names.into_iter().map(|block| block.into_iter().map(<[u8]>::to_vec).collect()).collect(),
            size_bytes,
            tail_bytes,
            tail_inline: false,
            offset: 0,
            data_block: 0,
            inode_bytes: 0,
        })
    }

    /// How many blocks of its own the inode needs.
    fn data_blocks(&self) -> usize {
        self.names.len().saturating_sub(1) + usize::from(self.tail_bytes > 0 && !self.tail_inline)
    }

    /// Where the tail stands; `behind` is the offset just past the inode's attributes.
    fn tail_offset(&self, behind: usize) -> usize {
        match self.tail_inline {
            true => behind,
            false => (self.data_block + self.data_blocks() - 1) * BLOCK_BYTES,
        }
    }
}

/// How many bytes stand between an inode with its attributes and an index behind them; inodes begin at multiples of 32.
fn index_gap(fixed_bytes: usize) -> usize {
    fixed_bytes.next_multiple_of(8) - fixed_bytes
}

/// Lists the inodes below `node` depth first, parents before children.
fn collect(tree: &Tree, node: usize, parent: usize, inodes: &mut Vec<Placed>) -> Result<(), ErofsError> {
    let mut pending = vec![(node, parent)];
    while let Some((node, parent)) = pending.pop() {
        let content = &tree.nodes[node];
        if matches!(content.entry.content, Content::HardLink { .. }) {
            continue;
        }
        inodes.push(Placed::new(node, parent, content)?);
        pending.extend(content.children.values().rev().map(|&child| (child, node)));
    }
    Ok(())
}

/// Points the index of each hard link at its target's inode, and counts links per inode.
fn resolve_hard_links(tree: &Tree, index: &mut [usize], inodes: usize) -> Result<Vec<u32>, ErofsError> {
    let mut links = vec![0_u32; inodes];
    let mut pending = vec![(0, Vec::new())];
    links[0] = 2;
    while let Some((directory, path)) = pending.pop() {
        for (name, &node) in &tree.nodes[directory].children {
            let path = [path.as_slice(), name].join(&b'/');
            match &tree.nodes[node].entry.content {
                Content::HardLink { target } => {
                    let found = tree.find(target).filter(|&found| {
                        !matches!(tree.nodes[found].entry.content, Content::Directory | Content::HardLink { .. })
                    });
                    let dangling = || {
                        let path = display(path.strip_prefix(b"/").unwrap_or(&path));
                        ErofsError::DanglingHardLink { path, target: display(target) }
                    };
                    index[node] = index[found.ok_or_else(dangling)?];
                }
                Content::Directory => {
                    // Its own `.` and its `..`, which names this directory.
                    links[index[node]] += 1;
                    links[index[directory]] += 1;
                    pending.push((node, path));
                }
                _ => {}
            }
            links[index[node]] += 1;
        }
    }
    Ok(links)
}
