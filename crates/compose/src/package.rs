//! Loads what composing needs to know of a package path or an overlay.
//!
//! A path with `DEBIAN/control` is a Debian package: its files are those of its manifest, and its scripts have been read into
//! effects. Any other path is a plain tree (a source build's output, an overlay): its files are what stands there. Programs
//! are never run, and file contents are not read.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deb_formats::control::{ControlError, Paragraph, paragraphs};
use deb_formats::relation::{RelationError, parse_relations};
use thiserror::Error;

use crate::effect::Effect;
use crate::location::{NotInStore, StoreLocation, store_path_name};
use crate::manifest::{ManifestError, Member, MemberKind, parse_manifest};

/// The scripts that act when a package is installed. `prerm` and `postrm` only undo; `config` only asks.
pub const SCRIPTS: [&str; 2] = ["preinst", "postinst"];

/// One package of a view.
#[derive(Debug, Clone)]
pub struct Package {
    /// The Debian package's name; for a plain tree the store path's name.
    pub name: String,
    /// The Debian version; empty for a plain tree.
    pub version: String,
    /// The logical store path.
    pub store_path: Arc<str>,
    /// Control data, for Debian packages.
    pub control: Option<Control>,
    /// Its files, sorted by path.
    pub members: Vec<Member>,
    /// What its scripts bring about: recognised, or decided. Empty until [`crate::decisions::apply`].
    pub effects: Vec<Effect>,
}

/// The control data of a Debian package.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// The `control` file.
    pub text: String,
    /// Absolute paths of configuration files, with the flags deb-conffiles(5) allows left out.
    pub conffiles: Vec<String>,
    /// Names of all files in `DEBIAN/` but the manifest.
    pub files: Vec<String>,
    /// Text of the scripts in [`SCRIPTS`] that the package has.
    pub scripts: BTreeMap<String, String>,
    /// debconf's `templates`, whose defaults scripts ask for; empty when absent.
    pub templates: String,
    /// The field `Replaces`; empty when absent.
    pub replaces: String,
}

/// A tree laid over packages.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The store path's name.
    pub name: String,
    /// The logical store path.
    pub store_path: Arc<str>,
    /// Its files, sorted by path.
    pub members: Vec<Member>,
}

/// Why a package or overlay could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The path given is not in the store.
    #[error(transparent)]
    NotInStore(#[from] NotInStore),
    /// A file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The control file is damaged.
    #[error("damaged control data in `{path}`")]
    Control {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ControlError,
    },
    /// A field that every package has is absent.
    #[error("the control data in `{path}` has no field `{field}`")]
    Field {
        /// Which file.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
    /// The manifest is damaged.
    #[error("damaged manifest `{path}`")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// `Replaces` is no list of relations.
    #[error("cannot read the field `Replaces` in `{path}`")]
    Relation {
        /// Which control file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: RelationError,
    },
    /// A file name that is not UTF-8.
    #[error("the name of `{path}` is not UTF-8")]
    Name {
        /// The file.
        path: PathBuf,
    },
}

impl Control {
    /// A field of the control file.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        paragraphs(&self.text).next()?.ok()?.get(name)
    }
}

impl Package {
    /// Loads a package path.
    ///
    /// # Errors
    /// When it is not in the store, or its control data cannot be read.
    pub fn load(store: &StoreLocation, store_path: &str) -> Result<Self, LoadError> {
        let (base, _) = store.split(store_path)?;
        let root = store.physical(base)?;
        let store_path: Arc<str> = Arc::from(base);
        let debian = root.join("DEBIAN");
        if !debian.join("control").exists() {
            let name = store_path_name(base).to_owned();
            let members = load_tree(&root)?;
            return Ok(Package {
                name,
                version: String::new(),
                store_path,
                control: None,
                members,
                effects: Vec::new(),
            });
        }
        let manifest_path = debian.join("manifest");
        let members = parse_manifest(&read_text(&manifest_path)?)
            .map_err(|source| LoadError::Manifest { path: manifest_path, source })?;
        let loaded = load_control(&debian)?;
        Ok(Package {
            name: loaded.name,
            version: loaded.version,
            store_path,
            control: Some(loaded.control),
            members,
            effects: Vec::new(),
        })
    }

    /// Name and version of a package path, without loading the rest.
    ///
    /// # Errors
    /// As for [`Package::load`].
    pub fn load_identity(store: &StoreLocation, store_path: &str) -> Result<(String, String), LoadError> {
        let (base, _) = store.split(store_path)?;
        let path = store.physical(base)?.join("DEBIAN/control");
        if !path.exists() {
            return Ok((store_path_name(base).to_owned(), String::new()));
        }
        let text = read_text(&path)?;
        let paragraph = parse_control(&path, &text)?;
        Ok((required(&path, &paragraph, "Package")?, required(&path, &paragraph, "Version")?))
    }

