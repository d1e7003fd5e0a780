//! Lays packages and overlays over each other.
//!
//! Order: packages (conflicts settled by `Replaces`), overlays (the later wins, over anything), then what scripts and the
//! configuration add: copied files, links, alternatives, and last modes and owners. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::conflict::{Claim, FileConflict, settle};
use super::paths::{is_merging_link, merged_path, pattern_matches, plan_path, tree_path};
use super::permissions::{Absent, AccountIds, PathPermissions, apply};
use super::{Entry, EntryKind, LayerName, Origin, Source, ViewError, ViewPlan, alternatives};
use crate::effect::Effect;
use crate::manifest::{Member, MemberKind};
use crate::package::{Overlay, Package};

/// Everything a plan is a function of.
#[derive(Debug, Clone, Copy)]
pub struct ViewInputs<'a> {
    /// Packages, dependencies first.
    pub packages: &'a [Package],
    /// Trees laid over them; the later wins.
    pub overlays: &'a [Overlay],
    /// Chosen alternatives: group name → path.
    pub alternatives: &'a BTreeMap<String, String>,
    /// Declared permissions by absolute path; they win over scripts and archives.
    pub permissions: &'a BTreeMap<String, PathPermissions>,
    /// Patterns of paths to leave out (see [`pattern_matches`]), with or without leading slash.
    pub exclude: &'a [String],
    /// Numbers of users and groups.
    pub ids: &'a AccountIds,
}

/// Plans the hierarchy of packages and overlays.
///
/// # Errors
/// When packages hold the same paths, or the configuration names a path or an alternative that does not exist.
pub fn plan_view(inputs: &ViewInputs<'_>) -> Result<ViewPlan, ViewError> {
    let mut planner = Planner::new(inputs);
    for layer in 0..inputs.packages.len() {
        planner.lay_package(layer);
    }
    if !planner.conflicts.is_empty() {
        return Err(ViewError::Conflicts { conflicts: planner.conflicts });
    }
    for index in 0..inputs.overlays.len() {
        planner.lay_overlay(index);
    }
    planner.add_parents();
    planner.apply_made_paths()?;
    planner.apply_alternatives()?;
    planner.add_parents();
    planner.apply_permissions()?;
    Ok(planner.plan)
}

struct Planner<'a> {
    inputs: &'a ViewInputs<'a>,
    plan: ViewPlan,
    exclude: Vec<&'a str>,
    /// Diverted path as shipped → (diverting package, new path).
    diversions: HashMap<String, (&'a str, String)>,
    /// Directories of later packages that are links of earlier ones: path → where it leads.
    aliases: BTreeMap<String, String>,
    conflicts: Vec<FileConflict>,
}

impl<'a> Planner<'a> {
    fn new(inputs: &'a ViewInputs<'a>) -> Self {
        let packages = inputs.packages.iter().map(|p| (&p.name, &p.store_path));
        let overlays = inputs.overlays.iter().map(|o| (&o.name, &o.store_path));
        let layers = packages
            .chain(overlays)
            .map(|(name, store_path)| LayerName { name: name.clone(), store_path: Arc::clone(store_path) })
            .collect();
        let mut diversions = HashMap::new();
        for package in inputs.packages {
            for effect in &package.effects {
                if let Effect::Diversion(d) = effect {
                    let from = d.from.trim_start_matches('/').to_owned();
                    diversions.insert(from, (package.name.as_str(), d.to.trim_start_matches('/').to_owned()));
                }
            }
        }
        Planner {
            inputs,
            plan: ViewPlan { layers, ..ViewPlan::default() },
            exclude: inputs.exclude.iter().map(|pattern| pattern.trim_start_matches('/')).collect(),
            diversions,
            aliases: BTreeMap::new(),
            conflicts: Vec::new(),
        }
    }

