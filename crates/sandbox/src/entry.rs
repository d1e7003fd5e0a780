//! What a sandbox's root filesystem consists of: one value per mount, file, link or directory.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ForeignMachine;
use crate::foreign::FOREIGN_PROGRAMS;

/// Whether something can be changed from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can be read only.
    ReadOnly,
    /// It can be written as far as the file permissions go.
    Writable,
}

/// One thing in the sandbox's root filesystem. All targets are absolute paths inside; missing directories on the
/// way are made. No target may lead through an absolute symlink made by an earlier entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file or directory of the host, with all mounts below it.
    Bind {
        /// Its path on the host; symlinks are followed.
        source: PathBuf,
        /// Where it appears.
        target: PathBuf,
        /// Whether it can be changed.
        access: Access,
    },
    /// A device of the host, at the same path.
    Device {
        /// Its path, like `/dev/null`.
        path: PathBuf,
    },
    /// An empty filesystem in memory.
    Tmpfs {
        /// Where.
        target: PathBuf,
        /// Permission bits of its root.
        mode: u32,
        /// How much it may hold; `None`: half of the memory, the kernel's default.
        size_bytes: Option<u64>,
    },
    /// The process information of the sandbox's own PID namespace. Inside, /proc/sys cannot be changed.
    Proc,
    /// New pseudo-terminals at /dev/pts and /dev/ptmx, unrelated to the host's.
    PseudoTerminals,
    /// An empty directory.
    Directory {
        /// Its path.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A symlink.
    Symlink {
        /// Its path.
        path: PathBuf,
        /// What it says; need not exist.
        target: PathBuf,
    },
    /// Programs of another architecture run, by an emulator. Must come after `Proc`.
    ForeignPrograms {
        /// Whose.
        machine: ForeignMachine,
        /// The emulator's statically linked program on the host.
        emulator: PathBuf,
    },
    /// A regular file with this content.
    File {
        /// Its path.
        path: PathBuf,
        /// Its content.
        text: String,
        /// Permission bits.
        mode: u32,
    },
}

impl Entry {
    /// A read-only bind mount of a host path at the same path.
    pub fn read_only(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::Bind { source: path.clone(), target: path, access: Access::ReadOnly }
    }

    /// A writable bind mount of a host path at the same path.
    pub fn writable(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::Bind { source: path.clone(), target: path, access: Access::Writable }
    }

    /// Whether /proc works inside because of this entry.
    pub(crate) fn provides_proc(&self) -> bool {
        match self {
            Self::Proc => true,
            Self::Bind { target, .. } => target == Path::new("/proc"),
            _ => false,
        }
    }

    /// One line that says what this entry does, as `--debug` and errors print it.
    pub fn describe(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { source, target, access } => {
                let how = match access {
                    Access::ReadOnly => "ro",
                    Access::Writable => "rw",
                };
                if source == target {
                    write!(out, "bind {how} {}", target.display())
                } else {
                    write!(out, "bind {how} {} <- {}", target.display(), source.display())
                }
            }
            Self::Device { path } => write!(out, "device {}", path.display()),
            Self::Tmpfs { target, mode, size_bytes } => {
                write!(out, "tmpfs {} mode {mode:04o}", target.display())?;
                match size_bytes {
                    Some(size) => write!(out, ", at most {size} bytes"),
                    None => Ok(()),
                }
            }
            Self::Proc => out.write_str("proc /proc"),
            Self::PseudoTerminals => out.write_str("devpts /dev/pts"),
            Self::Directory { path, mode } => {
                write!(out, "directory {} mode {mode:04o}", path.display())
            }
            Self::Symlink { path, target } => {
                write!(out, "symlink {} -> {}", path.display(), target.display())
            }
            Self::ForeignPrograms { machine, emulator } => {
                write!(out, "{FOREIGN_PROGRAMS} {} by {}", machine.name(), emulator.display())
            }
            Self::File { path, text, mode } => {
                write!(out, "file {} mode {mode:04o}, {} bytes", path.display(), text.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_each_kind_in_one_line() {
        let bind = Entry::Bind { source: "/host/usr".into(), target: "/usr".into(), access: Access::ReadOnly };
        assert_eq!(bind.describe(), "bind ro /usr <- /host/usr");
        assert_eq!(Entry::writable("/build").describe(), "bind rw /build");
        let tmp = Entry::Tmpfs { target: "/tmp".into(), mode: 0o1777, size_bytes: Some(4096) };
        assert_eq!(tmp.describe(), "tmpfs /tmp mode 1777, at most 4096 bytes");
        let link = Entry::Symlink { path: "/bin".into(), target: "usr/bin".into() };
        assert_eq!(link.describe(), "symlink /bin -> usr/bin");
    }
}
