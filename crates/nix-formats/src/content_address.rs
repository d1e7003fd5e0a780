//! Content addresses, and the store paths that contents determine: texts, sources and fixed outputs.
//!
//! Only path arithmetic: the contents' hash is the caller's to compute.

use std::collections::BTreeSet;
use std::fmt;

use crate::hash::{Hash, HashAlgo, HashError};
use crate::store_path::{StoreDir, StorePath, StorePathError};

/// How contents are turned into the bytes that are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentAddressMethod {
    /// The bytes of one file.
    Flat,
    /// The NAR of the tree (`recursive` in the language, `r:` in texts).
    NixArchive,
    /// Git's tree or blob hash.
    Git,
    /// The bytes of one file that may have references; only for texts written by the evaluator.
    Text,
}

impl ContentAddressMethod {
    /// The prefix before the algorithm in derivations and in content addresses (`""`, `r:`, `git:`, `text:`).
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Flat => "",
            Self::NixArchive => "r:",
            Self::Git => "git:",
            Self::Text => "text:",
        }
    }

    /// Splits `r:sha256` into method and algorithm.
    ///
    /// Errors when the algorithm is unknown.
    pub fn parse_with_algo(text: &str) -> Result<(Self, HashAlgo), HashError> {
        for method in [Self::NixArchive, Self::Git, Self::Text] {
            if let Some(algo) = text.strip_prefix(method.prefix()) {
                return Ok((method, algo.parse()?));
            }
        }
        Ok((Self::Flat, text.parse()?))
    }
}

/// A method and a hash: what is known of a path whose name follows from its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentAddress {
    /// What was hashed.
    pub method: ContentAddressMethod,
    /// The result.
    pub hash: Hash,
}

/// Prints the `ca` field of the database and of narinfo: `text:sha256:…` or `fixed:[r:]sha256:…` in base32.
impl fmt::Display for ContentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.method != ContentAddressMethod::Text {
            f.write_str("fixed:")?;
        }
        write!(f, "{}{}", self.method.prefix(), self.hash.to_prefixed_base32())
    }
}

/// Why a text is not a content address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentAddressError {
    /// It begins neither with `text:` nor with `fixed:`.
    #[error("content address `{text}` begins neither with `text:` nor with `fixed:`")]
    UnknownPrefix {
        /// The text given.
        text: String,
    },
    /// The hash in it is malformed.
    #[error("content address `{text}` holds no valid hash")]
    Hash {
        /// The text given.
        text: String,
        /// What is wrong with the hash.
        #[source]
        source: HashError,
    },
}

impl std::str::FromStr for ContentAddress {
    type Err = ContentAddressError;

    fn from_str(text: &str) -> Result<Self, ContentAddressError> {
        let (method, hash) = if let Some(hash) = text.strip_prefix("text:") {
            (ContentAddressMethod::Text, hash)
        } else if let Some(rest) = text.strip_prefix("fixed:") {
            [ContentAddressMethod::NixArchive, ContentAddressMethod::Git]
                .into_iter()
                .find_map(|method| Some((method, rest.strip_prefix(method.prefix())?)))
                .unwrap_or((ContentAddressMethod::Flat, rest))
        } else {
            return Err(ContentAddressError::UnknownPrefix { text: text.to_owned() });
        };
        let hash =
            Hash::parse(hash, None).map_err(|source| ContentAddressError::Hash { text: text.to_owned(), source })?;
        Ok(Self { method, hash })
    }
}

/// The references that enter a content-addressed path's hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceSet {
    /// References to other paths.
    pub others: BTreeSet<StorePath>,
    /// Whether the path refers to itself.
    pub to_self: bool,
}

impl From<BTreeSet<StorePath>> for ReferenceSet {
    fn from(others: BTreeSet<StorePath>) -> Self {
        Self { others, to_self: false }
    }
}

