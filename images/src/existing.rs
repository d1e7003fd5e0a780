//! An image that exists: which generations it has, and whether a machine has used it since it was made.
//!
//! Reads only. The generations are those of the system profile in the store partition, whatever the image's layout: the boot
//! menu may have fewer. What a machine wrote is never looked at: an image that was used is refused, because writing it anew
//! would lose that.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use disk_formats::ext4::VolumeHistory;
use disk_formats::gpt::{DiskLayout, Partition, TYPE_ESP};
use disk_formats::sector::SectorSize;
use disk_formats::window::Window;
use disk_formats::{btrfs, xfs};
use ext4_view::{Ext4, Ext4Read};
use nix_formats::{StoreDir, StorePath};
use store::Store;

use crate::{ImageError, ImageGeneration, STORE_LABEL};

/// Where the system profile is in the store partition: in one that is mounted on `/nix`, or in a root.
const PROFILES: [&str; 2] = ["/var/nix/profiles", "/nix/var/nix/profiles"];

/// What is known of an image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingImage {
    /// The generations of its system profile, by number; at least one.
    pub generations: Vec<ImageGeneration>,
    /// The length of the disk with the store.
    pub disk_bytes: u64,
    /// The length of the EFI system partition; 0 if that is on another disk.
    pub esp_bytes: u64,
    /// The disk's sectors.
    pub sector_size: SectorSize,
}

impl ExistingImage {
    /// Looks into an image, or into a folder with one of several disks; `dir` is the logical store of its generations.
    ///
    /// Errors when it cannot be read, Esker did not make it, or a machine has used it.
    pub fn read(path: &Path, dir: &StoreDir) -> Result<Self, ImageError> {
        let reader = Reader { path, dir };
        let mut found = None;
        let (mut is_used, mut has_unread) = (false, false);
        for file in reader.files()? {
            let disk = reader.disk(&file)?;
            is_used |= disk.is_used;
            has_unread |= disk.has_unread;
            found = found.or(disk.image);
        }
        match found {
            Some(_) if is_used => Err(ImageError::Used { path: path.to_owned() }),
            Some(image) => Ok(image),
            None if has_unread => Err(reader
                .foreign("what is in btrfs and XFS cannot be read, and no other partition has a system profile", None)),
            None => Err(reader.foreign("no partition of it has a system profile", None)),
        }
    }

    /// Checks that a store still has all generations; `path` is the image's, for the error.
    ///
    /// Errors when it has not, or cannot be read.
    pub fn check_in(&self, store: &Store, path: &Path) -> Result<(), ImageError> {
        for generation in &self.generations {
            if !store.is_valid(&generation.toplevel)? {
                let (number, toplevel) = (generation.number, generation.toplevel.clone());
                return Err(ImageError::GenerationGone { path: path.to_owned(), number, toplevel });
            }
        }
        Ok(())
    }
}

fn window(file: File, partition: &Partition) -> io::Result<Window<File>> {
    Window::new(file, partition.start_bytes, partition.length_bytes)
}

struct Reader<'a> {
    path: &'a Path,
    dir: &'a StoreDir,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What is known of one of an image's disks.
struct Disk {
    /// The image, if the disk has its store.
    image: Option<ExistingImage>,
    /// Whether one of its filesystems was ever mounted.
    is_used: bool,
    /// Whether one of them is btrfs or XFS, in which generations are not looked for.
    has_unread: bool,
}

