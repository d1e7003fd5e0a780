//! Store paths that running processes use: programs, open files, mapped files, working folders, environments.
//!
//! Other users' processes are skipped when /proc does not show them. Too many roots do no harm, so texts are searched
//! rather than parsed.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix_formats::StorePath;

use crate::layout::Layout;

/// The paths found, each with one process that uses it.
pub(crate) fn used_paths(layout: &Layout) -> BTreeMap<StorePath, u32> {
    let mut used = BTreeMap::new();
    // Without /proc nothing can be known about processes; Nix treats that the same way.
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return used;
    };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let folder = process.path();
        let mut found = Vec::new();
        for link in ["exe", "cwd", "root"] {
            found.extend(path_behind(layout, &folder.join(link)));
        }
        for open in std::fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            found.extend(path_behind(layout, &open.path()));
        }
        for text in ["maps", "environ"] {
            // Gone or not ours to read.
            let Ok(text) = std::fs::read(folder.join(text)) else {
                continue;
            };
            found.extend(paths_in(layout, &text));
        }
        for path in found {
            used.entry(path).or_insert(pid);
        }
    }
    used
}

fn path_behind(layout: &Layout, link: &Path) -> Option<StorePath> {
    layout.store_path_of(&std::fs::read_link(link).ok()?)
}

fn paths_in(layout: &Layout, text: &[u8]) -> Vec<StorePath> {
    let mut prefixes = vec![layout.store_dir().as_str().as_bytes()];
    if layout.is_chroot() {
        prefixes.push(layout.physical_store().as_os_str().as_bytes());
    }
    let mut found = Vec::new();
    for prefix in prefixes {
        let mut rest = text;
        while let Some(at) = find(rest, prefix) {
            rest = &rest[at + prefix.len()..];
            let Some(name) = rest.strip_prefix(b"/") else {
                continue;
            };
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(byte);
            let end = name.iter().position(|byte| !is_name(byte)).unwrap_or(name.len());
            let path = std::str::from_utf8(&name[..end]).ok().and_then(|name| StorePath::from_base_name(name).ok());
            found.extend(path);
        }
    }
    found
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut start = 0;
    while let Some(at) = text[start..].iter().position(|byte| *byte == first) {
        if text[start + at..].starts_with(pattern) {
            return Some(start + at);
        }
        start += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use nix_formats::StoreDir;

    use super::{Layout, paths_in};

    #[test]
    fn finds_paths_in_the_middle_of_texts() {
        let layout = Layout::new(std::path::Path::new("/"), StoreDir::default()).unwrap();
        let base = "7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-konsole-18.12.3";
        let text = format!("PATH=/nix/store/{base}/bin:/usr/bin\0X=/nix/store/\0Y=/nix/store");
        let found = paths_in(&layout, text.as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].base_name(), base);
    }
}
