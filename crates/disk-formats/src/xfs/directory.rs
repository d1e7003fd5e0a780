//! Directories: in the inode, in one block, or in blocks of entries with an index by hashes of names.
//!
//! | form | where | when |
//! |---|---|---|
//! | short | the inode | 336 bytes suffice |
//! | block | one block: entries, then the index at its end | both fit |
//! | leaf | blocks of entries; the index in one block at 32 GiB of the file | the index fits |
//! | node | the index in many blocks, a root above them; free room of each block of entries at 64 GiB | else |
//!
//! An entry is inode (8), length of the name (1), name, type (1), padding, and its own offset (2), in multiples of 8.

use super::block::{BLOCK, Bytes};
use super::inode::LITERAL_BYTES;
use super::{XfsError, narrow};

/// The file's block that the index begins with.
pub(super) const INDEX_BLOCK: u64 = (32 << 30) / BLOCK as u64;
/// The file's block that the free room begins with.
const FREE_BLOCK: u64 = (64 << 30) / BLOCK as u64;
/// The header of every block but those of the index.
const HEADER: usize = 64;
/// Entries of a block of the index.
const INDEX_ENTRIES: usize = (BLOCK - HEADER) / 8;
/// Numbers in a block of free room.
const FREE_ENTRIES: usize = (BLOCK - HEADER) / 2;

/// An entry of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u64,
    pub(super) type_code: u8,
}

/// Which form a directory has, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Short,
    Block,
    Leaf { data: usize },
    Node { data: usize, leaves: usize },
}

impl Form {
    /// The form for entries with these names, `.` and `..` not among them.
    pub(super) fn of<'n>(names: impl Iterator<Item = &'n [u8]> + Clone) -> Self {
        let count = names.clone().count();
        // Count, parent; of each entry length, offset, name, type, inode.
        if 6 + names.clone().map(|name| name.len() + 8).sum::<usize>() <= LITERAL_BYTES && count < 256 {
            return Self::Short;
        }
        let all = [&b"."[..], b".."].into_iter().chain(names);
        let lengths = all.map(entry_bytes);
        if HEADER + lengths.clone().sum::<usize>() + (count + 2) * 8 + 8 <= BLOCK {
            return Self::Block;
        }
        let (mut data, mut room) = (0, 0);
        for length in lengths {
            if length > room {
                data += 1;
                room = BLOCK - HEADER;
            }
            room -= length;
        }
        match HEADER + (count + 2) * 8 + data * 2 + 4 <= BLOCK {
            true => Self::Leaf { data },
            false => Self::Node { data, leaves: (count + 2).div_ceil(INDEX_ENTRIES) },
        }
    }

    /// The file's blocks, in order.
    pub(super) fn file_blocks(&self) -> Vec<u64> {
        let (data, index, free) = match *self {
            Self::Short => (0, 0, 0),
            Self::Block => (1, 0, 0),
            Self::Leaf { data } => (data, 1, 0),
            Self::Node { data, leaves } => (data, leaves + usize::from(leaves > 1), data.div_ceil(FREE_ENTRIES)),
        };
        let run = |first: u64, count: usize| (first..).take(count);
        run(0, data).chain(run(INDEX_BLOCK, index)).chain(run(FREE_BLOCK, free)).collect()
    }
}

/// What an entry takes in a block.
fn entry_bytes(name: &[u8]) -> usize {
    (8 + 1 + name.len() + 1 + 2).next_multiple_of(8)
}

/// By which names are found.
fn hash(name: &[u8]) -> u32 {
    let mut chunks = name.chunks_exact(4);
    let mut hash = 0_u32;
    for chunk in &mut chunks {
        let part = |at: usize, shift: u32| u32::from(chunk[at]) << shift;
        hash = part(0, 21) ^ part(1, 14) ^ part(2, 7) ^ part(3, 0) ^ hash.rotate_left(28);
    }
    let rest = chunks.remainder();
    let count = rest.len();
    let mixed = (0..).zip(rest.iter().rev()).fold(0, |mixed, (place, byte)| mixed ^ u32::from(*byte) << (7 * place));
    match count {
        0 => hash,
        1 => mixed ^ hash.rotate_left(7),
        2 => mixed ^ hash.rotate_left(14),
        _ => mixed ^ hash.rotate_left(21),
    }
}

