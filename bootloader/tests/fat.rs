//! The bootloader plan on a real FAT image, read back with mtools and checked with `fsck.vfat` (dosfstools).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory_esp;

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use bootloader::apply::{ApplyError, apply};
use bootloader::esp::{DirectoryEsp, EspError, EspFs, with_fat_esp};
use bootloader::observe::Observed;
use bootloader::plan::{PlanError, Wanted, plan_esp};
use disk_formats::fat::{self, FatError};
use disk_formats::sector::SectorSize;
use memory_esp::{Host, text};
use tempfile::TempDir;
use thiserror::Error;

#[derive(Debug, Error)]
enum UpdateError {
    #[error(transparent)]
    Fat(#[from] FatError),
    #[error(transparent)]
    Esp(#[from] EspError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

fn update(esp: &mut dyn EspFs, wanted: &Wanted) -> Result<String, UpdateError> {
    let plan = plan_esp(&Observed::read(esp)?, wanted)?;
    apply(&plan, esp)?;
    Ok(plan.describe())
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}, which this test needs: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}", output.status);
    text
}

fn image(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("esp.img");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let sector_size = SectorSize::Bytes512;
    file.set_len(fat::minimum_bytes(sector_size)).unwrap();
    fat::format(&mut file, fat::Volume { sector_size, id: 0xe5e5_0001, label: "ESP" }).unwrap();
    path
}

fn update_image(path: &Path, wanted: &Wanted) -> String {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    with_fat_esp(&mut file, |esp| update(esp, wanted)).unwrap()
}

#[test]
fn two_generations_on_a_fat_image() {
    let (directory, host) = (TempDir::new().unwrap(), Host::new());
    let path = image(directory.path());
    let first = host.wanted(vec![host.generation(1, 1, 1)]);
    update_image(&path, &first);
    let mut second = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 1, 2)]);
    let words = update_image(&path, &second);
    assert_eq!(words.matches("copy ").count(), 1, "{words}");
    assert_eq!(update_image(&path, &second), "the EFI system partition is up to date\n");
    second.generations.remove(0);
    update_image(&path, &second);
    run("fsck.vfat", &["-n", text(&path)]);
    let listing = run("mdir", &["-b", "-/", "-i", text(&path), "::"]);
    let mut names: Vec<&str> = listing.lines().filter(|line| !line.ends_with('/')).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "::/EFI/BOOT/BOOTX64.EFI",
            "::/EFI/esker/11111111111111111111111111111111-kernel.efi",
            "::/EFI/esker/22222222222222222222222222222222-initrd.efi",
            "::/EFI/systemd/systemd-bootx64.efi",
            "::/loader/entries/esker-2.conf",
            "::/loader/loader.conf",
        ]
    );
    let entry = run("mtype", &["-i", text(&path), "::/loader/entries/esker-2.conf"]);
    assert!(entry.contains("linux /EFI/esker/11111111111111111111111111111111-kernel.efi\n"), "{entry}");
}

#[test]
fn a_directory_holds_the_same_as_an_image() {
    let (directory, host) = (TempDir::new().unwrap(), Host::new());
    let root = directory.path().join("esp");
    std::fs::create_dir(&root).unwrap();
    let wanted = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 1, 2)]);
    let mut mounted = DirectoryEsp::new(root.clone());
    update(&mut mounted, &wanted).unwrap();
    assert_eq!(update(&mut mounted, &wanted).unwrap(), "the EFI system partition is up to date\n");
    let path = image(directory.path());
    update_image(&path, &wanted);
    let copy = directory.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    run("mcopy", &["-s", "-i", text(&path), "::EFI", "::loader", text(&copy)]);
    run("diff", &["-r", text(&root), text(&copy)]);
}

#[test]
fn a_full_image_is_an_error_and_what_was_there_stays() {
    let (directory, host) = (TempDir::new().unwrap(), Host::new());
    let path = image(directory.path());
    update_image(&path, &host.wanted(vec![host.generation(1, 1, 1)]));
    let filler = directory.path().join("filler");
    std::fs::write(&filler, vec![1; 33_000_000]).unwrap();
    run("mcopy", &["-i", text(&path), text(&filler), "::filler"]);
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    std::fs::write(host.path("kernel-9"), vec![9; 4_000_000]).unwrap();
    let wanted = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 9, 9)]);
    let error = with_fat_esp(&mut file, |esp| update(esp, &wanted)).unwrap_err();
    assert!(matches!(error, UpdateError::Plan(PlanError::NoSpace { .. })), "{error}");
    run("fsck.vfat", &["-n", text(&path)]);
    assert!(run("mdir", &["-b", "-i", text(&path), "::/loader/entries"]).contains("esker-1.conf"));
}

#[test]
fn an_image_that_fills_up_meanwhile_keeps_its_entries_whole_and_says_what_frees_room() {
    let (directory, host) = (TempDir::new().unwrap(), Host::new());
    let path = image(directory.path());
    let first = host.wanted(vec![host.generation(1, 1, 1)]);
    update_image(&path, &first);
    std::fs::write(host.path("kernel-9"), vec![9; 4_000_000]).unwrap();
    let second = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 9, 9)]);
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let plan = |wanted: &Wanted| {
        with_fat_esp(&mut open(), |esp| -> Result<_, UpdateError> { Ok(plan_esp(&Observed::read(esp)?, wanted)?) })
    };
    let planned = plan(&second).unwrap();
    // The room that was planned with goes to somebody else.
    let filler = directory.path().join("filler");
    std::fs::write(&filler, vec![1; 33_000_000]).unwrap();
    run("mcopy", &["-i", text(&path), text(&filler), "::filler"]);
    let applied = with_fat_esp(&mut open(), |esp| -> Result<(), UpdateError> { Ok(apply(&planned, esp)?) });
    let UpdateError::Apply(error) = applied.unwrap_err() else { panic!("another error") };
    assert!(error.to_string().starts_with("cannot write `/EFI/esker/9"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("configurationLimit") && hint.contains("`esker gc --keep N`"), "{hint}");
    run("fsck.vfat", &["-n", text(&path)]);
    // The earlier generation is all there, and the default as well; of the new one there is nothing half written, at most a
    // whole file that no entry names and that the next update takes away.
    let listing = run("mdir", &["-b", "-/", "-i", text(&path), "::"]);
    let half = ["esker-new", "esker-2", "9-kernel.efi"];
    assert!(half.iter().all(|name| !listing.contains(name)), "{listing}");
    let next = plan(&first).unwrap().describe();
    assert!(next.lines().all(|line| line.starts_with("remove /EFI/esker/99")), "{next}");
    assert!(run("mtype", &["-i", text(&path), "::loader/loader.conf"]).contains("default esker-1.conf"));
}
