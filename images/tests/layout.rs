//! Images of declared disks, looked into with `sgdisk` (gdisk), `fsck.vfat` (dosfstools), `e2fsck`, `debugfs` (e2fsprogs),
//! `swaplabel` and `blkid` (util-linux); and declarations that no image can be made of.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;

use images::{ImageError, ImageRequest, build_image};
use machine::{Machine, extract, partition, run, text};
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

fn boot() -> Value {
    declared("ESP", &json!({ "size": "40M" }), &filesystem("vfat", "/boot", &["-n", "BOOT"]))
}

/// A system that declares its disk.
fn system(machine: &Machine, partitions: &[Value]) -> StorePath {
    let disks = json!([{ "name": "main", "partitions": partitions }]);
    machine.toplevel_with("declared", &json!({ "version": 1, "espMountPoint": "/boot", "disks": disks }))
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
fn what_does_not_add_up_names_the_option() {
    let nix = || declared("nix", &json!({ "size": "100%" }), &filesystem("ext4", "/nix", &[]));
    let extra = |extent: Value, content: Value| vec![boot(), nix(), declared("extra", &extent, &content)];
    let option = "`disko.devices.disk.main.content.partitions.extra";
    let cases = [
        (extra(json!({ "size": "100%" }), Value::Null), "partitions.nix` and `disko.devices.disk.main".to_owned()),
        (extra(json!({ "size": "8M", "start": "2M" }), Value::Null), "overlap".to_owned()),
        (extra(json!({ "size": "8M", "end": "9M" }), Value::Null), format!("{option}.end` is `9M`")),
        (extra(json!({}), Value::Null), format!("{option}.size` is `null`")),
        (
            extra(json!({ "size": "8M" }), json!({ "type": "btrfs", "extraArgs": [] })),
            format!("{option}.content.type`: images with btrfs are not supported yet"),
        ),
        (
            extra(json!({ "size": "8M" }), filesystem("xfs", "/data", &[])),
            format!("{option}.content.format`: images with xfs are not supported yet"),
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
            "partitions.nix.content.format` must be ext4, because it holds the store".to_owned(),
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
