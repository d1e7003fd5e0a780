//! Where the store's files really lie: a logical path (`/nix/store/…`) and the directory that holds it on this machine.
//!
//! The two differ for stores of ordinary users (`--store DIR`). Everything written into an output uses logical paths.

use std::path::PathBuf;

use thiserror::Error;

/// A store directory with its logical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLocation {
    /// The logical directory, without trailing slash.
    pub logical: String,
    /// Where it lies.
    pub physical: PathBuf,
}

/// A path that is not in the store.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{path}` is not a path in the store `{store}`")]
pub struct NotInStore {
    /// The path given.
    pub path: String,
    /// The logical store directory.
    pub store: String,
}

impl StoreLocation {
    /// Splits `/nix/store/<base>/rest` into the store path and the rest (without leading slash, empty when none).
    ///
    /// # Errors
    /// When the path is not beneath the logical store directory.
    pub fn split<'p>(&self, path: &'p str) -> Result<(&'p str, &'p str), NotInStore> {
        let wrong = || NotInStore { path: path.to_owned(), store: self.logical.clone() };
        let inner = path.strip_prefix(&self.logical).and_then(|p| p.strip_prefix('/')).ok_or_else(wrong)?;
        let base = inner.split('/').next().filter(|base| !base.is_empty()).ok_or_else(wrong)?;
        let end = path.len() - inner.len() + base.len();
        Ok((&path[..end], path[end..].trim_start_matches('/')))
    }

    /// Where a path in the store lies on this machine.
    ///
    /// # Errors
    /// When the path is not beneath the logical store directory.
    pub fn physical(&self, path: &str) -> Result<PathBuf, NotInStore> {
        let (store_path, rest) = self.split(path)?;
        let base = self.physical.join(&store_path[self.logical.len() + 1..]);
        Ok(if rest.is_empty() { base } else { base.join(rest) })
    }
}

/// The last component of a store path without its hash: `/nix/store/<hash>-bash-5.2` → `bash-5.2`.
#[must_use]
pub fn store_path_name(store_path: &str) -> &str {
    let base = store_path.rsplit('/').next().unwrap_or(store_path);
    base.split_once('-').map_or(base, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_maps_paths() {
        let store = StoreLocation { logical: "/nix/store".into(), physical: "/data/nix/store".into() };
        assert_eq!(store.split("/nix/store/abc-x/etc/y"), Ok(("/nix/store/abc-x", "etc/y")));
        assert_eq!(store.physical("/nix/store/abc-x"), Ok("/data/nix/store/abc-x".into()));
        assert!(store.split("/nix/store/").is_err());
        assert!(store.split("/etc/passwd").is_err());
        assert_eq!(store_path_name("/nix/store/abc-bash-5.2"), "bash-5.2");
    }
}
