//! What `builtins.fetch*` get: files, archives, folders and git repositories, as trees that wait to be written to the
//! store. The derivations' own fetching is elsewhere ([`crate::fetch`]).

mod archive;
mod git;

use diagnostics::one_line;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use build::{DirectFetcher, FetchRequest as Download, Fetcher, Quiet};
use lang::io::{FetchAttr, FetchRequest, IoError};
use nix_formats::{Hash, HashAlgo};
use store::digest_tree;

use crate::realiser::Realiser;

/// A tree that was fetched and what is known about it.
pub(crate) struct Tree {
    /// The name in the store.
    pub(crate) name: String,
    /// Where it lies.
    pub(crate) source: PathBuf,
    /// Whether it is addressed as a file, by its contents alone.
    pub(crate) flat: bool,
    /// Keeps a copy alive; nothing for a folder that is read where it is.
    pub(crate) kept: Option<tempfile::TempDir>,
    /// What the builtin gives beside the path.
    pub(crate) attrs: BTreeMap<String, FetchAttr>,
}

/// What fetching may use.
pub(crate) struct Fetching<'f> {
    /// Folders for clones; without one nothing is kept.
    pub(crate) realiser: Option<&'f Realiser>,
}

pub(crate) fn failed(message: impl Into<String>) -> IoError {
    IoError::Failed { message: message.into(), source: None }
}

pub(crate) fn failed_by(message: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> IoError {
    IoError::Failed { message: message.into(), source: Some(Box::new(source)) }
}

fn scratch() -> Result<tempfile::TempDir, IoError> {
    tempfile::tempdir().map_err(|e| failed_by("cannot make a temporary folder", e))
}

impl Fetching<'_> {
    /// Fetches what a builtin wants.
    ///
    /// Errors when it cannot be had or is not what its hash says.
    pub(crate) fn fetch(&self, request: &FetchRequest) -> Result<Tree, IoError> {
        match request {
            FetchRequest::Url { url, name, sha256 } => {
                let folder = scratch()?;
                let file = self.download(url, folder.path())?;
                let bytes = std::fs::read(&file).map_err(|e| failed_by("cannot read what was downloaded", e))?;
                check(url, "file downloaded from", sha256.as_deref(), Hash::of(HashAlgo::Sha256, &bytes))?;
                Ok(Tree { name: name.clone(), source: file, flat: true, kept: Some(folder), attrs: BTreeMap::new() })
            }
            FetchRequest::Tarball { url, name, sha256 } => {
                let (mut tree, _) = self.tarball(url, name)?;
                let hash = nar_hash(&tree.source)?;
                check(url, "file downloaded from", sha256.as_deref(), hash)?;
                tree.attrs.clear();
                Ok(tree)
            }
            FetchRequest::Tree { kind, attrs } => self.tree(kind, attrs),
        }
    }

    fn tree(&self, kind: &str, attrs: &BTreeMap<String, FetchAttr>) -> Result<Tree, IoError> {
        let given = |name: &str| match attrs.get(name) {
            Some(FetchAttr::String(text)) => Ok(text.as_str()),
            _ => Err(failed(format!("input attribute '{name}' is missing"))),
        };
        let (mut tree, modified) = match kind {
            "git" => git::fetch(self, attrs)?,
            "path" => {
                let source = PathBuf::from(given("path")?);
                let modified =
                    last_modified(&source).map_err(|e| failed_by(format!("cannot read '{}'", source.display()), e))?;
                (plain_tree("source", source), Some(modified))
            }
            "tarball" => self.tarball(given("url")?, "source")?,
            "file" => {
                let folder = scratch()?;
                let source = self.download(given("url")?, folder.path())?;
                (Tree { kept: Some(folder), ..plain_tree("source", source) }, None)
            }
            other => return Err(failed(format!("inputs of type '{other}' cannot be fetched"))),
        };
        let hash = nar_hash(&tree.source)?;
        if let Some(FetchAttr::String(wanted)) = attrs.get("narHash") {
            let shown = match attrs.get("url").or(attrs.get("path")) {
                Some(FetchAttr::String(text)) => text.as_str(),
                _ => kind,
            };
            check(shown, "input", Some(wanted), hash)?;
        }
        tree.attrs.insert("narHash".to_owned(), FetchAttr::String(hash.to_sri()));
        if let Some(modified) = modified {
            tree.attrs.insert("lastModified".to_owned(), FetchAttr::Int(modified));
            tree.attrs.insert("lastModifiedDate".to_owned(), FetchAttr::String(date(modified)));
        }
        Ok(tree)
    }

    fn tarball(&self, url: &str, name: &str) -> Result<(Tree, Option<u64>), IoError> {
        let folder = scratch()?;
        let file = self.download(url, folder.path())?;
        let unpacked = folder.path().join("unpacked");
        let modified = archive::unpack(&file, &unpacked).map_err(|e| failed_by(format!("cannot unpack '{url}'"), e))?;
        let source = archive::only_folder(&unpacked).unwrap_or(unpacked);
        Ok((Tree { kept: Some(folder), ..plain_tree(name, source) }, Some(modified)))
    }

    /// Gets a file from an URL into a folder.
    fn download(&self, url: &str, folder: &Path) -> Result<PathBuf, IoError> {
        let is_local = url.starts_with("file:");
        if !is_local && self.realiser.is_some_and(Realiser::is_offline) {
            return Err(failed(format!("unable to download '{url}': --offline forbids it")));
        }
        let destination = folder.join("download");
        let request = Download {
            url: url.to_owned(),
            name: url.to_owned(),
            hash: None,
            size_bytes: None,
            destination: destination.clone(),
        };
        let cancellation = self.realiser.map_or_else(build::Cancellation::new, Realiser::cancellation);
        for result in DirectFetcher.fetch(&[request], &Quiet, &cancellation) {
            result.map_err(|error| failed(format!("unable to download '{url}': {}", one_line(&error))))?;
        }
        Ok(destination)
    }
}

