//! Where partitions lie on a disk, and what a layout must not be. Pure.
//!
//! Everything begins and ends at a MiB, and one is left at each end of the disk for the tables. A partition lies behind the
//! one before it unless it says where it begins. Errors name the option that must change.

use std::path::PathBuf;

use disk_formats::guid::Guid;
use disk_formats::sector::SectorSize;
use disk_formats::{btrfs, fat, swap, xfs};
use thiserror::Error;

/// What partitions are aligned to, and what is left at each end of the disk.
pub(crate) const ALIGNMENT_BYTES: u64 = 1 << 20;
/// UTF-16 units of a partition's name.
const LABEL_UNITS: usize = 36;

/// What is made in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Vfat,
    Ext4,
    Btrfs,
    Xfs,
    Swap,
}

/// A partition before it has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The option that declares it.
    pub(crate) option: String,
    /// Its name in the partition table.
    pub(crate) label: String,
    /// What it is for.
    pub(crate) type_guid: Guid,
    /// Where it begins, if it says so.
    pub(crate) start_bytes: Option<u64>,
    /// How far it reaches.
    pub(crate) extent: Extent,
    /// What is made in it.
    pub(crate) format: Option<Format>,
    /// The label of that.
    pub(crate) volume_label: String,
    /// The paths of its subvolumes, without a slash at either end, outer ones first.
    pub(crate) subvolumes: Vec<String>,
}

/// How far a partition reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// Up to a place.
    Until(End),
}

/// A place on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// From its beginning.
    At(u64),
    /// So much before its end; 0 is as far as there is room.
    BeforeEnd(u64),
}

/// A stretch of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start_bytes: u64,
    pub(crate) length_bytes: u64,
}

impl Place {
    fn end_bytes(self) -> u64 {
        self.start_bytes + self.length_bytes
    }
}

/// Why a declared disk is none that an image can be made of.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A value means nothing here.
    #[error("`{option}` is `{value}`; it must be {expected}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// Contents that no image can have.
    #[error("`{option}`: images with {what} are not supported yet; ext4, btrfs, xfs, vfat and swap are")]
    Unsupported {
        /// The option.
        option: String,
        /// What it asks for.
        what: String,
    },
    /// Nothing is where something must be.
    #[error("{} has no partition with the mountpoint {}", quoted(options), mount_point.display())]
    NotMounted {
        /// The disks' options.
        options: Vec<String>,
        /// The mount point.
        mount_point: PathBuf,
    },
    /// A partition has another filesystem than its purpose needs.
    #[error("`{option}` must be {expected}, because it holds {what}")]
    WrongFormat {
        /// The option.
        option: String,
        /// What it is for.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A label is too long for where it is written.
    #[error("`{option}` is `{label}`; it may have {limit}")]
    LabelTooLong {
        /// The option.
        option: String,
        /// The label.
        label: String,
        /// How long it may be.
        limit: &'static str,
    },
    /// Two partitions have one name, by which the system would find either.
    #[error("`{first}` and `{second}` have the same label `{label}`")]
    SameLabel {
        /// One partition's option.
        first: String,
        /// The other's.
        second: String,
        /// The label.
        label: String,
    },
    /// Two partitions want what the others leave.
    #[error("`{first}` and `{second}` both reach to the disk's end; only one partition can")]
    TwoRests {
        /// One partition's option.
        first: String,
        /// The other's.
        second: String,
    },
    /// Two partitions share bytes.
    #[error("`{first}` and `{second}` overlap")]
    Overlap {
        /// The option of the one that begins first.
        first: String,
        /// The other's.
        second: String,
    },
    /// A partition is too small for what is in it.
    #[error("`{option}` has {} MiB; {what} needs {}", given_bytes >> 20, needed_bytes.div_ceil(1 << 20))]
    NoRoom {
        /// The partition's option.
        option: String,
        /// What is in it.
        what: &'static str,
        /// What would suffice.
        needed_bytes: u64,
        /// What it has.
        given_bytes: u64,
    },
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vfat => "vfat",
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
            Self::Xfs => "xfs",
            Self::Swap => "swap",
        }
    }

    /// The least that can be made, and how long its label may be.
    fn limits(self, sector_size: SectorSize) -> (u64, usize, &'static str) {
        match self {
            Self::Vfat => (fat::minimum_bytes(sector_size), 11, "11 bytes in vfat"),
            Self::Ext4 => (ALIGNMENT_BYTES, 16, "16 bytes in ext4"),
            Self::Btrfs => (ALIGNMENT_BYTES, btrfs::LABEL_BYTES, "255 bytes in btrfs"),
            Self::Xfs => (xfs::MINIMUM_BYTES, xfs::LABEL_BYTES, "12 bytes in xfs"),
            Self::Swap => (swap::MINIMUM_BYTES, swap::LABEL_BYTES, "16 bytes in swap"),
        }
    }
}

