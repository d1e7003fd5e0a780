//! From chosen packages to a solution: only what the roots reach, each with what it needs, in dependency order.
//!
//! Deterministic: the order follows from names and relations alone, never from the order in which the solver decided.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::draft::Draft;
use super::universe::{Group, GroupKind, Node, Universe};
use super::{Solution, SolveError, SolvedPackage};
use crate::index::PackageId;

/// Builds the solution out of the solver's choice.
pub(super) fn solution(universe: &Universe<'_>, draft: &Draft, chosen: &[PackageId]) -> Result<Solution, SolveError> {
    let chosen: BTreeSet<PackageId> = chosen.iter().copied().collect();
    let satisfying = |group: &Group| draft.prefer(&group.candidates).into_iter().find(|id| chosen.contains(id));
    let mut roots = BTreeMap::new();
    let mut starts = BTreeSet::new();
    for (root, group) in &universe.roots {
        if let Some(id) = satisfying(group) {
            roots.insert(root.relation.clone(), universe.node(id)?.package.name.clone());
            starts.insert(id);
        }
    }
    let mut walk = Walk { universe, satisfying: &satisfying, visited: BTreeSet::new(), packages: Vec::new() };
    walk.run(starts)?;
    Ok(Solution { packages: walk.packages, roots })
}

struct Walk<'a> {
    universe: &'a Universe<'a>,
    satisfying: &'a dyn Fn(&Group) -> Option<PackageId>,
    visited: BTreeSet<PackageId>,
    packages: Vec<SolvedPackage>,
}

impl Walk<'_> {
    /// Depth first, a package after all it needs; where needs form a cycle, the package met first comes last. A stack of its
    /// own, as chains of dependencies may be long.
    fn run(&mut self, starts: BTreeSet<PackageId>) -> Result<(), SolveError> {
        // Ids are sorted by name, so that the order is too.
        for start in starts {
            let mut stack = Vec::new();
            self.enter(start, &mut stack)?;
            while let Some((node, pending)) = stack.last_mut() {
                match pending.pop() {
                    Some(next) => self.enter(next, &mut stack)?,
                    None => {
                        let node = node.clone();
                        stack.pop();
                        self.leave(&node)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, id: PackageId, stack: &mut Vec<(Rc<Node>, Vec<PackageId>)>) -> Result<(), SolveError> {
        if self.visited.insert(id) {
            let node = self.universe.node(id)?;
            let mut needs = self.needs(&node);
            // Popped from the end, so Pre-Depends come last here to be unpacked first.
            needs.reverse();
            stack.push((node, needs.into_iter().map(|(_, id)| id).collect()));
        }
        Ok(())
    }

    /// What a package needs, Pre-Depends first, then by id.
    fn needs(&self, node: &Node) -> Vec<(GroupKind, PackageId)> {
        let mut needs: Vec<(GroupKind, PackageId)> =
            node.groups.iter().filter_map(|group| Some((group.kind, (self.satisfying)(group)?))).collect();
        needs.sort();
        needs
    }

    fn leave(&mut self, node: &Node) -> Result<(), SolveError> {
        let mut needs = BTreeSet::new();
        for (_, id) in self.needs(node) {
            needs.insert(self.universe.node(id)?.package.name.clone());
        }
        let package = &node.package;
        self.packages.push(SolvedPackage {
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
            mirror: package.mirror,
            filename: package.filename.clone(),
            sha256: package.sha256.clone(),
            size: package.size,
            summary: package.summary.clone(),
            suite: package.suite.clone(),
            security: package.security,
            needs: needs.into_iter().collect(),
        });
        Ok(())
    }
}
