//! What a machine needs besides /etc and accounts: the directories and links of the root file system, the host name, the
//! machine-id, the owners of persisted paths, and the links that say which generation is current and which was booted.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use crate::accounts::AccountsPlan;
use crate::persistence::{PersistStep, apply_persist_step};
use crate::root::{Durability, Ownership, Root, read_if_present, replace_file, replace_link, set_owner};
use crate::toplevel::{Mode, PersistedPath, Toplevel};

/// The link that names the generation that runs.
pub const CURRENT_SYSTEM: &str = "/run/current-system";
/// The link that names the generation whose kernel runs.
pub const BOOTED_SYSTEM: &str = "/run/booted-system";

/// Directories of the root file system. Stage 1 mounts some of them; here they are only made if absent.
const DIRECTORIES: [(&str, u32); 10] = [
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/tmp", 0o1777),
    ("/var", 0o755),
];

/// Debian's merged /usr. Only those that the view has: arm64 knows no lib64.
const MERGED_USR: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Links that keep the running and the booted generation from being collected.
const GC_ROOTS: [(&str, &str); 2] =
    [("/nix/var/nix/gcroots/booted-system", BOOTED_SYSTEM), ("/nix/var/nix/gcroots/current-system", CURRENT_SYSTEM)];

/// Whether the machine is just booting: then the booted generation is set too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Occasion {
    /// Stage 2, before systemd.
    Boot,
    /// The system runs.
    Switch,
}

/// One change to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum MachineStep {
    /// Make a directory.
    Directory {
        /// Target path.
        path: PathBuf,
        /// Permission bits.
        mode: Mode,
    },
    /// Make or replace a link.
    Link {
        /// Target path.
        path: PathBuf,
        /// Verbatim target.
        target: PathBuf,
    },
    /// Set the kernel's host name.
    HostName {
        /// The name.
        name: String,
    },
    /// Put the machine-id into /etc; without `id` a new one is made from the kernel's random numbers and persisted.
    MachineId {
        /// The persisted id.
        id: Option<String>,
        /// Where it is persisted.
        persisted: PathBuf,
    },
    /// Keep a path from now on.
    Persist(PersistStep),
    /// Give a persisted path its declared owner.
    Own {
        /// Target path.
        path: PathBuf,
        /// Permission bits.
        mode: Mode,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl fmt::Display for MachineStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, .. } => {
                write!(formatter, "create directory {}", path.display())
            }
            Self::Link { path, target } => {
                write!(formatter, "link {} to {}", path.display(), target.display())
            }
            Self::HostName { name } => write!(formatter, "set the host name to {name}"),
            Self::MachineId { id: Some(_), .. } => write!(formatter, "restore the machine-id"),
            Self::MachineId { id: None, .. } => write!(formatter, "make a machine-id"),
            Self::Persist(step) => write!(formatter, "persist {}", step.path.display()),
            Self::Own { path, .. } => {
                write!(formatter, "correct owner and mode of {}", path.display())
            }
        }
    }
}

/// Looks at the machine and plans what differs, apart from [`CURRENT_SYSTEM`], whose moment is the caller's choice.
pub fn plan_machine(
    root: &Root,
    toplevel: &Toplevel,
    accounts: &AccountsPlan,
    occasion: Occasion,
) -> io::Result<Vec<MachineStep>> {
    let mut steps = Vec::new();
    for (path, mode) in DIRECTORIES {
        if !root.path(path).exists() {
            steps.push(MachineStep::Directory { path: path.into(), mode: Mode(mode) });
        }
    }
    for name in MERGED_USR {
        if root.path("/usr").join(name).exists() {
            plan_link(root, &Path::new("/").join(name), &Path::new("usr").join(name), &mut steps)?;
        }
    }
    if occasion == Occasion::Boot {
        plan_link(root, Path::new(BOOTED_SYSTEM), &toplevel.path, &mut steps)?;
    }
    plan_link(root, Path::new("/etc/static"), Path::new("/run/current-system/etc"), &mut steps)?;
    for (path, target) in GC_ROOTS {
        plan_link(root, Path::new(path), Path::new(target), &mut steps)?;
    }
    plan_host_name(root, &toplevel.config.host_name, &mut steps)?;
    plan_machine_id(root, &toplevel.config.state_directory, &mut steps)?;
    for path in &toplevel.config.persistence {
        plan_owner(root, &toplevel.config.state_directory, path, accounts, &mut steps)?;
    }
    Ok(steps)
}

fn plan_link(root: &Root, path: &Path, target: &Path, steps: &mut Vec<MachineStep>) -> io::Result<()> {
    let is_right = match fs::read_link(root.path(path)) {
        Ok(current) => current == target,
        // A directory there is a person's choice (a foreign /bin, say); replacing it would take their files away.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => root.path(path).is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if !is_right {
        steps.push(MachineStep::Link { path: path.to_owned(), target: target.to_owned() });
    }
    Ok(())
}

