//! Generations of the system profile: listing, comparing and choosing which may go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nix_formats::StorePath;
use serde::Serialize;
use store::{Access, Generation, Profile, Store, StoreOptions};

use crate::{Locations, SystemError};

/// The profile of whole systems.
pub const SYSTEM_PROFILE: &str = "system";

/// The system profile of a store.
pub fn system_profile(store: &Store) -> Profile {
    store.profile(SYSTEM_PROFILE)
}

/// Opens the store whose generations are meant, for questions only: the named one, else this machine's, whoever asks, else
/// one's own.
///
/// Errors when there is none.
pub fn open_store(named: Option<&Path>) -> Result<Store, SystemError> {
    let root = match named {
        None if crate::locations::is_esker_machine() => Path::new("/").to_owned(),
        _ => Locations::find(named)?.store_root,
    };
    let access = if root.join("nix/var/nix/db").exists() { Access::ReadOnly } else { Access::ReadWrite };
    Ok(Store::open(StoreOptions { access, ..StoreOptions::new(root) })?)
}

/// A generation, and what it is to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub number: u64,
    /// Its toplevel.
    pub path: StorePath,
    /// Its label in the boot menu.
    pub label: String,
    /// Whether it is the default at boot.
    pub current: bool,
    /// Whether it runs.
    pub running: bool,
    /// Whether this boot started with it.
    pub booted: bool,
}

/// All generations, oldest first.
///
/// Errors when the profile cannot be read.
pub fn list(store: &Store) -> Result<Vec<Listed>, SystemError> {
    let profile = system_profile(store);
    let current = profile.current()?;
    let running = target(store, "/run/current-system");
    let booted = target(store, "/run/booted-system");
    let listed = profile.generations()?.into_iter().map(|generation| Listed {
        number: generation.number,
        label: label(&store.physical(&generation.path)),
        current: current == Some(generation.number),
        running: running.as_ref() == Some(&generation.path),
        booted: booted.as_ref() == Some(&generation.path),
        path: generation.path,
    });
    Ok(listed.collect())
}

/// The store path that a link of this machine leads to. A store elsewhere has nothing to do with this machine.
fn target(store: &Store, link: &str) -> Option<StorePath> {
    if store.layout().is_chroot() {
        return None;
    }
    let place = fs_err::canonicalize(link).ok()?;
    store.layout().store_path_of(&place)
}

fn label(toplevel: &Path) -> String {
    let bootspec: Option<serde_json::Value> =
        std::fs::read(toplevel.join("boot.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let label = bootspec.as_ref().and_then(|b| b["org.nixos.bootspec.v1"]["label"].as_str());
    label.unwrap_or("unknown").to_owned()
}

/// Which generations are to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Those made before this time, in seconds since 1970.
    pub older_than: Option<u64>,
    /// All but so many of the newest.
    pub keep: Option<usize>,
}

/// The generations beyond a limit; never the default, the running or the booted one.
///
/// Errors when the profile cannot be read.
pub fn plan_deletion(store: &Store, limit: &Limit) -> Result<Vec<Generation>, SystemError> {
    let kept: BTreeSet<u64> =
        list(store)?.into_iter().filter(|g| g.current || g.running || g.booted).map(|g| g.number).collect();
    let all = system_profile(store).generations()?;
    let beyond = limit.keep.map_or(0, |keep| all.len().saturating_sub(keep));
    let old = all.into_iter().enumerate().filter(|(index, generation)| {
        let aged = limit.older_than.is_some_and(|time| u64::try_from(generation.created).is_ok_and(|c| c < time));
        (aged || *index < beyond) && !kept.contains(&generation.number)
    });
    Ok(old.map(|(_, generation)| generation).collect())
}

/// Deletes generations.
///
/// Errors when one cannot be deleted.
pub fn delete(store: &Store, generations: &[Generation]) -> Result<(), SystemError> {
    let numbers: Vec<u64> = generations.iter().map(|generation| generation.number).collect();
    Ok(system_profile(store).delete(&numbers)?)
}

/// What differs between two generations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Packages by name: the versions before and after.
    pub packages: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Files of /etc that came.
    pub etc_added: BTreeSet<String>,
    /// Files of /etc that went.
    pub etc_removed: BTreeSet<String>,
    /// Files of /etc whose content or link changed.
    pub etc_changed: BTreeSet<String>,
}

