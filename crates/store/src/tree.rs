//! Trees on disk, read and written through NAR's `TreeVisitor`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix_formats::nar::{FileMode, NarWriter, TreeVisitor};
use nix_formats::references::ReferenceScanner;
use nix_formats::{HashAlgo, HashPart, Hasher};

use crate::metadata::set_time;
use crate::path_info::NarDigest;
use crate::{Context as _, StoreError};

/// Shows the tree at `root` to a visitor, in NAR's order.
///
/// Errors when something cannot be read, is neither file, folder nor link, or the visitor fails.
pub fn walk_tree(root: &Path, visitor: &mut dyn TreeVisitor) -> Result<(), StoreError> {
    walk(root, b"", visitor)
}

fn walk(path: &Path, name: &[u8], visitor: &mut dyn TreeVisitor) -> Result<(), StoreError> {
    let metadata = path.symlink_metadata().context("examine", path)?;
    if metadata.is_dir() {
        visitor.enter_directory(name).context("copy", path)?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).context("list", path)? {
            names.push(entry.context("list", path)?.file_name());
        }
        names.sort();
        for name in names {
            walk(&path.join(&name), name.as_bytes(), visitor)?;
        }
        return visitor.leave_directory().context("copy", path);
    }
    if metadata.is_symlink() {
        let target = std::fs::read_link(path).context("read link", path)?;
        return visitor.symlink(name, target.as_os_str().as_bytes()).context("copy", path);
    }
    if !metadata.is_file() {
        return Err(StoreError::FileType { path: path.to_owned() });
    }
    let mode = if metadata.mode() & 0o100 == 0 { FileMode::Regular } else { FileMode::Executable };
    let mut file = File::open(path).context("open", path)?;
    visitor.file(name, mode, metadata.len(), &mut file).context("read", path)
}

/// Hash and size of the tree's NAR.
///
/// Errors when the tree cannot be read.
pub fn digest_tree(root: &Path) -> Result<NarDigest, StoreError> {
    Ok(scan_tree(root, std::iter::empty())?.0)
}

/// Hash and size of the tree's NAR, and which of the candidates occur in it.
///
/// Errors when the tree cannot be read.
pub fn scan_tree(
    root: &Path,
    candidates: impl IntoIterator<Item = HashPart>,
) -> Result<(NarDigest, BTreeSet<HashPart>), StoreError> {
    let sink = ScanSink { digest: DigestSink::default(), scanner: ReferenceScanner::new(candidates) };
    // Tokens are tiny; without a buffer each would be hashed and scanned on its own.
    let mut writer = NarWriter::new(BufWriter::with_capacity(64 * 1024, sink)).context("scan", root)?;
    walk_tree(root, &mut writer)?;
    let sink = writer.finish().and_then(|buffer| Ok(buffer.into_inner()?)).context("scan", root)?;
    Ok((sink.digest.finish(), sink.scanner.found()))
}

/// Hashes and counts what is written to it.
pub(crate) struct DigestSink {
    hasher: Hasher,
    len: u64,
}

impl Default for DigestSink {
    fn default() -> Self {
        Self { hasher: Hasher::new(HashAlgo::Sha256), len: 0 }
    }
}

impl DigestSink {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> NarDigest {
        NarDigest { hash: self.hasher.finish(), size_bytes: self.len }
    }
}

struct ScanSink {
    digest: DigestSink,
    scanner: ReferenceScanner,
}

impl Write for ScanSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.digest.update(bytes);
        self.scanner.scan(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Creates a tree on disk with the store's metadata. Its root stays writable for the owner, so that it can be moved.
pub struct TreeWriter {
    /// The folder being filled, or the place of the root.
    path: PathBuf,
    depth: usize,
}

impl TreeWriter {
    /// A writer whose root will be `root`, which must not exist.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { path: root.to_owned(), depth: 0 }
    }

    fn place(&self, name: &[u8]) -> PathBuf {
        if self.depth == 0 { self.path.clone() } else { self.path.join(OsStr::from_bytes(name)) }
    }
}

impl TreeVisitor for TreeWriter {
    fn enter_directory(&mut self, name: &[u8]) -> io::Result<()> {
        self.path = self.place(name);
        self.depth += 1;
        std::fs::create_dir(&self.path)
    }

    fn leave_directory(&mut self) -> io::Result<()> {
        self.depth -= 1;
        let folder = self.path.clone();
        if self.depth > 0 {
            self.path.pop();
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o555);
            std::fs::set_permissions(&folder, permissions)?;
        }
        set_time(&folder).map_err(io::Error::other)
    }

    fn symlink(&mut self, name: &[u8], target: &[u8]) -> io::Result<()> {
        let place = self.place(name);
        std::os::unix::fs::symlink(OsStr::from_bytes(target), &place)?;
        set_time(&place).map_err(io::Error::other)
    }

    fn file(&mut self, name: &[u8], mode: FileMode, size_bytes: u64, contents: &mut dyn Read) -> io::Result<()> {
        let place = self.place(name);
        let bits = match mode {
            FileMode::Regular => 0o444,
            FileMode::Executable => 0o555,
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(&place)?;
        let copied = io::copy(&mut contents.take(size_bytes), &mut file)?;
        if copied != size_bytes {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than announced"));
        }
        // The process's umask took bits away if it is stricter than usual.
        if file.metadata()?.mode() & 0o7777 != bits {
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(bits))?;
        }
        let one = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        file.set_modified(one)
    }
}

#[cfg(test)]
mod tests {
    use nix_formats::nar::{NarWriter, read_nar};

    use super::{TreeWriter, digest_tree, walk_tree};

    #[test]
    fn a_tree_survives_the_way_through_a_nar() {
        let folder = tempfile::tempdir().unwrap();
        let (source, copy) = (folder.path().join("source"), folder.path().join("copy"));
        std::fs::create_dir_all(source.join("b/c")).unwrap();
        std::fs::write(source.join("a"), "text").unwrap();
        std::fs::write(source.join("b/x"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("a", source.join("l")).unwrap();
        let mut nar = NarWriter::new(Vec::new()).unwrap();
        walk_tree(&source, &mut nar).unwrap();
        let nar = nar.finish().unwrap();
        read_nar(&mut &nar[..], &mut TreeWriter::new(&copy)).unwrap();
        assert_eq!(digest_tree(&source).unwrap(), digest_tree(&copy).unwrap());
        crate::scratch::remove_tree(&copy).unwrap();
    }
}
