//! EFI programs against `objdump` and `objcopy` (Debian's binutils), on the stub of systemd-boot-efi.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tools;

use std::fs;

use disk_formats::pe::{Section, extend};
use tempfile::TempDir;
use tools::{run, text};

#[test]
fn objdump_finds_the_new_sections_behind_the_old_ones() {
    let directory = TempDir::new().unwrap();
    let stub = fs::read("/usr/lib/systemd/boot/efi/linuxx64.efi.stub").expect("Debian package systemd-boot-efi");
    let contents = [(".cmdline", b"init=/init quiet".to_vec()), (".initrd", b"initrd".repeat(100_000))];
    let sections: Vec<_> =
        contents.iter().map(|(name, bytes)| Section { name, size_bytes: bytes.len() as u64 }).collect();
    let extended = extend(&stub, &sections).unwrap();
    let mut image = extended.head;
    for ((_, bytes), offset) in contents.iter().zip(&extended.offsets) {
        image.resize(usize::try_from(*offset).unwrap(), 0);
        image.extend(bytes);
    }
    image.resize(usize::try_from(extended.size_bytes).unwrap(), 0);
    let path = directory.path().join("uki.efi");
    fs::write(&path, image).unwrap();
    let headers = run("objdump", &["-h", text(&path)]);
    let expected_count =
        run("objdump", &["-h", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"]).matches("ALLOC").count() + 2;
    assert_eq!(headers.matches("ALLOC").count(), expected_count, "{headers}");
    for (name, bytes) in &contents {
        let section = directory.path().join("section");
        let option = format!("{name}={}", text(&section));
        run("objcopy", &["-O", "binary", "--dump-section", &option, text(&path), text(&directory.path().join("out"))]);
        assert_eq!(&fs::read(&section).unwrap()[..bytes.len()], bytes);
    }
}
