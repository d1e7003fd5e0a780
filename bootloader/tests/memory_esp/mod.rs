//! An ESP in memory that is as full as a real one, and knows every state that a power cut could leave it in.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bootloader::entry::EntryId;
use bootloader::esp::{DirectoryEntry, EspError, EspFs, EspPath, Space};
use bootloader::generation::{BootFile, Bootable, Generation};
use bootloader::loader::{Architecture, Editor, LoaderSettings, MenuTimeout, SystemdBoot};
use bootloader::plan::Wanted;

pub const CLUSTER: u64 = 512;

/// What the disk holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    pub directories: BTreeSet<EspPath>,
    pub files: BTreeMap<EspPath, Vec<u8>>,
}

/// A change as the filesystem sees it.
#[derive(Debug, Clone)]
enum Event {
    CreateDirectory(EspPath),
    Write(EspPath, Vec<u8>),
    Rename(EspPath, EspPath),
    Remove(EspPath),
    Sync,
}

#[derive(Debug, Clone)]
pub struct MemoryEsp {
    pub disk: Disk,
    pub capacity_bytes: u64,
    events: Vec<Event>,
    before: Disk,
}

impl Disk {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::CreateDirectory(path) => drop(self.directories.insert(path.clone())),
            Event::Write(path, contents) => drop(self.files.insert(path.clone(), contents.clone())),
            Event::Rename(from, to) => {
                if let Some(contents) = self.files.remove(from) {
                    self.files.insert(to.clone(), contents);
                }
            }
            Event::Remove(path) => drop(self.files.remove(path)),
            Event::Sync => {}
        }
    }

    fn used_bytes(&self) -> u64 {
        let files = self.files.values().map(|contents| (contents.len() as u64).next_multiple_of(CLUSTER));
        files.sum::<u64>() + self.directories.len() as u64 * CLUSTER
    }
}

impl MemoryEsp {
    pub fn new(capacity_bytes: u64) -> Self {
        MemoryEsp { disk: Disk::default(), capacity_bytes, events: Vec::new(), before: Disk::default() }
    }

    pub fn from_disk(disk: Disk) -> Self {
        MemoryEsp { before: disk.clone(), disk, capacity_bytes: u64::MAX, events: Vec::new() }
    }

    /// Forgets what was recorded; the present state is where power cuts start from.
    pub fn start_recording(&mut self) {
        self.before = self.disk.clone();
        self.events.clear();
    }

    /// Every state that a power cut during the recorded changes could leave: file contents are durable once written, all
    /// else only when synced; of what is not, any part may have reached the disk. A write may have stopped halfway.
    pub fn power_cut_states(&self) -> Vec<Disk> {
        let mut states = vec![self.before.clone()];
        let mut durable = self.before.clone();
        let mut pending: Vec<Event> = Vec::new();
        for event in &self.events {
            match event {
                Event::Sync => {
                    pending.drain(..).for_each(|event| durable.apply(&event));
                    states.push(durable.clone());
                }
                Event::Write(path, contents) => {
                    let half = Event::Write(path.clone(), contents[..contents.len() / 2].to_vec());
                    states.extend(subsets(&durable, &[pending.as_slice(), &[half]].concat()));
                    pending.push(event.clone());
                }
                _ => {
                    pending.push(event.clone());
                    states.extend(subsets(&durable, &pending));
                }
            }
        }
        states.push(self.disk.clone());
        states
    }
}

/// The disk with every choice of the pending renames and removals; at most the last six vary, older ones go together.
fn subsets(durable: &Disk, pending: &[Event]) -> Vec<Disk> {
    let volatile: Vec<usize> = (0..pending.len())
        .filter(|&place| matches!(pending[place], Event::Rename(..) | Event::Remove(..)))
        .rev()
        .take(6)
        .collect();
    (0..1_u32 << volatile.len())
        .map(|choice| {
            let mut disk = durable.clone();
            for (place, event) in pending.iter().enumerate() {
                let lost = volatile.iter().position(|&other| other == place).is_some_and(|bit| choice >> bit & 1 == 1);
                if !lost {
                    disk.apply(event);
                }
            }
            disk
        })
        .collect()
}

fn error(action: &'static str, path: &EspPath, kind: io::ErrorKind) -> EspError {
    EspError { action, path: path.clone(), source: kind.into() }
}

impl EspFs for MemoryEsp {
    fn list(&mut self, directory: &EspPath) -> Result<Vec<DirectoryEntry>, EspError> {
        let inside = |path: &&EspPath| path.parent() == *directory && **path != EspPath::root();
        let files = self.disk.files.iter().filter(|(path, _)| inside(path)).map(|(path, contents)| DirectoryEntry {
            name: path.name().to_owned(),
            size_bytes: Some(contents.len() as u64),
        });
        let directories = self.disk.directories.iter().filter(inside);
        let directories = directories.map(|path| DirectoryEntry { name: path.name().to_owned(), size_bytes: None });
        Ok(files.chain(directories).collect())
    }

    fn read(&mut self, path: &EspPath) -> Result<Vec<u8>, EspError> {
        self.disk.files.get(path).cloned().ok_or_else(|| error("read", path, io::ErrorKind::NotFound))
    }

    fn create_directory(&mut self, path: &EspPath) -> Result<(), EspError> {
        if path.parent() != EspPath::root() && !self.disk.directories.contains(&path.parent()) {
            return Err(error("create the directory", path, io::ErrorKind::NotFound));
        }
        let event = Event::CreateDirectory(path.clone());
        self.disk.apply(&event);
        self.events.push(event);
        Ok(())
    }

