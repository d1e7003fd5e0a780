//! Unpacking tar archives, compressed or not, the way sources are: contents, executable bits and links, nothing else.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// Unpacks an archive into a new folder; gives the latest time of its members.
///
/// Errors when it cannot be read or a member lies outside.
pub(super) fn unpack(file: &Path, folder: &Path) -> io::Result<u64> {
    std::fs::create_dir(folder)?;
    let mut archive = tar::Archive::new(decompressed(BufReader::new(File::open(file)?))?);
    let mut latest = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if matches!(kind, tar::EntryType::XGlobalHeader) {
            continue;
        }
        let Some(path) = inside(folder, &entry.path()?)? else { continue };
        latest = latest.max(entry.header().mtime()?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match kind {
            tar::EntryType::Directory => std::fs::create_dir_all(&path)?,
            tar::EntryType::Symlink => symlink(link_name(&entry)?, &path)?,
            tar::EntryType::Link => {
                let target = link_name(&entry)?;
                let target = inside(folder, &target)?.ok_or_else(|| odd("a hard link to the archive's root"))?;
                std::fs::copy(target, &path)?;
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let executable = entry.header().mode()? & 0o100 != 0;
                io::copy(&mut entry, &mut File::create(&path)?)?;
                let mode = if executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
            }
            _ => return Err(odd("a device or pipe")),
        }
    }
    Ok(latest)
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive holds {what}"))
}

fn link_name<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<PathBuf> {
    Ok(entry.link_name()?.ok_or_else(|| odd("a link without target"))?.into_owned())
}

/// Where a member goes; nothing for the root itself.
fn inside(folder: &Path, name: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = folder.to_owned();
    for component in name.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            _ => return Err(odd("a member outside of it")),
        }
        // Through a link one would write anywhere.
        if path.parent().is_some_and(|parent| parent != folder && parent.is_symlink()) {
            return Err(odd("a member below a link"));
        }
    }
    Ok((path != folder).then_some(path))
}

/// Knows gzip, xz and zstd by their first bytes.
fn decompressed(mut file: BufReader<File>) -> io::Result<Box<dyn Read>> {
    let start = file.fill_buf()?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Box::new(liblzma::read::XzDecoder::new_multi_decoder(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::new(file)?),
        [b'B', b'Z', b'h', ..] => return Err(io::Error::new(io::ErrorKind::Unsupported, "bzip2 is not supported")),
        [b'P', b'K', ..] => return Err(io::Error::new(io::ErrorKind::Unsupported, "zip is not supported")),
        _ => Box::new(file),
    })
}

/// The folder that is all there is in another; archives mostly hold one.
pub(super) fn only_folder(folder: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?;
    let only = entries.next()?.ok()?;
    let is_folder = only.file_type().ok()?.is_dir();
    (is_folder && entries.next().is_none()).then(|| only.path())
}
