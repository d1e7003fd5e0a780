//! Images that are no disks, looked into with `xorriso`, `isoinfo` (genisoimage), `sgdisk` (gdisk), `fsck.vfat` (dosfstools),
//! mtools, `cpio`, `zstd`, `objdump` and `objcopy` (binutils), with the stub of systemd-boot-efi.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::path::Path;

use images::format::Format;
use images::{ImageError, ImageRequest, build_image};
use machine::{Machine, extract, run, text};
use nix_formats::StorePath;

/// Writes an image of a machine's one system.
fn write(machine: &Machine, format: Format, output: &str) -> String {
    write_again(machine, &machine.toplevel("system"), (format, output))
}

fn write_again(machine: &Machine, toplevel: &StorePath, (format, output): (Format, &str)) -> String {
    let request = ImageRequest { format, ..machine.request(std::slice::from_ref(toplevel), output) };
    let planned = images::describe(&request).unwrap();
    assert!(
        planned.contains(if format == Format::EspOnly { "partition ESP (34 MiB)" } else { "5 store paths" }),
        "{planned}"
    );
    let report = build_image(&request).unwrap();
    assert_eq!(report.output, machine.path(output));
    text(&request.output).to_owned()
}

/// The bytes of a file, or of all files of a folder.
fn bytes(path: &Path) -> Vec<u8> {
    if path.is_file() {
        return fs::read(path).unwrap();
    }
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| [file.file_name().unwrap().as_encoded_bytes(), &fs::read(file).unwrap()].concat())
        .collect()
}

#[test]
fn every_format_is_the_same_wherever_it_is_made() {
    let (one, two) = (Machine::new(), Machine::new());
    two.toplevel("unrelated");
    let systems = [one.toplevel("system"), two.toplevel("system")];
    two.store.optimise().unwrap();
    for format in [Format::EspOnly, Format::Iso, Format::Netboot, Format::Uki] {
        let name = format!("{format:?}");
        let first = write_again(&one, &systems[0], (format, &name));
        let elsewhere = write_again(&two, &systems[1], (format, &name));
        let again = write_again(&one, &systems[0], (format, &format!("{name}-again")));
        let [first, rest @ ..] = [first, elsewhere, again].map(|image| bytes(image.as_ref()));
        assert!(rest.iter().all(|image| *image == first), "{name}");
    }
}

#[test]
fn an_iso_is_a_volume_and_a_disk() {
    let machine = Machine::new();
    let image = write(&machine, Format::Iso, "live.iso");
    let report =
        run("xorriso", &["-indev", &image, "-toc", "-report_el_torito", "plain", "-report_system_area", "plain"]);
    for part in [
        "ESKER_TEST",
        "El Torito boot img :   1  UEFI  y   none",
        "/esker/esp.img",
        "GPT partition path :   2  /esker/store.erofs",
    ] {
        assert!(report.contains(part), "no {part} in\n{report}");
    }
    for complaint in ["WARNING", "SORRY", "FAILURE"] {
        assert!(!report.contains(complaint), "{report}");
    }
    let names = run("isoinfo", &["-R", "-f", "-i", &image]);
    assert_eq!(names, "/esker\n/esker/esp.img\n/esker/store.erofs\n");
    let verdict = run("sgdisk", &["-v", &image]);
    assert!(verdict.contains("No problems found") && !verdict.contains("Caution"), "{verdict}");
    let esp = machine.path("esp");
    extract(image.as_ref(), 0, &esp);
    run("fsck.vfat", &["-n", text(&esp)]);
    let entry = run("mtype", &["-i", text(&esp), "::loader/entries/esker-1.conf"]);
    assert!(entry.starts_with("title Esker test, generation 1\n"), "{entry}");
}

#[test]
fn a_boot_partition_alone_has_the_menu_and_no_store() {
    let machine = Machine::new();
    let image = write(&machine, Format::EspOnly, "esp.img");
    run("fsck.vfat", &["-n", &image]);
    let names = run("mdir", &["-/", "-b", "-i", &image, "::"]);
    assert!(names.contains("EFI/BOOT/BOOTX64.EFI") && names.contains("loader/entries/esker-1.conf"), "{names}");
}

