//! A closure on a bootable disk.
//!
//! [`build_image`] writes a raw disk image: a GUID partition table, an EFI system partition (ESP) with systemd-boot and an
//! entry per generation, and an ext4, btrfs or XFS partition that is mounted on `/nix`. It needs no root, no loop device and no virtual
//! machine, and its bytes are a function of the generations' store paths and the request: identifiers derive from their
//! hash and nothing reads a clock.
//!
//! The way of the data: [`contents`] observes the closure, [`plan`] gives everything its place, [`write`] carries it out.
//! An image gets a further generation by being written anew with those that [`existing`] finds in it: the result is the
//! same, bit for bit, as if all had been put into it at once. Not here: evaluating, building, changing an image in place.

pub mod contents;
mod database;
mod declared;
mod esp;
pub mod existing;
pub mod filesystem;
pub mod format;
mod identity;
mod iso;
pub mod layout;
mod netboot;
mod output;
pub mod plan;
pub mod state;
mod store_file;
pub mod tarball;
mod uki;
pub mod write;

use std::path::PathBuf;

use bootloader::apply::ApplyError;
use bootloader::entry::EntryId;
use bootloader::esp::EspError;
use bootloader::generation::{GenerationError, GenerationReader};
use bootloader::loader::{LoaderSettings, SystemdBoot};
use bootloader::plan::{EspPlan, PlanError, Wanted};
use disk_formats::btrfs::BtrfsError;
use disk_formats::cpio::CpioError;
use disk_formats::erofs::ErofsError;
use disk_formats::ext4::Ext4Error;
use disk_formats::fat::FatError;
use disk_formats::gpt::GptError;
use disk_formats::iso9660::IsoError;
use disk_formats::pe::PeError;
pub use disk_formats::sector::SectorSize;
use disk_formats::swap::SwapError;
use disk_formats::tree::TreeError;
use disk_formats::xfs::XfsError;
use nix_formats::StorePath;
use store::{Store, StoreError};
use thiserror::Error;

use contents::Contents;
use declared::DeclaredDisks;
use format::Format;
use layout::LayoutError;
use plan::ImagePlan;

/// The label of the store partition and its filesystem, by which stage 1 finds `/nix`.
pub const STORE_LABEL: &str = "esker-nix";
/// The label of a store that is one file, and of its partition on a stick. Another one: a stick must not pass for a disk.
const STORE_FILE_LABEL: &str = "esker-live";
/// The label of the EFI system partition and its filesystem.
pub const ESP_LABEL: &str = "ESP";

/// What to build.
pub struct ImageRequest<'a> {
    /// Where the closure is.
    pub store: &'a Store,
    /// The generations of the system profile, at least one.
    pub generations: Vec<ImageGeneration>,
    /// Further paths to include with their closures.
    pub extra_roots: Vec<StorePath>,
    /// What the machine boots.
    pub boot: BootSettings,
    /// How large things are.
    pub sizes: Sizes,
    /// The image's file, replaced when the new one is complete; of several disks the folder of their files.
    pub output: PathBuf,
    /// What that file is.
    pub format: Format,
    /// Whether the user wants no more; asked between files.
    pub is_cancelled: Box<dyn Fn() -> bool + Sync + 'a>,
}

/// A generation of the system profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGeneration {
    /// Its number.
    pub number: u32,
    /// Its toplevel.
    pub toplevel: StorePath,
}

/// What the boot menu looks like.
#[derive(Debug, Clone)]
pub struct BootSettings {
    /// What boots if nobody touches a key.
    pub default: EntryId,
    /// What titles start with, such as `Esker web1`.
    pub title: String,
    /// How often a new entry is tried; nothing to not count.
    pub tries: Option<u32>,
    /// How many generations get entries; nothing for all.
    pub configuration_limit: Option<usize>,
    /// `loader.conf`.
    pub settings: LoaderSettings,
    /// systemd-boot itself.
    pub systemd_boot: SystemdBoot,
    /// systemd's stub of unified kernel images, on this host.
    pub systemd_stub: PathBuf,
    /// The label of the medium that a live system runs from.
    pub volume_label: Option<String>,
}

/// How large the disk and its parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// The whole disk; nothing for as large as needed.
    pub disk_bytes: Option<u64>,
    /// What the disk has at least if its size is not given.
    pub least_disk_bytes: u64,
    /// What stays free on the store partition if the disk's size is not given.
    pub free_bytes: u64,
    /// The EFI system partition.
    pub esp_bytes: u64,
    /// The disk's sectors.
    pub sector_size: SectorSize,
}

