//! Whole images, looked into with `sgdisk` (gdisk), `fsck.vfat` (dosfstools), mtools, `e2fsck` and `debugfs` (e2fsprogs)
//! `sqlite3`, and `nix-store` of Debian's `nix-bin` (on PATH, or in the folder that ESKER_NIX_REFERENCE names).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::contents::Contents;
use images::existing::ExistingImage;
use images::format::{Compression, DiskForm, Format};
use images::{ImageError, ImageRequest, build_image};
use machine::{Machine, extract, partition, run, text};
use nix_formats::{Derivation, StorePath};

#[test]
fn every_tool_accepts_the_image() {
    let machine = Machine::new();
    let first = machine.toplevel("one");
    let report = build_image(&machine.request(&[first], "disk.img")).unwrap();
    let image = machine.path("disk.img");
    assert_eq!(report.disk_bytes, fs::metadata(&image).unwrap().len());
    assert_eq!(report.store_paths, 5);
    let verdict = run("sgdisk", &["-v", text(&image)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    let (esp, nix) = (machine.path("esp"), partition(&machine.path("disk.img"), 1));
    extract(&image, 0, &esp);
    run("fsck.vfat", &["-n", text(&esp)]);
    run("e2fsck", &["-f", "-n", &nix]);
    let names = run("sgdisk", &["-p", text(&image)]);
    assert!(names.contains(" ESP\n") && names.contains(" esker-nix\n"), "{names}");
    let entry = run("mtype", &["-i", text(&esp), "::loader/entries/esker-1.conf"]);
    assert!(entry.starts_with("title Esker test, generation 1\n"), "{entry}");
    assert!(entry.contains("options init=/nix/store/one/init quiet\n"), "{entry}");
}

#[test]
fn the_store_partition_holds_the_closure_and_its_state() {
    let machine = Machine::new();
    let toplevel = machine.toplevel("one");
    build_image(&machine.request(std::slice::from_ref(&toplevel), "disk.img")).unwrap();
    let nix = partition(&machine.path("disk.img"), 1);
    let debugfs = |command: &str| run("debugfs", &["-R", command, &nix]);
    assert_eq!(
        debugfs(&format!("cat /store/{toplevel}/boot.json")),
        fs::read_to_string(machine.store.physical(&toplevel).join("boot.json")).unwrap()
    );
    for (path, facts) in [
        ("/store", vec!["Mode:  0755", "User:     0"]),
        (&format!("/store/{toplevel}"), vec!["Mode:  0555", "User:     0   Group:     0"]),
        (&format!("/store/{toplevel}/boot.json"), vec!["Mode:  0444", "1970"]),
        ("/persist", vec!["Type: directory"]),
        ("/var/nix/profiles/system", vec!["Fast link dest: \"system-1-link\""]),
        ("/var/nix/profiles/system-1-link", vec![toplevel.base_name()]),
        ("/var/nix/gcroots/profiles", vec!["/nix/var/nix/profiles"]),
    ] {
        let shown = debugfs(&format!("stat {path}"));
        assert!(facts.iter().all(|fact| shown.contains(fact)), "{facts:?} are not all in\n{shown}");
    }
    // Everything is there, byte for byte.
    let copy = machine.path("copy");
    fs::create_dir(&copy).unwrap();
    debugfs(&format!("rdump /store {}", text(&copy)));
    for path in machine.store.all_valid().unwrap() {
        let inside = copy.join("store").join(path.base_name());
        run("diff", &["-r", "--no-dereference", text(&machine.store.physical(&path)), text(&inside)]);
    }
}

#[test]
fn the_database_registers_the_closure_and_nothing_else() {
    let machine = Machine::new();
    let toplevel = machine.toplevel("one");
    machine.toplevel("other");
    build_image(&machine.request(&[toplevel], "disk.img")).unwrap();
    let (nix, db) = (partition(&machine.path("disk.img"), 1), machine.path("db.sqlite"));
    run("debugfs", &["-R", &format!("dump /var/nix/db/db.sqlite {}", text(&db)), &nix]);
    let query = |sql: &str| run("sqlite3", &[text(&db), sql]);
    assert_eq!(query("pragma integrity_check"), "ok\n");
    assert_eq!(query("select count(*) from ValidPaths"), "5\n");
    assert_eq!(query("select count(*) from Refs"), "4\n");
    assert_eq!(query("select distinct registrationTime from ValidPaths"), "1\n");
    assert_eq!(run("debugfs", &["-R", "cat /var/nix/db/schema", &nix]), "10");
}

#[test]
fn the_same_systems_give_the_same_image_from_any_store() {
    let (one, two) = (Machine::new(), Machine::new());
    // Another order of building, and more in the store.
    two.toplevel("unrelated");
    let second = [two.toplevel("b"), two.toplevel("a")];
    let first = [one.toplevel("a"), one.toplevel("b")];
    // Sharing equal files must not show.
    two.store.optimise().unwrap();
    build_image(&one.request(&first, "disk.img")).unwrap();
    build_image(&two.request(&[second[1].clone(), second[0].clone()], "disk.img")).unwrap();
    assert!(fs::read(one.path("disk.img")).unwrap() == fs::read(two.path("disk.img")).unwrap());
    build_image(&one.request(&first, "again.img")).unwrap();
    assert!(fs::read(one.path("disk.img")).unwrap() == fs::read(one.path("again.img")).unwrap());
}

#[test]
fn every_form_of_an_image_is_the_same_disk() {
    let machine = Machine::new();
    let toplevel = machine.toplevel("system");
    let write = |output: &str, format| {
        let request = ImageRequest { format, ..machine.request(std::slice::from_ref(&toplevel), output) };
        build_image(&request).unwrap();
        text(&request.output).to_owned()
    };
    let raw = write("disk.img", Format::Disk(DiskForm::Raw, Compression::None));
    for (name, compression) in [("plain.qcow2", Compression::None), ("small.qcow2", Compression::Zstd)] {
        let image = write(name, Format::Disk(DiskForm::Qcow2, compression));
        run("qemu-img", &["check", &image]);
        run("qemu-img", &["compare", &raw, &image]);
        assert!(fs::metadata(&image).unwrap().len() < fs::metadata(&raw).unwrap().len() / 2);
    }
    let compressed = write("disk.img.zst", Format::Disk(DiskForm::Raw, Compression::Zstd));
    let unpacked = format!("{compressed}.raw");
    run("zstd", &["-q", "-d", &compressed, "-o", &unpacked]);
    run("cmp", &[&raw, &unpacked]);
}

#[test]
fn two_generations_share_a_kernel_and_both_are_in_the_menu() {
    let machine = Machine::new();
    let toplevels = [machine.toplevel("a"), machine.toplevel("b")];
    let report = build_image(&machine.request(&toplevels, "disk.img")).unwrap();
    assert_eq!(report.esp.matches("-kernel.efi").count(), 1, "{}", report.esp);
    assert_eq!(report.esp.matches("-initrd.efi").count(), 2, "{}", report.esp);
    let (esp, nix) = (machine.path("esp"), partition(&machine.path("disk.img"), 1));
    extract(&machine.path("disk.img"), 0, &esp);
    let entries = run("mdir", &["-b", "-i", text(&esp), "::loader/entries"]);
    assert!(entries.contains("esker-1.conf") && entries.contains("esker-2.conf"), "{entries}");
    assert!(run("mtype", &["-i", text(&esp), "::loader/loader.conf"]).starts_with("default esker-2.conf\n"));
    let profiles = run("debugfs", &["-R", "ls -p /var/nix/profiles", &nix]);
    for name in ["/system/", "/system-1-link/", "/system-2-link/"] {
        assert!(profiles.contains(name), "{profiles}");
    }
}

/// The request of `toplevel` beside what the image has, as `esker image --add` makes it.
fn added<'m>(machine: &'m Machine, toplevel: &StorePath, output: &str) -> ImageRequest<'m> {
    let existing = ExistingImage::read(&machine.path(output), machine.store.dir()).unwrap();
    let mut toplevels: Vec<StorePath> = existing.generations.into_iter().map(|g| g.toplevel).collect();
    toplevels.push(toplevel.clone());
    let mut request = machine.request(&toplevels, output);
    request.sizes.least_disk_bytes = existing.disk_bytes;
    request
}

