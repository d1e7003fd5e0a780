//! (declared, current, remembered) → the account files. Pure, but for the salts it is handed. The rules follow what
//! NixOS's `update-users-groups.pl` does to the same attributes; the module above states them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::database::{Entry, GroupEntry, GshadowEntry, PasswdEntry, ShadowEntry};
use super::ids::Ids;
use super::observe::{AccountsState, HomeFound, ObservedAccounts};
use super::password::{PasswordError, SaltSource, hash};
use super::plan::{AccountChange, AccountFile, AccountsPlan, HomeStep};
use super::spec::{AccountsSpec, UserSpec};
use crate::root::Ownership;
use crate::toplevel::Mode;

/// The group that files name where theirs does not exist.
const NOBODY: u32 = 65534;
/// Debian's gid of `shadow`, for a configuration that declares no such group.
const SHADOW_GROUP: u32 = 42;
/// Size of an automatic range of subordinate ids, and where they begin.
pub(super) const SUB_ID_COUNT: u32 = 65536;
pub(super) const FIRST_SUB_ID: u32 = 100_000;

/// Whether `passwd`, `useradd` and the like have a lasting effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// NixOS's `users.mutableUsers = true`.
    Mutable,
    /// Exactly what is declared.
    Immutable,
}

/// Plans the accounts. Errors only when a clear-text password cannot be hashed.
pub fn plan_accounts(
    spec: &AccountsSpec,
    mutability: Mutability,
    observed: &ObservedAccounts,
    salts: &mut dyn SaltSource,
) -> Result<AccountsPlan, PasswordError> {
    let mut merger = Merger::new(spec, mutability, observed);
    merger.assign_ids();
    merger.merge_groups();
    let mut homes = Vec::new();
    for user in &spec.users {
        merger.merge_user(user, salts)?;
        homes.extend(merger.home(user));
    }
    merger.merge_undeclared_users();
    merger.merge_sub_ids();
    homes.sort_by_key(|home| home.uid);
    Ok(merger.finish(homes))
}

pub(super) struct Merger<'a> {
    pub(super) spec: &'a AccountsSpec,
    pub(super) mutability: Mutability,
    pub(super) observed: &'a ObservedAccounts,
    pub(super) state: AccountsState,
    changes: Vec<AccountChange>,
    warnings: Vec<String>,
    groups: BTreeMap<String, GroupEntry>,
    pub(super) users: BTreeMap<String, PasswdEntry>,
    shadow: BTreeMap<String, ShadowEntry>,
    pub(super) sub_ids: [Vec<super::database::SubIdEntry>; 2],
}

impl<'a> Merger<'a> {
    fn new(spec: &'a AccountsSpec, mutability: Mutability, observed: &'a ObservedAccounts) -> Self {
        let mut state = observed.state.clone();
        state.declared_users = spec.users.iter().map(|user| user.name.clone()).collect();
        state.declared_groups = spec.groups.iter().map(|group| group.name.clone()).collect();
        Self {
            spec,
            mutability,
            observed,
            state,
            changes: Vec::new(),
            warnings: observed.warnings.clone(),
            groups: BTreeMap::new(),
            users: BTreeMap::new(),
            shadow: BTreeMap::new(),
            sub_ids: [Vec::new(), Vec::new()],
        }
    }

    /// What the machine has and nobody declares stays, unless it was declared before or users are immutable.
    pub(super) fn keeps_undeclared(&self, name: &str, declared_before: &BTreeSet<String>) -> bool {
        self.mutability == Mutability::Mutable && !declared_before.contains(name)
    }

    fn merge_groups(&mut self) {
        let observed = self.observed;
        for group in &self.spec.groups {
            let existing = observed.group(&group.name);
            let gid = self.state.gids.get(&group.name).copied().unwrap_or(NOBODY);
            let mut members: BTreeSet<String> = group.members.iter().cloned().collect();
            if let Some(existing) = existing {
                // Membership of people made with useradd is theirs; that of declared users is the configuration's.
                let declared = |user: &String| {
                    observed.state.declared_users.contains(user) || self.state.declared_users.contains(user)
                };
                if self.mutability == Mutability::Mutable {
                    members.extend(existing.members.iter().filter(|user| !declared(user)).cloned());
                }
            }
            let entry = GroupEntry { name: group.name.clone(), gid, members: members.into_iter().collect() };
            match existing {
                None => self.changes.push(AccountChange::AddGroup { name: entry.name.clone(), gid }),
                Some(old) if *old != entry => {
                    self.changes.push(AccountChange::ChangeGroup { name: entry.name.clone() });
                }
                Some(_) => {}
            }
            self.groups.insert(entry.name.clone(), entry);
        }
        for group in &observed.group {
            if self.groups.contains_key(&group.name) {
                continue;
            }
            if self.keeps_undeclared(&group.name, &observed.state.declared_groups) {
                self.groups.insert(group.name.clone(), group.clone());
            } else {
                self.changes.push(AccountChange::RemoveGroup { name: group.name.clone() });
            }
        }
    }

