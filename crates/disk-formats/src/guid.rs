//! GUIDs as partition tables and filesystems write them.
//!
//! Never random: a caller derives them from a digest of what the disk holds. Source: RFC 9562, section 5.8 (version 8).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A GUID, its 16 bytes in the order of its text form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

/// The text is not 32 hexadecimal digits grouped 8-4-4-4-12.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a GUID")]
pub struct GuidError {
    /// What was given.
    pub text: String,
}

impl Guid {
    /// A GUID out of the first 16 bytes of a digest, marked as version 8 ("made by the application").
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Guid(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&position) {
                out.write_str("-")?;
            }
            write!(out, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        let error = || GuidError { text: text.to_owned() };
        let groups: Vec<&str> = text.split('-').collect();
        if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
            return Err(error());
        }
        let digits = groups.concat();
        let value = u128::from_str_radix(&digits, 16).map_err(|_| error())?;
        if digits.starts_with('+') {
            return Err(error());
        }
        Ok(Guid(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::Guid;

    #[test]
    fn text_and_bytes_agree() {
        let text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
        let guid: Guid = text.parse().unwrap();
        assert_eq!(guid.0[..4], [0xc1, 0x2a, 0x73, 0x28]);
        assert_eq!(guid.to_string(), text);
        assert_eq!("C12A7328-F81F-11D2-BA4B-00A0C93EC93B".parse::<Guid>().unwrap(), guid);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "c12a7328f81f11d2ba4b00a0c93ec93b", "+12a7328-f81f-11d2-ba4b-00a0c93ec93b", "x-y-z-a-b"] {
            assert!(text.parse::<Guid>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_derived_guid_says_its_version() {
        let text = Guid::from_digest(&[0xff; 32]).to_string();
        assert_eq!(text, "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }
}
