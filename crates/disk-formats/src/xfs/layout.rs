//! From a tree to places, and from places to bytes.
//!
//! Planning gives every inode a number and every block an owner. Writing puts the metadata there; what is not written must
//! read as zeros, which a new file does by itself.

use std::io::{Seek, SeekFrom, Write};

use super::block::{BLOCK, Bytes};
use super::directory::{self, Form, Owner, Record};
use super::geometry::{Allocation, Extent, FIXED_BLOCKS, Geometry, INODE_BLOCK, LOG_GROUP};
use super::headers::{self, Counts, FREE_INODES, Group, INODES, LEAF_RECORDS, NODE_CHILDREN};
use super::inode::{self, Body, INODE_BYTES, Inode, LITERAL_BYTES, PER_BLOCK, PER_CHUNK};
use super::{BLOCK_BYTES, MINIMUM_BYTES, Options, XfsError, log, narrow};
use crate::tree::{Content, FilePlace, Metadata, NodeId, Tree};

/// Inodes that are not in the tree: the bitmap and the summary of a realtime device, which there is none of.
const REALTIME_INODES: u64 = 2;
/// The longest target of a symlink.
const TARGET_BYTES: usize = 1023;

/// A planned filesystem.
#[derive(Debug)]
pub struct Layout {
    options: Options,
    geometry: Geometry,
    tree: Tree,
    /// All nodes, parents first.
    order: Vec<NodeId>,
    places: Vec<Place>,
    /// Leaves of the inode btree, if it has more than its root.
    inode_leaves: Vec<u64>,
    allocation: Allocation,
}

/// Where a node went.
#[derive(Debug, Clone)]
struct Place {
    inode: u64,
    /// The form of a directory.
    form: Form,
    /// What it has, each at this block of the file.
    extents: Vec<(u64, Extent)>,
}

impl Layout {
    /// Plans a filesystem with this tree.
    ///
    /// Errors when it does not fit the volume or the format.
    pub fn plan(tree: Tree, options: Options) -> Result<Self, XfsError> {
        let size_bytes = options.size_bytes;
        if size_bytes < MINIMUM_BYTES {
            return Err(XfsError::NoSpace { needed_bytes: MINIMUM_BYTES, size_bytes });
        }
        let order = tree.in_order();
        let geometry = Geometry::new(size_bytes);
        let chunks = (order.len() as u64 + REALTIME_INODES).div_ceil(PER_CHUNK);
        let mut allocation = Allocation::new(&geometry, chunks * PER_CHUNK / PER_BLOCK);
        let missing = allocation.missing();
        if missing > 0 {
            // Inodes are in the first group, which is a half or a quarter of all.
            return Err(XfsError::NoSpace { needed_bytes: size_bytes + missing * BLOCK_BYTES * 4, size_bytes });
        }
        let mut places = vec![Place { inode: 0, form: Form::Short, extents: Vec::new() }; tree.nodes.len()];
        let root = INODE_BLOCK * PER_BLOCK;
        for (number, node) in (root..).zip(&order) {
            places[node.0].inode = if number == root { root } else { number + REALTIME_INODES };
        }
        let leaves = match chunks.div_ceil(LEAF_RECORDS as u64) {
            1 => 0,
            leaves if leaves <= NODE_CHILDREN as u64 => leaves,
            _ => return Err(XfsError::TooLarge { what: "inodes" }),
        };
        let taken = allocation.take(leaves);
        let inode_leaves: Vec<u64> =
            blocks_of(&taken).filter(|(group, _)| *group == 0).map(|(_, block)| block).collect();
        if (inode_leaves.len() as u64) < leaves {
            return Err(XfsError::NoSpace { needed_bytes: size_bytes + leaves * BLOCK_BYTES * 4, size_bytes });
        }
        let mut layout = Layout { options, geometry, tree, order, places, inode_leaves, allocation };
        layout.allocate()?;
        Ok(layout)
    }

