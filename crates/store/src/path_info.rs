//! What the store knows about one valid path.

use std::collections::BTreeSet;

use nix_formats::narinfo::PathFingerprint;
use nix_formats::signature::Signature;
use nix_formats::{ContentAddress, Hash, StorePath};

/// Hash and size of a tree's NAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NarDigest {
    /// SHA-256.
    pub hash: Hash,
    /// The NAR's length.
    pub size_bytes: u64,
}

/// What is registered about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo {
    /// The path.
    pub path: StorePath,
    /// Hash and size of its NAR.
    pub nar: NarDigest,
    /// Direct references, itself included if it refers to itself.
    pub references: BTreeSet<StorePath>,
    /// The derivation that built it.
    pub deriver: Option<StorePath>,
    /// Whether it was built here rather than fetched.
    pub ultimate: bool,
    /// Signatures.
    pub signatures: Vec<Signature>,
    /// Its content address, if it has one.
    pub content_address: Option<ContentAddress>,
}

impl PathInfo {
    /// A path without references, deriver, signatures and content address.
    #[must_use]
    pub fn new(path: StorePath, nar: NarDigest) -> Self {
        Self {
            path,
            nar,
            references: BTreeSet::new(),
            deriver: None,
            ultimate: false,
            signatures: Vec::new(),
            content_address: None,
        }
    }

    /// What signatures vouch for.
    #[must_use]
    pub fn fingerprint(&self) -> PathFingerprint<'_> {
        PathFingerprint {
            path: &self.path,
            nar_hash: &self.nar.hash,
            nar_size_bytes: self.nar.size_bytes,
            references: &self.references,
        }
    }
}
