//! The packer: from a runtime, kernel modules and settings to one compressed archive.
//!
//! The archive is a function of its inputs: sorted entries, no times, no owners, single-threaded compression. Modules
//! stay compressed as they are; their index files are cut down to those inside. Source: the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use disk_formats::cpio::{Archive, Content, CpioError};
use serde::Deserialize;

use crate::modules::{IndexTexts, Loading, ModuleIndex, module_name};
use crate::root::Root;
use crate::settings::{self, Settings, SettingsError};

/// Beyond it the archive gets hardly smaller (most of it is compressed already) and much slower to make.
const ZSTD_LEVEL: i32 = 15;

/// What goes into an initrd: the attributes of `builtin:initrd`. Paths are as the store names them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitrdRequest {
    /// The runtime, with `bin/init`.
    pub runtime: PathBuf,
    /// Trees with `lib/modules/VERSION` or `usr/lib/modules/VERSION`, of one version; a file comes from the first tree
    /// that has it. Empty for a kernel that needs no modules.
    #[serde(default)]
    pub module_trees: Vec<PathBuf>,
    /// Modules to include with what they depend on, by name or alias.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Modules to include and to load in any case.
    #[serde(default)]
    pub load: Vec<String>,
    /// Modules to include with what they depend on, by patterns of their files below `lib/modules/VERSION/kernel/`, such
    /// as `drivers/ata/*`; `*` goes through folders. One that begins with `!` takes out what those before it took in. A
    /// pattern may match nothing: kernels of different architectures have different drivers.
    #[serde(default)]
    pub drivers: Vec<String>,
    /// The settings without `load`, see [`Settings`].
    pub settings: serde_json::Value,
    /// Uncompressed archives that the kernel reads first: processor microcode.
    #[serde(default)]
    pub prepend: Vec<PathBuf>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackSummary {
    /// The names of the modules inside, sorted.
    pub modules: Vec<String>,
    /// The size before compression.
    pub uncompressed_bytes: usize,
}

