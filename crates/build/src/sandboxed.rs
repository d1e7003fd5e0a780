//! Running a derivation's program in a sandbox: what it sees, and waiting for it.
//!
//! Under /nix/store there are the inputs' closure, read-only, and room for the outputs; /build is writable. A derivation
//! that names a view in its attribute `view` sees that as /usr. The sandbox itself is `crates/sandbox`'s.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bstr::ByteSlice as _;
use nix_formats::{Derivation, StorePath};
use sandbox::{Access, Command, Entry, Exit, ForeignMachine, Identity, Ids, Network, SandboxPlan, StandardStreams};
use store::Scratch;

use crate::builder::Builder;
use crate::builtin::attributes_of;
use crate::cancel::Cancellation;
use crate::environment::{BUILD_DIR, BuildFiles, HostPart};
use crate::error::{Context as _, FailureReason};
use crate::log::BuildLog;
use crate::plan::PlannedBuild;
use crate::registrar::Registrar;
use crate::view::MaterialisedView;

/// The file by which an output of `builtin:view` is recognised.
const VIEW_FILE: &str = "view.json";

/// How often the cancellation is looked at while a program runs.
const TICK: Duration = Duration::from_millis(100);

/// When root builds, programs run as this account and the following, one per job; they need no names.
const FIRST_BUILD_UID: u32 = 30001;
const BUILD_GID: u32 = 30000;

/// A derivation to be built by its program.
pub(crate) struct SandboxedBuild<'b> {
    pub(crate) builder: &'b Builder<'b>,
    pub(crate) planned: &'b PlannedBuild,
    pub(crate) registrar: &'b Registrar<'b>,
    pub(crate) log: &'b BuildLog<'b>,
    pub(crate) stop: &'b Cancellation,
}

impl SandboxedBuild<'_> {
    /// Runs the program; gives the outputs' trees by name, which need not exist. `slot` tells apart what runs at the
    /// same time.
    pub(crate) fn run(&self, scratch: &Scratch, slot: usize) -> Result<Vec<(String, PathBuf)>, FailureReason> {
        let (builder, planned) = (self.builder, self.planned);
        let host =
            HostPart { cores: builder.options.cores, impure_variables: builder.options.impure_variables.clone() };
        let build = BuildFiles::of(&planned.derivation, builder.store.dir(), &host)?;
        let inputs = self.registrar.closure(&planned.inputs)?;
        let folders = Folders::create(scratch, &build, identity(slot))?;
        let view = find_view(builder, planned, &inputs)?;
        let plan = sandbox_plan(builder, planned, &build, &folders, (&inputs, view.as_ref()));
        tracing::debug!(drv = %planned.drv, plan = plan.describe(), "entering the sandbox");
        let timeout = builder.options.timeout;
        let started = Instant::now();
        let is_late = || timeout.is_some_and(|limit| started.elapsed() >= limit);
        match run(&plan, self.log, &|| self.stop.is_cancelled() || is_late())? {
            Exit::Code(0) => {}
            _ if self.stop.is_cancelled() => return Err(FailureReason::Cancelled),
            _ if is_late() => return Err(FailureReason::TimedOut { seconds: timeout.map_or(0, |t| t.as_secs()) }),
            Exit::Code(status) => return Err(FailureReason::ExitStatus { status }),
            Exit::Signal(signal) => return Err(FailureReason::Signal { signal }),
        }
        let tree = |(name, path): (&String, &StorePath)| (name.clone(), folders.store.join(path.base_name()));
        Ok(planned.outputs.iter().map(tree).collect())
    }
}

/// Who the program is: an account of its own when we are root and have accounts to give.
fn identity(slot: usize) -> Identity {
    let inside = sandbox::BUILD_IDS;
    let uid = FIRST_BUILD_UID + u32::try_from(slot).unwrap_or(0);
    if nix::unistd::Uid::effective().is_root()
        && is_mapped("/proc/self/uid_map", uid)
        && is_mapped("/proc/self/gid_map", BUILD_GID)
    {
        return Identity::Dedicated { inside, outside: Ids { uid, gid: BUILD_GID } };
    }
    Identity::Caller { inside }
}

/// Whether an id exists in our user namespace: in a container, few may.
fn is_mapped(map: &str, id: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(map) else {
        return false;
    };
    text.lines().any(|line| {
        let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        matches!(fields[..], [first, _, count] if (first..first + count).contains(&u64::from(id)))
    })
}

/// The folders that the program can write to.
struct Folders {
    /// What it sees as its build folder.
    build: PathBuf,
    /// What it sees as the store, below the inputs.
    store: PathBuf,
    identity: Identity,
}

impl Folders {
    fn create(scratch: &Scratch, build: &BuildFiles, identity: Identity) -> Result<Self, FailureReason> {
        let folders = Self { build: scratch.fresh(), store: scratch.fresh(), identity };
        for folder in [&folders.build, &folders.store] {
            std::fs::create_dir(folder).context("create folder", folder)?;
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).context("set the mode of", folder)?;
            folders.give(folder)?;
        }
        for (name, text) in &build.files {
            let file = folders.build.join(name);
            std::fs::write(&file, text).context("write", &file)?;
            folders.give(&file)?;
        }
        Ok(folders)
    }

    fn give(&self, path: &Path) -> Result<(), FailureReason> {
        match self.identity {
            Identity::Caller { .. } => Ok(()),
            Identity::Dedicated { outside, .. } => {
                std::os::unix::fs::chown(path, Some(outside.uid), Some(outside.gid)).context("set the owner of", path)
            }
        }
    }
}

