//! The root filesystem of a state: ext4 is sound once its journal is replayed, and the store in it says of itself what is
//! true.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use disk_formats::gpt::DiskLayout;
use stories::power_cut::Replay;

const MIB: u64 = 1 << 20;

/// Where the partitions lie, in bytes.
pub(crate) struct Partitions {
    pub(crate) esp: Range<u64>,
    pub(crate) root: Range<u64>,
}

/// The two partitions of a disk.
pub(crate) fn partitions(disk: &mut Replay) -> Partitions {
    let layout = DiskLayout::read_from(disk).expect("a partition table");
    let place = |index: usize| {
        let partition = &layout.partitions[index];
        partition.start_bytes..partition.start_bytes + partition.length_bytes
    };
    assert_eq!(layout.partitions.len(), 2, "{layout:?}");
    let (esp, root) = (place(0), place(1));
    assert!(root.start % MIB == 0 && root.end % MIB == 0, "the root partition lies at whole MiB: {layout:?}");
    Partitions { esp, root }
}

/// The root filesystem in an image. A copy of it is what is looked at.
pub(crate) struct Volume {
    image: PathBuf,
    place: Range<u64>,
    lab: PathBuf,
    at_first: Option<BTreeSet<String>>,
}

impl Volume {
    pub(crate) fn new(image: &Path, place: &Range<u64>, lab: &Path) -> Self {
        Self { image: image.to_owned(), place: place.clone(), lab: lab.to_owned(), at_first: None }
    }

    /// Checks that it is sound, that these toplevels are in its store, and that its system profile leads to one of the
    /// registered paths, or to the one that is given.
    pub(crate) fn check(&mut self, toplevels: &[String], profile: Option<&str>) -> Result<(), String> {
        let folder = tempfile::tempdir_in(&self.lab).expect("a folder");
        // A copy of the partition alone: e2fsck forgets an offset when it opens the filesystem again after the journal.
        let copy = folder.path().join("root.img");
        let operands = [
            format!("skip={}", self.place.start / MIB),
            format!("count={}", (self.place.end - self.place.start) / MIB),
        ];
        let mut dd = Command::new("dd");
        dd.arg(format!("if={}", self.image.display())).arg(format!("of={}", copy.display())).args(operands);
        let copied = run(dd.args(["bs=1M", "conv=sparse", "status=none"]));
        assert!(copied.status.success(), "dd: {}", text(&copied));
        let device = copy.display().to_string();
        let repaired = run(Command::new("e2fsck").args(["-f", "-p", &device]));
        match repaired.status.code() {
            Some(0 | 1) => self.content(&device, folder.path(), toplevels, profile),
            _ => Err(format!("e2fsck: {}", text(&repaired))),
        }
    }

    fn content(
        &mut self,
        device: &str,
        folder: &Path,
        toplevels: &[String],
        profile: Option<&str>,
    ) -> Result<(), String> {
        let checked = run(Command::new("e2fsck").args(["-f", "-n", device]));
        if !checked.status.success() {
            return Err(format!("e2fsck once repaired: {}", text(&checked)));
        }
        self.debugfs(device, &[format!("rdump /var/nix {}", folder.display())])?;
        let state = folder.join("nix");
        let registered = registered(&state.join("db/db.sqlite"))?;
        let present = self.names(device, "/store")?;
        let absent: Vec<_> = registered.difference(&present).collect();
        if !absent.is_empty() {
            return Err(format!("registered and not there: {absent:?}"));
        }
        let current = system_profile(&state.join("profiles"))?;
        if profile.is_some_and(|expected| expected != current) {
            return Err(format!("the profile leads to {current}"));
        }
        for toplevel in toplevels.iter().map(String::as_str).chain([current.as_str()]) {
            if !registered.contains(base(toplevel)) {
                return Err(format!("{toplevel} is not registered"));
            }
        }
        let at_first = self.at_first.get_or_insert_with(|| registered.clone()).clone();
        self.same_as_here(device, folder, registered.difference(&at_first))
    }

    /// Checks that store paths have the content that they have in the laboratory's store.
    fn same_as_here<'a>(
        &self,
        device: &str,
        folder: &Path,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let names: Vec<&String> = names.collect();
        let there = folder.join("store");
        fs_err::create_dir(&there).map_err(|e| e.to_string())?;
        self.debugfs(
            device,
            &names.iter().map(|name| format!("rdump /store/{name} {}", there.display())).collect::<Vec<_>>(),
        )?;
        for name in names {
            let here = self.lab.join("store/nix/store").join(name);
            let compared =
                run(Command::new("diff").args(["-r", "--no-dereference", "-q"]).arg(here).arg(there.join(name)));
            if !compared.status.success() {
                return Err(format!("{name}: {}", text(&compared)));
            }
        }
        Ok(())
    }

    fn names(&self, device: &str, directory: &str) -> Result<BTreeSet<String>, String> {
        let listed = self.debugfs(device, &[format!("ls -p {directory}")])?;
        Ok(listed.lines().filter_map(|line| line.split('/').nth(5)).map(str::to_owned).collect())
    }

    fn debugfs(&self, device: &str, commands: &[String]) -> Result<String, String> {
        let script = tempfile::NamedTempFile::new_in(&self.lab).map_err(|e| e.to_string())?;
        fs_err::write(script.path(), commands.join("\n")).map_err(|e| e.to_string())?;
        let output = run(Command::new("debugfs").arg("-f").arg(script.path()).arg(device));
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("debugfs {commands:?}: {}", text(&output))),
        }
    }
}

/// The names of the paths that a database says are valid.
fn registered(database: &Path) -> Result<BTreeSet<String>, String> {
    let queried =
        run(Command::new("sqlite3").arg(database).arg("pragma integrity_check; select path from ValidPaths;"));
    let printed = String::from_utf8_lossy(&queried.stdout).into_owned();
    match printed.strip_prefix("ok\n") {
        Some(paths) if queried.status.success() => Ok(paths.lines().map(|path| base(path).to_owned()).collect()),
        _ => Err(format!("the database: {}", text(&queried))),
    }
}

/// The toplevel of the current generation.
fn system_profile(profiles: &Path) -> Result<String, String> {
    let link = |name: &str| {
        let target = fs_err::read_link(profiles.join(name)).map_err(|e| e.to_string())?;
        target.into_os_string().into_string().map_err(|other| format!("{other:?}"))
    };
    link(&link("system")?)
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error} (packages e2fsprogs, sqlite3, diffutils)"))
}

fn text(output: &Output) -> String {
    format!("{}: {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
