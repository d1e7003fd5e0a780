//! Views of build sandboxes and unprivileged shells: a tree of hard links per `builtin:view` output, kept in the state
//! directory `views/` and made on first use (see [`crate::view::hardlinks`]).

use std::path::PathBuf;
use std::sync::Mutex;

use build::{BuiltinError, MaterialisedView, ViewError as ProviderFailure, ViewProvider};
use nix_formats::{StoreDir, StorePath};
use thiserror::Error;

use super::LoadedView;
use super::system_view::Layout;
use crate::location::StoreLocation;
use crate::view::hardlinks::{HardLinkError, make_tree};

/// Part of a tree's name, so that another layout by a later Esker makes another tree.
const LAYOUT: u32 = 1;

/// Makes hard-link trees.
pub struct HardLinkViews {
    dir: StoreDir,
    store: StoreLocation,
    views: PathBuf,
    /// One tree is made at a time: they are quick, and threads often want the same one.
    making: Mutex<()>,
}

/// Why a tree could not be made.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// The packages could not be loaded, or do not go together.
    #[error(transparent)]
    Packages(#[from] BuiltinError),
    /// The tree could not be made.
    #[error(transparent)]
    Tree(#[from] HardLinkError),
    /// The directory of views could not be made.
    #[error("cannot make `{path}`")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl HardLinkViews {
    /// `physical` is where `dir` lies on disk, `views` the directory that holds the trees, on the same filesystem
    /// (`/nix/var/esker/views`). It is made when needed.
    #[must_use]
    pub fn new(dir: StoreDir, physical: PathBuf, views: PathBuf) -> Self {
        let store = StoreLocation { logical: dir.as_str().to_owned(), physical };
        HardLinkViews { dir, store, views, making: Mutex::new(()) }
    }

    fn make(&self, view: &StorePath) -> Result<PathBuf, ProviderError> {
        let tree = self.views.join(format!("{}-{LAYOUT}", view.hash_part()));
        let _making = self.making.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if tree.exists() {
            return Ok(tree);
        }
        std::fs::create_dir_all(&self.views)
            .map_err(|source| ProviderError::Directory { path: self.views.clone(), source })?;
        let loaded = LoadedView::load(self.store.clone(), &self.dir.display(view), &[], None)?;
        let (plan, _) = Layout::default().plan(&loaded)?;
        make_tree(&plan, &self.store, &tree)?;
        Ok(tree)
    }
}

impl ViewProvider for HardLinkViews {
    fn materialise(&self, view: &StorePath) -> Result<MaterialisedView, ProviderFailure> {
        let tree = self.make(view).map_err(|error| ProviderFailure { source: Box::new(error) })?;
        Ok(MaterialisedView { usr: tree.join("usr"), etc: Some(tree.join("etc")) })
    }
}
