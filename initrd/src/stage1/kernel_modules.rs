//! The phases that load kernel modules: those listed, and those that the hardware asks for.
//! Source: the kernel's `Documentation/driver-api/driver-model` (modalias files in sysfs).

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use syscalls::kernel_modules::{ModuleFile, load};
use syscalls::network::DeviceEvents;
use syscalls::{Errno, SyscallError};

use super::error::{Stage1Error, chain};
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
    /// Device descriptions that were looked up.
    seen: BTreeSet<String>,
    /// Announces devices that appear after the first look.
    pub(super) events: DeviceEvents,
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

/// Loads the modules that the hardware asks for.
pub(super) fn load_for_devices(boot: &mut Boot) -> Result<(), Stage1Error> {
    if let Some(loader) = &mut boot.modules {
        loader.load_for_devices(Path::new("/sys/devices"), &boot.report);
    }
    Ok(())
}

impl ModuleLoader {
    /// Reads the index of the running kernel's modules. An initrd without modules has none, which is fine for a kernel
    /// that needs none.
    fn open(modules: &Path) -> Result<Self, Stage1Error> {
        let kernel = syscalls::system::kernel_release()?
            .to_string_lossy()
            .into_owned();
        let folder = modules.join(&kernel);
        let text = |name: &str| {
            let path = folder.join(name);
            if path.exists() {
                read_text(&path)
            } else {
                Ok(String::new())
            }
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
            events: DeviceEvents::listen()?,
        })
    }

    /// Loads a module and what it depends on. Errors when it does not exist or refuses.
    pub(super) fn load(&mut self, name: &str, report: &Report) -> Result<(), Stage1Error> {
        let order = self
            .index
            .loading_order(name)
            .ok_or_else(|| Stage1Error::NoModule {
                module: name.to_owned(),
                kernel: self.kernel.clone(),
            })?;
        for loading in order {
            if !self.tried.insert(loading.file.to_owned()) {
                continue;
            }
            let module = module_name(loading.file);
            match (
                load_file(&self.folder.join(loading.file), &module),
                loading.need,
            ) {
                (Ok(()), _) => {}
                (Err(error), Need::Optional) => {
                    report.info(&format!("not loaded: {}", chain(&error)))
                }
                (Err(source), Need::Required) => {
                    return Err(Stage1Error::Module { module, source });
                }
            }
        }
        Ok(())
    }

    /// Loads modules for all devices there are, until no new devices come of it.
    ///
    /// A module that refuses is only reported: a device that the boot does not need must not stop it, and one that it
    /// needs will be missed by name.
    pub(super) fn load_for_devices(&mut self, devices: &Path, report: &Report) {
        loop {
            let mut found = BTreeSet::new();
            collect_modaliases(devices, &mut found);
            if !self.load_for(found, report) {
                return;
            }
        }
    }

    /// Loads modules for these device descriptions; says whether any was new.
    pub(super) fn load_for(&mut self, modaliases: BTreeSet<String>, report: &Report) -> bool {
        let mut any = false;
        for modalias in modaliases {
            if !self.seen.insert(modalias.clone()) {
                continue;
            }
            any = true;
            let names: Vec<String> = self
                .index
                .matching(&modalias)
                .into_iter()
                .map(str::to_owned)
                .collect();
            for name in names {
                if let Err(error) = self.load(&name, report) {
                    report.warning(&chain(&error));
                }
            }
        }
        any
    }
}

fn load_file(path: &Path, module: &str) -> Result<(), SyscallError> {
    let file = File::open(path)
        .map_err(|error| SyscallError::io("open", path.display().to_string(), &error))?;
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
        assert_eq!(
            found,
            BTreeSet::from(["pci:v00001AF4".into(), "virtio:d00000002v00001AF4".into()])
        );
    }
}
