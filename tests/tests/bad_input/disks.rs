//! Disks that are full, read-only or in use, and a database that is none.

use std::process::Command;

use stories::{Checks, Lab};

use crate::{Throwaway, append, fails_naming, place_of};

#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let output = throwaway.with_mount("size=40m", &throwaway.store(), &throwaway.build());
    fails_naming(&mut facts, &output, &["hint: the disk is full: `esker gc`"]);
    facts.done();
}

#[test]
fn a_read_only_store_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let output = throwaway.with_mount("ro", &throwaway.store(), &throwaway.build());
    fails_naming(&mut facts, &output, &["Read-only file system", "hint: that filesystem is read-only"]);
    facts.done();
}

#[test]
fn an_image_that_does_not_fit_on_the_disk_leaves_nothing_behind() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let place = throwaway.folder.path().join("small");
    let image = place.join("disk.img");
    let mut command = throwaway.lab.esker();
    command.arg("image").arg(throwaway.lab.file("bad/parts/bootable.nix")).arg("-o").arg(&image);
    let mut script = Command::new("sh");
    script.args(["-c", r#"folder=$1; shift; "$@"; code=$?; ls -A "$folder"; exit $code"#, "sh"]).arg(&place);
    append(&mut script, &command);
    let output = throwaway.with_mount("size=20m", &place, &script);
    fails_naming(&mut facts, &output, &[&format!("`{}`", image.display()), "hint: the disk is full"]);
    let left = String::from_utf8_lossy(&output.stdout).into_owned();
    facts.fact("no part of the image stays", left.trim().is_empty(), left);
    facts.done();
}

#[test]
fn an_image_never_replaces_a_folder() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let configuration = lab.file("bad/parts/bootable.nix");
    let folder = lab.artifacts().to_owned();
    let output = lab.esker().arg("image").arg(&configuration).arg("-o").arg(&folder).output().expect("esker runs");
    fails_naming(&mut facts, &output, &["is a directory; give the name of a file"]);
    facts.done();
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let database = throwaway.store().join("nix/var/nix/db/db.sqlite");
    fs_err::create_dir_all(database.parent().expect("a folder")).expect("the database's folder");
    fs_err::write(database.with_file_name("schema"), "10").expect("the schema's number");
    let damaged = b"this was a database once, and is none now".repeat(200);
    fs_err::write(&database, &damaged).expect("the damaged database");
    let output = throwaway.build().output().expect("esker runs");
    fails_naming(&mut facts, &output, &["db.sqlite` is damaged", "hint: move the database away"]);
    let after = fs_err::read(&database).expect("the database");
    facts.fact("the database is as it was", after == damaged, after.len());
    facts.done();
}

#[test]
fn a_database_that_was_overwritten_in_part_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let (from, to) = (place_of(&throwaway.lab, "ESKER_STORE"), throwaway.store());
    fs_err::create_dir_all(to.join("nix/var/nix/db")).expect("the database's folder");
    for name in ["db.sqlite", "schema"] {
        fs_err::copy(from.join("nix/var/nix/db").join(name), to.join("nix/var/nix/db").join(name)).expect("a copy");
    }
    let database = to.join("nix/var/nix/db/db.sqlite");
    let mut bytes = fs_err::read(&database).expect("the database");
    // All but the first page, which says what kind of file it is.
    bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0x5a);
    fs_err::write(&database, &bytes).expect("the damaged database");
    let output = throwaway.build().output().expect("esker runs");
    fails_naming(&mut facts, &output, &["db.sqlite` is damaged", "hint: move the database away"]);
    facts.done();
}

#[test]
fn an_image_on_a_read_only_filesystem_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let place = throwaway.folder.path().join("sealed");
    let image = place.join("disk.img");
    let mut command = throwaway.lab.esker();
    command.arg("image").arg(throwaway.lab.file("bad/parts/bootable.nix")).arg("-o").arg(&image);
    let output = throwaway.with_mount("ro", &place, &command);
    fails_naming(&mut facts, &output, &[&format!("`{}`", image.display()), "hint: that filesystem is read-only"]);
    facts.done();
}

/// Needs a loop device, and so root: an ordinary user cannot write to a mounted device anyway.
#[test]
fn an_image_never_overwrites_a_mounted_device() {
    const SCRIPT: &str = r#"
        set -e
        backing=$1 point=$2; shift 2
        mount -o loop "$backing" "$point"
        device=$(findmnt -no SOURCE "$point")
        "$@" -o "$device" && code=0 || code=$?
        echo "$device"
        umount "$point"
        exit "$code"
    "#;
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let writable = fs_err::OpenOptions::new().write(true).open("/dev/loop-control").is_ok();
    if !writable {
        eprintln!("no loop devices for this user: not run");
        return;
    }
    let backing = throwaway.folder.path().join("precious");
    let point = throwaway.folder.path().join("point");
    fs_err::create_dir_all(&point).expect("the mount point");
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&backing).arg("16m").status();
    assert!(made.expect("mkfs.ext4 runs (e2fsprogs)").success(), "no filesystem");
    let before = fs_err::read(&backing).expect("the filesystem").len();
    let mut command = throwaway.lab.esker();
    command.arg("image").arg(throwaway.lab.file("bad/parts/bootable.nix"));
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--", "sh", "-c", SCRIPT, "sh"]).arg(&backing).arg(&point);
    append(&mut inside, &command);
    let output = inside.output().expect("unshare runs (util-linux)");
    let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let words =
        [&*format!("`{device}` is a device in use (mounted on {})", point.display()), "give the name of a file"];
    fails_naming(&mut facts, &output, &words);
    let checked = Command::new("e2fsck").args(["-f", "-n"]).arg(&backing).output().expect("e2fsck runs (e2fsprogs)");
    let whole = checked.status.success() && fs_err::read(&backing).expect("the filesystem").len() == before;
    facts.fact("what is on the device is whole", whole, String::from_utf8_lossy(&checked.stdout));
    facts.done();
}
