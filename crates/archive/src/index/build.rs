//! Makes an index out of the `Packages` texts of one architecture: sorted, deduplicated, with who provides what.
//!
//! A pure function: the same texts in the same order give the same bytes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use deb_formats::packages::{PackageEntry, PackagesError, parse_packages};
use deb_formats::relation::{RelationError, parse_relations};
use deb_formats::version;
use thiserror::Error;

use super::Package;
use super::format::{HEADER_BYTES, MAGIC, checksum, write_block};
use crate::architecture::Architecture;
use crate::mirror::MirrorName;

/// A decompressed `Packages` index and the suite it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The suite's name.
    pub suite: &'a str,
    /// Its archive; what is in the security archive is a security fix.
    pub mirror: MirrorName,
    /// The text.
    pub text: &'a str,
}

/// Why an index cannot be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A `Packages` text is malformed.
    #[error("the Packages index of `{suite}` is malformed")]
    Packages {
        /// The suite.
        suite: String,
        /// What is wrong.
        #[source]
        source: PackagesError,
    },
    /// A package's `Provides` is malformed.
    #[error("the field `Provides` of package `{package}` is malformed")]
    Provides {
        /// The package.
        package: String,
        /// What is wrong.
        #[source]
        source: RelationError,
    },
    /// More than the format's 4 GiB.
    #[error("the archive's index would exceed 4 GiB")]
    Size,
}

/// One package of the index in the making.
struct Candidate<'a> {
    entry: PackageEntry<'a>,
    source: &'a Source<'a>,
    security: bool,
}

/// Makes the bytes of an index. `sources` are in order of preference for one and the same version.
pub fn build_index(architecture: Architecture, sources: &[Source<'_>]) -> Result<Vec<u8>, BuildError> {
    let candidates = collect(architecture, sources)?;
    let names = NameTable::of(&candidates)?;
    let size = |length: usize| u32::try_from(length).map_err(|_| BuildError::Size);

    let mut blocks = Vec::new();
    let mut block_offsets = Vec::with_capacity(candidates.len() + 1);
    let mut summaries = String::new();
    let mut essential = String::new();
    let mut previous = "";
    for candidate in &candidates {
        block_offsets.push(blocks.len());
        write_block(&candidate.package(), &mut blocks);
        if candidate.entry.name != previous {
            previous = candidate.entry.name;
            summaries.extend([previous, "\t", candidate.entry.summary, "\n"]);
            if candidate.entry.essential {
                essential.extend([previous, "\n"]);
            }
        }
    }
    block_offsets.push(blocks.len());

    let mut front = names.front;
    let blocks_start = HEADER_BYTES
        + front.len()
        + 4 * block_offsets.len()
        + names.names_text.len()
        + names.versions_text.len()
        + essential.len();
    for offset in block_offsets {
        front.extend_from_slice(&size(blocks_start + offset)?.to_le_bytes());
    }
    front.extend_from_slice(names.names_text.as_bytes());
    front.extend_from_slice(names.versions_text.as_bytes());
    front.extend_from_slice(essential.as_bytes());

    let mut output = MAGIC.to_vec();
    let fields = [
        checksum(&front),
        size(front.len())?,
        size(candidates.len())?,
        size(names.count)?,
        size(names.provides)?,
        size(names.names_text.len())?,
        size(names.versions_text.len())?,
        size(blocks_start + blocks.len())?,
        size(summaries.len())?,
        size(essential.len())?,
    ];
    output.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    output.extend_from_slice(&front);
    output.extend_from_slice(&blocks);
    output.extend_from_slice(summaries.as_bytes());
    Ok(output)
}

/// All packages for the architecture, by name, newest version first, each version once.
fn collect<'a>(architecture: Architecture, sources: &'a [Source<'a>]) -> Result<Vec<Candidate<'a>>, BuildError> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for source in sources {
        for entry in parse_packages(source.text) {
            let entry =
                entry.map_err(|error| BuildError::Packages { suite: source.suite.to_owned(), source: error })?;
            if entry.architecture == architecture.debian() || entry.architecture == "all" {
                candidates.push(Candidate { entry, source, security: source.mirror == MirrorName::DebianSecurity });
            }
        }
    }
    // The sort is stable, so that of equal versions the one of the preferred suite stays first.
    candidates.sort_by(|a, b| {
        a.entry.name.cmp(b.entry.name).then_with(|| version::compare(b.entry.version, a.entry.version))
    });
    candidates.dedup_by(|later, kept| {
        let same = later.entry.name == kept.entry.name
            && version::compare(later.entry.version, kept.entry.version) == Ordering::Equal;
        // A fix that reached the main archive is still a security fix.
        kept.security |= same && later.security;
        same
    });
    Ok(candidates)
}

impl Candidate<'_> {
    fn package(&self) -> Package {
        let entry = &self.entry;
        Package {
            name: entry.name.to_owned(),
            version: entry.version.to_owned(),
            architecture: entry.architecture.to_owned(),
            source: entry.source.to_owned(),
            section: entry.section.to_owned(),
            summary: entry.summary.to_owned(),
            filename: entry.filename.to_owned(),
            sha256: entry.sha256.to_ascii_lowercase(),
            suite: self.source.suite.to_owned(),
            pre_depends: entry.pre_depends.to_owned(),
            depends: entry.depends.to_owned(),
            recommends: entry.recommends.to_owned(),
            conflicts: entry.conflicts.to_owned(),
            breaks: entry.breaks.to_owned(),
            provides: entry.provides.to_owned(),
            priority: entry.priority,
            essential: entry.essential,
            security: self.security,
            mirror: self.source.mirror,
            size: entry.size,
            installed_size_kib: entry.installed_size_kib,
        }
    }
}

