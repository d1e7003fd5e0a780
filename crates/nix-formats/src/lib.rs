//! Nix's formats, byte for byte: store paths, hashes, base32, NAR, ATerm derivations, narinfo and signatures.
//!
//! Each format is a module with its own types. Nothing here opens a file or knows a store: readers and writers take
//! `Read` and `Write`, and hashing a derivation asks the caller for the hashes of its inputs.
//!
//! Source: the behaviour of C++ Nix 2.26, against which the tests compare.

pub mod base32;
pub mod content_address;
pub mod derivation;
pub mod hash;
pub mod nar;
pub mod narinfo;
pub mod placeholder;
pub mod references;
pub mod signature;
pub mod store_path;

pub use content_address::{ContentAddress, ContentAddressMethod, ReferenceSet};
pub use derivation::{Derivation, DerivationFile, DerivationOutput};
pub use hash::{Hash, HashAlgo, Hasher};
pub use narinfo::{NarInfo, PathFingerprint};
pub use store_path::{HashPart, StoreDir, StorePath};
