//! `accounts.json`: the declared users and groups. The structs are the contract with `builtin:etc` and the user
//! modules; the attributes are those of NixOS's `users.users` and `users.groups`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::toplevel::Mode;

/// `<etc>/accounts.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct AccountsSpec {
    /// Declared users, in any order.
    pub users: Vec<UserSpec>,
    /// Declared groups, in any order.
    pub groups: Vec<GroupSpec>,
}

/// One declared user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserSpec {
    /// Login name.
    pub name: String,
    /// Absent only for people: the first free id from 1000 on, remembered for ever.
    pub uid: Option<u32>,
    /// Name of the primary group.
    pub group: String,
    /// The primary group's number, used only when no group of that name exists.
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
    /// Day on which the account expires, in days since 1970-01-01, as shadow(5) counts.
    pub expires: Option<u32>,
    /// Explicit ranges for /etc/subuid.
    pub sub_uid_ranges: Vec<SubIdRange>,
    /// Explicit ranges for /etc/subgid.
    pub sub_gid_ranges: Vec<SubIdRange>,
    /// Give the user a range of 65,536 subordinate uids and gids, remembered for ever.
    pub auto_sub_id_range: bool,
}

/// A range of subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SubIdRange {
    /// First id.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// One declared group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSpec {
    /// Name.
    pub name: String,
    /// Absent only for groups of people: the first free id from 1000 on, remembered for ever.
    pub gid: Option<u32>,
    /// Names of the members, beside those whose primary group it is.
    pub members: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_the_contract_is_read() {
        let text = r#"{"users":[{"name":"a","description":"","home":"/home/a","createHome":true,"homeMode":"700",
            "group":"users","uid":1000,"shell":"/bin/bash","system":false,"expires":21915,"autoSubIdRange":true,
            "subUidRanges":[{"start":5,"count":2}],"subGidRanges":[{"start":6,"count":3}]}],
            "groups":[{"name":"sudo","gid":27,"members":["a"]}]}"#;
        let spec: AccountsSpec = serde_json::from_str(text).unwrap();
        let user = &spec.users[0];
        assert_eq!((user.home_mode, user.expires), (Some(Mode(0o700)), Some(21915)));
        assert_eq!((user.sub_uid_ranges[0].start, user.sub_gid_ranges[0].count), (5, 3));
        assert!(user.auto_sub_id_range && user.create_home);
    }
}
