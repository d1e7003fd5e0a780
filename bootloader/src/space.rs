//! Which entries an ESP gets, given its room. Pure.
//!
//! The configuration limit comes first; then, while the new files do not fit, what may go goes, the least precious first:
//! files nobody refers to, entries of generations that are gone, the oldest generations. It goes before anything is
//! written, but never the booted, the default (old and new) or the last good entry.

use std::collections::BTreeSet;

use crate::entry::EntryId;
use crate::esp::EspPath;
use crate::loader::LOADER_CONF;
use crate::observe::Observed;
use crate::plan::{PlanError, TEMPORARY_SUFFIX, Wanted, WantedEntry, is_ours, present_entry};

/// Clusters kept back for directories that grow and files that exist twice while being replaced.
const RESERVE_CLUSTERS: u64 = 16;

/// What stays, what goes, and when.
#[derive(Debug, Default)]
pub(crate) struct Selection<'a> {
    /// Entries that the ESP will have, newest generation first.
    pub(crate) entries: Vec<&'a WantedEntry>,
    /// Generations that get none.
    pub(crate) without_entry: Vec<u32>,
    /// Entry files that go before anything is written, and then the files that only they needed.
    pub(crate) early_entries: Vec<EspPath>,
    pub(crate) early_files: Vec<EspPath>,
    /// Entry files that go at the end, and then the files that nobody needs.
    pub(crate) late_entries: Vec<EspPath>,
    pub(crate) late_files: Vec<EspPath>,
}

/// Chooses.
///
/// Errors when not even the least that is wanted fits.
pub(crate) fn select<'a>(
    observed: &Observed,
    wanted: &Wanted,
    entries: &'a [WantedEntry],
) -> Result<Selection<'a>, PlanError> {
    let chooser = Chooser::new(observed, wanted, entries);
    let mut dropped: BTreeSet<u32> = chooser.beyond_the_limit();
    let mut early: Vec<EspPath> = Vec::new();
    // Giving up one thing at a time, least precious first, until what remains fits.
    let stale = chooser.stale(&dropped).into_iter().filter(|path| !chooser.is_protected(path));
    let mut sacrifices: Vec<Sacrifice> = stale.map(Sacrifice::Entry).collect();
    sacrifices.extend(chooser.droppable(&dropped).into_iter().map(Sacrifice::Generation));
    let mut sacrifices = sacrifices.into_iter();
    let mut clear_first = false;
    loop {
        let candidate = chooser.selection(&dropped, &early, clear_first);
        let needed_bytes = chooser.needed_bytes(&candidate);
        let available_bytes = chooser.available_bytes(&candidate);
        if needed_bytes <= available_bytes {
            return Ok(candidate);
        }
        if !clear_first {
            clear_first = true;
            continue;
        }
        match sacrifices.next() {
            None => {
                return Err(PlanError::NoSpace { needed_bytes, available_bytes });
            }
            Some(Sacrifice::Entry(path)) => early.push(path),
            Some(Sacrifice::Generation(number)) => {
                dropped.insert(number);
                let of_generation = observed.ours().filter(|(name, _)| name.id.generation == number);
                early.extend(of_generation.map(|(_, entry)| entry.path.clone()));
            }
        }
    }
}

/// Something that can be given up for room.
enum Sacrifice {
    Entry(EspPath),
    Generation(u32),
}

struct Chooser<'a, 'b> {
    observed: &'b Observed,
    wanted: &'b Wanted,
    entries: &'a [WantedEntry],
    /// Entries that must not vanish before something better is there.
    protected: BTreeSet<EntryId>,
}

impl<'a, 'b> Chooser<'a, 'b> {
    fn new(observed: &'b Observed, wanted: &'b Wanted, entries: &'a [WantedEntry]) -> Self {
        let present = [observed.default_entry(), observed.last_blessed(), wanted.booted.as_ref()];
        let protected = present.into_iter().flatten().chain([&wanted.default]).cloned().collect();
        Chooser { observed, wanted, entries, protected }
    }

    fn generations(&self) -> BTreeSet<u32> {
        self.entries.iter().map(|entry| entry.id.generation).collect()
    }

    fn protects_generation(&self, number: u32) -> bool {
        self.protected.iter().any(|id| id.generation == number)
    }

    /// Generations older than the newest so many, but for protected ones.
    fn beyond_the_limit(&self) -> BTreeSet<u32> {
        let limit = self.wanted.configuration_limit.unwrap_or(usize::MAX);
        let older = self.generations().into_iter().rev().skip(limit);
        older.filter(|number| !self.protects_generation(*number)).collect()
    }

