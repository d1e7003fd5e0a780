//! Identifiers of an image, derived from what it holds.
//!
//! The same generations give the same identifiers, so the same image; nothing is drawn at random.

use disk_formats::guid::Guid;
use nix_formats::StoreDir;
use sha2::{Digest, Sha256};

use crate::ImageRequest;

/// What all identifiers of one image derive from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn of(request: &ImageRequest<'_>) -> Self {
        let dir: &StoreDir = request.store.dir();
        let generations = request
            .generations
            .iter()
            .map(|generation| format!("generation {} {}", generation.number, dir.display(&generation.toplevel)));
        let extra = request.extra_roots.iter().map(|path| format!("root {}", dir.display(path)));
        let lines: Vec<String> = generations.chain(extra).collect();
        Seed(Sha256::digest(format!("esker image 1\n{}\n", lines.join("\n"))).into())
    }

    /// The identifier for one purpose.
    pub(crate) fn guid(&self, purpose: &str) -> Guid {
        Guid::from_digest(&self.digest(purpose))
    }

    /// A FAT volume's identifier.
    pub(crate) fn volume_id(&self, purpose: &str) -> u32 {
        let digest = self.digest(purpose);
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    fn digest(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(purpose).finalize().into()
    }
}
