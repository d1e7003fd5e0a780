//! Checks that Debian signed an `InRelease` file, or whoever else was said to be trusted.
//!
//! By default the trusted keys are Debian 13's, compiled in from `keys/` (as `debian-archive-keyring` ships them), so that the
//! host's keyring and its age do not matter. The text comes out of the signed part only; nothing around it is believed. Whether the
//! text is current is not decided here.
//!
//! Source: RFC 9580 section 7 (cleartext signatures), <https://ftp-master.debian.org/keys.html>.

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::PublicKeyTrait;
use thiserror::Error;

/// Why the signature of an `InRelease` file is not accepted.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// There is no cleartext signature in it.
    #[error("the file is not signed")]
    Unsigned(#[source] Box<pgp::errors::Error>),
    /// No signature is by a trusted key and right.
    #[error("none of its signatures is a valid one by a trusted archive key (signed by: {})", signers.join(", "))]
    Untrusted {
        /// Key ids of those who signed.
        signers: Vec<String>,
    },
    /// A trusted key cannot be read.
    #[error("cannot read a trusted key")]
    Key(#[source] Box<pgp::errors::Error>),
}

/// The keys that may sign Debian's archive.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
}

impl Keyring {
    /// The keys of Debian 13: automatic signing, security, and the stable release's.
    pub fn debian() -> Result<Self, SignatureError> {
        Self::parse(&[
            include_str!("../keys/debian-archive-trixie-automatic.asc"),
            include_str!("../keys/debian-archive-trixie-security-automatic.asc"),
            include_str!("../keys/debian-archive-trixie-stable.asc"),
        ])
    }

    /// Reads armoured public keys. Errors when one is malformed, or does not vouch for its subkeys.
    pub fn parse(armoured: &[&str]) -> Result<Self, SignatureError> {
        let error = |error| SignatureError::Key(Box::new(error));
        let mut keys = Vec::new();
        for text in armoured {
            let (key, _) = SignedPublicKey::from_string(text).map_err(error)?;
            // Other people's certifications of the user ids cannot be checked without their keys and do not matter: the key
            // itself is what is trusted. That its subkeys are its own does matter.
            for subkey in &key.public_subkeys {
                subkey.verify(&key.primary_key).map_err(error)?;
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// The signed text of an `InRelease` file. `now` is in seconds since 1970; keys and signatures that expired before do not
    /// count. One valid signature by a trusted key is enough, as apt has it.
    pub fn verify(&self, in_release: &str, now: u64) -> Result<String, SignatureError> {
        let (message, _) = CleartextSignedMessage::from_string(in_release)
            .map_err(|error| SignatureError::Unsigned(Box::new(error)))?;
        let text = message.signed_text();
        if message.signatures().iter().any(|signature| self.accepts(signature, text.as_bytes(), now)) {
            // What was signed has network line endings; the Release file has Unix's.
            return Ok(text.replace("\r\n", "\n"));
        }
        let signers = message.signatures().iter().flat_map(Signature::issuer).map(ToString::to_string).collect();
        Err(SignatureError::Untrusted { signers })
    }

    fn accepts(&self, signature: &Signature, text: &[u8], now: u64) -> bool {
        let strong = matches!(
            signature.hash_alg(),
            Some(
                HashAlgorithm::Sha256
                    | HashAlgorithm::Sha384
                    | HashAlgorithm::Sha512
                    | HashAlgorithm::Sha3_256
                    | HashAlgorithm::Sha3_512
            )
        );
        let kind = matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary));
        let lifetime = signature.signature_expiration_time();
        let expired = match (signature.created(), lifetime) {
            (Some(created), Some(lifetime)) => is_past(created.timestamp().saturating_add(lifetime.num_seconds()), now),
            _ => false,
        };
        strong && kind && !expired && self.keys.iter().any(|key| signed_by(key, signature, text, now))
    }
}

/// Whether the key, or one of its subkeys that may sign, made the signature.
fn signed_by(key: &SignedPublicKey, signature: &Signature, text: &[u8], now: u64) -> bool {
    if !key.details.revocation_signatures.is_empty() || key.expires_at().is_some_and(|at| is_past(at.timestamp(), now))
    {
        return false;
    }
    let by_subkey = key.public_subkeys.iter().any(|subkey| {
        let revoked = subkey.signatures.iter().any(|binding| binding.typ() == Some(SignatureType::SubkeyRevocation));
        let may_sign = subkey.signatures.iter().any(|binding| {
            let end = binding
                .key_expiration_time()
                .map(|lifetime| subkey.key.created_at().timestamp().saturating_add(lifetime.num_seconds()));
            binding.key_flags().sign() && !end.is_some_and(|end| is_past(end, now))
        });
        may_sign && !revoked && signature.verify(&subkey.key, text).is_ok()
    });
    by_subkey || signature.verify(&key.primary_key, text).is_ok()
}

fn is_past(timestamp: i64, now: u64) -> bool {
    u64::try_from(timestamp).is_ok_and(|timestamp| timestamp < now)
}

#[cfg(test)]
mod tests;