    /// Whether this package declares that it takes over files of `other` in its version.
    #[must_use]
    pub fn replaces(&self, other: &Package) -> bool {
        let Some(control) = &self.control else {
            return false;
        };
        // The field was checked when the package was loaded.
        let groups = parse_relations(&control.replaces).unwrap_or_default();
        groups.iter().flatten().any(|relation| relation.name == other.name && relation.admits(&other.version))
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.version.is_empty() { write!(f, "{}", self.name) } else { write!(f, "{} {}", self.name, self.version) }
    }
}

impl Overlay {
    /// Loads a tree.
    ///
    /// # Errors
    /// When it is not in the store, or cannot be listed.
    pub fn load(store: &StoreLocation, store_path: &str) -> Result<Self, LoadError> {
        let (base, _) = store.split(store_path)?;
        Ok(Overlay {
            name: store_path_name(base).to_owned(),
            store_path: Arc::from(base),
            members: load_tree(&store.physical(base)?)?,
        })
    }
}

struct LoadedControl {
    name: String,
    version: String,
    control: Control,
}

fn load_control(debian: &Path) -> Result<LoadedControl, LoadError> {
    let path = debian.join("control");
    let text = read_text(&path)?;
    let paragraph = parse_control(&path, &text)?;
    let (name, version) = (required(&path, &paragraph, "Package")?, required(&path, &paragraph, "Version")?);
    let replaces = paragraph.get("Replaces").unwrap_or_default().to_owned();
    parse_relations(&replaces).map_err(|source| LoadError::Relation { path: path.clone(), source })?;
    let mut files = list(debian)?.into_iter().map(|entry| entry.0).collect::<Vec<_>>();
    files.retain(|file| file != "manifest");
    let mut scripts = BTreeMap::new();
    for script in SCRIPTS {
        if files.iter().any(|file| file == script) {
            let bytes = read_bytes(&debian.join(script))?;
            scripts.insert(script.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let conffiles = match files.iter().any(|file| file == "conffiles") {
        true => parse_conffiles(&read_text(&debian.join("conffiles"))?),
        false => Vec::new(),
    };
    let templates = match files.iter().any(|file| file == "templates") && !scripts.is_empty() {
        true => String::from_utf8_lossy(&read_bytes(&debian.join("templates"))?).into_owned(),
        false => String::new(),
    };
    Ok(LoadedControl { name, version, control: Control { text, conffiles, files, scripts, templates, replaces } })
}

fn parse_control<'t>(path: &Path, text: &'t str) -> Result<Paragraph<'t>, LoadError> {
    let paragraph = paragraphs(text).next().transpose();
    Ok(paragraph.map_err(|source| LoadError::Control { path: path.to_owned(), source })?.unwrap_or_default())
}

fn required(path: &Path, paragraph: &Paragraph<'_>, field: &'static str) -> Result<String, LoadError> {
    let value = paragraph.get(field).map(str::to_owned);
    value.ok_or_else(|| LoadError::Field { path: path.to_owned(), field })
}

/// Paths of deb-conffiles(5); `remove-on-upgrade /path` names a file the package no longer ships.
fn parse_conffiles(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned).collect()
}

/// Lists a plain tree as members: owners and times are the store's (root, 1), modes are 0755 and 0644.
fn load_tree(root: &Path) -> Result<Vec<Member>, LoadError> {
    let mut members = Vec::new();
    let mut pending = vec![(String::new(), root.to_owned())];
    while let Some((prefix, directory)) = pending.pop() {
        for (name, path, metadata) in list(&directory)? {
            let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let failed = |source| LoadError::Read { path: path.clone(), source };
            let (kind, mode, link) = if metadata.is_dir() {
                pending.push((relative.clone(), path.clone()));
                (MemberKind::Directory, 0o755, String::new())
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&path).map_err(failed)?;
                let target = target.into_os_string().into_string();
                (MemberKind::Symlink, 0o777, target.map_err(|_| LoadError::Name { path: path.clone() })?)
            } else {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                (MemberKind::File, if executable { 0o755 } else { 0o644 }, String::new())
            };
            let size_bytes = if kind == MemberKind::File { metadata.len() } else { 0 };
            members.push(Member {
                kind,
                mode,
                uid: 0,
                gid: 0,
                user: "root".into(),
                group: "root".into(),
                size_bytes,
                mtime: 1,
                path: relative,
                link,
            });
        }
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

/// Names, paths and metadata of a directory's entries, sorted by name.
fn list(directory: &Path) -> Result<Vec<(String, PathBuf, std::fs::Metadata)>, LoadError> {
    let failed = |source| LoadError::Read { path: directory.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|_| LoadError::Name { path: path.clone() })?;
        let metadata = entry.metadata().map_err(failed)?;
        entries.push((name, path, metadata));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}
