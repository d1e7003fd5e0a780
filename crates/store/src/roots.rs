//! Roots: what the collector must keep, and links that make roots.
//!
//! `gcroots/` and `profiles/` are searched for links. A link into the store is a root; a link elsewhere in `gcroots/auto`
//! names a person's `result` link, which is a root as long as it exists and points into the store. In a chroot store a
//! `result` link holds the physical path, which a real Nix does not recognise, so there a direct link in
//! `gcroots/results` repeats it in logical form; that one counts only together with the `result` link.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix_formats::{Hash, HashAlgo, StorePath};

use crate::layout::Layout;
use crate::{Context as _, Store, StoreError, processes, temp_roots};

/// Why a path is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// This link points to it.
    Link(PathBuf),
    /// This process uses it.
    Process(u32),
    /// A running build or evaluation needs it.
    Temporary,
}

/// A path that is kept, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// The path; not necessarily valid.
    pub path: StorePath,
    /// Why.
    pub kind: RootKind,
}

impl Store {
    /// All roots, sorted by path.
    ///
    /// Errors when the folders of roots cannot be read.
    pub fn find_roots(&self) -> Result<Vec<Root>, StoreError> {
        let mut roots: Vec<Root> = find_links(self.layout())?
            .into_iter()
            .map(|(link, found)| Root { path: found.path, kind: RootKind::Link(link) })
            .collect();
        let processes = processes::used_paths(self.layout());
        roots.extend(processes.into_iter().map(|(path, pid)| Root { path, kind: RootKind::Process(pid) }));
        let temporary = temp_roots::read_all(self.layout())?;
        roots.extend(temporary.into_iter().map(|path| Root { path, kind: RootKind::Temporary }));
        roots.sort();
        Ok(roots)
    }

    /// Makes `link` (anywhere) point to `target` and keeps `target` as long as the link does so. The link holds the
    /// physical path, so that a person can follow it.
    ///
    /// Errors when something that is no link stands there.
    pub fn add_result_link(&self, link: &Path, target: &StorePath) -> Result<(), StoreError> {
        self.require_writable()?;
        self.add_temp_roots([target])?;
        let link = std::path::absolute(link).context("find", link)?;
        if link.symlink_metadata().is_ok_and(|metadata| !metadata.is_symlink()) {
            return Err(StoreError::NotALink { path: link });
        }
        let name = Hash::of(HashAlgo::Sha1, link.as_os_str().as_bytes()).to_base32();
        if self.layout().is_chroot() {
            let results = results_folder(self.layout());
            std::fs::create_dir_all(&results).context("create folder", &results)?;
            replace_link(&results.join(&name), Path::new(&self.logical(target)))?;
        }
        // Repointing an old link before the root exists is safe: the temporary root above protects the target.
        replace_link(&link, &self.physical(target))?;
        replace_link(&self.layout().gc_roots().join("auto").join(&name), &link)
    }

    /// Keeps `target` under a fixed name in the folder of roots, until `remove_root`. The name may contain slashes.
    ///
    /// Errors when the link cannot be made.
    pub fn add_root(&self, name: &str, target: &StorePath) -> Result<(), StoreError> {
        self.require_writable()?;
        self.add_temp_roots([target])?;
        let link = self.layout().gc_roots().join(name);
        if let Some(folder) = link.parent() {
            std::fs::create_dir_all(folder).context("create folder", folder)?;
        }
        replace_link(&link, Path::new(&self.logical(target)))
    }

    /// Removes what `add_root` made; nothing happens when it is gone.
    ///
    /// Errors when the link cannot be removed.
    pub fn remove_root(&self, name: &str) -> Result<(), StoreError> {
        let link = self.layout().gc_roots().join(name);
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove", &link),
            _ => Ok(()),
        }
    }
}

fn results_folder(layout: &Layout) -> PathBuf {
    layout.gc_roots().join("results")
}

/// Makes or atomically repoints a symbolic link.
pub(crate) fn replace_link(link: &Path, target: &Path) -> Result<(), StoreError> {
    if std::fs::read_link(link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    let mut name = link.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = link.with_file_name(name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove", &temporary)?,
        _ => {}
    }
    symlink(target, &temporary).context("create link", &temporary)?;
    std::fs::rename(&temporary, link).context("create link", link)
}

/// A root found through a link.
pub(crate) struct LinkedRoot {
    pub(crate) path: StorePath,
}

/// Links that are roots, by the link's place.
fn find_links(layout: &Layout) -> Result<BTreeMap<PathBuf, LinkedRoot>, StoreError> {
    let mut roots = BTreeMap::new();
    let results = results_folder(layout);
    for folder in [layout.gc_roots(), layout.profiles()] {
        search(layout, &folder, &results, &mut roots)?;
    }
    Ok(roots)
}

fn search(
    layout: &Layout,
    folder: &Path,
    results: &Path,
    roots: &mut BTreeMap<PathBuf, LinkedRoot>,
) -> Result<(), StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.context("list", folder)?,
    };
    for entry in entries {
        let entry = entry.context("list", folder)?;
        let path = entry.path();
        let kind = entry.file_type().context("examine", &path)?;
        if kind.is_dir() {
            if path != results {
                search(layout, &path, results, roots)?;
            }
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&path).context("read link", &path)?;
            if let Some(store_path) = layout.store_path_of(&target) {
                roots.insert(path, LinkedRoot { path: store_path });
            } else if let Some((link, store_path)) = indirect(layout, &path, &target) {
                roots.insert(link, LinkedRoot { path: store_path });
            }
        } else if let Some(store_path) = crate::layout::base_name_as_store_path(&entry.file_name()) {
            // A plain file named like a store path is a root too, says Nix.
            roots.insert(path, LinkedRoot { path: store_path });
        }
    }
    Ok(())
}

/// The link that a link in `gcroots` names, if that one points into the store.
fn indirect(layout: &Layout, path: &Path, target: &Path) -> Option<(PathBuf, StorePath)> {
    let link = path.parent()?.join(target);
    let inner = std::fs::read_link(&link).ok()?;
    let absolute = link.parent()?.join(inner);
    Some((link, layout.store_path_of(&absolute)?))
}

/// Removes links in `gcroots/auto` whose `result` is gone, and the direct links that went with them or no longer agree.
/// Called by the collector.
pub(crate) fn remove_stale_links(layout: &Layout) -> Result<(), StoreError> {
    let auto = layout.gc_roots().join("auto");
    let results = results_folder(layout);
    for (folder, is_stale) in [
        (
            &auto,
            &(|link: &Path| link_behind(link).is_some_and(|target| target.symlink_metadata().is_err()))
                as &dyn Fn(&Path) -> bool,
        ),
        (&results, &|link: &Path| !agrees(layout, &auto, link)),
    ] {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.context("list", folder)?.path();
            if is_stale(&path) {
                std::fs::remove_file(&path).context("remove", &path)?;
            }
        }
    }
    Ok(())
}

fn link_behind(link: &Path) -> Option<PathBuf> {
    std::fs::read_link(link).ok()
}

/// Whether the direct link still says the same as the `result` link it accompanies.
fn agrees(layout: &Layout, auto: &Path, direct: &Path) -> bool {
    let said = link_behind(direct).and_then(|target| layout.store_path_of(&target));
    let result = direct.file_name().map(|name| auto.join(name)).and_then(|auto| link_behind(&auto));
    let meant = result.and_then(|link| link_behind(&link)).and_then(|target| layout.store_path_of(&target));
    said.is_some() && said == meant
}