/// Takes everything out of a store partition and lets a real Nix compare it with the database.
fn verifies(machine: &Machine, nix: &str) {
    let root = machine.path("taken-out");
    fs::create_dir_all(root.join("nix")).unwrap();
    for folder in ["store", "var"] {
        run("debugfs", &["-R", &format!("rdump /{folder} {}", text(&root.join("nix"))), nix]);
    }
    let program = match std::env::var_os("ESKER_NIX_REFERENCE") {
        Some(folder) => PathBuf::from(folder).join("nix-store"),
        None => PathBuf::from("nix-store"),
    };
    let mut command = Command::new(program);
    command.arg("--store").arg(&root).args(["--verify", "--check-contents"]).env("NIX_REMOTE", "");
    let output = command.output().expect("nix-store runs (nix-bin)");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !words.contains("error"), "{words}");
}

#[test]
fn a_second_generation_in_the_same_image_is_as_if_both_had_been_put_there_at_once() {
    let machine = Machine::new();
    let toplevels = [machine.toplevel("a"), machine.toplevel("b"), machine.toplevel("c")];
    build_image(&machine.request(&toplevels[..1], "disk.img")).unwrap();
    for (count, toplevel) in (2..).zip(&toplevels[1..]) {
        build_image(&added(&machine, toplevel, "disk.img")).unwrap();
        let existing = ExistingImage::read(&machine.path("disk.img"), machine.store.dir()).unwrap();
        let found: Vec<_> = existing.generations.iter().map(|g| (g.number, g.toplevel.clone())).collect();
        let expected: Vec<_> = (1..=count).zip(toplevels.iter().cloned()).collect();
        assert_eq!(found, expected);
    }
    build_image(&machine.request(&toplevels, "at-once.img")).unwrap();
    let same = fs::read(machine.path("disk.img")).unwrap() == fs::read(machine.path("at-once.img")).unwrap();
    assert!(same, "the images differ");

    let image = machine.path("disk.img");
    assert!(run("sgdisk", &["-v", text(&image)]).contains("No problems found"));
    let (esp, nix) = (machine.path("esp"), partition(&image, 1));
    extract(&image, 0, &esp);
    run("fsck.vfat", &["-n", text(&esp)]);
    run("e2fsck", &["-f", "-n", &nix]);
    let entries = run("mdir", &["-b", "-i", text(&esp), "::loader/entries"]);
    assert_eq!(entries.matches("esker-").count(), 3, "{entries}");
    assert!(run("mtype", &["-i", text(&esp), "::loader/loader.conf"]).starts_with("default esker-3.conf\n"));
    assert_eq!(run("mdir", &["-b", "-i", text(&esp), "::EFI/esker"]).matches("-kernel.efi").count(), 1);
    verifies(&machine, &nix);
    let current = run("debugfs", &["-R", "stat /var/nix/profiles/system", &nix]);
    assert!(current.contains("Fast link dest: \"system-3-link\""), "{current}");
}

