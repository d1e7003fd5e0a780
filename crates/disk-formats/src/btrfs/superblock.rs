//! The superblock, 4096 bytes.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 32 | crc32c of the rest |
//! | 32 | 16 | UUID of the filesystem |
//! | 48 | 8 | where this copy is |
//! | 56 | 8 | flags: written |
//! | 64 | 8 | `_BHRfS_M` |
//! | 72 | 8 | generation |
//! | 80 | 8, 8 | roots of the tree of roots and of the chunk tree |
//! | 96 | 16 | tree log: none |
//! | 112 | 8, 8 | length of all devices; bytes in use |
//! | 128 | 8, 8 | directory in the tree of roots; number of devices |
//! | 144 | 4 × 4 | sector, node, leaf, stripe |
//! | 160 | 4 | bytes of the array of system chunks |
//! | 164 | 8 | generation of the chunk tree |
//! | 172 | 3 × 8 | features: compatible, compatible for reading, incompatible |
//! | 196 | 2 | type of checksums: crc32c |
//! | 198 | 3 × 1 | levels of the roots |
//! | 201 | 98 | the device's item |
//! | 299 | 256 | label |
//! | 555 | 8, 8 | generations of the old free space cache (none) and of the UUID tree |
//! | 811 | 2048 | system chunks: key and item of each |

use super::btree::{PlacedTree, seal};
use super::chunks::{Chunks, Purpose};
use super::items::Record;
use super::key::id;
use super::{BtrfsError, GENERATION, LABEL_BYTES, NODE_BYTES, Options, SECTOR_BYTES, extents, items, narrow};

/// The length of a superblock.
pub(super) const SUPERBLOCK_BYTES: usize = 4096;

/// Mixed back references, large metadata blocks, extended inode references, skinny metadata, no holes.
const INCOMPATIBLE: u64 = 0x1 | 0x20 | 0x40 | 0x100 | 0x200;
/// A free space tree that is right.
const COMPATIBLE_FOR_READING: u64 = 0x1 | 0x2;
const ARRAY_BYTES: usize = 2048;

/// The superblock for its place on the device.
pub(super) fn superblock(
    place: u64,
    (roots, chunk_tree): (&PlacedTree, &PlacedTree),
    chunks: &Chunks,
    options: &Options,
) -> Result<Vec<u8>, BtrfsError> {
    let mut array = Vec::new();
    for chunk in chunks.all.iter().filter(|chunk| chunk.purpose == Purpose::System) {
        array.extend(extents::chunk_key(chunk).encode());
        array.extend(items::chunk(chunk, options)?);
    }
    let used_bytes = chunks.all.iter().map(super::chunks::Chunk::used_bytes).sum();
    let (sector, node): (u32, u32) = (narrow(SECTOR_BYTES, "sector")?, narrow(NODE_BYTES, "node")?);
    let label = &options.label[..options.label.len().min(LABEL_BYTES)];
    let mut bytes = Record::new()
        .zeros(32)
        .raw(&options.uuid)
        .u64(place)
        .u64(1)
        .raw(b"_BHRfS_M")
        .u64(GENERATION)
        .u64(roots.root())
        .u64(chunk_tree.root())
        .zeros(16)
        .u64(options.size_bytes / SECTOR_BYTES * SECTOR_BYTES)
        .u64(used_bytes)
        .u64(id::ROOT_TREE_DIRECTORY)
        .u64(1)
        .u32(sector)
        .u32(node)
        .u32(node)
        .u32(sector)
        .u32(narrow(array.len(), "system chunks")?)
        .u64(GENERATION)
        .u64(0)
        .u64(COMPATIBLE_FOR_READING)
        .u64(INCOMPATIBLE)
        .u16(0)
        .u8(roots.shape.root_level()?)
        .u8(chunk_tree.shape.root_level()?)
        .u8(0)
        .raw(&items::device(extents::device_bytes(chunks), options)?)
        .raw(label)
        .zeros(256 - label.len())
        .u64(0)
        .u64(GENERATION)
        .zeros(240)
        .raw(&array)
        .zeros(ARRAY_BYTES - array.len())
        .bytes();
    bytes.resize(SUPERBLOCK_BYTES, 0);
    seal(&mut bytes);
    Ok(bytes)
}
