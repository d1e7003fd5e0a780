//! Adding paths: contents first, then one `syncfs`, then one transaction for all of them.
//!
//! A batch holds the locks of what it has written but not yet registered. It never waits for another's lock while
//! holding its own (it commits first), so two processes writing the same paths in different orders cannot block
//! each other for good.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use nix_formats::content_address::{ContentAddress, ContentAddressMethod, ReferenceSet};
use nix_formats::nar::{FileMode, NarWriter, TreeVisitor as _, read_nar};
use nix_formats::{Derivation, Hash, HashAlgo, StorePath};

use crate::database::Registration;
use crate::locks::PathLocks;
use crate::metadata::{canonicalise, seal};
use crate::path_info::{NarDigest, PathInfo};
use crate::scratch::{Scratch, remove_tree};
use crate::tree::{DigestSink, TreeWriter, digest_tree, walk_tree};
use crate::{Context as _, Store, StoreError};

/// How many paths a batch holds before it commits by itself. Each holds an open file, and a process may have 1024 of
/// them unless somebody raised that.
const MOST_PENDING: usize = 400;

/// A path that its contents determine.
struct AddedPath {
    path: StorePath,
    nar: NarDigest,
    address: ContentAddress,
}

/// Paths being added, each after those that it refers to. What is not committed when it is dropped stays unregistered;
/// a large batch commits now and then by itself.
pub struct Batch<'s> {
    store: &'s Store,
    scratch: Option<Scratch>,
    locks: PathLocks,
    pending: BTreeMap<StorePath, PathInfo>,
}

impl Store {
    /// Begins adding paths.
    ///
    /// Errors when the store is open for reading only.
    pub fn batch(&self) -> Result<Batch<'_>, StoreError> {
        self.require_writable()?;
        Ok(Batch { store: self, scratch: None, locks: PathLocks::default(), pending: BTreeMap::new() })
    }

    /// Adds one text; for many, use a batch.
    ///
    /// Errors as `Batch::add_text`.
    pub fn add_text(&self, name: &str, text: &[u8], references: BTreeSet<StorePath>) -> Result<StorePath, StoreError> {
        let mut batch = self.batch()?;
        let path = batch.add_text(name, text, references)?;
        batch.commit()?;
        Ok(path)
    }

    /// Adds one tree; for many, use a batch.
    ///
    /// Errors as `Batch::add_tree`.
    pub fn add_tree(&self, name: &str, source: &Path) -> Result<StorePath, StoreError> {
        let mut batch = self.batch()?;
        let path = batch.add_tree(name, source)?;
        batch.commit()?;
        Ok(path)
    }
}

