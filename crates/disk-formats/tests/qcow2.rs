//! Images in QEMU's format, as QEMU's own tools read them. Needs `qemu-img` (Debian: qemu-utils).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use disk_formats::compression::Zstd;
use disk_formats::qcow2::{self, CLUSTER_BYTES, Compression, Extent};

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// A disk with text, noise, a stretch of zeros that is no hole, a far corner and an end that is no whole cluster.
fn disk(path: &Path) -> (u64, Vec<Extent>) {
    let size_bytes = 700 * (1 << 20) + 4096;
    let text = b"a line of a file\n".repeat(40_000);
    let mut file = File::create(path).unwrap();
    file.set_len(size_bytes).unwrap();
    let mut extents = Vec::new();
    let mut put = |start_bytes: u64, bytes: &[u8]| {
        file.seek(SeekFrom::Start(start_bytes)).unwrap();
        file.write_all(bytes).unwrap();
        extents.push(Extent { start_bytes, length_bytes: bytes.len() as u64 });
    };
    put(512, &text);
    put(3 << 20, &noise(300_000));
    put((3 << 20) + 300_000, &text[..1000]);
    put(10 << 20, &vec![0; 1 << 20]);
    put(600 * (1 << 20) + 77, &text);
    put(size_bytes - 100, &noise(100));
    (size_bytes, extents)
}

fn qemu_img(arguments: &[&str]) {
    let output = Command::new("qemu-img").args(arguments).output().expect("qemu-img runs (Debian: qemu-utils)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "qemu-img {arguments:?}: {text}");
}

fn holds_the_disk(compression: Compression) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (raw, image) = (folder.path().join("disk.raw"), folder.path().join("disk.qcow2"));
    let (size_bytes, extents) = disk(&raw);
    let mut file = File::create(&image).unwrap();
    qcow2::write(&mut File::open(&raw).unwrap(), (size_bytes, &extents), compression, &mut file).unwrap();
    let (raw, image) = (raw.to_str().unwrap(), image.to_str().unwrap());
    qemu_img(&["check", "-f", "qcow2", image]);
    qemu_img(&["compare", "-f", "raw", "-F", "qcow2", raw, image]);
    file.metadata().unwrap().len()
}

#[test]
fn an_image_is_the_disk_without_its_holes() {
    let length_bytes = holds_the_disk(Compression::None);
    assert!(length_bytes < 40 * CLUSTER_BYTES, "{length_bytes}");
}

#[test]
fn a_compressed_image_is_smaller_and_the_same_on_any_number_of_threads() {
    let length_bytes = holds_the_disk(Compression::Zstd(Zstd { level: 3, threads: 1 }));
    assert!(length_bytes < 16 * CLUSTER_BYTES, "{length_bytes}");
    assert_eq!(holds_the_disk(Compression::Zstd(Zstd { level: 3, threads: 3 })), length_bytes);
}

#[test]
fn an_empty_disk_has_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.qcow2");
    let mut file = File::create(&image).unwrap();
    qcow2::write(&mut std::io::empty(), (1 << 30, &[]), Compression::None, &mut file).unwrap();
    qemu_img(&["check", "-f", "qcow2", image.to_str().unwrap()]);
}
