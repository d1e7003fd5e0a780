//! From what the ESP holds and what is wanted to the operations in between. Pure.
//!
//! The order of a plan's operations is its point: contents first, under names nobody refers to yet; then the default's entry; then the
//! default; then other entries; then the loader; what nobody needs any more last. Only when the ESP is too small are old entries removed
//! beforehand, and then never the booted, the default or the last one known to be good. Carrying out is [`crate::apply`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::entry::{Counter, EntryError, EntryFileName, EntryId, EntryPlan};
use crate::esp::EspPath;
use crate::generation::{BootFile, Bootable, CONTENT_DIRECTORY, Generation};
use crate::loader::{ENTRIES, LOADER_CONF, LoaderSettings, SystemdBoot};
use crate::observe::{Observed, ObservedEntry};
use crate::space::{self, Selection};

/// The suffix of files that are being written.
pub const TEMPORARY_SUFFIX: &str = ".esker-new";
/// The default when boots are counted: the newest entry that has not run out of tries.
const ANY_ENTRY: &str = "esker-*.conf";

/// What the ESP should hold.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The generations that exist.
    pub generations: Vec<Generation>,
    /// What boots if nobody touches a key.
    pub default: EntryId,
    /// What this machine runs now, if it booted from this ESP.
    pub booted: Option<EntryId>,
    /// What titles in the menu start with, such as `Esker web1`.
    pub title: String,
    /// The machine's id, if entries should name it.
    pub machine_id: Option<String>,
    /// How often a new entry is tried before the loader falls back to an older one; nothing to not count.
    pub tries: Option<u32>,
    /// How many generations get entries, newest first; nothing for all.
    pub configuration_limit: Option<usize>,
    /// `loader.conf`.
    pub settings: LoaderSettings,
    /// The systemd-boot to install or update; nothing to leave the loader alone.
    pub systemd_boot: Option<SystemdBoot>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Make a directory.
    CreateDirectory(EspPath),
    /// Copy a file of this host, under a temporary name first.
    Copy(BootFile),
    /// Write a small file, under a temporary name first.
    Write {
        /// Its path.
        path: EspPath,
        /// Its text.
        contents: String,
    },
    /// Delete a file.
    Remove {
        /// Its path.
        path: EspPath,
        /// Its length.
        size_bytes: u64,
    },
    /// Wait until everything before is on the disk.
    Sync,
}

/// What will be done to an ESP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EspPlan {
    /// The steps in order; none if all is as wanted.
    pub operations: Vec<Operation>,
    /// Generations that stay without an entry because of the limit or for want of room.
    pub without_entry: Vec<u32>,
    /// EFI programs at systemd-boot's places that are left as they are: newer, or another loader's.
    pub kept_programs: Vec<EspPath>,
}

/// Why no plan can be made. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The wanted default is no wanted entry.
    #[error("the default boot entry {default} is not among the generations")]
    UnknownDefault {
        /// The wanted default.
        default: EntryId,
    },
    /// Everything that may go would not make enough room.
    #[error(
        "the EFI system partition is too small: {needed_bytes} bytes are needed, and {available_bytes} would be free without every entry that may go"
    )]
    NoSpace {
        /// What the new files take.
        needed_bytes: u64,
        /// What there would be.
        available_bytes: u64,
    },
    /// An entry cannot be written down.
    #[error("a boot entry cannot be written")]
    Entry(#[from] EntryError),
}

impl PlanError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSpace { .. } => Some(
                "the booted, the default and the last good generation must stay: boot the newest generation first so that \
                 they are one, remove what else is on that partition, or make it larger",
            ),
            _ => None,
        }
    }
}

/// An entry that should be on the ESP.
#[derive(Debug, Clone)]
pub(crate) struct WantedEntry {
    pub(crate) id: EntryId,
    pub(crate) text: String,
    pub(crate) files: Vec<BootFile>,
}

/// Plans an ESP.
///
/// Errors when the default is unknown, an entry is malformed, or the ESP is too small.
pub fn plan_esp(observed: &Observed, wanted: &Wanted) -> Result<EspPlan, PlanError> {
    let entries = wanted_entries(wanted)?;
    if !entries.iter().any(|entry| entry.id == wanted.default) {
        return Err(PlanError::UnknownDefault { default: wanted.default.clone() });
    }
    let selection = space::select(observed, wanted, &entries)?;
    Ok(Planner { observed, wanted, selection }.plan())
}

