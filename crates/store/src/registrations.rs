//! Registering what another store holds: rows only, the contents come there by others. For the database of an image, and,
//! as a text, for that of a virtual machine that shares this store.
//!
//! The text is what `nix-store --dump-db` prints and `--load-db` reads: per path a line each of the path, its hash in base
//! 16, its size, its deriver (here always empty), the number of its references, and a line for each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nix_formats::{Hash, HashAlgo, StorePath};

use crate::database::Registration;
use crate::{NarDigest, PathInfo, Store, StoreError};

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

    /// What is registered about paths, in this order, for [`Self::load_registrations`] of another store.
    ///
    /// Errors when one is not valid.
    pub fn dump_registrations<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<String, StoreError> {
        let mut text = String::new();
        for path in paths {
            let info = self.info(path)?;
            let (hash, count) = (info.nar.hash.to_base16(), info.references.len());
            // Writing to a string cannot fail.
            let _ = write!(text, "{}\n{hash}\n{}\n\n{count}\n", self.logical(path), info.nar.size_bytes);
            for reference in &info.references {
                let _ = writeln!(text, "{}", self.logical(reference));
            }
        }
        Ok(text)
    }

    /// Registers what such a text says, as far as it is not registered, in one transaction. The contents must be here.
    ///
    /// Errors when the text is no such text, or a reference is neither in it nor valid here.
    pub fn load_registrations(&self, text: &str) -> Result<usize, StoreError> {
        self.require_writable()?;
        let mut lines = Lines { store: self, lines: text.lines().enumerate() };
        let mut infos = Vec::new();
        while let Some(info) = lines.next_info()? {
            infos.push(info);
        }
        let known = self.valid_among(infos.iter().map(|info| &info.path))?;
        infos.retain(|info| !known.contains(&info.path));
        let registrations: Vec<Registration<'_>> =
            infos.iter().map(|info| Registration { info, outputs: BTreeMap::new() }).collect();
        let time = self.registration_time();
        self.database().register(&registrations, time)?;
        Ok(registrations.len())
    }
}

/// The lines of such a text, and where they are.
struct Lines<'s, I> {
    store: &'s Store,
    lines: I,
}

impl<'t, I: Iterator<Item = (usize, &'t str)>> Lines<'_, I> {
    /// The next path; nothing at the end.
    fn next_info(&mut self) -> Result<Option<PathInfo>, StoreError> {
        let Some((index, path)) = self.lines.next() else {
            return Ok(None);
        };
        let path = self.path(index, path)?;
        let hash = self.parsed("a hash", |text| Hash::parse(text, Some(HashAlgo::Sha256)).ok())?;
        let size_bytes = self.parsed("a size", |text| text.parse().ok())?;
        self.parsed("a deriver or nothing", |_| Some(()))?;
        let count: usize = self.parsed("a number of references", |text| text.parse().ok())?;
        let store = self.store;
        let mut references = BTreeSet::new();
        for _ in 0..count {
            references.insert(self.parsed("a store path", |text| store.dir().parse(text).ok())?);
        }
        Ok(Some(PathInfo { references, ..PathInfo::new(path, NarDigest { hash, size_bytes }) }))
    }

    fn path(&self, index: usize, text: &str) -> Result<StorePath, StoreError> {
        let failed = |_| StoreError::Registration { line: index + 1, expected: "a store path" };
        self.store.dir().parse(text).map_err(failed)
    }

    fn parsed<T>(&mut self, expected: &'static str, parse: impl FnOnce(&'t str) -> Option<T>) -> Result<T, StoreError> {
        let (index, text) = self.lines.next().ok_or(StoreError::Registration { line: 0, expected })?;
        parse(text).ok_or(StoreError::Registration { line: index + 1, expected })
    }
}

#[cfg(test)]
mod tests {
    use nix_formats::StorePath;

    use crate::{Durability, Store, StoreError, StoreOptions};

    fn store(folder: &tempfile::TempDir) -> Store {
        let options = StoreOptions { durability: Durability::Throwaway, ..StoreOptions::new(folder.path()) };
        Store::open(options).unwrap()
    }

    fn two_paths(store: &Store) -> Vec<StorePath> {
        let inner = store.add_text("inner", b"x", Default::default()).unwrap();
        let outer = store.add_text("outer", store.logical(&inner).as_bytes(), [inner.clone()].into()).unwrap();
        vec![inner, outer]
    }

    #[test]
    fn another_store_knows_the_same_and_loads_it_once() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (source, target) = (store(&folders[0]), store(&folders[1]));
        let paths = two_paths(&source);
        let text = source.dump_registrations(&paths).unwrap();
        assert_eq!(target.load_registrations(&text).unwrap(), 2);
        assert_eq!(target.load_registrations(&text).unwrap(), 0);
        for path in &paths {
            let (known, given) = (target.info(path).unwrap(), source.info(path).unwrap());
            assert_eq!((known.nar, known.references), (given.nar, given.references));
        }
    }

    #[test]
    fn a_damaged_text_registers_nothing() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (source, target) = (store(&folders[0]), store(&folders[1]));
        let paths = two_paths(&source);
        let text = source.dump_registrations(&paths).unwrap();
        let cut = text.rsplit_once("\n/nix").unwrap().0;
        assert!(matches!(target.load_registrations(cut), Err(StoreError::Registration { line: 0, .. })));
        let garbled = text.replacen("\n1\n", "\none\n", 1);
        assert!(matches!(target.load_registrations(&garbled), Err(StoreError::Registration { .. })));
        assert!(target.all_valid().unwrap().is_empty());
    }
}