#[test]
fn an_initrd_for_the_network_carries_the_store_behind_its_own_files() {
    let machine = Machine::new();
    let folder = write(&machine, Format::Netboot, "netboot");
    assert!(fs::read(format!("{folder}/kernel")).unwrap() == vec![7; 300_000]);
    assert_eq!(fs::read_to_string(format!("{folder}/command-line")).unwrap(), "init=/nix/store/system/init quiet\n");
    // The system's own initrd is no archive here, so the second one is found behind its length.
    let initrd = fs::read(format!("{folder}/initrd")).unwrap();
    let own_bytes = "system".len() * 1_000;
    assert!(initrd.starts_with(b"systemsystem"));
    let archive = machine.path("archive");
    fs::write(&archive, &initrd[own_bytes..]).unwrap();
    let listed = run("sh", &["-c", "cpio -it --quiet <\"$1\"", "sh", text(&archive)]);
    assert_eq!(listed, "esker\n");
    let end = initrd[own_bytes..].windows(10).position(|window| window == b"TRAILER!!!").unwrap();
    fs::write(&archive, &initrd[own_bytes + (end + 11).next_multiple_of(4)..]).unwrap();
    let listed = run("sh", &["-c", "cpio -itv --quiet <\"$1\"", "sh", text(&archive)]);
    assert!(listed.starts_with("-r--r--r--") && listed.trim_end().ends_with("esker/store.erofs"), "{listed}");
}

#[test]
fn a_unified_kernel_image_has_a_section_for_each_part() {
    let machine = Machine::new();
    let image = write(&machine, Format::Uki, "live.efi");
    let headers = run("objdump", &["-h", &image]);
    for section in [".osrel", ".cmdline", ".uname", ".linux", ".initrd"] {
        assert!(headers.contains(section), "no {section} in\n{headers}");
    }
    let section = |name: &str| {
        let out = machine.path("section");
        let option = format!("{name}={}", text(&out));
        run("objcopy", &["-O", "binary", "--dump-section", &option, &image, text(&machine.path("rest"))]);
        fs::read(out).unwrap()
    };
    assert!(section(".cmdline").starts_with(b"init=/nix/store/system/init quiet"));
    assert!(section(".linux").starts_with(&[7; 300_000]));
    assert!(section(".osrel").starts_with(b"ID=esker\n"));
    assert!(section(".initrd").starts_with(b"systemsystem"));
}

#[test]
fn a_system_for_disks_is_no_iso() {
    let machine = Machine::new();
    let mut request =
        ImageRequest { format: Format::Iso, ..machine.request(&[machine.toplevel("system")], "live.iso") };
    request.boot.volume_label = None;
    let error = build_image(&request).unwrap_err();
    assert!(matches!(error, ImageError::NotLive) && error.hint().is_some());
    request.boot.volume_label = Some("too long a label for the volume".repeat(2));
    let error = build_image(&request).unwrap_err();
    assert!(format!("{:?}", error).contains("Label"), "{error:?}");
    assert_eq!(
        fs::read_dir(machine.folder.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("iso".as_ref()))
            .count(),
        0
    );
}

#[test]
fn a_folder_and_a_file_are_not_mixed_up() {
    let machine = Machine::new();
    let toplevel = machine.toplevel("system");
    fs::write(machine.path("file"), "").unwrap();
    let request = ImageRequest { format: Format::Netboot, ..machine.request(std::slice::from_ref(&toplevel), "file") };
    let error = build_image(&request).unwrap_err().to_string();
    assert!(error.ends_with("is a file; give the name of a folder"), "{error}");
    fs::create_dir(machine.path("folder")).unwrap();
    let request = ImageRequest { format: Format::Iso, ..machine.request(&[toplevel], "folder") };
    let error = build_image(&request).unwrap_err().to_string();
    assert!(error.ends_with("is a directory; give the name of a file"), "{error}");
}
