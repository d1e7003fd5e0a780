//! An ESP that is mounted somewhere.
//!
//! Does not mount it and does not check that it is FAT; a plain directory serves in tests.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::{DirectoryEntry, EspError, EspFs, EspPath, Space, failed};

/// A directory that is the root of an ESP.
#[derive(Debug)]
pub struct DirectoryEsp {
    root: PathBuf,
}

impl DirectoryEsp {
    /// The ESP mounted at `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        DirectoryEsp { root }
    }

    fn host_path(&self, path: &EspPath) -> PathBuf {
        self.root.join(path.as_relative())
    }

    /// Makes a change of a directory's entries durable.
    fn sync_directory(&self, path: &EspPath) -> io::Result<()> {
        File::open(self.host_path(path))?.sync_all()
    }
}

impl EspFs for DirectoryEsp {
    fn list(&mut self, directory: &EspPath) -> Result<Vec<DirectoryEntry>, EspError> {
        let list = || -> io::Result<Vec<DirectoryEntry>> {
            let mut entries = Vec::new();
            for entry in fs_err::read_dir(self.host_path(directory))? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                // A name that is no text cannot be one of ours and is left alone.
                if let Ok(name) = entry.file_name().into_string() {
                    let size_bytes = (!metadata.is_dir()).then_some(metadata.len());
                    entries.push(DirectoryEntry { name, size_bytes });
                }
            }
            Ok(entries)
        };
        match list() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result.map_err(failed("list", directory)),
        }
    }

    fn read(&mut self, path: &EspPath) -> Result<Vec<u8>, EspError> {
        std::fs::read(self.host_path(path)).map_err(failed("read", path))
    }

    fn create_directory(&mut self, path: &EspPath) -> Result<(), EspError> {
        match std::fs::create_dir(self.host_path(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result.map_err(failed("create the directory", path)),
        }
    }

    fn write(&mut self, path: &EspPath, contents: &mut dyn Read) -> Result<(), EspError> {
        let mut write = || {
            let mut file = File::create(self.host_path(path))?;
            io::copy(contents, &mut file)?;
            file.flush()?;
            file.sync_all()?;
            self.sync_directory(&path.parent())
        };
        write().map_err(failed("write", path))
    }

    fn rename(&mut self, from: &EspPath, to: &EspPath) -> Result<(), EspError> {
        std::fs::rename(self.host_path(from), self.host_path(to)).map_err(failed("rename", from))?;
        self.sync_directory(&to.parent()).map_err(failed("rename", from))
    }

    fn remove(&mut self, path: &EspPath) -> Result<(), EspError> {
        std::fs::remove_file(self.host_path(path)).map_err(failed("remove", path))
    }

    fn sync(&mut self) -> Result<(), EspError> {
        let root = EspPath::root();
        let directory = File::open(&self.root).map_err(failed("sync", &root))?;
        nix::unistd::syncfs(directory).map_err(|errno| failed("sync", &root)(errno.into()))
    }

    fn space(&mut self) -> Result<Space, EspError> {
        let root = EspPath::root();
        let status = nix::sys::statvfs::statvfs(&self.root).map_err(|errno| failed("measure", &root)(errno.into()))?;
        let cluster_bytes = status.fragment_size();
        Ok(Space { free_bytes: status.blocks_available() * cluster_bytes, cluster_bytes })
    }
}
