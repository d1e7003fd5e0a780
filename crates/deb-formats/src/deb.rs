//! Reads a binary package (`.deb`): an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.
//!
//! Streams: the data archive is never held in memory, and members arrive in archive order. Nothing is written; unpacking is
//! the caller's. Member paths come out relative, without `./`, and never climb out of the package.
//!
//! Source: deb(5), deb-split(7) (not supported), tar(5).

use std::io::{self, Read};

use thiserror::Error;

/// Why a `.deb` could not be read.
#[derive(Debug, Error)]
pub enum DebError {
    /// The stream ended or failed, or a compressed member is damaged.
    #[error("cannot read {member} of the package")]
    Read {
        /// The ar member being read.
        member: String,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The ar members are not those of a binary package, in the order deb(5) demands.
    #[error("not a binary package: expected {expected}, found {found}")]
    Structure {
        /// The member that had to come next.
        expected: &'static str,
        /// What came instead.
        found: String,
    },
    /// A format version this reader does not know.
    #[error("binary package format `{version}` is not supported (2.x is)")]
    FormatVersion {
        /// The content of `debian-binary`.
        version: String,
    },
    /// A member compressed in an unknown way.
    #[error("`{member}` is compressed in a way that is not supported (xz, zstd, gzip and none are)")]
    Compression {
        /// The ar member's name.
        member: String,
    },
    /// A tar member that no package may have.
    #[error("the data archive holds `{path}`, {problem}")]
    Member {
        /// The member's name as it stands in the archive.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// What kind of file a tar member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file; its bytes are the content.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target verbatim.
    Symlink(String),
    /// A second name of an earlier member, whose package-relative path this holds.
    HardLink(String),
    /// A character device with its major and minor number.
    CharacterDevice(u32, u32),
    /// A block device with its major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// What the tar header says about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Relative to the package's root, without `./` and without a trailing slash; empty for the root itself.
    pub path: String,
    /// What it is.
    pub kind: MemberKind,
    /// Permission bits with setuid, setgid and sticky (07777).
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Owner's name; may be empty.
    pub user: String,
    /// Group's name; may be empty.
    pub group: String,
    /// Modification time, in seconds since the epoch.
    pub mtime: u64,
    /// Length of the content in bytes; 0 for all but regular files.
    pub size: u64,
    /// Extended attributes (`SCHILY.xattr.*` records), sorted by name.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// One file of the control archive (`control`, `postinst`, `md5sums`, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlMember {
    /// The file's name, without directories.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// The file's bytes.
    pub content: Vec<u8>,
}

/// A binary package being read: first [`DebReader::control`], then [`DebReader::data`].
pub struct DebReader<R: Read> {
    archive: ar::Archive<R>,
}

impl<R: Read> DebReader<R> {
    /// Starts reading a package; nothing is read yet.
    pub fn new(reader: R) -> Self {
        Self { archive: ar::Archive::new(reader) }
    }

    /// Reads the control archive, sorted by name. Errors when the stream is no binary package of format 2.
    pub fn control(&mut self) -> Result<Vec<ControlMember>, DebError> {
        let version = self.with_member("debian-binary", |_, content| {
            let mut text = String::new();
            content.read_to_string(&mut text).map_err(read_error("debian-binary"))?;
            Ok(text)
        })?;
        if !version.starts_with("2.") {
            return Err(DebError::FormatVersion { version: version.trim_end().to_owned() });
        }
        let mut members = self.with_member("control.tar", |name, content| {
            let mut members = Vec::new();
            walk_tar(name, content, &mut |member, content| {
                if member.kind == MemberKind::File {
                    let mut bytes = Vec::new();
                    content.read_to_end(&mut bytes).map_err(read_error(name))?;
                    members.push(ControlMember { name: member.path, mode: member.mode, content: bytes });
                }
                Ok::<_, DebError>(())
            })?;
            Ok(members)
        })?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(members)
    }

    /// Hands every member of the data archive, in archive order, to `visit` with a reader over its content. What `visit`
    /// leaves unread is skipped. Must follow [`DebReader::control`]. Errors when the archive is damaged or holds a path that
    /// climbs out of the package, or when `visit` errors.
    pub fn data<E: From<DebError>>(
        mut self,
        mut visit: impl FnMut(Member, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        self.with_member("data.tar", |name, content| walk_tar(name, content, &mut visit))
    }

    /// Reads the next ar member, whose name without the compression's suffix must be `expected`. Members whose name starts
    /// with `_` are skipped, as deb(5) reserves them.
    fn with_member<T, E: From<DebError>>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&str, &mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        while let Some(entry) = self.archive.next_entry() {
            let mut entry = entry.map_err(read_error(expected))?;
            let name = String::from_utf8_lossy(entry.header().identifier()).trim_end_matches('/').to_owned();
            if name.starts_with('_') {
                continue;
            }
            if name != expected && name.strip_prefix(expected).is_none_or(|rest| !rest.starts_with('.')) {
                return Err(DebError::Structure { expected, found: format!("`{name}`") }.into());
            }
            let compression = name.strip_prefix(expected).unwrap_or("");
            let mut decoder = decompress(compression, &mut entry, &name)?;
            return read(&name, &mut *decoder);
        }
        Err(DebError::Structure { expected, found: "the end of the file".to_owned() }.into())
    }
}

/// Picks the decoder by the member's suffix.
fn decompress<'a>(suffix: &str, reader: &'a mut dyn Read, member: &str) -> Result<Box<dyn Read + 'a>, DebError> {
    Ok(match suffix {
        "" => Box::new(reader),
        ".xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(reader)),
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        ".zst" => Box::new(zstd::stream::read::Decoder::new(reader).map_err(read_error(member))?),
        _ => {
            return Err(DebError::Compression { member: member.to_owned() });
        }
    })
}

