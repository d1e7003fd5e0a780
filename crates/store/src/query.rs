//! Questions about valid paths.

use std::collections::{BTreeMap, BTreeSet};

use nix_formats::{Derivation, HashPart, StorePath};

use crate::{Context as _, PathInfo, Store, StoreError};

impl Store {
    /// Whether a path is registered.
    ///
    /// Errors when the database cannot be read; so do all questions here.
    pub fn is_valid(&self, path: &StorePath) -> Result<bool, StoreError> {
        self.database().is_valid(path)
    }

    /// Those of the paths that are registered.
    ///
    /// Errors when the database cannot be read.
    pub fn valid_among<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        let database = self.database();
        let mut valid = BTreeSet::new();
        for path in paths {
            if database.is_valid(path)? {
                valid.insert(path.clone());
            }
        }
        Ok(valid)
    }

    /// What is registered about a path; `None` when it is not.
    ///
    /// Errors when the database cannot be read.
    pub fn find_info(&self, path: &StorePath) -> Result<Option<PathInfo>, StoreError> {
        self.database().info(path)
    }

    /// What is registered about a valid path.
    ///
    /// Errors when the path is not valid.
    pub fn info(&self, path: &StorePath) -> Result<PathInfo, StoreError> {
        self.find_info(path)?.ok_or_else(|| StoreError::NotValid { path: path.clone() })
    }

    /// Direct references, itself included if it refers to itself; empty for an invalid path.
    ///
    /// Errors when the database cannot be read.
    pub fn references(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.database().references(path)
    }

    /// The valid paths that refer to this one directly.
    ///
    /// Errors when the database cannot be read.
    pub fn referrers(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.database().referrers(path)
    }

    /// The valid derivations that have this path among their outputs.
    ///
    /// Errors when the database cannot be read.
    pub fn valid_derivers(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.database().valid_derivers(path)
    }

    /// The outputs of a valid derivation by name, as far as their paths are known.
    ///
    /// Errors when the database cannot be read.
    pub fn derivation_outputs(&self, drv: &StorePath) -> Result<BTreeMap<String, StorePath>, StoreError> {
        self.database().derivation_outputs(drv)
    }

    /// The roots and everything they refer to, directly or not.
    ///
    /// Errors when a root is not valid.
    pub fn closure<'p>(
        &self,
        roots: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<BTreeSet<StorePath>, StoreError> {
        let database = self.database();
        let mut closure = BTreeSet::new();
        let mut queue = Vec::new();
        for root in roots {
            if !database.is_valid(root)? {
                return Err(StoreError::NotValid { path: root.clone() });
            }
            if closure.insert(root.clone()) {
                queue.push(root.clone());
            }
        }
        while let Some(path) = queue.pop() {
            for reference in database.references(&path)? {
                if closure.insert(reference.clone()) {
                    queue.push(reference);
                }
            }
        }
        Ok(closure)
    }

    /// The closure in an order in which each path comes after its references (itself aside); ties by name.
    ///
    /// Errors when a root is not valid.
    pub fn closure_in_order<'p>(
        &self,
        roots: impl IntoIterator<Item = &'p StorePath>,
    ) -> Result<Vec<StorePath>, StoreError> {
        let closure = self.closure(roots)?;
        let database = self.database();
        let mut done = BTreeSet::new();
        let mut order = Vec::with_capacity(closure.len());
        for root in closure {
            // Each entry is a path and the references still to visit; a path is complete when none is left.
            let mut stack = vec![(root.clone(), database.references(&root)?)];
            if !done.insert(root) {
                continue;
            }
            while let Some((path, left)) = stack.last_mut() {
                match left.pop_first() {
                    Some(next) if done.insert(next.clone()) => {
                        let references = database.references(&next)?;
                        stack.push((next, references));
                    }
                    Some(_) => {}
                    None => {
                        order.push(path.clone());
                        stack.pop();
                    }
                }
            }
        }
        Ok(order)
    }

    /// All valid paths.
    ///
    /// Errors when the database cannot be read.
    pub fn all_valid(&self) -> Result<BTreeSet<StorePath>, StoreError> {
        self.database().all_valid()
    }

    /// The valid path with this hash part.
    ///
    /// Errors when the database cannot be read.
    pub fn path_from_hash_part(&self, hash_part: &HashPart) -> Result<Option<StorePath>, StoreError> {
        self.database().path_from_hash_part(&hash_part.to_string())
    }

    /// Reads a derivation's file, valid or only just written.
    ///
    /// Errors when it is absent or malformed.
    pub fn read_derivation(&self, drv: &StorePath) -> Result<Derivation, StoreError> {
        let file = self.physical(drv);
        let bytes = std::fs::read(&file).context("read derivation", &file)?;
        Derivation::parse(drv.derivation_name(), &bytes, self.dir())
            .map_err(|source| StoreError::Derivation { path: drv.clone(), source })
    }
}
