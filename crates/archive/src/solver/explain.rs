//! Why there is no solution, in words: which packages clash, and who needs each side.
//!
//! Values first ([`Explanation`], [`RootProblem`]), text by `Display`, so that a front end can also show them otherwise.
//! Works on the clauses that the SAT solver found contradictory; it does not look for the smallest set of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use deb_formats::relation::Relation;
use resolvo::conflict::{ConflictCause, ConflictEdge, ConflictGraph, ConflictNode};

use super::encoding::Provider;
use super::universe::Universe;
use super::{Root, SolveError};
use crate::index::{Index, IndexError, PackageId};
use crate::search::similar_names;

/// A root that cannot be had at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootProblem {
    /// No package has the name or provides it.
    Unknown {
        /// The root.
        root: Root,
        /// Names like it, the likest first.
        similar: Vec<String>,
    },
    /// The package is there in other versions only.
    Version {
        /// The root.
        root: Root,
        /// The versions there are, newest first.
        available: Vec<String>,
        /// Other roots that want the same package.
        others: Vec<Root>,
    },
    /// No package has the name, and several provide it.
    Virtual {
        /// The root.
        root: Root,
        /// Their names, the most needed first.
        providers: Vec<String>,
    },
}

impl RootProblem {
    /// Finds out whether a root can be had; `all` are the roots of the request.
    pub(super) fn find(
        index: &Index,
        root: &Root,
        relation: &Relation<'_>,
        all: &[Root],
    ) -> Result<Option<Self>, IndexError> {
        let name = |root: &Root| root.relation.split(' ').next().map(str::to_owned);
        let others: BTreeSet<&Root> =
            all.iter().filter(|other| name(other) == name(root) && other.relation != root.relation).collect();
        let others = others.into_iter().cloned().collect();
        let root = root.clone();
        let mut available = Vec::new();
        for id in index.versions(relation.name) {
            available.push(index.package(id)?.version);
        }
        if available.iter().any(|version| relation.admits(version)) {
            return Ok(None);
        }
        let mut providers = Vec::new();
        for (id, version) in index.providers(relation.name) {
            let name = index.package(id)?.name;
            if relation.admits_provided(version) && !providers.contains(&name) {
                providers.push(name);
            }
        }
        Ok(match (available.is_empty(), providers.len()) {
            (_, 1) => None,
            (false, _) => Some(Self::Version { root, available, others }),
            (true, 0) => Some(Self::Unknown { similar: similar_names(index, relation.name), root }),
            (true, _) => Some(Self::Virtual { root, providers }),
        })
    }

    /// The problems, one a line.
    pub(super) fn list(problems: &[Self]) -> String {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

impl fmt::Display for RootProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { root, similar } => {
                write!(formatter, "there is no package `{}` (wanted by {})", root.relation, root.wanted_by)?;
                if similar.is_empty() { Ok(()) } else { write!(formatter, "; did you mean {}?", quoted(similar, "or")) }
            }
            Self::Version { root, available, others } => {
                let (relation, wanted_by) = (&root.relation, &root.wanted_by);
                write!(
                    formatter,
                    "no version satisfies `{relation}` (wanted by {wanted_by}); there is {}",
                    quoted(available, "and")
                )?;
                for other in others {
                    write!(formatter, ", and `{}` is wanted by {}", other.relation, other.wanted_by)?;
                }
                Ok(())
            }
            Self::Virtual { root, providers } => {
                let (relation, wanted_by) = (&root.relation, &root.wanted_by);
                write!(
                    formatter,
                    "`{relation}` (wanted by {wanted_by}) is provided by several packages; choose {}",
                    quoted(providers, "or")
                )
            }
        }
    }
}

/// Everything that contradicts a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The contradictions; each alone may not be one, as there may have been alternatives, but together they are.
    pub clashes: Vec<Clash>,
}

/// A package and why it is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who needs it, nearest first: package and relation.
    pub chain: Vec<(String, String)>,
    /// Who wants the last of the chain, or the package itself.
    pub wanted_by: String,
}

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clash {
    /// One package forbids another.
    Together {
        /// The package that forbids.
        left: Needed,
        /// The package that is forbidden.
        right: Needed,
        /// Its relation: "conflicts with `x (<< 2)`".
        reason: String,
    },
    /// Two versions of one package are needed.
    Versions {
        /// One.
        left: Needed,
        /// The other.
        right: Needed,
    },
    /// A dependency that no package satisfies.
    Missing {
        /// The package that has it; `None` when it is a root.
        package: Option<Needed>,
        /// The dependency.
        relation: String,
    },
    /// A package is needed and excluded by the request.
    Excluded {
        /// The package.
        package: Needed,
        /// The exclusion.
        by: Root,
    },
}

