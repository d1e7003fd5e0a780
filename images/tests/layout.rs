//! Images of declared disks, looked into with `sgdisk` (gdisk), `fsck.vfat` (dosfstools), `e2fsck`, `debugfs` (e2fsprogs), `btrfs`,
//! `swaplabel` and `blkid` (util-linux); and declarations that no image can be made of.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::path::{Path, PathBuf};

use images::existing::ExistingImage;
use images::format::{Compression, DiskForm, Format};
use images::{ImageError, ImageRequest, SectorSize, build_image};
use machine::{Machine, extract, partition, put_back, run, text};
use nix_formats::StorePath;
use serde_json::{Value, json};

/// A partition of the declaration, as modules/filesystems/disko.nix writes it.
fn declared(name: &str, extent: &Value, content: &Value) -> Value {
    let kind = content["mountpoint"].as_str().filter(|where_| *where_ == "/boot").map_or("8300", |_| "EF00");
    let mut entry = json!({ "name": name, "label": format!("disk-main-{name}"), "type": kind, "content": content });
    entry.as_object_mut().unwrap().extend(extent.as_object().unwrap().clone());
    entry
}

fn filesystem(format: &str, mountpoint: &str, extra: &[&str]) -> Value {
    json!({ "type": "filesystem", "format": format, "mountpoint": mountpoint, "extraArgs": extra })
}

/// Contents of btrfs with subvolumes: names and mount points.
fn btrfs(subvolumes: &[(&str, &str)], extra: &[&str]) -> Value {
    let subvolumes: Vec<Value> =
        subvolumes.iter().map(|(name, mountpoint)| json!({ "name": name, "mountpoint": mountpoint })).collect();
    json!({ "type": "btrfs", "extraArgs": extra, "subvolumes": subvolumes })
}

/// Checks a btrfs partition, its data, too, and returns where a copy of it is.
fn check_btrfs(machine: &Machine, image: &Path, number: usize) -> PathBuf {
    let file = machine.path(&format!("partition-{number}"));
    extract(image, number, &file);
    run("btrfs", &["check", "--readonly", "--check-data-csum", text(&file)]);
    file
}

fn boot() -> Value {
    declared("ESP", &json!({ "size": "40M" }), &filesystem("vfat", "/boot", &["-n", "BOOT"]))
}

/// A system that declares its disk.
fn system(machine: &Machine, partitions: &[Value]) -> StorePath {
    let disks = json!([{ "name": "main", "partitions": partitions }]);
    machine.toplevel_with("declared", &json!({ "version": 1, "espMountPoint": "/boot", "disks": disks }))
}

/// A system on two disks: one that the firmware boots from, with the store, and one for data and swap.
fn two_disks(machine: &Machine, name: &str) -> StorePath {
    let nix = declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[]));
    let mut data = declared("data", &json!({ "size": "100%" }), &filesystem("ext4", "/data", &["-L", "data"]));
    let mut swap = declared("swap", &json!({ "size": "8M" }), &json!({ "type": "swap", "extraArgs": [] }));
    data["label"] = json!("disk-more-data");
    swap["label"] = json!("disk-more-swap");
    let disks = json!([
        { "name": "fast", "partitions": [boot(), nix] },
        { "name": "more", "imageSize": "300M", "partitions": [swap, data] },
    ]);
    machine.toplevel_with(name, &json!({ "version": 1, "espMountPoint": "/boot", "disks": disks }))
}

fn request<'m>(machine: &'m Machine, partitions: &[Value]) -> ImageRequest<'m> {
    machine.request(&[system(machine, partitions)], "disk.img")
}

