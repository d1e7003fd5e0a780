//! ext4 filesystems against `e2fsck`, `debugfs`, `dumpe2fs` and `resize2fs` (e2fsprogs) and the kernel.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sample;
mod tools;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use disk_formats::ext4::{Content, Ext4Error, Layout, Options};
use sample::{FILE, Sample};
use tempfile::TempDir;
use tools::{output_of, run, text};

/// Writes the volume and returns how many bytes stay free.
fn write(sample: Sample, path: &Path, size_bytes: u64) -> Result<u64, Ext4Error> {
    let options = Options { size_bytes, uuid: [0x5a; 16], label: b"esker-nix".to_vec(), time: 1 };
    let layout = Layout::plan(sample.tree, options)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).unwrap();
    file.set_len(size_bytes).unwrap();
    layout.write_metadata(&mut file)?;
    for place in layout.files() {
        let mut rest = sample.contents[&place.node].as_slice();
        for (offset, length) in place.pieces {
            let (piece, behind) = rest.split_at(usize::try_from(length).unwrap());
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.write_all(piece).unwrap();
            rest = behind;
        }
        assert!(rest.is_empty());
    }
    Ok(layout.free_bytes())
}

fn volume(directory: &TempDir, sample: Sample, size_mib: u64) -> PathBuf {
    let path = directory.path().join(format!("{size_mib}.ext4"));
    write(sample, &path, size_mib << 20).unwrap();
    path
}

/// What `e2fsck` says about a volume that it only looks at.
fn check(path: &Path) -> String {
    let (output, text) = output_of("e2fsck", &["-f", "-n", text(path)]);
    assert!(output.status.success(), "{}: {text}", path.display());
    text
}

fn debugfs(path: &Path, command: &str) -> String {
    run("debugfs", &["-R", command, text(path)])
}

#[test]
fn e2fsck_accepts_everything_at_every_size() {
    let directory = TempDir::new().unwrap();
    for size_mib in [32, 127, 129, 1_000, 5_000, 40_000] {
        check(&volume(&directory, Sample::of_everything(), size_mib));
    }
}

#[test]
fn an_empty_tree_is_a_clean_filesystem() {
    let directory = TempDir::new().unwrap();
    check(&volume(&directory, Sample::new(), 8));
}

#[test]
fn e2fsck_notices_a_damaged_volume() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, Sample::of_everything(), 64);
    let clean = fs::read(&path).unwrap();
    // A descriptor, the block bitmap and an inode; each is covered by a checksum.
    for offset in [4096 + 12, 2 * 4096, 5 * 4096 + 256] {
        let mut damaged = clean.clone();
        damaged[offset] ^= 1;
        fs::write(&path, damaged).unwrap();
        let (output, text) = output_of("e2fsck", &["-f", "-n", text(&path)]);
        assert!(!output.status.success(), "byte {offset}: {text}");
    }
}

#[test]
fn debugfs_shows_what_was_put_in() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, Sample::of_everything(), 200);
    let bin = "/store/0123456789abcdfghijklmnpqrsvwxyz-hello-2.12/bin";
    let stat = debugfs(&path, &format!("stat {bin}/hello"));
    for fact in ["Mode:  04751", "User: 70000", "Group: 100000", "Size: 6", "Links: 2", "2023", "crtime"] {
        assert!(stat.contains(fact), "{fact:?} is missing in\n{stat}");
    }
    assert!(debugfs(&path, &format!("cat {bin}/hello-again")).contains("hello\n"));
    assert!(debugfs(&path, &format!("stat {bin}/fifty-nine")).contains("Fast link dest"));
    assert!(debugfs(&path, &format!("stat {bin}/sixty")).contains("Blockcount: 8"));
    assert!(debugfs(&path, "cat /store/many/0007-nnnnnnn").starts_with('7'));
    let large = directory.path().join("large");
    debugfs(&path, &format!("dump /store/large {}", text(&large)));
    let expected: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(fs::read(large).unwrap() == expected);
    assert!(debugfs(&path, "stat /store").contains("Links: 4"));
}

