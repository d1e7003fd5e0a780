//! A root for containers, as a tarball: `machinectl import-tar`, `systemd-nspawn`, LXC.
//!
//! The closure below /nix as it is on a disk, and around it only what a container's manager looks for: an empty tree with
//! `/usr/lib/os-release`, and `/sbin/init`, which is the system's own program. It makes /usr when it starts, see
//! `activation::container`. Written front to back in the order of the tree; nothing but the tree is held in memory. Source:
//! tar(5); systemd's CONTAINER_INTERFACE.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use disk_formats::ext4;
use nix_formats::StorePath;
use store::Store;
use tar::{Builder, EntryType, Header};

use crate::contents::{Contents, Source, Systems, TIME, resolve};
use crate::format::{self, Compression};
use crate::output::{self, Output};
use crate::{ImageError, ImageGeneration, ImageReport};

/// Folders that the root has, with their modes.
const FOLDERS: [(&str, u32); 17] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("nix", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/sbin", 0o755),
    ("var", 0o755),
];
/// Debian's merged /usr, and what the manager starts.
const LINKS: [(&str, &str); 5] = [
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("sbin", "usr/sbin"),
    ("lib64", "usr/lib64"),
    ("usr/sbin/init", "/nix/var/nix/profiles/system/init"),
];
const OS_RELEASE: &str = "usr/lib/os-release";

/// What to write.
pub struct TarballRequest<'a> {
    /// Where the closure is.
    pub store: &'a Store,
    /// The system.
    pub toplevel: &'a StorePath,
    /// The tarball's file; replaced when the new one is complete.
    pub output: PathBuf,
    /// Whether it is compressed.
    pub compression: Compression,
    /// Whether the user wants no more; asked between files.
    pub is_cancelled: Box<dyn Fn() -> bool + Sync + 'a>,
}

/// Writes a tarball.
///
/// Errors when the store lacks something or the output cannot be written; an earlier file of that name stays as it was.
pub fn write_tarball(request: &TarballRequest<'_>) -> Result<ImageReport, ImageError> {
    output::check(&request.output)?;
    let generation = ImageGeneration { number: 1, toplevel: request.toplevel.clone() };
    let contents = Contents::of(Systems {
        store: request.store,
        generations: std::slice::from_ref(&generation),
        extra_roots: &[],
        current: 1,
    })?;
    let output = Output::create(&request.output)?;
    match request.compression {
        Compression::None => {
            let writer = io::BufWriter::with_capacity(1 << 20, output.file());
            let mut writer = write(request, &contents, &output, writer)?;
            writer.flush().map_err(output.failed("write"))?;
        }
        Compression::Zstd => {
            let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
            let encoder = format::encoder(output.file(), threads).map_err(output.failed("compress"))?;
            let encoder = write(request, &contents, &output, encoder)?;
            encoder.finish().map_err(output.failed("compress"))?;
        }
    }
    let report = ImageReport {
        output: request.output.clone(),
        files: vec![request.output.clone()],
        disk_bytes: output.length()?,
        store_paths: contents.closure.len(),
        contents_bytes: contents.contents_bytes,
        esp: String::new(),
        without_entry: Vec::new(),
    };
    output.finish()?;
    Ok(report)
}

/// Writes all members and gives the writer back.
fn write<W: Write>(
    request: &TarballRequest<'_>,
    contents: &Contents,
    output: &Output,
    writer: W,
) -> Result<W, ImageError> {
    let mut tar = Members { builder: Builder::new(writer), output };
    for (path, mode) in FOLDERS {
        tar.folder(path.as_bytes(), mode)?;
    }
    for (path, target) in LINKS {
        tar.link(path.as_bytes(), target.as_bytes())?;
    }
    let toplevel = request.store.logical(request.toplevel);
    let os_release = resolve(request.store, &format!("{toplevel}/etc/os-release"));
    let failed = |source| ImageError::Io { action: "read", path: os_release.clone(), source };
    let text = std::fs::read(&os_release).map_err(failed)?;
    tar.file(OS_RELEASE.as_bytes(), 0o444, text.len() as u64, &mut text.as_slice())?;
    for (path, node, metadata, content) in contents.tree.entries() {
        if (request.is_cancelled)() {
            return Err(ImageError::Cancelled);
        }
        let path = [b"nix/".as_slice(), &path].concat();
        let mode = u32::from(metadata.mode);
        match content {
            ext4::Content::Symlink { target } => tar.link(&path, target)?,
            ext4::Content::Directory => tar.folder(&path, mode)?,
            ext4::Content::File { size_bytes } => match contents.sources.get(&node) {
                Some(Source::Bytes(bytes)) => tar.file(&path, mode, *size_bytes, &mut bytes.as_slice())?,
                Some(Source::Host(host_path, _)) => tar.host_file(&path, mode, *size_bytes, host_path)?,
                None => tar.file(&path, mode, 0, &mut io::empty())?,
            },
        }
    }
    tar.builder.into_inner().map_err(output.failed("write"))
}

/// A tarball's members, all of them root's and of one time.
struct Members<'a, W: Write> {
    builder: Builder<W>,
    output: &'a Output,
}

impl<W: Write> Members<'_, W> {
    fn header(kind: EntryType, mode: u32, size_bytes: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(TIME.into());
        header.set_size(size_bytes);
        header
    }

    fn folder(&mut self, path: &[u8], mode: u32) -> Result<(), ImageError> {
        let mut header = Self::header(EntryType::Directory, mode, 0);
        let path = [path, b"/"].concat();
        self.builder.append_data(&mut header, as_path(&path), io::empty()).map_err(self.output.failed("write"))
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), ImageError> {
        let mut header = Self::header(EntryType::Symlink, 0o777, 0);
        let written = self.builder.append_link(&mut header, as_path(path), as_path(target));
        written.map_err(self.output.failed("write"))
    }

    fn file(&mut self, path: &[u8], mode: u32, size_bytes: u64, data: &mut dyn Read) -> Result<(), ImageError> {
        let mut header = Self::header(EntryType::Regular, mode, size_bytes);
        self.builder.append_data(&mut header, as_path(path), data).map_err(self.output.failed("write"))
    }

    /// A file of this host, which must be as long as it was.
    fn host_file(&mut self, path: &[u8], mode: u32, size_bytes: u64, host_path: &Path) -> Result<(), ImageError> {
        let failed = |action| move |source| ImageError::Io { action, path: host_path.to_owned(), source };
        let file = File::open(host_path).map_err(failed("open"))?;
        // One byte more tells of a file that grew.
        let mut source = Counted { file: file.take(size_bytes + 1), read_bytes: 0 };
        self.file(path, mode, size_bytes, &mut source)?;
        match source.read_bytes == size_bytes {
            true => Ok(()),
            false => Err(ImageError::Changed { path: host_path.to_owned() }),
        }
    }
}

/// A file that knows how much of it was read.
struct Counted {
    file: io::Take<File>,
    read_bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read_bytes += count as u64;
        Ok(count)
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