impl Reader<'_> {
    fn foreign(&self, what: &'static str, source: Option<Cause>) -> ImageError {
        ImageError::NotEskers { path: self.path.to_owned(), what, source }
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> ImageError + use<> {
        let path = self.path.to_owned();
        move |source| ImageError::Io { action, path: path.clone(), source }
    }

    /// The files of the image's disks.
    fn files(&self) -> Result<Vec<PathBuf>, ImageError> {
        if !self.path.is_dir() {
            return Ok(vec![self.path.to_owned()]);
        }
        let mut files = Vec::new();
        for entry in self.path.read_dir().map_err(self.failed("list"))? {
            let file = entry.map_err(self.failed("list"))?.path();
            if file.extension() == Some(OsStr::new("img")) {
                files.push(file);
            }
        }
        files.sort();
        Ok(files)
    }

    fn disk(&self, path: &Path) -> Result<Disk, ImageError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.foreign("there is no such file", None));
            }
            result => result.map_err(self.failed("open"))?,
        };
        let layout = DiskLayout::read_from(&mut file)
            .map_err(|error| self.foreign("it has no partition table", Some(error.into())))?;
        let mut found = Disk { image: None, is_used: false, has_unread: false };
        for partition in &layout.partitions {
            let open = || -> io::Result<_> { window(file.try_clone()?, partition) };
            let btrfs = btrfs::VolumeHistory::read(&mut open().map_err(self.failed("seek in"))?);
            let xfs = xfs::VolumeHistory::read(&mut open().map_err(self.failed("seek in"))?);
            let btrfs = btrfs.map_err(self.failed("read"))?.map(|history| history.is_untouched());
            let xfs = xfs.map_err(self.failed("read"))?.map(|history| history.is_untouched());
            if let Some(is_untouched) = btrfs.or(xfs) {
                found.has_unread = true;
                found.is_used |= !is_untouched;
            }
            let history = VolumeHistory::read(&mut open().map_err(self.failed("seek in"))?);
            let Some(history) = history.map_err(self.failed("read"))? else {
                continue;
            };
            found.is_used |= !history.is_untouched();
            let generations = self.generations(open().map_err(self.failed("seek in"))?)?;
            // A filesystem of ours that cannot be read was left in the middle of something.
            let is_store = !generations.is_empty() || partition.name == STORE_LABEL && !history.is_untouched();
            if is_store && found.image.is_none() {
                let esp = layout.partitions.iter().find(|partition| partition.type_guid == TYPE_ESP);
                found.image = Some(ExistingImage {
                    generations,
                    disk_bytes: layout.length_bytes,
                    esp_bytes: esp.map_or(0, |esp| esp.length_bytes),
                    sector_size: layout.sector_size,
                });
            }
        }
        Ok(found)
    }

    /// The generations of the profile in a partition; none where there is no profile that can be read.
    ///
    /// Errors when they are not in this store.
    fn generations(&self, volume: Window<File>) -> Result<Vec<ImageGeneration>, ImageError> {
        let Ok(filesystem) = Ext4::load(Box::new(Volume(volume))) else {
            return Ok(Vec::new());
        };
        let unreadable =
            |error: ext4_view::Ext4Error| self.foreign("its store partition is unreadable", Some(error.into()));
        let Some(entries) = PROFILES.iter().find_map(|folder| filesystem.read_dir(*folder).ok()) else {
            return Ok(Vec::new());
        };
        let mut generations = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let Some(number) = name.as_str().ok().and_then(generation_number) else {
                continue;
            };
            let target = filesystem.read_link(&entry.path()).map_err(unreadable)?;
            let target = PathBuf::from(OsStr::from_bytes(target.as_ref()));
            let toplevel: Option<StorePath> = target.to_str().and_then(|target| self.dir.parse(target).ok());
            let toplevel =
                toplevel.ok_or_else(|| self.foreign("a generation of its profile is in another store", None))?;
            generations.push(ImageGeneration { number, toplevel });
        }
        generations.sort_by_key(|generation| generation.number);
        Ok(generations)
    }
}

/// The number in `system-N-link`.
fn generation_number(name: &str) -> Option<u32> {
    name.strip_prefix("system-")?.strip_suffix("-link")?.parse().ok()
}

/// A partition as the reader of ext4 wants it.
struct Volume(Window<File>);

impl Ext4Read for Volume {
    fn read(&mut self, start_byte: u64, bytes: &mut [u8]) -> Result<(), Cause> {
        self.0.seek(SeekFrom::Start(start_byte))?;
        Ok(self.0.read_exact(bytes)?)
    }
}