/// Every entry of every generation, newest generation first.
fn wanted_entries(wanted: &Wanted) -> Result<Vec<WantedEntry>, PlanError> {
    let mut generations: Vec<&Generation> = wanted.generations.iter().collect();
    generations.sort_by_key(|generation| std::cmp::Reverse(generation.number));
    let mut entries = Vec::new();
    for generation in generations {
        let specials = generation.specialisations.iter().map(|(name, special)| (Some(name), special));
        for (specialisation, bootable) in [(None, &generation.main)].into_iter().chain(specials) {
            let id = EntryId { generation: generation.number, specialisation: specialisation.cloned() };
            let text = entry_plan(wanted, &id, bootable).render()?;
            let files = [Some(bootable.kernel.clone()), bootable.initrd.clone()].into_iter().flatten().collect();
            entries.push(WantedEntry { id, text, files });
        }
    }
    Ok(entries)
}

fn entry_plan(wanted: &Wanted, id: &EntryId, bootable: &Bootable) -> EntryPlan {
    let special = id.specialisation.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    // The menu lists the highest version first; `~` sorts a specialisation after its generation and before the next.
    let order = id.specialisation.as_ref().map_or(String::new(), |name| format!("~{name}"));
    EntryPlan {
        id: id.clone(),
        title: format!("{}, generation {}{special}", wanted.title, id.generation),
        version: format!("{}{order} {}", id.generation, bootable.label),
        machine_id: wanted.machine_id.clone(),
        linux: bootable.kernel.path.clone(),
        initrd: bootable.initrd.as_ref().map(|initrd| initrd.path.clone()),
        options: bootable.options.clone(),
    }
}

struct Planner<'a> {
    observed: &'a Observed,
    wanted: &'a Wanted,
    selection: Selection<'a>,
}

impl Planner<'_> {
    fn plan(&self) -> EspPlan {
        let (observed, selection) = (self.observed, &self.selection);
        let mut plan = EspPlan { without_entry: selection.without_entry.clone(), ..EspPlan::default() };
        plan.remove(observed, &selection.early_entries);
        plan.remove(observed, &selection.early_files);
        let copies = selection.missing_files(observed);
        let writes = selection.entry_writes(observed, self.wanted.tries);
        let loader_conf = self.loader_conf();
        let programs = self.programs(&mut plan.kept_programs);
        let targets = copies.iter().chain(&programs).map(|file| &file.path);
        let targets = targets.chain(writes.iter().chain(&loader_conf).map(|(path, _)| path));
        plan.operations.extend(missing_directories(observed, targets).into_iter().map(Operation::CreateDirectory));
        plan.synced(copies.into_iter().map(Operation::Copy));
        let write = |(path, contents): (EspPath, String)| Operation::Write { path, contents };
        // The default's entry and the default before all others: while `loader.conf` still holds a pattern, any other new
        // entry could be what boots.
        let default_path = present_entry(observed, &self.wanted.default).map(|entry| entry.path.clone());
        let is_default = |path: &EspPath| match &default_path {
            Some(present) => path == present,
            None => EntryFileName::parse(path.name()).is_some_and(|name| name.id == self.wanted.default),
        };
        let (first, rest): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(path, _)| is_default(path));
        plan.synced(first.into_iter().map(write));
        plan.synced(loader_conf.into_iter().map(write));
        plan.synced(rest.into_iter().map(write));
        for program in programs {
            plan.synced([Operation::Copy(program)]);
        }
        plan.remove(observed, &selection.late_entries);
        plan.remove(observed, &selection.late_files);
        plan
    }

    /// `loader.conf`, if it is not as wanted.
    fn loader_conf(&self) -> Option<(EspPath, String)> {
        let wanted = self.wanted.generations.iter().map(|generation| generation.number);
        let present = self.observed.ours().map(|(name, _)| name.id.generation);
        let is_newest = wanted.chain(present).max() == Some(self.wanted.default.generation)
            && self.wanted.default.specialisation.is_none();
        // A fixed name would be booted again however often it failed.
        let default = match self.wanted.tries {
            Some(_) if is_newest => ANY_ENTRY.to_owned(),
            _ => self.wanted.default.file_name(),
        };
        let text = self.wanted.settings.render(&default);
        (self.observed.loader_conf.as_ref() != Some(&text)).then(|| (EspPath::new(LOADER_CONF), text))
    }

    /// systemd-boot at its places, where it is missing or older.
    fn programs(&self, kept: &mut Vec<EspPath>) -> Vec<BootFile> {
        let mut files = Vec::new();
        let Some(loader) = &self.wanted.systemd_boot else {
            return files;
        };
        for path in [loader.architecture.systemd_boot_path(), loader.architecture.fallback_path()] {
            match self.observed.programs.get(&path) {
                Some(present) if present.digest == loader.program.digest => {}
                Some(present) if !present.gives_way_to(&loader.program) => kept.push(path),
                _ => {
                    let source = loader.source.clone();
                    files.push(BootFile { path, source, size_bytes: loader.program.size_bytes });
                }
            }
        }
        files
    }
}

