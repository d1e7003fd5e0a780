//! Ed25519 keys and signatures in Nix's text form, `<key name>:<base64>`.
//!
//! Making up a key needs randomness and is left to the caller, who passes the seed.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, Verifier as _};

/// Why a text is not a key or signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No `name:`.
    #[error("{what} has no name before a colon")]
    NoName {
        /// `public key`, `secret key` or `signature`.
        what: &'static str,
    },
    /// The base64 text does not decode to the right number of bytes, or not to a key.
    #[error("{what} `{name}` is not valid")]
    Invalid {
        /// `public key`, `secret key` or `signature`.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

fn decode<const N: usize>(what: &'static str, text: &str) -> Result<(String, [u8; N]), KeyError> {
    let (name, encoded) = match text.trim().split_once(':') {
        Some((name, encoded)) if !name.is_empty() => (name.to_owned(), encoded),
        _ => return Err(KeyError::NoName { what }),
    };
    match BASE64.decode(encoded).ok().and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => Ok((name, bytes)),
        None => Err(KeyError::Invalid { what, name }),
    }
}

/// A key that signs: name and 64 bytes (seed, public key). Debug output hides the key.
#[derive(Clone)]
pub struct SecretKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl SecretKey {
    /// The key that grows from a seed of 32 random bytes.
    #[must_use]
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// The matching public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs bytes.
    #[must_use]
    pub fn sign(&self, data: &[u8]) -> Signature {
        Signature { key_name: self.name.clone(), bytes: self.key.sign(data).to_bytes() }
    }

    /// The text of a key file. Secret!
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        format!("{}:{}", self.name, BASE64.encode(self.key.to_keypair_bytes()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.name)
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = decode::<64>("secret key", text)?;
        match ed25519_dalek::SigningKey::from_keypair_bytes(&bytes) {
            Ok(key) => Ok(Self { name, key }),
            Err(_) => Err(KeyError::Invalid { what: "secret key", name }),
        }
    }
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

impl PublicKey {
    /// The key's name, which its signatures repeat.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `signature` is this key's signature of `data`.
    #[must_use]
    pub fn verifies(&self, data: &[u8], signature: &Signature) -> bool {
        signature.key_name == self.name
            && self.key.verify(data, &ed25519_dalek::Signature::from_bytes(&signature.bytes)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, BASE64.encode(self.key.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = decode::<32>("public key", text)?;
        match ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
            Ok(key) => Ok(Self { name, key }),
            Err(_) => Err(KeyError::Invalid { what: "public key", name }),
        }
    }
}

/// A signature and the name of the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    key_name: String,
    bytes: [u8; 64],
}

impl Signature {
    /// The name of the key that made it.
    #[must_use]
    pub fn key_name(&self) -> &str {
        &self.key_name
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key_name, BASE64.encode(self.bytes))
    }
}

impl FromStr for Signature {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (key_name, bytes) = decode::<64>("signature", text)?;
        Ok(Self { key_name, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, PublicKey, SecretKey, Signature};

    #[test]
    fn texts_round_trip_and_signatures_bind_name_and_data() {
        let secret = SecretKey::from_seed("cache-1", &[7; 32]);
        let again: SecretKey = secret.to_secret_text().parse().unwrap();
        let public: PublicKey = secret.public().to_string().parse().unwrap();
        assert_eq!(public, again.public());
        let signature: Signature = secret.sign(b"data").to_string().parse().unwrap();
        assert!(public.verifies(b"data", &signature));
        assert!(!public.verifies(b"Data", &signature));
        let other = SecretKey::from_seed("cache-2", &[7; 32]).public();
        assert!(!other.verifies(b"data", &signature));
    }

    #[test]
    fn malformed_keys_are_refused_without_showing_them() {
        assert!(matches!("abc".parse::<PublicKey>(), Err(KeyError::NoName { .. })));
        let error = "k:c2VjcmV0".parse::<SecretKey>().unwrap_err();
        assert_eq!(error.to_string(), "secret key `k` is not valid");
    }
}
