//! A store with small systems in it, and tools to look into images.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use bootloader::entry::EntryId;
use bootloader::loader::{Architecture, Editor, LoaderSettings, MenuTimeout, SystemdBoot};
use disk_formats::gpt::DiskLayout;
use images::{BootSettings, ImageGeneration, ImageRequest, Sizes};
use nix_formats::StorePath;
use store::{Store, StoreOptions};
use tempfile::TempDir;

/// A store in a folder of its own.
pub struct Machine {
    pub folder: TempDir,
    pub store: Store,
}

impl Machine {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(StoreOptions::new(folder.path().join("root"))).unwrap();
        fs::write(folder.path().join("boot.efi"), "MZ #### LoaderInfo: systemd-boot 257.8 ####").unwrap();
        Machine { folder, store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts files (path, contents) at a store path of this name and registers it.
    pub fn add(&self, name: &str, references: &[&StorePath], files: &[(&str, Vec<u8>)]) -> StorePath {
        let hash: String = name.bytes().chain([b'0'; 32]).map(hash_digit).take(32).collect();
        let path = StorePath::from_base_name(&format!("{hash}-{name}")).unwrap();
        let place = self.store.physical(&path);
        for (file, contents) in files {
            let file = place.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, contents).unwrap();
        }
        symlink("usr/bin", place.join("bin")).unwrap();
        let references: BTreeSet<StorePath> = references.iter().map(|path| (*path).clone()).collect();
        self.store.register_in_place(&path, references).unwrap();
        path
    }

    /// A system of a name, which shares its kernel with every other.
    pub fn toplevel(&self, name: &str) -> StorePath {
        self.system(name, Vec::new())
    }

    /// A system that declares its disk.
    pub fn toplevel_with(&self, name: &str, disk_layout: &serde_json::Value) -> StorePath {
        self.system(name, vec![("disk-layout.json", disk_layout.to_string().into_bytes())])
    }

    fn system(&self, name: &str, more_files: Vec<(&str, Vec<u8>)>) -> StorePath {
        let library = self.package("libc");
        let program = self.package(&format!("program-{name}"));
        let kernel = self.known_or("linux", || vec![("boot/vmlinuz", vec![7; 300_000])]);
        let initrd = self.known_or(&format!("initrd-{name}"), || vec![("initrd", name.as_bytes().repeat(1_000))]);
        let boot_json = serde_json::json!({ "org.nixos.bootspec.v1": {
            "init": format!("/nix/store/{name}/init"), "kernelParams": ["quiet"], "label": "13.2", "system": "x86_64-linux",
            "kernel": format!("{}/boot/vmlinuz", self.store.logical(&kernel)),
            "initrd": format!("{}/initrd", self.store.logical(&initrd)), "toplevel": name,
        } });
        let references = [&library, &program, &kernel, &initrd];
        let files = [("boot.json", boot_json.to_string().into_bytes()), ("etc/os-release", b"ID=esker\n".to_vec())];
        let files: Vec<_> = files.into_iter().chain(more_files).collect();
        self.add(&format!("system-{name}"), &references, &files)
    }

    fn package(&self, name: &str) -> StorePath {
        self.known_or(name, || {
            let large = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
            vec![("usr/bin/tool", large), ("usr/share/doc/readme", name.as_bytes().to_vec()), ("usr/empty", Vec::new())]
        })
    }

    fn known_or(&self, name: &str, files: impl FnOnce() -> Vec<(&'static str, Vec<u8>)>) -> StorePath {
        let valid = self.store.all_valid().unwrap();
        let known = valid.into_iter().find(|path| path.to_string()[33..] == *name);
        known.unwrap_or_else(|| self.add(name, &[], &files()))
    }

    /// An image of these toplevels as generations 1, 2, …, the last one the default.
    pub fn request(&self, toplevels: &[StorePath], output: &str) -> ImageRequest<'_> {
        let generations: Vec<ImageGeneration> = (1..)
            .zip(toplevels)
            .map(|(number, toplevel)| ImageGeneration { number, toplevel: toplevel.clone() })
            .collect();
        let default = EntryId::of_generation(u32::try_from(generations.len()).unwrap());
        ImageRequest {
            store: &self.store,
            generations,
            extra_roots: Vec::new(),
            boot: BootSettings {
                default,
                title: "Esker test".to_owned(),
                tries: None,
                configuration_limit: None,
                settings: LoaderSettings {
                    timeout: MenuTimeout::Seconds(3),
                    editor: Editor::Forbidden,
                    console_mode: "keep".to_owned(),
                },
                systemd_boot: SystemdBoot::load(Architecture::X64, &self.path("boot.efi")).unwrap(),
                systemd_stub: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub".into(),
                volume_label: Some("ESKER_TEST".to_owned()),
            },
            sizes: Sizes { free_bytes: 16 << 20, esp_bytes: 40 << 20, ..Sizes::default() },
            output: self.path(output),
            format: Default::default(),
            is_cancelled: Box::new(|| false),
        }
    }
}

/// Store paths are written in base 32 without e, o, u and t.
fn hash_digit(byte: u8) -> char {
    char::from(b"0123456789abcdfghijklmnpqrsvwxyz"[usize::from(byte % 32)])
}

/// Runs a tool and returns what it printed; fails with the tool's name if it is missing or unhappy.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}, which this test needs: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}{errors}", output.status);
    text
}

/// A partition (from 0) of an image, as e2fsprogs takes it.
pub fn partition(image: &Path, partition: usize) -> String {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let layout = DiskLayout::read_from(&mut file).unwrap();
    format!("{}?offset={}", text(image), layout.partitions[partition].start_bytes)
}

/// Copies a file over a partition (from 0) of an image.
pub fn put_back(image: &Path, partition: usize, from: &Path) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let start_bytes = DiskLayout::read_from(&mut file).unwrap().partitions[partition].start_bytes;
    file.seek(SeekFrom::Start(start_bytes)).unwrap();
    std::io::copy(&mut File::open(from).unwrap(), &mut file).unwrap();
}

/// Copies a partition (from 0) of an image into a file.
pub fn extract(image: &Path, partition: usize, to: &Path) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let layout = DiskLayout::read_from(&mut file).unwrap();
    let partition = &layout.partitions[partition];
    file.seek(SeekFrom::Start(partition.start_bytes)).unwrap();
    std::io::copy(&mut file.take(partition.length_bytes), &mut File::create(to).unwrap()).unwrap();
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
