//! Disk images of built systems: what `esker image` and `esker vm` ask `images` for.

use std::path::{Path, PathBuf};

use bootloader::entry::EntryId;
use images::existing::ExistingImage;
use images::{BootSettings, ImageGeneration, ImageReport, ImageRequest, Sizes, build_image};
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
        let contents = images::contents::Contents::observe(&request)?;
        let plan = images::plan::ImagePlan::new(&request, contents)?;
        let number = |generation: &ImageGeneration| format!("generation {}\n", generation.number);
        Ok(plan.describe() + &request.generations.iter().map(number).collect::<String>())
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
        let mut sizes = Sizes { disk_bytes: self.size, ..Sizes::default() };
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
            },
            sizes,
            output: self.output.to_owned(),
            is_cancelled: Box::new(|| self.session.is_cancelled()),
        })))
    }
}

/// The disk of a machine that is run here, and its firmware's variables.
pub(crate) struct MachineDisk {
    pub(crate) image: PathBuf,
    pub(crate) variables: PathBuf,
}

/// The disk for a system below a state folder; a new one where the system is another than the disk was made for, unless
/// it is to be kept. The one before stays beside it, with what the machine wrote: `disk.old.img`.
pub(crate) fn machine_disk(
    session: &Session,
    toplevel: &StorePath,
    state: &Path,
    keep: bool,
) -> Result<MachineDisk, Error> {
    fs_err::create_dir_all(state)?;
    let disk = MachineDisk { image: state.join("disk.img"), variables: state.join("efi-variables") };
    let made_for = state.join("toplevel");
    let logical = session.store().logical(toplevel);
    let same = fs_err::read_to_string(&made_for).is_ok_and(|text| text == logical);
    if disk.image.exists() && (same || keep) {
        return Ok(disk);
    }
    if disk.image.exists() {
        fs_err::rename(&disk.image, state.join("disk.old.img"))?;
    }
    let image = DiskImage { session, toplevel, output: &disk.image, size: None, generations: Generations::Alone };
    if let Planned::Write(mut request) = image.plan()? {
        request.sizes.free_bytes = MACHINE_FREE_BYTES;
        build_image(&request)?;
    }
    // The variables may name boot entries of the old disk.
    if disk.variables.exists() {
        fs_err::remove_file(&disk.variables)?;
    }
    fs_err::write(&made_for, logical)?;
    Ok(disk)
}
