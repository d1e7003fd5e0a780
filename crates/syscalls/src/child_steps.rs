//! What a new child process can be told to do before it executes its program, one value per action.
//!
//! The interpreter runs between clone and execve: ASYNC-SIGNAL-SAFE CALLS ONLY in everything that [`run_step`]
//! reaches. The `nix` functions used here pass C strings through without copying. Ids are set by raw system calls:
//! libc's setresuid and setgroups would signal threads that exist only in the parent.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc::{self, c_int, c_ulong};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use nix::sys::resource::Resource;
use nix::sys::stat::Mode;

use crate::child::checked;
use crate::fs_context::{
    Depth, EMPTY_PATH, MOVE_FROM_FD, MountAttr, MountAttributes, mount_setattr, move_mount, open_tree_copy,
};
use crate::seccomp::Instruction;

/// One action of a new child process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Keeps all mount changes from now on out of the parent's namespace.
    PrivateMounts,
    /// Mounts a filesystem.
    Mount {
        /// The device, or any name.
        source: CString,
        /// An existing directory.
        target: CString,
        /// Its type.
        fstype: CString,
        /// Flags of the mount.
        flags: MsFlags,
        /// Options of the filesystem.
        data: CString,
    },
    /// Makes the tree of mounts at `source` visible at `target` too.
    Bind {
        /// A file or directory.
        source: CString,
        /// An existing file or directory.
        target: CString,
        /// Attributes for every mount in the tree.
        attributes: MountAttributes,
    },
    /// Adds attributes to the one mount at `path`.
    AddAttributes {
        /// Where it is attached.
        path: CString,
        /// Which.
        attributes: MountAttributes,
    },
    /// Makes a directory unless there is one.
    MakeDirectory {
        /// Its path; the parent directory exists.
        path: CString,
        /// Permission bits, not reduced by the umask.
        mode: u32,
    },
    /// Makes an empty file unless something is there.
    MakeFile {
        /// Its path; the parent directory exists.
        path: CString,
    },
    /// Makes a file with content. Errors when something is there.
    WriteFile {
        /// Its path; the parent directory exists.
        path: CString,
        /// Permission bits, not reduced by the umask.
        mode: u32,
        /// The content.
        content: Vec<u8>,
    },
    /// Writes to a file that is there, in one call, as the kernel's own files demand.
    Overwrite {
        /// Its path.
        path: CString,
        /// The content.
        content: Vec<u8>,
    },
    /// Makes a symlink.
    Symlink {
        /// Its path.
        path: CString,
        /// What it says.
        target: CString,
    },
    /// Makes the mount at `new_root` the root and the old root visible at `put_old` within it.
    PivotRoot {
        /// A mount point.
        new_root: CString,
        /// A directory in it.
        put_old: CString,
    },
    /// Makes the mount at `new_root` the root and detaches everything else.
    ReplaceRoot {
        /// A mount point.
        new_root: CString,
    },
    /// Changes the working directory.
    ChangeDirectory {
        /// The directory.
        path: CString,
    },
    /// Sets the host name of the UTS namespace.
    HostName {
        /// The name.
        name: CString,
    },
    /// Brings the loopback interface of the network namespace up.
    LoopbackUp,
    /// Sets real, effective and saved ids.
    SetIds {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Moves into a new user namespace below this one, in which its present ids have other numbers. Needs /proc.
    NestedUserNamespace {
        /// The text of uid_map.
        uid_map: Vec<u8>,
        /// The text of gid_map.
        gid_map: Vec<u8>,
    },
    /// Leaves all supplementary groups.
    ClearGroups,
    /// Sets a resource limit, soft and hard.
    ResourceLimit {
        /// Of which resource.
        resource: Resource,
        /// The limit, in the resource's unit.
        limit: u64,
    },
    /// Sets the file mode creation mask.
    Umask {
        /// Bits that new files do not get.
        mask: u32,
    },
    /// Becomes the leader of a new session and process group, without a terminal.
    NewSession,
    /// Gets SIGKILL when the thread that started it ends.
    DieWithParent,
    /// Maps programs at fixed addresses (`ADDR_NO_RANDOMIZE`), which takes one source of chance away.
    FixedAddresses,
    /// Execve gives no more privileges from here on.
    NoNewPrivileges,
    /// Closes every descriptor above 2 when the program is executed.
    CloseOthersOnExec,
    /// Filters system calls from here on.
    FilterSystemCalls {
        /// The filter.
        program: Vec<Instruction>,
    },
}

