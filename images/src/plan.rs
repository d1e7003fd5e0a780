//! An image's layout: partitions, identifiers, sizes, and what is made in each. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use disk_formats::gpt::{DiskLayout, Partition};
use disk_formats::sector::SectorSize;
use disk_formats::tree::NodeId;

use crate::contents::{Contents, Source};
use crate::declared::{DeclaredDisk, DeclaredDisks, Position};
use crate::filesystem::{Filesystem, NoPlan, Recipe};
use crate::identity::Seed;
use crate::layout::{self, ALIGNMENT_BYTES, Format, LayoutError, Place, Slot};
use crate::{ImageError, ImageRequest};

/// How often a size is corrected; each time what was missing is added.
const ATTEMPTS: usize = 8;
/// What a partition has at least that takes the rest and is not the store's.
const LEAST_REST_BYTES: u64 = 64 << 20;
/// The label of a FAT volume that has none.
const NO_NAME: &str = "NO NAME";

/// An image before it is written: a disk, or several.
pub struct ImagePlan {
    /// The disks.
    pub(crate) disks: Vec<DiskPlan>,
    /// Where the store is.
    store: Position,
    /// The store's filesystem.
    pub filesystem: Filesystem,
    /// Where its files come from.
    pub sources: BTreeMap<NodeId, Source>,
    /// How many store paths there are.
    pub store_paths: usize,
    /// The sum of all files' lengths.
    pub contents_bytes: u64,
}

/// A disk of an image.
pub(crate) struct DiskPlan {
    /// How it is declared.
    pub(crate) name: String,
    /// The partitions.
    pub(crate) layout: DiskLayout,
    /// What is made in each of them.
    pub(crate) volumes: Vec<Volume>,
}

/// What is made in a partition.
pub(crate) enum Volume {
    /// FAT with the boot loader and its entries.
    Esp { volume_id: u32, label: String },
    /// The store's filesystem.
    Store,
    /// A filesystem with nothing in it.
    Filesystem(Filesystem),
    /// FAT with nothing in it.
    Vfat { volume_id: u32, label: String },
    /// Swap.
    Swap { uuid: [u8; 16], label: String },
    /// Nothing.
    Empty,
}

impl ImagePlan {
    /// Plans an image of what was observed.
    ///
    /// Errors when the declared layout does not add up, or things do not fit the disk's given size.
    pub(crate) fn new(
        request: &ImageRequest<'_>,
        declared: &DeclaredDisks,
        contents: Contents,
    ) -> Result<Self, ImageError> {
        layout::check(declared.disks.iter().map(|disk| disk.slots.as_slice()))?;
        let (store_paths, contents_bytes) = (contents.closure.len(), contents.contents_bytes);
        let mut tree = contents.tree;
        for folder in declared.nix_folder.split('/').rev().filter(|folder| !folder.is_empty()) {
            tree.lower(folder.as_bytes())?;
        }
        let seed = Seed::of(request);
        let slot = &declared.disks[declared.store.disk].slots[declared.store.partition];
        let format = slot.format.unwrap_or(Format::Ext4);
        let recipe = Recipe::new(format, (seed, "filesystem".to_owned()), slot, tree)?;
        let planner = Planner { request, declared, recipe, contents_bytes, seed };
        let (store_disk_bytes, filesystem) = planner.sizes()?;
        let disks: Result<_, ImageError> = (0..declared.disks.len())
            .map(|number| match number == declared.store.disk {
                true => planner.disk(number, store_disk_bytes),
                false => planner.disk(number, planner.size_of_other(&declared.disks[number])?),
            })
            .collect();
        Ok(ImagePlan {
            disks: disks?,
            store: declared.store,
            filesystem,
            sources: contents.sources,
            store_paths,
            contents_bytes,
        })
    }

    /// The length of all disks.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disks.iter().map(|disk| disk.layout.length_bytes).sum()
    }

    /// Which disk has the store, and the store's partition there.
    pub(crate) fn store(&self) -> (usize, &Partition) {
        (self.store.disk, &self.disks[self.store.disk].layout.partitions[self.store.partition])
    }

    /// The plan in words, one line per part.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for disk in &self.disks {
            let name = if self.disks.len() == 1 { String::new() } else { format!("{} ", disk.name) };
            let DiskLayout { guid, length_bytes, partitions, .. } = &disk.layout;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "disk {name}{guid} ({} MiB)", length_bytes >> 20);
            for Partition { name, guid, length_bytes, .. } in partitions {
                let _ = writeln!(text, "partition {name} {guid} ({} MiB)", length_bytes >> 20);
            }
        }
        let _ = writeln!(
            text,
            "{} store paths, {} MiB of files, {} MiB free",
            self.store_paths,
            self.contents_bytes >> 20,
            self.filesystem.free_bytes() >> 20
        );
        text
    }
}