#[test]
fn every_tool_accepts_a_declared_disk() {
    let machine = Machine::new();
    let partitions = [
        boot(),
        declared("data", &json!({ "size": "48M" }), &filesystem("ext4", "/data", &["-L", "data"])),
        declared("share", &json!({ "size": "36M" }), &filesystem("vfat", "/share", &[])),
        declared("swap", &json!({ "size": "8M" }), &json!({ "type": "swap", "extraArgs": ["-L", "more memory"] })),
        declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[])),
    ];
    let request = request(&machine, &partitions);
    build_image(&request).unwrap();
    let image = machine.path("disk.img");
    assert!(run("sgdisk", &["-v", text(&image)]).contains("No problems found"));
    let table = run("sgdisk", &["-p", text(&image)]);
    for name in ["disk-main-ESP", "disk-main-data", "disk-main-share", "disk-main-swap", "disk-main-nix"] {
        assert!(table.contains(name), "{table}");
    }
    assert!(run("sgdisk", &["-i", "1", text(&image)]).contains("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
    let taken = |number: usize| {
        let file = machine.path(&format!("partition-{number}"));
        extract(&image, number, &file);
        text(&file).to_owned()
    };
    run("fsck.vfat", &["-n", &taken(0)]);
    run("fsck.vfat", &["-n", &taken(2)]);
    for (number, label) in [(1, "data"), (4, "<none>")] {
        let place = partition(&image, number);
        run("e2fsck", &["-f", "-n", &place]);
        let shown = run("debugfs", &["-R", "stats -h", &place]);
        assert!(shown.contains(&format!("Filesystem volume name:   {label}\n")), "{shown}");
    }
    let swap = taken(3);
    assert!(run("swaplabel", &[&swap]).contains("LABEL: more memory"));
    assert_eq!(run("blkid", &["-p", "-s", "TYPE", "-o", "value", &swap]), "swap\n");
    assert_eq!(run("blkid", &["-p", "-s", "LABEL", "-o", "value", &taken(0)]), "BOOT\n");
    let first = fs::read(&image).unwrap();
    build_image(&request).unwrap();
    assert!(first == fs::read(&image).unwrap(), "twice the same");
}

#[test]
fn the_store_may_be_in_the_root() {
    let machine = Machine::new();
    let root = declared("root", &json!({ "size": "100%" }), &filesystem("ext4", "/", &["-L", "root"]));
    build_image(&request(&machine, &[boot(), root])).unwrap();
    let place = partition(&machine.path("disk.img"), 1);
    run("e2fsck", &["-f", "-n", &place]);
    let shown = run("debugfs", &["-R", "stat /nix/var/nix/profiles/system-1-link", &place]);
    assert!(shown.contains("-system-declared"), "{shown}");
    assert!(run("debugfs", &["-R", "ls -p /", &place]).contains("/nix/"));
}

#[test]
fn the_store_may_be_in_a_subvolume() {
    let machine = Machine::new();
    for (number, (subvolumes, folder)) in [
        (&[("/home", "/home"), ("/nix", "/nix"), ("log", "/var/log")][..], "nix"),
        (&[("@", "/"), ("@home", "/home"), ("@/var/log", "/var/log")], "@/nix"),
        (&[("@", "/"), ("@/nix", "/nix")], "@/nix"),
    ]
    .into_iter()
    .enumerate()
    {
        let content = btrfs(subvolumes, &["-f", "-L", "a label with blanks"]);
        let swap = declared("swap", &json!({ "size": "8M" }), &json!({ "type": "swap", "extraArgs": [] }));
        let partitions = [boot(), swap, declared("main", &json!({ "size": "100%" }), &content)];
        let disks = json!([{ "name": "main", "partitions": partitions }]);
        let layout = json!({ "version": 1, "espMountPoint": "/boot", "disks": disks });
        let toplevel = machine.toplevel_with(&format!("declared-{number}"), &layout);
        let request = machine.request(&[toplevel], "disk.img");
        build_image(&request).unwrap();
        let image = machine.path("disk.img");
        let taken = check_btrfs(&machine, &image, 2);
        let shown = run("btrfs", &["inspect-internal", "dump-tree", "-t", "root", text(&taken)]);
        for (name, _) in subvolumes {
            let name = name.rsplit('/').next().unwrap();
            assert!(
                shown.contains(&format!(" name: {name}\n")) || shown.contains(&format!(" name {name}\n")),
                "{shown}"
            );
        }
        assert_eq!(run("blkid", &["-p", "-s", "LABEL", "-o", "value", text(&taken)]), "a label with blanks\n");
        let restored = machine.path(&format!("restored-{number}"));
        fs::create_dir(&restored).unwrap();
        run("btrfs", &["restore", "-Ss", text(&taken), text(&restored)]);
        let profile = restored.join(folder).join("var/nix/profiles/system-1-link");
        assert!(fs::read_link(&profile).unwrap().to_str().unwrap().ends_with(&format!("-system-declared-{number}")));
        let first = fs::read(&image).unwrap();
        build_image(&request).unwrap();
        assert!(first == fs::read(&image).unwrap(), "twice the same");
        let error = ExistingImage::read(&image, machine.store.dir()).unwrap_err().to_string();
        assert!(error.contains("btrfs and XFS cannot be read"), "{error}");
    }
}

#[test]
fn the_store_may_be_in_xfs() {
    let machine = Machine::new();
    let data = declared("data", &json!({ "size": "310M" }), &filesystem("xfs", "/data", &["-L", "data"]));
    let nix = declared("nix", &json!({ "size": "100%" }), &filesystem("xfs", "/nix", &["-f", "-L", "esker-nix"]));
    let request = request(&machine, &[boot(), data, nix]);
    build_image(&request).unwrap();
    let image = machine.path("disk.img");
    for (number, label) in [(1, "data"), (2, "esker-nix")] {
        let file = machine.path(&format!("partition-{number}"));
        extract(&image, number, &file);
        run("xfs_repair", &["-n", "-f", text(&file)]);
        assert_eq!(run("blkid", &["-p", "-s", "LABEL", "-o", "value", text(&file)]), format!("{label}\n"));
    }
    let nix = machine.path("partition-2");
    let profile = ["-f", "-r", "-c", "path /var/nix/profiles/system-1-link", "-c", "p u3.symlink"];
    let shown = run("xfs_db", &[&profile[..], &[text(&nix)]].concat());
    assert!(shown.contains("-system-declared"), "{shown}");
    let first = fs::read(&image).unwrap();
    build_image(&request).unwrap();
    assert!(first == fs::read(&image).unwrap(), "twice the same");
}

#[test]
fn btrfs_beside_the_store_tells_whether_it_was_used() {
    let machine = Machine::new();
    let nix = declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[]));
    let home = declared("home", &json!({ "size": "64M" }), &filesystem("btrfs", "/home", &["-L", "home"]));
    build_image(&request(&machine, &[boot(), home, nix])).unwrap();
    let image = machine.path("disk.img");
    ExistingImage::read(&image, machine.store.dir()).unwrap();
    // Whatever is written to it is a transaction.
    let taken = check_btrfs(&machine, &image, 1);
    run("btrfs", &["filesystem", "label", text(&taken), "changed"]);
    put_back(&image, 1, &taken);
    let error = ExistingImage::read(&image, machine.store.dir()).unwrap_err();
    assert!(matches!(error, ImageError::Used { .. }), "{error}");
}

