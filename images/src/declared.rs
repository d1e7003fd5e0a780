//! What a system declares of its disk: `disk-layout.json` of its toplevel, from `disko.devices.disk`.
//!
//! Reads and says what is meant; whether it adds up is [`crate::layout`]'s. Partitions are in the order of the disk.
//! Source: disko's documentation of `gpt`, and sgdisk's manual page for the codes of types.

use std::path::{Path, PathBuf};

use disk_formats::gpt::{TYPE_ESP, TYPE_LINUX};
use disk_formats::guid::Guid;
use nix_formats::StorePath;
use serde::Deserialize;
use store::Store;

use crate::layout::{End, Extent, Format, LayoutError, Slot};
use crate::{ESP_LABEL, ImageError, STORE_LABEL};

/// Where a toplevel says it.
const FILE: &str = "disk-layout.json";
/// Where the store's filesystem is mounted that has nothing else in it.
const STORE_MOUNT_POINT: &str = "/nix";

/// Codes of sgdisk and the types that they stand for.
const TYPES: &[(&str, &str)] = &[
    ("0700", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
    ("8200", "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"),
    ("8300", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
    ("8302", "933ac7e1-2eb4-4f13-b844-0e14e2aef915"),
    ("8303", "44479540-f297-41b2-9af7-d131d5f0458a"),
    ("8304", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
    ("8305", "b921b045-1df0-41c3-af44-4c6f280d3fae"),
    ("8306", "3b8f8425-20e0-4f3b-907f-1a25a76f98e8"),
    ("8310", "4d21b016-b534-45c2-a9fb-5c16e091fd2d"),
    ("EA00", "bc13c2ff-59e6-4262-a352-b275fd6f7172"),
    ("EF00", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
];

/// A system's disks, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredDisks {
    /// At least one.
    pub(crate) disks: Vec<DeclaredDisk>,
    /// The partition that the firmware boots from.
    pub(crate) esp: Position,
    /// The partition that holds the store.
    pub(crate) store: Position,
    /// Where `/nix` is in the filesystem of the store: a path of folders and subvolumes, empty if that is mounted there.
    pub(crate) nix_folder: String,
}

/// A disk, its partitions in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredDisk {
    /// Its name.
    pub(crate) name: String,
    /// What an error calls it.
    pub(crate) option: String,
    /// What is on it.
    pub(crate) slots: Vec<Slot>,
    /// How large an image of it is, if it says so.
    pub(crate) image_bytes: Option<u64>,
}

/// Which partition of which disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) disk: usize,
    pub(crate) partition: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    esp_mount_point: PathBuf,
    disks: Vec<DiskEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiskEntry {
    name: String,
    #[serde(default)]
    image_size: Option<String>,
    partitions: Vec<PartitionEntry>,
}

#[derive(Deserialize)]
struct PartitionEntry {
    name: String,
    size: Option<String>,
    start: Option<String>,
    end: Option<String>,
    r#type: String,
    label: String,
    content: Option<ContentEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContentEntry {
    r#type: String,
    format: Option<String>,
    mountpoint: Option<PathBuf>,
    extra_args: Vec<String>,
    #[serde(default)]
    subvolumes: Vec<SubvolumeEntry>,
}

#[derive(Deserialize)]
struct SubvolumeEntry {
    name: String,
    mountpoint: Option<PathBuf>,
}

impl DeclaredDisks {
    /// The disk of a toplevel that declares none: an EFI system partition and the store.
    pub(crate) fn of_esker(esp_bytes: u64) -> Self {
        let slot = |label: &str, type_guid, extent, format| Slot {
            option: format!("the partition {label}"),
            label: label.to_owned(),
            type_guid,
            start_bytes: None,
            extent,
            format: Some(format),
            volume_label: label.to_owned(),
            subvolumes: Vec::new(),
        };
        let slots = vec![
            slot(ESP_LABEL, TYPE_ESP, Extent::Bytes(esp_bytes), Format::Vfat),
            slot(STORE_LABEL, TYPE_LINUX, Extent::Until(End::BeforeEnd(0)), Format::Ext4),
        ];
        let disk = DeclaredDisk { name: "main".to_owned(), option: "the disk".to_owned(), slots, image_bytes: None };
        let position = |partition| Position { disk: 0, partition };
        DeclaredDisks { disks: vec![disk], esp: position(0), store: position(1), nix_folder: String::new() }
    }

    /// The disks that a toplevel declares; `None` where it declares none.
    ///
    /// Errors when the declaration is none that an image can be made of.
    pub(crate) fn load(store: &Store, toplevel: &StorePath) -> Result<Option<Self>, ImageError> {
        let path = store.physical(toplevel).join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|source| ImageError::Io { action: "read", path: path.clone(), source })?,
        };
        let file: LayoutFile = serde_json::from_slice(&text).map_err(|source| ImageError::Io {
            action: "understand",
            path,
            source: source.into(),
        })?;
        Ok(Some(Self::parse(&file)?))
    }

    fn parse(file: &LayoutFile) -> Result<Self, LayoutError> {
        let disks: Vec<DeclaredDisk> = file.disks.iter().map(DiskEntry::disk).collect::<Result<_, _>>()?;
        let entries = || {
            let of_disk = |(disk, entry): (usize, &'_ DiskEntry)| {
                (0..entry.partitions.len()).map(move |partition| Position { disk, partition }).collect::<Vec<_>>()
            };
            file.disks.iter().enumerate().flat_map(of_disk)
        };
        let entry = |at: Position| &file.disks[at.disk].partitions[at.partition];
        let mounted = |where_: &Path| {
            let place = |at: Position| Some((at, entry(at).content.as_ref()?.place_of(where_)?));
            entries().find_map(place)
        };
        let missing = |mount_point: &Path| LayoutError::NotMounted {
            options: disks.iter().map(|disk| disk.option.clone()).collect(),
            mount_point: mount_point.to_owned(),
        };
        let (store, nix_folder) = mounted(Path::new(STORE_MOUNT_POINT))
            .map(|(store, folder)| (store, folder.to_owned()))
            .or_else(|| mounted(Path::new("/")).map(|(store, folder)| (store, format!("{folder}/nix"))))
            .ok_or_else(|| missing(Path::new(STORE_MOUNT_POINT)))?;
        let (esp, _) = mounted(&file.esp_mount_point).ok_or_else(|| missing(&file.esp_mount_point))?;
        let slot = |at: Position| &disks[at.disk].slots[at.partition];
        for (slot, formats, expected, what) in [
            (slot(store), &[Format::Ext4, Format::Btrfs, Format::Xfs][..], "ext4, btrfs or xfs", "the store"),
            (slot(esp), &[Format::Vfat], "vfat", "the boot loader"),
        ] {
            if slot.format.is_none_or(|format| !formats.contains(&format)) {
                let option = format!("{}.content.format", slot.option);
                return Err(LayoutError::WrongFormat { option, what, expected });
            }
        }
        if slot(esp).type_guid != TYPE_ESP {
            let option = format!("{}.type", slot(esp).option);
            return Err(LayoutError::Value {
                option,
                value: entry(esp).r#type.clone(),
                expected: "EF00, by which firmware finds the boot loader",
            });
        }
        Ok(DeclaredDisks { disks, esp, store, nix_folder })
    }
}

impl DiskEntry {
    fn disk(&self) -> Result<DeclaredDisk, LayoutError> {
        let option = format!("disko.devices.disk.{}", self.name);
        let image_bytes = match &self.image_size {
            None => None,
            Some(size) => Some(parse_size(size).ok_or_else(|| LayoutError::Value {
                option: format!("{option}.imageSize"),
                value: size.clone(),
                expected: "a size",
            })?),
        };
        let slots = self.partitions.iter().map(|entry| entry.slot(&option)).collect::<Result<_, _>>()?;
        Ok(DeclaredDisk { name: self.name.clone(), option, slots, image_bytes })
    }
}

impl PartitionEntry {
    fn slot(&self, disk: &str) -> Result<Slot, LayoutError> {
        let option = format!("{disk}.content.partitions.{}", self.name);
        let value = |attribute: &str, value: &str, expected| LayoutError::Value {
            option: format!("{option}.{attribute}"),
            value: value.to_owned(),
            expected,
        };
        let bytes = |attribute, text: &str| parse_size(text).ok_or_else(|| value(attribute, text, "a size"));
        let extent = match (self.size.as_deref(), self.end.as_deref()) {
            (Some(_), Some(end)) => return Err(value("end", end, "nothing where there is a size")),
            (Some("100%"), None) => Extent::Until(End::BeforeEnd(0)),
            (Some(size), None) => Extent::Bytes(bytes("size", size)?),
            (None, Some(end)) => Extent::Until(match end.strip_prefix('-') {
                Some(left) => End::BeforeEnd(bytes("end", left)?),
                None => End::At(bytes("end", end)?),
            }),
            (None, None) => return Err(value("size", "null", "a size, such as 512M or 100%")),
        };
        let content = self.content.as_ref();
        let start_bytes = self.start.as_deref().map(|start| bytes("start", start)).transpose()?;
        if let (Some(start), Some(0)) = (&self.start, start_bytes) {
            return Err(value("start", start, "1M or more, behind the partition table"));
        }
        Ok(Slot {
            start_bytes,
            extent,
            label: self.label.clone(),
            type_guid: type_guid(&self.r#type)
                .ok_or_else(|| value("type", &self.r#type, "a code of sgdisk that Esker knows, or a GUID"))?,
            format: content.map(|content| content.format(&option)).transpose()?,
            volume_label: content.map_or(Ok(String::new()), |content| content.volume_label(&option))?,
            subvolumes: content.map_or(Ok(Vec::new()), |content| content.subvolumes(&option))?,
            option,
        })
    }
}

impl ContentEntry {
    fn format(&self, option: &str) -> Result<Format, LayoutError> {
        match (self.r#type.as_str(), self.format.as_deref()) {
            ("swap", _) => Ok(Format::Swap),
            ("filesystem", Some("vfat")) => Ok(Format::Vfat),
            ("filesystem", Some("ext4")) => Ok(Format::Ext4),
            ("filesystem", Some("btrfs")) | ("btrfs", _) => Ok(Format::Btrfs),
            ("filesystem", Some("xfs")) => Ok(Format::Xfs),
            ("filesystem", format) => Err(LayoutError::Unsupported {
                option: format!("{option}.content.format"),
                what: format.unwrap_or_default().to_owned(),
            }),
            (other, _) => {
                Err(LayoutError::Unsupported { option: format!("{option}.content.type"), what: other.to_owned() })
            }
        }
    }

    /// Where a mount point is in the filesystem: nowhere, at its top (an empty path) or in a subvolume.
    fn place_of(&self, mount_point: &Path) -> Option<&str> {
        if self.mountpoint.as_deref() == Some(mount_point) {
            return Some("");
        }
        let found = self.subvolumes.iter().find(|subvolume| subvolume.mountpoint.as_deref() == Some(mount_point));
        found.map(|subvolume| subvolume.name.trim_matches('/'))
    }

    /// The paths of subvolumes, outer ones first.
    fn subvolumes(&self, option: &str) -> Result<Vec<String>, LayoutError> {
        let value = |value: &str, expected| LayoutError::Value {
            option: format!("{option}.content.subvolumes"),
            value: value.to_owned(),
            expected,
        };
        let mut paths: Vec<String> = Vec::new();
        for name in self.subvolumes.iter().map(|subvolume| &subvolume.name) {
            let path = name.trim_matches('/').to_owned();
            if self.r#type != "btrfs" {
                return Err(value(name, "empty, because only contents of the type btrfs have subvolumes"));
            }
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(value(name, "a path in the filesystem"));
            }
            if paths.contains(&path) {
                return Err(value(name, "another path than that of the subvolume before it"));
            }
            paths.push(path);
        }
        paths.sort();
        Ok(paths)
    }

    /// What `extraArgs` say. Filesystems in images are not made by mkfs, so the label is all they may say; that there may
    /// be something in the partition (`-f`) is nothing to an image.
    fn volume_label(&self, option: &str) -> Result<String, LayoutError> {
        let is_btrfs = self.r#type == "btrfs" || self.format.as_deref() == Some("btrfs");
        let flags = match self.format.as_deref() {
            Some("vfat") => ["-n", "-n"],
            _ if is_btrfs => ["-L", "--label"],
            _ => ["-L", "-L"],
        };
        let is_xfs = self.format.as_deref() == Some("xfs");
        let is_force =
            |flag: &&str| matches!((*flag, is_btrfs, is_xfs), ("-f", true, _) | ("-f", _, true) | ("--force", true, _));
        let arguments = self.extra_args.iter().map(String::as_str);
        match arguments.filter(|flag| !is_force(flag)).collect::<Vec<_>>().as_slice() {
            [] => Ok(String::new()),
            [given, label] if flags.contains(given) => Ok((*label).to_owned()),
            others => Err(LayoutError::Value {
                option: format!("{option}.content.extraArgs"),
                value: others.join(" "),
                expected: "a label alone (-L LABEL, of vfat -n LABEL), because images are not made by mkfs",
            }),
        }
    }
}

/// `512M`, `8G`, `4096`: units of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn type_guid(text: &str) -> Option<Guid> {
    let known = TYPES.iter().find(|(code, _)| code.eq_ignore_ascii_case(text));
    known.map_or(text, |(_, guid)| guid).parse().ok()
}
