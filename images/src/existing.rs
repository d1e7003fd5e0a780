//! An image that exists: which generations it has, and whether a machine has used it since it was made.
//!
//! Reads only. The generations are those of the system profile in the store partition: the boot menu may have fewer. What
//! a machine wrote is never looked at: an image that was used is refused, because writing it anew would lose that.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use disk_formats::ext4::VolumeHistory;
use disk_formats::gpt::{DiskLayout, Partition, SECTOR_BYTES};
use disk_formats::window::Window;
use ext4_view::{Ext4, Ext4Read};
use nix_formats::{StoreDir, StorePath};
use store::Store;

use crate::{ESP_LABEL, ImageError, ImageGeneration, STORE_LABEL};

/// Where the system profile is in the store partition.
const PROFILES: &str = "/var/nix/profiles";

/// What is known of an image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingImage {
    /// The generations of its system profile, by number; at least one.
    pub generations: Vec<ImageGeneration>,
    /// The disk's length.
    pub disk_bytes: u64,
    /// The length of the EFI system partition.
    pub esp_bytes: u64,
}

impl ExistingImage {
    /// Looks into an image; `dir` is the logical store of its generations.
    ///
    /// Errors when it cannot be read, Esker did not make it, or a machine has used it.
    pub fn read(path: &Path, dir: &StoreDir) -> Result<Self, ImageError> {
        let reader = Reader { path, dir };
        let failed = |action| move |source| ImageError::Io { action, path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(reader.foreign("there is no such file", None));
            }
            result => result.map_err(failed("open"))?,
        };
        let disk_bytes = file.metadata().map_err(failed("examine"))?.len();
        let disk = DiskLayout::read_from(&mut file)
            .map_err(|error| reader.foreign("it has no partition table", Some(error.into())))?;
        let [esp, store] = disk.partitions.as_slice() else {
            return Err(reader.foreign("it has other partitions", None));
        };
        if esp.name != ESP_LABEL || store.name != STORE_LABEL {
            return Err(reader.foreign("it has other partitions", None));
        }
        let mut volume = window(file, store).map_err(failed("seek in"))?;
        match VolumeHistory::read(&mut volume).map_err(failed("read"))? {
            Some(history) if history.label != STORE_LABEL.as_bytes() => {
                return Err(reader.foreign("its store partition has another filesystem", None));
            }
            None => return Err(reader.foreign("its store partition has no ext4 filesystem", None)),
            Some(history) if !history.is_untouched() => return Err(ImageError::Used { path: path.to_owned() }),
            Some(_) => {}
        }
        let generations = reader.generations(volume)?;
        Ok(ExistingImage { generations, disk_bytes, esp_bytes: esp.sectors * SECTOR_BYTES })
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
    Window::new(file, partition.first.offset_bytes(), partition.sectors * SECTOR_BYTES)
}

struct Reader<'a> {
    path: &'a Path,
    dir: &'a StoreDir,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Reader<'_> {
    fn foreign(&self, what: &'static str, source: Option<Cause>) -> ImageError {
        ImageError::NotEskers { path: self.path.to_owned(), what, source }
    }

    /// The generations of the profile in the store partition.
    fn generations(&self, volume: Window<File>) -> Result<Vec<ImageGeneration>, ImageError> {
        let unreadable =
            |error: ext4_view::Ext4Error| self.foreign("its store partition is unreadable", Some(error.into()));
        let filesystem = Ext4::load(Box::new(Volume(volume))).map_err(unreadable)?;
        let mut generations = Vec::new();
        for entry in filesystem.read_dir(PROFILES).map_err(unreadable)? {
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
        match generations.is_empty() {
            true => Err(self.foreign("its profile has no generation", None)),
            false => Ok(generations),
        }
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
