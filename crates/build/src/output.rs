//! From what a builder made to a path that can be registered: canonical metadata, references, hashes, checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix_formats::nar::NarWriter;
use nix_formats::{
    ContentAddress, ContentAddressMethod, Derivation, DerivationOutput, Hash, HashAlgo, HashPart, Hasher, StorePath,
};
use store::{NarDigest, PathInfo};

use crate::builtin::References;
use crate::error::{Context as _, FailureReason};

/// One output to examine.
pub(crate) struct FinishedOutput<'o> {
    pub(crate) drv_path: &'o StorePath,
    pub(crate) derivation: &'o Derivation,
    /// The output's name.
    pub(crate) name: &'o str,
    /// The tree the builder made.
    pub(crate) tree: &'o Path,
    /// How references are found.
    pub(crate) references: &'o References,
    /// What it may refer to: the inputs' closure and the derivation's own outputs.
    pub(crate) candidates: &'o BTreeSet<StorePath>,
}

impl FinishedOutput<'_> {
    /// Makes the tree canonical and finds out all about it.
    pub(crate) fn examine(&self) -> Result<PathInfo, FailureReason> {
        let Some(output) = self.derivation.outputs.get(self.name) else {
            return Err(self.missing());
        };
        if self.tree.symlink_metadata().is_err() {
            return Err(self.missing());
        }
        let path = output.path().ok_or_else(|| self.missing())?;
        store::canonicalise(self.tree)?;
        let (nar, references) = self.scan()?;
        let mut info = PathInfo::new(path.clone(), nar);
        info.references = references;
        info.deriver = Some(self.drv_path.clone());
        info.ultimate = true;
        if let DerivationOutput::Fixed { address, .. } = output {
            self.check_fixed(&info, address)?;
            info.content_address = Some(*address);
        }
        Ok(info)
    }

    fn missing(&self) -> FailureReason {
        FailureReason::MissingOutput { output: self.name.to_owned() }
    }

    fn scan(&self) -> Result<(NarDigest, BTreeSet<StorePath>), FailureReason> {
        match self.references {
            References::None => Ok((store::digest_tree(self.tree)?, BTreeSet::new())),
            References::Exactly(references) => Ok((store::digest_tree(self.tree)?, references.clone())),
            References::Scan => {
                let by_part: BTreeMap<HashPart, &StorePath> =
                    self.candidates.iter().map(|path| (path.hash_part(), path)).collect();
                let (nar, found) = store::scan_tree(self.tree, by_part.keys().copied())?;
                Ok((nar, found.iter().filter_map(|part| by_part.get(part)).copied().cloned().collect()))
            }
        }
    }

    fn check_fixed(&self, info: &PathInfo, address: &ContentAddress) -> Result<(), FailureReason> {
        if !info.references.is_empty() {
            return Err(FailureReason::FixedOutputReferences {
                output: self.name.to_owned(),
                references: info.references.iter().cloned().collect(),
            });
        }
        let actual = match address.method {
            ContentAddressMethod::NixArchive if address.hash.algo() == HashAlgo::Sha256 => info.nar.hash,
            ContentAddressMethod::NixArchive => hash_nar(self.tree, address.hash.algo())?,
            _ => self.hash_flat(address.hash.algo())?,
        };
        if actual != address.hash {
            return Err(FailureReason::HashMismatch { expected: address.hash.to_sri(), actual: actual.to_sri() });
        }
        Ok(())
    }

    fn hash_flat(&self, algo: HashAlgo) -> Result<Hash, FailureReason> {
        let metadata = self.tree.symlink_metadata().context("examine", self.tree)?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 != 0 {
            return Err(FailureReason::NotAFlatFile { output: self.name.to_owned() });
        }
        let mut hasher = BufWriter::with_capacity(64 * 1024, Hasher::new(algo));
        let mut file = File::open(self.tree).context("open", self.tree)?;
        std::io::copy(&mut file, &mut hasher).context("read", self.tree)?;
        let hasher = hasher.into_inner().map_err(std::io::IntoInnerError::into_error).context("hash", self.tree)?;
        Ok(hasher.finish())
    }
}

fn hash_nar(tree: &Path, algo: HashAlgo) -> Result<Hash, FailureReason> {
    let sink = BufWriter::with_capacity(64 * 1024, Hasher::new(algo));
    let mut writer = NarWriter::new(sink).context("hash", tree)?;
    store::walk_tree(tree, &mut writer)?;
    let sink = writer.finish().context("hash", tree)?;
    Ok(sink.into_inner().map_err(std::io::IntoInnerError::into_error).context("hash", tree)?.finish())
}
