//! The image's file: refusing names that must not be replaced, writing beside, renaming at the end.
//!
//! Knows nothing of what is written.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use disk_formats::window::Window;
use store::{FileLock, LockMode};
use tempfile::NamedTempFile;

use crate::ImageError;

/// Refuses an output that exists and is no regular file; of a device it says whether it is in use.
pub(crate) fn check(path: &Path) -> Result<(), ImageError> {
    let refuse = |what: String| {
        Err(ImageError::Output { path: path.to_owned(), what: format!("{what}; give the name of a file") })
    };
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(ImageError::Io { action: "look at", path: path.to_owned(), source });
        }
    };
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_block_device() {
        return match users_of_device(metadata.rdev(), Path::new("/")) {
            Some(user) => refuse(format!("is a device in use ({user})")),
            None => refuse("is a device".to_owned()),
        };
    }
    refuse(if kind.is_dir() { "is a directory" } else { "is not a file" }.to_owned())
}

/// Refuses an output that exists and is no folder.
pub(crate) fn check_folder(path: &Path) -> Result<(), ImageError> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_dir() => {
            Err(ImageError::Output { path: path.to_owned(), what: "is a file; give the name of a folder".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Who uses a block device or a partition of it: a mount point or swap. `root` is where `/proc` and `/sys` are.
fn users_of_device(device: u64, root: &Path) -> Option<String> {
    // The kernel's encoding of device numbers in user space.
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let sys = root.join(format!("sys/dev/block/{major}:{minor}"));
    let mut numbers = vec![format!("{major}:{minor}")];
    let mut names = vec![device_name(&sys)];
    for entry in sys.read_dir().into_iter().flatten().flatten() {
        let number = std::fs::read_to_string(entry.path().join("dev"));
        if let (true, Ok(number)) = (entry.path().join("partition").exists(), number) {
            numbers.push(number.trim().to_owned());
            names.push(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    let mounts = std::fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let number = fields.next()?;
        let mount_point = fields.nth(1)?;
        numbers.iter().any(|known| known == number).then(|| format!("mounted on {mount_point}"))
    });
    let swaps = std::fs::read_to_string(root.join("proc/swaps")).unwrap_or_default();
    let swap = swaps.lines().skip(1).find_map(|line| {
        let name = line.split_whitespace().next()?.rsplit('/').next()?;
        names.iter().flatten().any(|known| known == name).then(|| "as swap".to_owned())
    });
    mount.or(swap)
}

fn device_name(sys: &Path) -> Option<String> {
    let target = std::fs::read_link(sys).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// How files end that have no name yet.
const PART_SUFFIX: &str = ".esker-part";

/// A file that gets its name when it is complete, and vanishes otherwise.
pub(crate) struct Output {
    file: NamedTempFile,
    path: PathBuf,
    /// Tells the file from the remains of a process that died.
    _lock: FileLock,
}

impl Output {
    /// An empty file beside `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, ImageError> {
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
        remove_remains(folder, &prefix)?;
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(PART_SUFFIX)
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(|source| ImageError::Io { action: "create", path: path.to_owned(), source })?;
        let lock = FileLock::wait(file.path(), LockMode::Exclusive)?;
        Ok(Output { file, path: path.to_owned(), _lock: lock })
    }

    /// Another empty file for the same name.
    pub(crate) fn beside(&self) -> Result<Self, ImageError> {
        Self::create(&self.path)
    }

    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Another handle with a position of its own.
    pub(crate) fn reopen(&self) -> Result<File, ImageError> {
        self.file.reopen().map_err(self.failed("open"))
    }

    /// A part of the file as a whole one.
    pub(crate) fn window(&self, start_bytes: u64, length_bytes: u64) -> Result<Window<File>, ImageError> {
        Window::new(self.reopen()?, start_bytes, length_bytes).map_err(self.failed("seek in"))
    }

    /// The file's length.
    pub(crate) fn length(&self) -> Result<u64, ImageError> {
        Ok(self.file().metadata().map_err(self.failed("examine"))?.len())
    }

    /// Makes the contents durable and gives the file its name.
    pub(crate) fn finish(self) -> Result<(), ImageError> {
        self.file().sync_all().map_err(self.failed("sync"))?;
        let path = self.path;
        self.file.persist(&path).map_err(|error| ImageError::Io { action: "rename to", path, source: error.error })?;
        Ok(())
    }

    /// Turns an I/O error into one that names the image.
    pub(crate) fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> ImageError + use<> {
        let path = self.path.clone();
        move |source| ImageError::Io { action, path: path.clone(), source }
    }
}

/// Removes what processes left that were killed while they wrote an image of this name: nobody holds its lock.
fn remove_remains(folder: &Path, prefix: &str) -> Result<(), ImageError> {
    let failed = |action| move |source| ImageError::Io { action, path: folder.to_owned(), source };
    for entry in folder.read_dir().map_err(failed("list"))? {
        let entry = entry.map_err(failed("list"))?;
        let name = entry.file_name();
        let is_part = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(PART_SUFFIX));
        if is_part && FileLock::try_lock(&entry.path(), LockMode::Exclusive)?.is_some() {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|source| ImageError::Io { action: "remove", path, source })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{Output, PART_SUFFIX, check, users_of_device};

    fn device(major: u64, minor: u64) -> u64 {
        major << 8 | minor
    }

    #[test]
    fn a_disk_with_a_mounted_partition_is_in_use() {
        let root = TempDir::new().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/dev/block/8:0/sda1/partition", "1\n");
        write("sys/dev/block/8:0/sda1/dev", "8:1\n");
        write("sys/dev/block/8:16/queue/dev", "9:9\n");
        write("proc/self/mountinfo", "22 1 8:1 / /home rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
        write("proc/swaps", "Filename Type\n/dev/sda1 partition 1 0 -2\n");
        assert_eq!(users_of_device(device(8, 0), root.path()).as_deref(), Some("mounted on /home"));
        assert_eq!(users_of_device(device(8, 16), root.path()), None);
        fs::remove_file(root.path().join("proc/self/mountinfo")).unwrap();
        assert_eq!(users_of_device(device(8, 0), root.path()).as_deref(), Some("as swap"));
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_another_one_writes_stays() {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("disk.img");
        let others = ["other.img", ".disk.img.backup"].map(|name| folder.path().join(name));
        let remains = folder.path().join(format!(".disk.img.abc{PART_SUFFIX}"));
        others.iter().chain([&remains]).for_each(|path| fs::write(path, "").unwrap());
        let running = Output::create(&image).unwrap();
        let second = Output::create(&image).unwrap();
        assert!(!remains.exists() && others.iter().all(|path| path.exists()));
        running.finish().unwrap();
        second.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let folder = TempDir::new().unwrap();
        let error = check(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("is a directory; give the name of a file"), "{error}");
        assert!(check(Path::new("/dev/null")).unwrap_err().to_string().contains("is not a file"));
        fs::write(folder.path().join("old"), "").unwrap();
        check(&folder.path().join("old")).unwrap();
        check(&folder.path().join("new")).unwrap();
    }
}
