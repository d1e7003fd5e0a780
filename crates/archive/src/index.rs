//! The index of one architecture: every package of the locked suites, found by name in microseconds.
//!
//! Made once for each lock out of the `Packages` texts ([`build_index`]), then opened with one read of its front section;
//! packages are read one by one as they are needed. Every part has a checksum, so damage shows as [`IndexError::Corrupt`]
//! and the owner makes the index anew. Nothing is solved here.

mod build;
mod format;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use deb_formats::packages::Priority;
use thiserror::Error;

pub use build::{BuildError, Source, build_index};
use format::{HEADER_BYTES, Layout, checksum, read_block, read_u32};

use crate::mirror::{MirrorName, MirrorUrl};

/// Why an index cannot be read.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The file cannot be read.
    #[error("cannot read the package index `{path}`")]
    Read {
        /// The index.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("the package index `{path}` is damaged")]
    Corrupt {
        /// The index.
        path: PathBuf,
    },
}

/// A package's place in an index. Smaller ids of one name are newer versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub(crate) u32);

/// A name's place in an index, be it a package's or only provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(pub(crate) u32);

/// One version of one binary package. Relation fields are texts as in control files, empty when missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, `arm64` or `all`.
    pub architecture: String,
    /// The source package's name.
    pub source: String,
    /// Its section, for instance `net`.
    pub section: String,
    /// One line of description.
    pub summary: String,
    /// The path of the .deb below the archive's root.
    pub filename: String,
    /// SHA-256 of the .deb, hexadecimal.
    pub sha256: String,
    /// The suite it is taken from.
    pub suite: String,
    /// `Pre-Depends`
    pub pre_depends: String,
    /// `Depends`
    pub depends: String,
    /// `Recommends`
    pub recommends: String,
    /// `Conflicts`
    pub conflicts: String,
    /// `Breaks`
    pub breaks: String,
    /// `Provides`
    pub provides: String,
    /// Its priority.
    pub priority: Priority,
    /// Whether every system must have it.
    pub essential: bool,
    /// Whether this version came out as a security fix.
    pub security: bool,
    /// The archive that has the .deb.
    pub mirror: MirrorName,
    /// Length of the .deb in bytes.
    pub size: u64,
    /// Size when unpacked, in KiB.
    pub installed_size_kib: u64,
}

impl Package {
    /// Where the .deb is.
    pub fn url(&self) -> MirrorUrl {
        MirrorUrl { mirror: self.mirror, path: self.filename.clone() }
    }

    /// The text fields in the order of the file format.
    fn texts(&self) -> [&String; 15] {
        [
            &self.name,
            &self.version,
            &self.architecture,
            &self.source,
            &self.section,
            &self.summary,
            &self.filename,
            &self.sha256,
            &self.suite,
            &self.pre_depends,
            &self.depends,
            &self.recommends,
            &self.conflicts,
            &self.breaks,
            &self.provides,
        ]
    }

    fn texts_mut(&mut self) -> [&mut String; 15] {
        [
            &mut self.name,
            &mut self.version,
            &mut self.architecture,
            &mut self.source,
            &mut self.section,
            &mut self.summary,
            &mut self.filename,
            &mut self.sha256,
            &mut self.suite,
            &mut self.pre_depends,
            &mut self.depends,
            &mut self.recommends,
            &mut self.conflicts,
            &mut self.breaks,
            &mut self.provides,
        ]
    }
}

impl Default for Package {
    fn default() -> Self {
        let text = String::new;
        Self {
            name: text(),
            version: text(),
            architecture: text(),
            source: text(),
            section: text(),
            summary: text(),
            filename: text(),
            sha256: text(),
            suite: text(),
            pre_depends: text(),
            depends: text(),
            recommends: text(),
            conflicts: text(),
            breaks: text(),
            provides: text(),
            priority: Priority::Optional,
            essential: false,
            security: false,
            mirror: MirrorName::Debian,
            size: 0,
            installed_size_kib: 0,
        }
    }
}

/// An open index.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    file: File,
    front: Vec<u8>,
    layout: Layout,
}