fn plan_host_name(root: &Root, name: &str, steps: &mut Vec<MachineStep>) -> io::Result<()> {
    // The kernel has one host name; a directory has none.
    if !root.is_machine() || name.is_empty() {
        return Ok(());
    }
    if fs::read_to_string("/proc/sys/kernel/hostname")?.trim_end() != name {
        steps.push(MachineStep::HostName { name: name.to_owned() });
    }
    Ok(())
}

fn plan_machine_id(root: &Root, state_directory: &Path, steps: &mut Vec<MachineStep>) -> io::Result<()> {
    if read_machine_id(&root.path("/etc/machine-id"))?.is_some() {
        return Ok(());
    }
    let persisted = state_directory.join("etc/machine-id");
    let id = read_machine_id(&root.path(&persisted))?;
    steps.push(MachineStep::MachineId { id, persisted });
    Ok(())
}

/// machine-id(5): 32 lower-case hexadecimal digits, not all zero. Anything else (`uninitialized`) is none.
fn read_machine_id(path: &Path) -> io::Result<Option<String>> {
    let Some(bytes) = read_if_present(path)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let id = text.trim();
    let valid = id.len() == 32
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && id.bytes().any(|byte| byte != b'0');
    Ok(valid.then(|| id.to_owned()))
}

fn plan_owner(
    root: &Root,
    state_directory: &Path,
    declared: &PersistedPath,
    accounts: &AccountsPlan,
    steps: &mut Vec<MachineStep>,
) -> io::Result<()> {
    let uid = declared.user.as_deref().map_or(Some(0), |user| accounts.uid(user));
    let gid = declared.group.as_deref().map_or(Some(0), |group| accounts.gid(group));
    let (Some(uid), Some(gid)) = (uid, gid) else {
        let text = format!("the owner of the persisted path `{}` does not exist", declared.path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    if (uid, gid) == (0, 0) {
        return Ok(());
    }
    let mut own = |path: &Path, mode: Option<Mode>| -> io::Result<()> {
        if let Some(metadata) = made_by_stage_1(root, path)? {
            let mode = mode.unwrap_or(Mode(metadata.mode() & 0o7777));
            steps.push(MachineStep::Own { path: path.to_owned(), mode, uid, gid });
        }
        Ok(())
    };
    own(&declared.path, declared.mode)?;
    let Some(home) = &declared.home else {
        return Ok(());
    };
    // Folders between the home and the path, here and where they are kept; that home is nobody else's to look into.
    let inside = |path: &&Path| path.starts_with(home) && path != home;
    for path in declared.path.ancestors().skip(1).take_while(inside) {
        own(path, None)?;
        own(&kept(state_directory, path), None)?;
    }
    own(&kept(state_directory, home), Some(Mode(0o700)))
}

/// Where a path of the root is kept.
fn kept(state_directory: &Path, path: &Path) -> PathBuf {
    state_directory.join(path.strip_prefix("/").unwrap_or(path))
}

/// Stage 1 makes what is missing as root's, for it knows no names. Whatever has another owner has it for a reason.
fn made_by_stage_1(root: &Root, path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs::symlink_metadata(root.path(path)) {
        Ok(metadata) if metadata.is_symlink() || (metadata.uid(), metadata.gid()) != (0, 0) => Ok(None),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Carries out one step.
pub fn apply_machine_step(root: &Root, step: &MachineStep) -> io::Result<()> {
    match step {
        MachineStep::Directory { path, mode } => {
            fs::create_dir_all(root.path(path))?;
            fs::set_permissions(root.path(path), std::fs::Permissions::from_mode(mode.0))
        }
        MachineStep::Link { path, target } => {
            let host_path = root.path(path);
            if let Some(parent) = host_path.parent() {
                fs::create_dir_all(parent)?;
            }
            replace_link(&host_path, target)
        }
        MachineStep::HostName { name } => syscalls::system::set_host_name(name).map_err(io::Error::other),
        MachineStep::MachineId { id, persisted } => apply_machine_id(root, id.as_deref(), persisted),
        MachineStep::Persist(step) => apply_persist_step(root, step),
        MachineStep::Own { path, mode, uid, gid } => {
            let host_path = root.path(path);
            set_owner(&host_path, Ownership { mode: mode.0, uid: *uid, gid: *gid })?;
            fs::set_permissions(host_path, std::fs::Permissions::from_mode(mode.0))
        }
    }
}

fn apply_machine_id(root: &Root, id: Option<&str>, persisted: &Path) -> io::Result<()> {
    let owner = Ownership { mode: 0o444, uid: 0, gid: 0 };
    let id = match id {
        Some(id) => id.to_owned(),
        None => {
            let id = random_machine_id()?;
            let path = root.path(persisted);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            replace_file(&path, format!("{id}\n").as_bytes(), owner, Durability::Synced)?;
            id
        }
    };
    let path = root.path("/etc/machine-id");
    // A persisted file mounted here cannot be renamed over.
    if path.exists() {
        return fs::write(path, format!("{id}\n"));
    }
    replace_file(&path, format!("{id}\n").as_bytes(), owner, Durability::Volatile)
}

/// A version 4 UUID without dashes, as machine-id(5) asks for.
fn random_machine_id() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
