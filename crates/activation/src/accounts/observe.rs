//! What the machine has of users and groups: the live files, or at boot (when /etc is still empty) the persisted ones,
//! and what earlier activations remember. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::database::{Entry, GroupEntry, GshadowEntry, PasswdEntry, ShadowEntry, SubIdEntry, parse_entries};
use super::spec::AccountsSpec;
use crate::root::{Ownership, Root, read_if_present};

/// What activations remember of each other, at `<stateDirectory>/esker/accounts.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountsState {
    /// Every user's id, of those that are gone too: a new user never gets an old one's files.
    pub uids: BTreeMap<String, u32>,
    /// The same for groups.
    pub gids: BTreeMap<String, u32>,
    /// First id of each automatic subordinate range.
    pub sub_ids: BTreeMap<String, u32>,
    /// Users that the last activation declared.
    pub declared_users: BTreeSet<String>,
    /// Groups that the last activation declared.
    pub declared_groups: BTreeSet<String>,
}

/// What is at a declared home directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HomeFound {
    /// A directory.
    Directory(Ownership),
    /// Something else, which is left alone: following a link as root would hand out another directory.
    Other,
}

/// Everything that planning accounts needs to know of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedAccounts {
    /// /etc/passwd.
    pub passwd: Vec<PasswdEntry>,
    /// /etc/shadow.
    pub shadow: Vec<ShadowEntry>,
    /// /etc/group.
    pub group: Vec<GroupEntry>,
    /// /etc/gshadow.
    pub gshadow: Vec<GshadowEntry>,
    /// /etc/subuid.
    pub subuid: Vec<SubIdEntry>,
    /// /etc/subgid.
    pub subgid: Vec<SubIdEntry>,
    /// What earlier activations remember.
    pub state: AccountsState,
    /// First line of each declared `hashedPasswordFile` that could be read.
    pub password_files: BTreeMap<PathBuf, String>,
    /// What was odd about what was read.
    pub warnings: Vec<String>,
    pub(crate) homes: BTreeMap<PathBuf, HomeFound>,
}

impl ObservedAccounts {
    /// Whether the account files say the same.
    pub(super) fn has_files_of(&self, other: &Self) -> bool {
        (&self.passwd, &self.shadow, &self.group) == (&other.passwd, &other.shadow, &other.group)
            && (&self.gshadow, &self.subuid, &self.subgid) == (&other.gshadow, &other.subuid, &other.subgid)
    }

    pub(crate) fn user(&self, name: &str) -> Option<&PasswdEntry> {
        self.passwd.iter().find(|entry| entry.name == name)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&GroupEntry> {
        self.group.iter().find(|entry| entry.name == name)
    }

    pub(crate) fn shadow(&self, name: &str) -> Option<&ShadowEntry> {
        self.shadow.iter().find(|entry| entry.name == name)
    }

    pub(crate) fn gshadow(&self, name: &str) -> Option<&GshadowEntry> {
        self.gshadow.iter().find(|entry| entry.name == name)
    }
}

/// Where activations remember accounts.
pub(crate) fn state_path(state_directory: &Path) -> PathBuf {
    state_directory.join("esker/accounts.json")
}

/// Reads accounts. Errors when something exists and cannot be read. A state file that is no JSON counts as empty and is
/// reported: the ids of living accounts are in the account files too, and a machine that boots is worth more.
pub fn observe(root: &Root, state_directory: &Path, spec: &AccountsSpec) -> io::Result<ObservedAccounts> {
    let mut warnings = Vec::new();
    let state = match read_if_present(&root.path(state_path(state_directory)))? {
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            let path = state_path(state_directory);
            warnings.push(format!("`{}` is unreadable and was begun anew: {error}", path.display()));
            AccountsState::default()
        }),
        None => AccountsState::default(),
    };
    Ok(ObservedAccounts {
        state,
        warnings,
        password_files: password_files(root, spec),
        homes: homes(root, spec)?,
        ..observe_files(root, state_directory)?
    })
}

/// The account files alone.
pub(super) fn observe_files(root: &Root, state_directory: &Path) -> io::Result<ObservedAccounts> {
    let files = Files { root, persisted: state_directory.join("etc") };
    Ok(ObservedAccounts {
        passwd: files.entries("passwd")?,
        shadow: files.entries("shadow")?,
        group: files.entries("group")?,
        gshadow: files.entries("gshadow")?,
        subuid: files.entries("subuid")?,
        subgid: files.entries("subgid")?,
        ..ObservedAccounts::default()
    })
}

struct Files<'a> {
    root: &'a Root,
    persisted: PathBuf,
}

impl Files<'_> {
    /// The live file while the system runs; at boot there is none yet.
    fn entries<E: Entry>(&self, name: &str) -> io::Result<Vec<E>> {
        let live = read_if_present(&self.root.path(Path::new("/etc").join(name)))?;
        let bytes = match live {
            Some(bytes) => Some(bytes),
            None => read_if_present(&self.root.path(self.persisted.join(name)))?,
        };
        Ok(parse_entries(&String::from_utf8_lossy(&bytes.unwrap_or_default())))
    }
}

/// A file that cannot be read is reported by the plan, which knows whose it is.
fn password_files(root: &Root, spec: &AccountsSpec) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in spec.users.iter().filter_map(|user| user.hashed_password_file.as_ref()) {
        let text = root.resolve(path).and_then(fs::read_to_string);
        if let Some(line) = text.ok().as_deref().and_then(|text| text.lines().next()) {
            found.insert(path.clone(), line.to_owned());
        }
    }
    found
}

fn homes(root: &Root, spec: &AccountsSpec) -> io::Result<BTreeMap<PathBuf, HomeFound>> {
    let mut found = BTreeMap::new();
    for user in spec.users.iter().filter(|user| user.create_home) {
        let home = PathBuf::from(&user.home);
        match fs::symlink_metadata(root.path(&home)) {
            Ok(metadata) if metadata.is_dir() => {
                let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
                found.insert(home, HomeFound::Directory(Ownership { mode, uid, gid }));
            }
            Ok(_) => drop(found.insert(home, HomeFound::Other)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
