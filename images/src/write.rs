//! Writes a planned image.
//!
//! The order is that of likely trouble: table and ESP first, because they are small and say soonest that something is wrong;
//! then the filesystem's metadata, then the bulk: of ext4 and XFS by several threads, of btrfs in one pass with its checksums. The
//! image gets its name last.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use bootloader::plan::{EspPlan, Wanted};
use disk_formats::btrfs::{self, BtrfsError};
use disk_formats::gpt::Partition;
use disk_formats::tree::{FilePlace, NodeId};
use disk_formats::{fat, swap};

use crate::contents::Source;
use crate::filesystem::Filesystem;
use crate::format::{Compression, DiskForm};
use crate::output::{self, Output};
use crate::plan::{DiskPlan, ImagePlan, Volume};
use crate::{ImageError, ImageReport, ImageRequest, esp, format};

/// Threads that copy files; more would only wait for the disk.
const MOST_COPIERS: usize = 4;

/// Writes the request's image, a file for each disk, and gives them their names.
///
/// Errors when something cannot be read, the disk is full or the user wants no more; nothing is left behind then.
pub(crate) fn write_image(
    plan: &ImagePlan,
    wanted: &Wanted,
    request: &ImageRequest<'_>,
    form: (DiskForm, Compression),
) -> Result<ImageReport, ImageError> {
    let paths = paths(plan, &request.output, form);
    if let [_, _, ..] = paths.as_slice() {
        output::make_folder(&request.output)?;
    }
    let outputs: Vec<Output> = paths.iter().map(|path| Output::create(path)).collect::<Result<_, _>>()?;
    let mut entries = EspPlan::default();
    for (disk, output) in plan.disks.iter().zip(&outputs) {
        output.file().set_len(disk.layout.length_bytes).map_err(output.failed("resize"))?;
        disk.layout.write_to(&mut output.file())?;
        write_volumes((plan, disk), wanted, output, &mut entries)?;
    }
    let (disk, partition) = plan.store();
    let copy = Copy { plan, partition, output: &outputs[disk], request };
    match &plan.filesystem {
        Filesystem::Ext4(layout) => copy.fill(&layout.files().collect::<Vec<_>>())?,
        Filesystem::Xfs(layout) => copy.fill(&layout.files().collect::<Vec<_>>())?,
        Filesystem::Btrfs(layout) => copy.fill_btrfs(layout)?,
    }
    copy.go_on()?;
    let mut files = Vec::new();
    for (disk, output) in plan.disks.iter().zip(outputs) {
        files.push(format::convert(output, disk.layout.length_bytes, form)?);
    }
    files.into_iter().try_for_each(Output::finish)?;
    Ok(ImageReport {
        output: request.output.clone(),
        files: paths,
        disk_bytes: plan.disk_bytes(),
        store_paths: plan.store_paths,
        contents_bytes: plan.contents_bytes,
        esp: entries.describe(),
        without_entry: entries.without_entry,
    })
}

/// The file of each disk: the output itself, or in a folder of that name one called after each disk.
fn paths(plan: &ImagePlan, output: &Path, form: (DiskForm, Compression)) -> Vec<PathBuf> {
    match plan.disks.as_slice() {
        [_] => vec![output.to_owned()],
        disks => disks.iter().map(|disk| output.join(format!("{}.{}", disk.name, format::extension(form)))).collect(),
    }
}

/// Makes what is in a disk's partitions, but for the contents of files. Notes what was put on the ESP.
fn write_volumes(
    (plan, disk): (&ImagePlan, &DiskPlan),
    wanted: &Wanted,
    output: &Output,
    entries: &mut EspPlan,
) -> Result<(), ImageError> {
    let sector_size = disk.layout.sector_size;
    for (partition, volume) in disk.layout.partitions.iter().zip(&disk.volumes) {
        let (start_bytes, length_bytes) = (partition.start_bytes, partition.length_bytes);
        let mut window = output.window(start_bytes, length_bytes)?;
        match volume {
            Volume::Esp { volume_id: id, label } => {
                let volume = fat::Volume { sector_size, id: *id, label };
                *entries = esp::write(output, (start_bytes, length_bytes), volume, wanted)?;
            }
            Volume::Store => match &plan.filesystem {
                Filesystem::Ext4(layout) => layout.write_metadata(&mut window)?,
                Filesystem::Xfs(layout) => layout.write_metadata(&mut window)?,
                Filesystem::Btrfs(_) => {}
            },
            Volume::Filesystem(Filesystem::Xfs(layout)) => layout.write_metadata(&mut window)?,
            Volume::Filesystem(Filesystem::Ext4(layout)) => layout.write_metadata(&mut window)?,
            Volume::Filesystem(Filesystem::Btrfs(layout)) => {
                layout.write(&mut window, &mut |_| Ok(Box::new(io::empty())))?;
            }
            Volume::Vfat { volume_id: id, label } => {
                fat::format(&mut window, fat::Volume { sector_size, id: *id, label })?;
            }
            Volume::Swap { uuid, label } => swap::format(&mut window, length_bytes, *uuid, label)?,
            Volume::Empty => {}
        }
    }
    Ok(())
}

/// The copying of files into the store partition.
struct Copy<'a> {
    plan: &'a ImagePlan,
    partition: &'a Partition,
    output: &'a Output,
    request: &'a ImageRequest<'a>,
}

