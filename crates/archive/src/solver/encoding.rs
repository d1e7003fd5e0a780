//! The request in the SAT solver's terms.
//!
//! Each package name is one of the solver's names, each version one of its solvables; "at most one version" is the solver's
//! own rule. A group of alternatives becomes a union of version sets, one for each run of candidates of one name, in order of
//! preference. What a package forbids becomes a constraint that leaves the other versions of the forbidden name. A wish gets
//! one more alternative that nothing stands against: a pseudo package, whose ids follow the real ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, Problem, Requirement, SolvableId, Solver, SolverCache, StringId, UnsolvableOrCancelled,
    VersionSetId, VersionSetUnionId,
};

use super::SolveError;
use super::draft::Draft;
use super::explain;
use super::universe::{Group, GroupKind, Node, Universe};
use crate::index::{NameId, PackageId};

/// A set of versions of one name.
struct VersionSet {
    name: resolvo::NameId,
    /// Sorted.
    admitted: Vec<SolvableId>,
}

/// Ids handed to the solver so far.
#[derive(Default)]
struct Interned {
    version_sets: Vec<VersionSet>,
    unions: Vec<Vec<VersionSetId>>,
    /// Pseudo packages made for wishes.
    wishes: u32,
    /// The first failure to read a package; it cancels the solving.
    failure: Option<SolveError>,
}

/// What the solver asks about packages.
pub(super) struct Provider<'a> {
    universe: &'a Universe<'a>,
    draft: &'a Draft,
    interned: RefCell<Interned>,
}

/// Finds the packages that satisfy the request. Errors with an explanation when there are none.
pub(super) fn solve(universe: &Universe<'_>, draft: &Draft) -> Result<Vec<PackageId>, SolveError> {
    let provider = Provider { universe, draft, interned: RefCell::default() };
    let requirements =
        universe.roots.iter().map(|(_, group)| provider.requirement(group)).collect::<Result<Vec<_>, _>>()?;
    let constraints = provider.constraints(universe.excluded.keys())?;
    let problem = Problem::new().requirements(requirements).constraints(constraints);
    let mut solver = Solver::new(provider);
    match solver.solve(problem) {
        Ok(solvables) => Ok(solvables.into_iter().filter_map(|solvable| solver.provider().package(solvable)).collect()),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let graph = conflict.graph(&solver);
            Err(SolveError::Conflict(explain::explain(universe, solver.provider(), &graph)?))
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => {
            match solver.provider().interned.borrow_mut().failure.take() {
                Some(failure) => Err(failure),
                // Nothing but a failure cancels.
                None => Err(SolveError::Conflict(explain::Explanation::default())),
            }
        }
    }
}

impl Provider<'_> {
    /// The package behind one of the solver's solvables; `None` for a pseudo package.
    pub(super) fn package(&self, solvable: SolvableId) -> Option<PackageId> {
        ((solvable.0 as usize) < self.universe.package_count()).then_some(PackageId(solvable.0))
    }

    fn requirement(&self, group: &Group) -> Result<ConditionalRequirement, SolveError> {
        let mut sets: Vec<VersionSet> = Vec::new();
        for id in self.draft.prefer(&group.candidates) {
            let name = resolvo::NameId(self.universe.node(id)?.name.0);
            match sets.last_mut() {
                Some(set) if set.name == name => set.admitted.push(SolvableId(id.0)),
                _ => sets.push(VersionSet { name, admitted: vec![SolvableId(id.0)] }),
            }
        }
        let mut interned = self.interned.borrow_mut();
        if group.kind == GroupKind::Recommends {
            let (names, packages) = (self.universe.name_count(), self.universe.package_count());
            let after = |count: usize| u32::try_from(count).unwrap_or(u32::MAX) + interned.wishes;
            sets.push(VersionSet { name: resolvo::NameId(after(names)), admitted: vec![SolvableId(after(packages))] });
            interned.wishes += 1;
        }
        if sets.is_empty() {
            // Nothing satisfies the group; an empty set of an otherwise unused name says so.
            let name = resolvo::NameId(u32::try_from(self.universe.name_count()).unwrap_or(u32::MAX) + interned.wishes);
            interned.wishes += 1;
            sets.push(VersionSet { name, admitted: Vec::new() });
        }
        let ids: Vec<VersionSetId> = sets.into_iter().map(|set| interned.version_set(set)).collect();
        let requirement = match ids[..] {
            [single] => Requirement::Single(single),
            _ => Requirement::Union(interned.union(ids)),
        };
        Ok(requirement.into())
    }

    /// For each name among `forbidden`, the versions that are left.
    fn constraints<'b>(&self, forbidden: impl Iterator<Item = &'b PackageId>) -> Result<Vec<VersionSetId>, SolveError> {
        let mut by_name: BTreeMap<NameId, Vec<PackageId>> = BTreeMap::new();
        for &id in forbidden {
            by_name.entry(self.universe.node(id)?.name).or_default().push(id);
        }
        let mut constraints = Vec::new();
        for (name, forbidden) in by_name {
            let left = self.universe.versions_of(name).into_iter().filter(|id| !forbidden.contains(id));
            let admitted = left.map(|id| SolvableId(id.0)).collect();
            constraints
                .push(self.interned.borrow_mut().version_set(VersionSet { name: resolvo::NameId(name.0), admitted }));
        }
        Ok(constraints)
    }

    fn dependencies(&self, node: &Node) -> Result<KnownDependencies, SolveError> {
        let requirements = node.groups.iter().map(|group| self.requirement(group)).collect::<Result<Vec<_>, _>>()?;
        Ok(KnownDependencies { requirements, constrains: self.constraints(node.forbids.keys())? })
    }

    /// Keeps the first failure, so that the solver stops and the caller learns why.
    fn note(&self, failure: SolveError) {
        self.interned.borrow_mut().failure.get_or_insert(failure);
    }

    fn describe(&self, solvable: SolvableId) -> String {
        match self.package(solvable).map(|id| self.universe.node(id)) {
            Some(Ok(node)) => format!("{} {}", node.package.name, node.package.version),
            _ => "nothing".to_owned(),
        }
    }
}

