//! Finding references: which store paths' hash parts occur in a stream of bytes.
//!
//! Compressed or otherwise encoded references are not found, as with Nix.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use crate::base32;
use crate::store_path::{HASH_PART_LEN, HashPart};

/// How many beginnings of three digits there are.
const BEGINNINGS: usize = 32 * 32 * 32;

/// Looks for a given set of hash parts; feed it bytes in pieces of any size. Also a `Write`.
pub struct ReferenceScanner {
    /// Candidates, and whether each was seen. Never iterated but to collect into a sorted set.
    candidates: HashMap<[u8; HASH_PART_LEN], bool>,
    /// A bit for every beginning of three digits that a candidate has. Contents such as base64 or hexadecimal text consist
    /// of digits alone; this spares them a look-up per byte.
    beginnings: Vec<u64>,
    unseen: usize,
    /// The last bytes of the pieces so far, fewer than a hash part has.
    tail: Vec<u8>,
}

impl ReferenceScanner {
    /// A scanner for the given hash parts.
    #[must_use]
    pub fn new(candidates: impl IntoIterator<Item = HashPart>) -> Self {
        let candidates: HashMap<_, _> = candidates.into_iter().map(|part| (*part.digits(), false)).collect();
        let mut beginnings = vec![0; BEGINNINGS / 64];
        for digits in candidates.keys() {
            let (word, bit) = beginning_of(digits);
            beginnings[word] |= bit;
        }
        Self { unseen: candidates.len(), candidates, beginnings, tail: Vec::with_capacity(2 * HASH_PART_LEN) }
    }

    /// Scans the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8]) {
        if self.unseen == 0 {
            return;
        }
        // What straddles the border: the tail and as many bytes again.
        let border = piece.len().min(HASH_PART_LEN - 1);
        let mut straddling = std::mem::take(&mut self.tail);
        straddling.extend_from_slice(&piece[..border]);
        self.search(&straddling);
        self.search(piece);
        let rest = if piece.len() >= HASH_PART_LEN - 1 { piece } else { &straddling };
        let keep = rest.len().saturating_sub(HASH_PART_LEN - 1);
        self.tail = rest[keep..].to_vec();
    }

    /// The candidates seen so far.
    #[must_use]
    pub fn found(&self) -> BTreeSet<HashPart> {
        self.candidates
            .iter()
            .filter(|(_, seen)| **seen)
            .filter_map(|(digits, _)| HashPart::from_digits(digits))
            .collect()
    }

    fn search(&mut self, bytes: &[u8]) {
        let mut start = 0;
        // How many bytes from `start` on are known to be digits.
        let mut known = 0;
        while let Some(window) = bytes.get(start..start + HASH_PART_LEN) {
            // From the back: a byte that is no digit rules out every window that holds it.
            let unknown = &window[known..];
            if let Some(other) = unknown.iter().rposition(|byte| !base32::is_digit(*byte)) {
                start += known + other + 1;
                known = 0;
                continue;
            }
            let (word, bit) = beginning_of(window);
            if self.beginnings[word] & bit != 0 {
                self.see(window);
            }
            start += 1;
            known = HASH_PART_LEN - 1;
        }
    }

    fn see(&mut self, window: &[u8]) {
        if let Some(seen) = self.candidates.get_mut(window) {
            if !*seen {
                *seen = true;
                self.unseen -= 1;
            }
        }
    }
}

/// The word and the bit of `beginnings` for the first three digits.
fn beginning_of(digits: &[u8]) -> (usize, u64) {
    let value = digits[..3].iter().fold(0, |value, digit| (value << 5) | usize::from(base32::digit_value(*digit)));
    (value / 64, 1 << (value % 64))
}

impl Write for ReferenceScanner {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.scan(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ReferenceScanner;
    use crate::store_path::HashPart;

    #[test]
    fn finds_references_however_the_stream_is_cut() {
        let a = HashPart::from_digits(b"7h7qgvs4kgzsn8a6rb273saxyqh4jxlz").unwrap();
        let b = HashPart::from_digits(b"4q0pg5zpfmznxscq3avycvf9xdvx50n3").unwrap();
        let absent = HashPart::from_digits(b"ss2p4wmxijn652haqyd7dckxwl4c7hxx").unwrap();
        let text = format!("x/nix/store/{a}-n\0zzzz{b}{}", "0".repeat(70));
        for size in 1..text.len() {
            let mut scanner = ReferenceScanner::new([a, b, absent]);
            for piece in text.as_bytes().chunks(size) {
                scanner.scan(piece);
            }
            assert_eq!(scanner.found().into_iter().collect::<Vec<_>>(), vec![b, a], "pieces of {size}");
        }
    }
}
