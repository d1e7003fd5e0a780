//! A generation's /etc and /usr as they would be seen on the machine, read from the store without mounting anything: the
//! `etc` tree and the `sw` link tree of a toplevel.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::file::Unit;
use crate::root::{Root, read_if_present, resolve_links};

/// Where unit files are, the stronger first.
const UNIT_DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];

/// A generation to look things up in.
#[derive(Debug, Clone)]
pub struct GenerationView {
    root: Root,
    etc: PathBuf,
    usr: PathBuf,
}

/// What a unit's name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No file.
    Missing,
    /// Disabled for good by a link to /dev/null or an empty file.
    Masked,
    /// The unit with all its drop-ins.
    Unit(Unit),
}

impl GenerationView {
    /// The view of a toplevel, a target path. Errors when a link of it cannot be read.
    pub fn of(root: &Root, toplevel: &Path) -> io::Result<Self> {
        let etc = root.resolve_target(toplevel.join("etc"))?;
        let software = root.resolve_target(toplevel.join("sw"))?;
        let merged = software.join("usr");
        let usr = if root.path(&merged).is_dir() { merged } else { software };
        Ok(Self { root: root.clone(), etc, usr })
    }

    /// Where a path of the machine would lead in this generation: usually into a package of the store.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        resolve_links(path, |candidate| match candidate.to_str() {
            Some("/etc") => Ok(self.etc.clone()),
            Some("/usr") => Ok(self.usr.clone()),
            Some("/bin" | "/sbin" | "/lib" | "/lib64") => {
                Ok(Path::new("usr").join(candidate.strip_prefix("/").unwrap_or(candidate)))
            }
            // A link of /etc/static is one of this generation, not of the one that runs.
            _ => fs::read_link(self.root.path(candidate)),
        })
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let resolved = self.resolve(path)?;
        if resolved == Path::new("/dev/null") {
            return Ok(Some(Vec::new()));
        }
        read_if_present(&self.root.path(resolved))
    }

    /// Where a path leads, if a regular file is there.
    pub(super) fn file(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let place = self.resolve(path)?;
        Ok(self.root.path(&place).is_file().then_some(place))
    }

    /// Opens what [`GenerationView::file`] found.
    pub(super) fn open(&self, place: &Path) -> io::Result<fs::File> {
        fs::File::open(self.root.path(place))
    }

    /// Whether two generations have one and the same /usr.
    pub(super) fn shares_usr_with(&self, other: &Self) -> bool {
        self.usr == other.usr
    }

    /// Sorted names in a directory; none when it is absent.
    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let host_path = self.root.path(self.resolve(directory)?);
        let entries = match fs::read_dir(host_path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Looks a unit up by its full name; an instance finds its template.
    pub(super) fn unit(&self, name: &str) -> io::Result<Found> {
        for candidate in std::iter::once(name.to_owned()).chain(template_of(name)) {
            for directory in UNIT_DIRECTORIES {
                let Some(content) = self.read(&Path::new(directory).join(&candidate))? else {
                    continue;
                };
                if content.is_empty() {
                    return Ok(Found::Masked);
                }
                let mut unit = Unit::parse(&String::from_utf8_lossy(&content));
                self.merge_drop_ins(name, &mut unit)?;
                return Ok(Found::Unit(unit));
            }
        }
        Ok(Found::Missing)
    }

    /// Drop-ins in systemd's order: by file name over all directories; of one name, the most specific directory wins.
    fn merge_drop_ins(&self, name: &str, unit: &mut Unit) -> io::Result<()> {
        let mut chosen: std::collections::BTreeMap<String, PathBuf> = std::collections::BTreeMap::new();
        for drop_in_directory in drop_in_directories(name) {
            for base in UNIT_DIRECTORIES {
                let directory = Path::new(base).join(&drop_in_directory);
                for file in self.list(&directory)?.into_iter().filter(|file| file.ends_with(".conf")) {
                    let path = directory.join(&file);
                    chosen.entry(file).or_insert(path);
                }
            }
        }
        for path in chosen.into_values() {
            if let Some(content) = self.read(&path)? {
                unit.merge(&String::from_utf8_lossy(&content));
            }
        }
        Ok(())
    }

    /// The units in `<name>.<suffix>/` directories: `wants`, `requires`, `upholds`.
    pub(super) fn linked_units(&self, name: &str, suffix: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for candidate in std::iter::once(name.to_owned()).chain(template_of(name)) {
            for base in UNIT_DIRECTORIES {
                names.extend(self.list(&Path::new(base).join(format!("{candidate}.{suffix}")))?);
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Units that have such a directory but no file of their own: devices, mostly.
    pub(super) fn device_dependents(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for base in UNIT_DIRECTORIES {
            for directory in self.list(Path::new(base))? {
                if directory.ends_with(".device.wants") || directory.ends_with(".device.requires") {
                    names.extend(self.list(&Path::new(base).join(directory))?);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The name that a unit's links end in: `dbus-org.freedesktop.login1.service` → `systemd-logind.service`.
    pub(super) fn canonical_name(&self, name: &str) -> io::Result<String> {
        for directory in UNIT_DIRECTORIES {
            let path = self.resolve(&Path::new(directory).join(name))?;
            if !self.root.path(&path).is_file() {
                continue;
            }
            // Content may lie anywhere in the store under any name; an alias ends in another unit of a unit directory.
            let is_alias = path.parent().is_some_and(|parent| parent.ends_with("systemd/system"));
            let target = path.file_name().and_then(|target| target.to_str()).filter(|_| is_alias);
            return Ok(target.unwrap_or(name).to_owned());
        }
        Ok(name.to_owned())
    }
}

/// `a@b.service` → `a@.service`.
pub(super) fn template_of(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, kind) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

/// `a.service` → `service`.
pub(super) fn kind_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, kind)| kind)
}

/// The directories in which systemd looks for drop-ins, the most specific first: the unit's, its template's, those of
/// its dashed prefixes (`foo-.service.d`), its kind's.
fn drop_in_directories(name: &str) -> Vec<String> {
    let kind = kind_of(name);
    let mut directories = vec![format!("{name}.d")];
    directories.extend(template_of(name).map(|template| format!("{template}.d")));
    let stem = name.strip_suffix(kind).unwrap_or(name).trim_end_matches('.');
    let mut prefix = stem.trim_end_matches('-');
    while let Some((shorter, _)) = prefix.rsplit_once('-') {
        directories.push(format!("{shorter}-.{kind}.d"));
        prefix = shorter;
    }
    directories.push(format!("{kind}.d"));
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_templates_and_prefixes() {
        assert_eq!(template_of("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template_of("getty@.service"), None);
        assert_eq!(template_of("a.service"), None);
        assert_eq!(
            drop_in_directories("a-b@c.service"),
            ["a-b@c.service.d", "a-b@.service.d", "a-.service.d", "service.d"]
        );
    }
}
