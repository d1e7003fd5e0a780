//! `builtin:view`: which packages are seen together, and the graph of their dependencies (`view.json`).

use std::collections::BTreeMap;

use build::{BuiltinBuilder, BuiltinContext, BuiltinError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{io_error, location};
use crate::location::StoreLocation;
use crate::package::Package;

/// Attributes of `builtin:view`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewAttributes {
    /// Package paths, dependencies first. Plain trees (results of source builds) may be among them.
    pub packages: Vec<String>,
    /// Package name → names of the packages that satisfy its dependencies.
    #[serde(default)]
    pub graph: BTreeMap<String, Vec<String>>,
    /// A directory of decisions about maintainer scripts, for whoever lays the view out and names none of its own.
    pub decisions: Option<String>,
}

/// `view.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewFile {
    /// 1.
    pub version: u32,
    /// In unpack order.
    pub packages: Vec<ViewPackage>,
    /// As in [`ViewAttributes::graph`].
    pub graph: BTreeMap<String, Vec<String>>,
    /// As in [`ViewAttributes::decisions`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<String>,
}

/// A package of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewPackage {
    /// The Debian package's name, or a plain tree's.
    pub name: String,
    /// The Debian version; empty for a plain tree.
    pub version: String,
    /// The logical store path.
    pub path: String,
}

/// A view cannot hold two versions of one package.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the view would hold two versions of `{name}`: {first}{}, and {second}\nhint: run one of them in a view of its own",
    needed_by(referrers)
)]
pub struct TwoVersions {
    /// The package.
    pub name: String,
    /// The version that comes first.
    pub first: String,
    /// The other version.
    pub second: String,
    /// Names of packages that need it.
    pub referrers: Vec<String>,
}

fn needed_by(referrers: &[String]) -> String {
    if referrers.is_empty() { String::new() } else { format!(" (needed by {})", referrers.join(", ")) }
}

impl ViewFile {
    /// Reads `view.json` of a `builtin:view` output.
    pub(crate) fn load(store: &StoreLocation, view: &str) -> Result<Self, BuiltinError> {
        let path = store.physical(&format!("{view}/view.json")).map_err(BuiltinError::new)?;
        let text = std::fs::read_to_string(&path).map_err(io_error("read", &path))?;
        serde_json::from_str(&text).map_err(BuiltinError::new)
    }
}

/// The builder.
pub struct ViewBuilder;

impl BuiltinBuilder for ViewBuilder {
    fn name(&self) -> &str {
        "view"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let attributes: ViewAttributes = context.parse_attributes()?;
        let mut packages: Vec<ViewPackage> = Vec::with_capacity(attributes.packages.len());
        for path in &attributes.packages {
            let store = location(context, path)?;
            let (name, version) = Package::load_identity(&store, path).map_err(BuiltinError::new)?;
            if let Some(other) = packages.iter().find(|other| other.name == name && other.path != *path) {
                let mut referrers: Vec<String> = attributes
                    .graph
                    .iter()
                    .filter(|(_, needs)| needs.contains(&name))
                    .map(|(by, _)| by.clone())
                    .collect();
                referrers.sort();
                let (first, second) = (other.version.clone(), version);
                return Err(BuiltinError::new(TwoVersions { name, first, second, referrers }));
            }
            packages.push(ViewPackage { name, version, path: path.clone() });
        }
        let file = ViewFile { version: 1, packages, graph: attributes.graph, decisions: attributes.decisions };
        let output = context.output("out")?;
        std::fs::create_dir(output).map_err(io_error("make", output))?;
        let path = output.join("view.json");
        let mut text = serde_json::to_string_pretty(&file).map_err(BuiltinError::new)?;
        text.push('\n');
        std::fs::write(&path, text).map_err(io_error("write", &path))
    }
}