/// A small directory as it stands in the inode. Its entries say where they would be in a block.
pub(super) fn short(records: &[Record<'_>], parent: u64) -> Result<Vec<u8>, XfsError> {
    let inode = |number: u64| narrow::<u64, u32>(number, "inodes");
    let mut bytes = vec![narrow(records.len(), "entries of a directory")?, 0];
    bytes.extend(inode(parent)?.to_be_bytes());
    let mut offset: u16 = 64 + 16 + 16;
    for record in records {
        bytes.push(narrow(record.name.len(), "name")?);
        bytes.extend(offset.to_be_bytes());
        bytes.extend_from_slice(record.name);
        bytes.push(record.type_code);
        bytes.extend(inode(record.inode)?.to_be_bytes());
        offset += narrow::<usize, u16>(entry_bytes(record.name), "name")?;
    }
    Ok(bytes)
}

/// What the blocks of a directory say of themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) inode: u64,
    pub(super) uuid: &'a [u8; 16],
    /// The address of each block, in the order of [`Form::file_blocks`].
    pub(super) addresses: &'a [u64],
}

impl Owner<'_> {
    /// A block of entries or of free room.
    fn block(&self, magic: &[u8; 4], position: usize) -> Bytes {
        let mut bytes = Bytes::new(BLOCK);
        bytes.raw(0, magic).u64(8, self.addresses[position]).raw(24, self.uuid).u64(40, self.inode);
        bytes
    }

    /// A block of the index, with the file's blocks behind and before it.
    fn index(&self, magic: u16, position: usize, neighbours: [u64; 2]) -> Result<Bytes, XfsError> {
        let mut bytes = Bytes::new(BLOCK);
        for (offset, neighbour) in [0, 4].into_iter().zip(neighbours) {
            bytes.u32(offset, narrow(neighbour, "directory")?);
        }
        bytes.u16(8, magic).u64(16, self.addresses[position]).raw(32, self.uuid).u64(48, self.inode);
        Ok(bytes)
    }
}

