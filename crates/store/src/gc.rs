//! Garbage collection: what no root needs is unregistered in one transaction and then deleted.
//!
//! A path whose files are half deleted is therefore never valid. What a virtual machine shares with its host stays: hiding
//! it frees nothing, and a later system may need it. Derivers of live paths stay, as with Nix's default, so
//! that `why` and rebuilding work; outputs of live derivations do not. The trees of dead views go with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix_formats::{HashPart, StorePath};

use crate::layout::base_name_as_store_path;
use crate::locks::{FileLock, LockMode};
use crate::roots::{RootKind, remove_stale_links};
use crate::scratch::remove_tree;
use crate::{Context as _, Store, StoreError, schema, views};

/// What a collection shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcRequest {
    /// Only say what is dead.
    ListDead,
    /// Delete it.
    Delete,
}

/// A path that nothing needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadPath {
    /// The path.
    pub path: StorePath,
    /// Its NAR's size, about what deleting it frees; less when its files are shared.
    pub nar_size_bytes: u64,
}

/// What a collection found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Dead valid paths, sorted; deleted if that was asked for.
    pub dead: Vec<DeadPath>,
    /// Files and folders in the store folder that are not valid paths (remains of interrupted writes), sorted.
    pub remains: Vec<String>,
    /// Trees of views that are dead, sorted (see `Layout::views`).
    pub views: Vec<String>,
    /// What deleting freed on disk; zero when only listing.
    pub freed_bytes: u64,
}

impl Store {
    /// Finds, and if asked deletes, what no root needs. Waits for builds to let go of gc.lock.
    ///
    /// Errors when roots cannot be read or something cannot be deleted; what was deleted until then is unregistered.
    pub fn collect_garbage(&self, request: GcRequest) -> Result<GcReport, StoreError> {
        let _lock = match request {
            GcRequest::ListDead => None,
            GcRequest::Delete => {
                self.require_writable()?;
                schema::release_reserved_space(self.layout())?;
                let lock = FileLock::wait(&self.layout().gc_lock(), LockMode::Exclusive)?;
                remove_stale_links(self.layout())?;
                Some(lock)
            }
        };
        let graph = self.database().graph()?;
        let (live, temporary) = self.live_paths(&graph)?;
        let mut report = GcReport::default();
        for path in graph.keys().filter(|path| !live.contains(*path)) {
            let nar_size_bytes = self.info(path)?.nar.size_bytes;
            report.dead.push(DeadPath { path: path.clone(), nar_size_bytes });
        }
        report.remains = self.find_remains(&graph, &temporary)?;
        let kept = live.iter().map(StorePath::hash_part).chain(temporary.iter().copied()).collect();
        report.views = views::find_dead(self.layout(), &kept)?;
        if request == GcRequest::Delete {
            self.database().unregister(report.dead.iter().map(|dead| &dead.path))?;
            let dead = report.dead.iter().map(|dead| dead.path.base_name());
            for name in dead.chain(report.remains.iter().map(String::as_str)) {
                let place = self.layout().physical_store().join(name);
                report.freed_bytes += disk_usage(&place)?;
                remove_tree(&place)?;
            }
            // After the paths whose files they share: whoever holds the last name of a file frees it.
            for name in &report.views {
                let place = self.layout().views().join(name);
                report.freed_bytes += disk_usage(&place)?;
                remove_tree(&place)?;
            }
            report.freed_bytes += self.remove_unused_links()?;
        }
        Ok(report)
    }

    /// The live valid paths, and the hash parts that running processes protect whether valid or not.
    fn live_paths(
        &self,
        graph: &BTreeMap<StorePath, BTreeSet<StorePath>>,
    ) -> Result<(BTreeSet<StorePath>, BTreeSet<HashPart>), StoreError> {
        let mut queue = Vec::new();
        let mut temporary = BTreeSet::new();
        for root in self.find_roots()? {
            if root.kind == RootKind::Temporary {
                temporary.insert(root.path.hash_part());
            }
            queue.push(root.path);
        }
        // Nix compares temporary roots by hash part, so that lock files and the like count as well.
        queue.extend(graph.keys().filter(|path| temporary.contains(&path.hash_part())).cloned());
        let shared = |path: &&StorePath| self.layout().is_shared(path.base_name());
        queue.extend(graph.keys().filter(shared).cloned());
        let database = self.database();
        let mut live = BTreeSet::new();
        while let Some(path) = queue.pop() {
            let Some(references) = graph.get(&path) else {
                continue;
            };
            if !live.insert(path.clone()) {
                continue;
            }
            queue.extend(references.iter().cloned());
            if let Some(deriver) = database.info(&path)?.and_then(|info| info.deriver) {
                queue.push(deriver);
            }
        }
        Ok((live, temporary))
    }

    fn find_remains(
        &self,
        graph: &BTreeMap<StorePath, BTreeSet<StorePath>>,
        temporary: &BTreeSet<HashPart>,
    ) -> Result<Vec<String>, StoreError> {
        let folder = self.layout().physical_store();
        let mut remains = Vec::new();
        for entry in std::fs::read_dir(folder).context("list", folder)? {
            let name = entry.context("list", folder)?.file_name();
            let Some(text) = name.to_str() else { continue };
            let is_remains = match base_name_as_store_path(&name) {
                Some(path) => !graph.contains_key(&path) && !temporary.contains(&path.hash_part()),
                None => text.starts_with("tmp-") && is_unlocked(&folder.join(&name))?,
            };
            if is_remains && !self.layout().is_shared(text) {
                remains.push(text.to_owned());
            }
        }
        remains.sort();
        Ok(remains)
    }

    /// Removes deduplicated files that no path uses any more.
    fn remove_unused_links(&self) -> Result<u64, StoreError> {
        let folder = self.layout().links();
        let mut freed_bytes = 0;
        for entry in std::fs::read_dir(&folder).context("list", &folder)? {
            let entry = entry.context("list", &folder)?;
            let metadata = entry.metadata().context("examine", &entry.path())?;
            if metadata.nlink() == 1 {
                std::fs::remove_file(entry.path()).context("remove", &entry.path())?;
                freed_bytes += metadata.blocks() * 512;
            }
        }
        Ok(freed_bytes)
    }
}

/// Whether a temporary folder's process is gone.
fn is_unlocked(path: &Path) -> Result<bool, StoreError> {
    let Ok(file) = File::open(path) else {
        return Ok(true);
    };
    Ok(FileLock::try_lock_file(file, path, LockMode::Exclusive)?.is_some())
}

/// What removing a tree frees: files with other hard links do not count.
fn disk_usage(path: &Path) -> Result<u64, StoreError> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        result => result.context("examine", path)?,
    };
    if !metadata.is_dir() {
        return Ok(if metadata.nlink() == 1 { metadata.blocks() * 512 } else { 0 });
    }
    let mut total = metadata.blocks() * 512;
    for entry in std::fs::read_dir(path).context("list", path)? {
        total += disk_usage(&entry.context("list", path)?.path())?;
    }
    Ok(total)
}
