//! Bytes of a block or an inode under construction, filled by offset.

use crate::checksum::crc32c;

/// The size of a block, as an index.
pub(super) const BLOCK: usize = 4096;

/// Zeros, then what is put there.
#[derive(Debug, Clone)]
pub(super) struct Bytes(Vec<u8>);

impl Bytes {
    pub(super) fn new(length: usize) -> Self {
        Bytes(vec![0; length])
    }

    pub(super) fn raw(&mut self, offset: usize, bytes: &[u8]) -> &mut Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(super) fn u8(&mut self, offset: usize, value: u8) -> &mut Self {
        self.raw(offset, &[value])
    }

    pub(super) fn u16(&mut self, offset: usize, value: u16) -> &mut Self {
        self.raw(offset, &value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, offset: usize, value: u32) -> &mut Self {
        self.raw(offset, &value.to_be_bytes())
    }

    pub(super) fn u64(&mut self, offset: usize, value: u64) -> &mut Self {
        self.raw(offset, &value.to_be_bytes())
    }

    /// Fills a stretch with one byte.
    pub(super) fn fill(&mut self, offset: usize, length: usize, byte: u8) -> &mut Self {
        self.0[offset..offset + length].fill(byte);
        self
    }

    /// The bytes with their checksum, little endian, at this offset.
    pub(super) fn sealed(mut self, offset: usize) -> Vec<u8> {
        let checksum = !crc32c(!0, &self.0);
        self.raw(offset, &checksum.to_le_bytes());
        self.0
    }

    pub(super) fn unsealed(self) -> Vec<u8> {
        self.0
    }
}