fn plain_tree(name: &str, source: PathBuf) -> Tree {
    Tree { name: name.to_owned(), source, flat: false, kept: None, attrs: BTreeMap::new() }
}

fn nar_hash(source: &Path) -> Result<Hash, IoError> {
    Ok(digest_tree(source).map_err(|e| failed_by(format!("cannot read '{}'", source.display()), e))?.hash)
}

fn check(what: &str, kind: &str, wanted: Option<&str>, found: Hash) -> Result<(), IoError> {
    let Some(wanted) = wanted.filter(|w| !w.is_empty()) else { return Ok(()) };
    let expected = Hash::parse(wanted, Some(HashAlgo::Sha256))
        .map_err(|e| failed(format!("the hash given for '{what}' is none: {e}")))?;
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.to_sri(), found.to_sri());
    Err(failed(format!("hash mismatch in {kind} '{what}':\n  specified: {expected}\n  got:       {found}")))
}

/// The time of what was changed last in a tree, in seconds since 1970.
fn last_modified(path: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.symlink_metadata()?;
    let mut latest = u64::try_from(metadata.mtime()).unwrap_or(0);
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            latest = latest.max(last_modified(&entry?.path())?);
        }
    }
    Ok(latest)
}

/// `20240131235959`, in UTC.
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the day that leap years have comes last; eras are 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The other way round: days from the beginning of 1970 to a date of that year or later.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::{date, days_since_1970};

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "19700101000000");
        assert_eq!(date(951_782_399), "20000228235959");
        assert_eq!(date(951_782_400), "20000229000000");
        assert_eq!(date(1_700_000_000), "20231114221320");
    }

    #[test]
    fn days_are_counted_as_dates_are_made() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 2, 29), 951_782_400 / 86_400);
        assert_eq!(days_since_1970(2023, 11, 14), 1_700_000_000 / 86_400);
    }
}