/// Why an initrd cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file that goes in cannot be read.
    #[error("cannot read `{}` for the initrd", path.display())]
    Read {
        /// The file, as the store names it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No tree has modules, or no index of them.
    #[error("no module tree has `{file}`; looked in {}", list(trees))]
    NotInTrees {
        /// What was looked for.
        file: String,
        /// Where.
        trees: Vec<PathBuf>,
    },
    /// The trees are of several kernels.
    #[error("the module trees are for different kernels: {}", versions.join(", "))]
    Versions {
        /// Which.
        versions: Vec<String>,
    },
    /// A module is asked for that this kernel does not have.
    #[error(
        "kernel {kernel} has no module `{module}`\nhint: `boot.initrd.kernelModules`, `boot.initrd.availableKernelModules` or a \
         filesystem asks for it: take it out there, or choose a kernel that has it with `boot.kernelPackages`"
    )]
    UnknownModule {
        /// The name.
        module: String,
        /// The kernel's release.
        kernel: String,
        /// Modules with similar names.
        similar: Vec<String>,
    },
    /// Modules are asked for and there are no trees.
    #[error("the initrd shall have the module `{module}` but no module tree is given")]
    NoTrees {
        /// The first of them.
        module: String,
    },
    /// The settings are not of their form.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The archive cannot be made.
    #[error("cannot make the initrd's archive")]
    Archive(#[from] CpioError),
    /// The result cannot be written.
    #[error("cannot write the initrd")]
    Write(#[source] io::Error),
}

/// Packs an initrd. `root` is where the store of the request's paths lies: `/`, or another directory with a
/// `nix/store` in it.
pub fn pack_initrd(request: &InitrdRequest, root: &Root, out: &mut impl Write) -> Result<PackSummary, PackError> {
    let mut archive = skeleton()?;
    let program = request.runtime.join("bin/init");
    archive.insert("init", 0o755, Content::File(read(root, &program)?))?;

    let mut settings = parse_settings(&request.settings)?;
    let modules = match ModuleTrees::open(&request.module_trees, root)? {
        Some(trees) => {
            settings.load = loadable(&trees, &request.load)?;
            let drivers = trees.index.chosen_by(&request.drivers);
            trees.pack(request.modules.iter().chain(&request.load).chain(&drivers), &mut archive)?
        }
        None => match request.modules.iter().chain(&request.load).chain(&request.drivers).next() {
            Some(module) => {
                return Err(PackError::NoTrees { module: module.clone() });
            }
            None => Vec::new(),
        },
    };
    let text = serde_json::to_vec_pretty(&settings).map_err(SettingsError::from)?;
    archive.insert(settings::PATH.trim_start_matches('/'), 0o644, Content::File(text))?;

    for path in &request.prepend {
        out.write_all(&read(root, path)?).map_err(PackError::Write)?;
    }
    let mut plain = Vec::new();
    archive.write_to(&mut plain)?;
    compress(&plain, out).map_err(PackError::Write)?;
    Ok(PackSummary { modules, uncompressed_bytes: plain.len() })
}

/// The mount points, and the console that the kernel opens for the first program.
fn skeleton() -> Result<Archive, PackError> {
    let mut archive = Archive::new();
    for directory in ["dev", "proc", "run", "sys", "sysroot"] {
        archive.insert(directory, 0o755, Content::Directory)?;
    }
    archive.insert("dev/console", 0o600, Content::CharacterDevice { major: 5, minor: 1 })?;
    Ok(archive)
}

fn parse_settings(value: &serde_json::Value) -> Result<Settings, PackError> {
    Ok(Settings::parse(&value.to_string())?)
}

/// The modules to load that are files: those that the kernel contains need no loading.
fn loadable(trees: &ModuleTrees<'_>, load: &[String]) -> Result<Vec<String>, PackError> {
    let mut names = Vec::new();
    for name in load {
        if !trees.order(name)?.is_empty() {
            names.push(name.clone());
        }
    }
    Ok(names)
}

fn compress(plain: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
    // Lets the kernel, and us, know the size in advance.
    encoder.set_pledged_src_size(u64::try_from(plain.len()).ok())?;
    encoder.write_all(plain)?;
    encoder.finish().map(drop)
}

fn read(root: &Root, path: &Path) -> Result<Vec<u8>, PackError> {
    root.resolve(path).and_then(std::fs::read).map_err(|source| PackError::Read { path: path.to_owned(), source })
}

/// The module trees of one kernel.
struct ModuleTrees<'a> {
    root: &'a Root,
    /// Each tree's folder of this kernel.
    folders: Vec<PathBuf>,
    version: String,
    index: ModuleIndex,
}

impl<'a> ModuleTrees<'a> {
    /// `None` if there are no trees.
    fn open(trees: &[PathBuf], root: &'a Root) -> Result<Option<Self>, PackError> {
        if trees.is_empty() {
            return Ok(None);
        }
        let mut folders = Vec::new();
        let mut versions = BTreeSet::new();
        for tree in trees {
            for modules in ["lib/modules", "usr/lib/modules"].map(|folder| tree.join(folder)) {
                for version in subfolders(root, &modules)? {
                    folders.push(modules.join(&version));
                    versions.insert(version);
                }
            }
        }
        let mut versions: Vec<String> = versions.into_iter().collect();
        let version = match versions.pop() {
            Some(version) if versions.is_empty() => version,
            Some(version) => {
                versions.push(version);
                return Err(PackError::Versions { versions });
            }
            None => {
                return Err(PackError::NotInTrees { file: "lib/modules".into(), trees: trees.to_owned() });
            }
        };
        let mut opened = Self { root, folders, version, index: ModuleIndex::default() };
        opened.index = ModuleIndex::parse(&IndexTexts {
            dep: opened.text("modules.dep")?,
            alias: opened.text("modules.alias")?,
            softdep: opened.text("modules.softdep")?,
            builtin: opened.text("modules.builtin")?,
        });
        Ok(Some(opened))
    }