    /// Settles the number of every declared group and user.
    fn assign_ids(&mut self) {
        let observed = self.observed;
        let (before, kept) =
            (&observed.state, |name: &str, declared: &BTreeSet<String>| self.keeps_undeclared(name, declared));
        let groups = Ids {
            kind: "group",
            declared: self.spec.groups.iter().map(|group| (group.name.as_str(), group.gid)).collect(),
            existing: observed.group.iter().map(|group| (group.name.as_str(), group.gid)).collect(),
            staying: observed
                .group
                .iter()
                .filter(|group| !self.state.declared_groups.contains(&group.name))
                .filter(|group| kept(&group.name, &before.declared_groups))
                .map(|group| (group.name.as_str(), group.gid))
                .collect(),
            remembered: &before.gids,
        };
        let users = Ids {
            kind: "user",
            declared: self.spec.users.iter().map(|user| (user.name.as_str(), user.uid)).collect(),
            existing: observed.passwd.iter().map(|user| (user.name.as_str(), user.uid)).collect(),
            staying: observed
                .passwd
                .iter()
                .filter(|user| !self.state.declared_users.contains(&user.name))
                .filter(|user| kept(&user.name, &before.declared_users))
                .map(|user| (user.name.as_str(), user.uid))
                .collect(),
            remembered: &before.uids,
        };
        let (gids, group_warnings) = groups.assign();
        let (uids, user_warnings) = users.assign();
        self.state.gids.extend(gids);
        self.state.uids.extend(uids);
        self.warnings.extend(group_warnings);
        self.warnings.extend(user_warnings);
    }

    fn merge_user(&mut self, user: &UserSpec, salts: &mut dyn SaltSource) -> Result<(), PasswordError> {
        let existing = self.observed.user(&user.name);
        let uid = self.state.uids.get(&user.name).copied().unwrap_or(NOBODY);
        let gid = self.groups.get(&user.group).map(|group| group.gid).or(user.gid);
        if gid.is_none() {
            self.warnings.push(format!("user `{}` has the unknown group `{}`", user.name, user.group));
        }
        let shell = user.shell.clone().or_else(|| existing.map(|entry| entry.shell.clone()));
        let entry = PasswdEntry {
            name: user.name.clone(),
            uid,
            gid: gid.unwrap_or(NOBODY),
            gecos: user.description.clone(),
            home: user.home.clone(),
            shell: shell.unwrap_or_else(|| "/usr/sbin/nologin".to_owned()),
        };
        match existing {
            None => self.changes.push(AccountChange::AddUser { name: user.name.clone(), uid }),
            Some(old) if *old != entry => self.changes.push(AccountChange::ChangeUser { name: user.name.clone() }),
            Some(_) => {}
        }
        self.merge_shadow(user, salts)?;
        self.users.insert(user.name.clone(), entry);
        Ok(())
    }

    fn merge_shadow(&mut self, user: &UserSpec, salts: &mut dyn SaltSource) -> Result<(), PasswordError> {
        let existing = self.observed.shadow(&user.name);
        let mut entry = match existing {
            Some(entry) => entry.clone(),
            None => locked_entry(&user.name),
        };
        if let Some(expires) = user.expires {
            entry.aging[5] = expires.to_string();
        }
        if existing.is_none() || self.mutability == Mutability::Immutable {
            let old = existing.map(|entry| entry.password.as_str());
            let password = self.declared_password(user, old, salts)?;
            entry.password = password.unwrap_or_else(|| "!".to_owned());
            if old.is_some_and(|old| old != entry.password) {
                self.changes.push(AccountChange::SetPassword { name: user.name.clone() });
            }
        }
        self.shadow.insert(user.name.clone(), entry);
        Ok(())
    }