impl Slot {
    /// Whether its size is what the others leave.
    pub(crate) fn takes_rest(&self) -> bool {
        matches!(self.extent, Extent::Until(End::BeforeEnd(_)))
    }
}

impl Extent {
    /// The attribute that says it.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Bytes(_) | Self::Until(End::BeforeEnd(0)) => "size",
            Self::Until(_) => "end",
        }
    }
}

/// Checks what can be said without sizes of disks: labels, and that one partition at most takes the rest of its disk.
///
/// Errors with the first mistake.
pub(crate) fn check<'s>(disks: impl IntoIterator<Item = &'s [Slot]>) -> Result<(), LayoutError> {
    let mut all: Vec<&Slot> = Vec::new();
    for slots in disks {
        check_disk(slots)?;
        for slot in slots {
            // A system finds partitions by their labels, whatever disk they are on.
            if let Some(other) = all.iter().find(|other| other.label == slot.label) {
                let (first, second, label) = (other.option.clone(), slot.option.clone(), slot.label.clone());
                return Err(LayoutError::SameLabel { first, second, label });
            }
            all.push(slot);
        }
    }
    Ok(())
}

fn check_disk(slots: &[Slot]) -> Result<(), LayoutError> {
    for slot in slots {
        if slot.label.encode_utf16().count() > LABEL_UNITS {
            return Err(too_long(slot, "label", &slot.label, "36 UTF-16 units in a partition table"));
        }
        if let Some((_, bytes, limit)) = slot.format.map(|format| format.limits(SectorSize::default())) {
            if slot.volume_label.len() > bytes {
                return Err(too_long(slot, "content.extraArgs", &slot.volume_label, limit));
            }
        }
    }
    let mut rests = slots.iter().filter(|slot| slot.takes_rest());
    match (rests.next(), rests.next()) {
        (Some(first), Some(second)) => {
            Err(LayoutError::TwoRests { first: first.option.clone(), second: second.option.clone() })
        }
        _ => Ok(()),
    }
}

fn quoted(options: &[String]) -> String {
    options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ")
}

fn too_long(slot: &Slot, attribute: &str, label: &str, limit: &'static str) -> LayoutError {
    LayoutError::LabelTooLong { option: format!("{}.{attribute}", slot.option), label: label.to_owned(), limit }
}

/// The disk that suffices for slots if the one that takes the rest has so many bytes.
pub(crate) fn disk_bytes(slots: &[Slot], rest_bytes: u64) -> u64 {
    let mut cursor = ALIGNMENT_BYTES;
    for slot in slots {
        let start = slot.start_bytes.map_or(cursor, aligned);
        let end = match slot.extent {
            Extent::Bytes(bytes) => start.saturating_add(aligned(bytes)),
            Extent::Until(End::At(end)) => aligned(end),
            Extent::Until(End::BeforeEnd(left)) => {
                start.saturating_add(aligned(rest_bytes)).saturating_add(aligned(left))
            }
        };
        cursor = cursor.max(end);
    }
    cursor.saturating_add(ALIGNMENT_BYTES)
}

