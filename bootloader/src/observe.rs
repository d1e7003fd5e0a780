//! What the ESP holds now.
//!
//! Looks only where Esker's files can be; whatever else is on the ESP is never listed and so never touched.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::entry::{EntryFileName, EntryId, referenced_files};
use crate::esp::{EspError, EspFs, EspPath, Space};
use crate::generation::CONTENT_DIRECTORY;
use crate::loader::{Architecture, ENTRIES, LOADER_CONF, Program, parse_default};

/// Directories that are looked into.
const DIRECTORIES: [&str; 7] = ["", "EFI", "EFI/BOOT", "EFI/systemd", CONTENT_DIRECTORY, "loader", ENTRIES];
/// EFI programs larger than this are not systemd-boot and are not read.
const PROGRAM_LIMIT_BYTES: u64 = 4 << 20;

/// An entry on the ESP, ours or another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEntry {
    /// Its file.
    pub path: EspPath,
    /// Its parsed name; nothing if it is not one of ours.
    pub name: Option<EntryFileName>,
    /// Its text.
    pub text: String,
}

/// The state of an ESP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Directories that exist, of those that matter.
    pub directories: BTreeSet<EspPath>,
    /// Files in them and their lengths.
    pub files: BTreeMap<EspPath, u64>,
    /// Entries, by path.
    pub entries: Vec<ObservedEntry>,
    /// `loader.conf`.
    pub loader_conf: Option<String>,
    /// EFI programs at systemd-boot's places.
    pub programs: BTreeMap<EspPath, Program>,
    /// The room there is.
    pub space: Space,
}

impl Observed {
    /// Reads an ESP.
    ///
    /// Errors when it cannot be read.
    pub fn read(esp: &mut dyn EspFs) -> Result<Self, EspError> {
        let mut directories = BTreeSet::from([EspPath::root()]);
        let mut files = BTreeMap::new();
        for directory in DIRECTORIES.map(EspPath::new) {
            for entry in esp.list(&directory)? {
                let path = directory.join(&entry.name);
                match entry.size_bytes {
                    Some(size_bytes) => drop(files.insert(path, size_bytes)),
                    None => drop(directories.insert(path)),
                }
            }
        }
        let is_entry = |path: &&EspPath| {
            path.parent() == EspPath::new(ENTRIES) && path.name().to_ascii_lowercase().ends_with(".conf")
        };
        let mut entries = Vec::new();
        for path in files.keys().filter(is_entry) {
            let text = String::from_utf8_lossy(&esp.read(path)?).into_owned();
            entries.push(ObservedEntry { path: path.clone(), name: EntryFileName::parse(path.name()), text });
        }
        let mut programs = BTreeMap::new();
        for architecture in [Architecture::X64, Architecture::Aa64] {
            for path in [architecture.fallback_path(), architecture.systemd_boot_path()] {
                match files.get(&path) {
                    Some(size_bytes) if *size_bytes <= PROGRAM_LIMIT_BYTES => {
                        programs.insert(path.clone(), Program::inspect(&esp.read(&path)?));
                    }
                    Some(size_bytes) => {
                        let other = Program { systemd_boot: None, digest: [0; 32], size_bytes: *size_bytes };
                        programs.insert(path, other);
                    }
                    None => {}
                }
            }
        }
        let conf = EspPath::new(LOADER_CONF);
        let loader_conf = match files.contains_key(&conf) {
            true => Some(String::from_utf8_lossy(&esp.read(&conf)?).into_owned()),
            false => None,
        };
        Ok(Observed { directories, files, entries, loader_conf, programs, space: esp.space()? })
    }

    /// Our entries.
    pub fn ours(&self) -> impl Iterator<Item = (&EntryFileName, &ObservedEntry)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_ref()?, entry)))
    }

    /// Our entry that would boot if nobody touches a key: `loader.conf`'s default, else the newest with tries left.
    #[must_use]
    pub fn default_entry(&self) -> Option<&EntryId> {
        let pattern = self.loader_conf.as_deref().and_then(parse_default);
        let matches = |id: &EntryId| pattern.as_ref().is_some_and(|pattern| glob(pattern, &id.file_name()));
        let best = |filter: &dyn Fn(&EntryId) -> bool| {
            let candidates = self.ours().map(|(name, _)| name).filter(|name| filter(&name.id));
            let rank = |name: &&EntryFileName| {
                let exhausted = name.counter.is_some_and(|counter| counter.left == 0);
                (!exhausted, name.id.generation, Reverse(name.id.specialisation.clone()))
            };
            candidates.max_by_key(rank).map(|name| &name.id)
        };
        best(&matches).or_else(|| best(&|_| true))
    }

    /// The newest of our entries that is known to boot: it has no counter, or never had one.
    #[must_use]
    pub fn last_blessed(&self) -> Option<&EntryId> {
        let blessed = self.ours().map(|(name, _)| name).filter(|name| name.counter.is_none());
        blessed.map(|name| &name.id).max_by_key(|id| (id.generation, Reverse(id.specialisation.clone())))
    }

    /// Whether a file is there, whole as far as its length tells.
    #[must_use]
    pub fn has(&self, path: &EspPath, size_bytes: u64) -> bool {
        self.files.get(path) == Some(&size_bytes)
    }

    /// The files that these entries need.
    pub(crate) fn files_of<'a>(entries: impl Iterator<Item = &'a str>) -> BTreeSet<EspPath> {
        entries.flat_map(referenced_files).collect()
    }
}

/// Shell patterns as far as `loader.conf` has use for them: `*` and `?`.
fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), first) => {
            glob(&pattern[1..], text) || first.is_some_and(|first| glob(pattern, &text[first.len_utf8()..]))
        }
        (Some(wanted), Some(first)) if wanted == '?' || wanted.eq_ignore_ascii_case(&first) => {
            glob(&pattern[wanted.len_utf8()..], &text[first.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_match_like_the_loaders() {
        for (pattern, text, verdict) in [
            ("esker-1.conf", "esker-1.conf", true),
            ("ESKER-1.conf", "esker-1.conf", true),
            ("esker-*", "esker-12-gnome.conf", true),
            ("esker-?.conf", "esker-12.conf", false),
            ("*.conf", "x.conf", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, text), verdict, "{pattern} {text}");
        }
    }
}
