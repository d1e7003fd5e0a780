//! The store's database inside the image.
//!
//! A fresh database filled in order has the same bytes each time. What depends on how a path came about rather than on
//! what it is (when, by which derivation, who signed it) is left out: the same closure gives the same image whether it was
//! built or fetched.

use nix_formats::StorePath;
use store::{PathInfo, RegistrationTime, Store, StoreOptions};

use crate::ImageError;

/// The files of `/nix/var/nix/db`, by name.
pub(crate) fn files(store: &Store, closure: &[StorePath]) -> Result<Vec<(&'static str, Vec<u8>)>, ImageError> {
    let mut infos = Vec::new();
    for path in closure {
        let info = store.info(path)?;
        let registered = PathInfo {
            references: info.references,
            content_address: info.content_address,
            ..PathInfo::new(path.clone(), info.nar)
        };
        infos.push(registered);
    }
    let io = |action, path: &std::path::Path| {
        let path = path.to_owned();
        move |source| ImageError::Io { action, path, source }
    };
    let folder = tempfile::tempdir().map_err(io("create a folder in", &std::env::temp_dir()))?;
    let mut options = StoreOptions::new(folder.path());
    options.store_dir = store.dir().clone();
    options.registration_time = RegistrationTime::Fixed(1);
    // Closing the store folds its log into the database.
    Store::open(options)?.sync_and_register(&infos)?;
    let db = folder.path().join("nix/var/nix/db");
    ["db.sqlite", "schema"]
        .into_iter()
        .map(|name| Ok((name, std::fs::read(db.join(name)).map_err(io("read", &db.join(name)))?)))
        .collect()
}
