//! What a generation wants to boot: `boot.json` (bootspec version 1) and the files it names.
//!
//! Reads the toplevel and hashes kernel and initrd; knows nothing of the ESP's state. Source: the bootspec RFC (NixOS
//! RFC 125).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::esp::EspPath;

/// The folder of kernels and initrds on the ESP.
pub const CONTENT_DIRECTORY: &str = "EFI/esker";

/// A kernel or initrd: a file of this host and its name on the ESP, which its contents determine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFile {
    /// Where it goes.
    pub path: EspPath,
    /// Where it is on this host.
    pub source: PathBuf,
    /// Its length.
    pub size_bytes: u64,
}

/// One thing that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootable {
    /// The kernel.
    pub kernel: BootFile,
    /// The initrd.
    pub initrd: Option<BootFile>,
    /// `init=` and the configuration's kernel parameters.
    pub options: Vec<String>,
    /// What it is called, such as a distribution's version.
    pub label: String,
    /// The Nix system it runs on.
    pub system: String,
}

/// A generation of the system profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u32,
    /// The generation itself.
    pub main: Bootable,
    /// Its specialisations by name.
    pub specialisations: BTreeMap<String, Bootable>,
}

/// Why a generation cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// A file of the generation cannot be read.
    #[error("cannot read a file of generation {number}")]
    Read {
        /// The generation.
        number: u32,
        /// Why, with the path.
        #[source]
        source: io::Error,
    },
    /// `boot.json` is not bootspec version 1.
    #[error("`{path}` of generation {number} is not a bootspec of version 1")]
    Bootspec {
        /// The generation.
        number: u32,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A specialisation's name cannot be part of a file name.
    #[error(
        "the specialisation `{name}` of generation {number} cannot be a boot entry; use letters, digits, `_`, `.` and `-`"
    )]
    SpecialisationName {
        /// The generation.
        number: u32,
        /// The name.
        name: String,
    },
}

/// Reads generations, each kernel and initrd once however many generations share it.
pub struct GenerationReader<'a> {
    resolve: &'a dyn Fn(&str) -> PathBuf,
    hashed: BTreeMap<PathBuf, (String, u64)>,
}

#[derive(Deserialize)]
struct BootJson {
    #[serde(rename = "org.nixos.bootspec.v1")]
    bootspec: Bootspec,
    #[serde(rename = "org.nixos.specialisation.v1", default)]
    specialisations: BTreeMap<String, BootJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bootspec {
    init: String,
    initrd: Option<String>,
    kernel: String,
    kernel_params: Vec<String>,
    label: String,
    system: String,
}

impl<'a> GenerationReader<'a> {
    /// A reader; `resolve` says where on this host a store path's file is (the store may be kept elsewhere).
    #[must_use]
    pub fn new(resolve: &'a dyn Fn(&str) -> PathBuf) -> Self {
        GenerationReader { resolve, hashed: BTreeMap::new() }
    }

    /// Reads the generation whose toplevel is this store path.
    ///
    /// Errors when `boot.json` or a file that it names is missing or malformed.
    pub fn load(&mut self, number: u32, toplevel: &str) -> Result<Generation, GenerationError> {
        let path = (self.resolve)(&format!("{toplevel}/boot.json"));
        let text = fs_err::read(&path).map_err(|source| GenerationError::Read { number, source })?;
        let json: BootJson =
            serde_json::from_slice(&text).map_err(|source| GenerationError::Bootspec { number, path, source })?;
        let mut specialisations = BTreeMap::new();
        for (name, special) in json.specialisations {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            if name.is_empty() || !name.bytes().all(fits) {
                return Err(GenerationError::SpecialisationName { number, name });
            }
            specialisations.insert(name, self.bootable(number, special.bootspec)?);
        }
        Ok(Generation { number, main: self.bootable(number, json.bootspec)?, specialisations })
    }

