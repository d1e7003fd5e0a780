//! Swap areas: the header that `mkswap` writes. The rest of an area means nothing before it is used.
//!
//! | offset | size | what, little-endian |
//! |---|---|---|
//! | 1024 | 4 | version, 1 |
//! | 1028 | 4 | the last page |
//! | 1032 | 4 | how many bad pages follow, 0 |
//! | 1036 | 16 | UUID |
//! | 1052 | 16 | label, padded with zeros |
//! | 4086 | 10 | `SWAPSPACE2` |
//!
//! Pages have 4096 bytes, as on every machine that Esker boots. Source: the kernel's `include/linux/swap.h`.

use std::io::{self, Write};

use thiserror::Error;

/// The size of a page.
pub const PAGE_BYTES: u64 = 4096;
/// The smallest area that the kernel takes: the header and nine pages.
pub const MINIMUM_BYTES: u64 = 10 * PAGE_BYTES;
/// How long a label may be.
pub const LABEL_BYTES: usize = 16;

const HEADER_BYTES: usize = 4096;
const MAGIC: &[u8] = b"SWAPSPACE2";

/// Why there is no swap area.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SwapError {
    /// Too small, or more pages than the header can say.
    #[error("a swap area has {MINIMUM_BYTES} bytes to 16 TiB; there are {length_bytes}")]
    Length {
        /// The area's length.
        length_bytes: u64,
    },
    /// The area could not be written.
    #[error("cannot write the swap area")]
    Write(#[source] io::Error),
}

/// Writes the header at a volume's start. Of the label at most [`LABEL_BYTES`] are kept.
///
/// Errors when the length is none that an area can have, or the volume cannot be written.
pub fn format(volume: &mut impl Write, length_bytes: u64, uuid: [u8; 16], label: &str) -> Result<(), SwapError> {
    let pages = u32::try_from(length_bytes / PAGE_BYTES).ok().filter(|_| length_bytes >= MINIMUM_BYTES);
    let last_page = pages.ok_or(SwapError::Length { length_bytes })? - 1;
    let mut header = [0; HEADER_BYTES];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(1024, &1_u32.to_le_bytes());
    put(1028, &last_page.to_le_bytes());
    put(1036, &uuid);
    put(1052, &label.as_bytes()[..label.len().min(LABEL_BYTES)]);
    put(HEADER_BYTES - MAGIC.len(), MAGIC);
    volume.write_all(&header).map_err(SwapError::Write)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{MINIMUM_BYTES, SwapError, format};

    #[test]
    fn util_linux_knows_it() {
        let mut area = tempfile::NamedTempFile::new().unwrap();
        area.as_file().set_len(8 << 20).unwrap();
        format(&mut area, 8 << 20, [0xa7; 16], "more memory").unwrap();
        let output = Command::new("/usr/sbin/swaplabel").arg(area.path()).output().expect("swaplabel (util-linux)");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("LABEL: more memory") && text.contains("a7a7a7a7-a7a7-a7a7-a7a7-a7a7a7a7a7a7"), "{text}");
        let probe = Command::new("/usr/sbin/blkid").args(["-p", "-s", "TYPE", "-o", "value"]).arg(area.path()).output();
        assert_eq!(probe.expect("blkid (util-linux)").stdout, b"swap\n");
    }

    #[test]
    fn lengths_that_no_area_has_are_refused() {
        for length_bytes in [0, MINIMUM_BYTES - 1, 17 << 40] {
            let result = format(&mut Vec::new(), length_bytes, [0; 16], "");
            assert!(matches!(result, Err(SwapError::Length { .. })), "{length_bytes}");
        }
    }
}
