//! The boot loader itself: `loader.conf` and systemd-boot's programs.
//!
//! `loader/random-seed` is the loader's and the kernel's alone and is never written.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::entry::compare_versions;
use crate::esp::EspPath;

/// Where `loader.conf` stands.
pub const LOADER_CONF: &str = "loader/loader.conf";
/// Where entries stand.
pub const ENTRIES: &str = "loader/entries";
/// The mark in a systemd-boot program that names its version.
const MARK_START: &[u8] = b"#### LoaderInfo: ";
const MARK_END: &[u8] = b" ####";

/// How long the menu waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MenuTimeout {
    /// This many seconds; 0 boots the default at once.
    Seconds(u32),
    /// Until a key is pressed.
    Forever,
}

/// Whether the kernel's command line may be edited in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editor {
    /// It may; whoever sits there can become root.
    Allowed,
    /// It may not.
    Forbidden,
}

/// The settings of `loader.conf` besides the default entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderSettings {
    /// How long the menu waits.
    pub timeout: MenuTimeout,
    /// Whether the command line may be edited.
    pub editor: Editor,
    /// `keep`, `auto`, `max` or a mode's number.
    pub console_mode: String,
}

impl LoaderSettings {
    /// The text of `loader.conf` with this default.
    #[must_use]
    pub fn render(&self, default: &str) -> String {
        let timeout = match self.timeout {
            MenuTimeout::Seconds(seconds) => seconds.to_string(),
            MenuTimeout::Forever => "menu-force".to_owned(),
        };
        let editor = if self.editor == Editor::Allowed { "yes" } else { "no" };
        let console_mode = &self.console_mode;
        format!("default {default}\ntimeout {timeout}\neditor {editor}\nconsole-mode {console_mode}\n")
    }
}

/// The value of the last `default` line.
#[must_use]
pub fn parse_default(loader_conf: &str) -> Option<String> {
    let value = |line: &str| {
        line.trim().split_once([' ', '\t']).map(|(field, value)| (field.to_owned(), value.trim().to_owned()))
    };
    loader_conf.lines().filter_map(value).filter(|(field, _)| field == "default").map(|(_, value)| value).next_back()
}

/// A machine's architecture as firmware names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86_64.
    X64,
    /// aarch64.
    Aa64,
}

impl Architecture {
    /// From a Nix system (`x86_64-linux`); nothing if Esker does not boot it.
    #[must_use]
    pub fn from_system(system: &str) -> Option<Self> {
        match system {
            "x86_64-linux" => Some(Architecture::X64),
            "aarch64-linux" => Some(Architecture::Aa64),
            _ => None,
        }
    }

    /// Where the firmware looks on a disk it knows nothing about.
    #[must_use]
    pub fn fallback_path(self) -> EspPath {
        EspPath::new(match self {
            Architecture::X64 => "EFI/BOOT/BOOTX64.EFI",
            Architecture::Aa64 => "EFI/BOOT/BOOTAA64.EFI",
        })
    }

    /// Where systemd-boot lives under its own name.
    #[must_use]
    pub fn systemd_boot_path(self) -> EspPath {
        EspPath::new(match self {
            Architecture::X64 => "EFI/systemd/systemd-bootx64.efi",
            Architecture::Aa64 => "EFI/systemd/systemd-bootaa64.efi",
        })
    }
}

/// What is known about an EFI program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// `systemd-boot` and its version; nothing if it is another program.
    pub systemd_boot: Option<String>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Its length.
    pub size_bytes: u64,
}

impl Program {
    /// Looks at a program's bytes.
    #[must_use]
    pub fn inspect(bytes: &[u8]) -> Self {
        let find = |from: usize, what: &[u8]| bytes[from..].windows(what.len()).position(|part| part == what);
        let mark = find(0, MARK_START).and_then(|start| {
            let start = start + MARK_START.len();
            let length = find(start, MARK_END)?;
            String::from_utf8(bytes[start..start + length].to_vec()).ok()
        });
        let systemd_boot = mark.and_then(|mark| mark.strip_prefix("systemd-boot ").map(str::to_owned));
        Program { systemd_boot, digest: Sha256::digest(bytes).into(), size_bytes: bytes.len() as u64 }
    }

    /// Whether `self`, already on the ESP, should give way to `new`: it is an older or differing systemd-boot. Another
    /// program is kept, and so is a newer one.
    #[must_use]
    pub fn gives_way_to(&self, new: &Program) -> bool {
        match (&self.systemd_boot, &new.systemd_boot) {
            (Some(present), Some(wanted)) => self.digest != new.digest && compare_versions(present, wanted).is_le(),
            (Some(_), None) => self.digest != new.digest,
            (None, _) => false,
        }
    }
}

/// The systemd-boot to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemdBoot {
    /// For which machines.
    pub architecture: Architecture,
    /// Its file on this host.
    pub source: PathBuf,
    /// What it is.
    pub program: Program,
}

/// The program could not be read.
#[derive(Debug, Error)]
#[error("cannot read systemd-boot")]
pub struct LoaderError(#[source] std::io::Error);

impl SystemdBoot {
    /// Reads the program at a path of this host.
    ///
    /// Errors when it cannot be read.
    pub fn load(architecture: Architecture, source: &Path) -> Result<Self, LoaderError> {
        let bytes = fs_err::read(source).map_err(LoaderError)?;
        Ok(SystemdBoot { architecture, source: source.to_owned(), program: Program::inspect(&bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Editor, LoaderSettings, MenuTimeout, Program, parse_default};

    fn program(version: &str) -> Program {
        Program::inspect(format!("MZ..#### LoaderInfo: {version} ####..").as_bytes())
    }

    #[test]
    fn loader_conf_round_trips_its_default() {
        let mut settings = LoaderSettings {
            timeout: MenuTimeout::Seconds(5),
            editor: Editor::Forbidden,
            console_mode: "keep".to_owned(),
        };
        let text = settings.render("esker-3.conf");
        assert_eq!(text, "default esker-3.conf\ntimeout 5\neditor no\nconsole-mode keep\n");
        assert_eq!(parse_default(&text).as_deref(), Some("esker-3.conf"));
        settings.timeout = MenuTimeout::Forever;
        assert!(settings.render("x").contains("timeout menu-force\n"));
        assert_eq!(parse_default("#default a\ntimeout 3\n"), None);
        assert_eq!(parse_default("default  a.conf \ndefault\tb.conf\n").as_deref(), Some("b.conf"));
    }

    #[test]
    fn an_older_systemd_boot_gives_way_and_nothing_else() {
        let (old, new) = (program("systemd-boot 257.8-1"), program("systemd-boot 257.10-1"));
        assert_eq!(old.systemd_boot.as_deref(), Some("257.8-1"));
        assert!(old.gives_way_to(&new));
        assert!(!new.gives_way_to(&old));
        assert!(!new.gives_way_to(&new));
        assert!(!Program::inspect(b"MZ windows").gives_way_to(&new));
        assert!(!program("systemd-stub 257").gives_way_to(&new));
    }
}