/// Puts the solver's contradiction into values.
pub(super) fn explain(
    universe: &Universe<'_>,
    provider: &Provider<'_>,
    graph: &ConflictGraph,
) -> Result<Explanation, SolveError> {
    let facts = Facts::of(provider, graph);
    let reader = Reader { universe, facts: &facts };
    let mut clashes = BTreeSet::new();
    for &(from, to, cause) in &facts.conflicts {
        match (from, to, cause) {
            (Some(left), Some(right), ConflictCause::Constrains(_)) => {
                let reason = universe.node(left)?.forbids.get(&right).cloned().unwrap_or_default();
                clashes.insert(Clash::Together { left: reader.needed(left)?, right: reader.needed(right)?, reason });
            }
            (None, Some(package), ConflictCause::Constrains(_)) => {
                if let Some(by) = universe.excluded.get(&package).cloned() {
                    clashes.insert(Clash::Excluded { package: reader.needed(package)?, by });
                }
            }
            (Some(left), Some(right), ConflictCause::ForbidMultipleInstances) => {
                clashes.insert(Clash::Versions {
                    left: reader.needed(left.max(right))?,
                    right: reader.needed(left.min(right))?,
                });
            }
            _ => {}
        }
    }
    for &package in &facts.unresolved {
        let groups = match package {
            Some(id) => universe.node(id)?.groups.clone(),
            None => universe.roots.iter().map(|(_, group)| group.clone()).collect(),
        };
        for group in groups.iter().filter(|group| group.candidates.is_empty()) {
            let package = package.map(|id| reader.needed(id)).transpose()?;
            clashes.insert(Clash::Missing { package, relation: group.text.clone() });
        }
    }
    // Other versions of the same two packages clash for the same reason; one pair says it.
    let mut pairs = BTreeSet::new();
    let clashes = clashes.into_iter().filter(|clash| match clash {
        Clash::Together { left, right, .. } => {
            pairs.insert((left.name.clone().min(right.name.clone()), left.name.clone().max(right.name.clone())))
        }
        _ => true,
    });
    Ok(Explanation { clashes: clashes.collect() })
}

/// The solver's graph with the packages' own ids; `None` stands for the request.
struct Facts {
    conflicts: Vec<(Option<PackageId>, Option<PackageId>, ConflictCause)>,
    unresolved: BTreeSet<Option<PackageId>>,
    /// For each package, the packages that need it in this contradiction.
    needed_by: BTreeMap<PackageId, BTreeSet<Option<PackageId>>>,
}

impl Facts {
    fn of(provider: &Provider<'_>, graph: &ConflictGraph) -> Self {
        let mut facts = Self { conflicts: Vec::new(), unresolved: BTreeSet::new(), needed_by: BTreeMap::new() };
        for edge in graph.graph.edge_indices() {
            let (Some((source, target)), Some(weight)) =
                (graph.graph.edge_endpoints(edge), graph.graph.edge_weight(edge))
            else {
                continue;
            };
            let ConflictNode::Solvable(source) = graph.graph[source] else {
                continue;
            };
            let from = source.solvable().and_then(|solvable| provider.package(solvable));
            match (graph.graph[target], weight) {
                (ConflictNode::UnresolvedDependency, _) => {
                    facts.unresolved.insert(from);
                }
                (ConflictNode::Solvable(target), ConflictEdge::Requires(_)) => {
                    if let Some(to) = target.solvable().and_then(|solvable| provider.package(solvable)) {
                        facts.needed_by.entry(to).or_default().insert(from);
                    }
                }
                (ConflictNode::Solvable(target), ConflictEdge::Conflict(cause)) => {
                    let to = target.solvable().and_then(|solvable| provider.package(solvable));
                    facts.conflicts.push((from, to, *cause));
                }
                (ConflictNode::Excluded(_), _) => {}
            }
        }
        facts
    }
}

struct Reader<'a> {
    universe: &'a Universe<'a>,
    facts: &'a Facts,
}

