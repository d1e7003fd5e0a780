//! Attribute `accounts` of `builtin:etc`: what `users.users` and `users.groups` say, and how it becomes what activation reads.

use serde::{Deserialize, Serialize};

use super::{AccountUser, AccountsError};

/// Declared accounts.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeclaredAccounts {
    /// Users. A user of a package's name changes that user.
    pub users: Vec<DeclaredUser>,
    /// Groups.
    pub groups: Vec<DeclaredGroup>,
}

/// A declared group.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeclaredGroup {
    /// Its name.
    pub name: String,
    /// Its number; absent: the package's, else the name's.
    pub gid: Option<u32>,
    /// Names of members.
    pub members: Vec<String>,
}

/// A declared user, with NixOS's attributes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeclaredUser {
    /// Login name.
    pub name: String,
    /// Its number; absent: the package's; for people activation chooses.
    pub uid: Option<u32>,
    /// The primary group; empty: the package's, else a group of the user's own name.
    pub group: String,
    /// Further groups.
    pub groups: Vec<String>,
    /// Home directory; empty: the package's.
    pub home: String,
    /// Login shell; absent: the package's.
    pub shell: Option<String>,
    /// The GECOS field; empty: the package's.
    pub description: String,
    /// Whether it is no person's account.
    pub system: bool,
    /// Expiry as `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// Ranges of /etc/subuid.
    pub sub_uid_ranges: Vec<DeclaredUidRange>,
    /// Ranges of /etc/subgid.
    pub sub_gid_ranges: Vec<DeclaredGidRange>,
    /// Whether subordinate ids are assigned.
    pub auto_sub_uid_gid_range: bool,
    /// What activation takes as it is.
    #[serde(flatten)]
    pub extras: Passwords,
}

/// A range of subordinate user ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredUidRange {
    /// The first id.
    pub start_uid: u32,
    /// How many.
    pub count: u32,
}

/// A range of subordinate group ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredGidRange {
    /// The first id.
    pub start_gid: u32,
    /// How many.
    pub count: u32,
}

/// Attributes of a user that pass through unchanged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Passwords {
    /// Make the home directory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create_home: bool,
    /// The home directory's mode, octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_mode: Option<String>,
    /// See users.users.<name>.hashedPassword.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashed_password: Option<String>,
    /// See users.users.<name>.hashedPasswordFile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashed_password_file: Option<String>,
    /// See users.users.<name>.initialHashedPassword.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_hashed_password: Option<String>,
    /// See users.users.<name>.password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// See users.users.<name>.initialPassword.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_password: Option<String>,
}

/// What activation reads of a user beyond passwd's own fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserExtras {
    /// Passwords and the home directory.
    #[serde(flatten)]
    pub passwords: Passwords,
    /// The day of expiry, in days since 1970-01-01.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u32>,
    /// Ranges of /etc/subuid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sub_uid_ranges: Vec<IdRange>,
    /// Ranges of /etc/subgid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sub_gid_ranges: Vec<IdRange>,
    /// Whether subordinate ids are assigned.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_sub_id_range: bool,
}

/// A range of subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IdRange {
    /// The first id.
    pub start: u32,
    /// How many.
    pub count: u32,
}

impl DeclaredUser {
    /// Whether a group of the user's own may be made for it.
    pub(super) fn is_system(&self) -> bool {
        self.system
    }

    /// This declaration over what a package says of the same user.
    pub(super) fn over(&self, known: Option<AccountUser>) -> Result<AccountUser, AccountsError> {
        let known = known.unwrap_or_default();
        let or = |declared: &str, known: String, default: &str| match (declared, known.as_str()) {
            ("", "") => default.to_owned(),
            ("", _) => known,
            (declared, _) => declared.to_owned(),
        };
        let expires = self.expires.as_deref().map(|date| {
            days_since_1970(date).ok_or_else(|| AccountsError::Date { user: self.name.clone(), date: date.to_owned() })
        });
        Ok(AccountUser {
            name: self.name.clone(),
            uid: self.uid.or(known.uid),
            gid: None,
            group: or(&self.group, known.group, &self.name),
            home: or(&self.home, known.home, "/nonexistent"),
            shell: self.shell.clone().or(known.shell),
            description: or(&self.description, known.description, ""),
            system: self.system,
            declared: UserExtras {
                passwords: self.extras.clone(),
                expires: expires.transpose()?,
                sub_uid_ranges: range(self.sub_uid_ranges.iter().map(|r| (r.start_uid, r.count))),
                sub_gid_ranges: range(self.sub_gid_ranges.iter().map(|r| (r.start_gid, r.count))),
                auto_sub_id_range: self.auto_sub_uid_gid_range,
            },
        })
    }
}

fn range(ranges: impl Iterator<Item = (u32, u32)>) -> Vec<IdRange> {
    ranges.map(|(start, count)| IdRange { start, count }).collect()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` when it is none, or earlier.
fn days_since_1970(date: &str) -> Option<u32> {
    let mut fields = date.split('-').map(str::parse::<u32>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return None;
    };
    let leap = |year: u32| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    if !(1970..10_000).contains(&year) || day == 0 || day > *lengths.get(index)? {
        return None;
    }
    let years: u32 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    Some(years + lengths[..index].iter().sum::<u32>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::days_since_1970;

    #[test]
    fn dates_become_days() {
        assert_eq!(days_since_1970("1970-01-01"), Some(0));
        assert_eq!(days_since_1970("2000-03-01"), Some(11_017));
        assert_eq!(days_since_1970("2026-11-20"), Some(20_777));
        for wrong in ["2023-02-29", "2030", "2030-13-01", "1969-12-31", "tomorrow", "2030-01-01-"] {
            assert_eq!(days_since_1970(wrong), None, "{wrong}");
        }
    }
}
