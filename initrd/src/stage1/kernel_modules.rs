//! Loading kernel modules: those listed, and those that the hardware asks for.
//!
//! Stage 1 loads modules for hardware only while a device is missing, the cheapest first: with the disk on virtio there
//! is no need to wait for SATA and USB. What is left is loaded by udev, when the system runs.
//! Source: the kernel's `Documentation/driver-api/driver-model` (modalias files in sysfs).

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diagnostics::one_line;
use syscalls::clock::wait_readable;
use syscalls::kernel_modules::{ModuleFile, load};
use syscalls::network::DeviceEvents;
use syscalls::{Errno, SyscallError};

use super::error::Stage1Error;
use super::report::Report;
use super::{Boot, read_text};
use crate::modules::{IndexTexts, ModuleIndex, Need, module_name};

/// Loads modules of the running kernel, each once.
pub(super) struct ModuleLoader {
    folder: PathBuf,
    kernel: String,
    index: ModuleIndex,
    /// Files that were loaded or refused.
    tried: BTreeSet<String>,
    /// What devices said about themselves that was looked up.
    seen: BTreeSet<String>,
    /// Modules that a device asks for and that were not needed yet.
    waiting: BTreeSet<String>,
    /// Announces devices that appear after the first look.
    events: DeviceEvents,
}

/// Loads the modules that the settings list.
pub(super) fn load_listed(boot: &mut Boot) -> Result<(), Stage1Error> {
    let mut loader = ModuleLoader::open(Path::new("/lib/modules"))?;
    for name in &boot.settings.load {
        loader.load(name, &boot.report)?;
    }
    boot.modules = Some(loader);
    Ok(())
}

/// Looks at what the hardware asks for, and loads nothing yet.
pub(super) fn look_at_devices(boot: &mut Boot) -> Result<(), Stage1Error> {
    if let Some(loader) = &mut boot.modules {
        loader.look_at_devices();
    }
    Ok(())
}

impl ModuleLoader {
    /// Reads the index of the running kernel's modules. An initrd without modules has none, which is fine for a kernel
    /// that needs none.
    fn open(modules: &Path) -> Result<Self, Stage1Error> {
        let kernel = syscalls::system::kernel_release()?.to_string_lossy().into_owned();
        let folder = modules.join(&kernel);
        let text = |name: &str| {
            let path = folder.join(name);
            if path.exists() { read_text(&path) } else { Ok(String::new()) }
        };
        let texts = IndexTexts {
            dep: text("modules.dep")?,
            alias: text("modules.alias")?,
            softdep: text("modules.softdep")?,
            builtin: text("modules.builtin")?,
        };
        Ok(Self {
            index: ModuleIndex::parse(&texts),
            folder,
            kernel,
            tried: BTreeSet::new(),
            seen: BTreeSet::new(),
            waiting: BTreeSet::new(),
            events: DeviceEvents::listen()?,
        })
    }

    /// Loads a module and what it depends on. Errors when it does not exist or refuses.
    pub(super) fn load(&mut self, name: &str, report: &Report) -> Result<(), Stage1Error> {
        let order = self
            .index
            .loading_order(name)
            .ok_or_else(|| Stage1Error::NoModule { module: name.to_owned(), kernel: self.kernel.clone() })?;
        for loading in order {
            if !self.tried.insert(loading.file.to_owned()) {
                continue;
            }
            let module = module_name(loading.file);
            match (load_file(&self.folder.join(loading.file), &module), loading.need) {
                (Ok(()), _) => {}
                (Err(error), Need::Optional) => report.info(&format!("not loaded: {}", one_line(&error))),
                (Err(source), Need::Required) => {
                    return Err(Stage1Error::Module { module, source });
                }
            }
        }
        Ok(())
    }

    /// Loads the module that takes the least of those that devices ask for; says whether there was one.
    ///
    /// A module that refuses is only reported: a device that the boot does not need must not stop it, and one that it
    /// needs will be missed by name.
    pub(super) fn load_next(&mut self, report: &Report) -> bool {
        let next = self.waiting.iter().min_by_key(|name| self.cost(name)).cloned();
        let Some(name) = next else {
            return false;
        };
        self.waiting.remove(&name);
        if let Err(error) = self.load(&name, report) {
            report.warning(&one_line(&error));
        }
        true
    }

    /// How many files have to be loaded for a module.
    fn cost(&self, name: &str) -> usize {
        let order = self.index.loading_order(name).unwrap_or_default();
        order.iter().filter(|loading| !self.tried.contains(loading.file)).count()
    }

    /// Notes what has been announced since the last look.
    pub(super) fn look_at_events(&mut self) -> Result<(), Stage1Error> {
        while let Some(event) = self.events.next()? {
            if event.is_empty() {
                // Announcements were lost.
                self.look_at_devices();
            }
            for modalias in event.iter().filter_map(|line| line.strip_prefix("MODALIAS=")) {
                self.ask_for(modalias);
            }
        }
        Ok(())
    }

    /// Waits until something is announced or the time is up.
    pub(super) fn wait_for_event(&self, limit: Duration) -> Result<(), Stage1Error> {
        wait_readable(self.events.as_fd(), Some(limit))?;
        Ok(())
    }

    fn look_at_devices(&mut self) {
        let mut found = BTreeSet::new();
        collect_modaliases(Path::new("/sys/devices"), &mut found);
        for modalias in found {
            self.ask_for(&modalias);
        }
    }

    fn ask_for(&mut self, modalias: &str) {
        if self.seen.insert(modalias.to_owned()) {
            let modules = self.index.matching(modalias);
            self.waiting.extend(modules.into_iter().map(str::to_owned));
        }
    }
}

fn load_file(path: &Path, module: &str) -> Result<(), SyscallError> {
    let file = File::open(path).map_err(|error| SyscallError::io("open", path.display().to_string(), &error))?;
    let form = match path.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => ModuleFile::Plain,
        _ => ModuleFile::Compressed,
    };
    match load(&file, module, "", form) {
        // Another device asked for it first.
        Err(error) if error.errno == Errno::EEXIST => Ok(()),
        result => result,
    }
}

/// The contents of all `modalias` files below a folder of sysfs. What cannot be read belongs to a device that just went.
fn collect_modaliases(folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect_modaliases(&entry.path(), found),
            Ok(kind) if kind.is_file() && entry.file_name() == "modalias" => {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                let text = text.trim_end();
                if !text.is_empty() {
                    found.insert(text.to_owned());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_what_devices_say_about_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("pci0000:00/0000:00:01.0/virtio0");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("modalias"), "virtio:d00000002v00001AF4\n").unwrap();
        std::fs::write(device.parent().unwrap().join("modalias"), "pci:v00001AF4\n").unwrap();
        std::fs::write(dir.path().join("modalias"), "\n").unwrap();
        let mut found = BTreeSet::new();
        collect_modaliases(dir.path(), &mut found);
        assert_eq!(found, BTreeSet::from(["pci:v00001AF4".into(), "virtio:d00000002v00001AF4".into()]));
    }
}
