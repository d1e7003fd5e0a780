//! A child process in new namespaces: cloned, set up by a list of prepared steps, then another program.
//!
//! Between the clone and execve the child shares no memory with us but has inherited every lock in whatever state it
//! was, so only async-signal-safe calls are allowed there: no allocation, no panic, no libc call that looks at
//! threads. Therefore everything is prepared before (the [`Step`]s own their C strings) and the child only
//! interprets. Which steps a sandbox needs is decided elsewhere.
//!
//! Source: clone(2), user_namespaces(7), signal-safety(7).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, c_char, c_long};
use nix::sched::CloneFlags;

use crate::SyscallError;
use crate::child_steps::{Step, run_step};
use crate::error::Context;
use crate::process::Process;

/// What the child becomes after its steps.
#[derive(Debug)]
pub struct Program {
    /// The file to execute, as the child sees it.
    pub path: CString,
    /// Its arguments, the first being its name.
    pub arguments: Vec<CString>,
    /// Its environment, as `NAME=value`.
    pub environment: Vec<CString>,
}

/// Which ids of a new user namespace stand for which of ours: the text of /proc/PID/uid_map and gid_map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMaps {
    /// Lines `inside outside count`.
    pub uid_map: String,
    /// The same for groups.
    pub gid_map: String,
    /// Whether the child may change its supplementary groups; only a privileged parent can allow it.
    pub set_groups: SetGroups,
}

/// Whether setgroups(2) works in a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetGroups {
    /// It does.
    Allowed,
    /// It fails; required before an unprivileged process may write a gid_map.
    Denied,
}

/// Everything about a child, prepared.
#[derive(Debug)]
pub struct ChildPlan {
    /// The namespaces to create with the child.
    pub namespaces: CloneFlags,
    /// The maps of the new user namespace; `None` if `namespaces` has none.
    pub id_maps: Option<IdMaps>,
    /// What the child does first, in this order.
    pub steps: Vec<Step>,
    /// What it then executes.
    pub program: Program,
    /// Its descriptors 0, 1 and 2; `None` keeps ours.
    pub stdio: [Option<OwnedFd>; 3],
}

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A call of the parent failed.
    #[error("cannot start a child process")]
    Parent(#[source] SyscallError),
    /// A step of the child failed.
    #[error("step {index} of a new child process failed")]
    Step {
        /// Which of the plan's steps.
        index: usize,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// All steps worked and the program could not be executed.
    #[error("cannot execute `{program}`")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        #[source]
        errno: Errno,
    },
}

impl From<SyscallError> for SpawnError {
    fn from(error: SyscallError) -> Self {
        Self::Parent(error)
    }
}

/// In a failure report, stands for execve instead of a step.
const EXEC: u32 = u32::MAX;
/// In a failure report, stands for what comes before the first step.
const START: u32 = u32::MAX - 1;

/// Starts the child and returns when it executes its program, or with the step that failed.
pub fn spawn(plan: &ChildPlan) -> Result<Process, SpawnError> {
    let prepared = Prepared::new(plan)?;
    let (report_reader, report_writer) = pipe()?;
    let (go_reader, go_writer) = pipe()?;
    let ends =
        ChildEnds { go: go_reader.as_raw_fd(), go_writer: go_writer.as_raw_fd(), report: report_writer.as_raw_fd() };
    let mut pidfd: RawFd = -1;
    let arguments = CloneArguments::new(plan.namespaces, &mut pidfd);
    // SAFETY: without CLONE_VM and with a null stack this behaves as fork: the child runs on a copy of our memory.
    // `arguments` and the `pidfd` it points to live until after the call. The child only runs `run_child`, which
    // keeps to async-signal-safe calls and never returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) };
    if pid == 0 {
        run_child(plan, &prepared, &ends);
    }
    let pid =
        Errno::result(pid).map_err(|errno| SyscallError::new("clone3", format!("{:?}", plan.namespaces), errno))?;
    // SAFETY: the clone succeeded, so the kernel has put a new descriptor here that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let process = Process::new(i32::try_from(pid).unwrap_or(-1), pidfd);
    drop((report_writer, go_reader));

    // From here on a failure must not leave the child waiting: dropping `process` kills and reaps it.
    if let Some(maps) = &plan.id_maps {
        write_id_maps(process.id(), maps)?;
    }
    let_go(go_writer)?;
    match read_report(report_reader)? {
        None => Ok(process),
        Some((EXEC, errno)) => {
            Err(SpawnError::Exec { program: plan.program.path.to_string_lossy().into_owned(), errno })
        }
        Some((START, errno)) => Err(SyscallError::new("read", "the parent's go-ahead", errno).into()),
        Some((index, errno)) => Err(SpawnError::Step { index: usize::try_from(index).unwrap_or(usize::MAX), errno }),
    }
}

