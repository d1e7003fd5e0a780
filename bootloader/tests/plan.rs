//! What plans do to an ESP, fact by fact.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory_esp;

use bootloader::apply::apply;
use bootloader::entry::EntryId;
use bootloader::esp::{EspFs, EspPath};
use bootloader::observe::Observed;
use bootloader::plan::{Operation, PlanError, Wanted, plan_esp};
use memory_esp::{Host, MemoryEsp, names, put};

const ROOMY: u64 = 1 << 20;

/// Plans and applies; the plan in words.
fn update(esp: &mut MemoryEsp, wanted: &Wanted) -> String {
    let plan = plan_esp(&Observed::read(esp).unwrap(), wanted).unwrap();
    apply(&plan, esp).unwrap();
    plan.describe()
}

#[test]
fn a_fresh_esp_gets_everything() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let words = update(&mut esp, &host.wanted(vec![host.generation(1, 1, 2)]));
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-1.conf"]);
    assert_eq!(names(&esp.disk, "EFI/esker").len(), 2);
    assert_eq!(names(&esp.disk, "EFI/BOOT"), ["BOOTX64.EFI"]);
    assert_eq!(names(&esp.disk, "EFI/systemd"), ["systemd-bootx64.efi"]);
    assert_eq!(
        esp.read(&EspPath::new("loader/loader.conf")).unwrap(),
        b"default esker-1.conf\ntimeout 5\neditor no\nconsole-mode keep\n"
    );
    assert!(words.contains("write /loader/entries/esker-1.conf\n"), "{words}");
    assert!(words.contains("write /loader/loader.conf: default esker-1.conf\n"), "{words}");
}

#[test]
fn nothing_changed_means_nothing_done() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let wanted = host.wanted(vec![host.generation(1, 1, 2)]);
    update(&mut esp, &wanted);
    let plan = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.describe(), "the EFI system partition is up to date\n");
}

#[test]
fn generations_share_kernels_and_initrds() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    update(&mut esp, &host.wanted(vec![host.generation(1, 1, 2)]));
    let words = update(&mut esp, &host.wanted(vec![host.generation(1, 1, 2), host.generation(2, 1, 3)]));
    assert_eq!(words.matches("copy ").count(), 1, "{words}");
    assert_eq!(names(&esp.disk, "EFI/esker").len(), 3);
}

#[test]
fn what_no_generation_needs_goes_last() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    update(&mut esp, &host.wanted(vec![host.generation(1, 1, 1)]));
    let wanted = host.wanted(vec![host.generation(2, 2, 1)]);
    let plan = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap();
    let kinds: Vec<&str> = plan
        .operations
        .iter()
        .map(|operation| match operation {
            Operation::CreateDirectory(_) => "directory",
            Operation::Copy(_) => "copy",
            Operation::Write { .. } => "write",
            Operation::Remove { .. } => "remove",
            Operation::Sync => "sync",
        })
        .collect();
    assert_eq!(kinds, ["copy", "sync", "write", "sync", "write", "sync", "remove", "sync", "remove", "sync"]);
    apply(&plan, &mut esp).unwrap();
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-2.conf"]);
    assert_eq!(names(&esp.disk, "EFI/esker").len(), 2);
}

#[test]
fn files_of_others_are_kept() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let others = [
        "EFI/Microsoft/Boot/bootmgfw.efi",
        "EFI/BOOT/bootx64.efi",
        "EFI/esker/notes.txt",
        "loader/random-seed",
        "loader/entries/arch.conf",
        "loader/entries/nixos-generation-1.conf",
        "vmlinuz",
    ];
    for path in others {
        put(&mut esp.disk, path, path.as_bytes());
    }
    let words = update(&mut esp, &host.wanted(vec![host.generation(1, 1, 2)]));
    for path in others {
        assert_eq!(esp.read(&EspPath::new(path)).unwrap(), path.as_bytes());
    }
    assert!(words.contains("keep /EFI/BOOT/BOOTX64.EFI"), "{words}");
}

