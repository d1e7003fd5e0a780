//! The log as it is after a clean unmount: one record that says so.
//!
//! Record header, big endian:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 4, 4, 4, 4 | magic, cycle 1, version 2, length |
//! | 16 | 8, 8 | sequence number of the record and of the tail: cycle 1, block 0 |
//! | 32 | 4, 4, 4 | checksum (none), record before (none), operations |
//! | 44 | 4 each | the first word of each 512 bytes of the record, which the cycle takes the place of |
//! | 300 | 4, 16, 4 | format: little endian; UUID; size of records |
//!
//! The operation behind it: transaction (overwritten), length 8, client `LOG`, flags `UNMOUNT`; then `Un` in the machine's
//! own order.

use super::block::Bytes;

/// The first block of the log.
pub(super) fn clean(uuid: &[u8; 16]) -> Vec<u8> {
    const HEADER: usize = 512;
    let mut bytes = Bytes::new(super::block::BLOCK);
    let first = 1_u64 << 32;
    bytes.u32(0, 0xfeed_babe).u32(4, 1).u32(8, 2).u32(12, 3584).u64(16, first).u64(24, first);
    bytes.u32(36, u32::MAX).u32(40, 1).u32(44, 0xb0c0_d0d0).u32(300, 1).raw(304, uuid).u32(320, 32768);
    for sector in (HEADER..super::block::BLOCK).step_by(512) {
        bytes.u32(sector, 1);
    }
    bytes.u32(HEADER + 4, 8).u8(HEADER + 8, 0xaa).u8(HEADER + 9, 0x20).raw(HEADER + 12, b"nU");
    bytes.unsealed()
}