    /// The password that the configuration wants, in NixOS's order of precedence, which differs by mutability.
    fn declared_password(
        &mut self,
        user: &UserSpec,
        existing: Option<&str>,
        salts: &mut dyn SaltSource,
    ) -> Result<Option<String>, PasswordError> {
        if let Some(path) = &user.hashed_password_file {
            match self.observed.password_files.get(path) {
                Some(content) => return Ok(Some(content.clone())),
                None => {
                    let text = format!("the password file `{}` of user `{}` cannot be read", path.display(), user.name);
                    self.warnings.push(text);
                }
            }
        }
        if let Some(password) = &user.password {
            return hash(&user.name, password, existing, salts).map(Some);
        }
        let hashed_first = self.mutability == Mutability::Mutable;
        if hashed_first && user.hashed_password.is_some() {
            return Ok(user.hashed_password.clone());
        }
        if let Some(password) = &user.initial_password {
            return hash(&user.name, password, existing, salts).map(Some);
        }
        Ok(user.hashed_password.clone().or_else(|| user.initial_hashed_password.clone()))
    }

    fn home(&self, user: &UserSpec) -> Option<HomeStep> {
        let entry = self.users.get(&user.name)?;
        if !user.create_home {
            return None;
        }
        let mode = user.home_mode.unwrap_or(Mode(0o700));
        let wanted = Ownership { mode: mode.0, uid: entry.uid, gid: entry.gid };
        let path = PathBuf::from(&user.home);
        let create = match self.observed.homes.get(&path) {
            Some(HomeFound::Directory(ownership)) if *ownership == wanted => return None,
            Some(HomeFound::Directory(_)) => false,
            Some(HomeFound::Other) => return None,
            None => true,
        };
        Some(HomeStep { user: user.name.clone(), path, create, mode, uid: wanted.uid, gid: wanted.gid })
    }

    fn merge_undeclared_users(&mut self) {
        let observed = self.observed;
        for user in &observed.passwd {
            if self.users.contains_key(&user.name) {
                continue;
            }
            if self.keeps_undeclared(&user.name, &observed.state.declared_users) {
                let shadow = observed.shadow(&user.name).cloned();
                self.shadow.insert(user.name.clone(), shadow.unwrap_or_else(|| locked_entry(&user.name)));
                self.state.uids.insert(user.name.clone(), user.uid);
                self.users.insert(user.name.clone(), user.clone());
            } else {
                self.changes.push(AccountChange::RemoveUser { name: user.name.clone() });
            }
        }
    }

    fn finish(mut self, homes: Vec<HomeStep>) -> AccountsPlan {
        let mut passwd: Vec<&PasswdEntry> = self.users.values().collect();
        passwd.sort_by_key(|entry| entry.uid);
        let mut groups: Vec<&GroupEntry> = self.groups.values().collect();
        groups.sort_by_key(|entry| entry.gid);
        let shadow = passwd.iter().filter_map(|entry| self.shadow.get(&entry.name)).map(Entry::line);
        let gshadow = groups.iter().map(|group| {
            let old = self.observed.gshadow(&group.name).cloned();
            let entry = old.unwrap_or_else(|| GshadowEntry {
                name: group.name.clone(),
                password: "!".to_owned(),
                administrators: String::new(),
            });
            entry.line() + &group.members.join(",")
        });
        let shadow_gid = self.groups.get("shadow").map_or(SHADOW_GROUP, |group| group.gid);
        let secret = Ownership { mode: 0o640, uid: 0, gid: shadow_gid };
        let public = Ownership { mode: 0o644, uid: 0, gid: 0 };
        let [subuid, subgid] = &self.sub_ids;
        let files = vec![
            account_file("gshadow", gshadow, secret),
            account_file("shadow", shadow, secret),
            account_file("subuid", subuid.iter().map(Entry::line), public),
            account_file("subgid", subgid.iter().map(Entry::line), public),
            account_file("group", groups.iter().map(|group| group.line()), public),
            account_file("passwd", passwd.iter().map(|user| user.line()), public),
        ];
        self.changes.sort_by_key(AccountChange::order);
        AccountsPlan {
            observed: self.observed.clone(),
            files,
            homes,
            users: self.users.values().map(|user| (user.name.clone(), (user.uid, user.gid))).collect(),
            groups: self.groups.values().map(|group| (group.name.clone(), group.gid)).collect(),
            changes: self.changes,
            warnings: self.warnings,
            state: self.state,
        }
    }
}

/// Nobody logs in to it by password; `1` as the day of the last change keeps the clock out of the file.
fn locked_entry(name: &str) -> ShadowEntry {
    let mut aging: [String; 7] = Default::default();
    "1".clone_into(&mut aging[0]);
    ShadowEntry { name: name.to_owned(), password: "!".to_owned(), aging }
}

fn account_file(name: &'static str, lines: impl Iterator<Item = String>, ownership: Ownership) -> AccountFile {
    let content = lines.fold(String::new(), |text, line| text + &line + "\n");
    AccountFile { name, content, ownership }
}
