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
    /// Further groups, beside those that name the user as a member.
    pub groups: Vec<String>,
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
    /// Day on which the account expires, as `YYYY-MM-DD`.
    pub expires: Option<Date>,
    /// Explicit ranges for /etc/subuid.
    pub sub_uid_ranges: Vec<SubIdRange>,
    /// Explicit ranges for /etc/subgid.
    pub sub_gid_ranges: Vec<SubIdRange>,
    /// Give the user a range of 65,536 subordinate uids and gids, remembered for ever.
    #[serde(rename = "autoSubUidGidRange")]
    pub auto_sub_id_range: bool,
}

/// A range of subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SubIdRange {
    /// First id; NixOS calls it `startUid` or `startGid`.
    #[serde(alias = "startUid", alias = "startGid")]
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// A day, written `YYYY-MM-DD`, kept as shadow(5) counts: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Days since 1970-01-01.
    pub days: u32,
}

impl Date {
    /// `None` when the text is no day from 1970 on.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<u32>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let is_leap = |year: u32| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let february = if is_leap(year) { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let index = usize::try_from(month.checked_sub(1)?).ok()?;
        if !(1970..=9999).contains(&year) || day == 0 || day > *lengths.get(index)? {
            return None;
        }
        let years: u32 = (1970..year)
            .map(|year| if is_leap(year) { 366 } else { 365 })
            .sum();
        let months: u32 = lengths[..index].iter().sum();
        Some(Self {
            days: years + months + day - 1,
        })
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no day such as `2030-12-31`"))
        })
    }
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
    fn days_are_counted_as_date_does() {
        for text in [
            "1970-01-01",
            "1999-12-31",
            "2000-02-29",
            "2026-11-20",
            "2100-03-01",
        ] {
            let output = std::process::Command::new("date")
                .args(["-u", "-d", text, "+%s"])
                .output();
            let output = output.expect("this test needs `date` (Debian: coreutils)");
            let seconds: u64 = String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse()
                .unwrap();
            assert_eq!(
                Date::parse(text).map(|date| u64::from(date.days)),
                Some(seconds / 86400),
                "{text}"
            );
        }
        for text in [
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "1969-12-31",
            "soon",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_users_module_s_json_is_read() {
        let text = r#"{"mutableUsers":true,"users":[{"name":"a","description":"","home":"/home/a","createHome":true,
            "homeMode":"700","group":"users","uid":1000,"shell":"/bin/bash","system":false,"groups":["sudo"],
            "linger":false,"expires":"2030-01-01","autoSubUidGidRange":true,
            "subUidRanges":[{"startUid":5,"count":2}],"subGidRanges":[{"startGid":6,"count":3}]}],
            "groups":[{"name":"sudo","gid":27,"members":[]}]}"#;
        let spec: AccountsSpec = serde_json::from_str(text).unwrap();
        let user = &spec.users[0];
        assert_eq!(
            (user.home_mode, user.expires.map(|date| date.days)),
            (Some(Mode(0o700)), Some(21915))
        );
        assert_eq!(
            (user.sub_uid_ranges[0].start, user.sub_gid_ranges[0].start),
            (5, 6)
        );
        assert!(user.auto_sub_id_range && user.create_home);
    }
}
