//! CRC-32C (Castagnoli), the checksum of EROFS and ext4 metadata.
//!
//! Both formats use the raw register: no final inversion, and the caller chooses where it starts. Source: RFC 3720,
//! appendix B.4, for the polynomial.

/// Slicing tables: `TABLES[k][b]` is the register after byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut byte = 0_u8;
    loop {
        let mut register = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            register = if register & 1 == 1 { (register >> 1) ^ 0x82f6_3b78 } else { register >> 1 };
            bit += 1;
        }
        tables[0][byte as usize] = register;
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    let mut slice = 1;
    while slice < 8 {
        let mut byte = 0;
        while byte < 256 {
            let previous = tables[slice - 1][byte];
            tables[slice][byte] = (previous >> 8) ^ tables[0][(previous & 0xff) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// Feeds `bytes` into the register `state` and returns the new register.
pub(crate) fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    let mut state = state;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let low = state.to_le_bytes();
        state = (0..4).fold(0, |mixed, i| mixed ^ TABLES[7 - i][usize::from(low[i] ^ chunk[i])]);
        state = (4..8).fold(state, |mixed, i| mixed ^ TABLES[7 - i][usize::from(chunk[i])]);
    }
    for &byte in chunks.remainder() {
        let [low, ..] = state.to_le_bytes();
        state = (state >> 8) ^ TABLES[0][usize::from(low ^ byte)];
    }
    state
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn matches_the_check_value_of_the_polynomial() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn matches_rfc_3720_test_vectors() {
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(!crc32c(!0, &[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn can_be_fed_in_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        for split in [0, 1, 7, 8, 9, 200] {
            let (head, tail) = bytes.split_at(split);
            assert_eq!(crc32c(crc32c(!0, head), tail), crc32c(!0, &bytes));
        }
    }
}