impl Copy<'_> {
    /// Copies all files, each thread a stretch of the disk.
    fn fill(&self, places: &[FilePlace]) -> Result<(), ImageError> {
        let copiers = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_COPIERS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = shares(places, copiers)
                .into_iter()
                .map(|share| {
                    scope.spawn(move || {
                        let mut file = self.output.reopen()?;
                        share.iter().try_for_each(|place| self.one(place, &mut file))
                    })
                })
                .collect();
            // Every thread is waited for; the first error counts.
            threads.into_iter().map(join).fold(Ok(()), Result::and)
        })
    }

    /// Writes the filesystem, which reads all files in order.
    fn fill_btrfs(&self, layout: &btrfs::Layout) -> Result<(), ImageError> {
        let mut window = self.output.window(self.partition.start_bytes, self.partition.length_bytes)?;
        let written = layout.write(&mut window, &mut |node| self.open(node));
        // That nobody wants more is told as an error of a file.
        self.go_on()?;
        let of_file = |node: NodeId, error: CopyError| match self.plan.sources.get(&node) {
            Some(Source::Host(path, _)) => error.named(self.output, Some(path)),
            _ => error.named(self.output, None),
        };
        written.map_err(|error| match error {
            BtrfsError::Read { node, source } => of_file(node, CopyError::Io(source)),
            BtrfsError::Changed { node } => of_file(node, CopyError::Changed),
            error => error.into(),
        })
    }

    fn open(&self, node: NodeId) -> io::Result<Box<dyn Read + '_>> {
        if (self.request.is_cancelled)() {
            return Err(io::ErrorKind::Other.into());
        }
        Ok(match self.plan.sources.get(&node) {
            Some(Source::Bytes(bytes)) => Box::new(bytes.as_slice()),
            Some(Source::Host(path, _)) => Box::new(File::open(path)?),
            None => Box::new(io::empty()),
        })
    }

    /// Errors when the user wants no more.
    fn go_on(&self) -> Result<(), ImageError> {
        if (self.request.is_cancelled)() { Err(ImageError::Cancelled) } else { Ok(()) }
    }

    fn one(&self, place: &FilePlace, image: &mut File) -> Result<(), ImageError> {
        self.go_on()?;
        match self.plan.sources.get(&place.node) {
            Some(Source::Bytes(bytes)) => copy_pieces(place, self.partition.start_bytes, image, &mut bytes.as_slice())
                .map_err(|error| error.named(self.output, None)),
            Some(Source::Host(path, _)) => {
                let failed = |source| ImageError::Io { action: "open", path: path.clone(), source };
                let mut file = File::open(path).map_err(failed)?;
                copy_pieces(place, self.partition.start_bytes, image, &mut file)
                    .map_err(|error| error.named(self.output, Some(path)))
            }
            None => Ok(()),
        }
    }
}

fn join(thread: std::thread::ScopedJoinHandle<'_, Result<(), ImageError>>) -> Result<(), ImageError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Splits places into runs of about equally many bytes.
fn shares(places: &[FilePlace], count: usize) -> Vec<&[FilePlace]> {
    let length = |place: &FilePlace| place.pieces.iter().map(|(_, length)| length).sum::<u64>();
    let total: u64 = places.iter().map(length).sum();
    let share_bytes = total / count as u64 + 1;
    let mut shares = Vec::new();
    let (mut rest, mut end, mut bytes) = (places, 0, 0);
    for place in places {
        end += 1;
        bytes += length(place);
        if bytes >= share_bytes {
            let (share, behind) = rest.split_at(end);
            shares.push(share);
            (rest, end, bytes) = (behind, 0, 0);
        }
    }
    shares.push(rest);
    shares
}

/// What went wrong while copying, before it is known which file it was.
enum CopyError {
    Io(io::Error),
    Changed,
}

impl CopyError {
    /// A copy's error may be the reader's or the writer's; only a full disk is surely the image's.
    fn named(self, output: &Output, source_path: Option<&PathBuf>) -> ImageError {
        match (self, source_path) {
            (CopyError::Changed, Some(path)) => ImageError::Changed { path: path.clone() },
            (CopyError::Changed, None) => output.failed("write")(io::ErrorKind::WriteZero.into()),
            (CopyError::Io(error), Some(path)) if error.kind() != io::ErrorKind::StorageFull => {
                ImageError::Io { action: "copy", path: path.clone(), source: error }
            }
            (CopyError::Io(error), _) => output.failed("write")(error),
        }
    }
}

/// Copies a source that must be exactly as long as planned. Of two files the standard library lets the kernel copy.
fn copy_pieces(place: &FilePlace, start_bytes: u64, image: &mut File, source: &mut impl Read) -> Result<(), CopyError> {
    for (offset, length) in &place.pieces {
        image.seek(SeekFrom::Start(start_bytes + offset)).map_err(CopyError::Io)?;
        let copied = io::copy(&mut source.take(*length), image).map_err(CopyError::Io)?;
        if copied != *length {
            return Err(CopyError::Changed);
        }
    }
    match source.read(&mut [0]).map_err(CopyError::Io)? {
        0 => Ok(()),
        _ => Err(CopyError::Changed),
    }
}
