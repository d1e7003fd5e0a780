//! Trees about space: which extents are in use by whom, what is free, the checksums of data, and what the device is
//! divided into.

use super::chunks::{Chunk, Chunks, Extent};
use super::files::{Body, Emit, Forest};
use super::key::{Key, id, kind};
use super::{BtrfsError, Options, SECTOR_BYTES, btree, items, narrow};

/// A tree block in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) tree: u64,
    pub(super) level: u8,
}

/// Emits the extent tree: blocks and data, each at its address, and block groups. Blocks are in the order of addresses.
pub(super) fn emit_extents(
    chunks: &Chunks,
    blocks: &[Block],
    forest: &Forest,
    emit: &mut Emit<'_>,
) -> Result<(), BtrfsError> {
    let mut blocks = blocks.iter().peekable();
    let mut data = forest.data().peekable();
    for chunk in &chunks.all {
        let group = (Key::new(chunk.logical, kind::BLOCK_GROUP_ITEM, chunk.length), items::block_group(chunk));
        let mut group = Some(group);
        loop {
            let item = if let Some(block) = blocks.next_if(|block| block.address < chunk.end()) {
                let key = Key::new(block.address, kind::METADATA_ITEM, block.level.into());
                Some((key, items::block_extent(block.tree)))
            } else if let Some((extent, tree, inode, offset)) =
                data.next_if(|(extent, ..)| extent.logical < chunk.end())
            {
                let key = Key::new(extent.logical, kind::EXTENT_ITEM, extent.length);
                Some((key, items::data_extent(tree, inode, offset)))
            } else {
                None
            };
            let last = item.is_none();
            // The group's item stands behind an extent at its very beginning.
            let due = |(group, _): &mut (Key, _)| item.as_ref().is_none_or(|(key, _)| *group < *key);
            if let Some((key, bytes)) = group.take_if(due) {
                emit(key, Body::Bytes(bytes))?;
            }
            if let Some((key, bytes)) = item {
                emit(key, Body::Bytes(bytes))?;
            }
            if last {
                break;
            }
        }
    }
    Ok(())
}

/// Emits the free space tree.
pub(super) fn emit_free_space(chunks: &Chunks, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
    for chunk in &chunks.all {
        let free = chunk.free();
        let info = items::Record::new().u32(narrow(free.len(), "free extents")?).u32(0).bytes();
        emit(Key::new(chunk.logical, kind::FREE_SPACE_INFO, chunk.length), Body::Bytes(info))?;
        for Extent { logical, length } in free {
            emit(Key::new(logical, kind::FREE_SPACE_EXTENT, length), Body::Bytes(Vec::new()))?;
        }
    }
    Ok(())
}

/// Emits the checksum tree.
pub(super) fn emit_checksums(chunks: &Chunks, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
    // As the kernel limits it: two items more would fit the leaf.
    let most = ((btree::LEAF_BYTES - 2 * btree::ITEM_BYTES) / 4 - 1) as u64;
    let mut first = 0;
    for chunk in &chunks.all {
        for run in data_runs(chunk) {
            let mut sector = 0;
            while sector < run.length / SECTOR_BYTES {
                let count = most.min(run.length / SECTOR_BYTES - sector);
                let count_here = narrow(count, "checksums")?;
                let key = Key::new(id::CSUMS, kind::EXTENT_CSUM, run.logical + sector * SECTOR_BYTES);
                emit(key, Body::Sums(first, count_here))?;
                sector += count;
                first += count_here;
            }
        }
    }
    Ok(())
}

/// The data of a chunk, neighbours joined.
fn data_runs(chunk: &Chunk) -> Vec<Extent> {
    let mut runs: Vec<Extent> = Vec::new();
    if chunk.purpose != super::chunks::Purpose::Data {
        return runs;
    }
    for extent in &chunk.used {
        match runs.last_mut().filter(|run| run.end() == extent.logical) {
            Some(run) => run.length += extent.length,
            None => runs.push(*extent),
        }
    }
    runs
}

/// Emits the chunk tree: the device and the chunks.
pub(super) fn emit_chunks(chunks: &Chunks, options: &Options, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
    let device = items::device(device_bytes(chunks), options)?;
    emit(Key::new(id::DEVICE, kind::DEV_ITEM, id::DEVICE), Body::Bytes(device))?;
    for chunk in &chunks.all {
        emit(chunk_key(chunk), Body::Bytes(items::chunk(chunk, options)?))?;
    }
    Ok(())
}

/// The key of a chunk.
pub(super) fn chunk_key(chunk: &Chunk) -> Key {
    Key::new(id::CHUNKS, kind::CHUNK_ITEM, chunk.logical)
}

/// How much of the device is in chunks.
pub(super) fn device_bytes(chunks: &Chunks) -> u64 {
    chunks.all.iter().map(|chunk| chunk.length * chunk.copies.len() as u64).sum()
}

/// Emits the device tree.
pub(super) fn emit_device(chunks: &Chunks, options: &Options, emit: &mut Emit<'_>) -> Result<(), BtrfsError> {
    let mut extents: Vec<(u64, &Chunk)> =
        chunks.all.iter().flat_map(|chunk| chunk.copies.iter().map(move |place| (*place, chunk))).collect();
    extents.sort_by_key(|(place, _)| *place);
    for (place, chunk) in extents {
        let key = Key::new(id::DEVICE, kind::DEV_EXTENT, place);
        emit(key, Body::Bytes(items::dev_extent(chunk, options)))?;
    }
    Ok(())
}
