//! `accounts.json`: the declared users and groups. The structs are the contract with `builtin:etc` and the user
//! modules; the attributes are those of NixOS's `users.users` and `users.groups`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::toplevel::Mode;

/// `<etc>/accounts.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsSpec {
    /// Declared users, in any order.
    pub users: Vec<UserSpec>,
    /// Declared groups, in any order.
    pub groups: Vec<GroupSpec>,
}

/// One declared user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserSpec {
    /// Login name.
    pub name: String,
    /// Absent only for people: the first free id from 1000 on, remembered for ever.
    pub uid: Option<u32>,
    /// Name of the primary group.
    pub group: String,
    /// Its number, used only when no group of that name exists.
    pub gid: Option<u32>,
    /// Home directory.
    pub home: String,
    /// Login shell; absent keeps an existing user's and means `/usr/sbin/nologin` for a new one.
    pub shell: Option<String>,
    /// The comment field.
    pub description: String,
    /// A system user (no id is chosen for it here).
    pub system: bool,
    /// Make the home directory and keep its owner and mode right.
    pub create_home: bool,
    /// Mode of the home directory as octal text; default `0700`.
    pub home_mode: Option<Mode>,
    /// crypt(3) hash: at each activation when users are immutable, else only when the user is made.
    pub hashed_password: Option<String>,
    /// Path of a file with such a hash, read on the machine; overrides everything else.
    pub hashed_password_file: Option<PathBuf>,
    /// crypt(3) hash for when the user is made.
    pub initial_hashed_password: Option<String>,
    /// Clear text, hashed on the machine. It lies world-readable in the store.
    pub password: Option<String>,
    /// Clear text for when the user is made. It lies world-readable in the store.
    pub initial_password: Option<String>,
    /// Day the account expires, in days since 1970-01-01 (shadow(5)).
    pub expires: Option<u32>,
    /// Explicit ranges for /etc/subuid.
    pub sub_uid_ranges: Vec<SubIdRange>,
    /// Explicit ranges for /etc/subgid.
    pub sub_gid_ranges: Vec<SubIdRange>,
    /// Give the user a range of 65,536 subordinate uids and gids, remembered for ever.
    pub auto_sub_id_range: bool,
}

/// A range of subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubIdRange {
    /// First id.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// One declared group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSpec {
    /// Name.
    pub name: String,
    /// Absent only for groups of people: the first free id from 1000 on, remembered for ever.
    pub gid: Option<u32>,
    /// Names of the members, beside those whose primary group it is.
    pub members: Vec<String>,
}
