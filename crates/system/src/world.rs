//! The evaluator's world: files of this machine and the store, read on demand and written at the end.
//!
//! What is read is recorded ([`Observation`]) and makes the evaluation cache. What the evaluation adds to the store is
//! kept back until [`StoreIo::commit`], so that a thousand derivations are one registration and an evaluation that
//! fails leaves nothing behind. Decides nothing about the language.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::solver::SolvedPackage;
use lang::io::{CopyError, CopyRequest, EvalIo, FetchRequest, Fetched, FileType, IoError};
use nix_formats::{
    ContentAddress, ContentAddressMethod, Derivation, DerivationFile, DerivationOutput, HashAlgo, Hasher, ReferenceSet,
    StoreDir, StorePath,
};
use store::{Store, digest_tree};

use crate::fetchers::Fetching;
use crate::realiser::Realiser;
use crate::record::{Observation, Record};
use crate::study::Unsaved;
use crate::{SystemError, tree_stamp};

/// What paths in the store begin with.
const STORE_PREFIX: &str = "/nix/store/";

/// The world of one evaluation.
pub(crate) struct StoreIo {
    /// Nothing for a world without a store, where paths are only computed.
    realiser: Option<Arc<Realiser>>,
    record: RefCell<Record>,
    pending: RefCell<Pending>,
    /// The packages of the last dependency solution, for whoever asks what a system is made of.
    solution: RefCell<Vec<SolvedPackage>>,
    /// Messages of `builtins.trace` and `builtins.warn`, in order.
    messages: RefCell<Vec<String>>,
    surroundings: Surroundings,
}

/// What an impure evaluation sees beside files; nothing in a pure one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Whether there is an environment.
    pub(crate) has_environment: bool,
    /// Seconds since 1970.
    pub(crate) time: Option<i64>,
    /// Prefixes and paths of the search path.
    pub(crate) search_path: Vec<(String, String)>,
    /// Whether messages go to standard error at once.
    pub(crate) prints_messages: bool,
    /// What is not allowed that otherwise is.
    pub(crate) limits: Limits,
    /// Texts to read instead of files: what an editor has not saved.
    pub(crate) unsaved: Unsaved,
}

/// Limits that Nix's settings set to an evaluation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// The only paths outside of the store that may be read, and why no others.
    pub(crate) readable: Option<(Vec<String>, &'static str)>,
    /// Whether nothing may be built during the evaluation.
    pub(crate) no_builds: bool,
}

impl Limits {
    /// Errors when `path` may not be read. The folders above one that may be read may be looked at.
    fn check(&self, path: &str) -> Result<(), IoError> {
        let Some((readable, mode)) = &self.readable else { return Ok(()) };
        let below = |path: &str, folder: &str| Path::new(path).starts_with(folder);
        let store = STORE_PREFIX.trim_end_matches('/');
        let allowed = readable.iter().map(String::as_str).chain([store]).any(|r| below(path, r) || below(r, path));
        if allowed { Ok(()) } else { Err(IoError::Forbidden { path: path.to_owned(), mode }) }
    }
}

/// What waits to be written.
#[derive(Default)]
struct Pending {
    trees: BTreeMap<StorePath, Tree>,
    /// Texts, .drv files among them, each with its references.
    texts: BTreeMap<StorePath, (Vec<u8>, Vec<StorePath>)>,
}

impl Pending {
    /// The texts, each after those that it refers to.
    fn in_order(&self) -> Vec<&StorePath> {
        let references = |path: &StorePath| self.texts.get(path).map_or(&[][..], |(_, references)| references);
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for start in self.texts.keys() {
            // Each path is on the stack twice: to go into what it refers to, and then to come out.
            let mut stack = vec![(start, false)];
            while let Some((path, left)) = stack.pop() {
                if left {
                    order.push(path);
                } else if seen.insert(path) {
                    stack.push((path, true));
                    stack.extend(references(path).iter().filter_map(|path| self.own(path)).map(|path| (path, false)));
                }
            }
        }
        order
    }

    fn is_empty(&self) -> bool {
        self.trees.is_empty() && self.texts.is_empty()
    }

    fn holds_text(&self, path: &StorePath) -> bool {
        self.texts.contains_key(path)
    }

