//! An ESP inside an image file or on an unmounted partition.
//!
//! Renaming over an existing file removes that file first, so this is for images that nobody boots meanwhile.

use std::io::{self, Read, Seek, Write};

use disk_formats::fat::{FatError, with_filesystem};
use fatfs::{Dir, FileSystem};

use super::{DirectoryEntry, EspError, EspFs, EspPath, Space, failed};

/// Bytes copied at a time; many clusters, so that the crate's bookkeeping is not the cost.
const COPY_BYTES: usize = 1 << 20;

/// The filesystem of an ESP that is open.
pub struct FatEsp<'a, D: Read + Write + Seek> {
    filesystem: &'a FileSystem<D>,
}

/// Opens the FAT filesystem of a volume as an ESP, lets `work` use it, and closes it.
///
/// Errors when there is no such filesystem, when `work` fails, or when the last changes cannot be written.
pub fn with_fat_esp<D, R, E>(volume: &mut D, work: impl FnOnce(&mut dyn EspFs) -> Result<R, E>) -> Result<R, E>
where
    D: Read + Write + Seek,
    E: From<FatError>,
{
    with_filesystem(volume, |filesystem| work(&mut FatEsp { filesystem }))
}

impl<'a, D: Read + Write + Seek> FatEsp<'a, D> {
    /// The directory at a path.
    fn directory(&self, path: &EspPath) -> io::Result<Dir<'a, D>> {
        let root = self.filesystem.root_dir();
        match path.as_relative() {
            "" => Ok(root),
            relative => root.open_dir(relative),
        }
    }

    fn exists(&self, path: &EspPath) -> io::Result<bool> {
        let directory = self.directory(&path.parent())?;
        for entry in directory.iter() {
            if entry?.file_name().eq_ignore_ascii_case(path.name()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<D: Read + Write + Seek> EspFs for FatEsp<'_, D> {
    fn list(&mut self, directory: &EspPath) -> Result<Vec<DirectoryEntry>, EspError> {
        let list = || -> io::Result<Vec<DirectoryEntry>> {
            let mut entries = Vec::new();
            for entry in self.directory(directory)?.iter() {
                let entry = entry?;
                let name = entry.file_name();
                if name != "." && name != ".." {
                    entries.push(DirectoryEntry { name, size_bytes: entry.is_file().then(|| entry.len()) });
                }
            }
            Ok(entries)
        };
        match list() {
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            result => result.map_err(failed("list", directory)),
        }
    }

    fn read(&mut self, path: &EspPath) -> Result<Vec<u8>, EspError> {
        let read = || {
            let mut contents = Vec::new();
            self.filesystem.root_dir().open_file(path.as_relative())?.read_to_end(&mut contents)?;
            Ok(contents)
        };
        read().map_err(failed("read", path))
    }

    fn create_directory(&mut self, path: &EspPath) -> Result<(), EspError> {
        let created = self.filesystem.root_dir().create_dir(path.as_relative());
        created.map(drop).map_err(as_full).map_err(failed("create the directory", path))
    }

    fn write(&mut self, path: &EspPath, contents: &mut dyn Read) -> Result<(), EspError> {
        let mut write = || {
            let mut file = self.filesystem.root_dir().create_file(path.as_relative())?;
            file.truncate()?;
            let mut buffer = vec![0; COPY_BYTES];
            loop {
                match contents.read(&mut buffer)? {
                    0 => return file.flush(),
                    count => file.write_all(&buffer[..count])?,
                }
            }
        };
        write().map_err(as_full).map_err(failed("write", path))
    }

    fn rename(&mut self, from: &EspPath, to: &EspPath) -> Result<(), EspError> {
        let rename = || {
            let root = self.filesystem.root_dir();
            if from != to && self.exists(to)? {
                root.remove(to.as_relative())?;
            }
            root.rename(from.as_relative(), &root, to.as_relative())
        };
        rename().map_err(failed("rename", from))
    }

    fn remove(&mut self, path: &EspPath) -> Result<(), EspError> {
        self.filesystem.root_dir().remove(path.as_relative()).map_err(failed("remove", path))
    }

    fn sync(&mut self) -> Result<(), EspError> {
        // Durability comes with the image as a whole: its writer syncs it before it gets its name.
        Ok(())
    }

    fn space(&mut self) -> Result<Space, EspError> {
        let stats = self.filesystem.stats().map_err(failed("measure", &EspPath::root()))?;
        let cluster_bytes = u64::from(stats.cluster_size());
        Ok(Space { free_bytes: u64::from(stats.free_clusters()) * cluster_bytes, cluster_bytes })
    }
}

/// The crate tells a full filesystem by its words alone.
fn as_full(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other if error.to_string() == "No space left on device" => {
            io::Error::new(io::ErrorKind::StorageFull, error)
        }
        _ => error,
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