/// The view that the derivation names, laid out.
fn find_view(
    builder: &Builder<'_>,
    planned: &PlannedBuild,
    inputs: &BTreeSet<StorePath>,
) -> Result<Option<MaterialisedView>, FailureReason> {
    let malformed = || FailureReason::Attribute { name: "view".to_owned(), expected: "an output of `builtin:view`" };
    let attributes = attributes_of(&planned.derivation).map_err(|_| malformed())?;
    let Some(text) = attributes.get("view").and_then(serde_json::Value::as_str) else {
        return Ok(None);
    };
    // A variable that happens to have this name and is no view is the program's own affair.
    let Ok(view) = builder.store.dir().parse(text) else {
        return Ok(None);
    };
    if !inputs.contains(&view) || !builder.store.physical(&view).join(VIEW_FILE).exists() {
        return Ok(None);
    }
    let provider = builder.tools.views.ok_or_else(malformed)?;
    // The collector takes a view's tree with the view.
    builder.store.add_temp_roots([&view])?;
    provider.materialise(&view).map(Some).map_err(|source| FailureReason::View { view, source })
}

fn sandbox_plan(
    builder: &Builder<'_>,
    planned: &PlannedBuild,
    build: &BuildFiles,
    folders: &Folders,
    (inputs, view): (&BTreeSet<StorePath>, Option<&MaterialisedView>),
) -> SandboxPlan {
    let derivation = &planned.derivation;
    let is_fixed = derivation.fixed_output().is_some();
    let network = if is_fixed { Network::Allowed } else { Network::Isolated };
    let mut plan = sandbox::build_plan(command(planned, build), network);
    plan.identity = folders.identity;
    let bind = |source: PathBuf, target: PathBuf, access| Entry::Bind { source, target, access };
    plan.entries.push(bind(folders.build.clone(), BUILD_DIR.into(), Access::Writable));
    plan.entries.push(bind(folders.store.clone(), builder.store.dir().as_str().into(), Access::Writable));
    for input in inputs {
        let (source, target) = (builder.store.physical(input), builder.store.logical(input).into());
        // A link cannot be mounted; it says the same when it is made anew.
        plan.entries.push(match std::fs::read_link(&source) {
            Ok(says) => Entry::Symlink { path: target, target: says },
            Err(_) => bind(source, target, Access::ReadOnly),
        });
    }
    if let Some(view) = view {
        show_view(&mut plan, view);
    }
    plan.entries.extend(emulation(builder, derivation));
    plan
}

/// How a program of another platform runs, where the host has no rule for it already.
fn emulation(builder: &Builder<'_>, derivation: &Derivation) -> Option<Entry> {
    let system = derivation.system.to_str().ok()?;
    let emulator = builder.options.emulators.get(system)?.clone();
    let machine = ForeignMachine::named(system.strip_suffix("-linux")?)?;
    (!machine.runs_on_host()).then_some(Entry::ForeignPrograms { machine, emulator })
}

fn show_view(plan: &mut SandboxPlan, view: &MaterialisedView) {
    plan.entries.push(Entry::Bind { source: view.usr.clone(), target: "/usr".into(), access: Access::ReadOnly });
    for name in ["bin", "lib", "lib64", "sbin"] {
        let (path, target) = (Path::new("/").join(name), Path::new("usr").join(name));
        plan.entries.push(Entry::Symlink { path, target });
    }
    let present: BTreeSet<PathBuf> = plan.entries.iter().filter_map(place_of).collect();
    let Some(etc) = &view.etc else { return };
    let mut names: Vec<_> =
        std::fs::read_dir(etc).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let (source, target) = (etc.join(&name), Path::new("/etc").join(&name));
        if present.iter().any(|place| place.starts_with(&target)) {
            continue;
        }
        plan.entries.push(match std::fs::read_link(&source) {
            Ok(says) => Entry::Symlink { path: target, target: says },
            Err(_) => Entry::Bind { source, target, access: Access::ReadOnly },
        });
    }
}

fn place_of(entry: &Entry) -> Option<PathBuf> {
    match entry {
        Entry::Bind { target, .. } => Some(target.clone()),
        Entry::File { path, .. } | Entry::Symlink { path, .. } | Entry::Directory { path, .. } => Some(path.clone()),
        Entry::Device { .. }
        | Entry::Tmpfs { .. }
        | Entry::Proc
        | Entry::PseudoTerminals
        | Entry::ForeignPrograms { .. } => None,
    }
}

fn command(planned: &PlannedBuild, build: &BuildFiles) -> Command {
    let derivation = &planned.derivation;
    let os = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let program = PathBuf::from(os(&derivation.builder));
    let name = derivation.builder.rsplit_str("/").next().unwrap_or_default();
    let mut arguments = vec![os(name)];
    arguments.extend(derivation.args.iter().map(|argument| os(argument)));
    let environment = build.variables.iter().map(|(name, value)| (name.into(), os(value))).collect();
    Command { program, arguments, environment, working_directory: BUILD_DIR.into() }
}

/// Runs the plan's program to its end or until `stop` says so, its output going to the log.
fn run(plan: &SandboxPlan, log: &BuildLog<'_>, stop: &dyn Fn() -> bool) -> Result<Exit, FailureReason> {
    let (read_end, write_end) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
        .map_err(std::io::Error::from)
        .context("make a pipe for", Path::new("the build log"))?;
    std::thread::scope(|scope| {
        scope.spawn(move || log.copy_from(File::from(read_end)));
        let mut child = sandbox::spawn(plan, StandardStreams::Log(write_end))?;
        loop {
            if let Some(exit) = child.wait_timeout(TICK)? {
                return Ok(exit);
            }
            if stop() {
                child.kill()?;
            }
        }
    })
}