    fn excluded(&self, path: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern_matches(pattern, path))
    }

    fn lay_package(&mut self, layer: usize) {
        let package = &self.inputs.packages[layer];
        let members = Members::new(&package.members);
        for member in &package.members {
            if member.kind == MemberKind::Symlink && is_merging_link(&member.path) {
                continue;
            }
            let Some((path, origin)) = self.package_path(package, &member.path) else {
                continue;
            };
            if self.excluded(&path) {
                continue;
            }
            match self.entry(layer, &package.store_path, member, &members) {
                Some(mut entry) => {
                    entry.origin = origin;
                    self.claim(path, entry);
                }
                None => self.plan.warnings.push(format!(
                    "package `{}` ships the device or pipe `/{}`, which a view cannot hold",
                    package.name, member.path
                )),
            }
        }
    }

    fn package_path(&self, package: &Package, path: &str) -> Option<(String, Origin)> {
        if package.control.is_none() {
            return tree_path(path).map(|path| (path.into_owned(), Origin::Made));
        }
        let diverted = self.diversions.get(path).filter(|(by, _)| *by != package.name);
        let (path, origin) = match diverted {
            Some((_, to)) => (merged_path(to).into_owned(), Origin::Made),
            None => (merged_path(path).into_owned(), Origin::Tree),
        };
        Some((self.follow_aliases(path), origin))
    }

    fn follow_aliases(&self, path: String) -> String {
        if self.aliases.is_empty() {
            return path;
        }
        for (slash, _) in path.rmatch_indices('/') {
            if let Some(target) = self.aliases.get(&path[..slash]) {
                return format!("{target}{}", &path[slash..]);
            }
        }
        path
    }

    /// The entry a member makes; `None` for devices and pipes.
    fn entry(&self, layer: usize, store_path: &Arc<str>, member: &Member, members: &Members<'_>) -> Option<Entry> {
        let file = |member: &Member| {
            EntryKind::File(Source {
                store_path: Arc::clone(store_path),
                path: member.path.clone(),
                size_bytes: member.size_bytes,
                capabilities: None,
            })
        };
        let mut header = member;
        let kind = match member.kind {
            MemberKind::Directory => EntryKind::Directory,
            MemberKind::File => file(member),
            MemberKind::HardLink => {
                header = members.find(&member.link).unwrap_or(member);
                file(header)
            }
            MemberKind::Symlink => EntryKind::Symlink(member.link.clone()),
            MemberKind::CharacterDevice | MemberKind::BlockDevice | MemberKind::Fifo => {
                return None;
            }
        };
        let ids = self.inputs.ids;
        Some(Entry {
            kind,
            mode: header.mode,
            uid: if header.user.is_empty() { header.uid } else { ids.user(&header.user) },
            gid: if header.group.is_empty() { header.gid } else { ids.group(&header.group) },
            mtime: header.mtime,
            layer,
            origin: Origin::Tree,
        })
    }

    /// Puts a package's entry at a path unless another package's claim is better.
    fn claim(&mut self, path: String, entry: Entry) {
        let Some(there) = self.plan.entries.get(&path) else {
            self.plan.entries.insert(path, entry);
            return;
        };
        match (&there.kind, &entry.kind) {
            (EntryKind::Directory, EntryKind::Directory) => {
                // The common case is 0755 root:root; whoever says otherwise means it.
                if (entry.mode, entry.uid, entry.gid) != (0o755, 0, 0) {
                    self.plan.entries.insert(path, entry);
                }
            }
            // A package's link where another has the directory.
            (EntryKind::Directory, EntryKind::Symlink(_)) => {}
            (EntryKind::Symlink(target), EntryKind::Directory) => {
                let leads = self.plan.resolve(&path).map(|(to, _)| to);
                let alias = leads.unwrap_or_else(|| plan_path(target));
                self.aliases.insert(path, alias);
            }
            _ => {
                let (first, second) = (&self.inputs.packages[there.layer], &self.inputs.packages[entry.layer]);
                match settle(first, second) {
                    Claim::First => {}
                    Claim::Second => {
                        self.plan.entries.insert(path, entry);
                    }
                    Claim::Nobody => {
                        self.conflicts.push(FileConflict { path, first: first.to_string(), second: second.to_string() })
                    }
                }
            }
        }
    }

    fn lay_overlay(&mut self, index: usize) {
        let overlay = &self.inputs.overlays[index];
        let layer = self.inputs.packages.len() + index;
        let members = Members::new(&overlay.members);
        for member in &overlay.members {
            let Some(path) = tree_path(&member.path).map(std::borrow::Cow::into_owned) else {
                continue;
            };
            if self.excluded(&path) {
                continue;
            }
            let Some(mut entry) = self.entry(layer, &overlay.store_path, member, &members) else {
                continue;
            };
            if path != member.path {
                entry.origin = Origin::Made;
            }
            let is_directory = entry.kind == EntryKind::Directory;
            let there = self.plan.entries.get(&path).map(|there| there.kind == EntryKind::Directory);
            if there == Some(true) && is_directory {
                continue;
            }
            if there == Some(true) {
                self.remove_beneath(&path);
            }
            self.plan.entries.insert(path, entry);
        }
    }

    fn remove_beneath(&mut self, path: &str) {
        let prefix = format!("{path}/");
        self.plan.entries.retain(|path, _| !path.starts_with(&prefix));
    }

    /// Makes directories for entries whose parent nobody ships.
    fn add_parents(&mut self) {
        let mut missing: BTreeMap<String, usize> = BTreeMap::new();
        for (path, entry) in &self.plan.entries {
            for (slash, _) in path.rmatch_indices('/') {
                if self.plan.entries.contains_key(&path[..slash]) {
                    break;
                }
                missing.entry(path[..slash].to_owned()).or_insert(entry.layer);
            }
        }
        for (path, layer) in missing {
            self.plan.entries.insert(path, made(EntryKind::Directory, 0o755, layer));
        }
    }

    /// What scripts copy, link, create and remove in /usr and /etc. A path that exists is left alone, as scripts do on a
    /// first installation.
    fn apply_made_paths(&mut self) -> Result<(), ViewError> {
        for (layer, package) in self.inputs.packages.iter().enumerate() {
            for effect in &package.effects {
                match effect {
                    Effect::Copy(copy) => self.copy(layer, copy)?,
                    Effect::Link(link) => {
                        self.insert_absent(&link.path, made(EntryKind::Symlink(link.target.clone()), 0o777, layer));
                    }
                    Effect::Directory(directory) => {
                        self.insert_absent(&directory.path, made(EntryKind::Directory, 0o755, layer));
                        let permissions = PathPermissions {
                            mode: directory.mode.clone(),
                            user: directory.user.clone(),
                            group: directory.group.clone(),
                            capabilities: None,
                        };
                        apply(&mut self.plan, &directory.path, &permissions, self.inputs.ids, Absent::Ignore)?;
                    }
                    Effect::Remove(remove) => {
                        self.plan.entries.remove(&plan_path(&remove.path));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, layer: usize, copy: &crate::effect::Copy) -> Result<(), ViewError> {
        let Some((_, from)) = self.plan.resolve(&plan_path(&copy.from)) else {
            return Ok(());
        };
        let mut entry = from.clone();
        entry.layer = layer;
        entry.origin = Origin::Made;
        if let Some(mode) = &copy.mode {
            entry.mode = super::permissions::parse_mode(mode, &copy.to)?;
        }
        self.insert_absent(&copy.to, entry);
        Ok(())
    }

    fn insert_absent(&mut self, path: &str, entry: Entry) {
        let path = plan_path(path);
        if path.starts_with("usr/") || path.starts_with("etc/") {
            self.plan.entries.entry(path).or_insert(entry);
        }
    }

    fn apply_alternatives(&mut self) -> Result<(), ViewError> {
        let mut candidates = Vec::new();
        for (layer, package) in self.inputs.packages.iter().enumerate() {
            candidates.extend(package.effects.iter().filter_map(|effect| match effect {
                Effect::Alternative(alternative) => Some((layer, alternative)),
                _ => None,
            }));
        }
        for link in alternatives::choose(&self.plan, &candidates, self.inputs.alternatives)? {
            let entry = made(EntryKind::Symlink(link.target), 0o777, link.layer);
            if !self.excluded(&link.path) {
                self.plan.entries.entry(link.path).or_insert(entry);
            }
        }
        Ok(())
    }

    fn apply_permissions(&mut self) -> Result<(), ViewError> {
        let ids = self.inputs.ids;
        for effect in self.inputs.packages.iter().flat_map(|package| &package.effects) {
            let (path, permissions) = match effect {
                Effect::Permissions(p) => (
                    &p.path,
                    PathPermissions {
                        mode: p.mode.clone(),
                        user: p.user.clone(),
                        group: p.group.clone(),
                        capabilities: None,
                    },
                ),
                Effect::Capabilities(c) => {
                    (&c.path, PathPermissions { capabilities: Some(c.capabilities.clone()), ..Default::default() })
                }
                _ => continue,
            };
            apply(&mut self.plan, path, &permissions, ids, Absent::Ignore)?;
        }
        for (path, permissions) in self.inputs.permissions {
            apply(&mut self.plan, path, permissions, ids, Absent::Refuse)?;
        }
        Ok(())
    }
}

fn made(kind: EntryKind, mode: u32, layer: usize) -> Entry {
    Entry { kind, mode, uid: 0, gid: 0, mtime: 1, layer, origin: Origin::Made }
}

/// The members of a tree by path, for hard links. Sorted, as manifests are.
struct Members<'a>(&'a [Member]);

impl<'a> Members<'a> {
    fn new(members: &'a [Member]) -> Self {
        Members(members)
    }

    fn find(&self, path: &str) -> Option<&'a Member> {
        let found = self.0.binary_search_by(|member| member.path.as_str().cmp(path)).ok();
        found.map(|index| &self.0[index]).filter(|member| member.kind == MemberKind::File)
    }
}
