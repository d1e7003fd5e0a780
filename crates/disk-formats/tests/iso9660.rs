//! ISO 9660 volumes against `xorriso` and `isoinfo` (Debian's xorriso and genisoimage).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tools;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use disk_formats::iso9660::{FIRST_SECTOR, File, SECTOR_BYTES, Volume};
use tempfile::TempDir;
use tools::{run, text};

/// A volume with a file in the root and two below a folder, one of which boots.
fn write_sample(directory: &TempDir) -> PathBuf {
    let file = |path: &str, first_sector, contents: &str| (first_sector, path.to_owned(), contents.repeat(1000));
    let files = [
        file("README.txt", 64, "read\n"),
        file("esker/esp.img", 80, "boot\n"),
        file("esker/store.erofs", 96, "store\n"),
    ];
    let path = directory.path().join("volume.iso");
    let mut image = fs::File::create(&path).unwrap();
    image.set_len(128 * SECTOR_BYTES).unwrap();
    let mut put = |sector: u64, bytes: &[u8]| {
        image.seek(SeekFrom::Start(sector * SECTOR_BYTES)).unwrap();
        image.write_all(bytes).unwrap();
    };
    let entry = |(first_sector, path, contents): &(u64, String, String)| File {
        path: path.clone(),
        first_sector: *first_sector,
        size_bytes: contents.len() as u64,
    };
    let listed = files.iter().map(entry).collect();
    let volume = Volume { label: "ESKER_TEST".to_owned(), sectors: 128, files: listed, boot_image: 1 };
    put(FIRST_SECTOR, &volume.encode().unwrap());
    for (sector, _, contents) in &files {
        put(*sector, contents.as_bytes());
    }
    path
}

#[test]
fn xorriso_reads_the_volume_without_complaint() {
    let directory = TempDir::new().unwrap();
    let image = write_sample(&directory);
    let report = run("xorriso", &["-indev", text(&image), "-toc", "-report_el_torito", "plain", "-find", "/"]);
    for part in ["ESKER_TEST", "El Torito boot img :   1  UEFI  y   none", "'/esker/store.erofs'", "'/README.txt'"] {
        assert!(report.contains(part), "no {part} in\n{report}");
    }
    for complaint in ["WARNING", "SORRY", "FAILURE", "NOTE : Found"] {
        assert!(!report.contains(complaint), "{report}");
    }
    let out = directory.path().join("out");
    run("xorriso", &["-osirrox", "on", "-indev", text(&image), "-extract", "/", text(&out)]);
    assert_eq!(fs::read_to_string(out.join("esker/store.erofs")).unwrap(), "store\n".repeat(1000));
}

#[test]
fn isoinfo_reads_the_volume_without_complaint() {
    let directory = TempDir::new().unwrap();
    let image = write_sample(&directory);
    let report = run("isoinfo", &["-d", "-i", text(&image)]);
    for part in ["Volume id: ESKER_TEST", "Rock Ridge signatures version 1 found", "Arch 239", "Nsect C"] {
        assert!(report.contains(part), "no {part} in\n{report}");
    }
    let names = run("isoinfo", &["-R", "-f", "-i", text(&image)]);
    assert_eq!(names, "/esker\n/README.txt\n/esker/esp.img\n/esker/store.erofs\n");
    assert_eq!(run("isoinfo", &["-R", "-x", "/README.txt", "-i", text(&image)]), "read\n".repeat(1000));
    let plain = run("isoinfo", &["-f", "-i", text(&image)]);
    assert_eq!(plain, "/ESKER\n/README.TXT;1\n/ESKER/ESP.IMG;1\n/ESKER/STORE.ERO;1\n");
}
