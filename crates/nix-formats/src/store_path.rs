//! Store paths: `<32 base32 digits>-<name>`, and the store folder they lie in.
//!
//! A `StorePath` is a base name without folder; only `StoreDir` turns it into an absolute *logical* path. Where the
//! files lie on disk is the `store` package's affair. How the digits come about is in `content_address`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::base32;
use crate::hash::{Hash, HashAlgo};

/// The longest name, in bytes, so that base names plus `.lock` and the like fit 255.
pub const MAX_NAME_LEN: usize = 211;

/// How many digits a hash part has.
pub const HASH_PART_LEN: usize = 32;

/// Why a text is not a store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// An absolute path outside the store folder, or the folder itself.
    #[error("path `{path}` is not in the store `{store_dir}`")]
    NotInStore {
        /// The path given.
        path: String,
        /// The store folder.
        store_dir: String,
    },
    /// Too short or without the dash after the hash part.
    #[error("store path `{base_name}` is not of the form <hash>-<name>")]
    Malformed {
        /// The base name given.
        base_name: String,
    },
    /// A character of the hash part is not a base32 digit.
    #[error("store path `{base_name}` contains an illegal base-32 character in its hash")]
    BadHashPart {
        /// The base name given.
        base_name: String,
    },
    /// The name is empty.
    #[error("store path name must not be empty")]
    EmptyName,
    /// The name is longer than `MAX_NAME_LEN`.
    #[error("store path name `{name}` must be no longer than {MAX_NAME_LEN} characters")]
    NameTooLong {
        /// The name given.
        name: String,
    },
    /// The name's first dash-separated part is `.` or `..`.
    #[error("store path name `{name}` must not begin with the component `.` or `..`")]
    DotName {
        /// The name given.
        name: String,
    },
    /// A character is not one of `0-9a-zA-Z+-._?=`.
    #[error("store path name `{name}` contains illegal character `{character}`")]
    IllegalCharacter {
        /// The name given.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

/// Checks a store path's name by Nix's rules.
///
/// Errors with the first rule broken.
pub fn check_name(name: &str) -> Result<(), StorePathError> {
    if name.is_empty() {
        return Err(StorePathError::EmptyName);
    }
    if name.len() > MAX_NAME_LEN {
        return Err(StorePathError::NameTooLong { name: name.to_owned() });
    }
    if matches!(name.split('-').next(), Some("." | "..")) {
        return Err(StorePathError::DotName { name: name.to_owned() });
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || "+-._?=".contains(*c))) {
        Some(character) => Err(StorePathError::IllegalCharacter { name: name.to_owned(), character }),
        None => Ok(()),
    }
}

/// The 32 base32 digits of a store path, as ASCII: what a reference looks like inside a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashPart([u8; HASH_PART_LEN]);

impl HashPart {
    /// Takes 32 ASCII digits. `None` when the length or a digit is wrong.
    #[must_use]
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        let digits: [u8; HASH_PART_LEN] = digits.try_into().ok()?;
        digits.iter().all(|digit| base32::is_digit(*digit)).then_some(Self(digits))
    }

    /// The ASCII digits.
    #[must_use]
    pub const fn digits(&self) -> &[u8; HASH_PART_LEN] {
        &self.0
    }
}

impl fmt::Display for HashPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for HashPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashPart({self})")
    }
}

/// The base name of a store path. Cheap to clone; ordered and displayed as the base name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    base_name: Arc<str>,
}

impl StorePath {
    /// From the 20 bytes of a hash part and a name.
    ///
    /// Errors when the name is not allowed.
    pub fn from_parts(hash: &[u8; 20], name: &str) -> Result<Self, StorePathError> {
        check_name(name)?;
        Ok(Self { base_name: format!("{}-{name}", base32::encode(hash)).into() })
    }

    /// Parses `<hash>-<name>`.
    ///
    /// Errors when the form, a digit or the name is wrong.
    pub fn from_base_name(base_name: &str) -> Result<Self, StorePathError> {
        let (Some(digits), Some(b'-'), Some(name)) = (
            base_name.as_bytes().get(..HASH_PART_LEN),
            base_name.as_bytes().get(HASH_PART_LEN),
            base_name.get(HASH_PART_LEN + 1..),
        ) else {
            return Err(StorePathError::Malformed { base_name: base_name.to_owned() });
        };
        if HashPart::from_digits(digits).is_none() {
            return Err(StorePathError::BadHashPart { base_name: base_name.to_owned() });
        }
        check_name(name)?;
        Ok(Self { base_name: base_name.into() })
    }

    /// `<hash>-<name>`.
    #[must_use]
    pub fn base_name(&self) -> &str {
        &self.base_name
    }

    /// What follows the hash part's dash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.base_name[HASH_PART_LEN + 1..]
    }

    /// The 32 digits.
    #[must_use]
    pub fn hash_part(&self) -> HashPart {
        let mut digits = [0; HASH_PART_LEN];
        digits.copy_from_slice(&self.base_name.as_bytes()[..HASH_PART_LEN]);
        HashPart(digits)
    }

    /// Whether the name ends in `.drv`.
    #[must_use]
    pub fn is_derivation(&self) -> bool {
        self.base_name.ends_with(".drv")
    }

    /// The name of a derivation: the path's name without `.drv`.
    #[must_use]
    pub fn derivation_name(&self) -> &str {
        self.name().strip_suffix(".drv").unwrap_or_else(|| self.name())
    }
}

