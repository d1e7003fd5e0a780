//! An image's layout: partitions, identifiers, sizes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use disk_formats::ext4::{Ext4Error, Layout, NodeId, Options};
use disk_formats::gpt::{DiskLayout, Lba, Partition, SECTOR_BYTES, TYPE_ESP, TYPE_LINUX};

use crate::contents::{Contents, Source, TIME};
use crate::identity::Seed;
use crate::{ESP_LABEL, ImageError, ImageRequest, STORE_LABEL};

/// What partitions are aligned to, and what is left at each end of the disk.
const ALIGNMENT_BYTES: u64 = 1 << 20;
/// How often a size is corrected; each time what was missing is added.
const ATTEMPTS: usize = 8;

/// An image before it is written.
pub struct ImagePlan {
    /// The partitions: first the ESP, then the store.
    pub disk: DiskLayout,
    /// The FAT volume's identifier.
    pub esp_volume_id: u32,
    /// The store partition's filesystem.
    pub filesystem: Layout,
    /// Where the filesystem's files come from.
    pub sources: BTreeMap<NodeId, Source>,
    /// How many store paths there are.
    pub store_paths: usize,
    /// The sum of all files' lengths.
    pub contents_bytes: u64,
}

impl ImagePlan {
    /// Plans an image of what was observed.
    ///
    /// Errors when it does not fit the disk's given size.
    pub fn new(request: &ImageRequest<'_>, contents: Contents) -> Result<Self, ImageError> {
        let seed = Seed::of(request);
        let esp_bytes = request.sizes.esp_bytes.next_multiple_of(ALIGNMENT_BYTES);
        let around_bytes = esp_bytes + 2 * ALIGNMENT_BYTES;
        let filesystem = filesystem(request, &seed, &contents, around_bytes)?;
        let store_bytes = filesystem.size_bytes().next_multiple_of(ALIGNMENT_BYTES);
        let disk_bytes = request.sizes.disk_bytes.unwrap_or(around_bytes + store_bytes);
        let partition = |name: &str, type_guid, first_bytes: u64, length_bytes: u64| Partition {
            type_guid,
            guid: seed.guid(&format!("partition {name}")),
            first: Lba(first_bytes / SECTOR_BYTES),
            sectors: length_bytes / SECTOR_BYTES,
            name: name.to_owned(),
        };
        Ok(ImagePlan {
            disk: DiskLayout {
                guid: seed.guid("disk"),
                sectors: disk_bytes / SECTOR_BYTES,
                partitions: vec![
                    partition(ESP_LABEL, TYPE_ESP, ALIGNMENT_BYTES, esp_bytes),
                    partition(STORE_LABEL, TYPE_LINUX, ALIGNMENT_BYTES + esp_bytes, store_bytes),
                ],
            },
            esp_volume_id: seed.volume_id("esp"),
            filesystem,
            sources: contents.sources,
            store_paths: contents.closure.len(),
            contents_bytes: contents.contents_bytes,
        })
    }

    /// The disk's length.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk.sectors * SECTOR_BYTES
    }

    /// The ESP.
    #[must_use]
    pub fn esp(&self) -> &Partition {
        &self.disk.partitions[0]
    }

    /// The store partition.
    #[must_use]
    pub fn store(&self) -> &Partition {
        &self.disk.partitions[1]
    }

    /// The plan in words, one line per part.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "disk {} ({} MiB)", self.disk.guid, self.disk_bytes() >> 20);
        for partition in &self.disk.partitions {
            let length_bytes = partition.sectors * SECTOR_BYTES;
            let _ = writeln!(text, "partition {} {} ({} MiB)", partition.name, partition.guid, length_bytes >> 20);
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

/// The store partition's filesystem: as large as the disk leaves room for, or as needed and what should stay free.
fn filesystem(
    request: &ImageRequest<'_>,
    seed: &Seed,
    contents: &Contents,
    around_bytes: u64,
) -> Result<Layout, ImageError> {
    let plan = |size_bytes| {
        let uuid = seed.guid("filesystem").0;
        let options = Options { size_bytes, uuid, label: STORE_LABEL.as_bytes().to_vec(), time: TIME };
        Layout::plan(contents.tree.clone(), options)
    };
    if let Some(given_bytes) = request.sizes.disk_bytes {
        let room = given_bytes.saturating_sub(around_bytes) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
        return match plan(room) {
            Err(Ext4Error::NoSpace { mut needed_bytes, .. }) => {
                // What is missing is known only as far as there was room to look.
                for _ in 0..ATTEMPTS {
                    needed_bytes = needed_bytes.next_multiple_of(ALIGNMENT_BYTES);
                    match plan(needed_bytes) {
                        Err(Ext4Error::NoSpace { needed_bytes: more_bytes, .. }) => needed_bytes = more_bytes,
                        Err(error) => return Err(error.into()),
                        Ok(_) => break,
                    }
                }
                let needed_bytes = (needed_bytes + around_bytes).next_multiple_of(ALIGNMENT_BYTES);
                Err(ImageError::TooSmall { needed_bytes, given_bytes })
            }
            result => Ok(result?),
        };
    }
    let free_bytes = request.sizes.free_bytes;
    // Two percent for tables; what is still missing turns out below.
    let estimate_bytes = contents.contents_bytes + (contents.contents_bytes + free_bytes) / 50 + free_bytes;
    let mut size_bytes = estimate_bytes.max(request.sizes.least_disk_bytes.saturating_sub(around_bytes));
    let mut attempt = 0;
    loop {
        size_bytes = size_bytes.next_multiple_of(ALIGNMENT_BYTES);
        attempt += 1;
        let missing_bytes = match plan(size_bytes) {
            Ok(layout) if layout.free_bytes() >= free_bytes || attempt == ATTEMPTS => {
                return Ok(layout);
            }
            Ok(layout) => free_bytes - layout.free_bytes(),
            Err(Ext4Error::NoSpace { needed_bytes, .. }) if attempt < ATTEMPTS => {
                needed_bytes.saturating_sub(size_bytes) + free_bytes
            }
            Err(error) => return Err(error.into()),
        };
        // A little more, because tables grow with the size.
        size_bytes += missing_bytes + missing_bytes / 32 + ALIGNMENT_BYTES;
    }
}
