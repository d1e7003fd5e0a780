//! Derivations: what to build, from what, and which store paths come out.
//!
//! The value here is exactly what a `.drv` file says. `aterm` reads and writes the file's bytes, `modulo` computes the
//! hash that input-addressed output paths are made of. Nothing here builds or looks into a store.

mod aterm;
mod modulo;

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;

pub use aterm::ParseError;
pub use modulo::{DerivationFile, DerivationHash, HashKind, OutputPaths};

use crate::content_address::{ContentAddress, ContentAddressMethod, MakePathError, ReferenceSet};
use crate::hash::{Hash, HashAlgo};
use crate::store_path::{StoreDir, StorePath, StorePathError, output_path_name};

/// One output of a derivation, by how its path comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DerivationOutput {
    /// The path follows from the derivation itself.
    InputAddressed {
        /// The output's path.
        path: StorePath,
    },
    /// The contents' hash is declared, and the path follows from it (`outputHash`).
    Fixed {
        /// The output's path.
        path: StorePath,
        /// The declared contents.
        address: ContentAddress,
    },
    /// The path follows from the contents, known once built (`__contentAddressed`).
    Floating {
        /// How the contents will be hashed.
        method: ContentAddressMethod,
        /// With which algorithm.
        algo: HashAlgo,
    },
    /// Input-addressed, but some input's path is not known yet.
    Deferred,
    /// As `Floating`, and built anew each time (`__impure`).
    Impure {
        /// How the contents will be hashed.
        method: ContentAddressMethod,
        /// With which algorithm.
        algo: HashAlgo,
    },
}

impl DerivationOutput {
    /// A fixed output; its path is computed from the derivation's name and the declared contents.
    ///
    /// Errors when the name is not allowed.
    pub fn fixed(dir: &StoreDir, drv_name: &str, output: &str, address: ContentAddress) -> Result<Self, MakePathError> {
        let name = output_path_name(drv_name, output);
        let path = dir.make_content_path(&name, &address, &ReferenceSet::default())?;
        Ok(Self::Fixed { path, address })
    }

    /// The path, when it is known before building.
    #[must_use]
    pub fn path(&self) -> Option<&StorePath> {
        match self {
            Self::InputAddressed { path } | Self::Fixed { path, .. } => Some(path),
            Self::Floating { .. } | Self::Deferred | Self::Impure { .. } => None,
        }
    }
}

/// What is needed of a derivation that is an input. An output that is itself a derivation file has its own entry in
/// `dynamic`, which says what is needed of that (dynamic derivations).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputOutputs {
    /// Names of the outputs needed as they are; may be empty when only `dynamic` has some.
    pub names: BTreeSet<String>,
    /// By the output that is a derivation file: what is needed of the derivation in it. Mostly empty.
    pub dynamic: BTreeMap<String, InputOutputs>,
}

impl InputOutputs {
    /// The entry at the end of a chain of outputs that are derivation files, made where it is missing.
    pub fn at<'n>(&mut self, chain: impl IntoIterator<Item = &'n str>) -> &mut Self {
        chain.into_iter().fold(self, |input, made| input.dynamic.entry(made.to_owned()).or_default())
    }
}

impl From<BTreeSet<String>> for InputOutputs {
    fn from(names: BTreeSet<String>) -> Self {
        InputOutputs { names, dynamic: BTreeMap::new() }
    }
}

/// A derivation, as its `.drv` file has it. Strings that a program gets are bytes; names are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The name, without `.drv`. It stands in the file's name, not in the file.
    pub name: String,
    /// Outputs by name.
    pub outputs: BTreeMap<String, DerivationOutput>,
    /// Derivations needed, each with the outputs needed.
    pub input_drvs: BTreeMap<StorePath, InputOutputs>,
    /// Store paths needed that no derivation makes.
    pub input_srcs: BTreeSet<StorePath>,
    /// The platform, such as `x86_64-linux` or `builtin`.
    pub system: BString,
    /// The program, or `builtin:NAME`.
    pub builder: BString,
    /// The program's arguments.
    pub args: Vec<BString>,
    /// The program's environment.
    pub env: BTreeMap<String, BString>,
}

impl Derivation {
    /// Parses a `.drv` file's bytes; `name` is the file's store path name without `.drv`.
    ///
    /// Errors with the offset of the first byte that does not belong there.
    pub fn parse(name: &str, bytes: &[u8], dir: &StoreDir) -> Result<Self, ParseError> {
        aterm::parse(name, bytes, dir)
    }

    /// The `.drv` file's bytes.
    #[must_use]
    pub fn to_aterm(&self, dir: &StoreDir) -> Vec<u8> {
        aterm::print(self, dir).0
    }

    /// Whether some input is an output of a derivation that another derivation makes.
    #[must_use]
    pub fn has_dynamic_inputs(&self) -> bool {
        self.input_drvs.values().any(|input| !input.dynamic.is_empty())
    }

    /// Every store path the `.drv` file refers to.
    #[must_use]
    pub fn references(&self) -> BTreeSet<StorePath> {
        self.input_srcs.iter().chain(self.input_drvs.keys()).cloned().collect()
    }

    /// The `.drv` file's own store path.
    ///
    /// Errors when the name is not allowed.
    pub fn drv_path(&self, dir: &StoreDir) -> Result<StorePath, MakePathError> {
        dir.make_text_path(&format!("{}.drv", self.name), &self.to_aterm(dir), self.references())
    }

    /// The declared contents, when this is a fixed-output derivation.
    #[must_use]
    pub fn fixed_output(&self) -> Option<(&StorePath, &ContentAddress)> {
        match (self.outputs.len(), self.outputs.get("out")) {
            (1, Some(DerivationOutput::Fixed { path, address })) => Some((path, address)),
            _ => None,
        }
    }

    /// The JSON text of structured attributes, when the derivation has them.
    #[must_use]
    pub fn structured_attrs(&self) -> Option<&BString> {
        self.env.get("__json")
    }

    /// Gives every deferred output the path that `hash` determines, in `outputs` and, under the output's name, in
    /// `env` (not with structured attributes, which learn their outputs elsewhere). A deferred hash changes nothing.
    ///
    /// Errors when a resulting name is not allowed.
    pub fn fill_deferred_outputs(&mut self, dir: &StoreDir, hash: &DerivationHash) -> Result<(), StorePathError> {
        if hash.kind == HashKind::Deferred {
            return Ok(());
        }
        let structured = self.env.contains_key("__json");
        for (name, output) in &mut self.outputs {
            if *output != DerivationOutput::Deferred {
                continue;
            }
            let path = dir.make_output_path(name, &hash.hash, &self.name)?;
            if !structured || self.env.contains_key(name) {
                self.env.insert(name.clone(), dir.display(&path).into());
            }
            *output = DerivationOutput::InputAddressed { path };
        }
        Ok(())
    }
}

/// The hash that stands for an impure derivation as an input.
pub(crate) fn impure_output_hash() -> Hash {
    Hash::of(HashAlgo::Sha256, b"impure")
}
