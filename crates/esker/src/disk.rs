//! Disk images of built systems: what `esker image` and `esker vm` ask `images` for.

use std::path::{Path, PathBuf};

use bootloader::entry::EntryId;
use images::existing::ExistingImage;
use images::format::Format;
use images::{BootSettings, ImageGeneration, ImageReport, ImageRequest, SectorSize, Sizes, build_image};
use nix_formats::StorePath;
use system::Session;

type Error = Box<dyn std::error::Error>;

/// What remains free on a machine's own disk beside the system: room for generations and state. It costs nothing, the
/// file is sparse.
const MACHINE_FREE_BYTES: u64 = 16 << 30;

/// Which generations an image shall have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generations {
    /// The system alone.
    Alone,
    /// Those that the image has, and the system after them.
    Added,
}

/// An image to be written.
pub(crate) struct DiskImage<'a> {
    pub(crate) session: &'a Session,
    pub(crate) toplevel: &'a StorePath,
    pub(crate) output: &'a Path,
    pub(crate) size: Option<u64>,
    pub(crate) sector_size: SectorSize,
    pub(crate) format: Format,
    pub(crate) generations: Generations,
}

/// What became of an image.
pub(crate) enum Written {
    /// It was written, with the system as this generation.
    New { generation: u32, report: ImageReport },
    /// It has the system as its newest generation already, and was left alone.
    Known { generation: u32 },
}

/// What is to be done.
enum Planned<'a> {
    Write(Box<ImageRequest<'a>>),
    Known { generation: u32 },
}

impl DiskImage<'_> {
    /// The layout, for people.
    pub(crate) fn describe(&self) -> Result<String, Error> {
        let request = match self.plan()? {
            Planned::Write(request) => request,
            Planned::Known { generation } => return Ok(format!("it is generation {generation} there already\n")),
        };
        let plan = images::describe(&request)?;
        let number = |generation: &ImageGeneration| format!("generation {}\n", generation.number);
        Ok(plan + &request.generations.iter().map(number).collect::<String>())
    }

    /// Writes it.
    pub(crate) fn write(&self) -> Result<Written, Error> {
        Ok(match self.plan()? {
            Planned::Write(request) => {
                let generation = request.boot.default.generation;
                Written::New { generation, report: build_image(&request)? }
            }
            Planned::Known { generation } => Written::Known { generation },
        })
    }

    /// What to write, if the image has not got it already.
    fn plan(&self) -> Result<Planned<'_>, Error> {
        let store = self.session.store();
        let mut sizes = Sizes { disk_bytes: self.size, sector_size: self.sector_size, ..Sizes::default() };
        let mut generations = Vec::new();
        if self.generations == Generations::Added {
            let existing = ExistingImage::read(self.output, store.dir())?;
            if let Some(newest) = existing.generations.last().filter(|newest| newest.toplevel == *self.toplevel) {
                return Ok(Planned::Known { generation: newest.number });
            }
            store.add_temp_roots(existing.generations.iter().map(|generation| &generation.toplevel))?;
            existing.check_in(store, self.output)?;
            // An image does not become smaller by having more in it.
            sizes.least_disk_bytes = existing.disk_bytes;
            sizes.esp_bytes = sizes.esp_bytes.max(existing.esp_bytes);
            sizes.sector_size = existing.sector_size;
            generations = existing.generations;
        }
        let number = generations.last().map_or(1, |newest| newest.number + 1);
        generations.push(ImageGeneration { number, toplevel: self.toplevel.clone() });
        let loader = system::boot_entries::loader(store, self.toplevel)?;
        Ok(Planned::Write(Box::new(ImageRequest {
            store,
            generations,
            extra_roots: Vec::new(),
            boot: BootSettings {
                default: EntryId::of_generation(number),
                title: loader.title,
                tries: None,
                configuration_limit: loader.configuration_limit,
                settings: loader.settings,
                systemd_boot: loader.systemd_boot,
                systemd_stub: loader.systemd_stub,
                volume_label: loader.volume_label,
            },
            sizes,
            output: self.output.to_owned(),
            format: self.format,
            is_cancelled: Box::new(|| self.session.is_cancelled()),
        })))
    }
}

/// The disk of a machine that is run here, and its firmware's variables.
pub(crate) struct MachineDisk {
    pub(crate) image: PathBuf,
    pub(crate) variables: PathBuf,
    /// Where the disk before went, if it had to make room.
    pub(crate) set_aside: Option<PathBuf>,
}

/// What becomes of the disk of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It is used where it was made for the same system, else set aside: it becomes `disk.old.img`.
    SetAside,
    /// It is used whatever system it was made for.
    Keep,
    /// It is used where it was made for the same system, and left alone else: the disk is one that may be thrown away.
    LeaveAlone,
}

/// The disk for a system below a state folder.
pub(crate) fn machine_disk(
    session: &Session,
    toplevel: &StorePath,
    state: &Path,
    earlier: Earlier,
) -> Result<MachineDisk, Error> {
    let own = MachineDisk::below(state);
    let logical = session.store().logical(toplevel);
    if own.image.exists() && (earlier == Earlier::Keep || is_made_for(state, &logical)) {
        return Ok(own);
    }
    if earlier == Earlier::LeaveAlone {
        let state = state.join("ephemeral");
        let disk = MachineDisk::below(&state);
        if !disk.image.exists() || !is_made_for(&state, &logical) {
            make_disk(session, toplevel, &state)?;
        }
        return Ok(disk);
    }
    let set_aside = own.image.exists().then(|| state.join("disk.old.img"));
    if let Some(place) = &set_aside {
        fs_err::rename(&own.image, place)?;
    }
    Ok(MachineDisk { set_aside, ..make_disk(session, toplevel, state)? })
}

impl MachineDisk {
    fn below(state: &Path) -> Self {
        Self { image: state.join("disk.img"), variables: state.join("efi-variables"), set_aside: None }
    }
}

/// Whether the disk in a state folder holds a system from its beginning.
fn is_made_for(state: &Path, logical: &str) -> bool {
    fs_err::read_to_string(state.join("toplevel")).is_ok_and(|text| text == logical)
}

fn make_disk(session: &Session, toplevel: &StorePath, state: &Path) -> Result<MachineDisk, Error> {
    if let [_, _, ..] = images::disks_of(session.store(), toplevel)?.as_slice() {
        return Err("`esker vm` runs machines of one disk, and `disko.devices.disk` declares several; \
                    `esker image` writes a file for each, for QEMU or libvirt"
            .into());
    }
    fs_err::create_dir_all(state)?;
    let disk = MachineDisk::below(state);
    // Should this be interrupted, nothing may take the disk for whole.
    let made_for = state.join("toplevel");
    for stale in [&made_for, &disk.variables] {
        // The variables may name boot entries of another disk.
        if stale.exists() {
            fs_err::remove_file(stale)?;
        }
    }
    let image = DiskImage {
        session,
        toplevel,
        output: &disk.image,
        size: None,
        sector_size: SectorSize::default(),
        format: Default::default(),
        generations: Generations::Alone,
    };
    if let Planned::Write(mut request) = image.plan()? {
        request.sizes.free_bytes = MACHINE_FREE_BYTES;
        build_image(&request)?;
    }
    fs_err::write(&made_for, session.store().logical(toplevel))?;
    Ok(disk)
}
