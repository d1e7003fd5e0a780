//! The two sandboxes that Esker uses: one for a build, one for running a program in a view.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Access, Command, Entry, Identity, Ids, Network, Processes, SandboxPlan, SystemCalls};

/// The ids that every build has, whoever runs it: Nix's.
pub const BUILD_IDS: Ids = Ids { uid: 1000, gid: 100 };

/// A build: nothing to see but /proc, a few devices, an empty /tmp and the account files. The caller adds the
/// inputs, the place for outputs and the build directory.
pub fn build_plan(command: Command, network: Network) -> SandboxPlan {
    let mut entries = vec![Entry::Proc];
    entries.extend(minimal_devices());
    entries.push(Entry::Tmpfs { target: "/tmp".into(), mode: 0o1777, size_bytes: None });
    entries.extend(build_account_files());
    if network == Network::Allowed {
        entries.extend(host_network_files());
    }
    SandboxPlan {
        identity: Identity::Caller { inside: BUILD_IDS },
        entries,
        network,
        processes: Processes::Own,
        system_calls: SystemCalls::Build,
        host_name: Some("localhost".into()),
        limits: Vec::new(),
        command,
    }
}

/// A program of a view: /usr is `view`, everything else of the host stays where it is, and so do network, processes
/// and the caller's ids.
///
/// Errors when the host's root directory cannot be listed.
pub fn view_plan(view: &Path, command: Command) -> std::io::Result<SandboxPlan> {
    let (uid, gid) = syscalls::process::effective_ids();
    let mut entries = vec![Entry::Bind { source: view.to_owned(), target: "/usr".into(), access: Access::ReadOnly }];
    entries.extend(usr_links());
    let mut host: Vec<_> = std::fs::read_dir("/")?.collect::<Result<_, _>>()?;
    host.sort_by_key(std::fs::DirEntry::file_name);
    for entry in host {
        let path = entry.path();
        let kind = entry.file_type()?;
        if is_of_the_view(&path) {
            continue;
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(&path)?;
            entries.push(Entry::Symlink { path, target });
        } else if kind.is_dir() {
            entries.push(Entry::writable(path));
        }
    }
    Ok(SandboxPlan {
        identity: Identity::Caller { inside: Ids { uid, gid } },
        entries,
        network: Network::Allowed,
        processes: Processes::Host,
        system_calls: SystemCalls::All,
        host_name: None,
        limits: Vec::new(),
        command,
    })
}

/// The devices that programs take for granted, a terminal of their own, and shared memory.
pub fn minimal_devices() -> Vec<Entry> {
    let devices = ["full", "null", "random", "tty", "urandom", "zero"];
    let mut entries: Vec<_> = devices.iter().map(|name| Entry::Device { path: Path::new("/dev").join(name) }).collect();
    entries.push(Entry::PseudoTerminals);
    entries.push(Entry::Tmpfs { target: "/dev/shm".into(), mode: 0o1777, size_bytes: None });
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    entries.extend(
        links.map(|(name, target)| Entry::Symlink { path: Path::new("/dev").join(name), target: target.into() }),
    );
    entries
}

/// /etc/passwd, group and hosts, so that the build user has a name and localhost an address.
pub fn build_account_files() -> Vec<Entry> {
    let Ids { uid, gid } = BUILD_IDS;
    let files = [
        (
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/build:/noshell\n\
                 nixbld:x:{uid}:{gid}:build user:/build:/noshell\n\
                 nobody:x:65534:65534:nobody:/:/noshell\n"
            ),
        ),
        ("/etc/group", format!("root:x:0:\nnixbld:!:{gid}:\nnogroup:x:65534:\n")),
        ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
    ];
    files.map(|(path, text)| Entry::File { path: path.into(), text, mode: 0o644 }).into()
}

/// What a program needs of the host's /etc to find other machines, as far as the host has it.
pub fn host_network_files() -> Vec<Entry> {
    ["/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/ssl/certs"]
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .map(Entry::read_only)
        .collect()
}

/// The directories that have moved into /usr.
fn usr_links() -> impl Iterator<Item = Entry> {
    ["bin", "lib", "lib64", "sbin"]
        .into_iter()
        .map(|name| Entry::Symlink { path: Path::new("/").join(name), target: Path::new("usr").join(name) })
}

fn is_of_the_view(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == "usr" || name == "bin" || name == "sbin" || name.starts_with("lib")
}

impl Command {
    /// `program` with these arguments after its name, an empty environment, and the root directory to start in.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = vec![program.into()];
        all.extend(arguments.into_iter().map(Into::into));
        Self { program: program.into(), arguments: all, environment: BTreeMap::new(), working_directory: "/".into() }
    }
}