/// The disks that the newest generation declares, or Esker's own.
pub(crate) fn declared(request: &ImageRequest<'_>) -> Result<DeclaredDisks, ImageError> {
    let newest = request.generations.last().ok_or(ImageError::NoGeneration)?;
    let declared = DeclaredDisks::load(request.store, &newest.toplevel)?;
    Ok(declared.unwrap_or_else(|| DeclaredDisks::of_esker(request.sizes.esp_bytes)))
}

struct Planner<'a> {
    request: &'a ImageRequest<'a>,
    declared: &'a DeclaredDisks,
    /// The store's filesystem.
    recipe: Recipe,
    contents_bytes: u64,
    seed: Seed,
}

impl Planner<'_> {
    fn sector_size(&self) -> SectorSize {
        self.request.sizes.sector_size
    }

    fn store_disk(&self) -> &DeclaredDisk {
        &self.declared.disks[self.declared.store.disk]
    }

    fn store_slot(&self) -> &Slot {
        &self.store_disk().slots[self.declared.store.partition]
    }

    /// The size of the disk with the store, and the store's filesystem: as large as the disk or its partition has room for,
    /// else as needed and what should stay free.
    fn sizes(&self) -> Result<(u64, Filesystem), ImageError> {
        let slots = &self.store_disk().slots;
        let store = self.store_slot();
        // What the command line says counts.
        let given = self.request.sizes.disk_bytes.or(self.store_disk().image_bytes);
        if store.takes_rest() {
            let around_bytes = layout::disk_bytes(slots, 0);
            return match given {
                None => {
                    let filesystem = self.grow(around_bytes)?;
                    let disk_bytes = layout::disk_bytes(slots, filesystem.size_bytes());
                    Ok((disk_bytes, filesystem))
                }
                Some(given_bytes) => {
                    let room = given_bytes.saturating_sub(around_bytes) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
                    let needed = |needed_bytes| layout::disk_bytes(slots, needed_bytes);
                    let too_small = |needed_bytes| self.too_small(self.store_disk(), needed(needed_bytes), given_bytes);
                    Ok((given_bytes, self.fit(room, too_small)?))
                }
            };
        }
        let needed_bytes = layout::disk_bytes(slots, LEAST_REST_BYTES);
        let disk_bytes = given.unwrap_or(needed_bytes.max(self.request.sizes.least_disk_bytes));
        if disk_bytes < needed_bytes {
            return Err(self.too_small(self.store_disk(), needed_bytes, disk_bytes));
        }
        let given_bytes =
            layout::place(slots, disk_bytes, self.sector_size())?[self.declared.store.partition].length_bytes;
        let no_room = |needed_bytes| {
            let option = format!("{}.{}", store.option, store.extent.attribute());
            LayoutError::NoRoom { option, what: "the system", needed_bytes, given_bytes }.into()
        };
        Ok((disk_bytes, self.fit(given_bytes, no_room)?))
    }

    /// The size of a disk without the store.
    fn size_of_other(&self, disk: &DeclaredDisk) -> Result<u64, ImageError> {
        let needed_bytes = layout::disk_bytes(&disk.slots, LEAST_REST_BYTES);
        match disk.image_bytes {
            Some(given_bytes) if given_bytes < needed_bytes => Err(self.too_small(disk, needed_bytes, given_bytes)),
            given => Ok(given.unwrap_or(needed_bytes)),
        }
    }

    fn too_small(&self, disk: &DeclaredDisk, needed_bytes: u64, given_bytes: u64) -> ImageError {
        if self.request.sizes.disk_bytes == Some(given_bytes) {
            return ImageError::TooSmall { needed_bytes, given_bytes };
        }
        let option = format!("{}.imageSize", disk.option);
        LayoutError::NoRoom { option, what: "the disk", needed_bytes, given_bytes }.into()
    }

    /// A disk of a size.
    fn disk(&self, number: usize, disk_bytes: u64) -> Result<DiskPlan, ImageError> {
        let DeclaredDisk { name, slots, .. } = &self.declared.disks[number];
        // The only disk of most systems has an identifier that knows no name.
        let purpose = if number == self.declared.store.disk { "disk".to_owned() } else { format!("disk {name}") };
        let places = layout::place(slots, disk_bytes, self.sector_size())?;
        let placed = || slots.iter().zip(&places);
        let volumes: Result<_, ImageError> = (0..)
            .zip(placed())
            .map(|(partition, (slot, place))| self.volume(Position { disk: number, partition }, slot, *place))
            .collect();
        Ok(DiskPlan {
            name: name.clone(),
            layout: DiskLayout {
                guid: self.seed.guid(&purpose),
                sector_size: self.sector_size(),
                length_bytes: disk_bytes / self.sector_size().bytes() * self.sector_size().bytes(),
                partitions: placed().map(|(slot, place)| self.partition(slot, *place)).collect(),
            },
            volumes: volumes?,
        })
    }

    /// The filesystem in a given room; the error says what would suffice.
    fn fit(&self, room: u64, too_small: impl FnOnce(u64) -> ImageError) -> Result<Filesystem, ImageError> {
        let mut needed_bytes = match self.recipe.plan(room) {
            Ok(filesystem) => return Ok(filesystem),
            Err(NoPlan::NoSpace { needed_bytes, .. }) => needed_bytes,
            Err(NoPlan::Other(error)) => return Err(error),
        };
        // What is missing is known only as far as there was room to look.
        for _ in 0..ATTEMPTS {
            needed_bytes = needed_bytes.next_multiple_of(ALIGNMENT_BYTES);
            match self.recipe.plan(needed_bytes) {
                Err(NoPlan::NoSpace { needed_bytes: more_bytes, .. }) => needed_bytes = more_bytes,
                Err(NoPlan::Other(error)) => return Err(error),
                Ok(_) => break,
            }
        }
        Err(too_small(needed_bytes.next_multiple_of(ALIGNMENT_BYTES)))
    }

    /// The filesystem with what should stay free; `around_bytes` is what the disk has beside it.
    fn grow(&self, around_bytes: u64) -> Result<Filesystem, ImageError> {
        let free_bytes = self.request.sizes.free_bytes;
        // Two percent for tables; what is still missing turns out below.
        let estimate_bytes = self.contents_bytes + (self.contents_bytes + free_bytes) / 50 + free_bytes;
        let mut size_bytes = estimate_bytes.max(self.request.sizes.least_disk_bytes.saturating_sub(around_bytes));
        let mut attempt = 0;
        loop {
            size_bytes = size_bytes.next_multiple_of(ALIGNMENT_BYTES);
            attempt += 1;
            let missing_bytes = match self.recipe.plan(size_bytes) {
                Ok(filesystem) if filesystem.free_bytes() >= free_bytes || attempt == ATTEMPTS => {
                    return Ok(filesystem);
                }
                Ok(filesystem) => free_bytes - filesystem.free_bytes(),
                Err(NoPlan::NoSpace { needed_bytes, .. }) if attempt < ATTEMPTS => {
                    needed_bytes.saturating_sub(size_bytes) + free_bytes
                }
                Err(no_plan) => return Err(no_plan.in_slot(self.store_slot())),
            };
            // A little more, because tables grow with the size.
            size_bytes += missing_bytes + missing_bytes / 32 + ALIGNMENT_BYTES;
        }
    }

    fn partition(&self, slot: &Slot, place: Place) -> Partition {
        Partition {
            type_guid: slot.type_guid,
            guid: self.seed.guid(&format!("partition {}", slot.label)),
            start_bytes: place.start_bytes,
            length_bytes: place.length_bytes,
            name: slot.label.clone(),
        }
    }

    /// What is made in a partition.
    fn volume(&self, position: Position, slot: &Slot, place: Place) -> Result<Volume, ImageError> {
        let purpose = format!("volume {}", slot.label);
        let named = || if slot.volume_label.is_empty() { NO_NAME.to_owned() } else { slot.volume_label.clone() };
        Ok(match slot.format {
            _ if position == self.declared.store => Volume::Store,
            Some(Format::Vfat) if position == self.declared.esp => {
                Volume::Esp { volume_id: self.seed.volume_id("esp"), label: named() }
            }
            Some(Format::Vfat) => Volume::Vfat { volume_id: self.seed.volume_id(&purpose), label: named() },
            Some(Format::Swap) => Volume::Swap { uuid: self.seed.guid(&purpose).0, label: slot.volume_label.clone() },
            Some(format @ (Format::Ext4 | Format::Btrfs | Format::Xfs)) => {
                let recipe = Recipe::of_empty(format, self.seed, slot)?;
                Volume::Filesystem(recipe.plan(place.length_bytes).map_err(|no_plan| no_plan.in_slot(slot))?)
            }
            None => Volume::Empty,
        })
    }
}
