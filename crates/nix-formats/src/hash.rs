//! Hashes as Nix reads and writes them: base16, base32, base64 and SRI, with or without `algo:`.
//!
//! Not here: hashing of trees (see `nar`) and of derivations (see `derivation`).

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::Digest as _;

use crate::base32;

/// A hash algorithm that Nix knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgo {
    /// 16 bytes.
    Md5,
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl HashAlgo {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name in Nix's texts: `md5`, `sha1`, `sha256`, `sha512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The digest's length in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HashAlgo {
    type Err = HashError;

    fn from_str(name: &str) -> Result<Self, HashError> {
        Self::ALL
            .into_iter()
            .find(|algo| algo.name() == name)
            .ok_or_else(|| HashError::UnknownAlgorithm { name: name.to_owned() })
    }
}

/// Why a text is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The algorithm's name is none of the four.
    #[error("unknown hash algorithm `{name}`")]
    UnknownAlgorithm {
        /// What was given.
        name: String,
    },
    /// Neither the text nor the caller says which algorithm.
    #[error("hash `{text}` does not include a type, nor is the type otherwise known from context")]
    MissingAlgorithm {
        /// The hash text.
        text: String,
    },
    /// The text names one algorithm, the caller expects another.
    #[error("hash `{text}` should have type `{expected}`")]
    WrongAlgorithm {
        /// The hash text.
        text: String,
        /// The algorithm asked for.
        expected: HashAlgo,
    },
    /// The digits' number fits no encoding of the algorithm.
    #[error("hash `{text}` has wrong length for hash algorithm `{algo}`")]
    WrongLength {
        /// The hash text.
        text: String,
        /// Its algorithm.
        algo: HashAlgo,
    },
    /// A character is not a digit of the encoding its length implies.
    #[error("invalid {encoding} hash `{text}`")]
    BadDigit {
        /// The hash text.
        text: String,
        /// `base-16`, `base-32` or `base-64`.
        encoding: &'static str,
    },
}

/// A digest and its algorithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash {
    algo: HashAlgo,
    // Longer than most digests; what is beyond the digest's length stays zero so that derived equality holds.
    bytes: [u8; 64],
}

impl Hash {
    /// A digest given as bytes. `None` when the length is not the algorithm's.
    #[must_use]
    pub fn from_bytes(algo: HashAlgo, digest: &[u8]) -> Option<Self> {
        if digest.len() != algo.digest_len() {
            return None;
        }
        let mut bytes = [0; 64];
        bytes[..digest.len()].copy_from_slice(digest);
        Some(Self { algo, bytes })
    }

    /// The hash of `data`.
    #[must_use]
    pub fn of(algo: HashAlgo, data: &[u8]) -> Self {
        let mut hasher = Hasher::new(algo);
        hasher.update(data);
        hasher.finish()
    }

    /// The algorithm.
    #[must_use]
    pub const fn algo(&self) -> HashAlgo {
        self.algo
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algo.digest_len()]
    }

    /// Lower-case hexadecimal digits without prefix.
    #[must_use]
    pub fn to_base16(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(self.algo.digest_len() * 2);
        for byte in self.as_bytes() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Nix's base32 without prefix.
    #[must_use]
    pub fn to_base32(&self) -> String {
        base32::encode(self.as_bytes())
    }

    /// Base64 (RFC 4648, padded) without prefix.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.as_bytes())
    }

    /// `sha256-<base64>`, as browsers' subresource integrity has it.
    #[must_use]
    pub fn to_sri(&self) -> String {
        format!("{}-{}", self.algo, self.to_base64())
    }

    /// `sha256:<hexadecimal>`, as the store database holds it.
    #[must_use]
    pub fn to_prefixed_base16(&self) -> String {
        format!("{}:{}", self.algo, self.to_base16())
    }

    /// `sha256:<base32>`, as narinfo and content addresses hold it.
    #[must_use]
    pub fn to_prefixed_base32(&self) -> String {
        format!("{}:{}", self.algo, self.to_base32())
    }

    /// Parses any text Nix accepts: `algo:digits`, `algo-base64`, or bare digits when `expected` names the algorithm.
    /// The number of digits tells the encoding.
    ///
    /// Errors when the text is malformed or names another algorithm than `expected`.
    pub fn parse(text: &str, expected: Option<HashAlgo>) -> Result<Self, HashError> {
        let (named, digits, sri) = match (text.split_once(':'), text.split_once('-')) {
            (Some((algo, digits)), _) => (Some(algo.parse()?), digits, false),
            (None, Some((algo, digits))) => (Some(algo.parse()?), digits, true),
            (None, None) => (None, text, false),
        };
        let algo = match (named, expected) {
            (Some(named), Some(expected)) if named != expected => {
                return Err(HashError::WrongAlgorithm { text: text.to_owned(), expected });
            }
            (Some(algo), _) | (None, Some(algo)) => algo,
            (None, None) => {
                return Err(HashError::MissingAlgorithm { text: text.to_owned() });
            }
        };
        Self::parse_digits(algo, digits, sri).map_err(|kind| match kind {
            DigitsError::Length => HashError::WrongLength { text: text.to_owned(), algo },
            DigitsError::Digit(encoding) => HashError::BadDigit { text: text.to_owned(), encoding },
        })
    }

    fn parse_digits(algo: HashAlgo, digits: &str, sri: bool) -> Result<Self, DigitsError> {
        let len = algo.digest_len();
        let (bytes, encoding) = if !sri && digits.len() == len * 2 {
            (decode_base16(digits.as_bytes()), "base-16")
        } else if !sri && digits.len() == base32::encoded_len(len) {
            (base32::decode(digits.as_bytes(), len), "base-32")
        } else if sri || digits.len() == len.div_ceil(3) * 4 {
            (BASE64.decode(digits).ok(), "base-64")
        } else {
            return Err(DigitsError::Length);
        };
        let bytes = bytes.ok_or(DigitsError::Digit(encoding))?;
        Self::from_bytes(algo, &bytes).ok_or(DigitsError::Length)
    }

    /// Folds the digest to `N` bytes by exclusive or, as store paths do.
    #[must_use]
    pub fn compress<const N: usize>(&self) -> [u8; N] {
        let mut folded = [0; N];
        for (i, byte) in self.as_bytes().iter().enumerate() {
            folded[i % N] ^= byte;
        }
        folded
    }
}