#[test]
fn generations_beyond_the_menus_limit_stay_in_the_image() {
    let machine = Machine::new();
    let toplevels = [machine.toplevel("a"), machine.toplevel("b")];
    build_image(&machine.request(&toplevels, "disk.img")).unwrap();
    let third = machine.toplevel("c");
    let mut request = added(&machine, &third, "disk.img");
    request.boot.configuration_limit = Some(1);
    assert_eq!(build_image(&request).unwrap().without_entry, [1, 2]);
    drop(request);
    let existing = ExistingImage::read(&machine.path("disk.img"), machine.store.dir()).unwrap();
    assert_eq!(existing.generations.len(), 3);
}

#[test]
fn an_image_does_not_become_smaller_by_a_further_generation() {
    let machine = Machine::new();
    let mut request = machine.request(&[machine.toplevel("a")], "disk.img");
    request.sizes.disk_bytes = Some(3 << 30);
    build_image(&request).unwrap();
    let report = build_image(&added(&machine, &machine.toplevel("b"), "disk.img")).unwrap();
    assert_eq!(report.disk_bytes, 3 << 30);
}

#[test]
fn what_a_machine_used_and_what_is_no_image_of_ours_is_refused_with_a_hint() {
    let machine = Machine::new();
    let read = |name: &str| {
        let error = ExistingImage::read(&machine.path(name), machine.store.dir()).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    };
    let (error, hint) = read("absent");
    assert!(error.ends_with("that Esker made: there is no such file"), "{error}");
    assert!(hint.starts_with("name an image with --output"), "{hint}");
    fs::write(machine.path("text"), "no disk").unwrap();
    let (error, hint) = read("text");
    assert!(error.ends_with("is no disk image that Esker made: it has no partition table"), "{error}");
    assert!(hint.starts_with("name an image with --output"), "{hint}");

    let first = machine.toplevel("a");
    build_image(&machine.request(std::slice::from_ref(&first), "disk.img")).unwrap();
    // A filesystem without a profile, in the right place.
    fs::copy(machine.path("disk.img"), machine.path("bare.img")).unwrap();
    let nix = partition(&machine.path("bare.img"), 1);
    run(
        "mkfs.ext4",
        &[
            "-q",
            "-F",
            "-U",
            "clear",
            "-E",
            &format!("offset={}", nix.split('=').nth(1).unwrap()),
            text(&machine.path("bare.img")),
            "64m",
        ],
    );
    let (error, _) = read("bare.img");
    assert!(error.ends_with("that Esker made: no partition of it has a system profile"), "{error}");

    // What the kernel notes when it mounts a filesystem.
    let nix = partition(&machine.path("disk.img"), 1);
    run("debugfs", &["-w", "-R", "set_super_value mnt_count 1", &nix]);
    let (error, hint) = read("disk.img");
    assert!(error.contains("a machine has used") && error.contains("disk.img"), "{error}");
    assert!(hint.contains("`esker switch`"), "{hint}");
}

