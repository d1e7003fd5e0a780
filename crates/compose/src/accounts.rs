//! The users and groups of a system: those packages need, merged with those the configuration declares.
//!
//! Packages say what they need in base-passwd's master files, in sysusers.d, and in scripts. Every number comes from a pure
//! function of the name ([`deb_formats::ids`]) unless someone insists on one, so adding a package renumbers nobody; two names
//! with one number are an error. The result is `accounts.json`, which activation merges into /etc/passwd. Reads nothing.

mod declared;
mod sysusers;

use std::collections::BTreeMap;

use deb_formats::ids;
use serde::Serialize;
use thiserror::Error;

pub use declared::{DeclaredAccounts, DeclaredGroup, DeclaredUser};
pub use sysusers::parse_sysusers;

use crate::effect::{Effect, Group, Membership, User};

/// `accounts.json`: what activation reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Accounts {
    /// Sorted by uid, then name; people without a number last.
    pub users: Vec<AccountUser>,
    /// Sorted by gid, then name; groups without a number last.
    pub groups: Vec<AccountGroup>,
}

/// One user.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountUser {
    /// Login name.
    pub name: String,
    /// Absent only for people whom activation numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The primary group's number, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// The primary group's name.
    pub group: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// The GECOS field.
    pub description: String,
    /// Whether it is no person's.
    pub system: bool,
    /// Passwords, home mode, subordinate ids: as declared, under activation's names.
    #[serde(flatten)]
    pub declared: declared::UserExtras,
}

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountGroup {
    /// Its name.
    pub name: String,
    /// Absent only for groups that activation numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Names of its members, sorted.
    pub members: Vec<String>,
}

/// Why the accounts contradict each other.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AccountsError {
    /// Two names with one number. All of them are listed.
    #[error(
        "{kind} share an id:{}\nhint: give one of them another number in `users.{kind}.<name>.{field}`",
        list(collisions)
    )]
    Collision {
        /// `users` or `groups`.
        kind: &'static str,
        /// `uid` or `gid`.
        field: &'static str,
        /// Number → names.
        collisions: BTreeMap<u32, Vec<String>>,
    },
    /// A user whose primary group nobody declares.
    #[error("the primary group `{group}` of user `{user}` does not exist")]
    NoSuchGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// An expiry that is no date.
    #[error("`{date}`, the day user `{user}` expires, is not a date such as 2030-12-31")]
    Date {
        /// The user.
        user: String,
        /// The text.
        date: String,
    },
    /// A line of base-passwd or sysusers.d that has no meaning.
    #[error("`{line}` in `{file}` describes no user or group")]
    Line {
        /// The file.
        file: String,
        /// The line.
        line: String,
    },
}

fn list(collisions: &BTreeMap<u32, Vec<String>>) -> String {
    collisions.iter().map(|(id, names)| format!("\n  {id}: {}", names.join(", "))).collect()
}

/// What the packages of a view say about accounts.
#[derive(Debug, Clone, Default)]
pub struct PackageAccounts {
    /// base-passwd's `passwd.master`.
    pub passwd_master: String,
    /// base-passwd's `group.master`.
    pub group_master: String,
    /// Files of /usr/lib/sysusers.d: name → text.
    pub sysusers: BTreeMap<String, String>,
    /// Effects of scripts; others than users, groups and memberships do not matter.
    pub effects: Vec<Effect>,
}

/// Merges what packages need with what is declared; a declaration wins field by field over a package's need.
///
/// # Errors
/// When names share a number, a primary group is missing, or a file of a package makes no sense.
pub fn plan_accounts(packages: &PackageAccounts, declared: &DeclaredAccounts) -> Result<Accounts, AccountsError> {
    let mut merger = Merger::default();
    merger.declared_groups(declared);
    merger.base_passwd(packages)?;
    let mut needs = Vec::new();
    for (file, text) in &packages.sysusers {
        needs.extend(parse_sysusers(file, text)?);
    }
    needs.extend(packages.effects.iter().cloned());
    merger.needs(&needs);
    merger.declared_users(declared)?;
    merger.finish()
}

#[derive(Default)]
struct Merger {
    users: BTreeMap<String, AccountUser>,
    groups: BTreeMap<String, AccountGroup>,
}

impl Merger {
    fn declared_groups(&mut self, declared: &DeclaredAccounts) {
        for group in &declared.groups {
            let entry = self.groups.entry(group.name.clone()).or_default();
            entry.name.clone_from(&group.name);
            entry.gid = group.gid;
            entry.members.extend(group.members.iter().cloned());
        }
    }

