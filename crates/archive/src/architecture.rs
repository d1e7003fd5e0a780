//! The two architectures Esker builds for, in Debian's and in Nix's spelling.

use std::fmt;

/// An architecture of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// x86_64
    Amd64,
    /// aarch64
    Arm64,
}

impl Architecture {
    /// Every architecture, in the order of the lock.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// Debian's name: `amd64` or `arm64`.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Nix's system double: `x86_64-linux` or `aarch64-linux`.
    pub const fn system(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux",
            Self::Arm64 => "aarch64-linux",
        }
    }

    /// Finds an architecture by either spelling.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| name == architecture.debian() || name == architecture.system())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.debian())
    }
}
