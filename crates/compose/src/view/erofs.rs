//! A plan's /usr → an EROFS image of metadata only.
//!
//! Every regular file carries the overlay redirect `/<hash>-<name>/<path>` into /nix/store; empty files need none. Modes,
//! owners and capabilities are the plan's, so setuid programs work although the store holds no setuid bit.
//! The same plan gives the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use disk_formats::erofs::{Content, Entry as ImageEntry, ErofsError, Metadata, Options, Tree};

use super::{Entry, EntryKind, Source, ViewPlan};

const CAPABILITY_ATTRIBUTE: &[u8] = b"security.capability";

/// Writes the image of the plan's `usr/`. Returns its length in bytes.
///
/// # Errors
/// When a name or link does not fit the format, or writing fails.
pub fn write_image(plan: &ViewPlan, out: &mut impl Write) -> Result<u64, ErofsError> {
    let mut tree = Tree::new();
    if let Some(root) = plan.entries.get("usr") {
        tree.insert(b"", ImageEntry { metadata: metadata(root), content: Content::Directory })?;
    }
    let mut first_names: HashMap<&Source, &str> = HashMap::new();
    for (path, entry) in plan.beneath("usr") {
        let content = match &entry.kind {
            EntryKind::Directory => Content::Directory,
            EntryKind::Symlink(target) => Content::Symlink { target: target.clone().into_bytes() },
            EntryKind::File(source) => match first_names.get(source) {
                Some(first) if same_inode(plan, first, entry) => {
                    Content::HardLink { target: first.as_bytes().to_vec() }
                }
                _ => {
                    first_names.insert(source, path);
                    file(source)
                }
            },
        };
        tree.insert(path.as_bytes(), ImageEntry { metadata: metadata(entry), content })?;
    }
    let options = Options { uuid: [0; 16], label: Vec::new(), build_time: commonest_time(plan) };
    tree.write_to(&options, out)
}

/// Two names are one file only if mode and owner agree too; a script may have changed one of them.
fn same_inode(plan: &ViewPlan, first: &str, entry: &Entry) -> bool {
    plan.entries
        .get(&format!("usr/{first}"))
        .is_some_and(|other| (other.mode, other.uid, other.gid) == (entry.mode, entry.uid, entry.gid))
}

fn file(source: &Source) -> Content {
    let base = source.store_path.rsplit('/').next().unwrap_or_default();
    let redirect = (source.size_bytes > 0).then(|| format!("/{base}/{}", source.path).into_bytes());
    Content::File { size_bytes: source.size_bytes, redirect }
}

fn metadata(entry: &Entry) -> Metadata {
    let mut xattrs = BTreeMap::new();
    if let EntryKind::File(Source { capabilities: Some(bytes), .. }) = &entry.kind {
        xattrs.insert(CAPABILITY_ATTRIBUTE.to_vec(), bytes.to_vec());
    }
    Metadata {
        mode: u16::try_from(entry.mode & 0o7777).unwrap_or(0),
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        xattrs,
    }
}

fn commonest_time(plan: &ViewPlan) -> u64 {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for (_, entry) in plan.beneath("usr") {
        *counts.entry(entry.mtime).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(time, _)| time)
}