    /// Our entry files that will not be wanted, oldest first. The booted one stays: its store path is in use.
    fn stale(&self, dropped: &BTreeSet<u32>) -> Vec<EspPath> {
        let wanted =
            |id: &EntryId| !dropped.contains(&id.generation) && self.entries.iter().any(|entry| entry.id == *id);
        let mut stale: Vec<(&EntryId, &EspPath)> = Vec::new();
        for (name, entry) in self.observed.ours() {
            let is_the_one = present_entry(self.observed, &name.id).is_some_and(|one| one.path == entry.path);
            let stays = is_the_one && (wanted(&name.id) || self.wanted.booted.as_ref() == Some(&name.id));
            if !stays {
                stale.push((&name.id, &entry.path));
            }
        }
        stale.sort();
        stale.into_iter().map(|(_, path)| path.clone()).collect()
    }

    fn is_protected(&self, path: &EspPath) -> bool {
        self.observed.ours().any(|(name, entry)| entry.path == *path && self.protected.contains(&name.id))
    }

    /// Generations that may be given up, oldest first.
    fn droppable(&self, dropped: &BTreeSet<u32>) -> Vec<u32> {
        let candidates = self.generations().into_iter().filter(|number| !dropped.contains(number));
        candidates.filter(|number| !self.protects_generation(*number)).collect()
    }

    /// The selection without some generations; `early` entry files go first, and with `clear_first` so does what nobody
    /// refers to.
    fn selection(&self, dropped: &BTreeSet<u32>, early: &[EspPath], clear_first: bool) -> Selection<'a> {
        let entries: Vec<&WantedEntry> =
            self.entries.iter().filter(|entry| !dropped.contains(&entry.id.generation)).collect();
        let wanted_files: BTreeSet<&EspPath> =
            entries.iter().flat_map(|entry| &entry.files).map(|file| &file.path).collect();
        let unneeded_without = |gone: &[EspPath]| -> Vec<EspPath> {
            let remaining = self.observed.entries.iter().filter(|entry| !gone.contains(&entry.path));
            let referenced = Observed::files_of(remaining.map(|entry| entry.text.as_str()));
            let unneeded = self.observed.files.keys().filter(|path| {
                let leftover = path.name().ends_with(TEMPORARY_SUFFIX);
                leftover || is_ours(path) && !referenced.contains(path) && !wanted_files.contains(path)
            });
            unneeded.cloned().collect()
        };
        let stale = self.stale(dropped);
        let gone_in_the_end: Vec<EspPath> = stale.iter().chain(early).cloned().collect();
        let early_files = if clear_first { unneeded_without(early) } else { Vec::new() };
        let late_files = unneeded_without(&gone_in_the_end);
        Selection {
            entries,
            without_entry: self.generations().into_iter().filter(|number| dropped.contains(number)).collect(),
            early_entries: early.to_vec(),
            late_entries: stale.into_iter().filter(|path| !early.contains(path)).collect(),
            late_files: late_files.into_iter().filter(|path| !early_files.contains(path)).collect(),
            early_files,
        }
    }

    /// Clusters' worth of a file.
    fn allocated_bytes(&self, size_bytes: u64) -> u64 {
        size_bytes.next_multiple_of(self.observed.space.cluster_bytes.max(1))
    }

    fn needed_bytes(&self, selection: &Selection<'_>) -> u64 {
        let copies = selection.missing_files(self.observed);
        let writes = selection.entry_writes(self.observed, self.wanted.tries);
        let copied: u64 = copies.iter().map(|file| self.allocated_bytes(file.size_bytes)).sum();
        let written: u64 = writes.iter().map(|(_, text)| self.allocated_bytes(text.len() as u64)).sum();
        let loader = self.wanted.systemd_boot.as_ref().map_or(0, |loader| {
            let absent = [loader.architecture.systemd_boot_path(), loader.architecture.fallback_path()]
                .into_iter()
                .filter(|path| !self.observed.files.contains_key(path))
                .count() as u64;
            // One more, because a program is replaced by a copy beside it.
            (absent + 1) * self.allocated_bytes(loader.program.size_bytes)
        });
        let reserve = RESERVE_CLUSTERS * self.observed.space.cluster_bytes;
        let has_conf = self.observed.files.contains_key(&EspPath::new(LOADER_CONF));
        let nothing_to_do = copied + written == 0 && has_conf;
        if nothing_to_do { 0 } else { copied + written + loader + reserve }
    }

    fn available_bytes(&self, selection: &Selection<'_>) -> u64 {
        let early = selection.early_entries.iter().chain(&selection.early_files);
        let sizes = early.filter_map(|path| self.observed.files.get(path));
        let freed: u64 = sizes.map(|size_bytes| self.allocated_bytes(*size_bytes)).sum();
        self.observed.space.free_bytes + freed
    }
}