    /// Adds modules with all that they depend on and the index of those; returns their names.
    fn pack<'n>(
        &self,
        wanted: impl Iterator<Item = &'n String>,
        archive: &mut Archive,
    ) -> Result<Vec<String>, PackError> {
        let mut files = BTreeSet::new();
        for name in wanted {
            files.extend(self.order(name)?.into_iter().map(|loading| loading.file));
        }
        let folder = format!("lib/modules/{}", self.version);
        for file in &files {
            archive.insert(&format!("{folder}/{file}"), 0o644, Content::File(self.read(file)?))?;
        }
        let names: BTreeSet<String> = files.iter().map(|file| module_name(file)).collect();
        let texts = self.index.subset(&names);
        let index = [
            ("modules.dep", texts.dep),
            ("modules.alias", texts.alias),
            ("modules.softdep", texts.softdep),
            ("modules.builtin", texts.builtin),
        ];
        for (name, text) in index {
            archive.insert(&format!("{folder}/{name}"), 0o644, Content::File(text.into_bytes()))?;
        }
        Ok(names.into_iter().collect())
    }

    fn order(&self, name: &str) -> Result<Vec<Loading<'_>>, PackError> {
        self.index.loading_order(name).ok_or_else(|| PackError::UnknownModule {
            module: name.to_owned(),
            kernel: self.version.clone(),
            similar: self.similar(&module_name(name)),
        })
    }

    fn similar(&self, name: &str) -> Vec<String> {
        let alike = |other: &&str| other.contains(name) || name.contains(*other);
        self.index.names().filter(alike).take(5).map(str::to_owned).collect()
    }

    fn text(&self, file: &str) -> Result<String, PackError> {
        Ok(String::from_utf8_lossy(&self.read(file)?).into_owned())
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, PackError> {
        for folder in &self.folders {
            match read(self.root, &folder.join(file)) {
                Err(PackError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        Err(PackError::NotInTrees { file: file.to_owned(), trees: self.folders.clone() })
    }
}

/// The folders in a folder, none if it does not exist.
fn subfolders(root: &Root, folder: &Path) -> Result<Vec<String>, PackError> {
    let failed = |source| PackError::Read { path: folder.to_owned(), source };
    let resolved = match root.resolve(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(resolved).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn list(paths: &[PathBuf]) -> String {
    let texts: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    texts.join(", ")
}

impl PackError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownModule { similar, .. } if !similar.is_empty() => Some(format!("there are {}", similar.join(", "))),
            Self::UnknownModule { .. } => Some(
                "remove it from `boot.initrd.availableKernelModules` and `boot.initrd.kernelModules`, or choose another \
                 `boot.kernelPackages`"
                    .into(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A store elsewhere on the disk: a runtime, a kernel, and an index tree that links to the kernel's files.
    fn store() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("nix/store/r-runtime/bin/init", "the program");
        write("nix/store/k-linux/usr/lib/modules/6.1/kernel/fs/ext4.ko.xz", "ext4");
        write("nix/store/k-linux/usr/lib/modules/6.1/kernel/fs/jbd2.ko.xz", "jbd2");
        write("nix/store/k-linux/usr/lib/modules/6.1/kernel/fs/xfs.ko.xz", "xfs");
        let index = "nix/store/m-modules/lib/modules/6.1";
        write(
            &format!("{index}/modules.dep"),
            "kernel/fs/ext4.ko.xz: kernel/fs/jbd2.ko.xz\nkernel/fs/jbd2.ko.xz:\nkernel/fs/xfs.ko.xz:\n",
        );
        write(&format!("{index}/modules.alias"), "alias fs-ext4 ext4\nalias fs-xfs xfs\n");
        write(&format!("{index}/modules.softdep"), "");
        write(&format!("{index}/modules.builtin"), "kernel/drivers/virtio_pci.ko\n");
        symlink("/nix/store/k-linux/usr/lib/modules/6.1/kernel", dir.path().join(index).join("kernel")).unwrap();
        let root = Root::new(dir.path());
        (dir, root)
    }

    fn request() -> InitrdRequest {
        InitrdRequest {
            runtime: "/nix/store/r-runtime".into(),
            module_trees: vec!["/nix/store/m-modules".into()],
            modules: vec!["ext4".into(), "virtio_pci".into()],
            load: vec!["ext4".into(), "virtio_pci".into()],
            drivers: vec![],
            settings: serde_json::json!({ "version": 1 }),
            prepend: vec![],
        }
    }

    fn pack(request: &InitrdRequest) -> Result<(PackSummary, Vec<u8>), PackError> {
        let (_dir, root) = store();
        let mut out = Vec::new();
        pack_initrd(request, &root, &mut out).map(|summary| (summary, out))
    }

    /// The names and contents in an archive, by the real cpio.
    fn unpack(archive: &[u8]) -> (Vec<String>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let plain = zstd::decode_all(archive).unwrap();
        let file = dir.path().join("archive");
        std::fs::write(&file, plain).unwrap();
        let cpio = |mode: &str| {
            let output = std::process::Command::new("cpio")
                .args([mode, "--quiet", "--make-directories", "-F", "archive"])
                .current_dir(dir.path())
                .output()
                .expect("cpio (Debian package cpio)");
            String::from_utf8(output.stdout).unwrap()
        };
        let names = cpio("-t").lines().map(str::to_owned).collect();
        cpio("-i");
        (names, dir)
    }

    #[test]
    fn holds_the_program_the_modules_and_the_settings() {
        let (summary, bytes) = pack(&request()).unwrap();
        assert_eq!(summary.modules, ["ext4", "jbd2"]);
        let (names, dir) = unpack(&bytes);
        for name in ["init", "dev/console", "sysroot", "lib/modules/6.1/kernel/fs/jbd2.ko.xz"] {
            assert!(names.iter().any(|other| other == name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("xfs")), "{names:?}");
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!(read("init"), "the program");
        assert_eq!(read("lib/modules/6.1/modules.alias"), "alias fs-ext4 ext4\n");
        assert_eq!(Settings::parse(&read("etc/esker/initrd.json")).unwrap().load, ["ext4"]);
    }

    #[test]
    fn drivers_come_by_patterns_with_what_they_need() {
        let mut request = InitrdRequest { modules: vec![], load: vec![], ..request() };
        request.drivers = ["fs/*", "!fs/x*", "drivers/nothing/*"].map(str::to_owned).to_vec();
        assert_eq!(pack(&request).unwrap().0.modules, ["ext4", "jbd2"]);
        request.drivers = vec!["fs/ext4.ko*".into()];
        assert_eq!(pack(&request).unwrap().0.modules, ["ext4", "jbd2"], "what it needs comes with it");
        request.drivers = vec!["!fs/*".into(), "fs/xfs.ko*".into()];
        assert_eq!(pack(&request).unwrap().0.modules, ["xfs"], "a later pattern counts more");
    }

    #[test]
    fn is_a_function_of_its_inputs() {
        assert_eq!(pack(&request()).unwrap().1, pack(&request()).unwrap().1);
    }

    #[test]
    fn microcode_stays_uncompressed_in_front() {
        let (dir, root) = store();
        std::fs::write(dir.path().join("nix/store/u-microcode"), "070701 microcode").unwrap();
        let mut request = request();
        request.prepend.push("/nix/store/u-microcode".into());
        let mut out = Vec::new();
        pack_initrd(&request, &root, &mut out).unwrap();
        assert!(out.starts_with(b"070701 microcode"));
    }

    #[test]
    fn an_unknown_module_is_named_with_similar_ones() {
        let mut request = request();
        request.modules.push("xfs2".into());
        let error = pack(&request).unwrap_err();
        assert!(error.to_string().starts_with("kernel 6.1 has no module `xfs2`\nhint: `boot.initrd."), "{error}");
        assert_eq!(error.hint().unwrap(), "there are xfs");
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut request = request();
        request.runtime = "/nix/store/none".into();
        let error = pack(&request).unwrap_err();
        assert_eq!(error.to_string(), "cannot read `/nix/store/none/bin/init` for the initrd");
    }

    #[test]
    fn a_tree_without_modules_is_named() {
        let mut request = request();
        request.module_trees = vec!["/nix/store/r-runtime".into()];
        let error = pack(&request).unwrap_err();
        assert_eq!(error.to_string(), "no module tree has `lib/modules`; looked in `/nix/store/r-runtime`");
    }

    #[test]
    fn without_trees_modules_are_refused_and_nothing_else() {
        let mut request = request();
        request.module_trees.clear();
        assert!(matches!(pack(&request), Err(PackError::NoTrees { .. })));
        request.modules.clear();
        request.load.clear();
        assert_eq!(pack(&request).unwrap().0.modules, [""; 0]);
    }
}
