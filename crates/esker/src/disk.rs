//! Disk images of built systems: what `esker image` and `esker vm` ask `images` for.

use std::path::{Path, PathBuf};

use bootloader::entry::EntryId;
use images::{BootSettings, ImageGeneration, ImageReport, ImageRequest, Sizes, build_image};
use nix_formats::StorePath;
use system::Session;

type Error = Box<dyn std::error::Error>;

/// The number of the generation that a new image starts with.
const FIRST: u32 = 1;

/// What remains free on a machine's own disk beside the system: room for generations and state. It costs nothing, the
/// file is sparse.
const MACHINE_FREE_BYTES: u64 = 16 << 30;

fn request<'s>(
    session: &'s Session,
    toplevel: &StorePath,
    output: &Path,
    sizes: Sizes,
) -> Result<ImageRequest<'s>, Error> {
    let loader = system::boot_entries::loader(session.store(), toplevel)?;
    Ok(ImageRequest {
        store: session.store(),
        generations: vec![ImageGeneration { number: FIRST, toplevel: toplevel.clone() }],
        extra_roots: Vec::new(),
        boot: BootSettings {
            default: EntryId::of_generation(FIRST),
            title: loader.title,
            tries: None,
            configuration_limit: loader.configuration_limit,
            settings: loader.settings,
            systemd_boot: loader.systemd_boot,
        },
        sizes,
        output: output.to_owned(),
    })
}

/// The layout of a system's image, for people.
pub(crate) fn describe(session: &Session, toplevel: &StorePath, size: Option<u64>) -> Result<String, Error> {
    let sizes = Sizes { disk_bytes: size, ..Sizes::default() };
    let request = request(session, toplevel, Path::new("disk.img"), sizes)?;
    let contents = images::contents::Contents::observe(&request)?;
    Ok(images::plan::ImagePlan::new(&request, contents)?.describe())
}

/// Writes a system's image.
pub(crate) fn write(
    session: &Session,
    toplevel: &StorePath,
    output: &Path,
    size: Option<u64>,
) -> Result<ImageReport, Error> {
    let sizes = Sizes { disk_bytes: size, ..Sizes::default() };
    Ok(build_image(&request(session, toplevel, output, sizes)?)?)
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
    let sizes = Sizes { free_bytes: MACHINE_FREE_BYTES, ..Sizes::default() };
    build_image(&request(session, toplevel, &disk.image, sizes)?)?;
    // The variables may name boot entries of the old disk.
    if disk.variables.exists() {
        fs_err::remove_file(&disk.variables)?;
    }
    fs_err::write(&made_for, logical)?;
    Ok(disk)
}
