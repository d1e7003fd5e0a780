//! A folder of the host that a guest can read: virtiofsd, as a value, and running it.
//!
//! It runs in a sandbox of its own that has the view it comes from, that one folder, read-only, and the folder of the socket
//! on which QEMU speaks to it: no network, none of the host's processes. virtiofsd's own confinement needs rights that an
//! ordinary user has not, so it is off; the sandbox needs none. There the caller is root, and so is the owner of the
//! caller's files, whoever that is outside: a guest finds a store that belongs to its root.
//!
//! Source: virtiofsd(1), vhost-user's protocol as QEMU's documentation has it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sandbox::{
    Access, Command, Entry, Identity, Ids, Network, Processes, SandboxPlan, StandardStreams, SystemCalls,
    minimal_devices,
};

use crate::VmError;
use crate::emulator::Process;

/// The program, as its view has it.
const PROGRAM: &str = "/usr/libexec/virtiofsd";
/// Where the served folder and the socket's are inside.
const SERVED: &str = "/served";
const SOCKETS: &str = "/sockets";
/// How long it may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// It holds a descriptor for each file that the guest knows, and more than this nobody wants.
const MOST_DESCRIPTORS: u64 = 1_000_000;

/// A folder that is served to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileServer {
    /// The /usr of the view with the program, physically.
    pub usr: PathBuf,
    /// The folder. What it holds must not change, only become more: the guest keeps what it has seen.
    pub folder: PathBuf,
    /// The name by which the guest mounts it.
    pub tag: String,
    /// The socket, in a folder that holds nothing else. Its name must be short (107 bytes at most).
    pub socket: PathBuf,
}

impl FileServer {
    /// Starts it; returns when it listens. Dropping what is returned ends it, and so does the end of QEMU.
    pub(crate) fn start(&self) -> Result<Process, VmError> {
        let limits = fs_err::read_to_string("/proc/self/limits").unwrap_or_default();
        let plan = self.plan(descriptors(&limits));
        tracing::debug!(plan = %plan.describe(), "the file server");
        let output = tempfile::tempfile().map_err(VmError::io("make a file in", std::env::temp_dir()))?;
        let log = output.try_clone().map_err(VmError::io("duplicate", "the file server's output"))?;
        let child = sandbox::spawn(&plan, StandardStreams::Log(log.into()))
            .map_err(|source| VmError::StartInView { program: PROGRAM.to_owned(), source })?;
        let mut process = Process::in_view(child, output);
        let end = Instant::now() + START_DEADLINE;
        while !self.socket.exists() {
            if let Some(ended) = process.try_wait()? {
                return Err(VmError::FileServer { status: ended.words, output: process.output() });
            }
            if Instant::now() >= end {
                let what = "the file server to listen".to_owned();
                return Err(VmError::Deadline { what, waited: START_DEADLINE, last: process.output() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(process)
    }

    fn plan(&self, descriptors: u64) -> SandboxPlan {
        let name = self.socket.file_name().unwrap_or_default().to_string_lossy();
        let (socket, limit) = (format!("{SOCKETS}/{name}"), descriptors.to_string());
        let arguments = [
            "--socket-path",
            &socket,
            "--shared-dir",
            SERVED,
            "--readonly",
            "--sandbox",
            "none",
            // What is in a store stays as it is.
            "--cache",
            "always",
            "--rlimit-nofile",
            &limit,
            "--log-level",
            "error",
        ];
        let bind = |source: &Path, target: &str, access| Entry::Bind {
            source: source.to_owned(),
            target: target.into(),
            access,
        };
        let mut entries = vec![Entry::Proc, bind(&self.usr, "/usr", Access::ReadOnly)];
        entries.extend(
            ["bin", "lib", "lib64"]
                .map(|name| Entry::Symlink { path: Path::new("/").join(name), target: Path::new("usr").join(name) }),
        );
        entries.extend(minimal_devices());
        entries.push(bind(&self.folder, SERVED, Access::ReadOnly));
        entries.push(bind(self.socket.parent().unwrap_or(Path::new("/")), SOCKETS, Access::Writable));
        SandboxPlan {
            identity: Identity::Caller { inside: Ids { uid: 0, gid: 0 } },
            entries,
            network: Network::Isolated,
            processes: Processes::Own,
            system_calls: SystemCalls::All,
            host_name: None,
            limits: Vec::new(),
            command: Command::new(PROGRAM, arguments),
        }
    }
}

/// How many descriptors a process may open if it asks for more, by proc_pid_limits(5).
fn descriptors(limits: &str) -> u64 {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    hard.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_the_served_folder_and_nothing_else_of_the_host() {
        let server = FileServer {
            usr: "/views/a/usr".into(),
            folder: "/home/me/store".into(),
            tag: "store".into(),
            socket: "/tmp/x/files".into(),
        };
        let plan = server.plan(1024);
        let seen: Vec<_> = plan
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Bind { source, access, .. } => Some((source.to_str().unwrap(), *access)),
                _ => None,
            })
            .collect();
        let expected =
            [("/views/a/usr", Access::ReadOnly), ("/home/me/store", Access::ReadOnly), ("/tmp/x", Access::Writable)];
        assert_eq!(seen, expected);
        assert_eq!((plan.network, plan.processes), (Network::Isolated, Processes::Own));
        let arguments = plan.command.arguments.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        assert!(arguments.contains("--socket-path /sockets/files --shared-dir /served --readonly"), "{arguments}");
    }

    #[test]
    fn the_hard_limit_counts() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(descriptors(limits), 524_288);
        assert_eq!(descriptors(&limits.replace("524288", "unlimited")), MOST_DESCRIPTORS);
        assert_eq!(descriptors(""), MOST_DESCRIPTORS);
    }
}