/// How many packages have a name, and which provide it (by position) in which version (empty: none).
type NameUse<'a> = (u32, Vec<(usize, &'a str)>);

/// Names of packages and of what they provide, as the front section holds them up to the block offsets.
struct NameTable {
    count: usize,
    provides: usize,
    front: Vec<u8>,
    names_text: String,
    versions_text: String,
}

impl NameTable {
    fn of(candidates: &[Candidate<'_>]) -> Result<Self, BuildError> {
        let mut by_name: BTreeMap<&str, NameUse<'_>> = BTreeMap::new();
        for (position, candidate) in candidates.iter().enumerate() {
            by_name.entry(candidate.entry.name).or_default().0 += 1;
            let error = |source| BuildError::Provides { package: candidate.entry.name.to_owned(), source };
            for provided in parse_relations(candidate.entry.provides).map_err(error)?.into_iter().flatten() {
                let version = provided.version.map_or("", |(_, version)| version);
                by_name.entry(provided.name).or_default().1.push((position, version));
            }
        }
        let mut table = Self {
            count: by_name.len(),
            provides: 0,
            front: Vec::new(),
            names_text: String::new(),
            versions_text: String::new(),
        };
        let (mut name_ends, mut first_package, mut first_provides, mut provides) =
            (Vec::new(), vec![0], vec![0], Vec::new());
        let mut packages = 0;
        for (name, (count, mut providers)) in by_name {
            table.names_text += name;
            name_ends.push(table.names_text.len());
            packages += count as usize;
            first_package.push(packages);
            // The most needed package is the likeliest provider to be there anyway.
            providers.sort_by_key(|&(position, _)| (candidates[position].entry.priority, position));
            for (position, version) in providers {
                table.versions_text += version;
                provides.extend([position, table.versions_text.len()]);
                table.provides += 1;
            }
            first_provides.push(table.provides);
        }
        for number in name_ends.into_iter().chain(first_package).chain(first_provides).chain(provides) {
            table.front.extend_from_slice(&u32::try_from(number).map_err(|_| BuildError::Size)?.to_le_bytes());
        }
        Ok(table)
    }
}
