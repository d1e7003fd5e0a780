//! Binary caches as commands see them: keys, exports, and where to copy a system from.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use build::{BinaryCache, FileCache, HttpCache};
use nix_formats::StorePath;
use nix_formats::signature::{PublicKey, SecretKey};

use crate::realiser::Supply;
use crate::{Session, SystemError};

fn cache_error(error: impl std::error::Error + Send + Sync + 'static) -> SystemError {
    SystemError::Build(Box::new(error))
}

/// Makes a pair of keys, `NAME.secret` and `NAME.public`, and returns the public one's text.
///
/// Errors when a file exists already or cannot be written.
pub fn make_key(name: &str, folder: &Path) -> Result<String, SystemError> {
    let key = build::generate_key(name).map_err(cache_error)?;
    let public = key.public().to_string();
    let write = |suffix: &str, text: &str, mode: u32| {
        let path = folder.join(format!("{name}.{suffix}"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| SystemError::Write { path, source })
    };
    write("secret", &key.to_secret_text(), 0o600)?;
    write("public", &public, 0o644)?;
    Ok(public)
}

/// Writes the closure of a path into a cache; returns how many paths were new to it.
///
/// Errors when the key is none or the cache cannot be written.
pub fn export(session: &Session, path: &StorePath, folder: &Path, key: &Path) -> Result<usize, SystemError> {
    let text = fs_err::read_to_string(key).map_err(|source| SystemError::Read { path: key.to_owned(), source })?;
    let key: SecretKey = text.trim().parse().map_err(cache_error)?;
    let report = build::export_closure(session.store(), [path], folder, Some(&key)).map_err(cache_error)?;
    Ok(report.written)
}

/// The cache at an address: `file:///folder` or `http://…`.
pub fn open(address: &str) -> Box<dyn BinaryCache> {
    match address.strip_prefix("file://") {
        Some(folder) => Box::new(FileCache::new(folder)),
        None => Box::new(HttpCache::new(address)),
    }
}

/// Parses public keys, as `trusted-public-keys` lists them.
///
/// Errors at the first that is none.
pub fn keys(texts: &[String]) -> Result<Vec<PublicKey>, SystemError> {
    texts.iter().flat_map(|text| text.split_whitespace()).map(|text| text.parse().map_err(cache_error)).collect()
}

/// Copies a path with all that it references from caches into the store.
///
/// Errors when no cache has it signed by a trusted key.
pub fn copy_closure(
    session: &Session,
    path: &StorePath,
    caches: &[Box<dyn BinaryCache>],
    trusted: &[PublicKey],
) -> Result<(), SystemError> {
    let supply = Supply { caches, trusted, ..Supply::default() };
    session.with_builder(&supply, |builder| builder.copy(&BTreeSet::from([path.clone()])))?;
    Ok(())
}

/// The keys that this machine trusts: `trusted-public-keys` of /etc/nix/nix.conf.
///
/// Errors when a key is malformed.
pub fn configured_keys() -> Result<Vec<PublicKey>, SystemError> {
    let text = std::fs::read_to_string("/etc/nix/nix.conf").unwrap_or_default();
    let values = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        matches!(name.trim(), "trusted-public-keys" | "extra-trusted-public-keys").then(|| value.trim().to_owned())
    });
    keys(&values.collect::<Vec<_>>())
}
