//! Trees of views beside the store, one per view that a build or a program saw as /usr: folders of hard links named
//! `<hash part of the view>-<layout>`. Whoever makes and uses one keeps the view itself alive; the collector removes those
//! whose view is dead. How a tree is made is not known here.

use std::collections::BTreeSet;

use nix_formats::HashPart;

use crate::layout::Layout;
use crate::{Context as _, StoreError};

const HASH_DIGITS: usize = 32;

/// The trees, finished or half made, whose view is not among those kept and that no mount shows, sorted.
pub(crate) fn find_dead(layout: &Layout, kept: &BTreeSet<HashPart>) -> Result<Vec<String>, StoreError> {
    let folder = layout.views();
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.context("list", &folder)?,
    };
    let mounted = mounted();
    let mut dead = Vec::new();
    for entry in entries {
        let name = entry.context("list", &folder)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let view = name.as_bytes().get(..HASH_DIGITS).and_then(HashPart::from_digits);
        if view.is_some_and(|view| !kept.contains(&view) && !mounted.contains(&view)) {
            dead.push(name.to_owned());
        }
    }
    dead.sort();
    Ok(dead)
}

/// The views that mounts of running processes show: a sandbox or an emulator may outlive the program that started it.
fn mounted() -> BTreeSet<HashPart> {
    let mut views = BTreeSet::new();
    // Without /proc nothing can be known about processes.
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        // Gone, no process, or not ours to read.
        if let Ok(text) = std::fs::read_to_string(process.path().join("mountinfo")) {
            views.extend(text.lines().filter_map(shown_by));
        }
    }
    views
}

/// The view that a line of mountinfo shows. Its fourth field is the folder within its filesystem.
fn shown_by(line: &str) -> Option<HashPart> {
    let root = line.split(' ').nth(3)?;
    let (_, name) = root.split_once("/esker/views/")?;
    name.as_bytes().get(..HASH_DIGITS).and_then(HashPart::from_digits)
}

#[cfg(test)]
mod tests {
    use super::shown_by;

    #[test]
    fn a_mounted_view_is_recognised_by_its_root() {
        let hash = "7h7qgvs4kgzsn8a6rb273saxyqh4jxlz";
        let line = |root: &str| format!("70 60 8:1 {root} /usr ro,nosuid - ext4 /dev/sda1 rw");
        let found = shown_by(&line(&format!("/home/u/nix/var/esker/views/{hash}-1/usr")));
        assert_eq!(found.map(|hash| hash.to_string()).as_deref(), Some(hash));
        // /nix may be a filesystem of its own.
        assert!(shown_by(&line(&format!("/var/esker/views/{hash}-1/usr"))).is_some());
        assert_eq!(shown_by(&line("/nix/store")), None);
        assert_eq!(shown_by(&line("/var/esker/views/short")), None);
    }
}
