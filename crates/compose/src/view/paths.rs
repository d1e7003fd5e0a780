//! Paths of packages in a merged hierarchy, and dpkg's exclusion patterns.

use std::borrow::Cow;

/// Top-level directories that are links into /usr on every Debian system since bookworm (base-files ships the links).
const MERGED: [&str; 7] = ["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"];

/// Where a path stands once / and /usr are merged: `bin/sh` → `usr/bin/sh`. The links `bin`, `lib`, … themselves map to the
/// directories they point to.
#[must_use]
pub fn merged_path(path: &str) -> Cow<'_, str> {
    let top = path.split('/').next().unwrap_or(path);
    if MERGED.contains(&top) { Cow::Owned(format!("usr/{path}")) } else { Cow::Borrowed(path) }
}

/// Whether a path is one of the top-level links into /usr themselves (`bin -> usr/bin`).
#[must_use]
pub(super) fn is_merging_link(path: &str) -> bool {
    MERGED.contains(&path)
}

/// A script's absolute path as a plan's: merged, without leading slash.
#[must_use]
pub(super) fn plan_path(path: &str) -> String {
    merged_path(path.trim_start_matches('/').trim_end_matches('/')).into_owned()
}

/// The places of a tree that is no Debian package (`bin/`, `share/`, …): beneath /usr unless it has `usr/`, `etc/` or `var/`.
/// `None` for what only the store needs (`nix-support`).
#[must_use]
pub(super) fn tree_path(path: &str) -> Option<Cow<'_, str>> {
    match path.split('/').next().unwrap_or(path) {
        "usr" | "etc" | "var" | "opt" | "boot" => Some(Cow::Borrowed(path)),
        "nix-support" | "DEBIAN" => None,
        _ => Some(Cow::Owned(format!("usr/{path}"))),
    }
}

/// Matches like dpkg's `path-exclude`: `*` stands for any text, slashes included, `?` for one character.
#[must_use]
pub fn pattern_matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: one character later for the last star seen.
    let mut retry: Option<(usize, usize)> = None;
    while t < path.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == path[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_directories_are_merged_into_usr() {
        assert_eq!(merged_path("lib64/ld-linux-x86-64.so.2"), "usr/lib64/ld-linux-x86-64.so.2");
        assert_eq!(merged_path("bin"), "usr/bin");
        assert_eq!(merged_path("library/x"), "library/x");
        assert_eq!(plan_path("/sbin/ip"), "usr/sbin/ip");
    }

    #[test]
    fn built_trees_go_beneath_usr() {
        assert_eq!(tree_path("bin/hello").as_deref(), Some("usr/bin/hello"));
        assert_eq!(tree_path("usr/lib/x").as_deref(), Some("usr/lib/x"));
        assert_eq!(tree_path("nix-support/propagated-build-inputs"), None);
    }

    #[test]
    fn stars_match_slashes() {
        assert!(pattern_matches("usr/share/doc/*", "usr/share/doc/bash/README"));
        assert!(pattern_matches("usr/share/*/man?/*.gz", "usr/share/man/de/man1/ls.1.gz"));
        assert!(!pattern_matches("usr/share/doc/*", "usr/share/docs"));
        assert!(pattern_matches("*", ""));
        assert!(!pattern_matches("", "x"));
        assert!(pattern_matches("a*b*c", "aXbYbZc"));
    }
}