    /// Directories and symlinks first, so that walking the tree reads one part of the disk; then the files.
    fn allocate(&mut self) -> Result<(), XfsError> {
        let is_file = |node: &NodeId| matches!(self.tree.nodes[node.0].content, Content::File { .. });
        let (files, others): (Vec<NodeId>, Vec<NodeId>) = self.order.iter().partition(|node| is_file(node));
        let mut missing = 0;
        for node in others.into_iter().chain(files) {
            let content = &self.tree.nodes[node.0].content;
            let file_blocks = match content {
                Content::File { size_bytes } => {
                    let blocks = size_bytes.div_ceil(BLOCK_BYTES);
                    let extents = self.allocation.take(blocks);
                    missing += blocks - extents.iter().map(|extent| extent.blocks).sum::<u64>();
                    self.places[node.0].extents = in_file(&extents);
                    continue;
                }
                Content::Symlink { target } if target.len() > TARGET_BYTES => {
                    return Err(XfsError::TooLarge { what: "target of a symlink, of which it takes 1023 bytes" });
                }
                Content::Symlink { target } if target.len() > LITERAL_BYTES => vec![0],
                Content::Symlink { .. } => Vec::new(),
                Content::Directory => {
                    let names = self.tree.nodes[node.0].children.keys().map(Vec::as_slice);
                    let form = Form::of(names);
                    let file_blocks = form.file_blocks();
                    self.places[node.0].form = form;
                    file_blocks
                }
            };
            let extents = self.allocation.take(file_blocks.len() as u64);
            missing += file_blocks.len() as u64 - extents.iter().map(|extent| extent.blocks).sum::<u64>();
            self.places[node.0].extents = joined(&file_blocks, &extents);
        }
        match missing {
            0 => Ok(()),
            _ => {
                let size_bytes = self.options.size_bytes;
                Err(XfsError::NoSpace { needed_bytes: size_bytes + missing * BLOCK_BYTES, size_bytes })
            }
        }
    }

