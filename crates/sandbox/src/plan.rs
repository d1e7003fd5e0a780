//! The plan of a sandbox: a plain value, with its description. Nothing here touches the system.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

pub use syscalls::Resource;

use crate::Entry;

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Who the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The caller under other numbers: works without privileges. Files it makes belong to the caller outside.
    Caller {
        /// The numbers inside.
        inside: Ids,
    },
    /// An account of its own; the caller must be root. Root is root inside too, so the files of the system keep
    /// their owner, but the program is not root.
    Dedicated {
        /// The numbers inside.
        inside: Ids,
        /// The account outside; files it makes belong to it.
        outside: Ids,
    },
}

/// What the program can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Only itself, through the loopback interface.
    Isolated,
    /// All that the host can. For fixed-output builds and for programs run in a view.
    Allowed,
}

/// Which processes the program can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// Its own, of which it is the first; when it ends, all of them end.
    Own,
    /// The host's too.
    Host,
}

/// Which system calls work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemCalls {
    /// Not those that make setuid or setgid files or extended attributes: neither can be stored.
    Build,
    /// All.
    All,
}

/// A limit of a resource, soft and hard alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Of which.
    pub resource: Resource,
    /// In the resource's unit, see setrlimit(2).
    pub limit: u64,
}

/// The program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its file, as seen inside.
    pub program: PathBuf,
    /// All arguments; the first is the program's name.
    pub arguments: Vec<OsString>,
    /// The whole environment; nothing of the caller's is added.
    pub environment: BTreeMap<OsString, OsString>,
    /// Where it starts, as seen inside.
    pub working_directory: PathBuf,
}

/// A sandbox. Its root is a new tmpfs with the entries in their order, read-only outside of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPlan {
    /// Who the program is.
    pub identity: Identity,
    /// What it sees.
    pub entries: Vec<Entry>,
    /// What it can reach.
    pub network: Network,
    /// Which processes it sees.
    pub processes: Processes,
    /// Which system calls work.
    pub system_calls: SystemCalls,
    /// The host name inside; `None` keeps the host's.
    pub host_name: Option<String>,
    /// Resource limits besides those of the caller.
    pub limits: Vec<ResourceLimit>,
    /// What it runs.
    pub command: Command,
}

impl SandboxPlan {
    /// The whole plan as text, for people: what [`crate::spawn`] will do.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.describe_into(&mut text);
        text
    }

    fn describe_into(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "run as   {}", self.identity.describe())?;
        writeln!(text, "new      {}", self.namespace_names().join(" "))?;
        if self.system_calls == SystemCalls::Build {
            writeln!(text, "refuse   setuid and setgid modes, extended attributes")?;
        }
        for ResourceLimit { resource, limit } in &self.limits {
            writeln!(text, "limit    {resource:?} {limit}")?;
        }
        for entry in &self.entries {
            writeln!(text, "see      {}", entry.describe())?;
        }
        let command = &self.command;
        for (name, value) in &command.environment {
            writeln!(text, "set      {}={}", name.to_string_lossy(), value.to_string_lossy())?;
        }
        let arguments: Vec<_> = command.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        writeln!(text, "in       {}", command.working_directory.display())?;
        writeln!(text, "execute  {} as {arguments:?}", command.program.display())
    }

    /// The namespaces that are new, by their names in /proc/PID/ns.
    pub(crate) fn namespace_names(&self) -> Vec<&'static str> {
        let mut names = vec!["user", "mnt"];
        if self.processes == Processes::Own {
            names.extend(["pid", "ipc"]);
        }
        if self.network == Network::Isolated {
            names.push("net");
        }
        if self.host_name.is_some() {
            names.push("uts");
        }
        names
    }
}

impl Identity {
    fn describe(self) -> String {
        match self {
            Self::Caller { inside } => format!("{}:{}, outside the caller", inside.uid, inside.gid),
            Self::Dedicated { inside, outside } => {
                format!("{}:{}, outside {}:{}", inside.uid, inside.gid, outside.uid, outside.gid)
            }
        }
    }
}
