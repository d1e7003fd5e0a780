//! What a virtual machine of `esker vm` starts from, beside what the command line says of it: the store of this host and a
//! disk for the machine's state, or a disk image that is booted as a machine boots its disk.
//!
//! Makes what is missing on disk and starts nothing.

use std::path::{Path, PathBuf};

use nix_formats::StorePath;
use qemu::{DirectKernel, Disk, FileServer, Firmware};
use system::Session;

use crate::disk::{self, Earlier};
use crate::emulator::{self, Tools};

type Error = Box<dyn std::error::Error>;

/// The name of the shared store, as `modules/virtualisation/shared-store.nix` mounts it.
const STORE_TAG: &str = "esker-store";

/// What outlives a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The machine's state, in .esker/vm beside the configuration.
    Lasting,
    /// Nothing.
    Passing,
}

/// Where a machine with this host's store keeps what it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    /// The folder of the disk.
    pub(crate) folder: &'p Path,
    /// Whether the disk stays.
    pub(crate) state: State,
    /// How large it may become. That costs nothing, the file is sparse.
    pub(crate) bytes: u64,
}

/// What a machine starts from.
pub(crate) struct BootSource {
    pub(crate) firmware: Option<Firmware>,
    pub(crate) kernel: Option<DirectKernel>,
    pub(crate) disk: Disk,
    pub(crate) file_server: Option<FileServer>,
    /// What a person should know of it.
    pub(crate) remark: Option<String>,
    // Files that go with the machine.
    _passing: Vec<tempfile::TempDir>,
}

impl BootSource {
    /// This host's store, shared with the machine.
    ///
    /// Errors when the state's disk cannot be made or the system is incomplete.
    pub(crate) fn shared_store(
        session: &Session,
        toplevel: &StorePath,
        tools: &Tools,
        Place { folder, state, bytes }: Place<'_>,
    ) -> Result<Self, Error> {
        // Below /tmp whatever TMPDIR says: a socket's name must be short.
        let sockets = tempfile::Builder::new().prefix("esker-files-").tempdir_in("/tmp")?;
        let mut passing = Vec::new();
        let image = match state {
            State::Lasting => folder.join("state.img"),
            State::Passing => {
                // Beside the lasting one: /tmp may be in memory.
                fs_err::create_dir_all(folder)?;
                let place = tempfile::Builder::new().prefix("ephemeral-").tempdir_in(folder)?;
                let image = place.path().join("state.img");
                passing.push(place);
                image
            }
        };
        if !image.exists() {
            fs_err::create_dir_all(folder)?;
            images::state::write_state_disk(&image, bytes)?;
        }
        let file_server = FileServer {
            usr: tools.usr.clone(),
            folder: session.store().layout().physical_store().to_owned(),
            tag: STORE_TAG.to_owned(),
            socket: sockets.path().join("store"),
        };
        passing.push(sockets);
        Ok(Self {
            firmware: None,
            kernel: Some(direct_kernel(session, toplevel)?),
            disk: Disk::raw(image),
            file_server: Some(file_server),
            remark: None,
            _passing: passing,
        })
    }

    /// A disk image with the whole system, through firmware and boot menu.
    ///
    /// Errors when the image cannot be made.
    pub(crate) fn image(
        session: &Session,
        toplevel: &StorePath,
        tools: &Tools,
        (folder, state, earlier): (&Path, State, Earlier),
    ) -> Result<Self, Error> {
        let place = disk::machine_disk(session, toplevel, folder, earlier)?;
        let mut passing = Vec::new();
        let variables = match state {
            State::Lasting => place.variables.clone(),
            State::Passing => {
                let folder = tempfile::tempdir()?;
                let variables = folder.path().join("efi-variables");
                passing.push(folder);
                variables
            }
        };
        let template = if place.variables.exists() { &place.variables } else { &tools.firmware_variables };
        if *template != variables {
            fs_err::copy(template, &variables)?;
            emulator::make_writable(&variables)?;
        }
        let mut disk = Disk::raw(&place.image);
        disk.ephemeral = state == State::Passing;
        Ok(Self {
            firmware: Some(Firmware { code: tools.firmware_code.clone(), variables }),
            kernel: None,
            disk,
            file_server: None,
            remark: place
                .set_aside
                .map(|old| format!("the system is another one: a new disk; the one before is {}", old.display())),
            _passing: passing,
        })
    }
}

#[cfg(test)]
impl BootSource {
    /// A disk and nothing else.
    pub(crate) fn of_disk(path: &str) -> Self {
        Self {
            firmware: None,
            kernel: None,
            disk: Disk::raw(path),
            file_server: None,
            remark: None,
            _passing: Vec::new(),
        }
    }
}

/// The system's kernel, with the command line that a boot menu would give it, and where the machine finds what of its store
/// is registered here.
fn direct_kernel(session: &Session, toplevel: &StorePath) -> Result<DirectKernel, Error> {
    let store = session.store();
    let folder = store.physical(toplevel);
    let file = |name: &str| -> Result<PathBuf, Error> {
        // The link says where it is in the store's own words; the store may be kept elsewhere.
        Ok(store.layout().physical_of_logical(&fs_err::read_link(folder.join(name))?))
    };
    let parameters = fs_err::read_to_string(folder.join("kernel-params"))?;
    let registration = registration(session, toplevel)?;
    let (init, registration) = (store.logical(toplevel), store.logical(&registration));
    let command_line = format!("init={init}/init {} esker.registration={registration}", parameters.trim());
    Ok(DirectKernel { kernel: file("kernel")?, initrd: file("initrd")?, command_line })
}

/// What the store knows of a system, as a text in the store, where the machine can read it.
fn registration(session: &Session, toplevel: &StorePath) -> Result<StorePath, Error> {
    let store = session.store();
    let closure = store.closure_in_order([toplevel])?;
    let text = store.dump_registrations(&closure)?;
    Ok(store.add_text("esker-vm-registration", text.as_bytes(), [toplevel.clone()].into())?)
}
