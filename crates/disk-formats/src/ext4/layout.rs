//! From a tree to places, and from places to bytes.
//!
//! Planning gives every inode a number and every block an owner. Writing puts the metadata there; what is not written must
//! read as zeros, which a new file does by itself.

use std::io::{Seek, SeekFrom, Write};

use super::allocation::{Allocation, Extent};
use super::directory::{self, Record};
use super::geometry::{GROUP_BLOCKS, Geometry};
use super::inode::{self, Body, INLINE_EXTENTS, INLINE_TARGET, Inode};
use super::superblock::{self, Counts, Descriptor, FIRST_INODE, JOURNAL_INODE, ROOT_INODE};
use super::{BLOCK_BYTES, Ext4Error, Options, journal, low32, narrow};
use crate::checksum::crc32c;
use crate::tree::{Content, FilePlace, Metadata, Node, NodeId, Tree};

/// A planned filesystem.
#[derive(Debug)]
pub struct Layout {
    options: Options,
    geometry: Geometry,
    tree: Tree,
    /// All nodes, parents first; `lost+found` among them.
    order: Vec<NodeId>,
    places: Vec<Place>,
    journal: Vec<Extent>,
    allocation: Allocation,
    volume_seed: u32,
}

/// Where a node went.
#[derive(Debug, Clone, Default)]
struct Place {
    inode: u32,
    extents: Vec<Extent>,
    leaf: Option<u64>,
}

impl Layout {
    /// Plans a filesystem with this tree, adding `lost+found`.
    ///
    /// Errors when it does not fit the volume or the format.
    pub fn plan(mut tree: Tree, options: Options) -> Result<Self, Ext4Error> {
        let kept = Metadata { mode: 0o700, mtime: options.time, ..Metadata::default() };
        let lost_found = match tree.child(tree.root(), b"lost+found") {
            Some(present) => present,
            None => tree.add(tree.root(), b"lost+found", kept, Content::Directory)?,
        };
        let order = tree.in_order();
        let inodes = order.len() as u64 + u64::from(FIRST_INODE);
        let geometry = Geometry::new(options.size_bytes, inodes)?;
        let mut places = vec![Place::default(); tree.nodes.len()];
        let mut next_inode = FIRST_INODE + 1;
        for node in &order {
            places[node.0].inode = match *node {
                node if node == tree.root() => ROOT_INODE,
                node if node == lost_found => FIRST_INODE,
                _ => {
                    next_inode += 1;
                    next_inode - 1
                }
            };
        }
        let volume_seed = crc32c(!0, &options.uuid);
        let allocation = Allocation::new(&geometry);
        let mut layout =
            Layout { options, geometry, tree, order, places, journal: Vec::new(), allocation, volume_seed };
        layout.allocate()?;
        Ok(layout)
    }

    /// Directories and symlinks first, so that walking the tree reads one part of the disk; then the journal and the files.
    fn allocate(&mut self) -> Result<(), Ext4Error> {
        let sizes: Vec<u64> =
            self.tree.nodes.iter().map(|node| data_blocks(node.content.clone(), &node.children)).collect();
        let journal_blocks = journal::blocks(self.geometry.blocks);
        let is_file = |tree: &Tree, node: &NodeId| matches!(tree.nodes[node.0].content, Content::File { .. });
        let (files, others): (Vec<NodeId>, Vec<NodeId>) = self.order.iter().partition(|node| is_file(&self.tree, node));
        let mut missing = 0;
        for node in others {
            missing += self.place(node, sizes[node.0]);
        }
        self.journal = self.allocation.take(journal_blocks);
        missing += journal_blocks - self.journal.iter().map(|extent| extent.blocks).sum::<u64>();
        if self.journal.len() > INLINE_EXTENTS {
            return Err(Ext4Error::TooLarge { what: "extents of the journal" });
        }
        for node in files {
            missing += self.place(node, sizes[node.0]);
        }
        match missing {
            0 => Ok(()),
            _ => {
                let size_bytes = self.options.size_bytes;
                Err(Ext4Error::NoSpace { needed_bytes: size_bytes + missing * BLOCK_BYTES, size_bytes })
            }
        }
    }

