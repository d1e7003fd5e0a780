//! Owners by name → by number, and modes, owners and capabilities onto the entries of a plan.

use std::collections::BTreeMap;

use deb_formats::ids;
use serde::Deserialize;

use super::paths::plan_path;
use super::{EntryKind, ViewError, ViewPlan};
use crate::capabilities::parse_capabilities;

/// Numbers that the configuration gives to names; every other name has the one of [`deb_formats::ids`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountIds {
    /// User ids by name.
    pub users: BTreeMap<String, u32>,
    /// Group ids by name.
    pub groups: BTreeMap<String, u32>,
}

impl AccountIds {
    /// A user's id. A name of digits is that number.
    #[must_use]
    pub fn user(&self, name: &str) -> u32 {
        let declared = self.users.get(name).copied();
        declared.or_else(|| name.parse().ok()).unwrap_or_else(|| ids::user_id(name))
    }

    /// A group's id. A name of digits is that number.
    #[must_use]
    pub fn group(&self, name: &str) -> u32 {
        let declared = self.groups.get(name).copied();
        declared.or_else(|| name.parse().ok()).unwrap_or_else(|| ids::group_id(name))
    }
}

/// Declared mode, owner and capabilities of one path; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PathPermissions {
    /// Octal digits (`4755`).
    pub mode: Option<String>,
    /// Owner's name or number (`owner` is another name of this attribute).
    #[serde(alias = "owner")]
    pub user: Option<String>,
    /// Group's name or number.
    pub group: Option<String>,
    /// The text `setcap` takes; empty removes capabilities.
    pub capabilities: Option<String>,
}

/// What happens when a path is not in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Nothing: a script's effect on a file its package no longer ships.
    Ignore,
    /// An error: a person declared it.
    Refuse,
}

/// Applies permissions to one path of the plan. Links are followed, as `chmod` would.
pub(super) fn apply(
    plan: &mut ViewPlan,
    path: &str,
    permissions: &PathPermissions,
    ids: &AccountIds,
    absent: Absent,
) -> Result<(), ViewError> {
    let Some((resolved, _)) = plan.resolve(&plan_path(path)) else {
        return match absent {
            Absent::Ignore => Ok(()),
            Absent::Refuse => Err(ViewError::NoSuchPath { path: path.to_owned() }),
        };
    };
    let capabilities = match permissions.capabilities.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(
            parse_capabilities(text).map_err(|source| ViewError::Capabilities { path: path.to_owned(), source })?,
        )),
    };
    let Some(entry) = plan.entries.get_mut(&resolved) else {
        return Ok(());
    };
    if let Some(mode) = &permissions.mode {
        let directory = entry.kind == EntryKind::Directory;
        entry.mode = change_mode(entry.mode, mode, directory)
            .ok_or_else(|| ViewError::Mode { mode: mode.clone(), path: path.to_owned() })?;
    }
    entry.uid = permissions.user.as_deref().map_or(entry.uid, |name| ids.user(name));
    entry.gid = permissions.group.as_deref().map_or(entry.gid, |name| ids.group(name));
    if let (EntryKind::File(source), Some(capabilities)) = (&mut entry.kind, capabilities) {
        source.capabilities = capabilities;
    }
    Ok(())
}

/// What chmod(1) makes of a mode: octal digits, or clauses such as `u+s,go-w`. `None` when the text is neither.
pub(crate) fn change_mode(mode: u32, text: &str, directory: bool) -> Option<u32> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
    }
    let mut mode = mode;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, operation) = (&clause[..at], &clause[at..=at]);
        let (user, group, other) = (who.contains('u'), who.contains('g'), who.contains('o'));
        let all = who.is_empty() || who.contains('a');
        let mut classes = 0;
        for (chosen, bits) in [(user, 0o4700), (group, 0o2070), (other, 0o1007)] {
            classes |= if chosen || all { bits } else { 0 };
        }
        let mut bits = 0;
        for letter in clause[at + 1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                _ => return None,
            };
        }
        bits &= classes;
        mode = match operation {
            "+" => mode | bits,
            "-" => mode & !bits,
            _ => (mode & !(classes & 0o777)) | bits,
        };
    }
    Some(mode)
}

/// An octal mode.
pub(crate) fn parse_mode(mode: &str, path: &str) -> Result<u32, ViewError> {
    let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o7777);
    bits.ok_or_else(|| ViewError::Mode { mode: mode.to_owned(), path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::change_mode;

    #[test]
    fn modes_change_as_chmod_changes_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, text) in [
            (0o644, "0755"),
            (0o755, "u+s"),
            (0o755, "g+s,o-rx"),
            (0o640, "a+X"),
            (0o644, "u=rw,go="),
            (0o4755, "-x"),
            (0o600, "ug=rw,o=r"),
            (0o777, "go-w"),
            (0o755, "o+t"),
        ] {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let status = std::process::Command::new("chmod").arg("--").arg(text).arg(file.path()).status();
            assert!(status.expect("chmod is missing: install coreutils").success());
            let real = file.path().metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(change_mode(mode, text, false), Some(real), "{mode:o} {text}");
        }
        assert_eq!(change_mode(0, "z+q", false), None);
        assert_eq!(change_mode(0, "99", false), None);
    }
}
