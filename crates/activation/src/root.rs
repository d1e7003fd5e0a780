//! The directory that stands for `/`, and the few ways in which this crate writes below it.
//!
//! Every absolute path in this crate goes through [`Root`]: on a machine it is `/`, in tests a temporary directory.
//! Nothing here decides what to write.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;

/// How many symbolic links one look-up may follow; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// The directory that stands for `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The machine itself.
    pub fn machine() -> Self {
        Self(PathBuf::from("/"))
    }

    /// Another directory, for tests and for installing.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Whether this is the running machine's own root: kernel state (host name, mounts) is changed only then.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where `target_path` (absolute, as the system sees it) is found from here, without following links.
    pub fn path(&self, target_path: impl AsRef<Path>) -> PathBuf {
        let relative = target_path.as_ref().strip_prefix("/").unwrap_or(target_path.as_ref());
        self.0.join(relative)
    }

    /// Follows every symbolic link as a process chrooted here would. The last component need not exist.
    /// Errors when a chain of links is too long or a component in between cannot be read.
    pub fn resolve(&self, target_path: impl AsRef<Path>) -> io::Result<PathBuf> {
        Ok(self.path(self.resolve_target(target_path)?))
    }

    /// A host path by which a file behind links is opened. On the machine the kernel follows them.
    pub(crate) fn opening_path(&self, target_path: &Path) -> io::Result<PathBuf> {
        if self.is_machine() { Ok(target_path.to_owned()) } else { self.resolve(target_path) }
    }

    /// Like [`Root::resolve`], but the answer is a target path (it begins with `/` and knows no prefix).
    pub fn resolve_target(&self, target_path: impl AsRef<Path>) -> io::Result<PathBuf> {
        resolve_links(target_path.as_ref(), |directory| fs::read_link(self.path(directory)))
    }
}

/// Resolves the links of an absolute path, `read_link` being the only access to the world: it answers
/// `InvalidInput` for what is no link and `NotFound` for what is absent, as `readlink(2)` does.
pub(crate) fn resolve_links(path: &Path, read_link: impl Fn(&Path) -> io::Result<PathBuf>) -> io::Result<PathBuf> {
    let mut pending: Vec<OsString> = components_reversed(path);
    let mut resolved = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let candidate = resolved.join(&name);
        match read_link(&candidate) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    let text = format!("too many symbolic links in `{}`", path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                pending.extend(components_reversed(&target));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                resolved = candidate;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(resolved)
}

fn components_reversed(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Mode and numeric owner of a file to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// Permission bits, including setuid, setgid and sticky.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

/// Whether a write must survive a power cut, or lives in a tmpfs where waiting for a disk would only cost time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `fsync` the file before the rename and its directory after it.
    Synced,
    /// No waiting: the file system forgets at power-off anyway.
    Volatile,
}

/// Replaces `path` by a regular file in one rename; readers see the old or the new content, never a part.
pub(crate) fn replace_file(path: &Path, content: &[u8], owner: Ownership, durability: Durability) -> io::Result<()> {
    let temporary = temporary_name(path);
    let mut file = create_private(&temporary)?;
    file.write_all(content)?;
    // Owner first: chown clears the setuid bits that the mode may ask for.
    set_owner(&temporary, owner)?;
    fs::set_permissions(&temporary, std::fs::Permissions::from_mode(owner.mode))?;
    if durability == Durability::Synced {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)?;
    if durability == Durability::Synced {
        fs::File::open(parent(path))?.sync_all()?;
    }
    Ok(())
}

/// Replaces whatever non-directory stands at `path` by a symbolic link, in one rename.
pub(crate) fn replace_link(path: &Path, target: &Path) -> io::Result<()> {
    match fs::os::unix::fs::symlink(target, path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let temporary = temporary_name(path);
    remove_if_present(&temporary)?;
    fs::os::unix::fs::symlink(target, &temporary)?;
    fs::rename(&temporary, path)
}

/// Gives a file (never what a link points to) its owner; skipped when it has that owner already, so that an
/// unprivileged test can write files of its own.
pub(crate) fn set_owner(path: &Path, owner: Ownership) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let current = fs::symlink_metadata(path)?;
    if (current.uid(), current.gid()) == (owner.uid, owner.gid) {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(owner.uid), Some(owner.gid))
        .map_err(|error| io::Error::new(error.kind(), format!("failed to chown `{}`: {error}", path.display())))
}

/// Removes a file or link; absence is fine.
pub(crate) fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads a file that may be absent.
pub(crate) fn read_if_present(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Secrets pass through here: nobody else reads the file before it has its owner and mode. What a killed activation left
/// under this name goes.
fn create_private(path: &Path) -> io::Result<fs::File> {
    let create = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        fs::OpenOptions::from_options(options).open(path)
    };
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        result => result,
    }
}

/// A name beside `path` that no unit, cron or conf.d scanner takes for its own: hidden, and never a known suffix.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".esker-new");
    path.with_file_name(name)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn mine() -> Ownership {
        let here = std::fs::metadata("/proc/self").unwrap();
        Ownership { mode: 0o640, uid: here.uid(), gid: here.gid() }
    }

    #[test]
    fn absolute_links_stay_inside_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        std::fs::create_dir_all(root.path("/nix/store/a-top/etc")).unwrap();
        std::fs::create_dir_all(root.path("/run")).unwrap();
        symlink("/nix/store/a-top", root.path("/run/current-system")).unwrap();
        symlink("current-system/../a-top/etc", root.path("/run/here")).unwrap();
        assert_eq!(root.resolve("/run/current-system/etc").unwrap(), root.path("/nix/store/a-top/etc"));
        assert_eq!(root.resolve_target("/run/here").unwrap(), Path::new("/nix/store/a-top/etc"));
        assert_eq!(root.resolve_target("/run/../../absent/x").unwrap(), Path::new("/absent/x"));
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        symlink("/b", root.path("/a")).unwrap();
        symlink("/a", root.path("/b")).unwrap();
        let text = root.resolve("/a").unwrap_err().to_string();
        assert_eq!(text, "too many symbolic links in `/a`");
    }

    #[test]
    fn what_a_killed_activation_left_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(temporary_name(&path), "half").unwrap();
        replace_file(&path, b"text", mine(), Durability::Volatile).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
        assert!(!temporary_name(&path).exists());
    }

    #[test]
    fn files_and_links_are_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        replace_link(&path, Path::new("one")).unwrap();
        replace_link(&path, Path::new("two")).unwrap();
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("two"));
        replace_file(&path, b"text", mine(), Durability::Synced).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file stays");
    }
}
