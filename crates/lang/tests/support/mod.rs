//! A plain-filesystem [`EvalIo`] for tests and benchmarks; copies to the store only compute the path.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;

use lang::io::{CopyError, CopyRequest, EvalIo, FileType, IoError};
use nix_formats::{Derivation, StorePath};

/// Reads the real filesystem, writes nothing.
pub struct LocalIo;

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

    fn copy_to_store(&self, request: CopyRequest<'_>) -> Result<StorePath, CopyError> {
        let _ = request;
        Err(IoError::Unsupported { what: "copying to the store" }.into())
    }

    fn add_text(&self, _: &StorePath, _: &[u8], _: &[StorePath]) -> Result<(), IoError> {
        Ok(())
    }

    fn add_derivation(&self, _: &StorePath, _: &Derivation) -> Result<(), IoError> {
        Ok(())
    }

    fn trace(&self, message: &str) {
        eprintln!("{message}");
    }
}
