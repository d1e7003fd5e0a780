//! What the boot partition of a state starts, looked at as the firmware and systemd-boot do.

use std::collections::BTreeMap;
use std::ops::Range;

use bootloader::entry::referenced_files;
use bootloader::esp::{EspError, EspFs, EspPath, with_fat_esp};
use bootloader::generation::CONTENT_DIRECTORY;
use bootloader::loader::parse_default;
use bootloader::observe::{Observed, ObservedEntry};
use disk_formats::fat::FatError;
use disk_formats::window::Window;
use sha2::{Digest, Sha256};
use stories::power_cut::Replay;

/// What can be started, as toplevels.
#[derive(Debug)]
pub(crate) struct Starts {
    /// By itself.
    pub(crate) default: String,
    /// From the menu.
    pub(crate) all: Vec<String>,
}

/// A boot partition, and what has been seen of its files in earlier states.
pub(crate) struct Esp {
    place: Range<u64>,
    // A file whose content has been hashed need only be compared.
    whole: BTreeMap<EspPath, Vec<u8>>,
}

impl Esp {
    pub(crate) fn new(place: Range<u64>) -> Self {
        Self { place, whole: BTreeMap::new() }
    }

    /// Errors, in words, when not all of it is whole.
    pub(crate) fn check(&mut self, disk: &mut Replay) -> Result<Starts, String> {
        // Opening and closing the filesystem writes to it.
        let looked = disk.without_trace(|disk| {
            let mut volume =
                Window::new(disk, self.place.start, self.place.end - self.place.start).map_err(FatError::Open)?;
            with_fat_esp(&mut volume, |esp| self.look(esp).map_err(Failed::Content))
        });
        match looked.map_err(|error| error.to_string())? {
            Ok(starts) => Ok(starts),
            Err(Failed::Content(problem)) => Err(problem),
            Err(Failed::Filesystem(error)) => Err(format!("{error}: {error:?}")),
        }
    }

    fn look(&mut self, esp: &mut dyn EspFs) -> Result<Starts, String> {
        let observed = Observed::read(esp).map_err(words)?;
        let mut all = BTreeMap::new();
        // Linux renames a FAT file in two steps: the new name is empty at first. The menu passes over an entry without a
        // kernel; as the default it would be missing below.
        for entry in observed.entries.iter().filter(|entry| !entry.text.is_empty()) {
            all.insert(entry.path.name().to_owned(), self.entry(esp, entry)?);
        }
        let programs = observed.programs.values().filter(|program| program.systemd_boot.is_some()).count();
        if programs == 0 {
            return Err(format!("no systemd-boot: {:?}", observed.programs));
        }
        let default = observed.loader_conf.as_deref().and_then(parse_default).ok_or("loader.conf names no default")?;
        let started = all.get(&default).ok_or(format!("the default {default} is not among {all:?}"))?;
        Ok(Starts { default: started.clone(), all: all.into_values().collect() })
    }

    /// Checks that an entry and its files are whole; returns its toplevel.
    fn entry(&mut self, esp: &mut dyn EspFs, entry: &ObservedEntry) -> Result<String, String> {
        let name = &entry.path;
        let files = referenced_files(&entry.text);
        if files.len() != 2 {
            return Err(format!("{name:?} names {files:?}, not a kernel and an initrd: {:?}", entry.text));
        }
        for file in &files {
            self.file(esp, file).map_err(|error| format!("{name:?}: {error}"))?;
        }
        let init = entry.text.split_whitespace().find_map(|word| word.strip_prefix("init="));
        let toplevel = init.and_then(|init| init.strip_suffix("/init"));
        toplevel.map(str::to_owned).ok_or(format!("{name:?} has no init: {:?}", entry.text))
    }

    /// Checks that a file is what its name says.
    fn file(&mut self, esp: &mut dyn EspFs, path: &EspPath) -> Result<(), String> {
        if path.parent() != EspPath::new(CONTENT_DIRECTORY) {
            return Err(format!("{path:?} lies elsewhere"));
        }
        let content = esp.read(path).map_err(words)?;
        if self.whole.get(path).is_some_and(|whole| *whole == content) {
            return Ok(());
        }
        let digest: String = Sha256::digest(&content)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        if !path.name().starts_with(&format!("{digest}-")) {
            return Err(format!("{path:?} has the hash {digest}"));
        }
        self.whole.insert(path.clone(), content);
        Ok(())
    }
}

fn words(error: EspError) -> String {
    format!("{error}: {:?}", error.source)
}

enum Failed {
    Content(String),
    Filesystem(FatError),
}

impl From<FatError> for Failed {
    fn from(error: FatError) -> Self {
        Self::Filesystem(error)
    }
}