#[test]
fn a_store_of_a_given_size_says_what_would_do() {
    let machine = Machine::new();
    let home = declared("home", &json!({ "size": "100%" }), &filesystem("ext4", "/home", &[]));
    let nix = |size: &str| declared("nix", &json!({ "size": size }), &filesystem("ext4", "/nix", &[]));
    let small = request(&machine, &[boot(), nix("2M"), home.clone()]);
    fs::write(&small.output, "earlier").unwrap();
    let error = build_image(&small).unwrap_err().to_string();
    let start = "`disko.devices.disk.main.content.partitions.nix.size` has 2 MiB; the system needs ";
    let needed = error.strip_prefix(start).unwrap_or_else(|| panic!("{error}"));
    assert_eq!(fs::read_to_string(&small.output).unwrap(), "earlier");
    let machine = Machine::new();
    let mut enough = request(&machine, &[boot(), nix(&format!("{needed}M")), home]);
    build_image(&enough).unwrap();
    enough.sizes.disk_bytes = Some(4 << 20);
    let error = build_image(&enough).unwrap_err();
    let ImageError::TooSmall { needed_bytes, .. } = error else { panic!("{error}") };
    for (size, fits) in [(needed_bytes, true), (needed_bytes - 1, false)] {
        enough.sizes.disk_bytes = Some(size);
        assert_eq!(build_image(&enough).is_ok(), fits, "{size}");
    }
}

