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
    let mode = permissions.mode.as_deref().map(|mode| parse_mode(mode, path)).transpose()?;
    let capabilities = match permissions.capabilities.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(
            parse_capabilities(text)
                .map_err(|source| ViewError::Capabilities { path: path.to_owned(), source })?,
        )),
    };
    let Some(entry) = plan.entries.get_mut(&resolved) else { return Ok(()) };
    entry.mode = mode.unwrap_or(entry.mode);
    entry.uid = permissions.user.as_deref().map_or(entry.uid, |name| ids.user(name));
    entry.gid = permissions.group.as_deref().map_or(entry.gid, |name| ids.group(name));
    if let (EntryKind::File(source), Some(capabilities)) = (&mut entry.kind, capabilities) {
        source.capabilities = capabilities;
    }
    Ok(())
}

/// An octal mode.
pub(crate) fn parse_mode(mode: &str, path: &str) -> Result<u32, ViewError> {
    let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o7777);
    bits.ok_or_else(|| ViewError::Mode { mode: mode.to_owned(), path: path.to_owned() })
}
