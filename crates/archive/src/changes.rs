//! What moving a lock changes for a set of packages.
//!
//! A value with a description; nothing is applied. Compares what was solved before and after, so that only packages that are
//! really used count.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use deb_formats::version;
use serde::Serialize;

use crate::solver::SolvedPackage;

/// A package in another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionChange {
    /// The package.
    pub name: String,
    /// The version before.
    pub old: String,
    /// The version after.
    pub new: String,
    /// Whether the new version came out as a security fix.
    pub security: bool,
}

/// A package that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The difference between two solutions. Each list is sorted by name; `upgraded` has security fixes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Packages with a later version.
    pub upgraded: Vec<VersionChange>,
    /// Packages with an earlier version.
    pub downgraded: Vec<VersionChange>,
    /// Packages that were not there before.
    pub added: Vec<Presence>,
    /// Packages that are no longer there.
    pub removed: Vec<Presence>,
    /// Packages whose version stayed but whose .deb is another one.
    pub rebuilt: Vec<Presence>,
    /// How many bytes of .debs are new.
    pub download_bytes: u64,
}

/// Compares two sets of packages, each with every name at most once.
pub fn compare(old: &[SolvedPackage], new: &[SolvedPackage]) -> Changes {
    let by_name = |packages: &[SolvedPackage]| {
        packages.iter().map(|package| (package.name.clone(), package.clone())).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (by_name(old), by_name(new));
    let presence = |package: &SolvedPackage| Presence { name: package.name.clone(), version: package.version.clone() };
    let mut changes = Changes::default();
    for (name, package) in &after {
        let Some(previous) = before.get(name) else {
            changes.added.push(presence(package));
            changes.download_bytes += package.size;
            continue;
        };
        if previous.sha256 == package.sha256 {
            continue;
        }
        changes.download_bytes += package.size;
        let change = VersionChange {
            name: name.clone(),
            old: previous.version.clone(),
            new: package.version.clone(),
            security: package.security,
        };
        match version::compare(&package.version, &previous.version) {
            Ordering::Greater => changes.upgraded.push(change),
            Ordering::Less => changes.downgraded.push(change),
            Ordering::Equal => changes.rebuilt.push(presence(package)),
        }
    }
    changes.removed =
        before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(_, package)| presence(package)).collect();
    // Stable, so that names stay sorted within each half.
    changes.upgraded.sort_by_key(|change| !change.security);
    changes
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The changes as lines for people, each ending in a line break.
    pub fn describe(&self) -> String {
        if self.is_empty() {
            return "no package changes\n".to_owned();
        }
        let mut text = String::new();
        let (security, other): (Vec<_>, Vec<_>) = self.upgraded.iter().partition(|change| change.security);
        let shown = |changes: &[&VersionChange]| {
            changes.iter().map(|change| format!("{} {} → {}", change.name, change.old, change.new)).collect()
        };
        let present = |packages: &[Presence]| {
            packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
        };
        let downgraded: Vec<_> = self.downgraded.iter().collect();
        let sections: [(&str, Vec<String>); 6] = [
            ("security fixes", shown(&security)),
            ("upgraded", shown(&other)),
            ("downgraded", shown(&downgraded)),
            ("rebuilt", present(&self.rebuilt)),
            ("added", present(&self.added)),
            ("removed", present(&self.removed)),
        ];
        for (title, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            text += &format!("{title} ({}):\n", lines.len());
            for line in lines {
                text += &format!("  {line}\n");
            }
        }
        text + &format!("to download: {:.1} MB\n", self.download_bytes as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::MirrorName;

    fn package(name: &str, version: &str, security: bool) -> SolvedPackage {
        SolvedPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            mirror: MirrorName::Debian,
            filename: String::new(),
            sha256: format!("{name} {version}"),
            size: 1_500_000,
            summary: String::new(),
            suite: "trixie".to_owned(),
            security,
            needs: Vec::new(),
        }
    }

    #[test]
    fn security_fixes_come_first() {
        let old = [
            package("bash", "5.2-1", false),
            package("openssl", "3.5.1-1", false),
            package("vim", "9.1", false),
            package("zsh", "5.9", false),
        ];
        let new = [
            package("bash", "5.2-2", false),
            package("openssl", "3.5.1-1+deb13u1", true),
            package("vim", "9.0", false),
            package("nano", "8", false),
        ];
        assert_eq!(
            compare(&old, &new).describe(),
            "security fixes (1):\n  openssl 3.5.1-1 → 3.5.1-1+deb13u1\nupgraded (1):\n  bash 5.2-1 → 5.2-2\n\
             downgraded (1):\n  vim 9.1 → 9.0\nadded (1):\n  nano 8\nremoved (1):\n  zsh 5.9\nto download: 6.0 MB\n"
        );
    }

    #[test]
    fn another_file_of_the_same_version_is_noticed() {
        let mut rebuilt = package("bash", "5.2-1", false);
        rebuilt.sha256 = "other".to_owned();
        let changes = compare(&[package("bash", "5.2-1", false)], &[rebuilt]);
        assert_eq!((changes.rebuilt.len(), changes.upgraded.len()), (1, 0));
    }

    #[test]
    fn equal_solutions_change_nothing() {
        let packages = [package("bash", "5.2-1", false)];
        assert_eq!(compare(&packages, &packages).describe(), "no package changes\n");
    }
}
