//! The store's database inside the image.
//!
//! A fresh database filled in order has the same bytes each time, whether the closure was built or fetched.

use nix_formats::StorePath;
use store::{Durability, RegistrationTime, Store, StoreOptions};

use crate::ImageError;

/// The files of `/nix/var/nix/db`, by name.
pub(crate) fn files(store: &Store, closure: &[StorePath]) -> Result<Vec<(&'static str, Vec<u8>)>, ImageError> {
    let io = |action, path: &std::path::Path| {
        let path = path.to_owned();
        move |source| ImageError::Io { action, path, source }
    };
    let folder = tempfile::tempdir().map_err(io("create a folder in", &std::env::temp_dir()))?;
    let mut options = StoreOptions::new(folder.path());
    options.store_dir = store.dir().clone();
    options.registration_time = RegistrationTime::Fixed(1);
    options.durability = Durability::Throwaway;
    // Closing the store folds its log into the database.
    Store::open(options)?.register_as_in(store, closure)?;
    let db = folder.path().join("nix/var/nix/db");
    ["db.sqlite", "schema"]
        .into_iter()
        .map(|name| Ok((name, std::fs::read(db.join(name)).map_err(io("read", &db.join(name)))?)))
        .collect()
}
