//! What stands in /etc at the paths that the old and the new generation declare. Reads only.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::manifest::{EtcKind, EtcManifest, EtcRecord, ancestors};
use crate::root::{Ownership, Root, read_if_present};

/// What one path of /etc is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, or its directory is not a directory.
    Absent,
    /// A link with this target.
    Link(PathBuf),
    /// A regular file; whether its content is that of the old and of the new generation's copy.
    File {
        /// Same content as the copy that the last activation made.
        is_old_copy: bool,
        /// Same content as the copy that the new generation asks for.
        is_new_copy: bool,
        /// Mode and owner.
        ownership: Ownership,
    },
    /// A directory.
    Directory(Ownership),
    /// A socket, fifo or device.
    Special,
}

/// Everything that planning /etc needs to know of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedEtc {
    /// Each path of the old and the new manifest.
    pub(crate) found: BTreeMap<String, Found>,
    /// Paths that exist and are copies in both manifests, with the same content in both.
    pub(crate) same_copies: std::collections::BTreeSet<String>,
}

/// Looks at /etc. `static_etc` is the target path of the new generation's tree.
/// Errors when something exists and cannot be read.
pub fn observe(root: &Root, old: &EtcRecord, new: &EtcManifest, static_etc: &Path) -> io::Result<ObservedEtc> {
    let etc = root.path("/etc");
    let old_copies = Copies { root, tree: &old.static_etc, manifest: &old.manifest };
    let new_copies = Copies { root, tree: static_etc, manifest: new };
    let old_kinds = old_copies.kinds();
    let new_kinds = new_copies.kinds();
    let mut directories = BTreeMap::new();
    let mut observed = ObservedEtc::default();
    let mut paths: Vec<&str> = old_kinds.keys().chain(new_kinds.keys()).copied().collect();
    paths.extend(old.manifest.implied_directories());
    paths.extend(new.implied_directories());
    for path in paths {
        if observed.found.contains_key(path) {
            continue;
        }
        let place = etc.join(path);
        let metadata = match real_parent(&etc, path, &mut directories)? {
            true => metadata_if_present(&place)?,
            false => None,
        };
        // At boot /etc is empty: no copy has to be read only to be compared with nothing.
        let Some(metadata) = metadata else {
            observed.found.insert(path.to_owned(), Found::Absent);
            continue;
        };
        let wanted_old = old_copies.content(path, &old_kinds)?;
        let wanted_new = new_copies.content(path, &new_kinds)?;
        if wanted_old.is_some() && wanted_old == wanted_new {
            observed.same_copies.insert(path.to_owned());
        }
        let found = look(&place, &metadata, wanted_old.as_deref(), wanted_new.as_deref())?;
        observed.found.insert(path.to_owned(), found);
    }
    Ok(observed)
}

/// The copies of one generation.
struct Copies<'a> {
    root: &'a Root,
    /// Target path of its tree.
    tree: &'a Path,
    manifest: &'a EtcManifest,
}

impl Copies<'_> {
    fn kinds(&self) -> BTreeMap<&str, EtcKind> {
        self.manifest.entries.iter().map(|entry| (entry.path.as_str(), entry.kind)).collect()
    }

    /// What a copy has to contain. An old generation's tree may have been collected: then nothing equals it.
    fn content(&self, path: &str, kinds: &BTreeMap<&str, EtcKind>) -> io::Result<Option<Vec<u8>>> {
        if kinds.get(path) == Some(&EtcKind::Copy) {
            read_if_present(&self.root.opening_path(&self.tree.join(path))?)
        } else {
            Ok(None)
        }
    }
}

/// Whether all directories above are directories of /etc itself: below a link to the store nothing is in /etc.
fn real_parent<'a>(etc: &Path, path: &'a str, known: &mut BTreeMap<&'a str, bool>) -> io::Result<bool> {
    let mut above: Vec<&str> = ancestors(path).collect();
    above.reverse();
    for directory in above {
        let real = match known.get(directory) {
            Some(real) => *real,
            None => {
                let real = metadata_if_present(&etc.join(directory))?.is_some_and(|metadata| metadata.is_dir());
                known.insert(directory, real);
                real
            }
        };
        if !real {
            return Ok(false);
        }
    }
    Ok(true)
}

fn look(
    path: &Path,
    metadata: &std::fs::Metadata,
    old_copy: Option<&[u8]>,
    new_copy: Option<&[u8]>,
) -> io::Result<Found> {
    let ownership = Ownership { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() };
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return Ok(Found::Link(fs::read_link(path)?));
    }
    if kind.is_dir() {
        return Ok(Found::Directory(ownership));
    }
    if !kind.is_file() {
        return Ok(Found::Special);
    }
    let content = if old_copy.or(new_copy).is_some() { fs::read(path)? } else { Vec::new() };
    Ok(Found::File {
        is_old_copy: old_copy == Some(content.as_slice()),
        is_new_copy: new_copy == Some(content.as_slice()),
        ownership,
    })
}

fn metadata_if_present(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
