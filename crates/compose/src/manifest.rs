//! `DEBIAN/manifest`: what the tar headers of a .deb's data archive said, kept beside the unpacked files.
//!
//! The store can hold neither owners nor setuid bits nor device nodes, so the manifest is the only place a view can
//! take them from. One line per archive member, tab separated, sorted by path:
//! `TYPE MODE UID GID USER GROUP SIZE MTIME PATH LINK`, with `\t`, `\n` and `\\` escaped (ARCHITECTURE.md, "A Debian
//! package in the store"). This module parses and renders that text; it reads no files.

use std::fmt::Write as _;

use thiserror::Error;

/// What a member of a data archive is, by its letter in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// `f`: a regular file.
    File,
    /// `d`: a directory.
    Directory,
    /// `l`: a symbolic link; `link` is its text.
    Symlink,
    /// `h`: another name of an earlier member; `link` is that member's path.
    HardLink,
    /// `c`: a character device, which no store path can hold.
    CharacterDevice,
    /// `b`: a block device.
    BlockDevice,
    /// `p`: a named pipe.
    Fifo,
}

const LETTERS: [(MemberKind, &str); 7] = [
    (MemberKind::File, "f"),
    (MemberKind::Directory, "d"),
    (MemberKind::Symlink, "l"),
    (MemberKind::HardLink, "h"),
    (MemberKind::CharacterDevice, "c"),
    (MemberKind::BlockDevice, "b"),
    (MemberKind::Fifo, "p"),
];

impl MemberKind {
    fn letter(self) -> &'static str {
        LETTERS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, letter)| letter)
    }
}

/// One member of a data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Permission bits with setuid, setgid and sticky (`& 0o7777`).
    pub mode: u32,
    /// Numeric owner in the archive; what counts when `user` is empty.
    pub uid: u32,
    /// Numeric group in the archive; what counts when `group` is empty.
    pub gid: u32,
    /// Owner's name; may be empty.
    pub user: String,
    /// Group's name; may be empty.
    pub group: String,
    /// Length in bytes of a regular file, else 0 (a hard link has its target's).
    pub size_bytes: u64,
    /// Modification time in seconds since 1970.
    pub mtime: u64,
    /// Path relative to the package's root, without `./`, a leading or a trailing slash.
    pub path: String,
    /// A symbolic link's text or a hard link's earlier path (relative like `path`); else empty.
    pub link: String,
}

/// A manifest line that does not say what it should.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ManifestError {
    /// Fewer or more fields than ten.
    #[error("line {line} of the manifest has {found} fields instead of 10")]
    Fields {
        /// 1-based line number.
        line: usize,
        /// Number of tab separated fields found.
        found: usize,
    },
    /// A field that is not what its column needs.
    #[error("line {line} of the manifest: `{text}` is no {what}")]
    Field {
        /// 1-based line number.
        line: usize,
        /// The column's meaning.
        what: &'static str,
        /// What stood there.
        text: String,
    },
}

/// Parses a manifest. The order of lines is kept.
///
/// # Errors
/// When a line has not ten fields, or one of them has no meaning.
pub fn parse_manifest(text: &str) -> Result<Vec<Member>, ManifestError> {
    text.lines().enumerate().map(|(index, line)| parse_line(index + 1, line)).collect()
}

fn parse_line(line: usize, text: &str) -> Result<Member, ManifestError> {
    let fields: Vec<&str> = text.split('\t').collect();
    let [kind, mode, uid, gid, user, group, size, mtime, path, link] = fields[..] else {
        return Err(ManifestError::Fields { line, found: fields.len() });
    };
    let wrong = |what, text: &str| ManifestError::Field { line, what, text: text.to_owned() };
    let kind = LETTERS.iter().find(|(_, letter)| *letter == kind).ok_or_else(|| wrong("member type", kind))?.0;
    Ok(Member {
        kind,
        mode: u32::from_str_radix(mode, 8).map_err(|_| wrong("octal mode", mode))?,
        uid: uid.parse().map_err(|_| wrong("user id", uid))?,
        gid: gid.parse().map_err(|_| wrong("group id", gid))?,
        user: unescape(user),
        group: unescape(group),
        size_bytes: size.parse().map_err(|_| wrong("size", size))?,
        mtime: mtime.parse().map_err(|_| wrong("time", mtime))?,
        path: unescape(path),
        link: unescape(link),
    })
}

/// Renders members in the order given; the caller sorts.
#[must_use]
pub fn render_manifest(members: &[Member]) -> String {
    let mut text = String::new();
    for m in members {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}\t{:04o}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            m.kind.letter(),
            m.mode,
            m.uid,
            m.gid,
            escape(&m.user),
            escape(&m.group),
            m.size_bytes,
            m.mtime,
            escape(&m.path),
            escape(&m.link)
        );
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(kind: MemberKind, path: &str, link: &str) -> Member {
        Member {
            kind,
            mode: 0o4755,
            uid: 0,
            gid: 110,
            user: "root".into(),
            group: "messagebus".into(),
            size_bytes: 3,
            mtime: 1_700_000_000,
            path: path.into(),
            link: link.into(),
        }
    }

    #[test]
    fn every_kind_and_awkward_name_survives_a_round_trip() {
        let members: Vec<Member> = LETTERS.iter().map(|(kind, _)| member(*kind, "usr/a\tb\\n\nc", "x\\\ty")).collect();
        assert_eq!(parse_manifest(&render_manifest(&members)), Ok(members));
    }

    #[test]
    fn the_line_is_the_contract() {
        let text = render_manifest(&[member(MemberKind::Symlink, "usr/bin/x", "y")]);
        assert_eq!(text, "l\t4755\t0\t110\troot\tmessagebus\t3\t1700000000\tusr/bin/x\ty\n");
    }

    #[test]
    fn a_short_line_is_named() {
        assert_eq!(parse_manifest("f\t0644\n"), Err(ManifestError::Fields { line: 1, found: 2 }));
        let bad = "f\t0999\t0\t0\t\t\t0\t0\ta\t\n";
        assert_eq!(parse_manifest(bad), Err(ManifestError::Field { line: 1, what: "octal mode", text: "0999".into() }));
    }
}
