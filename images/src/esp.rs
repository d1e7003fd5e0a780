//! The EFI system partition of an image: formatted and filled, wherever in a file it is.

use std::collections::BTreeMap;

use bootloader::apply::apply;
use bootloader::esp::with_fat_esp;
use bootloader::observe::Observed;
use bootloader::plan::{EspPlan, Wanted, plan_esp};
use disk_formats::fat;
use disk_formats::sector::SectorSize;

use crate::contents::Contents;
use crate::identity::Seed;
use crate::output::Output;
use crate::{ESP_LABEL, ImageError, ImageReport, ImageRequest};

/// Sizes are multiples of this.
const ALIGNMENT_BYTES: u64 = 1 << 20;
/// Room for entries, settings and folders.
const SLACK_BYTES: u64 = 1 << 20;
/// A filesystem's tables take less than this part of what is in it: 8 bytes of each 512.
const TABLES_PART: u64 = 32;

/// Formats and fills the part of an output that begins at `start_bytes`.
///
/// Errors when it is too small or cannot be written.
pub(crate) fn write(
    output: &Output,
    (start_bytes, length_bytes): (u64, u64),
    volume: fat::Volume<'_>,
    wanted: &Wanted,
) -> Result<EspPlan, ImageError> {
    let mut esp = output.window(start_bytes, length_bytes)?;
    fat::format(&mut esp, volume)?;
    with_fat_esp(&mut esp, |esp| {
        let entries = plan_esp(&Observed::read(esp)?, wanted)?;
        apply(&entries, esp)?;
        Ok(entries)
    })
}

/// What suffices for the entries and nothing more: nobody will add to it.
pub(crate) fn smallest_bytes(wanted: &Wanted, sector_size: SectorSize) -> u64 {
    let bootables =
        wanted.generations.iter().flat_map(|generation| generation.specialisations.values().chain([&generation.main]));
    let files = bootables.flat_map(|bootable| bootable.initrd.iter().chain([&bootable.kernel]));
    let sizes: BTreeMap<String, u64> = files.map(|file| (file.path.to_string(), file.size_bytes)).collect();
    // systemd-boot is there under two names.
    let loader_bytes = wanted.systemd_boot.as_ref().map_or(0, |loader| 2 * loader.program.size_bytes);
    let contents_bytes = sizes.values().sum::<u64>() + loader_bytes + SLACK_BYTES;
    let least_bytes = fat::minimum_bytes(sector_size);
    (contents_bytes + contents_bytes / TABLES_PART).max(least_bytes).next_multiple_of(ALIGNMENT_BYTES)
}

/// Writes the request's partition as a file of its own.
///
/// Errors as writing a disk does.
pub(crate) fn write_alone(
    request: &ImageRequest<'_>,
    contents: &Contents,
    wanted: &Wanted,
) -> Result<ImageReport, ImageError> {
    let output = Output::create(&request.output)?;
    let sector_size = request.sizes.sector_size;
    let length_bytes = smallest_bytes(wanted, sector_size);
    output.file().set_len(length_bytes).map_err(output.failed("resize"))?;
    let volume = fat::Volume { sector_size, id: Seed::of(request).volume_id("esp"), label: ESP_LABEL };
    let entries = write(&output, (0, length_bytes), volume, wanted)?;
    output.finish()?;
    Ok(ImageReport { contents_bytes: 0, ..ImageReport::of(request, contents, length_bytes) }.with_entries(entries))
}