#[test]
fn each_disk_becomes_a_file() {
    let machine = Machine::new();
    let request = machine.request(&[two_disks(&machine, "two")], "disks");
    let report = build_image(&request).unwrap();
    let [fast, more] = ["disks/fast.img", "disks/more.img"].map(|name| machine.path(name));
    assert_eq!(report.files, [fast.clone(), more.clone()]);
    assert_eq!(fs::read_dir(&request.output).unwrap().count(), 2);
    for (image, names) in [(&fast, ["disk-main-ESP", "disk-main-nix"]), (&more, ["disk-more-swap", "disk-more-data"])] {
        assert!(run("sgdisk", &["-v", text(image)]).contains("No problems found"));
        let table = run("sgdisk", &["-p", text(image)]);
        assert!(names.iter().all(|name| table.contains(name)), "{table}");
        run("e2fsck", &["-f", "-n", &partition(image, 1)]);
    }
    assert_eq!(fs::metadata(&more).unwrap().len(), 300 << 20);
    let profiles = run("debugfs", &["-R", "ls -p /var/nix/profiles", &partition(&fast, 1)]);
    assert!(profiles.contains("/system-1-link/"), "{profiles}");
    let first = [&fast, &more].map(|image| fs::read(image).unwrap());
    build_image(&request).unwrap();
    assert!(first == [&fast, &more].map(|image| fs::read(image).unwrap()), "twice the same");
    // Identifiers of one disk are not another's.
    let guid =
        |image| run("sgdisk", &["-p", text(image)]).lines().find(|line| line.contains("GUID")).unwrap().to_owned();
    assert_ne!(guid(&fast), guid(&more));

    let existing = ExistingImage::read(&request.output, machine.store.dir()).unwrap();
    assert_eq!(existing.generations.len(), 1);
    // Whichever of the disks was used, what is on it would be lost.
    run("debugfs", &["-w", "-R", "set_super_value mnt_count 1", &partition(&more, 1)]);
    let error = ExistingImage::read(&request.output, machine.store.dir()).unwrap_err();
    assert!(matches!(error, ImageError::Used { .. }), "{error}");

    let file = machine.request(&[two_disks(&machine, "two-more")], "file");
    fs::write(&file.output, "earlier").unwrap();
    let error = build_image(&file).unwrap_err().to_string();
    assert!(error.ends_with("is a file; give the name of a folder"), "{error}");
}

#[test]
fn forms_of_several_disks_are_called_after_them() {
    let machine = Machine::new();
    let toplevel = two_disks(&machine, "two");
    for (compression, form, names) in [
        (Compression::Zstd, DiskForm::Raw, ["fast.img.zst", "more.img.zst"]),
        (Compression::None, DiskForm::Qcow2, ["fast.qcow2", "more.qcow2"]),
    ] {
        let format = Format::Disk(form, compression);
        let request = ImageRequest { format, ..machine.request(std::slice::from_ref(&toplevel), "disks") };
        let report = build_image(&request).unwrap();
        assert_eq!(report.files, names.map(|name| request.output.join(name)));
        assert!(report.files.iter().all(|file| file.exists()));
    }
}

#[test]
fn a_declared_disk_gets_a_further_generation_as_if_both_had_been_put_there_at_once() {
    let machine = Machine::new();
    let nix = declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/", &["-L", "root"]));
    let data = declared("data", &json!({ "size": "48M" }), &filesystem("ext4", "/data", &[]));
    let disks = json!([{ "name": "main", "partitions": [boot(), data, nix] }]);
    let layout = json!({ "version": 1, "espMountPoint": "/boot", "disks": disks });
    let toplevels = ["a", "b"].map(|name| machine.toplevel_with(name, &layout));
    build_image(&machine.request(&toplevels[..1], "disk.img")).unwrap();
    let existing = ExistingImage::read(&machine.path("disk.img"), machine.store.dir()).unwrap();
    assert_eq!(existing.generations[0].toplevel, toplevels[0]);
    let mut both = machine.request(&toplevels, "disk.img");
    both.sizes.least_disk_bytes = existing.disk_bytes;
    build_image(&both).unwrap();
    let at_once = ImageRequest { sizes: both.sizes.clone(), ..machine.request(&toplevels, "at-once.img") };
    build_image(&at_once).unwrap();
    run("cmp", &[text(&machine.path("disk.img")), text(&machine.path("at-once.img"))]);
    // The data that somebody keeps on it beside the store.
    run("debugfs", &["-w", "-R", "set_super_value mnt_count 1", &partition(&machine.path("disk.img"), 1)]);
    let error = ExistingImage::read(&machine.path("disk.img"), machine.store.dir()).unwrap_err();
    assert!(matches!(error, ImageError::Used { .. }), "{error}");
}

#[test]
fn disks_with_large_sectors_have_them_in_the_table_and_in_vfat() {
    let machine = Machine::new();
    let mut request = machine.request(&[machine.toplevel("a")], "disk.img");
    request.sizes.sector_size = SectorSize::Bytes4096;
    let error = build_image(&request).unwrap_err().to_string();
    assert_eq!(error, "`the partition ESP` has 40 MiB; vfat with sectors of 4096 bytes needs 258");
    request.sizes.esp_bytes = 300 << 20;
    build_image(&request).unwrap();
    let image = machine.path("disk.img");
    let verdict = run("sh", &["-c", "printf 'v\\nq\\n' | fdisk --sector-size 4096 \"$1\"", "sh", text(&image)]);
    assert!(verdict.contains("No errors detected."), "{verdict}");
    let listed = run("fdisk", &["--sector-size", "4096", "--list", text(&image)]);
    assert!(listed.contains("EFI System") && listed.contains("Linux filesystem"), "{listed}");
    let esp = machine.path("esp");
    extract(&image, 0, &esp);
    assert!(run("fsck.vfat", &["-n", "-v", text(&esp)]).contains("4096 bytes per logical sector"));
    assert!(run("mtype", &["-i", text(&esp), "::loader/entries/esker-1.conf"]).starts_with("title Esker test"));
    run("e2fsck", &["-f", "-n", &partition(&image, 1)]);
    let existing = ExistingImage::read(&image, machine.store.dir()).unwrap();
    assert_eq!((existing.sector_size, existing.generations.len()), (SectorSize::Bytes4096, 1));
}

