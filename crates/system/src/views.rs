//! Views on disk for programs that run here: the trees that builds see as /usr, and QEMU's.

use std::path::PathBuf;

use build::ViewProvider;
use compose::builders::HardLinkViews;
use nix_formats::StorePath;
use store::Store;

use crate::{Session, SystemError};

/// Makes the trees of a store, beside it, so that they can share its files.
pub(crate) fn provider(store: &Store) -> HardLinkViews {
    let layout = store.layout();
    HardLinkViews::new(layout.store_dir().clone(), layout.physical_store().to_owned(), layout.views())
}

impl Session {
    /// The /usr of a view that was built, as a folder of this host. It stays while this process lives, or shows it to
    /// another by a mount.
    ///
    /// Errors when the tree cannot be made.
    pub fn materialise(&self, view: &StorePath) -> Result<PathBuf, SystemError> {
        self.store().add_temp_roots([view])?;
        let made = provider(self.store()).materialise(view).map_err(|error| SystemError::Build(Box::new(error)))?;
        Ok(made.usr)
    }
}
