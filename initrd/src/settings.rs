//! `/etc/esker/initrd.json`: what stage 1 knows besides the kernel's command line. The packer writes it from the
//! configuration, stage 1 reads it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the settings lie in the initrd.
pub const PATH: &str = "/etc/esker/initrd.json";

/// The version of the form that this program understands.
pub const VERSION: u32 = 1;

/// The settings of stage 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Version of this form.
    pub version: u32,
    /// Kernel modules to load whatever the hardware is, by name.
    #[serde(default)]
    pub load: Vec<String>,
    /// The filesystems that stage 1 mounts. One of them holds /nix/store. Without one for `/`, that is a tmpfs.
    #[serde(default)]
    pub filesystems: Vec<Filesystem>,
    /// The store of a system that runs from a medium, and not from the filesystems.
    #[serde(default)]
    pub live: Option<LiveStore>,
    /// What /nix/store is, of any other system.
    #[serde(default)]
    pub store: StoreKind,
    /// Where persisted paths are kept.
    #[serde(default = "default_state_directory")]
    pub state_directory: PathBuf,
    /// What happens when stage 1 fails.
    #[serde(default)]
    pub panic: FailurePolicy,
    /// How long to wait for a device, in seconds.
    #[serde(default = "default_timeout_seconds")]
    pub device_timeout_seconds: u64,
}

/// One filesystem to mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Filesystem {
    /// Where, in the system.
    pub mount_point: PathBuf,
    /// From what: a path below /dev, `LABEL=…`, `UUID=…`, `PARTUUID=…`, `PARTLABEL=…`, or for filesystems without a
    /// device the name they give it (a virtiofs tag, `tmpfs`).
    pub device: String,
    /// Its type; `auto` takes what the superblock says.
    pub fs_type: String,
    /// Options as in fstab.
    #[serde(default)]
    pub options: Vec<String>,
}

/// A store in one read-only file, an EROFS image of what else is mounted on /nix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiveStore {
    /// The medium that the file is on, named as a [`Filesystem`]'s device; without one it is in the initrd.
    pub medium: Option<String>,
    /// Where on the medium, or in the initrd.
    pub file: PathBuf,
}

/// What /nix/store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoreKind {
    /// A folder of one of the filesystems.
    #[default]
    Own,
    /// The store of a virtual machine's host, mounted on /nix/.ro-store, beneath what the machine adds.
    Shared,
}

/// What to do when the system cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailurePolicy {
    /// Restart after a moment, so that the boot menu can count the failure and choose an earlier generation.
    #[default]
    Reboot,
    /// Stop and leave the error on the screen.
    Halt,
}

fn default_state_directory() -> PathBuf {
    PathBuf::from("/nix/persist")
}

const fn default_timeout_seconds() -> u64 {
    30
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They are not JSON of this form.
    #[error("the initrd's settings cannot be read")]
    Form(#[from] serde_json::Error),
    /// They are for another program.
    #[error("the initrd's settings have version {found}, this program reads version {VERSION}")]
    Version {
        /// Their version.
        found: u32,
    },
}

impl Settings {
    /// Parses the settings' text.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_json::from_str(text)?;
        match settings.version {
            VERSION => Ok(settings),
            found => Err(SettingsError::Version { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimal_text_gets_defaults() {
        let settings = Settings::parse(r#"{"version":1}"#).unwrap();
        assert_eq!(settings.state_directory, PathBuf::from("/nix/persist"));
        assert_eq!(settings.panic, FailurePolicy::Reboot);
        assert_eq!(settings.device_timeout_seconds, 30);
        assert_eq!(settings.store, StoreKind::Own);
    }

    #[test]
    fn the_configurations_form_is_understood() {
        let text = r#"{"version":1,"load":["erofs"],"panic":"halt","store":"shared","stateDirectory":"/nix/state","live":{"medium":"LABEL=X","file":"/s"},"filesystems":
            [{"mountPoint":"/nix","device":"LABEL=esker-nix","fsType":"ext4","options":["noatime"]}]}"#;
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.panic, FailurePolicy::Halt);
        assert_eq!(settings.store, StoreKind::Shared);
        assert_eq!(settings.filesystems[0].device, "LABEL=esker-nix");
        assert_eq!(settings.live, Some(LiveStore { medium: Some("LABEL=X".into()), file: "/s".into() }));
    }

    #[test]
    fn another_version_is_refused() {
        let error = Settings::parse(r#"{"version":9}"#).unwrap_err();
        assert_eq!(error.to_string(), "the initrd's settings have version 9, this program reads version 1");
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(Settings::parse(r#"{"version":1,"filesystem":[]}"#).is_err());
    }
}