impl Index {
    /// Opens an index file and checks its front section. Errors when it cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let read = |source| IndexError::Read { path: path.to_owned(), source };
        let corrupt = || IndexError::Corrupt { path: path.to_owned() };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let mut header = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Err(corrupt());
        }
        file.read_exact_at(&mut header, 0).map_err(read)?;
        let (layout, sum) = Layout::of_header(&header).ok_or_else(corrupt)?;
        if layout.summaries.0 + layout.summaries.1 as u64 != length || (HEADER_BYTES + layout.end) as u64 > length {
            return Err(corrupt());
        }
        let mut front = vec![0; layout.end];
        file.read_exact_at(&mut front, HEADER_BYTES as u64).map_err(read)?;
        if checksum(&front) != sum {
            return Err(corrupt());
        }
        Ok(Self { path: path.to_owned(), file, front, layout })
    }

    /// How many packages it holds, all versions counted.
    pub fn len(&self) -> usize {
        self.layout.packages
    }

    /// Whether it holds no package.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of real packages, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.layout.names)
            .filter(|&name| !self.range(self.layout.first_package, name).is_empty())
            .map(|name| self.name_at(name))
    }

    /// All versions of a package, newest first; empty when there is no package of that name.
    pub fn versions(&self, name: &str) -> Vec<PackageId> {
        self.find(name).map_or_else(Vec::new, |name| self.versions_of(name))
    }

    /// Who provides a name, the most needed first, with the version provided if any.
    pub fn providers(&self, name: &str) -> Vec<(PackageId, Option<&str>)> {
        self.find(name).map_or_else(Vec::new, |name| self.providers_of(name))
    }

    /// Reads a package. Errors when the file cannot be read or the package's part of it is damaged.
    pub fn package(&self, id: PackageId) -> Result<Package, IndexError> {
        let block = self.range(self.layout.blocks, id.0 as usize);
        let mut bytes = vec![0; block.len()];
        let read = |source| IndexError::Read { path: self.path.clone(), source };
        self.file.read_exact_at(&mut bytes, block.start as u64).map_err(read)?;
        read_block(&bytes).ok_or_else(|| IndexError::Corrupt { path: self.path.clone() })
    }

    /// Every package name with its summary, sorted by name: lines of `name TAB summary`.
    pub fn summaries(&self) -> Result<String, IndexError> {
        let (offset, length) = self.layout.summaries;
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|source| IndexError::Read { path: self.path.clone(), source })?;
        String::from_utf8(bytes).map_err(|_| IndexError::Corrupt { path: self.path.clone() })
    }

    /// The names of packages that are essential in their newest version, sorted.
    pub fn essential_names(&self) -> impl Iterator<Item = &str> {
        self.text(self.layout.essential_text, 0..self.layout.end - self.layout.essential_text).lines()
    }

    /// How many names it knows, real and provided.
    pub(crate) fn name_count(&self) -> usize {
        self.layout.names
    }

    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        let (mut low, mut high) = (0, self.layout.names);
        while low < high {
            let middle = (low + high) / 2;
            match self.name_at(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return u32::try_from(middle).ok().map(NameId),
            }
        }
        None
    }

    pub(crate) fn versions_of(&self, name: NameId) -> Vec<PackageId> {
        self.range(self.layout.first_package, name.0 as usize)
            .filter_map(|id| u32::try_from(id).ok().map(PackageId))
            .collect()
    }

    pub(crate) fn providers_of(&self, name: NameId) -> Vec<(PackageId, Option<&str>)> {
        let version_end = |position: usize| self.number(self.layout.provides + 8 * position + 4);
        self.range(self.layout.first_provides, name.0 as usize)
            .map(|position| {
                let id = PackageId(u32::try_from(self.number(self.layout.provides + 8 * position)).unwrap_or(u32::MAX));
                let start = if position == 0 { 0 } else { version_end(position - 1) };
                let version = self.text(self.layout.versions_text, start..version_end(position));
                (id, (!version.is_empty()).then_some(version))
            })
            .collect()
    }

    fn name_at(&self, name: usize) -> &str {
        let end = |name: usize| self.number(self.layout.name_ends + 4 * name);
        let start = if name == 0 { 0 } else { end(name - 1) };
        self.text(self.layout.names_text, start..end(name))
    }

    /// Two neighbouring numbers of an array.
    fn range(&self, array: usize, position: usize) -> std::ops::Range<usize> {
        self.number(array + 4 * position)..self.number(array + 4 * position + 4)
    }

    // The front section's checksum was right, so what `build_index` wrote is there; the fall-backs below are never reached.
    fn number(&self, offset: usize) -> usize {
        read_u32(&self.front, offset).unwrap_or(0) as usize
    }

    fn text(&self, base: usize, range: std::ops::Range<usize>) -> &str {
        let bytes = self.front.get(base + range.start..base + range.end).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
