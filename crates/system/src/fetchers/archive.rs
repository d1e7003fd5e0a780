//! Unpacking tar archives, compressed or not, and zip archives, the way sources are: contents, executable bits and
//! links, nothing else.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// Unpacks an archive into a new folder; gives the latest time of its members.
///
/// Errors when it cannot be read or a member lies outside.
pub(super) fn unpack(file: &Path, folder: &Path) -> io::Result<u64> {
    std::fs::create_dir(folder)?;
    let mut file = BufReader::new(File::open(file)?);
    if file.fill_buf()?.starts_with(b"PK") { unpack_zip(file, folder) } else { unpack_tar(decompressed(file)?, folder) }
}

fn unpack_tar(file: impl Read, folder: &Path) -> io::Result<u64> {
    let mut archive = tar::Archive::new(file);
    let mut latest = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if matches!(kind, tar::EntryType::XGlobalHeader) {
            continue;
        }
        let Some(path) = place(folder, &entry.path()?)? else { continue };
        latest = latest.max(entry.header().mtime()?);
        match kind {
            tar::EntryType::Directory => std::fs::create_dir_all(&path)?,
            tar::EntryType::Symlink => symlink(link_name(&entry)?, &path)?,
            tar::EntryType::Link => {
                let target = link_name(&entry)?;
                let target = inside(folder, &target)?.ok_or_else(|| odd("a hard link to the archive's root"))?;
                // Copying would follow a link to anywhere.
                if target.is_symlink() {
                    symlink(std::fs::read_link(target)?, &path)?;
                } else {
                    std::fs::copy(target, &path)?;
                }
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let mode = entry.header().mode()?;
                write_file(&path, &mut entry, mode)?;
            }
            _ => return Err(odd("a device or pipe")),
        }
    }
    Ok(latest)
}

fn unpack_zip(file: BufReader<File>, folder: &Path) -> io::Result<u64> {
    let mut archive = zip::ZipArchive::new(file)?;
    let mut latest = 0;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i)?;
        let Some(path) = place(folder, Path::new(OsStr::from_bytes(entry.name_raw())))? else { continue };
        latest = latest.max(zip_time(&entry));
        if entry.is_dir() {
            std::fs::create_dir_all(&path)?;
        } else if entry.is_symlink() {
            let mut target = Vec::new();
            entry.read_to_end(&mut target)?;
            symlink(OsStr::from_bytes(&target), &path)?;
        } else {
            let mode = entry.unix_mode().unwrap_or(0);
            write_file(&path, &mut entry, mode)?;
        }
    }
    Ok(latest)
}

/// When a member was changed, in seconds since 1970. Where only the format's own time is there, which is some
/// machine's local one, it is taken for UTC.
fn zip_time<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> u64 {
    let exact = entry.extra_data_fields().find_map(|field| match field {
        zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    let coarse = || {
        let time = entry.last_modified()?;
        let days = super::days_since_1970(time.year().into(), time.month().into(), time.day().into());
        let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(u64::from);
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    };
    exact.map(u64::from).or_else(coarse).unwrap_or(0)
}

fn write_file(path: &Path, contents: &mut impl Read, mode: u32) -> io::Result<()> {
    io::copy(contents, &mut File::create(path)?)?;
    let mode = if mode & 0o100 != 0 { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive holds {what}"))
}

fn link_name<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<PathBuf> {
    Ok(entry.link_name()?.ok_or_else(|| odd("a link without target"))?.into_owned())
}

/// Where a member is made: its folder is there, and no earlier member of its name that is no folder. Nothing for the
/// root itself.
fn place(folder: &Path, name: &Path) -> io::Result<Option<PathBuf>> {
    let Some(path) = inside(folder, name)? else { return Ok(None) };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if path.symlink_metadata().is_ok_and(|earlier| !earlier.is_dir()) {
        std::fs::remove_file(&path)?;
    }
    Ok(Some(path))
}

/// The path of a member; nothing for the root itself.
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

/// Knows gzip, bzip2, xz and zstd by their first bytes.
fn decompressed(mut file: BufReader<File>) -> io::Result<Box<dyn Read>> {
    let start = file.fill_buf()?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Box::new(liblzma::read::XzDecoder::new_multi_decoder(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::new(file)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::read::MultiBzDecoder::new(file)),
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
