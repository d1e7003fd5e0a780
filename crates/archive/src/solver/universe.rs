//! The packages a solve looks at, with their relations resolved to candidates.
//!
//! Read from the index the first time they are needed, and each once. Knows the request only as far as it decides which
//! relations count. Chooses nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use deb_formats::relation::{Relation, RelationError, parse_relation, parse_relations};

use super::explain::RootProblem;
use super::{Essential, Request, Root, SolveError};
use crate::index::{Index, NameId, Package, PackageId};

/// What makes a group of alternatives count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroupKind {
    Root,
    PreDepends,
    Depends,
    /// A wish: may stay unmet.
    Recommends,
}

/// Alternatives of which one must be in the solution.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) kind: GroupKind,
    /// As the control file has it.
    pub(super) text: String,
    /// All packages that satisfy it, best first.
    pub(super) candidates: Vec<PackageId>,
}

/// A package with its relations.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) package: Package,
    pub(super) name: NameId,
    pub(super) groups: Vec<Group>,
    /// Packages that cannot be there beside it, with the text of the relation that says so.
    pub(super) forbids: BTreeMap<PackageId, String>,
}

pub(super) struct Universe<'a> {
    index: &'a Index,
    request: &'a Request,
    /// One group per root, sorted and without repetitions.
    pub(super) roots: Vec<(Root, Group)>,
    /// Packages excluded by the request, and by which exclusion.
    pub(super) excluded: BTreeMap<PackageId, Root>,
    nodes: RefCell<HashMap<PackageId, Rc<Node>>>,
}

impl<'a> Universe<'a> {
    /// Errors when a root names nothing that could be had, naming all such roots.
    pub(super) fn new(index: &'a Index, request: &'a Request) -> Result<Self, SolveError> {
        let mut universe =
            Self { index, request, roots: Vec::new(), excluded: BTreeMap::new(), nodes: RefCell::default() };
        for exclusion in request.exclude.iter().collect::<BTreeSet<_>>() {
            for id in universe.matching(&root_relation(exclusion)?, None)? {
                universe.excluded.entry(id).or_insert_with(|| exclusion.clone());
            }
        }
        let mut problems = Vec::new();
        for root in request.roots.iter().collect::<BTreeSet<_>>() {
            let relation = root_relation(root)?;
            match RootProblem::find(index, root, &relation, &request.roots)? {
                Some(problem) => problems.push(problem),
                None => {
                    let group = universe.group(GroupKind::Root, &[relation])?;
                    universe.roots.push((root.clone(), group));
                }
            }
        }
        if !problems.is_empty() {
            return Err(SolveError::Roots { problems });
        }
        if request.essential == Essential::Include {
            universe.add_essential()?;
        }
        Ok(universe)
    }

    /// Every package that is `Essential` in its newest version becomes a root.
    fn add_essential(&mut self) -> Result<(), SolveError> {
        for name in self.index.essential_names() {
            let root = Root { relation: name.to_owned(), wanted_by: "every system (it is essential)".to_owned() };
            let group = self.group(GroupKind::Root, &[root_relation(&root)?])?;
            self.roots.push((root, group));
        }
        Ok(())
    }

    /// The package with its relations.
    pub(super) fn node(&self, id: PackageId) -> Result<Rc<Node>, SolveError> {
        if let Some(node) = self.nodes.borrow().get(&id) {
            return Ok(node.clone());
        }
        let node = Rc::new(self.read(id)?);
        self.nodes.borrow_mut().insert(id, node.clone());
        Ok(node)
    }

    /// All versions of a package's name, newest first.
    pub(super) fn versions_of(&self, name: NameId) -> Vec<PackageId> {
        self.index.versions_of(name)
    }

    /// How many names there are; ids below that are taken.
    pub(super) fn name_count(&self) -> usize {
        self.index.name_count()
    }

    /// How many packages there are; ids below that are taken.
    pub(super) fn package_count(&self) -> usize {
        self.index.len()
    }

    fn read(&self, id: PackageId) -> Result<Node, SolveError> {
        let package = self.index.package(id)?;
        let error = |source: RelationError| SolveError::Package { package: package.name.clone(), source };
        let mut fields = vec![(GroupKind::PreDepends, &package.pre_depends), (GroupKind::Depends, &package.depends)];
        if self.request.recommends.of(&package.name) {
            fields.push((GroupKind::Recommends, &package.recommends));
        }
        let mut groups = Vec::new();
        for (kind, text) in fields {
            for alternatives in parse_relations(text).map_err(error)? {
                let group = self.group(kind, &alternatives)?;
                // A wish that nothing fulfils is no wish; what a package provides itself is always there.
                let void = group.candidates.is_empty() && kind == GroupKind::Recommends;
                if !void && !group.candidates.contains(&id) {
                    groups.push(group);
                }
            }
        }
        let mut forbids = BTreeMap::new();
        for (field, text) in [("conflicts with", &package.conflicts), ("breaks", &package.breaks)] {
            for relation in parse_relations(text).map_err(error)?.into_iter().flatten() {
                for other in self.matching(&relation, Some(id))? {
                    forbids.entry(other).or_insert_with(|| format!("{field} `{relation}`"));
                }
            }
        }
        // Every package's name is in the index it came from.
        let name = self.index.find(&package.name).unwrap_or(NameId(u32::MAX));
        Ok(Node { name, groups, forbids, package })
    }

    fn group(&self, kind: GroupKind, alternatives: &[Relation<'_>]) -> Result<Group, SolveError> {
        let mut candidates = Vec::new();
        for relation in alternatives {
            for id in self.satisfying(relation)? {
                if !candidates.contains(&id) {
                    candidates.push(id);
                }
            }
        }
        let texts: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
        Ok(Group { kind, text: texts.join(" | "), candidates })
    }

    /// Packages that satisfy a dependency: those of the name, newest first, then those that provide it.
    fn satisfying(&self, relation: &Relation<'_>) -> Result<Vec<PackageId>, SolveError> {
        let foreign = relation.qualifier.is_some_and(|qualifier| {
            !matches!(qualifier, "any" | "native") && qualifier != self.request.architecture.debian()
        });
        if foreign {
            return Ok(Vec::new());
        }
        self.matching(relation, None)
    }

    /// Packages a relation is about, real ones first. `except` is left out, as no package conflicts with itself.
    fn matching(&self, relation: &Relation<'_>, except: Option<PackageId>) -> Result<Vec<PackageId>, SolveError> {
        let Some(name) = self.index.find(relation.name) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for id in self.index.versions_of(name) {
            if relation.version.is_none() || relation.admits(&self.version(id)?) {
                found.push(id);
            }
        }
        for (id, version) in self.index.providers_of(name) {
            if relation.admits_provided(version) && !found.contains(&id) {
                found.push(id);
            }
        }
        found.retain(|&id| Some(id) != except);
        Ok(found)
    }

    fn version(&self, id: PackageId) -> Result<String, SolveError> {
        if let Some(node) = self.nodes.borrow().get(&id) {
            return Ok(node.package.version.clone());
        }
        Ok(self.index.package(id)?.version)
    }
}

fn root_relation(root: &Root) -> Result<Relation<'_>, SolveError> {
    parse_relation(&root.relation).map_err(|source| SolveError::Relation { wanted_by: root.wanted_by.clone(), source })
}