impl Interned {
    fn version_set(&mut self, mut set: VersionSet) -> VersionSetId {
        set.admitted.sort();
        self.version_sets.push(set);
        VersionSetId(u32::try_from(self.version_sets.len() - 1).unwrap_or(u32::MAX))
    }

    fn union(&mut self, sets: Vec<VersionSetId>) -> VersionSetUnionId {
        self.unions.push(sets);
        VersionSetUnionId(u32::try_from(self.unions.len() - 1).unwrap_or(u32::MAX))
    }
}

// What the solver would print goes to its own debug log only; messages for people come from `explain`.
impl Interner for Provider<'_> {
    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.describe(solvable)
    }

    fn display_name(&self, name: resolvo::NameId) -> impl Display + '_ {
        format!("name {}", name.0)
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        let interned = self.interned.borrow();
        let admitted: Vec<String> =
            interned.version_sets[version_set.0 as usize].admitted.iter().map(|&id| self.describe(id)).collect();
        admitted.join(", ")
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        string.0
    }

    fn version_set_name(&self, version_set: VersionSetId) -> resolvo::NameId {
        self.interned.borrow().version_sets[version_set.0 as usize].name
    }

    fn solvable_name(&self, solvable: SolvableId) -> resolvo::NameId {
        match self.package(solvable) {
            Some(id) => match self.universe.node(id) {
                Ok(node) => resolvo::NameId(node.name.0),
                Err(failure) => {
                    self.note(failure);
                    resolvo::NameId(0)
                }
            },
            None => {
                // A pseudo package's number after the real ones is its name's number after the real ones.
                let wish = solvable.0 as usize - self.universe.package_count();
                resolvo::NameId(u32::try_from(self.universe.name_count() + wish).unwrap_or(u32::MAX))
            }
        }
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.interned.borrow().unions[union.0 as usize].clone().into_iter()
    }

    fn resolve_condition(&self, _: ConditionId) -> Condition {
        // No requirement here has a condition, so the solver has no id to ask about; any answer will do.
        Condition::Requirement(VersionSetId(0))
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let interned = self.interned.borrow();
        let admitted = &interned.version_sets[version_set.0 as usize].admitted;
        candidates.iter().copied().filter(|id| admitted.binary_search(id).is_ok() != inverse).collect()
    }

    async fn get_candidates(&self, name: resolvo::NameId) -> Option<Candidates> {
        let names = self.universe.name_count();
        let candidates = match (name.0 as usize).checked_sub(names) {
            None => self.universe.versions_of(NameId(name.0)).into_iter().map(|id| SolvableId(id.0)).collect(),
            Some(wish) => vec![SolvableId(u32::try_from(self.universe.package_count() + wish).unwrap_or(u32::MAX))],
        };
        Some(Candidates { candidates, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        let ids: Vec<PackageId> = solvables.iter().map(|solvable| PackageId(solvable.0)).collect();
        let mut sorted = ids.clone();
        sorted.sort();
        for (solvable, id) in solvables.iter_mut().zip(self.draft.prefer(&sorted)) {
            *solvable = SolvableId(id.0);
        }
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let Some(id) = self.package(solvable) else {
            return Dependencies::Known(KnownDependencies::default());
        };
        match self.universe.node(id).and_then(|node| self.dependencies(&node)) {
            Ok(dependencies) => Dependencies::Known(dependencies),
            Err(failure) => {
                self.note(failure);
                Dependencies::Unknown(StringId(0))
            }
        }
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn std::any::Any>> {
        let failed = self.interned.borrow().failure.is_some();
        failed.then(|| Box::new(()) as Box<dyn std::any::Any>)
    }
}