#[test]
fn a_generation_that_left_the_store_is_named() {
    let machine = Machine::new();
    let first = machine.toplevel("a");
    build_image(&machine.request(std::slice::from_ref(&first), "disk.img")).unwrap();
    let existing = ExistingImage::read(&machine.path("disk.img"), machine.store.dir()).unwrap();
    existing.check_in(&machine.store, &machine.path("disk.img")).unwrap();
    let other = Machine::new();
    let error = existing.check_in(&other.store, &machine.path("disk.img")).unwrap_err();
    assert!(error.to_string().starts_with("generation 1 of `"), "{error}");
    assert!(error.to_string().contains(first.base_name()), "{error}");
    assert!(error.hint().unwrap().contains("build that generation's configuration again"));
}

#[test]
fn a_closure_with_derivations_has_their_outputs_in_its_database() {
    let machine = Machine::new();
    let output = StorePath::from_base_name("7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-tool").unwrap();
    let dir = machine.store.dir();
    let aterm = format!(r#"Derive([("out","{}","","")],[],[],"x86_64-linux","/bin/sh",[],[])"#, dir.display(&output));
    let derivation = Derivation::parse("tool", aterm.as_bytes(), dir).unwrap();
    let mut batch = machine.store.batch().unwrap();
    let drv = batch.add_derivation(&derivation).unwrap();
    batch.commit().unwrap();
    drop(batch);
    let mut request = machine.request(&[machine.toplevel("a")], "disk.img");
    request.extra_roots = vec![drv.clone()];
    build_image(&request).unwrap();
    let (nix, db) = (partition(&machine.path("disk.img"), 1), machine.path("db.sqlite"));
    run("debugfs", &["-R", &format!("dump /var/nix/db/db.sqlite {}", text(&db)), &nix]);
    let outputs = run(
        "sqlite3",
        &[
            text(&db),
            "select ValidPaths.path, DerivationOutputs.id, DerivationOutputs.path from DerivationOutputs join ValidPaths on drv = ValidPaths.id",
        ],
    );
    assert_eq!(outputs, format!("{}|out|{}\n", dir.display(&drv), dir.display(&output)));
}

#[test]
fn an_interrupt_leaves_the_earlier_image_and_no_litter() {
    let machine = Machine::new();
    let images = machine.path("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join("disk.img"), "earlier").unwrap();
    let toplevel = machine.toplevel("a");
    let files = Contents::observe(&machine.request(std::slice::from_ref(&toplevel), "x")).unwrap().sources.len();
    // Before the first file, between files, and after the last one. Empty files are not asked about.
    for after in [0, 3, files - 3] {
        let mut request = machine.request(std::slice::from_ref(&toplevel), "images/disk.img");
        let asked = AtomicUsize::new(0);
        request.is_cancelled = Box::new(move || asked.fetch_add(1, Ordering::SeqCst) >= after);
        let error = build_image(&request).unwrap_err();
        assert!(matches!(error, ImageError::Cancelled), "{error}");
        let left: Vec<_> = fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["disk.img"]);
        assert_eq!(fs::read_to_string(images.join("disk.img")).unwrap(), "earlier");
    }
}

#[test]
fn a_disk_of_a_given_size_is_used_whole() {
    let machine = Machine::new();
    let mut request = machine.request(&[machine.toplevel("a")], "disk.img");
    request.sizes.disk_bytes = Some(3 << 30);
    build_image(&request).unwrap();
    let image = machine.path("disk.img");
    assert_eq!(fs::metadata(&image).unwrap().len(), 3 << 30);
    assert!(run("sgdisk", &["-v", text(&image)]).contains("No problems found"));
    let nix = partition(&machine.path("disk.img"), 1);
    run("e2fsck", &["-f", "-n", &nix]);
}

#[test]
fn a_disk_that_is_too_small_is_refused_and_what_is_said_to_suffice_does() {
    let machine = Machine::new();
    let mut request = machine.request(&[machine.toplevel("a")], "disk.img");
    // Without room for the ESP, for the filesystem's tables, for the files.
    for size_bytes in [1 << 20, 43 << 20, 46 << 20] {
        request.sizes.disk_bytes = Some(size_bytes);
        let error = build_image(&request).unwrap_err();
        let ImageError::TooSmall { needed_bytes, given_bytes } = error else { panic!("{error}") };
        assert_eq!(given_bytes, size_bytes);
        request.sizes.disk_bytes = Some(needed_bytes);
        build_image(&request).unwrap();
    }
}

#[test]
fn a_failure_leaves_the_earlier_image_and_no_litter() {
    let machine = Machine::new();
    let toplevel = machine.toplevel("a");
    let kernel =
        machine.store.all_valid().unwrap().into_iter().find(|path| path.base_name().ends_with("linux")).unwrap();
    let images = machine.path("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join("disk.img"), "earlier").unwrap();
    let request = machine.request(&[toplevel], "images/disk.img");
    run("rm", &["-rf", text(&machine.store.physical(&kernel))]);
    let error = build_image(&request).unwrap_err();
    assert!(matches!(error, ImageError::Io { .. }), "{error}");
    let left: Vec<_> = fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["disk.img"]);
    assert_eq!(fs::read_to_string(images.join("disk.img")).unwrap(), "earlier");
}

#[test]
fn an_esp_without_room_for_the_kernel_is_refused() {
    let machine = Machine::new();
    machine.add("linux", &[], &[("boot/vmlinuz", vec![7; 40 << 20])]);
    let request = machine.request(&[machine.toplevel("a")], "disk.img");
    let error = build_image(&request).unwrap_err();
    assert!(error.to_string().starts_with("the EFI system partition is too small"), "{error}");
    assert!(!machine.path("disk.img").exists());
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let machine = Machine::new();
    let mut request = machine.request(&[machine.toplevel("a")], "");
    let error = build_image(&request).unwrap_err();
    assert!(error.to_string().ends_with("is a directory; give the name of a file"), "{error}");
    request.output = machine.path("disk.img");
    request.generations.clear();
    assert!(matches!(build_image(&request), Err(ImageError::NoGeneration)));
}