    fn base_passwd(&mut self, packages: &PackageAccounts) -> Result<(), AccountsError> {
        let wrong = |file: &str, line: &str| AccountsError::Line { file: file.to_owned(), line: line.to_owned() };
        let mut names = BTreeMap::new();
        for line in packages.group_master.lines().filter(|line| !line.is_empty()) {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, _] = fields[..] else {
                return Err(wrong("group.master", line));
            };
            let gid = gid.parse().map_err(|_| wrong("group.master", line))?;
            names.insert(gid, name.to_owned());
            self.group(name, Some(gid));
        }
        for line in packages.passwd_master.lines().filter(|line| !line.is_empty()) {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, gecos, home, shell] = fields[..] else {
                return Err(wrong("passwd.master", line));
            };
            let uid = uid.parse().map_err(|_| wrong("passwd.master", line))?;
            let gid: u32 = gid.parse().map_err(|_| wrong("passwd.master", line))?;
            let group = names.get(&gid).ok_or_else(|| wrong("passwd.master", line))?;
            self.users.insert(
                name.to_owned(),
                AccountUser {
                    name: name.to_owned(),
                    uid: Some(uid),
                    gid: Some(gid),
                    group: group.clone(),
                    home: home.to_owned(),
                    shell: Some(shell.to_owned()),
                    description: gecos.to_owned(),
                    system: true,
                    ..AccountUser::default()
                },
            );
        }
        Ok(())
    }

    /// Groups come before users and users before memberships, whatever the order of files.
    fn needs(&mut self, needs: &[Effect]) {
        for need in needs {
            if let Effect::Group(Group { name, gid }) = need {
                self.group(name, *gid);
            }
        }
        for need in needs {
            if let Effect::User(user) = need {
                self.package_user(user);
            }
        }
        for need in needs {
            if let Effect::Membership(Membership { user, group }) = need {
                self.group(group, None);
                self.member(group, user);
            }
        }
    }

    fn group(&mut self, name: &str, gid: Option<u32>) {
        let entry = self.groups.entry(name.to_owned()).or_default();
        name.clone_into(&mut entry.name);
        entry.gid = entry.gid.or(gid).or_else(|| Some(ids::group_id(name)));
    }

    fn member(&mut self, group: &str, user: &str) {
        if let Some(group) = self.groups.get_mut(group) {
            group.members.push(user.to_owned());
        }
    }

    fn package_user(&mut self, user: &User) {
        if self.users.contains_key(&user.name) {
            return;
        }
        let group = user.group.clone().unwrap_or_else(|| user.name.clone());
        let insisted = user.group.is_none().then_some(user.uid).flatten();
        self.group(&group, insisted);
        let uid = user.uid.unwrap_or_else(|| ids::user_id(&user.name));
        self.users.insert(
            user.name.clone(),
            AccountUser {
                name: user.name.clone(),
                uid: Some(uid),
                group,
                home: user.home.clone().unwrap_or_else(|| "/nonexistent".to_owned()),
                shell: Some(user.shell.clone().unwrap_or_else(|| "/usr/sbin/nologin".to_owned())),
                description: user.description.clone().unwrap_or_default(),
                system: true,
                ..AccountUser::default()
            },
        );
    }

    fn declared_users(&mut self, declared: &DeclaredAccounts) -> Result<(), AccountsError> {
        for user in &declared.users {
            let known = self.users.remove(&user.name);
            let merged = user.over(known)?;
            if user.is_system() {
                self.group(&merged.group, None);
            }
            for group in &user.groups {
                self.group(group, None);
                self.member(group, &user.name);
            }
            self.users.insert(user.name.clone(), merged);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Accounts, AccountsError> {
        for user in self.users.values_mut() {
            let group = self
                .groups
                .get(&user.group)
                .ok_or_else(|| AccountsError::NoSuchGroup { user: user.name.clone(), group: user.group.clone() })?;
            user.gid = group.gid;
        }
        for group in self.groups.values_mut() {
            group.members.sort();
            group.members.dedup();
        }
        check("users", "uid", self.users.values().map(|user| (user.uid, &user.name)))?;
        check("groups", "gid", self.groups.values().map(|group| (group.gid, &group.name)))?;
        let mut users: Vec<AccountUser> = self.users.into_values().collect();
        users.sort_by_key(|user| (user.uid.unwrap_or(u32::MAX), user.name.clone()));
        let mut groups: Vec<AccountGroup> = self.groups.into_values().collect();
        groups.sort_by_key(|group| (group.gid.unwrap_or(u32::MAX), group.name.clone()));
        Ok(Accounts { users, groups })
    }
}

fn check<'a>(
    kind: &'static str,
    field: &'static str,
    names: impl Iterator<Item = (Option<u32>, &'a String)>,
) -> Result<(), AccountsError> {
    let mut by_id: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (id, name) in names {
        if let Some(id) = id {
            by_id.entry(id).or_default().push(name.clone());
        }
    }
    by_id.retain(|_, names| names.len() > 1);
    if by_id.is_empty() { Ok(()) } else { Err(AccountsError::Collision { kind, field, collisions: by_id }) }
}

#[cfg(test)]
mod tests;
