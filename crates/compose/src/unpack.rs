//! `.deb` → package path: the data archive unmodified, links in `bin/` and `sbin/`, and `DEBIAN/` beside them.
//!
//! The result is a function of the .deb's bytes and of [`FORMAT`] alone. Content is copied byte for byte, hard links stay
//! hard links; owners, setuid bits and devices live only in `DEBIAN/manifest` (see [`crate::manifest`]). Nothing of the
//! package is run, and no store is touched: the destination is a fresh directory the caller owns.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use deb_formats::deb::{self, DebReader};
use thiserror::Error;

use crate::manifest::{Member, MemberKind, render_manifest};

/// Number of the unpack format. A change of anything below makes it another one, so that store paths change too.
pub const FORMAT: u32 = 1;

/// Why a package could not be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// The archive is damaged, or holds what no package may.
    #[error("the package is damaged")]
    Deb(#[from] deb::DebError),
    /// A write failed.
    #[error("cannot write `{path}`")]
    Write {
        /// The file being made.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A member lies beneath a symbolic link of the same package, so writing it would leave the destination.
    #[error("the package puts `{path}` beneath its own symbolic link `{link}`")]
    BeneathLink {
        /// The member.
        path: String,
        /// The link above it.
        link: String,
    },
    /// A member's name is one this format needs itself.
    #[error("the package holds `{path}`, a name reserved for control data")]
    Reserved {
        /// The member.
        path: String,
    },
}

/// Unpacks a package into `destination`, which must not exist or be an empty directory. Returns the number of members.
///
/// # Errors
/// When the archive is damaged or unsafe, or a write fails; what was written so far stays for the caller to remove.
pub fn unpack_deb(package: impl Read, destination: &Path) -> Result<usize, UnpackError> {
    let control_dir = destination.join("DEBIAN");
    make_directories(&control_dir)?;
    let mut reader = DebReader::new(package);
    for member in reader.control()? {
        write_file(&control_dir.join(&member.name), member.mode, &mut member.content.as_slice())?;
    }
    let mut unpacker = Unpacker { destination, members: Vec::new(), symlinks: BTreeSet::new() };
    reader.data(|member, content| unpacker.member(member, content))?;
    let mut members = unpacker.members;
    members.sort_by(|a, b| a.path.cmp(&b.path));
    link_programs(destination, &members)?;
    write_file(&control_dir.join("manifest"), 0o644, &mut render_manifest(&members).as_bytes())?;
    Ok(members.len())
}

struct Unpacker<'a> {
    destination: &'a Path,
    members: Vec<Member>,
    symlinks: BTreeSet<String>,
}

impl Unpacker<'_> {
    fn member(&mut self, member: deb::Member, content: &mut dyn Read) -> Result<(), UnpackError> {
        self.check_place(&member.path)?;
        let path = self.destination.join(&member.path);
        let failed = |source| UnpackError::Write { path: path.clone(), source };
        if let Some(parent) = path.parent().filter(|_| member.kind != deb::MemberKind::Directory) {
            make_directories(parent)?;
        }
        match &member.kind {
            deb::MemberKind::Directory => make_directories(&path)?,
            deb::MemberKind::File => write_file(&path, member.mode, content)?,
            deb::MemberKind::Symlink(target) => {
                symlink(target, &path).map_err(failed)?;
                self.symlinks.insert(member.path.clone());
            }
            deb::MemberKind::HardLink(first) => {
                std::fs::hard_link(self.destination.join(first), &path).map_err(failed)?;
            }
            // A store path cannot hold these; the manifest still tells of them.
            deb::MemberKind::CharacterDevice(..) | deb::MemberKind::BlockDevice(..) | deb::MemberKind::Fifo => {}
        }
        if !member.path.is_empty() {
            self.members.push(manifest_member(member));
        }
        Ok(())
    }

    fn check_place(&self, path: &str) -> Result<(), UnpackError> {
        if path == "DEBIAN" || path.starts_with("DEBIAN/") {
            return Err(UnpackError::Reserved { path: path.to_owned() });
        }
        let above = path.match_indices('/').map(|(slash, _)| &path[..slash]).find(|dir| self.symlinks.contains(*dir));
        match above {
            Some(link) => Err(UnpackError::BeneathLink { path: path.to_owned(), link: link.to_owned() }),
            None => Ok(()),
        }
    }
}

fn manifest_member(member: deb::Member) -> Member {
    use deb::MemberKind as Kind;
    let (kind, link) = match member.kind {
        Kind::File => (MemberKind::File, String::new()),
        Kind::Directory => (MemberKind::Directory, String::new()),
        Kind::Symlink(target) => (MemberKind::Symlink, target),
        Kind::HardLink(first) => (MemberKind::HardLink, first),
        Kind::CharacterDevice(major, minor) => (MemberKind::CharacterDevice, format!("{major}:{minor}")),
        Kind::BlockDevice(major, minor) => (MemberKind::BlockDevice, format!("{major}:{minor}")),
        Kind::Fifo => (MemberKind::Fifo, String::new()),
    };
    Member {
        kind,
        mode: member.mode,
        uid: u32::try_from(member.uid).unwrap_or(u32::MAX),
        gid: u32::try_from(member.gid).unwrap_or(u32::MAX),
        user: member.user,
        group: member.group,
        size_bytes: member.size,
        mtime: member.mtime,
        path: member.path,
        link,
    }
}

/// `bin/X` → `/usr/bin/X`, so that `${pkgs.bash}/bin/bash` runs the program in its view rather than outside of one.
fn link_programs(destination: &Path, members: &[Member]) -> Result<(), UnpackError> {
    for member in members {
        if member.kind == MemberKind::Directory {
            continue;
        }
        for folder in ["bin", "sbin"] {
            let program = member.path.strip_prefix("usr/").and_then(|path| path.strip_prefix(folder));
            let Some(name) = program.and_then(|path| path.strip_prefix('/')).filter(|name| !name.contains('/')) else {
                continue;
            };
            let link = destination.join(folder).join(name);
            if link.symlink_metadata().is_ok() {
                continue;
            }
            make_directories(&destination.join(folder))?;
            symlink(format!("/usr/{folder}/{name}"), &link)
                .map_err(|source| UnpackError::Write { path: link.clone(), source })?;
        }
    }
    Ok(())
}

fn make_directories(path: &Path) -> Result<(), UnpackError> {
    std::fs::create_dir_all(path).map_err(|source| UnpackError::Write { path: path.to_owned(), source })
}

/// Writes a file that must not exist. Only the owner's executable bit of `mode` counts, as in a NAR.
fn write_file(path: &Path, mode: u32, content: &mut dyn Read) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Write { path: path.to_owned(), source };
    let mode = if mode & 0o100 != 0 { 0o755 } else { 0o644 };
    let file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    let mut writer = BufWriter::with_capacity(64 * 1024, file);
    io::copy(content, &mut writer).map_err(failed)?;
    writer.flush().map_err(failed)
}
