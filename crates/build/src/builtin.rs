//! Builders that run in process: the trait, what they get, and the registry.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;
use nix_formats::{Derivation, StoreDir, StorePath};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cancel::Cancellation;
use crate::log::BuildLog;
use crate::registrar::Registrar;

/// How an output's references are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum References {
    /// By searching the contents for the inputs' hash parts, as for any other build.
    Scan,
    /// The builder knows that there are none: nothing is searched.
    None,
    /// The builder knows them: nothing is searched.
    Exactly(BTreeSet<StorePath>),
}

/// A builder in process, for derivations with `builder = "builtin:<name>"`. A pure function of the derivation and the
/// contents of its inputs.
pub trait BuiltinBuilder: Send + Sync {
    /// The name, without `builtin:`.
    fn name(&self) -> &str;

    /// Makes every output at `context.output(name)`. Modes and times need no care, they are made canonical afterwards.
    ///
    /// Errors fail the derivation.
    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError>;
}

/// Why a builtin builder failed.
#[derive(Debug, thiserror::Error)]
pub enum BuiltinError {
    /// Its attributes are not what it needs.
    #[error("malformed attributes of `builtin:{builder}`")]
    Attributes {
        /// The builder.
        builder: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It asked for a path that is no input.
    #[error("`{path}` is not among the inputs of the derivation")]
    NotAnInput {
        /// The path.
        path: String,
    },
    /// The derivation does not have the output.
    #[error("the derivation has no output `{output}`")]
    NoOutput {
        /// The output.
        output: String,
    },
    /// A file operation failed.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The builder noticed the cancellation.
    #[error("it was cancelled")]
    Cancelled,
    /// The builder's own error.
    #[error(transparent)]
    Builder(Box<dyn std::error::Error + Send + Sync>),
}

impl BuiltinError {
    /// Wraps a builder's own error.
    #[must_use]
    pub fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Builder(Box::new(error))
    }
}

/// What a builtin builder gets.
pub struct BuiltinContext<'b> {
    pub(crate) drv_path: &'b StorePath,
    pub(crate) derivation: &'b Derivation,
    pub(crate) inputs: &'b BTreeSet<StorePath>,
    pub(crate) registrar: &'b Registrar<'b>,
    pub(crate) outputs: BTreeMap<String, PathBuf>,
    pub(crate) references: BTreeMap<String, References>,
    pub(crate) scratch: &'b store::Scratch,
    pub(crate) log: &'b BuildLog<'b>,
    pub(crate) cancellation: &'b Cancellation,
    pub(crate) closure: RefCell<Option<BTreeSet<StorePath>>>,
}