    /// The length of the filesystem, at most that of the volume.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.geometry.blocks * BLOCK_BYTES
    }

    /// How many bytes are not in use.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        let free = (0..self.geometry.groups).filter_map(|group| self.allocation.free(group).ok());
        free.flatten().map(|(_, blocks)| blocks * BLOCK_BYTES).sum()
    }

    /// Where the contents of files belong, in the order of their places; empty files are left out.
    pub fn files(&self) -> impl Iterator<Item = FilePlace> + '_ {
        self.order.iter().filter_map(|&node| {
            let size_bytes = match self.tree.nodes[node.0].content {
                Content::File { size_bytes } if size_bytes > 0 => size_bytes,
                _ => return None,
            };
            let mut missing = size_bytes;
            let pieces = self.places[node.0].extents.iter().map(|(_, extent)| {
                let length = missing.min(extent.blocks * BLOCK_BYTES);
                missing -= length;
                (self.geometry.offset_bytes(extent.group, extent.first), length)
            });
            Some(FilePlace { node, pieces: pieces.collect() })
        })
    }

    /// Writes everything but the contents of files to a volume whose bytes are all zero, from its position 0 on.
    ///
    /// Errors when the volume refuses bytes.
    pub fn write_metadata(&self, volume: &mut (impl Write + Seek)) -> Result<(), XfsError> {
        let mut at = |(group, block): (u64, u64), bytes: &[u8]| {
            volume.seek(SeekFrom::Start(self.geometry.offset_bytes(group, block))).map_err(XfsError::Write)?;
            volume.write_all(bytes).map_err(XfsError::Write)
        };
        self.write_inodes(&mut at)?;
        for node in &self.order {
            let place = &self.places[node.0];
            let blocks = match &self.tree.nodes[node.0].content {
                Content::Directory if place.form != Form::Short => self.directory(*node)?,
                Content::Symlink { target } if target.len() > LITERAL_BYTES => vec![self.target(target, place)?],
                _ => continue,
            };
            let extents: Vec<Extent> = place.extents.iter().map(|(_, extent)| *extent).collect();
            blocks_of(&extents).zip(&blocks).try_for_each(|(block, bytes)| at(block, bytes))?;
        }
        at((LOG_GROUP, FIXED_BLOCKS), &log::clean(&self.options.uuid))?;
        self.write_groups(&mut at)
    }

    /// Writes all inodes, which are in one piece.
    fn write_inodes(&self, at: &mut impl FnMut((u64, u64), &[u8]) -> Result<(), XfsError>) -> Result<(), XfsError> {
        let mut bytes = Vec::with_capacity(BLOCK);
        let mut block = INODE_BLOCK;
        let mut put = |inode: &[u8]| {
            bytes.extend_from_slice(inode);
            if bytes.len() == BLOCK {
                at((0, block), &bytes)?;
                bytes.clear();
                block += 1;
            }
            Ok::<_, XfsError>(())
        };
        for (position, node) in self.order.iter().enumerate() {
            put(&self.inode(*node)?)?;
            if position == 0 {
                self.realtime_inodes()?.iter().try_for_each(|inode| put(inode))?;
            }
        }
        let used = self.order.len() as u64 + REALTIME_INODES;
        let root = INODE_BLOCK * PER_BLOCK;
        let free = root + used..root + used.next_multiple_of(PER_CHUNK);
        free.into_iter().try_for_each(|number| put(&inode::free(number, &self.options.uuid)))
    }

    fn realtime_inodes(&self) -> Result<[Vec<u8>; 2], XfsError> {
        let root = INODE_BLOCK * PER_BLOCK;
        let encode = |number, flags| {
            let metadata = Metadata { mtime: self.options.time, ..Metadata::default() };
            let inode =
                Inode { metadata, type_bits: 0o100_000, links: 1, size_bytes: 0, flags, body: Body::Extents(&[]) };
            inode.encode(number, &self.geometry, &self.options.uuid)
        };
        Ok([encode(root + 1, inode::NEW_REALTIME_BITMAP)?, encode(root + 2, 0)?])
    }

    fn inode(&self, id: NodeId) -> Result<Vec<u8>, XfsError> {
        let (node, place) = (&self.tree.nodes[id.0], &self.places[id.0]);
        let is_directory = |child: &&NodeId| self.tree.nodes[child.0].content == Content::Directory;
        let links = match node.content {
            // Its name, its `.`, and the `..` of each directory in it.
            Content::Directory => narrow(2 + node.children.values().filter(is_directory).count(), "links")?,
            _ => node.names,
        };
        let short;
        let (size_bytes, body) = match &node.content {
            Content::Directory if place.form == Form::Short => {
                short = directory::short(&self.records(id)[2..], self.places[node.parent.0].inode)?;
                (short.len() as u64, Body::Local(&short))
            }
            Content::Directory => {
                let in_data = |(file_block, _): &&(u64, Extent)| *file_block < directory::INDEX_BLOCK;
                let data = place.extents.iter().filter(in_data).map(|(_, extent)| extent.blocks).sum::<u64>();
                (data * BLOCK_BYTES, Body::Extents(&place.extents))
            }
            Content::Symlink { target } if target.len() <= LITERAL_BYTES => (target.len() as u64, Body::Local(target)),
            Content::Symlink { target } => (target.len() as u64, Body::Extents(&place.extents)),
            Content::File { size_bytes } => (*size_bytes, Body::Extents(&place.extents)),
        };
        let (type_bits, _) = inode::type_codes(&node.content);
        let inode = Inode { metadata: node.metadata, type_bits, links, size_bytes, flags: 0, body };
        inode.encode(place.inode, &self.geometry, &self.options.uuid)
    }

    /// The entries of a directory, `.` and `..` first.
    fn records(&self, id: NodeId) -> Vec<Record<'_>> {
        let node = &self.tree.nodes[id.0];
        let own = |name, node: NodeId| Record { name, inode: self.places[node.0].inode, type_code: 2 };
        let dots = [own(&b"."[..], id), own(b"..", node.parent)];
        let children = node.children.iter().map(|(name, child)| {
            let (_, type_code) = inode::type_codes(&self.tree.nodes[child.0].content);
            Record { name, inode: self.places[child.0].inode, type_code }
        });
        dots.into_iter().chain(children).collect()
    }

    fn directory(&self, id: NodeId) -> Result<Vec<Vec<u8>>, XfsError> {
        let place = &self.places[id.0];
        let addresses = self.addresses(place);
        let owner = Owner { inode: place.inode, uuid: &self.options.uuid, addresses: &addresses };
        directory::blocks(&place.form, &self.records(id), owner)
    }

    /// The address of each block of a node.
    fn addresses(&self, place: &Place) -> Vec<u64> {
        let extents: Vec<Extent> = place.extents.iter().map(|(_, extent)| *extent).collect();
        blocks_of(&extents).map(|(group, block)| self.geometry.address(group, block)).collect()
    }

    /// The block of a long symlink: magic, offset, length, checksum, UUID, inode, address; then the target.
    fn target(&self, target: &[u8], place: &Place) -> Result<Vec<u8>, XfsError> {
        let address = self.addresses(place).first().copied().unwrap_or_default();
        let mut bytes = Bytes::new(BLOCK);
        bytes.raw(0, b"XSLM").u32(8, narrow(target.len(), "symlink")?).raw(16, &self.options.uuid);
        bytes.u64(32, place.inode).u64(40, address).raw(56, target);
        Ok(bytes.sealed(12))
    }

    /// Writes the headers and btrees of all groups.
    fn write_groups(&self, at: &mut impl FnMut((u64, u64), &[u8]) -> Result<(), XfsError>) -> Result<(), XfsError> {
        let used = self.order.len() as u64 + REALTIME_INODES;
        let inodes = used.next_multiple_of(PER_CHUNK);
        let in_lists = self.geometry.groups * super::geometry::FREE_LIST_BLOCKS;
        let free_blocks = self.free_bytes() / BLOCK_BYTES + in_lists;
        let counts = Counts { inodes, free_inodes: inodes - used, free_blocks };
        let superblock = headers::superblock(&self.geometry, &self.options, counts)?;
        for (number, free_list) in (0..).zip(&self.allocation.free_lists) {
            let has_inodes = number == 0;
            let group = Group {
                number,
                free: self.allocation.free(number)?,
                free_list: *free_list,
                inodes: if has_inodes { inodes } else { 0 },
                free_inodes: if has_inodes { inodes - used } else { 0 },
                inode_levels: if has_inodes && !self.inode_leaves.is_empty() { 2 } else { 1 },
            };
            at((number, 0), &superblock)?;
            for (block, bytes) in group.blocks(&self.geometry, &self.options)? {
                at((number, block), &bytes)?;
            }
            let chunks = if has_inodes { inode_chunks(used) } else { Vec::new() };
            for (block, bytes) in self.inode_tree(&group, &chunks)? {
                at((number, block), &bytes)?;
            }
        }
        Ok(())
    }

    /// The btrees of inodes and of free inodes of a group.
    fn inode_tree(&self, group: &Group, chunks: &[(u64, u64)]) -> Result<Vec<(u64, Vec<u8>)>, XfsError> {
        let context = (&self.geometry, &self.options);
        let some_free: Vec<(u64, u64)> = chunks.iter().copied().filter(|(_, free)| *free != 0).collect();
        let free = group.inode_leaf((FREE_INODES, b"FIB3"), &some_free, [None, None], context)?;
        let mut blocks = vec![(FREE_INODES, free)];
        if group.inode_levels == 1 {
            blocks.push((INODES, group.inode_leaf((INODES, b"IAB3"), chunks, [None, None], context)?));
            return Ok(blocks);
        }
        let leaves = &self.inode_leaves;
        let mut children = Vec::new();
        // Evenly, because a leaf must be half full.
        for (position, records) in chunks.chunks(chunks.len().div_ceil(leaves.len())).enumerate() {
            let neighbours = [position.checked_sub(1), position.checked_add(1)];
            let neighbours = neighbours.map(|neighbour| leaves.get(neighbour?).copied());
            children.push((records[0].0, leaves[position]));
            let leaf = group.inode_leaf((leaves[position], b"IAB3"), records, neighbours, context)?;
            blocks.push((leaves[position], leaf));
        }
        blocks.push((INODES, group.inode_root(&children, &self.geometry, &self.options)?));
        Ok(blocks)
    }
}