#[test]
fn a_kernel_that_anothers_entry_boots_is_kept() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    update(&mut esp, &host.wanted(vec![host.generation(1, 1, 1)]));
    let kernel = host.file("kernel", 1).path;
    put(&mut esp.disk, "loader/entries/mine.conf", format!("title mine\nlinux {kernel}\n").as_bytes());
    update(&mut esp, &host.wanted(vec![host.generation(2, 2, 2)]));
    assert!(esp.disk.files.contains_key(&kernel));
    assert!(!esp.disk.files.contains_key(&host.file("initrd", 1).path));
}

#[test]
fn boot_counters_are_kept() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let mut wanted = host.wanted(vec![host.generation(1, 1, 2)]);
    wanted.tries = Some(3);
    update(&mut esp, &wanted);
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-1+3.conf"]);
    let conf = esp.read(&EspPath::new("loader/loader.conf")).unwrap();
    assert!(conf.starts_with(b"default esker-*.conf\n"), "the loader must be able to fall back");
    // The loader counts down, then the entry's text changes.
    esp.rename(&EspPath::new("loader/entries/esker-1+3.conf"), &EspPath::new("loader/entries/esker-1+2-1.conf"))
        .unwrap();
    wanted.title = "Esker renamed".to_owned();
    update(&mut esp, &wanted);
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-1+2-1.conf"]);
    // Blessed: the counter is gone and does not come back.
    esp.rename(&EspPath::new("loader/entries/esker-1+2-1.conf"), &EspPath::new("loader/entries/esker-1.conf")).unwrap();
    wanted.generations.push(host.generation(2, 1, 3));
    wanted.default = EntryId::of_generation(2);
    update(&mut esp, &wanted);
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-1.conf", "esker-2+3.conf"]);
}

#[test]
fn rolling_back_names_the_older_generation() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let mut wanted = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 1, 1)]);
    wanted.tries = Some(3);
    wanted.default = EntryId::of_generation(1);
    update(&mut esp, &wanted);
    let conf = esp.read(&EspPath::new("loader/loader.conf")).unwrap();
    assert!(conf.starts_with(b"default esker-1.conf\n"));
}

#[test]
fn specialisations_get_entries_of_their_own() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let mut generation = host.generation(7, 1, 1);
    generation.specialisations.insert("gnome".to_owned(), host.bootable(1, 2));
    update(&mut esp, &host.wanted(vec![generation]));
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-7-gnome.conf", "esker-7.conf"]);
    let entry = esp.read(&EspPath::new("loader/entries/esker-7-gnome.conf")).unwrap();
    assert!(String::from_utf8(entry).unwrap().starts_with("title Esker web1, generation 7 (gnome)\n"));
}

#[test]
fn the_limit_spares_the_booted_and_the_default() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let generations: Vec<_> = (1..=6).map(|number| host.generation(number, 1, 1)).collect();
    let mut wanted = host.wanted(generations);
    wanted.configuration_limit = Some(2);
    wanted.booted = Some(EntryId::of_generation(1));
    wanted.default = EntryId::of_generation(3);
    let words = update(&mut esp, &wanted);
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-1.conf", "esker-3.conf", "esker-5.conf", "esker-6.conf"]);
    assert!(words.contains("generation 2 has no boot entry\ngeneration 4 has no boot entry\n"), "{words}");
}

#[test]
fn a_small_esp_loses_its_oldest_entries_first() {
    let host = Host::new();
    // Room for two generations of 11 KB each and what is kept back, not for three.
    let mut esp = MemoryEsp::new(74 * 512);
    let mut generations = vec![host.generation(1, 1, 1)];
    update(&mut esp, &host.wanted(generations.clone()));
    generations.push(host.generation(2, 2, 2));
    update(&mut esp, &host.wanted(generations.clone()));
    generations.push(host.generation(3, 3, 3));
    let mut wanted = host.wanted(generations);
    wanted.booted = Some(EntryId::of_generation(2));
    let plan = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap();
    let words = plan.describe();
    assert!(words.starts_with("remove /loader/entries/esker-1.conf"), "{words}");
    apply(&plan, &mut esp).unwrap();
    assert_eq!(names(&esp.disk, "loader/entries"), ["esker-2.conf", "esker-3.conf"]);
}