    fn write(&mut self, path: &EspPath, contents: &mut dyn Read) -> Result<(), EspError> {
        if !self.disk.directories.contains(&path.parent()) {
            return Err(error("write", path, io::ErrorKind::NotFound));
        }
        let mut bytes = Vec::new();
        contents.read_to_end(&mut bytes).unwrap();
        let event = Event::Write(path.clone(), bytes);
        self.disk.apply(&event);
        self.events.push(event);
        match self.disk.used_bytes() > self.capacity_bytes {
            true => Err(error("write", path, io::ErrorKind::StorageFull)),
            false => Ok(()),
        }
    }

    fn rename(&mut self, from: &EspPath, to: &EspPath) -> Result<(), EspError> {
        if !self.disk.files.contains_key(from) {
            return Err(error("rename", from, io::ErrorKind::NotFound));
        }
        let event = Event::Rename(from.clone(), to.clone());
        self.disk.apply(&event);
        self.events.push(event);
        Ok(())
    }

    fn remove(&mut self, path: &EspPath) -> Result<(), EspError> {
        if !self.disk.files.contains_key(path) {
            return Err(error("remove", path, io::ErrorKind::NotFound));
        }
        let event = Event::Remove(path.clone());
        self.disk.apply(&event);
        self.events.push(event);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EspError> {
        self.events.push(Event::Sync);
        Ok(())
    }

    fn space(&mut self) -> Result<Space, EspError> {
        let free_bytes = self.capacity_bytes.saturating_sub(self.disk.used_bytes());
        Ok(Space { free_bytes, cluster_bytes: CLUSTER })
    }
}

/// Host files that generations boot: `kernel-0` … `initrd-9`, each a different length, and a systemd-boot.
pub struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    pub fn new() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        for number in 0..10_u8 {
            for (kind, size) in [("kernel", 4_000), ("initrd", 6_000)] {
                let contents = vec![number; size + usize::from(number) * 100];
                std::fs::write(directory.path().join(format!("{kind}-{number}")), contents).unwrap();
            }
        }
        std::fs::write(directory.path().join("boot.efi"), "MZ #### LoaderInfo: systemd-boot 257.8 ####").unwrap();
        Host { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A kernel or initrd; its name on the ESP tells its number, so that a reader can check its contents.
    pub fn file(&self, kind: &str, number: u8) -> BootFile {
        let source = self.path(&format!("{kind}-{number}"));
        let size_bytes = std::fs::metadata(&source).unwrap().len();
        BootFile {
            path: EspPath::new(&format!("EFI/esker/{}-{kind}.efi", format!("{number:x}").repeat(32))),
            source,
            size_bytes,
        }
    }

    pub fn bootable(&self, kernel: u8, initrd: u8) -> Bootable {
        Bootable {
            kernel: self.file("kernel", kernel),
            initrd: Some(self.file("initrd", initrd)),
            options: vec![format!("init=/nix/store/k{kernel}-i{initrd}/init")],
            label: "13.2".to_owned(),
            system: "x86_64-linux".to_owned(),
        }
    }

    pub fn generation(&self, number: u32, kernel: u8, initrd: u8) -> Generation {
        Generation { number, main: self.bootable(kernel, initrd), specialisations: BTreeMap::new() }
    }

    pub fn systemd_boot(&self) -> SystemdBoot {
        SystemdBoot::load(Architecture::X64, &self.path("boot.efi")).unwrap()
    }

    /// These generations, the newest the default.
    pub fn wanted(&self, generations: Vec<Generation>) -> Wanted {
        let newest = generations.iter().map(|generation| generation.number).max().unwrap();
        Wanted {
            generations,
            default: EntryId::of_generation(newest),
            booted: None,
            title: "Esker web1".to_owned(),
            machine_id: None,
            tries: None,
            configuration_limit: None,
            settings: LoaderSettings {
                timeout: MenuTimeout::Seconds(5),
                editor: Editor::Forbidden,
                console_mode: "keep".to_owned(),
            },
            systemd_boot: Some(self.systemd_boot()),
        }
    }
}

/// Whether the contents of a kernel or initrd on the ESP are those its name promises.
pub fn is_whole(disk: &Disk, host: &Host, path: &EspPath) -> bool {
    let Some(contents) = disk.files.get(path) else {
        return false;
    };
    let number = u8::from_str_radix(&path.name()[..1], 16).unwrap();
    let kind = if path.name().contains("kernel") { "kernel" } else { "initrd" };
    std::fs::read(host.path(&format!("{kind}-{number}"))).unwrap() == *contents
}

/// The names in a directory of the disk.
pub fn names(disk: &Disk, directory: &str) -> Vec<String> {
    let directory = EspPath::new(directory);
    let inside = disk.files.keys().filter(|path| path.parent() == directory);
    inside.map(|path| path.name().to_owned()).collect()
}

/// Puts a file on the disk, and its directories.
pub fn put(disk: &mut Disk, path: &str, contents: &[u8]) {
    let path = EspPath::new(path);
    let mut parent = path.parent();
    while parent != EspPath::root() {
        disk.directories.insert(parent.clone());
        parent = parent.parent();
    }
    disk.files.insert(path, contents.to_vec());
}

/// The path of a file in the temporary directory, as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