/// The blocks of a larger directory, in the order of [`Form::file_blocks`]. The records begin with `.` and `..`.
pub(super) fn blocks(form: &Form, records: &[Record<'_>], owner: Owner<'_>) -> Result<Vec<Vec<u8>>, XfsError> {
    const LEAF: u16 = 0x3df1;
    const LEAF_OF_NODE: u16 = 0x3dff;
    let mut data = Data::fill(form, records, owner)?;
    data.index.sort_unstable();
    let index = data.index;
    let mut blocks: Vec<Vec<u8>> = match form {
        Form::Block => return Ok(vec![block_form(data.blocks, &index)?]),
        _ => data.blocks.into_iter().map(|bytes| bytes.sealed(4)).collect(),
    };
    let put = |bytes: &mut Bytes, entries: &[(u32, u32)]| {
        for (offset, (hash, address)) in (HEADER..).step_by(8).zip(entries) {
            bytes.u32(offset, *hash).u32(offset + 4, *address);
        }
    };
    let Form::Node { leaves, .. } = *form else {
        let mut leaf = owner.index(LEAF, blocks.len(), [0, 0])?;
        leaf.u16(56, narrow(index.len(), "entries of a directory")?);
        put(&mut leaf, &index);
        let bests = BLOCK - 4 - 2 * data.free.len();
        for (offset, free) in (bests..).step_by(2).zip(&data.free) {
            leaf.u16(offset, *free);
        }
        leaf.u32(BLOCK - 4, narrow(data.free.len(), "directory")?);
        blocks.push(leaf.sealed(12));
        return Ok(blocks);
    };
    // Alone, a leaf is the root itself; else the root comes first.
    let first = INDEX_BLOCK + u64::from(leaves > 1);
    if leaves > 1 {
        blocks.push(root(&index, (leaves, first), blocks.len(), owner)?);
    }
    for (number, entries) in (0_u64..).zip(index.chunks(INDEX_ENTRIES)) {
        let behind = if number + 1 < leaves as u64 { first + number + 1 } else { 0 };
        let before = if number > 0 { first + number - 1 } else { 0 };
        let mut leaf = owner.index(LEAF_OF_NODE, blocks.len(), [behind, before])?;
        leaf.u16(56, narrow(entries.len(), "entries of a directory")?);
        put(&mut leaf, entries);
        blocks.push(leaf.sealed(12));
    }
    for (first, free) in (0_u32..).step_by(FREE_ENTRIES).zip(data.free.chunks(FREE_ENTRIES)) {
        let mut bytes = owner.block(b"XDF3", blocks.len());
        let count = narrow(free.len(), "directory")?;
        bytes.u32(48, first).u32(52, count).u32(56, count);
        for (offset, free) in (HEADER..).step_by(2).zip(free) {
            bytes.u16(offset, *free);
        }
        blocks.push(bytes.sealed(4));
    }
    Ok(blocks)
}

/// The root above leaves: the largest hash of each, and its block in the file.
fn root(
    index: &[(u32, u32)],
    (leaves, first): (usize, u64),
    position: usize,
    owner: Owner<'_>,
) -> Result<Vec<u8>, XfsError> {
    const NODE: u16 = 0x3ebe;
    if leaves > INDEX_ENTRIES {
        return Err(XfsError::TooLarge { what: "entries of one directory" });
    }
    let mut root = owner.index(NODE, position, [0, 0])?;
    root.u16(56, narrow(leaves, "entries of a directory")?).u16(58, 1);
    for ((offset, leaf), entries) in (HEADER..).step_by(8).zip(first..).zip(index.chunks(INDEX_ENTRIES)) {
        let largest = entries.last().map_or(0, |(hash, _)| *hash);
        root.u32(offset, largest).u32(offset + 4, narrow(leaf, "directory")?);
    }
    Ok(root.sealed(12))
}

/// Blocks of entries, the index of these, and the free room of each block.
#[derive(Default)]
struct Data {
    blocks: Vec<Bytes>,
    /// Hash of the name, and offset in the file in units of 8 bytes.
    index: Vec<(u32, u32)>,
    free: Vec<u16>,
}

impl Data {
    fn fill(form: &Form, records: &[Record<'_>], owner: Owner<'_>) -> Result<Self, XfsError> {
        let (magic, end) = match form {
            Form::Block => (b"XDB3", BLOCK - records.len() * 8 - 8),
            _ => (b"XDD3", BLOCK),
        };
        let mut data = Data::default();
        let mut offset = BLOCK;
        for record in records {
            let length = entry_bytes(record.name);
            if offset + length > end || data.blocks.is_empty() {
                data.end_block(offset, end)?;
                data.blocks.push(owner.block(magic, data.blocks.len()));
                offset = HEADER;
            }
            let number = data.blocks.len() - 1;
            data.index.push((hash(record.name), narrow((number * BLOCK + offset) / 8, "directory")?));
            let own = narrow(offset, "directory")?;
            let name = record.name;
            let bytes = &mut data.blocks[number];
            bytes.u64(offset, record.inode).u8(offset + 8, narrow(name.len(), "name")?).raw(offset + 9, name);
            bytes.u8(offset + 9 + name.len(), record.type_code).u16(offset + length - 2, own);
            offset += length;
        }
        data.end_block(offset, end)?;
        Ok(data)
    }

    /// Marks what is left of the last block.
    fn end_block(&mut self, offset: usize, end: usize) -> Result<(), XfsError> {
        let Some(bytes) = self.blocks.last_mut() else {
            return Ok(());
        };
        let free: u16 = narrow(end - offset, "directory")?;
        if free > 0 {
            let start = narrow(offset, "directory")?;
            bytes.u16(48, start).u16(50, free).u16(offset, 0xffff).u16(offset + 2, free).u16(end - 2, start);
        }
        self.free.push(free);
        Ok(())
    }
}

/// The one block of a directory, with its index and the index's length at the end.
fn block_form(blocks: Vec<Bytes>, index: &[(u32, u32)]) -> Result<Vec<u8>, XfsError> {
    let mut bytes = blocks.into_iter().next().unwrap_or_else(|| Bytes::new(BLOCK));
    let start = BLOCK - 8 - index.len() * 8;
    for (offset, (hash, address)) in (start..).step_by(8).zip(index) {
        bytes.u32(offset, *hash).u32(offset + 4, *address);
    }
    bytes.u32(BLOCK - 8, narrow(index.len(), "entries of a directory")?);
    Ok(bytes.sealed(4))
}

#[cfg(test)]
mod tests {
    use super::{Form, hash};

    #[test]
    fn forms_follow_the_names() {
        let names = |count: usize| -> Vec<String> { (0..count).map(|number| format!("{number:020}")).collect() };
        let form = |count: usize| Form::of(names(count).iter().map(String::as_bytes));
        assert_eq!(form(11), Form::Short);
        assert_eq!(form(12), Form::Block);
        assert_eq!(form(90), Form::Block);
        assert!(matches!(form(200), Form::Leaf { .. }));
        assert!(matches!(form(502), Form::Node { leaves: 1, .. }));
        assert!(matches!(form(1_000), Form::Node { leaves: 2, .. }));
    }

    #[test]
    fn names_hash_as_the_kernel_does() {
        assert_eq!((hash(b"."), hash(b"..")), (0x2e, 0x172e));
    }
}