    fn bootable(&mut self, number: u32, bootspec: Bootspec) -> Result<Bootable, GenerationError> {
        let mut options = vec![format!("init={}", bootspec.init)];
        options.extend(bootspec.kernel_params);
        let mut file = |store_path: &str, kind| {
            self.file(store_path, kind).map_err(|source| GenerationError::Read { number, source })
        };
        Ok(Bootable {
            kernel: file(&bootspec.kernel, "kernel")?,
            initrd: bootspec.initrd.map(|initrd| file(&initrd, "initrd")).transpose()?,
            options,
            label: bootspec.label,
            system: bootspec.system,
        })
    }

    fn file(&mut self, store_path: &str, kind: &str) -> io::Result<BootFile> {
        let source = (self.resolve)(store_path);
        let (hash, size_bytes) = match self.hashed.get(&source) {
            Some(known) => known.clone(),
            None => {
                let known = hash_file(&source)?;
                self.hashed.insert(source.clone(), known.clone());
                known
            }
        };
        let path = EspPath::new(CONTENT_DIRECTORY).join(&format!("{hash}-{kind}.efi"));
        Ok(BootFile { path, source, size_bytes })
    }
}

/// The first half of a file's SHA-256 in hexadecimal, and its length.
fn hash_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size_bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                size_bytes += count as u64;
            }
        }
    }
    let digest = hasher.finalize();
    Ok((digest[..16].iter().map(|byte| format!("{byte:02x}")).collect(), size_bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::{GenerationError, GenerationReader};

    const BOOT_JSON: &str = r#"{
        "org.nixos.bootspec.v1": {
            "init": "/nix/store/t/init", "initrd": "/nix/store/i/initrd", "kernel": "/nix/store/k/vmlinuz",
            "kernelParams": ["quiet", "console=ttyS0"], "label": "13.2 (Linux 6.12)", "system": "x86_64-linux",
            "toplevel": "/nix/store/t"
        },
        "org.nixos.specialisation.v1": { "NAME": { "org.nixos.bootspec.v1": {
            "init": "/nix/store/s/init", "kernel": "/nix/store/k/vmlinuz", "kernelParams": [], "label": "special",
            "system": "x86_64-linux", "toplevel": "/nix/store/s"
        } } },
        "org.example.extension.v1": { "anything": true }
    }"#;

    fn store(boot_json: &str) -> TempDir {
        let directory = TempDir::new().unwrap();
        for (path, contents) in [("t/boot.json", boot_json), ("i/initrd", "INITRD"), ("k/vmlinuz", "KERNEL")] {
            let path = directory.path().join("nix/store").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        directory
    }

    fn load(boot_json: &str) -> Result<super::Generation, GenerationError> {
        let store = store(boot_json);
        let resolve = |path: &str| store.path().join(path.trim_start_matches('/'));
        GenerationReader::new(&resolve).load(4, "/nix/store/t")
    }

    #[test]
    fn boot_json_becomes_a_generation() {
        let generation = load(&BOOT_JSON.replace("NAME", "gnome")).unwrap();
        assert_eq!(generation.main.options, ["init=/nix/store/t/init", "quiet", "console=ttyS0"]);
        assert_eq!(generation.main.initrd.unwrap().size_bytes, 6);
        // sha256("KERNEL"), first half.
        assert_eq!(generation.main.kernel.path.to_string(), "/EFI/esker/a204d4ad1de3e9b07751899e5cf4d4a3-kernel.efi");
        let special = &generation.specialisations["gnome"];
        assert_eq!(special.kernel, generation.main.kernel);
        assert_eq!(special.initrd, None);
    }

    #[test]
    fn what_cannot_be_an_entry_is_refused() {
        assert!(
            matches!(load(&BOOT_JSON.replace("NAME", "a+1")), Err(GenerationError::SpecialisationName { name, .. }) if name == "a+1")
        );
        assert!(matches!(load("{}"), Err(GenerationError::Bootspec { number: 4, .. })));
        assert!(matches!(load(&BOOT_JSON.replace("/i/", "/absent/")), Err(GenerationError::Read { .. })));
    }
}
