//! Nix's base32: its own alphabet (no e, o, t, u), least significant digit last, no padding.
//!
//! Not RFC 4648: digits are taken from the end of the bytes, so the text reads back to front.

/// The 32 digits in order of value.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// For each byte, its value as a digit, or 255.
const VALUES: [u8; 256] = values();

#[allow(clippy::cast_possible_truncation, reason = "indices of a 32-digit alphabet fit a byte")]
const fn values() -> [u8; 256] {
    let mut table = [255_u8; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        table[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    table
}

/// Whether `byte` is one of the 32 digits.
#[inline]
#[must_use]
pub const fn is_digit(byte: u8) -> bool {
    VALUES[byte as usize] != 255
}

/// A digit's value; 255 for any other byte.
#[inline]
pub(crate) const fn digit_value(byte: u8) -> u8 {
    VALUES[byte as usize]
}

/// How many digits encode `bytes_len` bytes.
#[must_use]
pub const fn encoded_len(bytes_len: usize) -> usize {
    (bytes_len * 8).div_ceil(5)
}

/// Encodes `bytes`; the empty slice gives the empty string.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let len = encoded_len(bytes.len());
    let mut text = String::with_capacity(len);
    for n in (0..len).rev() {
        let bit = n * 5;
        let (i, shift) = (bit / 8, bit % 8);
        let low = u16::from(bytes[i]);
        let high = bytes.get(i + 1).map_or(0, |byte| u16::from(*byte));
        let digit = ((low | (high << 8)) >> shift) & 0x1f;
        text.push(char::from(ALPHABET[usize::from(digit)]));
    }
    text
}

/// Decodes `text` into `bytes_len` bytes. `None` when the length is wrong, a character is not a digit, or the spare
/// bits of the first digit are not zero.
#[must_use]
pub fn decode(text: &[u8], bytes_len: usize) -> Option<Vec<u8>> {
    if text.len() != encoded_len(bytes_len) {
        return None;
    }
    let mut bytes = vec![0_u8; bytes_len];
    for (n, character) in text.iter().rev().enumerate() {
        let digit = VALUES[usize::from(*character)];
        if digit == 255 {
            return None;
        }
        let bit = n * 5;
        let (i, shift) = (bit / 8, bit % 8);
        let [low, high] = (u16::from(digit) << shift).to_le_bytes();
        bytes[i] |= low;
        match bytes.get_mut(i + 1) {
            Some(next) => *next |= high,
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn sha256_of_nothing_as_nix_hash_prints_it() {
        let bytes = crate::Hash::of(crate::HashAlgo::Sha256, b"");
        assert_eq!(encode(bytes.as_bytes()), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
    }

    #[test]
    fn every_length_round_trips() {
        let bytes: Vec<u8> = (0_u8..70).map(|i| i.wrapping_mul(37)).collect();
        for len in 0..bytes.len() {
            assert_eq!(decode(encode(&bytes[..len]).as_bytes(), len).as_deref(), Some(&bytes[..len]));
        }
    }

    #[test]
    fn refuses_wrong_digits_lengths_and_spare_bits() {
        assert_eq!(decode(b"e0", 1), None);
        assert_eq!(decode(b"0", 1), None);
        assert_eq!(decode(b"zz", 1), None);
        assert_eq!(decode(b"7z", 1), Some(vec![255]));
    }
}
