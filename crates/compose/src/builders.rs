//! The builtin builders of this package, and the views of sandboxes. Each builder's attributes are a struct beside it: that
//! is the contract with the Nix code in `pkgs/` and `modules/`. All names are camelCase in JSON.

mod etc;
mod system_view;
mod tree;
mod unpack_deb;
mod view;
mod view_provider;

use std::path::{Path, PathBuf};

use build::{BuiltinBuilder, BuiltinContext, BuiltinError};

pub use etc::{EtcAttributes, EtcBuilder};
pub use system_view::{Layout, SystemViewAttributes, SystemViewBuilder};
pub use tree::{TreeAttributes, TreeBuilder, TreeEntry, TreeError};
pub use unpack_deb::{FormatError, UnpackDeb, UnpackDebAttributes};
pub use view::{TwoVersions, ViewAttributes, ViewBuilder, ViewFile, ViewPackage};
pub use view_provider::{HardLinkViews, ProviderError};

use crate::decisions::{PackageDecisions, UnhandledScript, apply, parse_decisions};
use crate::location::StoreLocation;
use crate::package::{Overlay, Package};

/// Every builtin builder of this package.
#[must_use]
pub fn builders() -> Vec<Box<dyn BuiltinBuilder>> {
    vec![
        Box::new(UnpackDeb),
        Box::new(TreeBuilder),
        Box::new(ViewBuilder),
        Box::new(SystemViewBuilder),
        Box::new(EtcBuilder),
    ]
}

/// Where the store lies, as far as the inputs of this derivation tell.
fn location(context: &BuiltinContext<'_>, input: &str) -> Result<StoreLocation, BuiltinError> {
    let logical = context.store_dir().as_str().to_owned();
    let base = input.strip_prefix(&logical).and_then(|path| path[1..].split('/').next()).unwrap_or_default();
    let physical = context.physical(&format!("{logical}/{base}"))?;
    Ok(StoreLocation { physical: physical.parent().map(PathBuf::from).unwrap_or_default(), logical })
}

/// The packages of a view, with the effects of their scripts.
struct LoadedView {
    store: StoreLocation,
    packages: Vec<Package>,
    overlays: Vec<Overlay>,
    unhandled: Vec<UnhandledScript>,
}

impl LoadedView {
    /// Loads a `builtin:view` output, overlays, and decisions (a directory of .toml files).
    fn load(
        store: StoreLocation,
        view: &str,
        overlays: &[String],
        decisions: Option<&str>,
    ) -> Result<Self, BuiltinError> {
        let file = ViewFile::load(&store, view)?;
        let mut packages = Vec::with_capacity(file.packages.len());
        for package in &file.packages {
            packages.push(Package::load(&store, &package.path).map_err(BuiltinError::new)?);
        }
        let overlays = overlays.iter().map(|path| Overlay::load(&store, path)).collect::<Result<_, _>>();
        let overlays = overlays.map_err(BuiltinError::new)?;
        let decisions = match decisions.or(file.decisions.as_deref()) {
            Some(directory) => load_decisions(&store.physical(directory).map_err(BuiltinError::new)?)?,
            None => Vec::new(),
        };
        let unhandled = apply(&mut packages, &decisions);
        Ok(LoadedView { store, packages, overlays, unhandled })
    }
}

fn load_decisions(directory: &Path) -> Result<Vec<PackageDecisions>, BuiltinError> {
    let listing = std::fs::read_dir(directory).map_err(io_error("list", directory))?;
    let mut paths = Vec::new();
    for entry in listing {
        let path = entry.map_err(io_error("list", directory))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut decisions = Vec::with_capacity(paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(io_error("read", &path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        decisions.push(parse_decisions(&name, &text).map_err(BuiltinError::new)?);
    }
    Ok(decisions)
}

fn io_error<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> BuiltinError + use<'p> {
    move |source| BuiltinError::Io { action, path: path.to_owned(), source }
}
