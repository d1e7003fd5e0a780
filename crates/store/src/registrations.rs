//! Registering what another store holds, for the database of an image: rows only, the contents are copied by others.

use std::collections::BTreeMap;

use nix_formats::StorePath;

use crate::database::Registration;
use crate::{PathInfo, Store, StoreError};

impl Store {
    /// Registers paths as `source` knows them, in this order, so that a fresh database has the same bytes each time. What
    /// depends on how a path came about rather than on what it is (when, by which derivation, who signed it) is left out.
    /// The contents need not be here, and nothing of them is synced.
    ///
    /// Errors when a path is not valid in `source`, or refers to one that is neither among them nor valid here.
    pub fn register_as_in(&self, source: &Self, paths: &[StorePath]) -> Result<(), StoreError> {
        self.require_writable()?;
        let mut rows = Vec::new();
        for path in paths {
            let known = source.info(path)?;
            let info = PathInfo {
                references: known.references,
                content_address: known.content_address,
                ..PathInfo::new(path.clone(), known.nar)
            };
            let outputs = if path.is_derivation() { source.derivation_outputs(path)? } else { BTreeMap::new() };
            rows.push((info, outputs));
        }
        let registrations: Vec<Registration<'_>> =
            rows.iter().map(|(info, outputs)| Registration { info, outputs: outputs.clone() }).collect();
        let time = self.registration_time();
        self.database().register(&registrations, time)
    }
}
