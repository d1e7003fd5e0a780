//! Subordinate ids (subuid(5), subgid(5)): explicit ranges, automatic ones, and those that `useradd` gave.

use std::collections::BTreeSet;

use super::database::SubIdEntry;
use super::merge::{FIRST_SUB_ID, Merger, SUB_ID_COUNT};
use super::spec::{SubIdRange, UserSpec};

impl Merger<'_> {
    /// Fills both files; needs the users merged before.
    pub(super) fn merge_sub_ids(&mut self) {
        for user in &self.spec.users {
            if user.auto_sub_id_range && !self.state.sub_ids.contains_key(&user.name) {
                let start = self.first_free_range();
                self.state.sub_ids.insert(user.name.clone(), start);
            }
        }
        let uids = self.entries(|user| &user.sub_uid_ranges, &self.observed.subuid);
        let gids = self.entries(|user| &user.sub_gid_ranges, &self.observed.subgid);
        self.sub_ids = [uids, gids];
    }

    fn entries(&self, ranges: fn(&UserSpec) -> &Vec<SubIdRange>, current: &[SubIdEntry]) -> Vec<SubIdEntry> {
        let mut entries = BTreeSet::new();
        for user in &self.spec.users {
            let automatic = self.state.sub_ids.get(&user.name).filter(|_| user.auto_sub_id_range);
            let automatic = automatic.map(|start| SubIdRange { start: *start, count: SUB_ID_COUNT });
            for range in ranges(user).iter().copied().chain(automatic) {
                entries.insert(SubIdEntry { name: user.name.clone(), start: range.start, count: range.count });
            }
        }
        let declared = |name: &str| self.state.declared_users.contains(name);
        let kept = current.iter().filter(|entry| !declared(&entry.name) && self.users.contains_key(&entry.name));
        entries.extend(kept.cloned());
        let mut entries: Vec<SubIdEntry> = entries.into_iter().collect();
        entries.sort_by_key(|entry| entry.start);
        entries
    }

    /// The first range that nobody has, declared or not.
    fn first_free_range(&self) -> u32 {
        let declared = self.spec.users.iter().flat_map(|user| user.sub_uid_ranges.iter().chain(&user.sub_gid_ranges));
        let mut taken: Vec<(u32, u32)> = declared.map(|range| (range.start, range.count)).collect();
        let current = self.observed.subuid.iter().chain(&self.observed.subgid);
        taken.extend(current.map(|entry| (entry.start, entry.count)));
        taken.extend(self.state.sub_ids.values().map(|start| (*start, SUB_ID_COUNT)));
        let overlaps = |start: u32| {
            taken.iter().any(|(first, count)| start < first.saturating_add(*count) && *first < start + SUB_ID_COUNT)
        };
        let mut start = FIRST_SUB_ID;
        while overlaps(start) && start < u32::MAX - 2 * SUB_ID_COUNT {
            start += SUB_ID_COUNT;
        }
        start
    }
}