impl Batch<'_> {
    /// Whether a path is registered or waits for `commit`.
    ///
    /// Errors when the database cannot be read.
    pub fn has(&self, path: &StorePath) -> Result<bool, StoreError> {
        Ok(self.pending.contains_key(path) || self.store.is_valid(path)?)
    }

    /// How many paths wait for `commit`.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Adds a text as the evaluator does (`builtins.toFile`).
    ///
    /// Errors when the name is not allowed or writing fails.
    pub fn add_text(
        &mut self,
        name: &str,
        text: &[u8],
        references: BTreeSet<StorePath>,
    ) -> Result<StorePath, StoreError> {
        let address = ContentAddress { method: ContentAddressMethod::Text, hash: Hash::of(HashAlgo::Sha256, text) };
        let path = self.store.dir().make_content_path(name, &address, &references.clone().into())?;
        let Some(locks) = self.claim(&path)? else {
            return Ok(path);
        };
        let mut info = PathInfo::new(path.clone(), digest_text(text));
        info.references = references;
        info.content_address = Some(address);
        let place = self.scratch()?.fresh();
        TreeWriter::new(&place)
            .file(b"", FileMode::Regular, text.len() as u64, &mut &*text)
            .context("write", &place)?;
        self.install(info, &place, locks)?;
        Ok(path)
    }

    /// Adds a derivation's file.
    ///
    /// Errors as `add_text`.
    pub fn add_derivation(&mut self, drv: &Derivation) -> Result<StorePath, StoreError> {
        let text = drv.to_aterm(self.store.dir());
        self.add_text(&format!("{}.drv", drv.name), &text, drv.references())
    }

    /// Copies a file or tree into the store, addressed by its NAR.
    ///
    /// Errors when the name is not allowed, the source cannot be read or writing fails.
    pub fn add_tree(&mut self, name: &str, source: &Path) -> Result<StorePath, StoreError> {
        self.add_source(name, source, ContentAddressMethod::NixArchive)
    }

    /// Copies a regular file into the store, addressed by its contents alone.
    ///
    /// Errors as `add_tree`.
    pub fn add_file(&mut self, name: &str, source: &Path) -> Result<StorePath, StoreError> {
        self.add_source(name, source, ContentAddressMethod::Flat)
    }

    fn add_source(&mut self, name: &str, source: &Path, method: ContentAddressMethod) -> Result<StorePath, StoreError> {
        let found = self.source_path(name, source, method)?;
        if self.rooted_and_present(&found.path)? {
            return Ok(found.path);
        }
        // The source may change while it is copied: the copy's hash counts.
        let place = self.scratch()?.fresh();
        walk_tree(source, &mut TreeWriter::new(&place))?;
        let AddedPath { path, nar, address } = self.source_path(name, &place, method)?;
        match self.claim(&path)? {
            None => remove_tree(&place)?,
            Some(locks) => {
                let mut info = PathInfo::new(path.clone(), nar);
                info.content_address = Some(address);
                self.install(info, &place, locks)?;
            }
        }
        Ok(path)
    }

    fn source_path(&self, name: &str, source: &Path, method: ContentAddressMethod) -> Result<AddedPath, StoreError> {
        let nar = digest_tree(source)?;
        let hash = match method {
            ContentAddressMethod::Flat => {
                let bytes = std::fs::read(source).context("read", source)?;
                Hash::of(HashAlgo::Sha256, &bytes)
            }
            _ => nar.hash,
        };
        let address = ContentAddress { method, hash };
        let path = self.store.dir().make_content_path(name, &address, &ReferenceSet::default())?;
        Ok(AddedPath { path, nar, address })
    }

    /// Unpacks a NAR as `info.path`, unless that is present already (then the reader is left alone).
    ///
    /// Errors when the NAR is malformed or does not have the hash and size that `info` says.
    pub fn add_nar(&mut self, info: PathInfo, nar: &mut dyn Read) -> Result<(), StoreError> {
        let Some(locks) = self.claim(&info.path)? else {
            return Ok(());
        };
        let place = self.scratch()?.fresh();
        let actual = unpack_nar(&info.path, nar, &place)?;
        if actual != info.nar {
            remove_tree(&place)?;
            return Err(StoreError::HashMismatch {
                path: info.path,
                expected: describe(&info.nar),
                actual: describe(&actual),
            });
        }
        self.install(info, &place, locks)
    }

    /// Makes everything added so far durable and valid.
    ///
    /// Errors when syncing or registering fails, or a reference is not valid.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.store.sync_and_register(self.pending.values())?;
        self.pending.clear();
        self.locks = PathLocks::default();
        Ok(())
    }

    /// Roots the path and says whether it is there already.
    fn rooted_and_present(&self, path: &StorePath) -> Result<bool, StoreError> {
        self.store.add_temp_roots([path])?;
        self.has(path)
    }

    /// Locks a path for writing; `None` when it is present, before or after waiting.
    fn claim(&mut self, path: &StorePath) -> Result<Option<PathLocks>, StoreError> {
        if self.rooted_and_present(path)? {
            return Ok(None);
        }
        let locks = match self.store.try_lock_paths([path])? {
            Some(locks) => locks,
            None => {
                self.commit()?;
                self.store.lock_paths([path])?
            }
        };
        Ok(if self.has(path)? { None } else { Some(locks) })
    }

    fn scratch(&mut self) -> Result<&Scratch, StoreError> {
        if self.scratch.is_none() {
            self.scratch = Some(self.store.scratch()?);
        }
        match &self.scratch {
            Some(scratch) => Ok(scratch),
            None => unreachable!("made above"),
        }
    }

    fn install(&mut self, info: PathInfo, tree: &Path, locks: PathLocks) -> Result<(), StoreError> {
        self.store.move_into_place(&info.path, tree)?;
        self.locks.extend(locks);
        self.pending.insert(info.path.clone(), info);
        if self.pending.len() >= MOST_PENDING {
            self.commit()?;
        }
        Ok(())
    }
}