#[test]
fn a_disk_of_a_declared_size_says_which_option_is_too_small() {
    let machine = Machine::new();
    let nix = declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[]));
    let disks = json!([{ "name": "main", "imageSize": "42M", "partitions": [boot(), nix] }]);
    let toplevel = machine.toplevel_with("small", &json!({ "version": 1, "espMountPoint": "/boot", "disks": disks }));
    let error = build_image(&machine.request(&[toplevel], "disk.img")).unwrap_err().to_string();
    assert!(error.starts_with("`disko.devices.disk.main.imageSize` has 42 MiB; the disk needs "), "{error}");
}

#[test]
fn what_does_not_add_up_names_the_option() {
    let nix = || declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[]));
    let extra = |extent: Value, content: Value| vec![boot(), nix(), declared("extra", &extent, &content)];
    let option = "`disko.devices.disk.main.content.partitions.extra";
    let cases = [
        (extra(json!({ "size": "100%" }), Value::Null), "partitions.nix` and `disko.devices.disk.main".to_owned()),
        (extra(json!({ "size": "8M", "start": "2M" }), Value::Null), "overlap".to_owned()),
        (extra(json!({ "size": "8M", "end": "9M" }), Value::Null), format!("{option}.end` is `9M`")),
        (extra(json!({}), Value::Null), format!("{option}.size` is `null`")),
        (extra(json!({ "start": "0", "size": "8M" }), Value::Null), format!("{option}.start` is `0`; it must be 1M")),
        (
            extra(json!({ "size": "8M" }), json!({ "type": "btrfs", "extraArgs": ["-f"] })),
            format!("{option}` has 8 MiB; btrfs needs 44"),
        ),
        (
            extra(json!({ "size": "64M" }), btrfs(&[("a", "/a"), ("/a/", "/b")], &[])),
            format!("{option}.content.subvolumes` is `/a/`; it must be another path"),
        ),
        (
            extra(json!({ "size": "64M" }), btrfs(&[("a//b", "/a")], &[])),
            format!("{option}.content.subvolumes` is `a//b`; it must be a path"),
        ),
        (
            extra(json!({ "size": "8M" }), filesystem("xfs", "/data", &[])),
            format!("{option}` has 8 MiB; xfs needs 300"),
        ),
        (
            extra(json!({ "size": "8M" }), filesystem("f2fs", "/data", &[])),
            format!("{option}.content.format`: images with f2fs are not supported yet"),
        ),
        (
            extra(json!({ "size": "64M" }), filesystem("vfat", "/data", &["-n", "LONGERTHAN11"])),
            format!("{option}.content.extraArgs` is `LONGERTHAN11`; it may have 11 bytes in vfat"),
        ),
        (
            extra(json!({ "size": "64M" }), filesystem("ext4", "/data", &["-m", "1"])),
            format!("{option}.content.extraArgs` is `-m 1`"),
        ),
        (
            extra(json!({ "size": "8M" }), filesystem("vfat", "/data", &[])),
            format!("{option}` has 8 MiB; vfat needs 34"),
        ),
        (vec![nix()], "`disko.devices.disk.main` has no partition with the mountpoint /boot".to_owned()),
        (vec![boot()], "`disko.devices.disk.main` has no partition with the mountpoint /nix".to_owned()),
        (
            vec![boot(), declared("nix", &json!({ "size": "100%" }), &filesystem("vfat", "/nix", &[]))],
            "partitions.nix.content.format` must be ext4, btrfs or xfs, because it holds the store".to_owned(),
        ),
    ];
    for (partitions, expected) in cases {
        let machine = Machine::new();
        let error = build_image(&request(&machine, &partitions)).unwrap_err();
        assert!(matches!(error, ImageError::Layout(_)), "{error:?}");
        assert!(error.to_string().contains(&expected), "{error}\nhas not\n{expected}");
        assert!(!machine.path("disk.img").exists());
    }
}