/// Gives slots their places on a disk that is at least as large as [`disk_bytes`] says with nothing for the rest.
///
/// Errors when two overlap or one is too small for its format.
pub(crate) fn place(slots: &[Slot], disk_bytes: u64, sector_size: SectorSize) -> Result<Vec<Place>, LayoutError> {
    let disk_end = disk_bytes.saturating_sub(ALIGNMENT_BYTES) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
    let mut places: Vec<Place> = Vec::with_capacity(slots.len());
    let mut cursor = ALIGNMENT_BYTES;
    for (position, slot) in slots.iter().enumerate() {
        let start_bytes = slot.start_bytes.map_or(cursor, aligned);
        let end = match slot.extent {
            Extent::Bytes(bytes) => start_bytes.saturating_add(aligned(bytes)),
            Extent::Until(End::At(end)) => aligned(end),
            Extent::Until(End::BeforeEnd(0)) => disk_end.saturating_sub(behind(&slots[position + 1..])),
            Extent::Until(End::BeforeEnd(left)) => disk_end.saturating_sub(aligned(left)),
        };
        let place = Place { start_bytes, length_bytes: end.saturating_sub(start_bytes) };
        check_room(slot, place, sector_size)?;
        places.push(place);
        cursor = end;
    }
    check_overlaps(slots, &places)?;
    Ok(places)
}

/// What those need that stand behind the one that takes the rest.
fn behind(slots: &[Slot]) -> u64 {
    let length = |slot: &Slot| match slot.extent {
        Extent::Bytes(bytes) if slot.start_bytes.is_none() => aligned(bytes),
        _ => 0,
    };
    slots.iter().map(length).sum()
}

fn aligned(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(ALIGNMENT_BYTES).unwrap_or(u64::MAX / ALIGNMENT_BYTES * ALIGNMENT_BYTES)
}

fn check_room(slot: &Slot, place: Place, sector_size: SectorSize) -> Result<(), LayoutError> {
    let (what, needed_bytes) = match (slot.format, sector_size) {
        (None, _) => ("a partition", 1),
        (Some(Format::Vfat), SectorSize::Bytes4096) => {
            ("vfat with sectors of 4096 bytes", fat::minimum_bytes(sector_size))
        }
        (Some(format), _) => (format.name(), format.limits(sector_size).0),
    };
    match place.length_bytes >= needed_bytes {
        true => Ok(()),
        false => Err(LayoutError::NoRoom {
            option: slot.option.clone(),
            what,
            needed_bytes,
            given_bytes: place.length_bytes,
        }),
    }
}

