//! Which packages together satisfy what is asked for: Debian's relations, decided by a SAT solver (resolvo).
//!
//! A pure function of an index and a request. One version of a package at most; Depends, Pre-Depends, alternatives, Provides,
//! Conflicts and Breaks are honoured, Recommends if asked for (as wishes: one that cannot be met is left out). Preferred are
//! the newest version, the first alternative unless another is there anyway, and real packages over those that provide the
//! name. Only the native architecture and `all` are seen. Nothing is fetched.
//!
//! In three steps: [`draft`] chooses greedily as apt would, which settles preferences; [`encoding`] lets the SAT solver confirm
//! or repair that choice; the result is trimmed to what the roots reach and put in dependency order. What cannot be satisfied
//! is put into words by [`explain`].
//!
//! Source: Debian Policy chapter 7.

mod draft;
mod encoding;
pub mod explain;
mod order;
mod universe;

use std::collections::{BTreeMap, BTreeSet};

use deb_formats::relation::RelationError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::architecture::Architecture;
use crate::archive::{ArchiveError, AsIndexError};
use crate::index::{Index, IndexError};
use crate::mirror::{MirrorName, MirrorUrl};
use explain::{Explanation, RootProblem};
use universe::Universe;

/// A package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Root {
    /// A relation as in `Depends`, without alternatives: `vim`, `vim (>= 2:9)`, `linux-image-amd64 (= 6.12.57-1)`.
    pub relation: String,
    /// Who asks, for explanations: an option's name, a file and line.
    pub wanted_by: String,
}

/// Which Recommends are followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Recommends {
    /// None.
    No,
    /// Those of every package in the solution.
    All,
    /// Those of the packages named.
    Of(BTreeSet<String>),
}

impl Recommends {
    fn of(&self, package: &str) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::Of(names) => names.contains(package),
        }
    }
}

/// Whether `Essential` packages are roots too. Packages do not declare that they need those, so a whole system wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Essential {
    /// They are.
    Include,
    /// Only what is asked for.
    Ignore,
}

/// What is to be solved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// For which architecture.
    #[serde(serialize_with = "architecture_name")]
    pub architecture: Architecture,
    /// What is asked for. The order does not matter.
    pub roots: Vec<Root>,
    /// Which Recommends are followed.
    pub recommends: Recommends,
    /// Whether essential packages come along.
    pub essential: Essential,
    /// Packages that must not be in the solution, as relations: `systemd-sysv`, `exim4-base (<< 4.99)`.
    pub exclude: Vec<Root>,
}

fn architecture_name<S: serde::Serializer>(architecture: &Architecture, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(architecture.debian())
}

/// One package of a solution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SolvedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, `arm64` or `all`.
    pub architecture: String,
    /// The archive that has it.
    pub mirror: MirrorName,
    /// The path of the .deb below that archive's root.
    pub filename: String,
    /// SHA-256 of the .deb, hexadecimal.
    pub sha256: String,
    /// Length of the .deb in bytes.
    pub size: u64,
    /// One line of description.
    pub summary: String,
    /// The suite it is taken from.
    pub suite: String,
    /// Whether this version came out as a security fix.
    pub security: bool,
    /// The packages of the solution that satisfy its Pre-Depends and Depends (and Recommends, where followed), sorted.
    pub needs: Vec<String>,
}

impl SolvedPackage {
    /// Where the .deb is.
    pub fn url(&self) -> MirrorUrl {
        MirrorUrl { mirror: self.mirror, path: self.filename.clone() }
    }
}

/// Packages that satisfy a request together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// In the order in which they may be unpacked: what a package needs comes before it, as far as there are no cycles.
    pub packages: Vec<SolvedPackage>,
    /// For each root's relation, the package that satisfies it.
    pub roots: BTreeMap<String, String>,
}

impl Solution {
    /// The package of that name.
    pub fn package(&self, name: &str) -> Option<&SolvedPackage> {
        self.packages.iter().find(|package| package.name == name)
    }
}

/// Why a request has no solution.
#[derive(Debug, Error)]
pub enum SolveError {
    /// Some roots name nothing that could be had; all of them are listed.
    #[error("{}", RootProblem::list(problems))]
    Roots {
        /// What is wrong with each.
        problems: Vec<RootProblem>,
    },
    /// The packages asked for do not go together.
    #[error("{0}")]
    Conflict(Explanation),
    /// A root or an exclusion is no relation.
    #[error("`{wanted_by}` asks for something that is no package")]
    Relation {
        /// Who asks.
        wanted_by: String,
        /// What is wrong.
        #[source]
        source: RelationError,
    },
    /// A package's relations are malformed.
    #[error("the relations of package `{package}` are malformed")]
    Package {
        /// The package.
        package: String,
        /// What is wrong.
        #[source]
        source: RelationError,
    },
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl From<IndexError> for SolveError {
    fn from(error: IndexError) -> Self {
        Self::Archive(ArchiveError::Index(error))
    }
}

impl AsIndexError for SolveError {
    fn as_index_error(&self) -> Option<&IndexError> {
        match self {
            Self::Archive(error) => error.as_index_error(),
            _ => None,
        }
    }
}

/// Solves a request on the index of its architecture.
pub fn solve(index: &Index, request: &Request) -> Result<Solution, SolveError> {
    let universe = Universe::new(index, request)?;
    let draft = draft::choose(&universe)?;
    let chosen = encoding::solve(&universe, &draft)?;
    order::solution(&universe, &draft, &chosen)
}

#[cfg(test)]
mod tests;
