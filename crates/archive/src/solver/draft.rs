//! A greedy first choice, as apt makes it: what is unavoidable first, then the first alternative of each open question, then
//! wishes. Where an alternative is in the draft anyway, the question is settled by it.
//!
//! The draft only states preferences. It never goes back on a choice, so it may be incomplete or wrong where packages
//! conflict; the SAT solver has the last word.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::SolveError;
use super::universe::{Group, GroupKind, Universe};
use crate::index::{NameId, PackageId};

/// The packages a solution would preferably have.
#[derive(Debug, Default)]
pub(super) struct Draft {
    chosen: BTreeMap<NameId, PackageId>,
    ids: BTreeSet<PackageId>,
    forbidden: BTreeSet<PackageId>,
}

impl Draft {
    /// A group's candidates with those of the draft first, else in their own order.
    pub(super) fn prefer(&self, candidates: &[PackageId]) -> Vec<PackageId> {
        let mut sorted = candidates.to_vec();
        sorted.sort_by_key(|id| !self.ids.contains(id));
        sorted
    }

    fn satisfies(&self, group: &Group) -> bool {
        group.candidates.iter().any(|id| self.ids.contains(id))
    }

    /// Whether a package can join: not forbidden by one that is in, forbidding none that is in, no other version in.
    fn admits(&self, universe: &Universe<'_>, id: PackageId) -> Result<bool, SolveError> {
        if self.forbidden.contains(&id) || universe.excluded.contains_key(&id) {
            return Ok(false);
        }
        let node = universe.node(id)?;
        Ok(!self.chosen.contains_key(&node.name) && !node.forbids.keys().any(|other| self.ids.contains(other)))
    }
}

/// What is still to be decided, most urgent first.
#[derive(Default)]
struct Agenda {
    unavoidable: VecDeque<Group>,
    questions: VecDeque<Group>,
    wishes: VecDeque<Group>,
}

impl Agenda {
    fn add(&mut self, universe: &Universe<'_>, group: &Group) -> Result<(), SolveError> {
        let mut names = BTreeSet::new();
        for &id in &group.candidates {
            names.insert(universe.node(id)?.name);
        }
        let queue = match group.kind {
            GroupKind::Recommends => &mut self.wishes,
            _ if names.len() == 1 => &mut self.unavoidable,
            _ => &mut self.questions,
        };
        queue.push_back(group.clone());
        Ok(())
    }

    fn next(&mut self) -> Option<Group> {
        self.unavoidable.pop_front().or_else(|| self.questions.pop_front()).or_else(|| self.wishes.pop_front())
    }
}

/// Drafts a solution.
pub(super) fn choose(universe: &Universe<'_>) -> Result<Draft, SolveError> {
    let mut draft = Draft::default();
    let mut agenda = Agenda::default();
    for (_, group) in &universe.roots {
        agenda.add(universe, group)?;
    }
    while let Some(group) = agenda.next() {
        if draft.satisfies(&group) {
            continue;
        }
        for &id in &group.candidates {
            if draft.admits(universe, id)? {
                let node = universe.node(id)?;
                draft.chosen.insert(node.name, id);
                draft.ids.insert(id);
                draft.forbidden.extend(node.forbids.keys());
                for group in &node.groups {
                    agenda.add(universe, group)?;
                }
                break;
            }
        }
    }
    Ok(draft)
}