impl Difference {
    /// For people.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (name, versions) in &self.packages {
            text.push_str(&match versions {
                (None, Some(new)) => format!("+ {name} {new}\n"),
                (Some(old), None) => format!("- {name} {old}\n"),
                (Some(old), Some(new)) => format!("  {name} {old} -> {new}\n"),
                (None, None) => String::new(),
            });
        }
        for (mark, files) in [("+", &self.etc_added), ("-", &self.etc_removed), ("~", &self.etc_changed)] {
            for file in files {
                text.push_str(&format!("{mark} /etc/{file}\n"));
            }
        }
        if text.is_empty() { "no difference in packages and /etc\n".to_owned() } else { text }
    }
}

/// Compares two generations by number; the newer one defaults to the current.
///
/// Errors when one does not exist.
pub fn diff(store: &Store, from: u64, to: Option<u64>) -> Result<Difference, SystemError> {
    let profile = system_profile(store);
    let generations = profile.generations()?;
    let to = match to {
        Some(number) => number,
        None => profile.current()?.unwrap_or(0),
    };
    let find = |number: u64| {
        generations
            .iter()
            .find(|generation| generation.number == number)
            .map(|generation| generation.path.clone())
            .ok_or(SystemError::NoGeneration { number })
    };
    compare(store, &find(from)?, &find(to)?)
}

/// Compares two toplevels.
///
/// Errors when the store does not have them.
pub fn compare(store: &Store, old: &StorePath, new: &StorePath) -> Result<Difference, SystemError> {
    let (old_packages, new_packages) = (packages(store, old)?, packages(store, new)?);
    let names: BTreeSet<&String> = old_packages.keys().chain(new_packages.keys()).collect();
    let mut difference = Difference::default();
    for name in names {
        let versions = (old_packages.get(name).cloned(), new_packages.get(name).cloned());
        if versions.0 != versions.1 {
            difference.packages.insert(name.clone(), versions);
        }
    }
    let (old_etc, new_etc) = (etc(&store.physical(old)), etc(&store.physical(new)));
    difference.etc_added = new_etc.keys().filter(|k| !old_etc.contains_key(*k)).cloned().collect();
    difference.etc_removed = old_etc.keys().filter(|k| !new_etc.contains_key(*k)).cloned().collect();
    difference.etc_changed =
        old_etc.iter().filter(|(k, v)| new_etc.get(*k).is_some_and(|n| n != *v)).map(|(k, _)| k.clone()).collect();
    Ok(difference)
}

/// Debian packages in a closure: name → version.
fn packages(store: &Store, toplevel: &StorePath) -> Result<BTreeMap<String, String>, SystemError> {
    let mut found = BTreeMap::new();
    for path in store.closure([toplevel])? {
        let control = store.physical(&path).join("DEBIAN/control");
        let Ok(text) = std::fs::read_to_string(control) else { continue };
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        if let (Some(name), Some(version)) = (field("Package"), field("Version")) {
            found.insert(name, version);
        }
    }
    Ok(found)
}

/// What stands in a toplevel's /etc: path → content or target.
fn etc(toplevel: &Path) -> BTreeMap<String, Vec<u8>> {
    let root = toplevel.join("etc");
    // The link leads to the store's logical place; the tree is beside the toplevel.
    let root = match std::fs::read_link(&root) {
        Ok(target) => {
            let store = toplevel.parent().unwrap_or(toplevel);
            target.strip_prefix("/nix/store").map_or(target.clone(), |rest| store.join(rest))
        }
        Err(_) => root,
    };
    let mut found = BTreeMap::new();
    collect(&root, String::new(), &mut found);
    found
}

fn collect(folder: &Path, prefix: String, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), format!("{name}/"), found),
            Ok(kind) if kind.is_symlink() => {
                let target = std::fs::read_link(entry.path()).unwrap_or_default();
                found.insert(name, target.into_os_string().into_encoded_bytes());
            }
            Ok(_) => drop(found.insert(name, std::fs::read(entry.path()).unwrap_or_default())),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_reads_like_a_diff() {
        let mut difference = Difference::default();
        difference.packages.insert("tree".into(), (None, Some("2.2".into())));
        difference.packages.insert("vim".into(), (Some("9.0".into()), Some("9.1".into())));
        difference.etc_changed.insert("motd".into());
        assert_eq!(difference.describe(), "+ tree 2.2\n  vim 9.0 -> 9.1\n~ /etc/motd\n");
    }
}