    /// Gives a node its blocks and returns how many were not to be had.
    fn place(&mut self, node: NodeId, blocks: u64) -> u64 {
        let extents = self.allocation.take(blocks);
        let mut missing = blocks - extents.iter().map(|extent| extent.blocks).sum::<u64>();
        let place = &mut self.places[node.0];
        if extents.len() > INLINE_EXTENTS {
            place.leaf = self.allocation.take(1).first().map(|extent| extent.first);
            missing += u64::from(place.leaf.is_none());
        }
        place.extents = extents;
        missing
    }

    /// The length of the filesystem, at most that of the volume.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.geometry.blocks * BLOCK_BYTES
    }

    /// How many bytes are not in use.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_blocks() * BLOCK_BYTES
    }

    fn free_blocks(&self) -> u64 {
        (0..self.geometry.groups).map(|group| self.allocation.free_blocks(group)).sum()
    }

    /// Where the contents of files belong, in the order of their places; empty files are left out.
    pub fn files(&self) -> impl Iterator<Item = FilePlace> + '_ {
        self.order.iter().filter_map(|&node| {
            let size_bytes = match self.tree.nodes[node.0].content {
                Content::File { size_bytes } if size_bytes > 0 => size_bytes,
                _ => return None,
            };
            let mut missing = size_bytes;
            let pieces = self.places[node.0].extents.iter().map(|extent| {
                let length = missing.min(extent.blocks * BLOCK_BYTES);
                missing -= length;
                (extent.first * BLOCK_BYTES, length)
            });
            Some(FilePlace { node, pieces: pieces.collect() })
        })
    }

    /// Writes everything but the contents of files to a volume whose bytes are all zero, from its position 0 on.
    ///
    /// Errors when the volume refuses bytes.
    pub fn write_metadata(&self, volume: &mut (impl Write + Seek)) -> Result<(), Ext4Error> {
        let mut at = |offset_bytes: u64, bytes: &[u8]| {
            volume.seek(SeekFrom::Start(offset_bytes)).map_err(Ext4Error::Write)?;
            volume.write_all(bytes).map_err(Ext4Error::Write)
        };
        self.write_inodes(&mut at)?;
        for (place, node) in self.places.iter().zip(&self.tree.nodes) {
            let data = match &node.content {
                Content::Directory => self.directory(place, node)?,
                Content::Symlink { target } if target.len() > INLINE_TARGET => target.clone(),
                _ => Vec::new(),
            };
            let mut rest = data.as_slice();
            for extent in &place.extents {
                let length = usize::try_from(extent.blocks * BLOCK_BYTES).unwrap_or(usize::MAX).min(rest.len());
                if length > 0 {
                    at(extent.first * BLOCK_BYTES, &rest[..length])?;
                    rest = &rest[length..];
                }
            }
            if let Some(leaf) = place.leaf {
                at(leaf * BLOCK_BYTES, &inode::leaf_block(&place.extents, self.seed(place.inode))?)?;
            }
        }
        if let Some(first) = self.journal.first() {
            let blocks = self.journal.iter().map(|extent| extent.blocks).sum();
            at(first.first * BLOCK_BYTES, &journal::superblock(blocks, &self.options.uuid))?;
        }
        self.write_groups(&mut at)
    }

    fn seed(&self, inode: u32) -> u32 {
        inode::checksum_seed(self.volume_seed, inode)
    }

    /// Writes the inode tables, a run of neighbouring inodes at a time.
    fn write_inodes(&self, at: &mut impl FnMut(u64, &[u8]) -> Result<(), Ext4Error>) -> Result<(), Ext4Error> {
        let mut inodes: Vec<(u32, [u8; 256])> = vec![(JOURNAL_INODE, self.journal_inode()?)];
        for node in &self.order {
            let place = &self.places[node.0];
            inodes.push((place.inode, self.inode(*node, place)?.encode(self.seed(place.inode))?));
        }
        inodes.sort_by_key(|(number, _)| *number);
        let mut run: Vec<u8> = Vec::new();
        let mut run_start = 0;
        for (number, bytes) in &inodes {
            let offset = self.geometry.inode_offset_bytes(*number);
            if offset != run_start + run.len() as u64 {
                at(run_start, &run)?;
                run.clear();
                run_start = offset;
            }
            run.extend_from_slice(bytes);
        }
        at(run_start, &run)
    }

    fn own_metadata(&self, mode: u16) -> Metadata {
        Metadata { mode, mtime: self.options.time, ..Metadata::default() }
    }

    fn journal_inode(&self) -> Result<[u8; 256], Ext4Error> {
        let body = Body::Extents { extents: &self.journal, leaf: None };
        let size_bytes = self.journal.iter().map(|extent| extent.blocks).sum::<u64>() * BLOCK_BYTES;
        let metadata = self.own_metadata(0o600);
        Inode { metadata, type_bits: 0o100_000, links: 1, size_bytes, body }.encode(self.seed(JOURNAL_INODE))
    }

    fn inode<'a>(&'a self, id: NodeId, place: &'a Place) -> Result<Inode<'a>, Ext4Error> {
        let node = &self.tree.nodes[id.0];
        let is_directory = |child: &NodeId| self.tree.nodes[child.0].content == Content::Directory;
        let names = match node.content {
            // Its name, its `.`, and the `..` of each directory in it. 1 means too many to count.
            Content::Directory => match 2 + node.children.values().filter(|child| is_directory(child)).count() {
                links @ 0..65_000 => narrow(links, "links")?,
                _ => 1,
            },
            _ => node.names,
        };
        let extents = Body::Extents { extents: &place.extents, leaf: place.leaf };
        let (size_bytes, body) = match &node.content {
            Content::Directory => {
                (place.extents.iter().map(|extent| extent.blocks).sum::<u64>() * BLOCK_BYTES, extents)
            }
            Content::File { size_bytes } => (*size_bytes, extents),
            Content::Symlink { target } if target.len() <= INLINE_TARGET => (target.len() as u64, Body::Target(target)),
            Content::Symlink { target } => (target.len() as u64, extents),
        };
        let (type_bits, _) = inode::type_codes(&node.content);
        // More names than the kernel's limit cannot be made by hand either.
        let links = narrow(names, "links")?;
        Ok(Inode { metadata: node.metadata, type_bits, links, size_bytes, body })
    }

    fn directory(&self, place: &Place, node: &Node) -> Result<Vec<u8>, Ext4Error> {
        let parent = self.places[node.parent.0].inode;
        let mut records =
            vec![Record { name: b".", inode: place.inode, kind: 2 }, Record { name: b"..", inode: parent, kind: 2 }];
        records.extend(node.children.iter().map(|(name, child)| {
            let (_, kind) = inode::type_codes(&self.tree.nodes[child.0].content);
            Record { name, inode: self.places[child.0].inode, kind }
        }));
        directory::encode(&records, self.seed(place.inode))
    }

    /// Writes bitmaps, descriptors and superblocks.
    fn write_groups(&self, at: &mut impl FnMut(u64, &[u8]) -> Result<(), Ext4Error>) -> Result<(), Ext4Error> {
        let geometry = &self.geometry;
        let used_inodes = u64::from(FIRST_INODE) + self.order.len() as u64 - 2;
        let mut descriptors = Vec::new();
        for (group, directories) in (0..geometry.groups).zip(self.directories()) {
            let mut descriptor = Descriptor { flags: superblock::GROUP_INODE_ZEROED, ..Descriptor::default() };
            let free_blocks = self.allocation.free_blocks(group);
            descriptor.free_blocks = low32(free_blocks);
            let own_tables_elsewhere = geometry.overhead_blocks(group) == geometry.copies_blocks(group);
            let untouched = free_blocks == GROUP_BLOCKS - geometry.copies_blocks(group);
            if group + 1 < geometry.groups && own_tables_elsewhere && untouched {
                descriptor.flags |= superblock::GROUP_BLOCK_UNINIT;
            } else {
                let bitmap = self.allocation.group_bitmap(group);
                descriptor.block_bitmap_checksum = crc32c(self.volume_seed, bitmap);
                at(geometry.block_bitmap(group) * BLOCK_BYTES, bitmap)?;
            }
            let used = used_inodes.saturating_sub(group * geometry.inodes_per_group).min(geometry.inodes_per_group);
            descriptor.free_inodes = low32(geometry.inodes_per_group - used);
            descriptor.unused_inodes = descriptor.free_inodes;
            descriptor.directories = directories;
            if used == 0 {
                descriptor.flags |= superblock::GROUP_INODE_UNINIT;
            } else {
                let bitmap = inode_bitmap(used, geometry.inodes_per_group);
                let covered = usize::try_from(geometry.inodes_per_group / 8).unwrap_or(usize::MAX);
                descriptor.inode_bitmap_checksum = crc32c(self.volume_seed, &bitmap[..covered]);
                at(geometry.inode_bitmap(group) * BLOCK_BYTES, &bitmap)?;
            }
            descriptors.extend(descriptor.encode(geometry, group, self.volume_seed)?);
        }
        let journal_inode = self.journal_inode()?;
        let mut journal_map = [0; 60];
        journal_map.copy_from_slice(&journal_inode[40..100]);
        let counts = Counts {
            free_blocks: self.free_blocks(),
            free_inodes: geometry.inodes()? - narrow::<u64, u32>(used_inodes, "inodes")?,
            journal_map,
            journal_bytes: self.journal.iter().map(|extent| extent.blocks).sum::<u64>() * BLOCK_BYTES,
        };
        for group in (0..geometry.groups).filter(|group| Geometry::has_superblock(*group)) {
            let start = geometry.group_start(group) * BLOCK_BYTES;
            let offset = if group == 0 { 1024 } else { 0 };
            at(start + offset, &superblock::superblock(geometry, &self.options, &counts, group)?)?;
            at(start + BLOCK_BYTES, &descriptors)?;
        }
        Ok(())
    }

    /// Directories per group.
    fn directories(&self) -> Vec<u32> {
        let mut counts = vec![0; usize::try_from(self.geometry.groups).unwrap_or(usize::MAX)];
        for (node, place) in self.tree.nodes.iter().zip(&self.places) {
            let group = u64::from(place.inode - 1) / self.geometry.inodes_per_group;
            let count = usize::try_from(group).ok().and_then(|group| counts.get_mut(group));
            if let (Content::Directory, Some(count)) = (&node.content, count) {
                *count += 1;
            }
        }
        counts
    }
}

/// Blocks of a node's data that do not fit into its inode.
fn data_blocks(content: Content, children: &std::collections::BTreeMap<Vec<u8>, NodeId>) -> u64 {
    match content {
        Content::File { size_bytes } => size_bytes.div_ceil(BLOCK_BYTES),
        Content::Symlink { target } => u64::from(target.len() > INLINE_TARGET),
        Content::Directory => {
            let dots = [&b"."[..], b".."];
            directory::blocks(dots.into_iter().chain(children.keys().map(Vec::as_slice)))
        }
    }
}

/// A block with the first `used` bits set, and those behind `count`.
fn inode_bitmap(used: u64, count: u64) -> Vec<u8> {
    let bit = |place: u64| u8::from(place < used || place >= count);
    (0..BLOCK_BYTES).map(|byte| (0..8).map(|place| bit(byte * 8 + place) << place).sum()).collect()
}
