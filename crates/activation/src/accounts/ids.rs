//! Which number each declared user or group gets. Pure.
//!
//! An account that exists keeps its number, whatever is declared: files carry it. A new one gets the declared number, or
//! the one it had before it was removed, or the first that nobody has or had. Two accounts never share a number unless
//! both declare it.

use std::collections::{BTreeMap, BTreeSet};

/// Ids of people.
const PEOPLE: std::ops::Range<u32> = 1000..30000;
/// The id for when all others are taken.
const NOBODY: u32 = 65534;

/// What is known of the numbers of users, or of groups.
pub(super) struct Ids<'a> {
    /// `user` or `group`, for warnings.
    pub(super) kind: &'static str,
    /// Declared accounts and their declared numbers, in order of declaration.
    pub(super) declared: Vec<(&'a str, Option<u32>)>,
    /// Accounts that exist.
    pub(super) existing: BTreeMap<&'a str, u32>,
    /// Accounts that exist, are not declared and stay.
    pub(super) staying: BTreeMap<&'a str, u32>,
    /// Numbers given by earlier activations, also of accounts that are gone.
    pub(super) remembered: &'a BTreeMap<String, u32>,
}

impl Ids<'_> {
    /// The numbers of all declared accounts, and what people should know about them.
    pub(super) fn assign(&self) -> (BTreeMap<String, u32>, Vec<String>) {
        let mut assigned: BTreeMap<String, u32> = BTreeMap::new();
        let mut warnings = Vec::new();
        for (name, declared) in &self.declared {
            let Some(has) = self.existing.get(name).copied() else {
                continue;
            };
            if let Some(wanted) = declared.filter(|wanted| *wanted != has) {
                warnings.push(format!(
                    "{} `{name}` keeps its id {has}; the declared {wanted} is not applied, for files carry the number",
                    self.kind
                ));
            }
            assigned.insert((*name).to_owned(), has);
        }
        for (name, declared) in &self.declared {
            let Some(wanted) = declared.filter(|_| !assigned.contains_key(*name)) else {
                continue;
            };
            let declares = |name: &String| self.declared.contains(&(name.as_str(), Some(wanted)));
            match self.holders(wanted, &assigned).into_iter().find(|name| !declares(name)) {
                None => drop(assigned.insert((*name).to_owned(), wanted)),
                Some(holder) => {
                    let id = self.first_free(&assigned);
                    warnings.push(format!(
                        "{} `{name}` gets the id {id}; the declared {wanted} belongs to `{holder}`",
                        self.kind
                    ));
                    assigned.insert((*name).to_owned(), id);
                }
            }
        }
        for (name, _) in &self.declared {
            if assigned.contains_key(*name) {
                continue;
            }
            let remembered = self.remembered.get(*name).copied();
            let id = remembered.filter(|id| self.holders(*id, &assigned).is_empty());
            let id = id.unwrap_or_else(|| self.first_free(&assigned));
            assigned.insert((*name).to_owned(), id);
        }
        (assigned, warnings)
    }

    /// Everybody who has a number.
    fn holders(&self, id: u32, assigned: &BTreeMap<String, u32>) -> Vec<String> {
        let assigned = assigned.iter().map(|(name, has)| (name.as_str(), *has));
        let all = self.staying.iter().map(|(name, has)| (*name, *has)).chain(assigned);
        all.filter(|(_, has)| *has == id).map(|(name, _)| name.to_owned()).collect()
    }

    fn first_free(&self, assigned: &BTreeMap<String, u32>) -> u32 {
        let mut taken: BTreeSet<u32> = assigned.values().copied().collect();
        taken.extend(self.existing.values());
        taken.extend(self.remembered.values());
        taken.extend(self.declared.iter().filter_map(|(_, id)| *id));
        PEOPLE.into_iter().find(|id| !taken.contains(id)).unwrap_or(NOBODY)
    }
}