impl Selection<'_> {
    /// Kernels and initrds that are not on the ESP, each once.
    pub(crate) fn missing_files(&self, observed: &Observed) -> Vec<BootFile> {
        let wanted: BTreeMap<&EspPath, &BootFile> =
            self.entries.iter().flat_map(|entry| &entry.files).map(|file| (&file.path, file)).collect();
        let missing = wanted.into_values().filter(|file| !observed.has(&file.path, file.size_bytes));
        missing.cloned().collect()
    }

    /// Entries that are missing or say something else. One that exists keeps its name and with it its counter.
    pub(crate) fn entry_writes(&self, observed: &Observed, tries: Option<u32>) -> Vec<(EspPath, String)> {
        let mut writes = Vec::new();
        for entry in &self.entries {
            match present_entry(observed, &entry.id) {
                Some(present) if present.text == entry.text => {}
                Some(present) => writes.push((present.path.clone(), entry.text.clone())),
                None => {
                    let counter = tries.map(|left| Counter { left, done: 0 });
                    let name = EntryFileName { id: entry.id.clone(), counter };
                    writes.push((EspPath::new(ENTRIES).join(&name.to_string()), entry.text.clone()));
                }
            }
        }
        writes
    }
}

/// The file of an entry: of several, the one known to be good.
pub(crate) fn present_entry<'a>(observed: &'a Observed, id: &EntryId) -> Option<&'a ObservedEntry> {
    let of_id = observed.ours().filter(|(name, _)| name.id == *id);
    of_id.min_by_key(|(name, _)| name.counter.is_some()).map(|(_, entry)| entry)
}

/// Whether a name in our folder is one that we gave.
pub(crate) fn is_ours(path: &EspPath) -> bool {
    let name = path.name().strip_suffix(TEMPORARY_SUFFIX).unwrap_or(path.name());
    let is_hash = |hash: &str| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stem = name.strip_suffix("-kernel.efi").or_else(|| name.strip_suffix("-initrd.efi"));
    path.parent() == EspPath::new(CONTENT_DIRECTORY) && stem.is_some_and(is_hash)
}

fn missing_directories<'a>(observed: &Observed, files: impl Iterator<Item = &'a EspPath>) -> BTreeSet<EspPath> {
    let mut missing = BTreeSet::new();
    for file in files {
        let mut directory = file.parent();
        while !observed.directories.contains(&directory) && directory != EspPath::root() {
            let parent = directory.parent();
            missing.insert(std::mem::replace(&mut directory, parent));
        }
    }
    missing
}

impl EspPlan {
    /// Adds operations and a sync behind them, unless nothing happened since the last.
    fn synced(&mut self, operations: impl IntoIterator<Item = Operation>) {
        self.operations.extend(operations);
        if !matches!(self.operations.last(), None | Some(Operation::Sync)) {
            self.operations.push(Operation::Sync);
        }
    }

    fn remove(&mut self, observed: &Observed, files: &[EspPath]) {
        let size = |path: &EspPath| observed.files.get(path).copied().unwrap_or(0);
        self.synced(files.iter().map(|path| Operation::Remove { path: path.clone(), size_bytes: size(path) }));
    }

    /// Whether the ESP already is as wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The host files that the plan copies.
    pub fn sources(&self) -> impl Iterator<Item = &PathBuf> {
        self.operations.iter().filter_map(|operation| match operation {
            Operation::Copy(file) => Some(&file.source),
            _ => None,
        })
    }

    /// The plan in words, one line per operation.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for operation in &self.operations {
            // Writing to a string cannot fail.
            let _ = match operation {
                Operation::CreateDirectory(path) => writeln!(text, "create {path}/"),
                Operation::Copy(BootFile { path, source, size_bytes }) => {
                    writeln!(text, "copy {} to {path} ({})", source.display(), mebibytes(*size_bytes))
                }
                Operation::Write { path, contents } if *path == EspPath::new(LOADER_CONF) => {
                    let default = contents.lines().next().unwrap_or_default();
                    writeln!(text, "write {path}: {default}")
                }
                Operation::Write { path, .. } => writeln!(text, "write {path}"),
                Operation::Remove { path, size_bytes } => {
                    writeln!(text, "remove {path} ({})", mebibytes(*size_bytes))
                }
                Operation::Sync => Ok(()),
            };
        }
        for generation in &self.without_entry {
            let _ = writeln!(text, "generation {generation} has no boot entry");
        }
        for path in &self.kept_programs {
            let _ = writeln!(text, "keep {path}, which is newer or another boot loader");
        }
        match text.is_empty() {
            true => "the EFI system partition is up to date\n".to_owned(),
            false => text,
        }
    }
}

fn mebibytes(size_bytes: u64) -> String {
    match size_bytes {
        0..=1_048_575 => format!("{size_bytes} bytes"),
        _ => format!("{}.{} MiB", size_bytes >> 20, ((size_bytes & 0xf_ffff) * 10) >> 20),
    }
}
