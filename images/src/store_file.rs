//! The store partition's contents as one compressed read-only file, for media and initrds.
//!
//! The tree is the one that [`Contents`] observes for a disk; only what it becomes is another filesystem: EROFS with
//! zstd, which the kernel reads without unpacking. Written front to back; a few chunks are held in memory, and the tree.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;

use disk_formats::compression::Zstd;
use disk_formats::erofs::{Content, DataWriter, Entry, FileId, Metadata, Options, Tree};
use disk_formats::ext4;
use disk_formats::window::Window;

use crate::contents::{Contents, Source, TIME};
use crate::identity::Seed;
use crate::output::Output;
use crate::{ImageError, ImageRequest, STORE_FILE_LABEL};

/// zstd's level: of a server's store level 9 makes a quarter of a percent less, and takes half as long again.
const ZSTD_LEVEL: i32 = 7;

/// Where the file is in an initrd, and on a medium; `modules/image/live.nix` says the same to stage 1.
pub(crate) const PATH: &str = "esker/store.erofs";

/// Writes the file into an output, from an offset on, and returns its length.
///
/// Errors when a file of the store cannot be read or changed meanwhile, the output is full, or the user wants no more.
pub(crate) fn write(
    contents: &Contents,
    request: &ImageRequest<'_>,
    output: &Output,
    start_bytes: u64,
) -> Result<u64, ImageError> {
    // Nobody knows its length before it is written.
    let mut target = output.window(start_bytes, u64::MAX - start_bytes)?;
    let (tree, files) = add_files(contents, request, output, &mut target)?;
    let seed = Seed::of(request);
    let options = Options {
        uuid: seed.guid("store file").0,
        label: STORE_FILE_LABEL.as_bytes().to_vec(),
        build_time: TIME.into(),
    };
    Ok(tree.write_around(&files, &options, &mut target)?)
}

fn add_files(
    contents: &Contents,
    request: &ImageRequest<'_>,
    output: &Output,
    target: &mut Window<File>,
) -> Result<(Tree, disk_formats::erofs::StoredFiles), ImageError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let failed = output.failed("write");
    let mut writer = DataWriter::new(target, Zstd { level: ZSTD_LEVEL, threads }).map_err(&failed)?;
    let entries = contents.tree.entries();
    let mut ids = Vec::with_capacity(entries.len());
    for (_, node, _, content) in &entries {
        if (request.is_cancelled)() {
            return Err(ImageError::Cancelled);
        }
        let ext4::Content::File { size_bytes } = content else {
            ids.push(None);
            continue;
        };
        let id = match contents.sources.get(node) {
            Some(Source::Host(path, _)) => add_host_file(&mut writer, path, *size_bytes, output)?,
            Some(Source::Bytes(bytes)) => writer.add(&mut bytes.as_slice()).map_err(&failed)?,
            None => writer.add(&mut io::empty()).map_err(&failed)?,
        };
        ids.push(Some(id));
    }
    let files = writer.finish().map_err(&failed)?;
    let mut tree = Tree::new();
    for ((path, _, metadata, content), id) in entries.into_iter().zip(ids) {
        let content = match (content, id) {
            (ext4::Content::Symlink { target }, _) => Content::Symlink { target: target.clone() },
            (_, Some(id)) => Content::Stored(files.of(id)),
            _ => Content::Directory,
        };
        tree.insert(&path, Entry { metadata: metadata_of(metadata), content })?;
    }
    Ok((tree, files))
}

/// Adds a file of this host, which must be as long as it was.
fn add_host_file(
    writer: &mut DataWriter<'_, Window<File>>,
    path: &Path,
    size_bytes: u64,
    output: &Output,
) -> Result<FileId, ImageError> {
    let failed = |action| move |source| ImageError::Io { action, path: path.to_owned(), source };
    let mut source = Watched { file: File::open(path).map_err(failed("open"))?, read_bytes: 0, failed: false };
    match writer.add(&mut source) {
        Ok(_) if source.read_bytes != size_bytes => Err(ImageError::Changed { path: path.to_owned() }),
        Ok(id) => Ok(id),
        Err(error) if source.failed => Err(failed("read")(error)),
        Err(error) => Err(output.failed("write")(error)),
    }
}

/// A file that knows whether an error was its own.
struct Watched {
    file: File,
    read_bytes: u64,
    failed: bool,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.file.read(buffer);
        match &result {
            Ok(count) => self.read_bytes += *count as u64,
            Err(error) => self.failed = error.kind() != io::ErrorKind::Interrupted,
        }
        result
    }
}

fn metadata_of(metadata: ext4::Metadata) -> Metadata {
    let ext4::Metadata { mode, uid, gid, mtime } = metadata;
    Metadata { mode, uid, gid, mtime: mtime.into(), ..Metadata::default() }
}