impl Store {
    /// Moves a canonical tree (see `canonicalise`) from the store's filesystem to its path's place; what lies there is
    /// removed. The caller holds the path's lock. The path is not valid before it is registered.
    ///
    /// Errors when the tree cannot be moved.
    pub fn move_into_place(&self, path: &StorePath, tree: &Path) -> Result<(), StoreError> {
        let target = self.physical(path);
        if tree != target {
            // What an interrupted writer left.
            remove_tree(&target)?;
            std::fs::rename(tree, &target).context("move into the store", &target)?;
        }
        seal(&target)
    }

    /// Makes the contents of paths at their places durable and registers them, in one transaction.
    ///
    /// Errors when a reference is neither valid nor among them.
    pub fn sync_and_register<'i>(&self, infos: impl IntoIterator<Item = &'i PathInfo>) -> Result<(), StoreError> {
        self.require_writable()?;
        sync_filesystem(self.layout().physical_store())?;
        let mut registrations = Vec::new();
        for info in infos {
            let outputs = if info.path.is_derivation() { self.known_outputs(&info.path)? } else { BTreeMap::new() };
            registrations.push(Registration { info, outputs });
        }
        let time = self.registration_time();
        self.database().register(&registrations, time)
    }

    fn known_outputs(&self, drv: &StorePath) -> Result<BTreeMap<String, StorePath>, StoreError> {
        let outputs = self.read_derivation(drv)?.outputs;
        Ok(outputs.into_iter().filter_map(|(name, output)| Some((name, output.path()?.clone()))).collect())
    }

    /// Canonicalises, hashes and registers what somebody else put at `path`'s place, such as an image's builder.
    ///
    /// Errors when the tree cannot be read or changed, or a reference is not valid.
    pub fn register_in_place(&self, path: &StorePath, references: BTreeSet<StorePath>) -> Result<(), StoreError> {
        let place = self.physical(path);
        let _locks = self.lock_paths([path])?;
        canonicalise(&place)?;
        let mut info = PathInfo::new(path.clone(), digest_tree(&place)?);
        info.references = references;
        self.move_into_place(path, &place)?;
        self.sync_and_register([&info])
    }
}

/// Unpacks a NAR into a new tree with the store's metadata (its root still writable) and says what was read. `path` is
/// for error messages.
///
/// Errors when the NAR is malformed or the tree cannot be written.
pub fn unpack_nar(path: &StorePath, nar: &mut dyn Read, tree: &Path) -> Result<NarDigest, StoreError> {
    let mut hashing = HashingReader { inner: nar, digest: DigestSink::default() };
    read_nar(&mut hashing, &mut TreeWriter::new(tree))
        .map_err(|source| StoreError::Nar { path: path.clone(), source })?;
    Ok(hashing.digest.finish())
}

/// Waits until everything written to the filesystem that holds `path` is on the disk.
fn sync_filesystem(path: &Path) -> Result<(), StoreError> {
    let folder = std::fs::File::open(path).context("open", path)?;
    nix::unistd::syncfs(&folder).context("sync the filesystem of", path)
}

fn digest_text(text: &[u8]) -> NarDigest {
    let mut digest = DigestSink::default();
    let mut nar = Vec::with_capacity(text.len() + 128);
    // Writing to memory cannot fail.
    let written = NarWriter::new(&mut nar).and_then(|mut writer| {
        writer.file(b"", FileMode::Regular, text.len() as u64, &mut &*text)?;
        writer.finish().map(|_| ())
    });
    debug_assert!(written.is_ok());
    digest.update(&nar);
    digest.finish()
}

fn describe(nar: &NarDigest) -> String {
    format!("{} ({} bytes)", nar.hash.to_sri(), nar.size_bytes)
}

struct HashingReader<'r> {
    inner: &'r mut dyn Read,
    digest: DigestSink,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.digest.update(&buffer[..got]);
        Ok(got)
    }
}
