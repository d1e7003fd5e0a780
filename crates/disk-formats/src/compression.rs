//! Pieces of a disk compressed by zstd, each for itself and on several threads.
//!
//! The result does not depend on the number of threads. Used by the formats that let a reader start anywhere.

use std::io;

/// How hard zstd tries, and on how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zstd {
    /// zstd's level.
    pub level: i32,
    /// At least one.
    pub threads: usize,
}

impl Zstd {
    /// Each piece compressed, or nothing where that does not make it smaller.
    ///
    /// Errors when zstd fails, which it does only for want of memory.
    pub fn compress_each(self, pieces: &[&[u8]]) -> io::Result<Vec<Option<Vec<u8>>>> {
        let of_share = |share: &[&[u8]]| -> io::Result<Vec<Option<Vec<u8>>>> {
            let mut compressor = zstd::bulk::Compressor::new(self.level)?;
            let one = |piece: &&[u8]| {
                compressor.compress(piece).map(|bytes| Some(bytes).filter(|bytes| bytes.len() < piece.len()))
            };
            share.iter().map(one).collect()
        };
        let share = pieces.len().div_ceil(self.threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = pieces.chunks(share).map(|share| scope.spawn(move || of_share(share))).collect();
            let mut all = Vec::with_capacity(pieces.len());
            for thread in threads {
                all.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(all)
        })
    }
}