fn check_overlaps(slots: &[Slot], places: &[Place]) -> Result<(), LayoutError> {
    let mut sorted: Vec<(&Slot, &Place)> = slots.iter().zip(places).collect();
    sorted.sort_by_key(|(_, place)| place.start_bytes);
    for pair in sorted.windows(2) {
        let [(first, before), (second, after)] = [pair[0], pair[1]];
        if before.end_bytes() > after.start_bytes {
            return Err(LayoutError::Overlap { first: first.option.clone(), second: second.option.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use disk_formats::gpt::TYPE_LINUX;

    use super::*;

    const MIB: u64 = 1 << 20;
    const SECTORS: SectorSize = SectorSize::Bytes512;

    fn slot(name: &str, extent: Extent) -> Slot {
        Slot {
            option: name.to_owned(),
            label: name.to_owned(),
            type_guid: TYPE_LINUX,
            start_bytes: None,
            extent,
            format: None,
            volume_label: String::new(),
            subvolumes: Vec::new(),
        }
    }

    fn rest(name: &str) -> Slot {
        slot(name, Extent::Until(End::BeforeEnd(0)))
    }

    fn mib(places: &[Place]) -> Vec<(u64, u64)> {
        places.iter().map(|place| (place.start_bytes / MIB, place.length_bytes / MIB)).collect()
    }

    #[test]
    fn partitions_follow_one_another_and_one_takes_the_rest() {
        let slots = [slot("a", Extent::Bytes(10 * MIB + 1)), rest("b"), slot("c", Extent::Bytes(5 * MIB))];
        let disk = disk_bytes(&slots, 20 * MIB);
        assert_eq!(disk, 38 * MIB);
        assert_eq!(mib(&place(&slots, disk, SECTORS).unwrap()), [(1, 11), (12, 20), (32, 5)]);
        assert_eq!(mib(&place(&slots, disk + 7 * MIB + 5, SECTORS).unwrap()), [(1, 11), (12, 27), (39, 5)]);
    }

    #[test]
    fn places_can_be_given_from_both_ends() {
        let mut first = slot("a", Extent::Until(End::At(9 * MIB)));
        first.start_bytes = Some(4 * MIB);
        let slots = [first, slot("b", Extent::Until(End::BeforeEnd(10 * MIB)))];
        let disk = disk_bytes(&slots, 3 * MIB);
        assert_eq!(mib(&place(&slots, disk, SECTORS).unwrap()), [(4, 5), (9, 3)]);
        // The last 10 MiB stay free, and the table behind them.
        assert_eq!(disk, 23 * MIB);
    }

    #[test]
    fn layouts_that_do_not_add_up_name_the_options() {
        let two = [rest("one"), rest("two")];
        let error = check([two.as_slice()]).unwrap_err();
        assert_eq!(error.to_string(), "`one` and `two` both reach to the disk's end; only one partition can");
        let mut second = slot("b", Extent::Bytes(MIB));
        second.start_bytes = Some(5 * MIB);
        let error = place(&[slot("a", Extent::Bytes(10 * MIB)), second], 100 * MIB, SECTORS).unwrap_err();
        assert_eq!(error.to_string(), "`a` and `b` overlap");
        let mut small = slot("boot", Extent::Bytes(8 * MIB));
        small.format = Some(Format::Vfat);
        let error = place(std::slice::from_ref(&small), 100 * MIB, SECTORS).unwrap_err();
        assert_eq!(error.to_string(), "`boot` has 8 MiB; vfat needs 34");
        let error = place(&[small], 100 * MIB, SectorSize::Bytes4096).unwrap_err();
        assert_eq!(error.to_string(), "`boot` has 8 MiB; vfat with sectors of 4096 bytes needs 258");
        let same = [slot("a", Extent::Bytes(1)), slot("a", Extent::Bytes(1))];
        for disks in [vec![&same[..]], vec![&same[..1], &same[1..]]] {
            assert!(matches!(check(disks).unwrap_err(), LayoutError::SameLabel { .. }));
        }
        check([&[rest("one")][..], &[rest("two")]]).unwrap();
    }

    #[test]
    fn labels_fit_where_they_are_written() {
        for (format, most) in
            [(Format::Vfat, 11), (Format::Ext4, 16), (Format::Btrfs, 255), (Format::Xfs, 12), (Format::Swap, 16)]
        {
            let mut slot = slot("p", Extent::Bytes(MIB));
            slot.format = Some(format);
            slot.volume_label = "l".repeat(most);
            check([std::slice::from_ref(&slot)]).unwrap();
            slot.volume_label.push('l');
            let error = check([&[slot][..]]).unwrap_err().to_string();
            assert!(error.starts_with("`p.content.extraArgs` is `lll") && error.contains(format.name()), "{error}");
        }
        let mut long = slot("p", Extent::Bytes(MIB));
        // Each takes two units.
        long.label = "💾".repeat(18);
        check([std::slice::from_ref(&long)]).unwrap();
        long.label.push('x');
        assert!(matches!(check([&[long][..]]), Err(LayoutError::LabelTooLong { .. })));
    }
}
