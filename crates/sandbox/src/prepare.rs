//! From a plan to the steps of a child process, each with the words for its failure.
//!
//! Looks at the sources of bind mounts (do they exist, file or directory) and changes nothing. All strings that the
//! child needs are made here, because it cannot allocate.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use syscalls::Step;
use syscalls::child::{IdMaps, Program, SetGroups};
use syscalls::fs_context::MountAttributes;
use syscalls::mount::MountFlags;
use syscalls::namespace::NamespaceFlags;

use crate::filter::build_filter;
use crate::{Access, Entry, ForeignMachine, Identity, Network, SandboxError, SandboxPlan, SystemCalls};

/// Any directory that every system has: a tmpfs lies over it for the moment until it becomes the root.
const STAGING: &str = "/tmp";
/// In the staging root: the host's root, and the root that is being made.
const HOST: &str = "/host";
const INSIDE: &str = "/inside";

/// Everything that the child needs, and what each of its steps is for.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) namespaces: NamespaceFlags,
    pub(crate) id_maps: IdMaps,
    pub(crate) steps: Vec<Step>,
    pub(crate) purposes: Vec<String>,
    pub(crate) program: Program,
}

/// Prepares a plan for a caller with these ids.
pub(crate) fn prepare(plan: &SandboxPlan, caller: (u32, u32)) -> Result<Prepared, SandboxError> {
    if !plan.entries.iter().any(Entry::provides_proc) {
        return Err(SandboxError::NoProc);
    }
    let mut steps = Steps::default();
    steps.staging_root()?;
    for entry in &plan.entries {
        steps.purpose = entry.describe();
        steps.entry(entry)?;
    }
    steps.finish_root(&plan.command.working_directory)?;
    steps.process(plan)?;
    Ok(Prepared {
        namespaces: namespaces(plan),
        id_maps: id_maps(plan.identity, caller)?,
        steps: steps.steps,
        purposes: steps.purposes,
        program: program(plan)?,
    })
}

fn namespaces(plan: &SandboxPlan) -> NamespaceFlags {
    let mut flags = NamespaceFlags::empty();
    for name in plan.namespace_names() {
        flags |= match name {
            "user" => NamespaceFlags::CLONE_NEWUSER,
            "mnt" => NamespaceFlags::CLONE_NEWNS,
            "pid" => NamespaceFlags::CLONE_NEWPID,
            "ipc" => NamespaceFlags::CLONE_NEWIPC,
            "net" => NamespaceFlags::CLONE_NEWNET,
            _ => NamespaceFlags::CLONE_NEWUTS,
        };
    }
    flags
}

/// The setting up is done as root of the new user namespace: a devpts, for one, cannot be mounted without one.
fn id_maps(identity: Identity, (uid, gid): (u32, u32)) -> Result<IdMaps, SandboxError> {
    match identity {
        Identity::Caller { .. } => Ok(IdMaps {
            uid_map: format!("0 {uid} 1\n"),
            gid_map: format!("0 {gid} 1\n"),
            set_groups: SetGroups::Denied,
        }),
        Identity::Dedicated { outside, .. } if uid != 0 => Err(SandboxError::NotRoot { uid: outside.uid }),
        Identity::Dedicated { inside, outside } => Ok(IdMaps {
            uid_map: format!("0 0 1\n{} {} 1\n", inside.uid, outside.uid),
            gid_map: format!("0 0 1\n{} {} 1\n", inside.gid, outside.gid),
            set_groups: SetGroups::Allowed,
        }),
    }
}

fn program(plan: &SandboxPlan) -> Result<Program, SandboxError> {
    let command = &plan.command;
    let variable = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
        let mut text = name.clone();
        text.push("=");
        text.push(value);
        c_string(&text)
    };
    Ok(Program {
        path: c_string(command.program.as_os_str())?,
        arguments: command.arguments.iter().map(|text| c_string(text)).collect::<Result<_, _>>()?,
        environment: command.environment.iter().map(variable).collect::<Result<_, _>>()?,
    })
}

/// The steps so far, with the state that making them needs.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    purposes: Vec<String>,
    purpose: String,
    /// Directories (in the staging root) that exist by now.
    directories: BTreeSet<PathBuf>,
}

impl Steps {
    fn push(&mut self, step: Step) {
        self.steps.push(step);
        self.purposes.push(self.purpose.clone());
    }