    /// The same path, as it is kept here.
    fn own(&self, path: &StorePath) -> Option<&StorePath> {
        self.texts.get_key_value(path).map(|(path, _)| path)
    }
}

struct Tree {
    name: String,
    source: PathBuf,
    method: ContentAddressMethod,
    // A filtered copy lives as long as it may be needed.
    _copy: Option<tempfile::TempDir>,
}

impl StoreIo {
    /// A world over a store.
    pub(crate) fn new(realiser: Arc<Realiser>) -> Self {
        Self::with(Some(realiser), Surroundings::default())
    }

    /// A world over a store or none.
    pub(crate) fn with(realiser: Option<Arc<Realiser>>, surroundings: Surroundings) -> Self {
        Self {
            realiser,
            record: RefCell::default(),
            pending: RefCell::default(),
            solution: RefCell::default(),
            messages: RefCell::default(),
            surroundings,
        }
    }

    fn store(&self) -> Result<&Arc<Store>, IoError> {
        let realiser = self.realiser()?;
        realiser.store().map_err(|e| failed("cannot open the store".to_owned(), e))
    }

    fn realiser(&self) -> Result<&Arc<Realiser>, IoError> {
        self.realiser.as_ref().ok_or(IoError::Unsupported { what: "reading or writing a store" })
    }

    /// Writes what waits, so that it can be read or built.
    fn flush(&self) -> Result<(), IoError> {
        self.commit().map_err(|e| failed("cannot write to the store".to_owned(), e))
    }

    /// What was read so far.
    pub(crate) fn take_record(&self) -> Record {
        self.record.take()
    }

    pub(crate) fn note_solution(&self, packages: &[SolvedPackage]) {
        *self.solution.borrow_mut() = packages.to_vec();
    }

    /// The packages of the last solution.
    pub(crate) fn take_solution(&self) -> Vec<SolvedPackage> {
        self.solution.take()
    }

    /// Warnings and traces so far.
    pub(crate) fn take_messages(&self) -> Vec<String> {
        self.messages.take()
    }

    /// Writes what the evaluation added, as one registration.
    ///
    /// Errors when the store cannot be written, or a source changed since it was hashed.
    pub(crate) fn commit(&self) -> Result<(), SystemError> {
        let Some(realiser) = &self.realiser else { return Ok(()) };
        if self.pending.borrow().is_empty() {
            return Ok(());
        }
        let store = realiser.store()?;
        let pending = self.pending.take();
        let wanted = pending.trees.keys().chain(pending.texts.keys());
        let present = store.valid_among(wanted)?;
        let mut batch = store.batch()?;
        for (path, tree) in &pending.trees {
            if !present.contains(path) {
                match tree.method {
                    ContentAddressMethod::Flat => batch.add_file(&tree.name, &tree.source)?,
                    _ => batch.add_tree(&tree.name, &tree.source)?,
                };
            }
        }
        for path in pending.in_order() {
            if present.contains(path) {
                continue;
            }
            if let Some((text, references)) = pending.texts.get(path) {
                batch.add_text(path.name(), text, references.iter().cloned().collect())?;
            }
        }
        Ok(batch.commit()?)
    }

    /// Copies a large folder of this machine as a source, to be written with the rest. Its hash is remembered in the
    /// folder `memory`.
    ///
    /// Errors when it cannot be read.
    pub(crate) fn add_source(&self, name: &str, source: &Path, memory: &Path) -> Result<StorePath, IoError> {
        let hash = tree_stamp::digest_remembered(source, memory).map_err(|e| copy_failed(source, e))?;
        let path = self.source_path(name, ContentAddressMethod::NixArchive, hash)?;
        self.observe(source, Observation::tree(source, hash));
        let method = ContentAddressMethod::NixArchive;
        let tree = Tree { name: name.to_owned(), source: source.to_owned(), method, _copy: None };
        self.pending.borrow_mut().trees.insert(path.clone(), tree);
        Ok(path)
    }

    /// Notes a file that was read elsewhere on the evaluation's behalf, such as the lock.
    pub(crate) fn observe_file(&self, path: &Path) {
        let observation =
            std::fs::read(path).map_or_else(|_| Observation::absent(), |bytes| Observation::file(path, &bytes));
        self.observe(path, observation);
    }

    /// A path as the language writes it.
    pub(crate) fn logical(&self, path: &StorePath) -> String {
        StoreDir::default().display(path)
    }

