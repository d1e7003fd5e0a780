//! What file a disk becomes: its bytes, or a form that is smaller to keep and to send.
//!
//! The disk is always written whole first (its holes take no room), then converted front to back; no form is held in
//! memory. The result is a function of the disk: neither its holes nor the number of threads show.

use std::fs::File;
use std::io::{self, BufReader};
use std::num::NonZero;

use disk_formats::compression::Zstd;
use disk_formats::qcow2::{self, Extent};
use nix::unistd::{Whence, lseek};

use crate::ImageError;
use crate::output::Output;

/// The level of clusters that a machine reads one by one.
const CLUSTER_LEVEL: i32 = 3;
/// The level of a whole disk: higher ones take twice the time and memory for two percent.
const DISK_LEVEL: i32 = 9;
/// How far back equal bytes are found: the whole of a small system, and no more than `zstd -d` takes without being asked.
const WINDOW_LOG: u32 = 27;
/// Each has buffers of its own; more would cost more memory than time.
const MOST_WORKERS: usize = 2;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A disk.
    Disk(DiskForm, Compression),
    /// The EFI system partition of a disk.
    EspOnly,
    /// An image for optical media and USB sticks, of a live system.
    Iso,
    /// A folder with the kernel and the initrd of a live system.
    Netboot,
    /// A live system as one EFI program.
    Uki,
}

impl Default for Format {
    fn default() -> Self {
        Format::Disk(DiskForm::Raw, Compression::None)
    }
}

/// The form of a disk's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskForm {
    /// The disk's bytes.
    Raw,
    /// QEMU's copy-on-write format, without the holes.
    Qcow2,
}

/// How an image's file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By zstd: a raw disk as one stream (`zstd -d` gives it back), a qcow2 cluster by cluster, so that it runs as it is.
    Zstd,
}

/// How the file of a disk ends that is called after it.
pub(crate) fn extension(form: (DiskForm, Compression)) -> &'static str {
    match form {
        (DiskForm::Raw, Compression::None) => "img",
        (DiskForm::Raw, Compression::Zstd) => "img.zst",
        (DiskForm::Qcow2, _) => "qcow2",
    }
}

/// The file that a complete disk becomes: itself, or another one of the same name.
pub(crate) fn convert(
    disk: Output,
    size_bytes: u64,
    (form, compression): (DiskForm, Compression),
) -> Result<Output, ImageError> {
    if (form, compression) == (DiskForm::Raw, Compression::None) {
        return Ok(disk);
    }
    let mut source = disk.reopen()?;
    let result = disk.successor()?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    match (form, compression) {
        (DiskForm::Raw, _) => compress(source, &mut result.file(), threads).map_err(result.failed("compress"))?,
        (DiskForm::Qcow2, compression) => {
            let extents = data_extents(&source, size_bytes).map_err(result.failed("look for data in"))?;
            let compression = match compression {
                Compression::None => qcow2::Compression::None,
                Compression::Zstd => qcow2::Compression::Zstd(Zstd { level: CLUSTER_LEVEL, threads }),
            };
            qcow2::write(&mut source, (size_bytes, &extents), compression, &mut result.file())
                .map_err(result.failed("convert"))?;
        }
    }
    Ok(result)
}

fn compress(source: File, target: &mut &File, threads: usize) -> io::Result<()> {
    let mut encoder = encoder(target, threads)?;
    io::copy(&mut BufReader::with_capacity(1 << 20, source), &mut encoder)?;
    encoder.finish().map(drop)
}

/// One zstd stream with a checksum. With workers zstd cuts its input at places of its own, however many there are; with
/// none it does not, so there is always one.
pub(crate) fn encoder<W: io::Write>(target: W, threads: usize) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(target, DISK_LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.multithread(u32::try_from(threads.min(MOST_WORKERS)).unwrap_or(1).max(1))?;
    Ok(encoder)
}

/// Where a file holds data; all of it where the filesystem cannot say.
fn data_extents(file: &File, size_bytes: u64) -> io::Result<Vec<Extent>> {
    let seek = |from: u64, whence| match lseek(file, i64::try_from(from).map_err(io::Error::other)?, whence) {
        Ok(offset) => Ok(u64::try_from(offset).ok()),
        // There is no data behind this place.
        Err(nix::errno::Errno::ENXIO) => Ok(None),
        Err(errno) => Err(io::Error::from(errno)),
    };
    let mut extents = Vec::new();
    let mut position = 0;
    while position < size_bytes {
        let start_bytes = match seek(position, Whence::SeekData) {
            Ok(Some(start_bytes)) => start_bytes,
            Ok(None) => break,
            Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => {
                return Ok(vec![Extent { start_bytes: 0, length_bytes: size_bytes }]);
            }
            Err(error) => return Err(error),
        };
        position = seek(start_bytes, Whence::SeekHole)?.unwrap_or(size_bytes);
        extents.push(Extent { start_bytes, length_bytes: position - start_bytes });
    }
    Ok(extents)
}
