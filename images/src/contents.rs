//! What goes into the store partition: the closure's files as they are, and the state around them.
//!
//! Observes only; file contents are not read here. Everything belongs to 0:0 and has the store's modes and times, whoever
//! owns the store that it comes from. Files are never linked together: whether this store shares equal files must not
//! show in the image.

use std::collections::BTreeMap;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use disk_formats::ext4::{Content, Metadata, NodeId, Tree};
use nix_formats::StorePath;
use store::Store;

use crate::{ImageError, ImageGeneration, ImageRequest, database};

/// How many symlinks are followed before giving up; the kernel's number.
const SYMLINK_LIMIT: usize = 40;
/// The time of everything in the image.
pub(crate) const TIME: u32 = 1;

/// Where a file's contents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of this host, and its length.
    Host(PathBuf, u64),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The store partition before it has places.
#[derive(Debug, Clone)]
pub struct Contents {
    /// What is mounted on `/nix`.
    pub tree: Tree,
    /// Where the files of the tree come from; empty ones need nothing.
    pub sources: BTreeMap<NodeId, Source>,
    /// The closure, sorted.
    pub closure: Vec<StorePath>,
    /// The sum of all files' lengths.
    pub contents_bytes: u64,
}

/// Which systems are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Systems<'a> {
    pub(crate) store: &'a Store,
    pub(crate) generations: &'a [ImageGeneration],
    pub(crate) extra_roots: &'a [StorePath],
    /// The generation that the system profile is.
    pub(crate) current: u32,
}

impl Contents {
    /// Looks at the closure of a request.
    ///
    /// Errors when a path is not valid or a file cannot be examined.
    pub fn observe(request: &ImageRequest<'_>) -> Result<Self, ImageError> {
        Self::of(Systems {
            store: request.store,
            generations: &request.generations,
            extra_roots: &request.extra_roots,
            current: request.boot.default.generation,
        })
    }

    /// Looks at the closure of systems.
    ///
    /// Errors as [`Self::observe`].
    pub(crate) fn of(request: Systems<'_>) -> Result<Self, ImageError> {
        if request.generations.is_empty() {
            return Err(ImageError::NoGeneration);
        }
        let toplevels = request.generations.iter().map(|generation| &generation.toplevel);
        let closure: Vec<StorePath> =
            request.store.closure(toplevels.chain(request.extra_roots))?.into_iter().collect();
        let mut contents =
            Contents { tree: Tree::new(metadata(0o755)), sources: BTreeMap::new(), closure, contents_bytes: 0 };
        let root = contents.tree.root();
        let store = contents.directory(root, "store")?;
        for path in contents.closure.clone() {
            contents.copy(store, path.to_string().as_bytes(), &request.store.physical(&path))?;
        }
        contents.state(request)?;
        Ok(contents)
    }

    /// `/nix/var` and `/nix/persist`.
    fn state(&mut self, request: Systems<'_>) -> Result<(), ImageError> {
        let root = self.tree.root();
        let store = self.tree.child(root, b"store").unwrap_or(root);
        self.directory(store, ".links")?;
        self.directory(root, "persist")?;
        let var = self.directory(root, "var")?;
        let log = self.directory(var, "log")?;
        let log = self.directory(log, "nix")?;
        self.directory(log, "drvs")?;
        self.directory(var, "esker")?;
        let nix = self.directory(var, "nix")?;
        let db = self.directory(nix, "db")?;
        for (name, bytes) in database::files(request.store, &self.closure)? {
            self.file(db, name.as_bytes(), 0o644, Source::Bytes(bytes))?;
        }
        self.directory(nix, "temproots")?;
        let gc_roots = self.directory(nix, "gcroots")?;
        self.directory(gc_roots, "auto")?;
        self.symlink(gc_roots, b"profiles", b"/nix/var/nix/profiles".to_vec())?;
        let profiles = self.directory(nix, "profiles")?;
        for generation in request.generations {
            let target = request.store.logical(&generation.toplevel).into_bytes();
            self.symlink(profiles, format!("system-{}-link", generation.number).as_bytes(), target)?;
        }
        let current = format!("system-{}-link", request.current);
        self.symlink(profiles, b"system", current.into_bytes())
    }

    /// Copies what stands at a path of this host.
    fn copy(&mut self, parent: NodeId, name: &[u8], host_path: &Path) -> Result<(), ImageError> {
        let failed = |action| move |source| ImageError::Io { action, path: host_path.to_owned(), source };
        let found = host_path.symlink_metadata().map_err(failed("examine"))?;
        if found.is_symlink() {
            let target = std::fs::read_link(host_path).map_err(failed("read the link"))?;
            return self.symlink(parent, name, target.into_os_string().into_vec());
        }
        if found.is_file() {
            let mode = if found.permissions().mode() & 0o100 == 0 { 0o444 } else { 0o555 };
            return self.file(parent, name, mode, Source::Host(host_path.to_owned(), found.len()));
        }
        if !found.is_dir() {
            return Err(ImageError::FileType { path: host_path.to_owned() });
        }
        let folder = self.tree.add(parent, name, metadata(0o555), Content::Directory)?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(host_path).map_err(failed("list"))? {
            names.push(entry.map_err(failed("list"))?.file_name());
        }
        names.sort();
        names.iter().try_for_each(|name| self.copy(folder, name.as_bytes(), &host_path.join(name)))
    }

    fn directory(&mut self, parent: NodeId, name: &str) -> Result<NodeId, ImageError> {
        Ok(self.tree.add(parent, name.as_bytes(), metadata(0o755), Content::Directory)?)
    }

    fn symlink(&mut self, parent: NodeId, name: &[u8], target: Vec<u8>) -> Result<(), ImageError> {
        self.tree.add(parent, name, metadata(0o777), Content::Symlink { target })?;
        Ok(())
    }

    fn file(&mut self, parent: NodeId, name: &[u8], mode: u16, source: Source) -> Result<(), ImageError> {
        let size_bytes = match &source {
            Source::Host(_, size_bytes) => *size_bytes,
            Source::Bytes(bytes) => bytes.len() as u64,
        };
        let node = self.tree.add(parent, name, metadata(mode), Content::File { size_bytes })?;
        self.contents_bytes += size_bytes;
        self.sources.insert(node, source);
        Ok(())
    }
}

fn metadata(mode: u16) -> Metadata {
    Metadata { mode, uid: 0, gid: 0, mtime: TIME }
}

/// Where on this host the file of a logical path is. Symlinks lead on logically: one to `/nix/store/…` stays in this
/// store, wherever it is kept.
pub(crate) fn resolve(store: &Store, logical: &str) -> PathBuf {
    let mut resolved = PathBuf::from("/");
    let mut pending: Vec<PathBuf> = vec![PathBuf::from(logical)];
    let mut followed = 0;
    while let Some(path) = pending.pop() {
        let mut components = path.components();
        let Some(first) = components.next() else {
            continue;
        };
        let rest = components.as_path();
        if rest != Path::new("") {
            pending.push(rest.to_owned());
        }
        match first {
            Component::RootDir | Component::Prefix(_) => resolved = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => {
                let candidate = resolved.join(name);
                match std::fs::read_link(store.layout().physical_of_logical(&candidate)) {
                    Ok(target) if followed < SYMLINK_LIMIT => {
                        followed += 1;
                        pending.push(target);
                    }
                    _ => resolved = candidate,
                }
            }
        }
    }
    store.layout().physical_of_logical(&resolved)
}