#[test]
fn the_superblock_says_what_was_asked_for() {
    let directory = TempDir::new().unwrap();
    let sample = Sample::of_everything();
    let path = directory.path().join("volume");
    let free_bytes = write(sample, &path, 300 << 20).unwrap();
    let text = run("dumpe2fs", &[text(&path)]);
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        line[name.len()..].trim().to_owned()
    };
    assert_eq!(field("Filesystem volume name:"), "esker-nix");
    assert_eq!(field("Filesystem UUID:"), "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a");
    assert_eq!(field("Filesystem state:"), "clean");
    assert_eq!(field("Free blocks:").parse::<u64>().unwrap() * 4096, free_bytes);
    assert_eq!(field("Checksum type:"), "crc32c");
    assert!(field("Filesystem features:").contains("has_journal"));
    assert!(field("Total journal size:").contains("16M"), "{text}");
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    write(Sample::of_everything(), &one, 128 << 20).unwrap();
    write(Sample::of_everything(), &two, 128 << 20).unwrap();
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let directory = TempDir::new().unwrap();
    let error = write(Sample::of_everything(), &directory.path().join("small"), 12 << 20).unwrap_err();
    let Ext4Error::NoSpace { needed_bytes, .. } = error else { panic!("{error}") };
    let enough = needed_bytes + (1 << 20);
    write(Sample::of_everything(), &directory.path().join("enough"), enough).unwrap();
}

#[test]
fn a_file_in_many_pieces_gets_a_tree_of_extents() {
    let directory = TempDir::new().unwrap();
    let mut sample = Sample::new();
    let content = Content::File { size_bytes: 3 << 30 };
    sample.tree.add(sample.tree.root(), b"huge", FILE, content).unwrap();
    let layout = Layout::plan(sample.tree, Options { size_bytes: 8 << 30, ..Options::default() }).unwrap();
    let path = directory.path().join("volume");
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
    file.set_len(8 << 30).unwrap();
    layout.write_metadata(&mut file).unwrap();
    check(&path);
    assert!(layout.files().next().unwrap().pieces.len() > 20);
    assert!(debugfs(&path, "ex /huge").contains("1/ 1"));
}

#[test]
fn it_can_be_grown() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, Sample::of_everything(), 200);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(20 << 30).unwrap();
    run("resize2fs", &[text(&path)]);
    check(&path);
    assert!(debugfs(&path, "cat /store/many/0007-nnnnnnn").starts_with('7'));
}

/// Needs root: mounts the volume in a mount namespace of its own, reads, writes, and checks it again.
#[test]
#[ignore = "needs root and loop devices"]
fn the_kernel_reads_and_writes_it() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, Sample::of_everything(), 200);
    let script = r#"
        set -e; cd "$1"; mkdir mnt
        loop=$(losetup --show -f "$2"); trap 'umount -l mnt; losetup -d $loop' EXIT
        mount -t ext4 $loop mnt
        cat mnt/store/*hello*/bin/hello; ls mnt/store/many | wc -l; stat -c '%a %u:%g %s %h %Y' mnt/store/*hello*/bin/hello
        md5sum < mnt/store/large; readlink mnt/store/*hello*/bin/sixty | wc -c
        for n in $(seq 1000); do echo $n > mnt/store/many/new-$n; done
        mkdir -p mnt/var/nix/db; cp mnt/store/large mnt/var/copy; rm mnt/store/large
        cp mnt/var/copy mnt/store/large; sync
    "#;
    let shown = run("unshare", &["-m", "sh", "-c", script, "sh", text(directory.path()), text(&path)]);
    for fact in ["hello\n2000\n4751 70000:100000 6 2 1700000000\n", "\n61\n"] {
        assert!(shown.contains(fact), "{fact:?} is missing in\n{shown}");
    }
    check(&path);
}