/// Runs one step. ASYNC-SIGNAL-SAFE CALLS ONLY.
pub(crate) fn run_step(step: &Step) -> Result<(), Errno> {
    match step {
        Step::PrivateMounts => {
            let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            nix::mount::mount(None::<&str>, c"/", None::<&str>, flags, None::<&str>)
        }
        Step::Mount { source, target, fstype, flags, data } => nix::mount::mount(
            Some(source.as_c_str()),
            target.as_c_str(),
            Some(fstype.as_c_str()),
            *flags,
            Some(data.as_c_str()),
        ),
        Step::Bind { source, target, attributes } => bind(source, target, *attributes),
        Step::AddAttributes { path, attributes } => {
            mount_setattr(libc::AT_FDCWD, path, Depth::One.at_flags(), &MountAttr::setting(*attributes))
        }
        Step::MakeDirectory { path, mode } => make_directory(path, *mode),
        Step::MakeFile { path } => make_file(path),
        Step::WriteFile { path, mode, content } => write_file(path, *mode, content),
        Step::Overwrite { path, content } => overwrite(path, content),
        Step::Symlink { path, target } => {
            nix::unistd::symlinkat(target.as_c_str(), nix::fcntl::AT_FDCWD, path.as_c_str())
        }
        Step::PivotRoot { new_root, put_old } => {
            nix::unistd::pivot_root(new_root.as_c_str(), put_old.as_c_str())?;
            nix::unistd::chdir(c"/")
        }
        Step::ReplaceRoot { new_root } => {
            nix::unistd::chdir(new_root.as_c_str())?;
            // With both arguments equal the old root ends up over the new one, where it can be detached.
            nix::unistd::pivot_root(c".", c".")?;
            nix::mount::umount2(c".", MntFlags::MNT_DETACH)?;
            nix::unistd::chdir(c"/")
        }
        Step::ChangeDirectory { path } => nix::unistd::chdir(path.as_c_str()),
        Step::LoopbackUp => crate::network::set_interface_up(*b"lo\0"),
        process_step => run_process_step(process_step),
    }
}

/// The steps that change the process itself rather than what it sees. ASYNC-SIGNAL-SAFE CALLS ONLY.
fn run_process_step(step: &Step) -> Result<(), Errno> {
    match step {
        Step::HostName { name } => {
            let bytes = name.as_bytes();
            // SAFETY: pointer and length describe the string's bytes.
            checked(unsafe { libc::syscall(libc::SYS_sethostname, bytes.as_ptr(), bytes.len()) })
        }
        Step::SetIds { uid, gid } => {
            // SAFETY: all arguments are integers.
            checked(unsafe { libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) })?;
            // SAFETY: all arguments are integers.
            checked(unsafe { libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) })
        }
        Step::ClearGroups => {
            // SAFETY: a length of zero, so the list is not looked at.
            checked(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })
        }
        Step::NestedUserNamespace { uid_map, gid_map } => {
            nix::sched::unshare(CloneFlags::CLONE_NEWUSER)?;
            overwrite(c"/proc/self/uid_map", uid_map)?;
            overwrite(c"/proc/self/setgroups", b"deny")?;
            overwrite(c"/proc/self/gid_map", gid_map)
        }
        Step::ResourceLimit { resource, limit } => nix::sys::resource::setrlimit(*resource, *limit, *limit),
        Step::Umask { mask } => {
            nix::sys::stat::umask(Mode::from_bits_truncate(*mask));
            Ok(())
        }
        Step::NewSession => nix::unistd::setsid().map(drop),
        Step::DieWithParent => control(libc::PR_SET_PDEATHSIG, c_ulong::from(libc::SIGKILL.unsigned_abs())),
        Step::NoNewPrivileges => control(libc::PR_SET_NO_NEW_PRIVS, 1),
        Step::FixedAddresses => {
            const ADDR_NO_RANDOMIZE: c_ulong = 0x004_0000;
            // SAFETY: the argument is an integer.
            checked(unsafe { libc::syscall(libc::SYS_personality, ADDR_NO_RANDOMIZE) })
        }
        Step::CloseOthersOnExec => {
            const CLOSE_RANGE_CLOEXEC: c_ulong = 4;
            // SAFETY: all arguments are integers; descriptors are only marked, none that we use closes.
            checked(unsafe { libc::syscall(libc::SYS_close_range, 3, c_ulong::from(u32::MAX), CLOSE_RANGE_CLOEXEC) })
        }
        Step::FilterSystemCalls { program } => crate::seccomp::load(program),
        // All others are handled by the caller.
        _ => Err(Errno::ENOSYS),
    }
}

fn control(option: c_int, value: c_ulong) -> Result<(), Errno> {
    let zero: c_ulong = 0;
    // SAFETY: the options used here take integers only.
    Errno::result(unsafe { libc::prctl(option, value, zero, zero, zero) }).map(drop)
}

fn bind(source: &CStr, target: &CStr, attributes: MountAttributes) -> Result<(), Errno> {
    let tree: RawFd = open_tree_copy(source, Depth::Tree)?;
    let attached = mount_setattr(tree, c"", EMPTY_PATH | Depth::Tree.at_flags(), &MountAttr::setting(attributes))
        .and_then(|()| move_mount(tree, target, MOVE_FROM_FD));
    // SAFETY: the descriptor is ours and used no more.
    unsafe { libc::close(tree) };
    attached
}

fn make_directory(path: &CStr, mode: u32) -> Result<(), Errno> {
    match nix::unistd::mkdir(path, Mode::from_bits_truncate(mode)) {
        Ok(()) => chmod(path, mode),
        Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn make_file(path: &CStr) -> Result<(), Errno> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    match open(path, flags, Mode::from_bits_truncate(0o644)) {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn write_file(path: &CStr, mode: u32, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::from_bits_truncate(0o600))?;
    let mut rest = content;
    while !rest.is_empty() {
        let length = nix::unistd::write(&file, rest)?;
        rest = rest.get(length..).unwrap_or_default();
    }
    chmod(path, mode)
}

/// Writes to an existing file in one call, as the files of /proc demand.
fn overwrite(path: &CStr, content: &[u8]) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::write(&file, content).map(drop)
}

fn chmod(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the path is a NUL-terminated string that outlives the call; the kernel only reads it.
    Errno::result(unsafe { libc::chmod(path.as_ptr(), mode) }).map(drop)
}