enum DigitsError {
    Length,
    Digit(&'static str),
}

fn decode_base16(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok());
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.to_sri())
    }
}

/// Prints SRI, the form people are meant to copy.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_sri())
    }
}

/// Hashing piece by piece; also a `Write`.
#[derive(Clone)]
pub struct Hasher {
    state: State,
}

#[derive(Clone)]
enum State {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    #[must_use]
    pub fn new(algo: HashAlgo) -> Self {
        let state = match algo {
            HashAlgo::Md5 => State::Md5(md5::Md5::new()),
            HashAlgo::Sha1 => State::Sha1(sha1::Sha1::new()),
            HashAlgo::Sha256 => State::Sha256(sha2::Sha256::new()),
            HashAlgo::Sha512 => State::Sha512(sha2::Sha512::new()),
        };
        Self { state }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Md5(state) => state.update(data),
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// The hash of everything taken in.
    #[must_use]
    pub fn finish(self) -> Hash {
        let mut bytes = [0; 64];
        let algo = match self.state {
            State::Md5(state) => {
                bytes[..16].copy_from_slice(&state.finalize());
                HashAlgo::Md5
            }
            State::Sha1(state) => {
                bytes[..20].copy_from_slice(&state.finalize());
                HashAlgo::Sha1
            }
            State::Sha256(state) => {
                bytes[..32].copy_from_slice(&state.finalize());
                HashAlgo::Sha256
            }
            State::Sha512(state) => {
                bytes.copy_from_slice(&state.finalize());
                HashAlgo::Sha512
            }
        };
        Hash { algo, bytes }
    }
}

impl Write for Hasher {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, HashAlgo, HashError};

    #[test]
    fn every_printed_form_parses_back() {
        for algo in HashAlgo::ALL {
            let hash = Hash::of(algo, b"esker");
            for text in [hash.to_base16(), hash.to_base32(), hash.to_base64()] {
                assert_eq!(Hash::parse(&text, Some(algo)), Ok(hash));
                assert_eq!(Hash::parse(&format!("{algo}:{text}"), None), Ok(hash));
            }
            assert_eq!(Hash::parse(&hash.to_sri(), None), Ok(hash));
        }
    }

    #[test]
    fn known_digests() {
        assert_eq!(Hash::of(HashAlgo::Md5, b"").to_base16(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(Hash::of(HashAlgo::Sha1, b"").to_base16(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(Hash::of(HashAlgo::Sha256, b"").to_sri(), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn errors_name_the_text() {
        assert!(matches!(Hash::parse("abc", None), Err(HashError::MissingAlgorithm { .. })));
        assert!(matches!(Hash::parse("sha9:abc", None), Err(HashError::UnknownAlgorithm { .. })));
        assert!(matches!(Hash::parse("sha256:abc", None), Err(HashError::WrongLength { .. })));
        assert!(matches!(Hash::parse("md5:abc", Some(HashAlgo::Sha1)), Err(HashError::WrongAlgorithm { .. })));
        let bad = format!("sha1:{}", "g".repeat(40));
        assert!(matches!(Hash::parse(&bad, None), Err(HashError::BadDigit { .. })));
    }
}
