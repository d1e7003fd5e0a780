//! The laboratory: the program under test, a store that stays between runs, machines made of what it builds.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use qemu::{
    Accelerator, Architecture, DirectKernel, Disk, Display, Emulator, Firmware, Forward, Interface, Machine, Running,
};
use serde_json::Value;

/// The program under test with its store.
#[derive(Debug)]
pub struct Lab {
    esker: PathBuf,
    root: PathBuf,
    artifacts: PathBuf,
    architecture: Architecture,
}

/// An image with what is in it.
#[derive(Debug)]
pub struct Built {
    /// The disk image; it belongs to the story and goes with it.
    pub image: PathBuf,
    /// The toplevel's store path.
    pub toplevel: String,
    // Removes the image.
    _folder: tempfile::TempDir,
}

/// Free ports of this host.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Leads to the guest's ssh.
    pub ssh: u16,
    /// Leads to the guest's web server.
    pub web: u16,
    /// Leads to a port of the guest that is closed.
    pub closed: u16,
}

impl Ports {
    /// Ports on which nothing listens now.
    pub fn free() -> Self {
        let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let port = |i: usize| listeners[i].local_addr().expect("an address").port();
        Self { ssh: port(0), web: port(1), closed: port(2) }
    }

    /// The network through which they lead.
    fn interface(self) -> Interface {
        let forward = |host, guest| Forward { host, guest };
        let forwards = vec![forward(self.ssh, 2222), forward(self.web, 80), forward(self.closed, 8888)];
        Interface::User { forwards, restricted: false }
    }
}

impl Lab {
    /// Opens the laboratory for a story of this name, about machines of x86_64.
    pub fn open(story: &str) -> Self {
        Self::open_for(story, Architecture::X86_64)
    }

    /// Opens the laboratory for a story of this name about machines of an architecture.
    pub fn open_for(story: &str, architecture: Architecture) -> Self {
        let esker = std::env::var_os("ESKER").map(PathBuf::from);
        let esker = esker.expect("ESKER must name the esker program (`just test` sets it)");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let root = repository.join("target/stories");
        let artifacts = root.join("artifacts").join(story);
        fs_err::create_dir_all(&artifacts).expect("the folder of artifacts");
        Self { esker, root, artifacts, architecture }
    }

    /// What the machines of this story are.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// A file of the repository's tests, such as `systems/first.nix`.
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// The repository that the stories are in.
    pub fn repository(&self) -> &Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
    }

    /// The program under test.
    pub fn program(&self) -> &Path {
        &self.esker
    }

    /// What stays between runs: `store`, `cache` and `esker.lock`.
    pub fn state(&self) -> &Path {
        &self.root
    }

    /// Where a story leaves what it saw.
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// The program with the laboratory's store and lock, ready for arguments.
    pub fn esker(&self) -> Command {
        let mut command = Command::new(&self.esker);
        command
            .env("ESKER_STORE", self.root.join("store"))
            .env("ESKER_CACHE", self.root.join("cache"))
            .env("ESKER_LOCK", self.root.join("esker.lock"));
        command
    }

    /// Runs the program; it must succeed.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.esker().args(arguments).output().expect("esker runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "esker {arguments:?} failed ({}):\n{errors}", output.status);
        output
    }

    /// Runs the program with `--json`; what it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.run(&all);
        serde_json::from_slice(&output.stdout).expect("esker --json prints JSON")
    }

    /// Builds the disk image of a system of `tests/systems`.
    pub fn image(&self, system: &str) -> Built {
        let folder = tempfile::Builder::new().prefix("image-").tempdir_in(&self.root).expect("a folder for the image");
        let image = folder.path().join("disk.img");
        let configuration = self.file(&format!("systems/{system}.nix"));
        let report = self.json(&[
            "image",
            configuration.to_str().expect("a path in UTF-8"),
            "--system",
            self.architecture.system(),
            "--output",
            image.to_str().expect("a path in UTF-8"),
        ]);
        let toplevel = report["toplevel"].as_str().expect("the toplevel").to_owned();
        Built { image, toplevel, _folder: folder }
    }

    /// QEMU and its firmware, from the pinned set.
    fn emulator(&self) -> (Emulator, PathBuf, PathBuf) {
        let configuration = self.file("systems/first.nix");
        let configuration = configuration.to_str().expect("a path in UTF-8");
        let plan = self.json(&["vm", configuration, "--system", self.architecture.system(), "--plan"]);
        let text = |value: &Value| PathBuf::from(value.as_str().unwrap_or_else(|| panic!("no path in {plan}")));
        let emulator =
            Emulator::View { usr: text(&plan["emulator"]["usr"]), program: text(&plan["emulator"]["program"]) };
        (emulator, text(&plan["firmware"]["code"]), text(&plan["firmware"]["variables"]))
    }

    /// Boots disks; the first is what the firmware starts. The firmware's variables lie beside the first disk, so they
    /// last as long as it does.
    pub fn boot(&self, disks: Vec<Disk>, ports: Ports) -> Running {
        let variables = disks[0].path.with_extension("vars");
        self.start(&variables, |machine| Machine { disks, interfaces: vec![ports.interface()], ..machine })
    }

    /// Boots one disk without a network, in a machine with this much memory.
    pub fn boot_alone(&self, disk: Disk, memory_mib: u32) -> Running {
        let variables = disk.path.with_extension("vars");
        self.start(&variables, |machine| Machine { disks: vec![disk], memory_mib, ..machine })
    }

    /// Boots a kernel with disks that the firmware need not know, in a machine with this much memory. The firmware's
    /// variables lie beside the first disk, or beside the initrd.
    pub fn boot_kernel(&self, kernel: DirectKernel, disks: Vec<Disk>, memory_mib: u32) -> Running {
        let variables = disks.first().map_or(&kernel.initrd, |disk| &disk.path).with_extension("vars");
        self.start(&variables, |machine| Machine { kernel: Some(kernel), disks, memory_mib, ..machine })
    }

    /// Boots one disk in a PC whose firmware is a BIOS, which writes on the serial console.
    pub fn boot_by_bios(&self, disk: Disk) -> Running {
        assert_eq!(self.architecture, Architecture::X86_64, "only PCs have a BIOS");
        let variables = disk.path.with_extension("vars");
        let without = |machine| Machine { disks: vec![disk], firmware: None, display: Display::Serial, ..machine };
        self.start(&variables, without)
    }

    /// Starts a machine that `complete` makes of an empty one.
    fn start(&self, variables: &Path, complete: impl FnOnce(Machine) -> Machine) -> Running {
        let (emulator, firmware_code, template) = self.emulator();
        if !variables.exists() {
            fs_err::copy(template, variables).expect("a copy of the firmware's variables");
        }
        let machine = Machine {
            architecture: self.architecture,
            accelerator: Accelerator::Tcg,
            memory_mib: 1536,
            cpus: 2,
            firmware: Some(Firmware { code: firmware_code, variables: variables.to_owned() }),
            kernel: None,
            disks: Vec::new(),
            file_server: None,
            interfaces: Vec::new(),
            display: Display::None,
            sockets: None,
        };
        Running::start(&emulator, complete(machine), &self.artifacts)
            .unwrap_or_else(|error| panic!("the machine starts: {error}"))
    }
}