/// Chunks of inodes: the first number, and which are free.
fn inode_chunks(used: u64) -> Vec<(u64, u64)> {
    let chunk = |number: u64| {
        let left = used - number * PER_CHUNK;
        let free = if left >= PER_CHUNK { 0 } else { u64::MAX << left };
        (INODE_BLOCK * PER_BLOCK + number * PER_CHUNK, free)
    };
    (0..used.div_ceil(PER_CHUNK)).map(chunk).collect()
}

/// All blocks of extents: group and number there.
fn blocks_of(extents: &[Extent]) -> impl Iterator<Item = (u64, u64)> + '_ {
    extents.iter().flat_map(|extent| (extent.first..extent.first + extent.blocks).map(|block| (extent.group, block)))
}

/// Extents with the block of the file that each begins with.
fn in_file(extents: &[Extent]) -> Vec<(u64, Extent)> {
    let mut file_block = 0;
    let place = |extent: &Extent| {
        file_block += extent.blocks;
        (file_block - extent.blocks, *extent)
    };
    extents.iter().map(place).collect()
}

/// Blocks of a file and the extents that they have in this order, as extents of neighbours in both.
fn joined(file_blocks: &[u64], extents: &[Extent]) -> Vec<(u64, Extent)> {
    let mut joined: Vec<(u64, Extent)> = Vec::new();
    for (file_block, (group, first)) in file_blocks.iter().zip(blocks_of(extents)) {
        let follows = |(start, extent): &&mut (u64, Extent)| {
            *start + extent.blocks == *file_block && extent.group == group && extent.first + extent.blocks == first
        };
        match joined.last_mut().filter(follows) {
            Some((_, extent)) => extent.blocks += 1,
            None => joined.push((*file_block, Extent { group, first, blocks: 1 })),
        }
    }
    joined
}

const _: () = assert!(INODE_BYTES as u64 * PER_BLOCK == BLOCK_BYTES);