impl Reader<'_> {
    /// The package with the shortest chain of those who need it, up to a root.
    fn needed(&self, id: PackageId) -> Result<Needed, SolveError> {
        let path = self.path_to_root(id);
        let package = &self.universe.node(id)?.package;
        let mut chain = Vec::new();
        for pair in path.windows(2) {
            let referrer = self.universe.node(pair[1])?;
            let relation = referrer
                .groups
                .iter()
                .find(|group| group.candidates.contains(&pair[0]))
                .map(|group| group.text.clone());
            chain.push((referrer.package.name.clone(), relation.unwrap_or_default()));
        }
        let last = path.last().copied().unwrap_or(id);
        let wanted_by: BTreeSet<&str> = self
            .universe
            .roots
            .iter()
            .filter(|(_, group)| group.candidates.contains(&last))
            .map(|(root, _)| root.wanted_by.as_str())
            .collect();
        let wanted_by = wanted_by.into_iter().collect::<Vec<_>>().join(" and ");
        Ok(Needed { name: package.name.clone(), version: package.version.clone(), chain, wanted_by })
    }

    /// From the package to one that a root asks for.
    fn path_to_root(&self, id: PackageId) -> Vec<PackageId> {
        let mut previous: BTreeMap<PackageId, PackageId> = BTreeMap::new();
        let mut queue = VecDeque::from([id]);
        while let Some(at) = queue.pop_front() {
            let Some(referrers) = self.facts.needed_by.get(&at) else {
                continue;
            };
            if referrers.contains(&None) {
                let mut path = vec![at];
                while let Some(&before) = path.last().and_then(|last| previous.get(last)) {
                    path.push(before);
                }
                path.reverse();
                return path;
            }
            for &referrer in referrers.iter().flatten() {
                if referrer != id && !previous.contains_key(&referrer) {
                    previous.insert(referrer, at);
                    queue.push_back(referrer);
                }
            }
        }
        vec![id]
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.clashes.is_empty() {
            return formatter.write_str("the packages asked for do not go together");
        }
        for (position, clash) in self.clashes.iter().enumerate() {
            if position > 0 {
                formatter.write_str("\n")?;
            }
            clash.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Together { left, right, reason } => {
                write!(
                    formatter,
                    "`{}` {} and `{}` {} cannot be installed together: ",
                    left.name, left.version, right.name, right.version
                )?;
                write!(formatter, "`{}` {reason}\n{left}\n{right}", left.name)
            }
            Self::Versions { left, right } => {
                let (name, one, other) = (&left.name, &left.version, &right.version);
                writeln!(
                    formatter,
                    "`{name}` can only be there in one version, but both {one} and {other} are needed"
                )?;
                write!(formatter, "{}\n{}", WithVersion(left), WithVersion(right))
            }
            Self::Missing { package: Some(package), relation } => {
                write!(
                    formatter,
                    "`{}` {} needs `{relation}`, which no package satisfies\n{package}",
                    package.name, package.version
                )
            }
            Self::Missing { package: None, relation } => write!(formatter, "no package satisfies `{relation}`"),
            Self::Excluded { package, by } => {
                write!(
                    formatter,
                    "`{}` is needed but excluded by {} (`{}`)\n{package}",
                    package.name, by.wanted_by, by.relation
                )
            }
        }
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "  `{}`{}", self.name, Chain(self))
    }
}

/// As [`Needed`], for two versions of one name.
struct WithVersion<'a>(&'a Needed);

impl fmt::Display for WithVersion<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "  `{}` {}{}", self.0.name, self.0.version, Chain(self.0))
    }
}

struct Chain<'a>(&'a Needed);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (referrer, relation)) in self.0.chain.iter().enumerate() {
            let link = if position == 0 { " is needed by" } else { ", which is needed by" };
            write!(formatter, "{link} `{referrer}` (as `{relation}`)")?;
        }
        let link = if self.0.chain.is_empty() { " is wanted by" } else { ", which is wanted by" };
        write!(formatter, "{link} {}", self.0.wanted_by)
    }
}

/// `a`, `b` or `c`; more than eight are cut short.
fn quoted(names: &[String], conjunction: &str) -> String {
    const SHOWN: usize = 8;
    let mut parts: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        parts.push(format!("{} more", names.len() - SHOWN));
    }
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} {conjunction} {last}", rest.join(", "))
        }
        _ => parts.join(""),
    }
}