#[test]
fn an_esp_that_cannot_hold_it_is_left_as_it_is() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(64 * 512);
    update(&mut esp, &host.wanted(vec![host.generation(1, 1, 1)]));
    let before = esp.disk.clone();
    put(&mut esp.disk, "EFI/Microsoft/huge", &vec![0; 17_000]);
    let wanted = host.wanted(vec![host.generation(1, 1, 1), host.generation(2, 9, 9)]);
    let error = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap_err();
    assert!(matches!(error, PlanError::NoSpace { .. }), "{error}");
    esp.disk.files.remove(&EspPath::new("EFI/Microsoft/huge"));
    esp.disk.directories.remove(&EspPath::new("EFI/Microsoft"));
    assert_eq!(esp.disk, before);
}

#[test]
fn leftovers_of_an_interrupted_update_are_removed() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let wanted = host.wanted(vec![host.generation(1, 1, 1)]);
    update(&mut esp, &wanted);
    put(&mut esp.disk, "EFI/esker/ffffffffffffffffffffffffffffffff-kernel.efi.esker-new", b"half");
    put(&mut esp.disk, "loader/loader.conf.esker-new", b"half");
    update(&mut esp, &wanted);
    assert_eq!(names(&esp.disk, "EFI/esker").len(), 2);
    assert_eq!(names(&esp.disk, "loader"), ["loader.conf"]);
}

#[test]
fn a_kernel_of_the_wrong_length_is_written_again() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let wanted = host.wanted(vec![host.generation(1, 1, 1)]);
    update(&mut esp, &wanted);
    esp.disk.files.get_mut(&host.file("kernel", 1).path).unwrap().truncate(10);
    let words = update(&mut esp, &wanted);
    assert_eq!(words.matches("copy ").count(), 1, "{words}");
}

#[test]
fn an_unknown_default_is_refused() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let mut wanted = host.wanted(vec![host.generation(1, 1, 1)]);
    wanted.default = EntryId::of_generation(2);
    let error = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap_err();
    assert_eq!(error.to_string(), "the default boot entry esker-2 is not among the generations");
}

#[test]
fn an_older_systemd_boot_is_replaced_and_a_newer_one_kept() {
    let host = Host::new();
    for (present, replaced) in [("257.7", true), ("258~rc1", false)] {
        let mut esp = MemoryEsp::new(ROOMY);
        let program = format!("MZ #### LoaderInfo: systemd-boot {present} ####");
        put(&mut esp.disk, "EFI/systemd/systemd-bootx64.efi", program.as_bytes());
        update(&mut esp, &host.wanted(vec![host.generation(1, 1, 1)]));
        let found = esp.read(&EspPath::new("EFI/systemd/systemd-bootx64.efi")).unwrap();
        assert_eq!(found != program.as_bytes(), replaced, "{present}");
    }
}

#[test]
fn a_source_that_shrinks_meanwhile_gets_no_name() {
    let host = Host::new();
    let mut esp = MemoryEsp::new(ROOMY);
    let plan = plan_esp(&Observed::read(&mut esp).unwrap(), &host.wanted(vec![host.generation(1, 1, 1)])).unwrap();
    std::fs::write(host.path("kernel-1"), "short").unwrap();
    let error = apply(&plan, &mut esp).unwrap_err();
    assert!(error.to_string().contains("changed while it was copied: 5 bytes instead of 4100"), "{error}");
    assert!(names(&esp.disk, "EFI/esker").iter().all(|name| name.contains("initrd")));
    assert!(names(&esp.disk, "loader/entries").is_empty());
}
