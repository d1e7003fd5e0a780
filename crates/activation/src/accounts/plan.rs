//! The plan of the accounts: what changes, what the files will be, which homes are made. Values, and how they read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::observe::{AccountsState, ObservedAccounts};
use crate::root::Ownership;
use crate::toplevel::Mode;

/// What happens to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub enum AccountChange {
    /// A user that did not exist.
    AddUser {
        /// Name.
        name: String,
        /// Its id.
        uid: u32,
    },
    /// A user whose passwd entry changes.
    ChangeUser {
        /// Name.
        name: String,
    },
    /// A user whose password changes (only with immutable users).
    SetPassword {
        /// Name.
        name: String,
    },
    /// A user that is no longer declared, or that immutable users do not allow.
    RemoveUser {
        /// Name.
        name: String,
    },
    /// A group that did not exist.
    AddGroup {
        /// Name.
        name: String,
        /// Its id.
        gid: u32,
    },
    /// A group whose members change.
    ChangeGroup {
        /// Name.
        name: String,
    },
    /// A group that goes.
    RemoveGroup {
        /// Name.
        name: String,
    },
}

impl AccountChange {
    /// Groups before users, additions before changes before removals, then by name.
    pub(super) fn order(&self) -> (u8, String) {
        let (rank, name) = match self {
            Self::AddGroup { name, .. } => (0, name),
            Self::ChangeGroup { name } => (1, name),
            Self::AddUser { name, .. } => (2, name),
            Self::ChangeUser { name } => (3, name),
            Self::SetPassword { name } => (4, name),
            Self::RemoveUser { name } => (5, name),
            Self::RemoveGroup { name } => (6, name),
        };
        (rank, name.clone())
    }
}

impl fmt::Display for AccountChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddUser { name, uid } => write!(formatter, "add user {name} (uid {uid})"),
            Self::ChangeUser { name } => write!(formatter, "change user {name}"),
            Self::SetPassword { name } => {
                write!(formatter, "set the declared password of user {name}")
            }
            Self::RemoveUser { name } => write!(formatter, "remove user {name} (its files stay)"),
            Self::AddGroup { name, gid } => write!(formatter, "add group {name} (gid {gid})"),
            Self::ChangeGroup { name } => write!(formatter, "change group {name}"),
            Self::RemoveGroup { name } => write!(formatter, "remove group {name}"),
        }
    }
}

/// A home directory to make or to correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HomeStep {
    /// Whose.
    pub user: String,
    /// Target path.
    pub path: PathBuf,
    /// Whether it is new, and gets the files of /etc/skel.
    pub create: bool,
    /// Permission bits.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One account file as it will be. Its content is a secret for two of them and never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AccountFile {
    /// Name in /etc.
    pub(crate) name: &'static str,
    /// Whole content.
    pub(crate) content: String,
    /// Mode and owner.
    pub(crate) ownership: Ownership,
}

/// Everything about accounts, ready to be applied.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountsPlan {
    /// What changes, for people to read.
    pub changes: Vec<AccountChange>,
    /// Home directories, in order of the user's id.
    pub homes: Vec<HomeStep>,
    /// What was not done, and why.
    pub warnings: Vec<String>,
    /// What was planned on: applying to anything else would undo somebody's change.
    #[serde(skip)]
    pub(crate) observed: ObservedAccounts,
    #[serde(skip)]
    pub(crate) files: Vec<AccountFile>,
    #[serde(skip)]
    pub(crate) state: AccountsState,
    #[serde(skip)]
    pub(crate) users: BTreeMap<String, (u32, u32)>,
    #[serde(skip)]
    pub(crate) groups: BTreeMap<String, u32>,
}

impl fmt::Debug for AccountsPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccountsPlan").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl AccountsPlan {
    /// Uid of a user by name, as it will be.
    pub fn uid(&self, user: &str) -> Option<u32> {
        self.users.get(user).map(|(uid, _)| *uid)
    }

    /// Gid of a group by name, as it will be.
    pub fn gid(&self, group: &str) -> Option<u32> {
        self.groups.get(group).copied()
    }
}

impl fmt::Display for AccountsPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(formatter, "{change}")?;
        }
        for home in &self.homes {
            let verb = if home.create { "create" } else { "correct owner and mode of" };
            writeln!(formatter, "{verb} home directory {}", home.path.display())?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(formatter, "warning: {warning}"))
    }
}