/// By the base name, as which it is compared and hashed.
impl Borrow<str> for StorePath {
    fn borrow(&self) -> &str {
        &self.base_name
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base_name)
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorePath({})", self.base_name)
    }
}

impl FromStr for StorePath {
    type Err = StorePathError;

    fn from_str(base_name: &str) -> Result<Self, StorePathError> {
        Self::from_base_name(base_name)
    }
}

/// The logical folder of a store, normally `/nix/store`. It is part of every store path's hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreDir {
    dir: Arc<str>,
}

impl Default for StoreDir {
    fn default() -> Self {
        Self { dir: "/nix/store".into() }
    }
}

impl StoreDir {
    /// A folder given as an absolute path without trailing slash.
    #[must_use]
    pub fn new(dir: &str) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder's path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.dir
    }

    /// The absolute logical path.
    #[must_use]
    pub fn display(&self, path: &StorePath) -> String {
        [&*self.dir, "/", &*path.base_name].concat()
    }

    /// Parses an absolute path that is a store path itself.
    ///
    /// Errors when it lies elsewhere, below a store path, or is malformed.
    pub fn parse(&self, path: &str) -> Result<StorePath, StorePathError> {
        StorePath::from_base_name(self.strip(path)?)
    }

    /// Splits an absolute path into its store path and what follows (empty, or beginning with `/`).
    ///
    /// Errors when it lies outside the store or the first component is not a store path.
    pub fn split<'p>(&self, path: &'p str) -> Result<(StorePath, &'p str), StorePathError> {
        let inside = self.strip(path)?;
        let end = inside.find('/').unwrap_or(inside.len());
        Ok((StorePath::from_base_name(&inside[..end])?, &inside[end..]))
    }

    fn strip<'p>(&self, path: &'p str) -> Result<&'p str, StorePathError> {
        path.strip_prefix(&*self.dir)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| StorePathError::NotInStore { path: path.to_owned(), store_dir: self.dir.to_string() })
    }

    /// The store path that `fingerprint_type`, `inner` and `name` determine: the root of all path computations.
    ///
    /// Errors when the name is not allowed.
    pub fn make_path(&self, fingerprint_type: &str, inner: &Hash, name: &str) -> Result<StorePath, StorePathError> {
        let fingerprint = format!("{fingerprint_type}:{}:{}:{name}", inner.to_prefixed_base16(), self.dir);
        let digest = Hash::of(HashAlgo::Sha256, fingerprint.as_bytes());
        StorePath::from_parts(&digest.compress::<20>(), name)
    }

    /// The path of a derivation's input-addressed output, given the derivation's hash modulo its fixed outputs.
    ///
    /// Errors when the resulting name is not allowed.
    pub fn make_output_path(&self, output: &str, drv_hash: &Hash, drv_name: &str) -> Result<StorePath, StorePathError> {
        self.make_path(&format!("output:{output}"), drv_hash, &output_path_name(drv_name, output))
    }
}

/// The name of an output's path: the derivation's name, with `-<output>` unless the output is `out`.
#[must_use]
pub fn output_path_name(drv_name: &str, output: &str) -> String {
    if output == "out" { drv_name.to_owned() } else { format!("{drv_name}-{output}") }
}

#[cfg(test)]
mod tests {
    use super::{StoreDir, StorePath, StorePathError, check_name};

    const BASE: &str = "7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-konsole-18.12.3";

    #[test]
    fn parses_and_prints() {
        let path = StorePath::from_base_name(BASE).unwrap();
        assert_eq!(path.to_string(), BASE);
        assert_eq!(path.name(), "konsole-18.12.3");
        assert_eq!(path.hash_part().to_string(), &BASE[..32]);
        let dir = StoreDir::default();
        assert_eq!(dir.parse(&dir.display(&path)), Ok(path.clone()));
        assert_eq!(dir.split(&format!("/nix/store/{BASE}/bin/x")), Ok((path, "/bin/x")));
    }

    #[test]
    fn refuses_what_nix_refuses() {
        let dir = StoreDir::default();
        assert!(matches!(dir.parse("/nix/storex/abc"), Err(StorePathError::NotInStore { .. })));
        assert!(matches!(dir.parse("/nix/store"), Err(StorePathError::NotInStore { .. })));
        assert!(matches!(StorePath::from_base_name("abc"), Err(StorePathError::Malformed { .. })));
        let bad = BASE.replacen('7', "e", 1);
        assert!(matches!(StorePath::from_base_name(&bad), Err(StorePathError::BadHashPart { .. })));
        for (name, ok) in [
            (".", false),
            ("..", false),
            (".-a", false),
            ("..-a", false),
            (".a", true),
            ("...", true),
            ("a b", false),
            ("a?=b", true),
            ("", false),
            ("ä", false),
        ] {
            assert_eq!(check_name(name).is_ok(), ok, "{name}");
        }
        assert!(check_name(&"a".repeat(211)).is_ok());
        assert!(check_name(&"a".repeat(212)).is_err());
    }
}
