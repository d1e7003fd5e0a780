//! (old record, new manifest, what was found) → the steps that make /etc. Pure; the rules stand in the module above.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::manifest::{EtcEntry, EtcKind, EtcManifest, EtcRecord, ancestors};
use super::observe::{Found, ObservedEtc};
use crate::toplevel::Mode;

/// One change in /etc. Paths are relative to /etc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum EtcStep {
    /// Move a local edit to `/etc/.esker-replaced/`.
    SaveEdit {
        /// What was edited.
        path: String,
    },
    /// Remove a file or link that the old generation put there.
    Remove {
        /// What goes.
        path: String,
    },
    /// Remove a directory that only the old generation needed, if nothing else is in it.
    RemoveDirectory {
        /// What goes.
        path: String,
    },
    /// Make a directory, or give an existing one its mode and owner.
    Directory {
        /// Which.
        path: String,
        /// Permission bits.
        mode: Mode,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Make or replace a link.
    Link {
        /// Where.
        path: String,
        /// Its target, verbatim.
        target: PathBuf,
    },
    /// Make or replace a copy of the new generation's file.
    Copy {
        /// Which.
        path: String,
        /// Permission bits.
        mode: Mode,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Correct mode and owner of a copy whose content is right, or is an edit that stays.
    Ownership {
        /// Which.
        path: String,
        /// Permission bits.
        mode: Mode,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl EtcStep {
    /// The path that the step is about, relative to /etc.
    pub fn path(&self) -> &str {
        match self {
            Self::SaveEdit { path }
            | Self::Remove { path }
            | Self::RemoveDirectory { path }
            | Self::Directory { path, .. }
            | Self::Link { path, .. }
            | Self::Copy { path, .. }
            | Self::Ownership { path, .. } => path,
        }
    }
}

/// All changes in /etc, in the order in which they are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcPlan {
    /// What only adds: done before `/run/current-system` is switched, so that at that moment the links of both
    /// generations are in place.
    pub additions: Vec<EtcStep>,
    /// What replaces or removes: done after it.
    pub changes: Vec<EtcStep>,
    /// Local edits that stay, because the declaration did not change.
    pub kept_edits: Vec<String>,
    /// The tree that copies are made from (target path).
    pub static_etc: PathBuf,
    /// What is in the new generation's manifest, for the record.
    #[serde(skip)]
    pub(crate) manifest: EtcManifest,
}

impl EtcPlan {
    /// Whether /etc is as declared already (apart from edits that stay).
    pub fn is_empty(&self) -> bool {
        self.additions.is_empty() && self.changes.is_empty()
    }
}

impl fmt::Display for EtcPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.additions {
            writeln!(formatter, "add /etc/{}", step.path())?;
        }
        for step in &self.changes {
            match step {
                EtcStep::SaveEdit { path } => {
                    writeln!(formatter, "replace local edit /etc/{path} (kept as /etc/.esker-replaced/{path})")?;
                }
                EtcStep::Remove { path } => writeln!(formatter, "remove /etc/{path}")?,
                EtcStep::RemoveDirectory { path } => writeln!(formatter, "remove directory /etc/{path} if empty")?,
                step => writeln!(formatter, "change /etc/{}", step.path())?,
            }
        }
        for path in &self.kept_edits {
            writeln!(formatter, "keep local edit /etc/{path} (its declaration did not change)")?;
        }
        Ok(())
    }
}

/// Plans /etc. `new` has passed [`EtcManifest::check`].
pub fn plan_etc(old: &EtcRecord, new: &EtcManifest, static_etc: PathBuf, observed: &ObservedEtc) -> EtcPlan {
    let mut planner = Planner { observed, removals: Vec::new(), rest: Vec::new(), kept_edits: Vec::new() };
    let old_entries = by_path(&old.manifest);
    let new_entries = by_path(new);
    for (path, entry) in &old_entries {
        if !new_entries.contains_key(path) {
            planner.retire(entry);
        }
    }
    planner.retire_directories(&old.manifest, &new_entries, new);
    for path in new.implied_directories() {
        planner.imply_directory(path, old_entries.get(path).copied());
    }
    for (path, entry) in &new_entries {
        planner.install(entry, old_entries.get(path).copied());
    }
    planner.finish(static_etc, new.clone())
}

fn by_path(manifest: &EtcManifest) -> BTreeMap<&str, &EtcEntry> {
    manifest.entries.iter().map(|entry| (entry.path.as_str(), entry)).collect()
}

struct Planner<'a> {
    observed: &'a ObservedEtc,
    removals: Vec<EtcStep>,
    rest: Vec<EtcStep>,
    kept_edits: Vec<String>,
}

