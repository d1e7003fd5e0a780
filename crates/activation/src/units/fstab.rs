//! /etc/fstab: which mounts and swaps a switch has to touch. systemd's generator makes units of them that no generation's
//! tree contains, so the lines themselves are compared. Pure.

use std::collections::{BTreeMap, BTreeSet};

use syscalls::mount_table::unescape;

/// What a changed line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FstabChange {
    Removed,
    /// Only options differ: a remount.
    Options,
    /// The device or the type differ.
    Device,
}

#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    device: &'a str,
    fstype: &'a str,
    options: &'a str,
}

/// Units of changed and removed lines. Added ones are wanted by `local-fs.target` and `swap.target` through the generator,
/// and listed by [`added`].
pub(super) fn changes(old: &str, new: &str) -> Vec<(String, FstabChange)> {
    let (old, new) = (parse(old), parse(new));
    let mut changed = Vec::new();
    for (unit, before) in old {
        let change = match new.get(&unit) {
            None => FstabChange::Removed,
            Some(after) if *after == before => continue,
            Some(after) if (after.device, after.fstype) == (before.device, before.fstype) => FstabChange::Options,
            Some(_) => FstabChange::Device,
        };
        changed.push((unit, change));
    }
    changed
}

/// Units of lines that are new and mounted without being asked.
pub(super) fn added(old: &str, new: &str) -> Vec<String> {
    let old = parse(old);
    let is_automatic =
        |line: &Line<'_>| !line.options.split(',').any(|option| matches!(option, "noauto" | "x-systemd.automount"));
    let new = parse(new).into_iter();
    new.filter(|(unit, line)| !old.contains_key(unit) && is_automatic(line)).map(|(unit, _)| unit).collect()
}

/// Units of all lines.
pub(super) fn units(text: &str) -> BTreeSet<String> {
    parse(text).into_keys().collect()
}

fn parse(text: &str) -> BTreeMap<String, Line<'_>> {
    let mut units = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut fields = line.split_whitespace();
        let (Some(device), Some(place), Some(fstype)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let unit = if fstype == "swap" { swap_unit(device) } else { mount_unit(place) };
        units.insert(unit, Line { device, fstype, options: fields.next().unwrap_or("defaults") });
    }
    units
}

fn mount_unit(place: &str) -> String {
    format!("{}.mount", escape_path(&unescaped(place)))
}

/// The generator resolves tags to their link in /dev/disk.
fn swap_unit(device: &str) -> String {
    let path = match device.split_once('=') {
        Some((tag @ ("LABEL" | "UUID" | "PARTLABEL" | "PARTUUID"), value)) => {
            format!("/dev/disk/by-{}/{value}", tag.to_ascii_lowercase())
        }
        _ => unescaped(device),
    };
    format!("{}.swap", escape_path(&path))
}

fn unescaped(field: &str) -> String {
    String::from_utf8_lossy(&unescape(field.as_bytes())).into_owned()
}

/// `systemd-escape --path`.
fn escape_path(path: &str) -> String {
    let trimmed: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if trimmed.is_empty() {
        return "-".to_owned();
    }
    let mut escaped = String::new();
    for (index, byte) in trimmed.join("/").bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if index == 0 => escaped.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("\\x{byte:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_systemd_escape_does() {
        for path in ["/", "/data", "/srv/my-data/x.y", "/.hidden", "/a b/ü", "//x//y/"] {
            let output = std::process::Command::new("systemd-escape").args(["--path", path]).output();
            let output = output.expect("this test needs `systemd-escape` (Debian: systemd)");
            assert_eq!(escape_path(path), String::from_utf8_lossy(&output.stdout).trim_end(), "{path}");
        }
    }

    #[test]
    fn lines_are_compared_by_what_has_to_happen() {
        let old = "# c\n/dev/a /data ext4 defaults 0 2\n/dev/b /b\\040c xfs ro\n/dev/c /same ext4\nLABEL=sw none swap sw\n/dev/d /gone vfat\n";
        let new = "/dev/z /data ext4 defaults\n/dev/b /b\\040c xfs rw\n/dev/c /same ext4 defaults 0 2\n/dev/e /new ext4\n/dev/f /lazy ext4 noauto\n";
        assert_eq!(
            changes(old, new),
            [
                ("b\\x20c.mount".to_owned(), FstabChange::Options),
                ("data.mount".to_owned(), FstabChange::Device),
                ("dev-disk-by\\x2dlabel-sw.swap".to_owned(), FstabChange::Removed),
                ("gone.mount".to_owned(), FstabChange::Removed),
            ]
        );
        assert_eq!(added(old, new), ["new.mount"]);
    }
}