/// Why contents determine no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakePathError {
    /// The name is not allowed.
    #[error(transparent)]
    Name(#[from] StorePathError),
    /// Only SHA-256 NARs and texts may have references.
    #[error("content-addressed path `{name}` must not have references with method `{prefix}{algo}`")]
    ReferencesNotAllowed {
        /// The path's name.
        name: String,
        /// The method's prefix.
        prefix: &'static str,
        /// The hash's algorithm.
        algo: HashAlgo,
    },
    /// Texts are always hashed with SHA-256 and never refer to themselves.
    #[error("text `{name}` must be hashed with sha256 and must not refer to itself")]
    BadText {
        /// The path's name.
        name: String,
    },
}

impl StoreDir {
    /// The path of contents with the given address, name and references.
    ///
    /// Errors when the name is not allowed, or the method admits no references and there are some.
    pub fn make_content_path(
        &self,
        name: &str,
        address: &ContentAddress,
        references: &ReferenceSet,
    ) -> Result<StorePath, MakePathError> {
        let ContentAddress { method, hash } = address;
        match method {
            ContentAddressMethod::Text => {
                if hash.algo() != HashAlgo::Sha256 || references.to_self {
                    return Err(MakePathError::BadText { name: name.to_owned() });
                }
                Ok(self.make_path(&self.fingerprint_type("text", references), hash, name)?)
            }
            ContentAddressMethod::NixArchive if hash.algo() == HashAlgo::Sha256 => {
                Ok(self.make_path(&self.fingerprint_type("source", references), hash, name)?)
            }
            ContentAddressMethod::Flat | ContentAddressMethod::NixArchive | ContentAddressMethod::Git => {
                if references.to_self || !references.others.is_empty() {
                    return Err(MakePathError::ReferencesNotAllowed {
                        name: name.to_owned(),
                        prefix: method.prefix(),
                        algo: hash.algo(),
                    });
                }
                let inner = format!("fixed:out:{}{}:", method.prefix(), hash.to_prefixed_base16());
                Ok(self.make_path("output:out", &Hash::of(HashAlgo::Sha256, inner.as_bytes()), name)?)
            }
        }
    }

    /// The path of a text written by the evaluator (`builtins.toFile`, `.drv` files).
    ///
    /// Errors when the name is not allowed.
    pub fn make_text_path(
        &self,
        name: &str,
        text: &[u8],
        references: BTreeSet<StorePath>,
    ) -> Result<StorePath, MakePathError> {
        let hash = Hash::of(HashAlgo::Sha256, text);
        let address = ContentAddress { method: ContentAddressMethod::Text, hash };
        self.make_content_path(name, &address, &references.into())
    }

    fn fingerprint_type(&self, kind: &str, references: &ReferenceSet) -> String {
        let mut text = kind.to_owned();
        for reference in &references.others {
            text.push(':');
            text.push_str(&self.display(reference));
        }
        if references.to_self {
            text.push_str(":self");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ContentAddress, ContentAddressMethod, ReferenceSet};
    use crate::hash::{Hash, HashAlgo};
    use crate::store_path::StoreDir;

    #[test]
    fn addresses_round_trip() {
        let hash = Hash::of(HashAlgo::Sha256, b"x");
        for method in [
            ContentAddressMethod::Flat,
            ContentAddressMethod::NixArchive,
            ContentAddressMethod::Git,
            ContentAddressMethod::Text,
        ] {
            let address = ContentAddress { method, hash };
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert!("other:sha256:x".parse::<ContentAddress>().is_err());
    }

    #[test]
    fn flat_contents_must_not_have_references() {
        let dir = StoreDir::default();
        let other = dir.make_text_path("a", b"a", BTreeSet::new()).unwrap();
        let references = ReferenceSet::from(BTreeSet::from([other]));
        let address = ContentAddress { method: ContentAddressMethod::Flat, hash: Hash::of(HashAlgo::Sha256, b"") };
        assert!(dir.make_content_path("b", &address, &references).is_err());
    }
}