impl Planner<'_> {
    fn found(&self, path: &str) -> &Found {
        self.observed.found.get(path).unwrap_or(&Found::Absent)
    }

    /// An entry that only the old generation has.
    fn retire(&mut self, entry: &EtcEntry) {
        let path = entry.path.clone();
        match self.found(&path) {
            Found::Absent => {}
            Found::Directory(_) if entry.kind == EtcKind::Directory => {
                self.removals.push(EtcStep::RemoveDirectory { path });
            }
            found if self.is_as_installed(entry, found) => self.removals.push(EtcStep::Remove { path }),
            _ => self.removals.push(EtcStep::SaveEdit { path }),
        }
    }

    /// Directories that only entries of the old generation needed.
    fn retire_directories(&mut self, old: &EtcManifest, declared: &BTreeMap<&str, &EtcEntry>, new: &EtcManifest) {
        let needed = new.implied_directories();
        for path in old.implied_directories() {
            let is_directory = matches!(self.found(path), Found::Directory(_));
            if is_directory && !needed.contains(path) && !declared.contains_key(path) {
                self.removals.push(EtcStep::RemoveDirectory { path: path.to_owned() });
            }
        }
    }

    /// A directory that entries of the new generation need.
    fn imply_directory(&mut self, path: &str, old: Option<&EtcEntry>) {
        match self.found(path) {
            Found::Directory(_) => return,
            Found::Absent => {}
            found => self.make_room(path, old.is_some_and(|entry| self.is_as_installed(entry, found))),
        }
        self.rest.push(EtcStep::Directory { path: path.to_owned(), mode: Mode(0o755), uid: 0, gid: 0 });
    }

    fn install(&mut self, entry: &EtcEntry, old: Option<&EtcEntry>) {
        let found = self.found(&entry.path).clone();
        if self.is_as_declared(entry, &found) {
            return self.correct_ownership(entry, &found);
        }
        let pristine = old.is_some_and(|old| self.is_as_installed(old, &found));
        let unchanged = old.is_some_and(|old| self.is_same_declaration(old, entry));
        match (&found, entry.kind) {
            (Found::Absent, _) => {}
            _ if unchanged && !pristine => {
                self.kept_edits.push(entry.path.clone());
                return self.correct_ownership(entry, &found);
            }
            // A file or link gives way to a file or link in one rename.
            (Found::Link(_) | Found::File { .. }, EtcKind::Link | EtcKind::Copy) if pristine => {}
            _ => self.make_room(&entry.path, pristine),
        }
        self.rest.push(put(entry));
    }

    fn make_room(&mut self, path: &str, pristine: bool) {
        let path = path.to_owned();
        self.removals.push(if pristine { EtcStep::Remove { path } } else { EtcStep::SaveEdit { path } });
    }

    fn correct_ownership(&mut self, entry: &EtcEntry, found: &Found) {
        let (Found::File { ownership, .. } | Found::Directory(ownership)) = found else {
            return;
        };
        let wanted = entry.ownership();
        let declares_owner = matches!(
            (entry.kind, found),
            (EtcKind::Copy, Found::File { .. }) | (EtcKind::Directory, Found::Directory(_))
        );
        if declares_owner && wanted != *ownership {
            let (path, mode) = (entry.path.clone(), Mode(wanted.mode));
            self.rest.push(EtcStep::Ownership { path, mode, uid: wanted.uid, gid: wanted.gid });
        }
    }

    fn is_as_declared(&self, entry: &EtcEntry, found: &Found) -> bool {
        match (entry.kind, found) {
            (EtcKind::Link, Found::Link(target)) => *target == entry.link_target(),
            (EtcKind::Copy, Found::File { is_new_copy, .. }) => *is_new_copy,
            (EtcKind::Directory, Found::Directory(_)) => true,
            _ => false,
        }
    }

    fn is_as_installed(&self, old: &EtcEntry, found: &Found) -> bool {
        match (old.kind, found) {
            (EtcKind::Link, Found::Link(target)) => *target == old.link_target(),
            (EtcKind::Copy, Found::File { is_old_copy, .. }) => *is_old_copy,
            _ => false,
        }
    }

    fn is_same_declaration(&self, old: &EtcEntry, new: &EtcEntry) -> bool {
        old.kind == new.kind
            && match new.kind {
                EtcKind::Link => old.link_target() == new.link_target(),
                EtcKind::Copy => self.observed.same_copies.contains(&new.path),
                EtcKind::Directory => true,
            }
    }

    /// Puts what only adds before the switch. A path below one that has to go first is no mere addition.
    fn finish(mut self, static_etc: PathBuf, manifest: EtcManifest) -> EtcPlan {
        let gone: BTreeSet<String> = self.removals.iter().map(|step| step.path().to_owned()).collect();
        let observed = self.observed;
        let is_addition = |step: &EtcStep| {
            let path = step.path();
            let absent = matches!(observed.found.get(path), Some(Found::Absent));
            absent && !ancestors(path).any(|above| gone.contains(above))
        };
        // Files before their directories, directories before what is in them.
        self.removals.sort_by(|a, b| b.path().cmp(a.path()));
        self.rest.sort_by(|a, b| a.path().cmp(b.path()));
        let (additions, replacements): (Vec<_>, Vec<_>) = self.rest.into_iter().partition(is_addition);
        let mut changes = self.removals;
        changes.extend(replacements);
        EtcPlan { additions, changes, kept_edits: self.kept_edits, static_etc, manifest }
    }
}

fn put(entry: &EtcEntry) -> EtcStep {
    let path = entry.path.clone();
    let owner = entry.ownership();
    let (mode, uid, gid) = (Mode(owner.mode), owner.uid, owner.gid);
    match entry.kind {
        EtcKind::Link => EtcStep::Link { path, target: entry.link_target() },
        EtcKind::Copy => EtcStep::Copy { path, mode, uid, gid },
        EtcKind::Directory => EtcStep::Directory { path, mode, uid, gid },
    }
}
