//! The image's file: refusing names that must not be replaced, writing beside, renaming at the end.
//!
//! Knows nothing of what is written.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use disk_formats::window::Window;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

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

/// Makes the folder of an image that is several files.
pub(crate) fn make_folder(path: &Path) -> Result<(), ImageError> {
    let failed = |source| ImageError::Io { action: "make the folder", path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)
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

/// How files end that have no name yet: what is written, and what that is converted to.
const PART_SUFFIX: &str = ".esker-part";
const SUCCESSOR_SUFFIX: &str = ".esker-converted";

/// A file that gets its name when it is complete, and vanishes otherwise. One process at a time has one of a name; what a
/// process left that was killed is written over by the next.
pub(crate) struct Output {
    file: Flock<File>,
    /// What it is called for now; nothing once it has its name.
    part: Option<PathBuf>,
    path: PathBuf,
    /// The file that this one was made of. It holds the lock that others look at.
    _predecessor: Option<Box<Output>>,
}

impl Output {
    /// An empty file beside `path`.
    ///
    /// Errors when another process writes one.
    pub(crate) fn create(path: &Path) -> Result<Self, ImageError> {
        Self::create_as(path, PART_SUFFIX)
    }

    /// Another empty file for the same name, of what is in this one.
    pub(crate) fn successor(self) -> Result<Self, ImageError> {
        let mut successor = Self::create_as(&self.path, SUCCESSOR_SUFFIX)?;
        successor._predecessor = Some(Box::new(self));
        Ok(successor)
    }

    fn create_as(path: &Path, suffix: &str) -> Result<Self, ImageError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(suffix);
        let part = path.with_file_name(name);
        let failed = |action| move |source| ImageError::Io { action, path: path.to_owned(), source };
        loop {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(0o644);
            let file = options.open(&part).map_err(failed("create"))?;
            let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((_, Errno::EWOULDBLOCK)) => return Err(ImageError::Busy { path: path.to_owned() }),
                Err((_, errno)) => return Err(failed("lock")(errno.into())),
            };
            // Between opening and locking its owner may have given it its name, or deleted it.
            if is_at(&file, &part) {
                file.set_len(0).map_err(failed("empty"))?;
                return Ok(Output { file, part: Some(part), path: path.to_owned(), _predecessor: None });
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Another handle with a position of its own.
    pub(crate) fn reopen(&self) -> Result<File, ImageError> {
        let part = self.part.as_deref().unwrap_or(&self.path);
        File::options().read(true).write(true).open(part).map_err(self.failed("open"))
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
    pub(crate) fn finish(mut self) -> Result<(), ImageError> {
        self.file().sync_all().map_err(self.failed("sync"))?;
        if let Some(part) = &self.part {
            std::fs::rename(part, &self.path).map_err(self.failed("rename to"))?;
        }
        self.part = None;
        Ok(())
    }

    /// Turns an I/O error into one that names the image.
    pub(crate) fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> ImageError + use<> {
        let path = self.path.clone();
        move |source| ImageError::Io { action, path: path.clone(), source }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // What stays is written over by the next image of this name.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// Whether a path leads to an open file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    path.metadata().is_ok_and(|there| file.metadata().is_ok_and(|open| identity(open) == identity(there)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{Output, PART_SUFFIX, SUCCESSOR_SUFFIX, check, users_of_device};

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
    fn what_a_killed_process_left_is_written_over() {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("disk.img");
        let others = ["other.img", ".disk.img.backup"].map(|name| folder.path().join(name));
        let remains = [PART_SUFFIX, SUCCESSOR_SUFFIX].map(|suffix| folder.path().join(format!(".disk.img{suffix}")));
        others.iter().chain(&remains).for_each(|path| fs::write(path, "remains").unwrap());
        let output = Output::create(&image).unwrap().successor().unwrap();
        assert_eq!(output.length().unwrap(), 0);
        output.finish().unwrap();
        assert!(image.exists() && others.iter().all(|path| path.exists()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn one_at_a_time_writes_an_image() {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("disk.img");
        let refused = || Output::create(&image).err().expect("a refusal").to_string();
        let first = Output::create(&image).unwrap();
        let text = format!("`{}` is being written by another `esker image`", image.display());
        assert_eq!(refused(), text);
        // A form that it is converted to is as much somebody's.
        let converted = first.successor().unwrap();
        assert_eq!(refused(), text);
        Output::create(&folder.path().join("other.img")).unwrap();
        drop(converted);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Output::create(&image).unwrap().finish().unwrap();
        Output::create(&image).unwrap();
        assert!(image.exists());
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