impl BuiltinContext<'_> {
    /// The derivation's store path.
    #[must_use]
    pub fn drv_path(&self) -> &StorePath {
        self.drv_path
    }

    /// The derivation.
    #[must_use]
    pub fn derivation(&self) -> &Derivation {
        self.derivation
    }

    /// The logical store folder.
    #[must_use]
    pub fn store_dir(&self) -> &StoreDir {
        self.registrar.store().dir()
    }

    /// The structured attributes; without them, the environment's variables as strings.
    ///
    /// Errors when `__json` is no JSON or a variable no UTF-8.
    pub fn attributes(&self) -> Result<Value, BuiltinError> {
        attributes_of(self.derivation)
            .map_err(|source| BuiltinError::Attributes { builder: self.builder_name(), source })
    }

    /// The structured attributes as a type of the builder's.
    ///
    /// Errors when they do not fit.
    pub fn parse_attributes<T: DeserializeOwned>(&self) -> Result<T, BuiltinError> {
        serde_json::from_value(self.attributes()?)
            .map_err(|source| BuiltinError::Attributes { builder: self.builder_name(), source })
    }

    fn builder_name(&self) -> String {
        let builder = self.derivation.builder.to_str_lossy();
        builder.strip_prefix("builtin:").unwrap_or(&builder).to_owned()
    }

    /// Where a logical path (`/nix/store/<hash>-<name>[/…]`) lies on disk.
    ///
    /// Errors when it is in no input of the derivation nor anything those refer to.
    pub fn physical(&self, logical: &str) -> Result<PathBuf, BuiltinError> {
        let store = self.registrar.store();
        match store.dir().split(logical) {
            Ok((path, rest)) if self.is_input(&path)? => {
                let base = store.physical(&path);
                Ok(if rest.is_empty() { base } else { base.join(rest.trim_start_matches('/')) })
            }
            _ => Err(BuiltinError::NotAnInput { path: logical.to_owned() }),
        }
    }

    /// Where an input lies on disk.
    ///
    /// Errors when it is no input, nor anything the inputs refer to.
    pub fn physical_path(&self, path: &StorePath) -> Result<PathBuf, BuiltinError> {
        self.physical(&self.store_dir().display(path))
    }

    fn is_input(&self, path: &StorePath) -> Result<bool, BuiltinError> {
        if self.inputs.contains(path) {
            return Ok(true);
        }
        let mut closure = self.closure.borrow_mut();
        if closure.is_none() {
            *closure = Some(self.registrar.closure(self.inputs)?);
        }
        Ok(closure.as_ref().is_some_and(|closure| closure.contains(path)))
    }

    /// What an input refers to directly.
    ///
    /// Errors when it is not valid.
    pub fn references_of(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, BuiltinError> {
        Ok(self.registrar.references(path)?)
    }

    /// The inputs and everything they refer to.
    ///
    /// Errors when the database cannot be read.
    pub fn input_closure(&self) -> Result<BTreeSet<StorePath>, BuiltinError> {
        Ok(self.registrar.closure(self.inputs)?)
    }

    /// Where to make an output; nothing exists there yet, its folder does.
    ///
    /// Errors when the derivation has no such output.
    pub fn output(&self, name: &str) -> Result<&Path, BuiltinError> {
        match self.outputs.get(name) {
            Some(path) => Ok(path),
            None => Err(BuiltinError::NoOutput { output: name.to_owned() }),
        }
    }

    /// The logical path that an output will have.
    ///
    /// Errors when the derivation has no such output.
    pub fn output_logical(&self, name: &str) -> Result<String, BuiltinError> {
        match self.derivation.outputs.get(name).and_then(|output| output.path()) {
            Some(path) => Ok(self.store_dir().display(path)),
            None => Err(BuiltinError::NoOutput { output: name.to_owned() }),
        }
    }

    /// Says how an output's references are found; without this call its contents are searched.
    pub fn set_references(&mut self, output: &str, references: References) {
        self.references.insert(output.to_owned(), references);
    }

    /// A fresh path for temporary files, on the store's filesystem, removed after the build.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.scratch.fresh()
    }

    /// Writes a line to the build's log.
    pub fn log(&self, line: &str) {
        self.log.line(line);
    }

    /// Whether the build should end with `BuiltinError::Cancelled` as soon as it can.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}

/// The structured attributes, or the environment as an object of strings.
pub(crate) fn attributes_of(derivation: &Derivation) -> Result<Value, serde_json::Error> {
    if let Some(json) = derivation.structured_attrs() {
        return serde_json::from_slice(json);
    }
    let variables = derivation.env.iter();
    Ok(Value::Object(
        variables.map(|(name, value)| (name.clone(), Value::String(value.to_str_lossy().into_owned()))).collect(),
    ))
}

/// The builtin builders of a program.
#[derive(Default)]
pub struct BuiltinRegistry {
    builders: BTreeMap<String, Box<dyn BuiltinBuilder>>,
}

impl BuiltinRegistry {
    /// A registry without builders. `builtin:fetchurl` always exists and need not be registered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a builder; one of the same name is replaced.
    pub fn register(&mut self, builder: Box<dyn BuiltinBuilder>) {
        self.builders.insert(builder.name().to_owned(), builder);
    }

    /// The builder of this name, without `builtin:`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn BuiltinBuilder> {
        self.builders.get(name).map(|builder| &**builder)
    }
}