    /// Forgets what waits to be written.
    pub(crate) fn discard(&self) {
        self.pending.take();
    }

    fn source_path(
        &self,
        name: &str,
        method: ContentAddressMethod,
        hash: nix_formats::Hash,
    ) -> Result<StorePath, IoError> {
        let address = ContentAddress { method, hash };
        StoreDir::default()
            .make_content_path(name, &address, &ReferenceSet::default())
            .map_err(|e| failed(format!("'{name}' cannot be the name of a store path"), e))
    }

    /// Where a path that the language names lies on this machine.
    fn physical(&self, path: &str) -> Result<PathBuf, IoError> {
        self.surroundings.limits.check(path)?;
        let Some(inside) = path.strip_prefix(STORE_PREFIX) else { return Ok(PathBuf::from(path)) };
        let (base, rest) = inside.split_once('/').unwrap_or((inside, ""));
        let Ok(store_path) = StorePath::from_base_name(base) else { return Ok(PathBuf::from(path)) };
        // What waits to be written is read where it comes from; a text comes from nowhere.
        if let Some(tree) = self.pending.borrow().trees.get(&store_path) {
            return Ok(if rest.is_empty() { tree.source.clone() } else { tree.source.join(rest) });
        }
        if self.pending.borrow().holds_text(&store_path) {
            self.flush()?;
        }
        Ok(match &self.realiser {
            Some(realiser) if realiser.layout().is_chroot() => realiser.layout().physical_of_logical(Path::new(path)),
            _ => PathBuf::from(path),
        })
    }

    fn observe(&self, path: &Path, observation: Observation) {
        // What the store holds cannot change under its name.
        let in_store = self.realiser.as_ref().is_some_and(|r| path.starts_with(r.layout().physical_store()));
        if !in_store {
            self.record.borrow_mut().note(path, observation);
        }
    }

    /// The path of what has a declared hash and is in the store.
    fn fetched_before(&self, request: &FetchRequest) -> Result<Option<StorePath>, IoError> {
        let (name, sha256, method) = match request {
            FetchRequest::Url { name, sha256: Some(sha256), .. } => (name, sha256, ContentAddressMethod::Flat),
            FetchRequest::Tarball { name, sha256: Some(sha256), .. } => {
                (name, sha256, ContentAddressMethod::NixArchive)
            }
            _ => return Ok(None),
        };
        let (Some(_), Ok(hash)) = (&self.realiser, nix_formats::Hash::parse(sha256, Some(HashAlgo::Sha256))) else {
            return Ok(None);
        };
        let path = self.source_path(name, method, hash)?;
        let is_valid = self.store()?.is_valid(&path).map_err(|e| failed(format!("cannot look up '{path}'"), e))?;
        Ok(is_valid.then_some(path))
    }

    fn filtered(&self, source: &Path, request: &mut CopyRequest<'_>) -> Result<Option<tempfile::TempDir>, CopyError> {
        let Some(filter) = request.filter.as_mut() else { return Ok(None) };
        let folder = tempfile::tempdir().map_err(|e| world("make a folder in", &std::env::temp_dir(), e))?;
        let root = request.path.to_owned();
        copy_filtered(source, &folder.path().join("tree"), &root, &mut **filter)?;
        Ok(Some(folder))
    }
}

/// Copies what a filter lets through; `shown` is the path as the filter sees it.
fn copy_filtered(
    source: &Path,
    target: &Path,
    shown: &str,
    filter: &mut dyn FnMut(&str, FileType) -> Result<bool, lang::Error>,
) -> Result<(), CopyError> {
    let metadata = source.symlink_metadata().map_err(|e| world("read", source, e))?;
    if metadata.is_symlink() {
        let link = std::fs::read_link(source).map_err(|e| world("read", source, e))?;
        return std::os::unix::fs::symlink(link, target).map_err(|e| world("write", target, e).into());
    }
    if !metadata.is_dir() {
        return std::fs::copy(source, target).map(drop).map_err(|e| world("copy", source, e).into());
    }
    std::fs::create_dir(target).map_err(|e| world("write", target, e))?;
    for (name, kind) in entries(source)? {
        let name = String::from_utf8_lossy(&name).into_owned();
        let shown = format!("{}/{name}", shown.trim_end_matches('/'));
        if filter(&shown, kind).map_err(|e| CopyError::Filter(Box::new(e)))? {
            copy_filtered(&source.join(&name), &target.join(&name), &shown, filter)?;
        }
    }
    Ok(())
}