fn walk_tar<E: From<DebError>>(
    archive_name: &str,
    reader: &mut dyn Read,
    visit: &mut dyn FnMut(Member, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(read_error(archive_name))? {
        let mut entry = entry.map_err(read_error(archive_name))?;
        let member = read_member(archive_name, &mut entry)?;
        visit(member, &mut entry)?;
    }
    // The tar ends before its compressed stream does; only reading to the very end checks the stream's own checksum.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(read_error(archive_name))?;
    Ok(())
}

fn read_member<R: Read>(archive_name: &str, entry: &mut tar::Entry<'_, R>) -> Result<Member, DebError> {
    let raw_path = entry.path_bytes().into_owned();
    let path = package_relative(&raw_path)?;
    let kind = member_kind(archive_name, entry, &path)?;
    let header = entry.header();
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let mut member = Member {
        size: if kind == MemberKind::File { entry.size() } else { 0 },
        path,
        kind,
        mode: header.mode().map_err(read_error(archive_name))? & 0o7777,
        uid: header.uid().map_err(read_error(archive_name))?,
        gid: header.gid().map_err(read_error(archive_name))?,
        user: text(header.username_bytes()),
        group: text(header.groupname_bytes()),
        mtime: header.mtime().map_err(read_error(archive_name))?,
        xattrs: Vec::new(),
    };
    if let Some(extensions) = entry.pax_extensions().map_err(read_error(archive_name))? {
        for extension in extensions {
            let extension = extension.map_err(read_error(archive_name))?;
            if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr.")) {
                member.xattrs.push((name.to_owned(), extension.value_bytes().to_vec()));
            }
        }
    }
    member.xattrs.sort();
    Ok(member)
}

fn member_kind<R: Read>(archive_name: &str, entry: &tar::Entry<'_, R>, path: &str) -> Result<MemberKind, DebError> {
    use tar::EntryType;
    let header = entry.header();
    let link = || -> Result<Vec<u8>, DebError> {
        let target = entry.link_name_bytes();
        Ok(target.ok_or(DebError::Member { path: path.to_owned(), problem: "a link without a target" })?.into_owned())
    };
    let device = || -> Result<(u32, u32), DebError> {
        let major = header.device_major().map_err(read_error(archive_name))?.unwrap_or(0);
        let minor = header.device_minor().map_err(read_error(archive_name))?.unwrap_or(0);
        Ok((major, minor))
    };
    Ok(match header.entry_type() {
        EntryType::Regular | EntryType::Continuous => MemberKind::File,
        EntryType::Directory => MemberKind::Directory,
        EntryType::Symlink => MemberKind::Symlink(utf8(link()?)?),
        EntryType::Link => MemberKind::HardLink(package_relative(&link()?)?),
        EntryType::Char => device().map(|(major, minor)| MemberKind::CharacterDevice(major, minor))?,
        EntryType::Block => device().map(|(major, minor)| MemberKind::BlockDevice(major, minor))?,
        EntryType::Fifo => MemberKind::Fifo,
        _ => {
            return Err(DebError::Member { path: path.to_owned(), problem: "whose type no package may have" });
        }
    })
}

/// `./usr/bin/x` → `usr/bin/x`. Errors when the name is absolute, climbs with `..` or is not UTF-8 (which Policy 10.10 demands).
fn package_relative(raw: &[u8]) -> Result<String, DebError> {
    let name = utf8(raw.to_vec())?;
    let mut path = String::with_capacity(name.len());
    for (position, component) in name.split('/').enumerate() {
        match component {
            "" if position == 0 && !name.is_empty() => {
                return Err(DebError::Member { path: name, problem: "an absolute path" });
            }
            "" | "." => {}
            ".." => {
                return Err(DebError::Member { path: name, problem: "a path that leaves the package" });
            }
            component => {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(component);
            }
        }
    }
    Ok(path)
}

fn utf8(bytes: Vec<u8>) -> Result<String, DebError> {
    String::from_utf8(bytes).map_err(|error| DebError::Member {
        path: String::from_utf8_lossy(error.as_bytes()).into_owned(),
        problem: "a name that is not UTF-8",
    })
}

fn read_error(member: &str) -> impl Fn(io::Error) -> DebError + '_ {
    move |source| DebError::Read { member: member.to_owned(), source }
}

#[cfg(test)]
mod tests;
