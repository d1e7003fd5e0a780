//! A derivation's hash "modulo fixed outputs": what its output paths, and those of all that depend on it, are made of.
//!
//! Fixed outputs count by their contents alone, so changing how a file is fetched changes no path downstream. The
//! inputs' hashes come from the caller, who knows where derivations are and what to remember.

use std::borrow::Cow;
use std::ops::Range;

use super::aterm::{PrintedInput, print, print_inputs, print_with};
use super::{Derivation, DerivationOutput, impure_output_hash};
use crate::content_address::MakePathError;
use crate::hash::{Hash, HashAlgo, Hasher};
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
        input_hash: impl FnMut(&StorePath) -> Result<DerivationHash, E>,
    ) -> Result<DerivationHash, E> {
        if let Some(known) = self.known_hash(dir) {
            return Ok(known);
        }
        let (inputs, kind) = self.hashed_inputs(input_hash)?;
        let (text, _) = print_with(self, dir, paths, &inputs);
        Ok(DerivationHash { hash: Hash::of(HashAlgo::Sha256, &text), kind })
    }

    /// The hash of a derivation whose inputs do not count.
    fn known_hash(&self, dir: &StoreDir) -> Option<DerivationHash> {
        if let Some((path, address)) = self.fixed_output() {
            let text = format!(
                "fixed:out:{}{}:{}:{}",
                address.method.prefix(),
                address.hash.algo(),
                address.hash.to_base16(),
                dir.display(path),
            );
            return Some(DerivationHash { hash: Hash::of(HashAlgo::Sha256, text.as_bytes()), kind: HashKind::Regular });
        }
        if self.outputs.values().any(|output| matches!(output, DerivationOutput::Impure { .. })) {
            return Some(DerivationHash { hash: impure_output_hash(), kind: HashKind::Deferred });
        }
        None
    }

    /// The inputs by their hashes, and whether paths can be computed of that.
    fn hashed_inputs<E>(
        &self,
        mut input_hash: impl FnMut(&StorePath) -> Result<DerivationHash, E>,
    ) -> Result<(Vec<PrintedInput<'_>>, HashKind), E> {
        let floating = self.outputs.values().any(|output| matches!(output, DerivationOutput::Floating { .. }));
        let mut kind = if floating { HashKind::Deferred } else { HashKind::Regular };
        let mut inputs: Vec<PrintedInput<'_>> = Vec::with_capacity(self.input_drvs.len());
        for (drv_path, outputs) in &self.input_drvs {
            let input = input_hash(drv_path)?;
            if input.kind == HashKind::Deferred {
                kind = HashKind::Deferred;
            }
            // Dynamic inputs do not count, as in the reference; what makes them has no path to be computed anyway.
            if outputs.names.is_empty() {
                continue;
            }
            let outputs = match outputs.dynamic.is_empty() {
                true => Cow::Borrowed(outputs),
                false => Cow::Owned(outputs.names.clone().into()),
            };
            inputs.push((input.hash.to_base16(), outputs));
        }
        inputs.sort_by(|a, b| a.0.cmp(&b.0));
        // Inputs of the same hash are one, with the outputs of all.
        inputs.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1.to_mut().names.extend(later.1.names.iter().cloned());
            }
            same
        });
        Ok((inputs, kind))
    }

    /// What the `.drv` file says, for all that is computed from it.
    #[must_use]
    pub fn file(&self, dir: &StoreDir) -> DerivationFile {
        let (text, inputs) = print(self, dir);
        DerivationFile { text, references: self.references().into_iter().collect(), inputs }
    }
}

/// A `.drv` file. Large evaluations print many: each is printed once.
#[derive(Clone, Debug)]
pub struct DerivationFile {
    /// Its bytes.
    pub text: Vec<u8>,
    /// The store paths that it refers to, sorted.
    pub references: Vec<StorePath>,
    /// Where in the bytes the inputs stand.
    inputs: Range<usize>,
}

impl DerivationFile {
    /// The file's own store path; `name` is the derivation's.
    ///
    /// Errors when the name is not allowed.
    pub fn path(&self, dir: &StoreDir, name: &str) -> Result<StorePath, MakePathError> {
        dir.make_text_path(&format!("{name}.drv"), &self.text, self.references.iter().cloned().collect())
    }

    /// [`Derivation::hash_modulo`] with output paths, of the derivation that this is the file of.
    ///
    /// Errors as `input_hash` does.
    pub fn hash_modulo<E>(
        &self,
        derivation: &Derivation,
        dir: &StoreDir,
        input_hash: impl FnMut(&StorePath) -> Result<DerivationHash, E>,
    ) -> Result<DerivationHash, E> {
        if let Some(known) = derivation.known_hash(dir) {
            return Ok(known);
        }
        let (inputs, kind) = derivation.hashed_inputs(input_hash)?;
        let mut printed = Vec::with_capacity(self.inputs.len());
        print_inputs(&mut printed, &inputs);
        let mut hasher = Hasher::new(HashAlgo::Sha256);
        hasher.update(&self.text[..self.inputs.start]);
        hasher.update(&printed);
        hasher.update(&self.text[self.inputs.end..]);
        Ok(DerivationHash { hash: hasher.finish(), kind })
    }
}