impl Default for Sizes {
    fn default() -> Self {
        let sector_size = SectorSize::default();
        Sizes { disk_bytes: None, least_disk_bytes: 0, free_bytes: 2 << 30, esp_bytes: 512 << 20, sector_size }
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReport {
    /// The image's file, or the folder of its files.
    pub output: PathBuf,
    /// Its files: one, of several disks one for each, for netboot what is in the folder.
    pub files: Vec<PathBuf>,
    /// The disks' length, or the files'; much of a disk is holes.
    pub disk_bytes: u64,
    /// How many store paths are in it.
    pub store_paths: usize,
    /// How many bytes of file contents are in the store partition.
    pub contents_bytes: u64,
    /// What was put on the EFI system partition, in words.
    pub esp: String,
    /// Generations that are in the image and not in its boot menu: beyond the configuration's limit, or for want of room.
    pub without_entry: Vec<u32>,
}

/// Why there is no image. An earlier file of its name is untouched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No generation was given.
    #[error("an image needs at least one generation")]
    NoGeneration,
    /// The output's name is something that must not be replaced.
    #[error("`{path}` {what}", path = path.display())]
    Output {
        /// The output.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// Somebody else writes an image of this name.
    #[error("`{path}` is being written by another `esker image`", path = path.display())]
    Busy {
        /// The image.
        path: PathBuf,
    },
    /// The given disk cannot hold it.
    #[error("the image needs a disk of {} MiB; {} were given", needed_bytes.div_ceil(1 << 20), given_bytes >> 20)]
    TooSmall {
        /// What would suffice.
        needed_bytes: u64,
        /// What was given.
        given_bytes: u64,
    },
    /// The declared disk is none that an image can be made of.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The store could not be read.
    #[error("cannot read the store for the image")]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// An image that should get a further generation is none of ours.
    #[error("`{path}` is no disk image that Esker made: {what}", path = path.display())]
    NotEskers {
        /// The file.
        path: PathBuf,
        /// What is different.
        what: &'static str,
        /// What the reader of the format says, where there is one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An image that should get a further generation holds what a machine wrote.
    #[error("a machine has used `{path}` since it was made, and writing it anew would lose what that machine keeps", path = path.display())]
    Used {
        /// The image.
        path: PathBuf,
    },
    /// A generation of an image is not in the store any more.
    #[error("generation {number} of `{path}` is not in the store any more: `{toplevel}`", path = path.display())]
    GenerationGone {
        /// The image.
        path: PathBuf,
        /// The generation.
        number: u32,
        /// Its toplevel.
        toplevel: StorePath,
    },
    /// The system expects its store on a disk.
    #[error("this system does not run from a medium, so there is no image of it for one")]
    NotLive,
    /// The user wanted no more.
    #[error("writing the image was cancelled")]
    Cancelled,
    /// A file of the store is neither regular, directory nor symlink.
    #[error("`{path}` is neither a file nor a directory nor a symlink and cannot be in an image", path = path.display())]
    FileType {
        /// The file.
        path: PathBuf,
    },
    /// A file of the store changed while it was copied.
    #[error("`{path}` changed while it was copied into the image", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A generation cannot be booted.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The boot entries do not fit.
    #[error(transparent)]
    BootPlan(#[from] PlanError),
    /// The EFI system partition could not be filled.
    #[error(transparent)]
    Boot(#[from] ApplyError),
    /// The EFI system partition could not be read back.
    #[error(transparent)]
    Esp(#[from] EspError),
    /// The EFI system partition could not be formatted.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// The store partition could not be made.
    #[error(transparent)]
    Ext4(#[from] Ext4Error),
    /// A btrfs filesystem could not be made.
    #[error(transparent)]
    Btrfs(#[from] BtrfsError),
    /// An XFS filesystem could not be made.
    #[error(transparent)]
    Xfs(#[from] XfsError),
    /// Something cannot be in a filesystem.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store could not be made one file.
    #[error(transparent)]
    Erofs(#[from] ErofsError),
    /// The kernel's archive could not be made.
    #[error(transparent)]
    Cpio(#[from] CpioError),
    /// The EFI program could not be made.
    #[error(transparent)]
    Pe(#[from] PeError),
    /// The volume of optical media could not be made.
    #[error(transparent)]
    Iso(#[from] IsoError),
    /// A swap area could not be made.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// The partition table could not be made.
    #[error(transparent)]
    Gpt(#[from] GptError),
    /// A part of the image could not be written.
    #[error("cannot write the image `{path}`", path = path.display())]
    Write {
        /// The image.
        path: PathBuf,
        /// Which part, and why.
        #[source]
        source: Box<ImageError>,
    },
}

impl ImageError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooSmall { .. } => Some("give a larger --size, or none"),
            Self::Busy { .. } => Some("wait for it, end it, or name another file with --output"),
            Self::NotEskers { .. } => Some(
                "name an image with --output; without --add a new one is written, in the place of what has that name",
            ),
            Self::Used { .. } => Some(
                "run `esker switch` in that machine to give it the new generation, or leave --add away to write a new image \
                 in its place",
            ),
            Self::GenerationGone { .. } => Some(
                "build that generation's configuration again, or leave --add away to write an image of the new one alone",
            ),
            Self::NotLive => Some("`image.live.fromMedium` must be true in `image.modules.iso`, as it is by default"),
            Self::Iso(IsoError::TooLarge { .. })
            | Self::Cpio(CpioError::TooLarge { .. })
            | Self::Pe(PeError::TooLarge { .. }) => {
                Some("a system of 4 GiB and more, compressed, needs a disk: use --format raw")
            }
            Self::Changed { .. } => {
                Some("run the command again; the store may have been repaired or collected meanwhile")
            }
            Self::Write { source, .. } => source.hint(),
            Self::BootPlan(error) => error.hint(),
            Self::Boot(error) => error.hint(),
            Self::Esp(error) => error.hint(),
            _ => None,
        }
    }

    /// Names the image where the error names only a part of it.
    fn of_image(self, path: &std::path::Path) -> Self {
        match self {
            Self::Boot(_)
            | Self::Esp(_)
            | Self::Fat(_)
            | Self::Ext4(_)
            | Self::Btrfs(_)
            | Self::Xfs(_)
            | Self::Erofs(_)
            | Self::Cpio(_)
            | Self::Pe(_)
            | Self::Iso(_)
            | Self::Swap(_)
            | Self::Gpt(_) => Self::Write { path: path.to_owned(), source: Box::new(self) },
            other => other,
        }
    }
}

/// Builds an image: observes, plans, writes.
///
/// Errors when the store lacks something, the disk is too small or the output cannot be written; an earlier file of that
/// name stays as it was.
pub fn build_image(request: &ImageRequest<'_>) -> Result<ImageReport, ImageError> {
    let declared = plan::declared(request)?;
    match (request.format, declared.disks.as_slice()) {
        (Format::Netboot, _) | (Format::Disk(..), [_, _, ..]) => output::check_folder(&request.output)?,
        _ => output::check(&request.output)?,
    }
    let contents = Contents::observe(request)?;
    let wanted = wanted_entries(request)?;
    let written = match request.format {
        Format::Disk(form, compression) => {
            let plan = ImagePlan::new(request, &declared, contents)?;
            tracing::debug!(plan = %plan.describe(), "image planned");
            write::write_image(&plan, &wanted, request, (form, compression))
        }
        Format::EspOnly => esp::write_alone(request, &contents, &wanted),
        Format::Iso => iso::write(request, &contents, &wanted),
        Format::Netboot => netboot::write(request, &contents, &wanted),
        Format::Uki => uki::write(request, &contents, &wanted),
    };
    written.map_err(|error| error.of_image(&request.output))
}

/// The names of the disks that an image of a system is of; each becomes a file where there are several.
///
/// Errors when the system's declaration cannot be read or is none that an image can be made of.
pub fn disks_of(store: &Store, toplevel: &StorePath) -> Result<Vec<String>, ImageError> {
    let declared = DeclaredDisks::load(store, toplevel)?;
    let declared = declared.unwrap_or_else(|| DeclaredDisks::of_esker(Sizes::default().esp_bytes));
    Ok(declared.disks.into_iter().map(|disk| disk.name).collect())
}

/// What [`build_image`] would write, in words, a line each. Writes nothing.
///
/// Errors when the store lacks something or the disk is too small.
pub fn describe(request: &ImageRequest<'_>) -> Result<String, ImageError> {
    let contents = Contents::observe(request)?;
    let (store_paths, mebibytes) = (contents.closure.len(), contents.contents_bytes >> 20);
    Ok(match request.format {
        Format::Disk(..) => ImagePlan::new(request, &plan::declared(request)?, contents)?.describe(),
        Format::EspOnly => {
            let esp_bytes = esp::smallest_bytes(&wanted_entries(request)?, request.sizes.sector_size);
            format!("partition {ESP_LABEL} ({} MiB)\n", esp_bytes >> 20)
        }
        Format::Iso | Format::Netboot | Format::Uki => {
            format!("{store_paths} store paths, {mebibytes} MiB of files before they are compressed\n")
        }
    })
}

impl ImageReport {
    /// Of a file of this length with the whole closure in it.
    fn of(request: &ImageRequest<'_>, contents: &Contents, disk_bytes: u64) -> Self {
        ImageReport {
            output: request.output.clone(),
            files: vec![request.output.clone()],
            disk_bytes,
            store_paths: contents.closure.len(),
            contents_bytes: contents.contents_bytes,
            esp: String::new(),
            without_entry: Vec::new(),
        }
    }

    /// With a boot menu.
    fn with_entries(self, entries: EspPlan) -> Self {
        ImageReport { esp: entries.describe(), without_entry: entries.without_entry, ..self }
    }
}

/// What the image's EFI system partition should hold.
fn wanted_entries(request: &ImageRequest<'_>) -> Result<Wanted, ImageError> {
    let resolve = |logical: &str| contents::resolve(request.store, logical);
    let mut reader = GenerationReader::new(&resolve);
    let mut generations = Vec::new();
    for generation in &request.generations {
        generations.push(reader.load(generation.number, &request.store.logical(&generation.toplevel))?);
    }
    let boot = &request.boot;
    Ok(Wanted {
        generations,
        default: boot.default.clone(),
        booted: None,
        title: boot.title.clone(),
        machine_id: None,
        tries: boot.tries,
        configuration_limit: boot.configuration_limit,
        settings: boot.settings.clone(),
        systemd_boot: Some(boot.systemd_boot.clone()),
    })
}
