//! A plain-filesystem [`EvalIo`] for tests and benchmarks; copies to the store only compute the path.

#![allow(clippy::print_stderr, reason = "traces go to the terminal")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;

use lang::io::{CopyError, CopyRequest, EvalIo, FileType, IoError};
use nix_formats::nar::{FileMode, NarWriter, TreeVisitor};
use nix_formats::{
    ContentAddress, ContentAddressMethod, Derivation, DerivationFile, Hash, HashAlgo, Hasher, ReferenceSet, StoreDir,
    StorePath,
};

/// Reads the real filesystem, writes nothing.
#[derive(Default)]
pub(crate) struct LocalIo {
    /// Traces go nowhere.
    quiet: bool,
    /// What would have been written, inputs before those that need them.
    pub(crate) derivations: RefCell<Vec<(StorePath, Derivation)>>,
}

impl LocalIo {
    /// One whose traces go nowhere.
    pub(crate) fn quiet() -> Self {
        LocalIo { quiet: true, ..LocalIo::default() }
    }
}

fn failed(path: &str, error: std::io::Error) -> IoError {
    match error.kind() {
        std::io::ErrorKind::NotFound => IoError::NotFound { path: path.to_owned() },
        _ => IoError::Failed { message: format!("reading '{path}'"), source: Some(error.into()) },
    }
}

fn kind(t: std::fs::FileType) -> FileType {
    if t.is_dir() {
        FileType::Directory
    } else if t.is_symlink() {
        FileType::Symlink
    } else if t.is_file() {
        FileType::Regular
    } else {
        FileType::Unknown
    }
}

type Filter<'r> = Option<&'r mut dyn FnMut(&str, FileType) -> Result<bool, lang::Error>>;

/// Shows the tree at `path` to the writer.
fn walk(writer: &mut NarWriter<Hasher>, path: &str, name: &[u8], filter: &mut Filter<'_>) -> Result<(), CopyError> {
    let io = |e| failed(path, e);
    let meta = std::fs::symlink_metadata(path).map_err(io)?;
    if meta.is_symlink() {
        let target = std::fs::read_link(path).map_err(io)?;
        writer.symlink(name, target.as_os_str().as_encoded_bytes()).map_err(io)?;
    } else if meta.is_dir() {
        writer.enter_directory(name).map_err(io)?;
        for (entry, kind) in LocalIo::quiet().read_dir(path)? {
            let below = format!("{path}/{}", String::from_utf8_lossy(&entry));
            let take = match filter {
                Some(f) => f(&below, kind).map_err(|e| CopyError::Filter(Box::new(e)))?,
                None => true,
            };
            if take {
                walk(writer, &below, &entry, filter)?;
            }
        }
        writer.leave_directory().map_err(io)?;
    } else {
        use std::os::unix::fs::PermissionsExt;
        let mode = if meta.permissions().mode() & 0o100 == 0 { FileMode::Regular } else { FileMode::Executable };
        let mut file = std::fs::File::open(path).map_err(io)?;
        writer.file(name, mode, meta.len(), &mut file).map_err(io)?;
    }
    Ok(())
}

impl EvalIo for LocalIo {
    fn read_file(&self, path: &str) -> Result<Vec<u8>, IoError> {
        std::fs::read(path).map_err(|e| failed(path, e))
    }

    fn read_dir(&self, path: &str) -> Result<BTreeMap<Vec<u8>, FileType>, IoError> {
        let mut all = BTreeMap::new();
        for entry in std::fs::read_dir(path).map_err(|e| failed(path, e))? {
            let entry = entry.map_err(|e| failed(path, e))?;
            all.insert(entry.file_name().into_vec(), kind(entry.file_type().map_err(|e| failed(path, e))?));
        }
        Ok(all)
    }

    fn file_type(&self, path: &str) -> Result<Option<FileType>, IoError> {
        match std::fs::symlink_metadata(path) {
            Ok(m) => Ok(Some(kind(m.file_type()))),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(failed(path, e)),
        }
    }

    fn read_link(&self, path: &str) -> Result<String, IoError> {
        let target = std::fs::read_link(path).map_err(|e| failed(path, e))?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn copy_to_store(&self, mut request: CopyRequest<'_>) -> Result<StorePath, CopyError> {
        let dir = StoreDir::default();
        let address = if request.recursive {
            let mut writer = NarWriter::new(Hasher::new(HashAlgo::Sha256)).map_err(|e| failed(request.path, e))?;
            walk(&mut writer, request.path, b"", &mut request.filter)?;
            let hash = writer.finish().map_err(|e| failed(request.path, e))?.finish();
            ContentAddress { method: ContentAddressMethod::NixArchive, hash }
        } else {
            let hash = Hash::of(HashAlgo::Sha256, &self.read_file(request.path)?);
            ContentAddress { method: ContentAddressMethod::Flat, hash }
        };
        if request.expected.is_some_and(|h| h != address.hash) {
            let message = format!("store path mismatch in (possibly filtered) path added from '{}'", request.path);
            return Err(IoError::Failed { message, source: None }.into());
        }
        dir.make_content_path(request.name, &address, &ReferenceSet::default())
            .map_err(|e| IoError::Failed { message: e.to_string(), source: None }.into())
    }

    fn add_text(&self, _: &StorePath, _: &[u8], _: &[StorePath]) -> Result<(), IoError> {
        Ok(())
    }

    fn add_derivation(&self, path: &StorePath, derivation: &Derivation, _: &DerivationFile) -> Result<(), IoError> {
        self.derivations.borrow_mut().push((path.clone(), derivation.clone()));
        Ok(())
    }

    fn trace(&self, message: &str) {
        if !self.quiet {
            eprintln!("{message}");
        }
    }
}