    /// A tmpfs that holds the host's root and an empty new root. Bind sources are looked up in the former, which is
    /// why the new root cannot simply be mounted over some directory of the host.
    fn staging_root(&mut self) -> Result<(), SandboxError> {
        self.purpose = "a new root directory".into();
        self.push(Step::PrivateMounts);
        self.tmpfs(Path::new(STAGING), "mode=0755")?;
        for name in [HOST, INSIDE] {
            self.push(Step::MakeDirectory { path: c_string(OsStr::new(&format!("{STAGING}{name}")))?, mode: 0o755 });
        }
        self.push(Step::PivotRoot {
            new_root: c_string(OsStr::new(STAGING))?,
            put_old: c_string(OsStr::new(&format!("{STAGING}{HOST}")))?,
        });
        self.directories.insert(PathBuf::from(INSIDE));
        self.tmpfs(Path::new(INSIDE), "mode=0755")
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), SandboxError> {
        match entry {
            Entry::Bind { source, target, access } => {
                let attributes = match access {
                    Access::ReadOnly => MountAttributes::READ_ONLY,
                    Access::Writable => MountAttributes::NONE,
                };
                self.bind(source, target, entry, attributes.with(MountAttributes::NO_SUID))
            }
            Entry::Device { path } => self.bind(path, path, entry, MountAttributes::NO_SUID),
            Entry::Tmpfs { target, mode, size_bytes } => {
                let at = self.directory(target, 0o755)?;
                let mut options = format!("mode={mode:o}");
                if let Some(size) = size_bytes {
                    options.push_str(&format!(",size={size}"));
                }
                self.tmpfs(&at, &options)
            }
            Entry::Proc => self.proc(),
            Entry::PseudoTerminals => self.pseudo_terminals(),
            Entry::Directory { path, mode } => self.directory(path, *mode).map(drop),
            Entry::Symlink { path, target } => {
                let path = c_string(self.place(path)?.as_os_str())?;
                let target = c_string(target.as_os_str())?;
                self.push(Step::Symlink { path, target });
                Ok(())
            }
            Entry::ForeignPrograms { machine, emulator } => self.foreign_programs(*machine, emulator, entry),
            Entry::File { path, text, mode } => {
                let path = c_string(self.place(path)?.as_os_str())?;
                self.push(Step::WriteFile { path, mode: *mode, content: text.clone().into_bytes() });
                Ok(())
            }
        }
    }

    fn bind(
        &mut self,
        source: &Path,
        target: &Path,
        entry: &Entry,
        attributes: MountAttributes,
    ) -> Result<(), SandboxError> {
        let (resolved, is_directory) = resolve(source, entry)?;
        let at = if is_directory {
            self.directory(target, 0o755)?
        } else {
            let at = self.place(target)?;
            let path = c_string(at.as_os_str())?;
            self.push(Step::MakeFile { path });
            at
        };
        let source = c_string(below(Path::new(HOST), &resolved)?.as_os_str())?;
        let target = c_string(at.as_os_str())?;
        self.push(Step::Bind { source, target, attributes });
        Ok(())
    }

    fn proc(&mut self) -> Result<(), SandboxError> {
        let at = self.directory(Path::new("/proc"), 0o555)?;
        self.mount("proc", &at, MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_NOEXEC, "")?;
        // A build run by root is still the kernel's root user to the files of /proc/sys.
        let sys = c_string(at.join("sys").as_os_str())?;
        self.push(Step::Bind { source: sys.clone(), target: sys, attributes: MountAttributes::READ_ONLY });
        Ok(())
    }

    fn pseudo_terminals(&mut self) -> Result<(), SandboxError> {
        let at = self.directory(Path::new("/dev/pts"), 0o755)?;
        let flags = MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC;
        self.mount("devpts", &at, flags, "newinstance,mode=0620,ptmxmode=0666")?;
        let path = c_string(self.place(Path::new("/dev/ptmx"))?.as_os_str())?;
        self.push(Step::Symlink { path, target: c"pts/ptmx".into() });
        Ok(())
    }

    /// The rules of this user namespace, where everyone looks for those of the host. They live as long as the mount.
    fn foreign_programs(
        &mut self,
        machine: ForeignMachine,
        emulator: &Path,
        entry: &Entry,
    ) -> Result<(), SandboxError> {
        let (resolved, _) = resolve(emulator, entry)?;
        let emulator = below(Path::new(HOST), &resolved)?;
        let at = below(Path::new(INSIDE), Path::new("/proc/sys/fs/binfmt_misc"))?;
        self.mount("binfmt_misc", &at, MountFlags::MS_NOSUID | MountFlags::MS_NODEV | MountFlags::MS_NOEXEC, "")?;
        let path = c_string(at.join("register").as_os_str())?;
        let rule = machine.rule(&emulator.to_string_lossy());
        self.push(Step::Overwrite { path, content: rule.into_bytes() });
        Ok(())
    }

