//! What a toplevel tells activation: `activation.json` and where its parts are. Reads only; the /etc manifest and the
//! accounts have modules of their own. The structs here are the contract with the modules that write these files.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::root::Root;
use crate::wrappers::Wrapper;

/// The version of `activation.json` that this program reads.
pub const ACTIVATION_VERSION: u32 = 1;

/// Why a toplevel cannot be activated.
#[derive(Debug, thiserror::Error)]
pub enum ToplevelError {
    /// A file of the toplevel is missing or unreadable; the path stands in the source.
    #[error("`{}` is not a complete toplevel", toplevel.display())]
    Read {
        /// The toplevel.
        toplevel: PathBuf,
        /// What could not be read.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON that the contract asks for.
    #[error("`{}` is not valid", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Made by a newer Esker.
    #[error("`{}` has version {found}, this program reads version {ACTIVATION_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u32,
    },
}

/// `<toplevel>/activation.json`. Field names are camelCase in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationConfig {
    /// [`ACTIVATION_VERSION`].
    pub version: u32,
    /// The static host name; empty leaves the kernel's.
    #[serde(default)]
    pub host_name: String,
    /// NixOS's `users.mutableUsers`: whether `passwd`, `useradd` and the like have a lasting effect.
    #[serde(default = "yes")]
    pub mutable_users: bool,
    /// Paths kept across boots. Stage 1 makes and mounts them; activation gives new ones their named owners.
    #[serde(default)]
    pub persistence: Vec<PersistedPath>,
    /// NixOS's `security.wrappers`.
    #[serde(default)]
    pub wrappers: Vec<Wrapper>,
    /// Where the persisted account files and the machine-id are kept, in `etc/` below it.
    #[serde(default = "default_state_directory")]
    pub state_directory: PathBuf,
    /// The mount point whose partition and filesystem grow at boot to the end of their disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grow: Option<PathBuf>,
}

/// One persisted path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersistedPath {
    /// Absolute, as the system sees it.
    pub path: PathBuf,
    /// What is there.
    pub kind: PersistedKind,
    /// Mode of a new one as octal text (`"0755"`); absent leaves what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Name of a new one's owner; absent means root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of a new one's group; absent means root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The owner's home: folders between it and the path are the owner's, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
}

/// Kind of a [`PersistedPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PersistedKind {
    /// A directory and all below it.
    Directory,
    /// One file.
    File,
}

/// Permission bits, written as octal text in JSON (`"0644"`, `"4755"`), because JSON has no octal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode(pub u32);

impl Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:04o}", self.0))
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if bits <= 0o7777 => Ok(Self(bits)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is not an octal mode such as `0644`"))),
        }
    }
}

/// A toplevel on this machine and its `activation.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toplevel {
    /// Target path, links not followed: what `/run/current-system` will point to.
    pub path: PathBuf,
    /// Target path of the directory that `/etc/static` shows, inside the store.
    pub static_etc: PathBuf,
    /// The parsed `activation.json`.
    pub config: ActivationConfig,
}

impl Toplevel {
    /// Reads a toplevel. `path` is a target path and may be a profile link; what is kept is the store path behind it.
    /// Errors when a file is missing or not of the contract.
    pub fn load(root: &Root, path: &Path) -> Result<Self, ToplevelError> {
        let broken = |source| ToplevelError::Read { toplevel: path.to_owned(), source };
        let store_path = root.resolve_target(path).map_err(broken)?;
        let config_path = store_path.join("activation.json");
        let config: ActivationConfig = load_json(root, path, &config_path)?;
        if config.version != ACTIVATION_VERSION {
            return Err(ToplevelError::Version { path: config_path, found: config.version });
        }
        let static_etc = root.resolve_target(store_path.join("etc")).map_err(broken)?;
        Ok(Self { path: store_path, static_etc, config })
    }

    /// Reads a file that lies beside the `etc` tree: `manifest.json` or `accounts.json`.
    pub(crate) fn load_beside_etc<T>(&self, root: &Root, name: &str) -> Result<T, ToplevelError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let directory = self.static_etc.parent().unwrap_or(Path::new("/"));
        load_json(root, &self.path, &directory.join(name))
    }
}

fn load_json<T>(root: &Root, toplevel: &Path, target_path: &Path) -> Result<T, ToplevelError>
where
    T: for<'de> Deserialize<'de>,
{
    let broken = |source| ToplevelError::Read { toplevel: toplevel.to_owned(), source };
    let host_path = root.resolve(target_path).map_err(broken)?;
    let bytes = fs::read(host_path).map_err(broken)?;
    serde_json::from_slice(&bytes).map_err(|source| ToplevelError::Parse { path: target_path.to_owned(), source })
}

fn yes() -> bool {
    true
}

fn default_state_directory() -> PathBuf {
    PathBuf::from("/nix/persist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_activation_json_has_the_documented_defaults() {
        let config: ActivationConfig = serde_json::from_str(r#"{"version":1}"#).unwrap();
        assert!(config.mutable_users);
        assert_eq!(config.state_directory, Path::new("/nix/persist"));
        assert_eq!(config.host_name, "");
    }

    #[test]
    fn modes_are_octal_text() {
        let path: PersistedPath = serde_json::from_str(r#"{"path":"/srv","kind":"directory","mode":"1777"}"#).unwrap();
        assert_eq!(path.mode, Some(Mode(0o1777)));
        assert_eq!(serde_json::to_string(&Mode(0o755)).unwrap(), r#""0755""#);
        let error = serde_json::from_str::<Mode>(r#""rwx""#).unwrap_err().to_string();
        assert!(error.contains("`rwx` is not an octal mode"), "{error}");
        assert!(serde_json::from_str::<Mode>(r#""17777""#).is_err());
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        std::fs::create_dir_all(root.path("/nix/store/t/etc")).unwrap();
        std::fs::write(root.path("/nix/store/t/activation.json"), r#"{"version":9}"#).unwrap();
        let error = Toplevel::load(&root, Path::new("/nix/store/t")).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "`/nix/store/t/activation.json` has version 9, this program reads version 1");
    }
}
