//! An image for optical media that is a disk as well: ISO 9660 and a GUID partition table around the same parts.
//!
//! | from | what | found by |
//! |---|---|---|
//! | 0 | protective MBR, partition table | firmware and kernel, on a USB stick |
//! | sector 16 of 2048 bytes | ISO 9660: descriptors, boot catalogue, directories | firmware on a CD-ROM; stage 1, by the label |
//! | 1 MiB | EFI system partition: systemd-boot, kernel, initrd; the file `esker/esp.img` | the boot catalogue, the partition table |
//! | behind it | the store; the file `esker/store.erofs` | stage 1 |
//! | the last MiB | the second partition table | |

use std::io::{Seek, SeekFrom, Write};

use bootloader::plan::Wanted;
use disk_formats::fat;
use disk_formats::gpt::{DiskLayout, Partition, TYPE_ESP, TYPE_LINUX};
use disk_formats::iso9660::{self, Volume};
use disk_formats::sector::SectorSize;

use crate::contents::Contents;
use crate::identity::Seed;
use crate::output::Output;
use crate::{ESP_LABEL, ImageError, ImageReport, ImageRequest, STORE_FILE_LABEL, esp, store_file};

const ALIGNMENT_BYTES: u64 = 1 << 20;
const ESP_PATH: &str = "esker/esp.img";

/// Where the parts are.
struct Parts {
    esp_bytes: u64,
    store_bytes: u64,
}

/// Writes the request's image and gives it its name.
///
/// Errors when the system is none that runs from a medium, and as writing a disk does.
pub(crate) fn write(
    request: &ImageRequest<'_>,
    contents: &Contents,
    wanted: &Wanted,
) -> Result<ImageReport, ImageError> {
    let label = request.boot.volume_label.clone().ok_or(ImageError::NotLive)?;
    let output = Output::create(&request.output)?;
    let esp_bytes = esp::smallest_bytes(wanted, SectorSize::Bytes512);
    let store_start_bytes = ALIGNMENT_BYTES + esp_bytes;
    // The partition's bytes are there before it is formatted.
    output.file().set_len(store_start_bytes).map_err(output.failed("resize"))?;
    let seed = Seed::of(request);
    let volume = fat::Volume { sector_size: SectorSize::Bytes512, id: seed.volume_id("esp"), label: ESP_LABEL };
    let entries = esp::write(&output, (ALIGNMENT_BYTES, esp_bytes), volume, wanted)?;
    let store_bytes = store_file::write(contents, request, &output, store_start_bytes)?;
    let parts = Parts { esp_bytes, store_bytes };
    output.file().set_len(parts.image_bytes()).map_err(output.failed("resize"))?;
    parts.partitions(&seed).write_to(&mut output.file())?;
    let volume = parts.volume(label).encode()?;
    let mut file = output.file();
    file.seek(SeekFrom::Start(iso9660::FIRST_SECTOR * iso9660::SECTOR_BYTES)).map_err(output.failed("seek in"))?;
    file.write_all(&volume).map_err(output.failed("write"))?;
    let report = ImageReport::of(request, contents, parts.image_bytes()).with_entries(entries);
    output.finish()?;
    Ok(report)
}

impl Parts {
    fn store_start_bytes(&self) -> u64 {
        ALIGNMENT_BYTES + self.esp_bytes
    }

    /// The store with what fills its partition up.
    fn store_room_bytes(&self) -> u64 {
        self.store_bytes.next_multiple_of(ALIGNMENT_BYTES)
    }

    fn image_bytes(&self) -> u64 {
        self.store_start_bytes() + self.store_room_bytes() + ALIGNMENT_BYTES
    }

    fn partitions(&self, seed: &Seed) -> DiskLayout {
        let partition = |name: &str, type_guid, start_bytes, length_bytes| Partition {
            type_guid,
            guid: seed.guid(&format!("partition {name}")),
            start_bytes,
            length_bytes,
            name: name.to_owned(),
        };
        DiskLayout {
            guid: seed.guid("disk"),
            // A stick's; a CD-ROM's firmware looks at no partition table.
            sector_size: SectorSize::Bytes512,
            length_bytes: self.image_bytes(),
            partitions: vec![
                partition(ESP_LABEL, TYPE_ESP, ALIGNMENT_BYTES, self.esp_bytes),
                partition(STORE_FILE_LABEL, TYPE_LINUX, self.store_start_bytes(), self.store_room_bytes()),
            ],
        }
    }

    fn volume(&self, label: String) -> Volume {
        let file = |path: &str, start_bytes: u64, size_bytes| iso9660::File {
            path: path.to_owned(),
            first_sector: start_bytes / iso9660::SECTOR_BYTES,
            size_bytes,
        };
        Volume {
            label,
            sectors: self.image_bytes() / iso9660::SECTOR_BYTES,
            files: vec![
                file(ESP_PATH, ALIGNMENT_BYTES, self.esp_bytes),
                file(store_file::PATH, self.store_start_bytes(), self.store_bytes),
            ],
            boot_image: 0,
        }
    }
}