fn failed(message: String, source: impl std::error::Error + Send + Sync + 'static) -> IoError {
    IoError::Failed { message, source: Some(Box::new(source)) }
}

fn world(action: &str, path: &Path, source: io::Error) -> IoError {
    match source.kind() {
        io::ErrorKind::NotFound => IoError::NotFound { path: path.display().to_string() },
        _ => failed(format!("cannot {action} '{}'", path.display()), source),
    }
}

pub(crate) fn kind_of(file_type: std::fs::FileType) -> FileType {
    if file_type.is_file() {
        FileType::Regular
    } else if file_type.is_dir() {
        FileType::Directory
    } else if file_type.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Unknown
    }
}

pub(crate) fn entries(folder: &Path) -> Result<BTreeMap<Vec<u8>, FileType>, IoError> {
    let read = || -> io::Result<BTreeMap<Vec<u8>, FileType>> {
        std::fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.file_name().into_vec(), kind_of(entry.file_type()?)))
            })
            .collect()
    };
    read().map_err(|e| world("read", folder, e))
}

impl EvalIo for StoreIo {
    fn read_file(&self, path: &str) -> Result<Vec<u8>, IoError> {
        let place = self.physical(path)?;
        if let Some(text) = self.surroundings.unsaved.get(&place) {
            return Ok(text.clone().into_bytes());
        }
        match std::fs::read(&place) {
            Ok(bytes) => {
                self.observe(&place, Observation::file(&place, &bytes));
                Ok(bytes)
            }
            Err(source) => {
                self.observe(&place, Observation::absent());
                Err(world("read", Path::new(path), source))
            }
        }
    }

    fn read_dir(&self, path: &str) -> Result<BTreeMap<Vec<u8>, FileType>, IoError> {
        let place = self.physical(path)?;
        let entries = entries(&place)?;
        self.observe(&place, Observation::folder(&entries));
        Ok(entries)
    }

    fn file_type(&self, path: &str) -> Result<Option<FileType>, IoError> {
        let place = self.physical(path)?;
        let kind = match place.symlink_metadata() {
            Ok(metadata) => Some(kind_of(metadata.file_type())),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(e) => return Err(world("look at", &place, e)),
        };
        self.observe(&place, Observation::kind(kind));
        Ok(kind)
    }

    fn read_link(&self, path: &str) -> Result<String, IoError> {
        let place = self.physical(path)?;
        let target = std::fs::read_link(&place).map_err(|e| world("read", &place, e))?;
        let target = target.to_string_lossy().into_owned();
        self.observe(&place, Observation::link(&target));
        Ok(target)
    }

    fn copy_to_store(&self, mut request: CopyRequest<'_>) -> Result<StorePath, CopyError> {
        let place = self.physical(request.path)?;
        let copy = self.filtered(&place, &mut request)?;
        let source = copy.as_ref().map_or_else(|| place.clone(), |folder| folder.path().join("tree"));
        let (method, hash) = if request.recursive {
            let digest = digest_tree(&source).map_err(|e| copy_failed(&source, e))?;
            (ContentAddressMethod::NixArchive, digest.hash)
        } else {
            let bytes = std::fs::read(&source).map_err(|e| world("read", &source, e))?;
            let mut hasher = Hasher::new(HashAlgo::Sha256);
            hasher.update(&bytes);
            (ContentAddressMethod::Flat, hasher.finish())
        };
        if let Some(expected) = &request.expected {
            if *expected != hash {
                let message = format!("'{}' has the hash {hash}, not {expected}", request.path);
                return Err(IoError::Failed { message, source: None }.into());
            }
        }
        self.observe(&place, Observation::tree(&place, hash));
        let path = self.source_path(request.name, method, hash)?;
        let tree = Tree { name: request.name.to_owned(), source, method, _copy: copy };
        self.pending.borrow_mut().trees.insert(path.clone(), tree);
        Ok(path)
    }

    fn add_text(&self, path: &StorePath, text: &[u8], references: &[StorePath]) -> Result<(), IoError> {
        self.pending.borrow_mut().texts.insert(path.clone(), (text.to_vec(), references.to_vec()));
        Ok(())
    }