    /// From here on nothing of the host but the entries can be reached.
    fn finish_root(&mut self, working_directory: &Path) -> Result<(), SandboxError> {
        self.purpose = "the new root directory".into();
        self.push(Step::AddAttributes { path: c_string(OsStr::new(INSIDE))?, attributes: MountAttributes::READ_ONLY });
        self.push(Step::ReplaceRoot { new_root: c_string(OsStr::new(INSIDE))? });
        self.purpose = format!("working directory `{}`", working_directory.display());
        let path = c_string(working_directory.as_os_str())?;
        self.push(Step::ChangeDirectory { path });
        Ok(())
    }

    /// What the process gives up. The order matters: each step needs rights that a later one takes away.
    fn process(&mut self, plan: &SandboxPlan) -> Result<(), SandboxError> {
        self.purpose = "session, host name and network".into();
        self.push(Step::NewSession);
        if let Some(name) = &plan.host_name {
            let name = c_string(OsStr::new(name))?;
            self.push(Step::HostName { name });
        }
        if plan.network == Network::Isolated {
            self.push(Step::LoopbackUp);
        }
        self.purpose = "resource limits".into();
        for limit in &plan.limits {
            self.push(Step::ResourceLimit { resource: limit.resource, limit: limit.limit });
        }
        self.purpose = "user and group".into();
        self.identity(plan.identity);
        self.purpose = "restrictions".into();
        self.push(Step::Umask { mask: 0o022 });
        self.push(Step::DieWithParent);
        self.push(Step::NoNewPrivileges);
        self.push(Step::CloseOthersOnExec);
        if plan.system_calls == SystemCalls::Build {
            self.push(Step::FixedAddresses);
            self.push(Step::FilterSystemCalls { program: build_filter() });
        }
        Ok(())
    }

    fn identity(&mut self, identity: Identity) {
        match identity {
            // One more user namespace: it gives the caller its numbers, and takes its rights over the mounts.
            Identity::Caller { inside } => self.push(Step::NestedUserNamespace {
                uid_map: format!("{} 0 1\n", inside.uid).into_bytes(),
                gid_map: format!("{} 0 1\n", inside.gid).into_bytes(),
            }),
            Identity::Dedicated { inside, .. } => {
                self.push(Step::ClearGroups);
                self.push(Step::SetIds { uid: inside.uid, gid: inside.gid });
            }
        }
    }

    fn tmpfs(&mut self, at: &Path, options: &str) -> Result<(), SandboxError> {
        self.mount("tmpfs", at, MountFlags::MS_NOSUID | MountFlags::MS_NODEV, options)
    }

    fn mount(&mut self, fstype: &str, at: &Path, flags: MountFlags, options: &str) -> Result<(), SandboxError> {
        let fstype = c_string(OsStr::new(fstype))?;
        let target = c_string(at.as_os_str())?;
        let data = c_string(OsStr::new(options))?;
        self.push(Step::Mount { source: fstype.clone(), target, fstype, flags, data });
        Ok(())
    }

    /// The path in the staging root for a file at `target`, whose parent directories exist from now on.
    fn place(&mut self, target: &Path) -> Result<PathBuf, SandboxError> {
        if let Some(parent) = target.parent() {
            self.directory(parent, 0o755)?;
        }
        below(Path::new(INSIDE), target)
    }

    /// The path in the staging root for a directory at `target`, which exists from now on.
    fn directory(&mut self, target: &Path, mode: u32) -> Result<PathBuf, SandboxError> {
        let at = below(Path::new(INSIDE), target)?;
        let mut missing: Vec<_> =
            at.ancestors().take_while(|path| !self.directories.contains(*path)).map(Path::to_owned).collect();
        missing.reverse();
        for path in missing {
            let mode = if path == at { mode } else { 0o755 };
            self.push(Step::MakeDirectory { path: c_string(path.as_os_str())?, mode });
            self.directories.insert(path);
        }
        Ok(at)
    }
}

/// Where an entry's source really is, and whether it is a directory. Resolved here: inside, an absolute symlink on the
/// way would lead into the staging root.
fn resolve(source: &Path, entry: &Entry) -> Result<(PathBuf, bool), SandboxError> {
    let missing =
        |error| SandboxError::Source { source_path: source.to_owned(), entry: entry.describe(), source: error };
    let resolved = source.canonicalize().map_err(missing)?;
    let is_directory = resolved.metadata().map_err(missing)?.is_dir();
    Ok((resolved, is_directory))
}

/// `path`, which must be absolute and plain, below another root.
fn below(root: &Path, path: &Path) -> Result<PathBuf, SandboxError> {
    let plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    match path.strip_prefix("/") {
        Ok(relative) if path.components().all(plain) => Ok(root.join(relative)),
        _ => Err(SandboxError::Target { target: path.to_owned() }),
    }
}

fn c_string(text: &OsStr) -> Result<CString, SandboxError> {
    CString::new(text.as_bytes())
        .map_err(|_| SandboxError::NulByte { text: text.to_string_lossy().escape_debug().to_string() })
}
