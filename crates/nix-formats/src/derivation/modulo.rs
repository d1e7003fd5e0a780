//! A derivation's hash "modulo fixed outputs": what its output paths, and those of all that depend on it, are made of.
//!
//! Fixed outputs count by their contents alone, so changing how a file is fetched changes no path downstream. The
//! inputs' hashes come from the caller, who knows where derivations are and what to remember.

use std::collections::BTreeMap;

use super::aterm::{PrintedInputs, print_with};
use super::{Derivation, DerivationOutput, impure_output_hash};
use crate::hash::{Hash, HashAlgo};
use crate::store_path::{StoreDir, StorePath};

/// Whether output paths take part in the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputPaths {
    /// As they are: for derivations used as inputs.
    Keep,
    /// Blank: for computing these very paths.
    Mask,
}

/// Whether paths can be computed from a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKind {
    /// They can.
    Regular,
    /// Some input's contents must be known first.
    Deferred,
}

/// The hash modulo of a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivationHash {
    /// SHA-256; the same for every output.
    pub hash: Hash,
    /// Whether paths can be computed from it.
    pub kind: HashKind,
}

impl Derivation {
    /// The hash modulo fixed outputs. `input_hash` gives that of an input derivation, computed with
    /// `OutputPaths::Keep`; it is not asked for fixed-output derivations.
    ///
    /// Errors as `input_hash` does.
    pub fn hash_modulo<E>(
        &self,
        dir: &StoreDir,
        paths: OutputPaths,
        mut input_hash: impl FnMut(&StorePath) -> Result<DerivationHash, E>,
    ) -> Result<DerivationHash, E> {
        if let Some((path, address)) = self.fixed_output() {
            let text = format!(
                "fixed:out:{}{}:{}:{}",
                address.method.prefix(),
                address.hash.algo(),
                address.hash.to_base16(),
                dir.display(path),
            );
            return Ok(DerivationHash { hash: Hash::of(HashAlgo::Sha256, text.as_bytes()), kind: HashKind::Regular });
        }
        if self.outputs.values().any(|output| matches!(output, DerivationOutput::Impure { .. })) {
            return Ok(DerivationHash { hash: impure_output_hash(), kind: HashKind::Deferred });
        }
        let floating = self.outputs.values().any(|output| matches!(output, DerivationOutput::Floating { .. }));
        let mut kind = if floating { HashKind::Deferred } else { HashKind::Regular };
        let mut inputs: PrintedInputs = BTreeMap::new();
        for (drv_path, outputs) in &self.input_drvs {
            let input = input_hash(drv_path)?;
            if input.kind == HashKind::Deferred {
                kind = HashKind::Deferred;
            }
            // Dynamic inputs do not count, as in the reference; what makes them has no path to be computed anyway.
            if !outputs.names.is_empty() {
                inputs.entry(input.hash.to_base16()).or_default().names.extend(outputs.names.iter().cloned());
            }
        }
        let text = print_with(self, dir, paths, &inputs);
        Ok(DerivationHash { hash: Hash::of(HashAlgo::Sha256, &text), kind })
    }
}