/// `struct clone_args`, 88 bytes (the version with `cgroup`).
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArguments {
    fn new(namespaces: CloneFlags, pidfd: &mut RawFd) -> Self {
        /// Handlers of ours must not run in the child.
        const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
        const CLONE_PIDFD: u64 = 0x1000;
        #[allow(clippy::cast_sign_loss, reason = "bits, whose highest is CLONE_IO")]
        let namespaces = namespaces.bits() as u32;
        Self {
            flags: u64::from(namespaces) | CLONE_CLEAR_SIGHAND | CLONE_PIDFD,
            pidfd: std::ptr::from_mut(pidfd) as u64,
            exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
            ..Self::default()
        }
    }
}

/// The plan's data in the shapes that the system calls take, so that the child need not allocate.
struct Prepared {
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// Copies of the plan's descriptors with numbers above 2, so that placing one never overwrites another.
    stdio: [Option<OwnedFd>; 3],
}

impl Prepared {
    fn new(plan: &ChildPlan) -> Result<Self, SyscallError> {
        let copy = |fd: &Option<OwnedFd>| {
            fd.as_ref()
                .map(OwnedFd::try_clone)
                .transpose()
                .map_err(|error| SyscallError::io("fcntl", "standard input and output", &error))
        };
        let [input, output, error] = &plan.stdio;
        Ok(Self {
            arguments: null_terminated(&plan.program.arguments),
            environment: null_terminated(&plan.program.environment),
            stdio: [copy(input)?, copy(output)?, copy(error)?],
        })
    }
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr());
    pointers.chain([std::ptr::null()]).collect()
}

/// The child's descriptors for talking to its parent.
struct ChildEnds {
    go: RawFd,
    go_writer: RawFd,
    report: RawFd,
}

/// The child's whole life before its program. ASYNC-SIGNAL-SAFE CALLS ONLY: no allocation, no locks, no panics.
fn run_child(plan: &ChildPlan, prepared: &Prepared, ends: &ChildEnds) -> ! {
    if let Err(errno) = start(prepared, ends) {
        report_and_die(ends.report, START, errno);
    }
    for (number, step) in (0..).zip(&plan.steps) {
        if let Err(errno) = run_step(step) {
            report_and_die(ends.report, number, errno);
        }
    }
    let path: &CStr = &plan.program.path;
    // SAFETY: the path and both arrays are null-terminated and were built from strings that `plan` owns.
    unsafe { libc::execve(path.as_ptr(), prepared.arguments.as_ptr(), prepared.environment.as_ptr()) };
    report_and_die(ends.report, EXEC, Errno::last());
}

/// Waits for the go-ahead and places the descriptors. ASYNC-SIGNAL-SAFE CALLS ONLY.
fn start(prepared: &Prepared, ends: &ChildEnds) -> Result<(), Errno> {
    // Our own copy must go, or the end of the parent would not be noticed.
    // SAFETY: this process's copy of the descriptor, which nothing here uses afterwards.
    unsafe { libc::close(ends.go_writer) };
    let mut byte = 0_u8;
    // SAFETY: reads at most one byte into a byte.
    let length = unsafe { libc::read(ends.go, (&raw mut byte).cast(), 1) };
    if Errno::result(length)? == 0 {
        return Err(Errno::EPIPE);
    }
    for (number, fd) in (0..).zip(&prepared.stdio) {
        if let Some(fd) = fd {
            // SAFETY: descriptors are integers; `prepared` owns this one and it is above 2, so it is not overwritten.
            Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), number) })?;
        }
    }
    default_signals();
    Ok(())
}