    fn add_derivation(&self, path: &StorePath, _: &Derivation, file: &DerivationFile) -> Result<(), IoError> {
        if self.realiser.is_none() {
            // Never to be written; the evaluator itself knows what it needs of its derivations.
            return Ok(());
        }
        // As the file it will be: that takes a tenth of the derivation's memory.
        self.add_text(path, &file.text, &file.references)
    }

    fn read_derivation(&self, path: &StorePath) -> Result<Derivation, IoError> {
        if let Some((text, _)) = self.pending.borrow().texts.get(path) {
            return Derivation::parse(path.derivation_name(), text, &StoreDir::default())
                .map_err(|e| failed(format!("cannot read the derivation '{path}'"), e));
        }
        self.store()?.read_derivation(path).map_err(|e| failed(format!("cannot read the derivation '{path}'"), e))
    }

    fn ensure_path(&self, path: &StorePath) -> Result<(), IoError> {
        let known = self.pending.borrow().trees.contains_key(path) || self.pending.borrow().holds_text(path);
        // Without a store, whatever is asked for might be there.
        if known || self.realiser.is_none() {
            return Ok(());
        }
        match self.store()?.is_valid(path).map_err(|e| failed(format!("cannot look up '{path}'"), e))? {
            true => Ok(()),
            false => {
                let message = format!("path '{}' is not valid", self.logical(path));
                Err(IoError::Failed { message, source: None })
            }
        }
    }

    fn realise(&self, drv: &StorePath, output: &str) -> Result<(), IoError> {
        let cannot = || format!("cannot build '{}' during evaluation", self.logical(drv));
        if self.surroundings.limits.no_builds {
            let message = format!("{} because the option 'allow-import-from-derivation' is disabled", cannot());
            return Err(IoError::Failed { message, source: None });
        }
        self.flush()?;
        let realiser = self.realiser()?;
        // Most of what is asked for was built before.
        let derivation = self.read_derivation(drv)?;
        if let Some(path) = derivation.outputs.get(output).and_then(DerivationOutput::path) {
            if self.store()?.is_valid(path).map_err(|e| failed(cannot(), e))? {
                return Ok(());
            }
        }
        realiser.realise_output(drv, output).map_err(|e| failed(cannot(), e))
    }

    fn fetch(&self, request: &FetchRequest) -> Result<Fetched, IoError> {
        if let Some(path) = self.fetched_before(request)? {
            return Ok(Fetched { path, attrs: BTreeMap::new() });
        }
        let fetched = Fetching { realiser: self.realiser.as_deref() }.fetch(request)?;
        let (method, hash) = if fetched.flat {
            let bytes = std::fs::read(&fetched.source).map_err(|e| world("read", &fetched.source, e))?;
            (ContentAddressMethod::Flat, nix_formats::Hash::of(HashAlgo::Sha256, &bytes))
        } else {
            let digest = digest_tree(&fetched.source).map_err(|e| copy_failed(&fetched.source, e))?;
            (ContentAddressMethod::NixArchive, digest.hash)
        };
        let path = self.source_path(&fetched.name, method, hash)?;
        if fetched.kept.is_none() {
            self.observe(&fetched.source, Observation::tree(&fetched.source, hash));
        }
        let tree = Tree { name: fetched.name, source: fetched.source, method, _copy: fetched.kept };
        self.pending.borrow_mut().trees.insert(path.clone(), tree);
        Ok(Fetched { path, attrs: fetched.attrs })
    }

    fn env(&self, name: &str) -> String {
        match self.surroundings.has_environment {
            true => std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()).unwrap_or_default(),
            false => String::new(),
        }
    }

    fn current_time(&self) -> Option<i64> {
        self.surroundings.time
    }

    fn search_path(&self) -> Vec<(String, String)> {
        self.surroundings.search_path.clone()
    }

    fn trace(&self, message: &str) {
        if self.surroundings.prints_messages {
            // When standard error is gone there is nobody to tell.
            let _ = writeln!(io::stderr(), "{message}");
        } else {
            self.messages.borrow_mut().push(message.to_owned());
        }
    }
}

fn copy_failed(path: &Path, source: store::StoreError) -> IoError {
    failed(format!("cannot copy '{}' to the store", path.display()), source)
}