/// Ignored signals and the mask survive execve; the program shall start with neither. ASYNC-SIGNAL-SAFE CALLS ONLY.
fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: installs the default action, no handler of ours. Fails for SIGKILL, SIGSTOP and the two that libc
        // keeps to itself, which is harmless.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set is written into before it is read; the old mask is not asked for.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// ASYNC-SIGNAL-SAFE CALLS ONLY.
fn report_and_die(report: RawFd, number: u32, errno: Errno) -> ! {
    let [a, b, c, d] = number.to_ne_bytes();
    let [e, f, g, h] = (errno as i32).to_ne_bytes();
    let message = [a, b, c, d, e, f, g, h];
    // SAFETY: writes eight bytes from an array of eight; if it fails the parent sees the exit status.
    unsafe {
        libc::write(report, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

fn pipe() -> Result<(File, File), SyscallError> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).on("pipe2", "a new child process")?;
    Ok((reader.into(), writer.into()))
}

fn write_id_maps(pid: i32, maps: &IdMaps) -> Result<(), SyscallError> {
    let write = |file: &str, text: &str| {
        let path = format!("/proc/{pid}/{file}");
        std::fs::write(&path, text).map_err(|error| SyscallError::io("write", path, &error))
    };
    write("uid_map", &maps.uid_map)?;
    if maps.set_groups == SetGroups::Denied {
        write("setgroups", "deny")?;
    }
    write("gid_map", &maps.gid_map)
}

fn let_go(mut writer: File) -> Result<(), SyscallError> {
    match writer.write_all(b"!") {
        // The child died before; its report says why.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| SyscallError::io("write", "a new child process", &error)),
    }
}

/// The step and errno that the child reported, or `None` when its end closed silently because execve worked.
fn read_report(mut reader: File) -> Result<Option<(u32, Errno)>, SyscallError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| SyscallError::io("read", "a new child process", &error))?;
    let number = bytes.first_chunk::<4>().map(|chunk| u32::from_ne_bytes(*chunk));
    let errno = bytes.last_chunk::<4>().map(|chunk| Errno::from_raw(i32::from_ne_bytes(*chunk)));
    Ok(number.zip(errno))
}

/// The result of a raw system call that returns nothing else.
pub(crate) fn checked(result: c_long) -> Result<(), Errno> {
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Exit;

    fn plan(program: &str, arguments: &[&str], steps: Vec<Step>) -> ChildPlan {
        let c = |text: &&str| CString::new(*text).unwrap();
        ChildPlan {
            namespaces: CloneFlags::empty(),
            id_maps: None,
            steps,
            program: Program {
                path: CString::new(program).unwrap(),
                arguments: arguments.iter().map(c).collect(),
                environment: vec![c"GREETING=hello".into()],
            },
            stdio: [None, None, None],
        }
    }

    #[test]
    fn the_program_gets_arguments_environment_and_output() {
        let (mut reader, writer) = pipe().unwrap();
        let mut plan = plan("/bin/sh", &["sh", "-c", "echo $GREETING $1", "-", "you"], vec![]);
        plan.stdio[1] = Some(writer.into());
        let mut child = spawn(&plan).unwrap();
        drop(plan);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello you\n");
        assert_eq!(child.wait().unwrap(), Exit::Code(0));
    }

    #[test]
    fn a_failing_step_is_reported_by_its_number() {
        let steps = vec![Step::Umask { mask: 0o22 }, Step::ChangeDirectory { path: c"/no/such".into() }];
        match spawn(&plan("/bin/true", &["true"], steps)) {
            Err(SpawnError::Step { index, errno }) => {
                assert_eq!((index, errno), (1, Errno::ENOENT))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_program_is_reported() {
        match spawn(&plan("/no/such", &["such"], vec![])) {
            Err(SpawnError::Exec { program, errno }) => {
                assert_eq!((program.as_str(), errno), ("/no/such", Errno::ENOENT));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_child_starts_with_default_signals() {
        let (mut reader, writer) = pipe().unwrap();
        let mut plan = plan("/bin/grep", &["grep", "SigIgn", "/proc/self/status"], vec![]);
        plan.stdio[1] = Some(writer.into());
        let mut child = spawn(&plan).unwrap();
        drop(plan);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        let mask = text.trim_start_matches("SigIgn:").trim();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        // Signals 32 and 33 are libc's own, which it does not let anyone change.
        assert_eq!(mask & !(0b11 << 31), 0, "{text}");
    }
}
