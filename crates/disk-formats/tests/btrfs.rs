//! btrfs filesystems against `btrfs check`, `btrfs restore`, `btrfs inspect-internal` (btrfs-progs) and the kernel.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sample;
mod tools;

use std::fs::{self, OpenOptions};
use std::io::{self, Cursor};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use disk_formats::btrfs::{BtrfsError, Layout, Options, Subvolume};
use disk_formats::tree::{Content, NodeId, Tree};
use sample::{DIRECTORY, FILE, Sample};
use tempfile::TempDir;
use tools::{output_of, run, text};

fn options(size_bytes: u64) -> Options {
    Options {
        size_bytes,
        uuid: [0x5a; 16],
        device_uuid: [0x5b; 16],
        chunk_tree_uuid: [0x5c; 16],
        top_uuid: [0x5d; 16],
        subvolumes: Vec::new(),
        label: b"esker-nix".to_vec(),
        time: 1,
    }
}

/// Puts the tree into the subvolume `nix` and an empty one, `var/log`, beside it.
fn with_subvolumes(mut sample: Sample, size_bytes: u64) -> (Sample, Options) {
    let nix = sample.tree.lower(b"nix").unwrap();
    let var = sample.directory(sample.tree.root(), "var");
    let log = sample.directory(var, "log");
    let deep = sample.directory(nix, "deep");
    let subvolume = |root: NodeId, byte: u8| Subvolume { root, uuid: [byte; 16] };
    let subvolumes = vec![subvolume(nix, 0x11), subvolume(log, 0x12), subvolume(deep, 0x10)];
    (sample, Options { subvolumes, ..options(size_bytes) })
}

/// Writes the device and returns how many bytes stay free.
fn write(sample: Sample, path: &Path, options: Options) -> Result<u64, BtrfsError> {
    let size_bytes = options.size_bytes;
    let layout = Layout::plan(sample.tree, options)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).unwrap();
    file.set_len(size_bytes).unwrap();
    let contents = sample.contents;
    layout.write(&mut file, &mut |node| {
        let found = contents.get(&node).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(found.clone())))
    })?;
    Ok(layout.free_bytes())
}

fn device(directory: &TempDir, sample: Sample, size_mib: u64) -> PathBuf {
    let path = directory.path().join(format!("{size_mib}.btrfs"));
    let (sample, options) = with_subvolumes(sample, size_mib << 20);
    write(sample, &path, options).unwrap();
    path
}

/// What `btrfs check` says about a device that it only looks at, with the checksums of data and the space cache.
fn check(path: &Path) -> String {
    let (output, said) = output_of("btrfs", &["check", "--readonly", "--check-data-csum", text(path)]);
    assert!(output.status.success() && said.contains("no error found"), "{}: {said}", path.display());
    for complaint in ["mismatch", "wanted", "ERROR", "WARNING", "warning", "extra"] {
        assert!(!said.contains(complaint), "{}: {said}", path.display());
    }
    said
}

#[test]
fn btrfs_check_accepts_everything_at_every_size() {
    let directory = TempDir::new().unwrap();
    for size_mib in [60, 127, 1_000, 40_000, 300_000] {
        check(&device(&directory, Sample::of_everything(), size_mib));
    }
}

#[test]
fn an_empty_tree_is_a_clean_filesystem() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("empty");
    write(Sample::new(), &path, options(64 << 20)).unwrap();
    check(&path);
}

#[test]
fn files_larger_than_extents_and_chunks_are_accepted() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("large");
    let mut tree = Tree::new(DIRECTORY);
    let root = tree.root();
    for (name, size_bytes) in [("a", 70 << 20), ("b", 960 << 20), ("c", 5_000)] {
        tree.add(root, name.as_bytes(), FILE, Content::File { size_bytes }).unwrap();
    }
    let lengths: Vec<(NodeId, u64)> = tree
        .entries()
        .into_iter()
        .filter_map(|(_, node, _, content)| match content {
            Content::File { size_bytes } => Some((node, *size_bytes)),
            _ => None,
        })
        .collect();
    let layout = Layout::plan(tree, options(2 << 30)).unwrap();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
    file.set_len(2 << 30).unwrap();
    layout
        .write(&mut file, &mut |node| {
            let (_, length) = lengths.iter().find(|(known, _)| *known == node).unwrap();
            Ok(Box::new(io::Read::take(io::repeat(7), *length)))
        })
        .unwrap();
    check(&path);
    let extents = run("btrfs", &["inspect-internal", "dump-tree", "-t", "extent", text(&path)]);
    assert!(extents.matches("EXTENT_ITEM").count() > 10, "{extents}");
}

#[test]
fn btrfs_check_notices_a_damaged_device() {
    let directory = TempDir::new().unwrap();
    let path = device(&directory, Sample::of_everything(), 100);
    let clean = fs::read(&path).unwrap();
    // The superblock, both copies of the chunk tree, and the first data.
    for offsets in [&[0x1_0000 + 80][..], &[(1 << 20) + 200, (5 << 20) + 200], &[9 << 20]] {
        let mut damaged = clean.clone();
        for offset in offsets {
            damaged[*offset] ^= 1;
        }
        fs::write(&path, damaged).unwrap();
        let (output, said) = output_of("btrfs", &["check", "--readonly", "--check-data-csum", text(&path)]);
        assert!(!output.status.success(), "bytes {offsets:?}: {said}");
    }
}

#[test]
fn btrfs_restore_brings_back_what_was_put_in() {
    let directory = TempDir::new().unwrap();
    let path = device(&directory, Sample::of_everything(), 200);
    let restored = directory.path().join("restored");
    fs::create_dir(&restored).unwrap();
    // Owners need root; modes and times come either way.
    let owned = if fs::metadata(&path).unwrap().uid() == 0 { "-vmSsi" } else { "-vSsi" };
    run("btrfs", &["restore", owned, text(&path), text(&restored)]);
    let store = restored.join("nix/store");
    let bin = store.join("0123456789abcdfghijklmnpqrsvwxyz-hello-2.12/bin");
    assert_eq!(fs::read(bin.join("hello")).unwrap(), b"hello\n");
    assert_eq!(fs::read(bin.join("hello-again")).unwrap(), b"hello\n");
    assert_eq!(fs::read(bin.join("empty")).unwrap(), b"");
    assert_eq!(fs::read_link(bin.join("sixty")).unwrap(), Path::new(&"t".repeat(60)));
    let expected: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(fs::read(store.join("large")).unwrap() == expected);
    assert_eq!(fs::read_dir(store.join("many")).unwrap().count(), 2_000);
    for entry in fs::read_dir(store.join("many")).unwrap() {
        let entry = entry.unwrap();
        let number: usize = entry.file_name().to_str().unwrap()[..4].parse().unwrap();
        assert_eq!(fs::read_to_string(entry.path()).unwrap(), number.to_string());
    }
    assert!(restored.join("var/log").is_dir());
}

#[test]
fn inodes_and_subvolumes_are_as_asked_for() {
    let directory = TempDir::new().unwrap();
    let path = device(&directory, Sample::of_everything(), 200);
    let nix = run("btrfs", &["inspect-internal", "dump-tree", "-t", "256", text(&path)]);
    for fact in ["mode 104751 links 2 uid 70000 gid 100000", "mtime 1700000000.0", "name: hello-again"] {
        assert!(nix.contains(fact), "{fact:?} is missing in\n{nix}");
    }
    let roots = run("btrfs", &["inspect-internal", "dump-tree", "-t", "root", text(&path)]);
    for fact in ["uuid 11111111-1111-1111-1111-111111111111", "name log", "name deep", "name nix"] {
        assert!(roots.contains(fact), "{fact:?} is missing in\n{roots}");
    }
    let superblock = run("btrfs", &["inspect-internal", "dump-super", text(&path)]);
    for fact in ["esker-nix", "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a", "[match]", "FREE_SPACE_TREE_VALID", "NO_HOLES"] {
        assert!(superblock.contains(fact), "{fact:?} is missing in\n{superblock}");
    }
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (TempDir::new_in(&directory).unwrap(), TempDir::new_in(&directory).unwrap());
    let (one, two) = (device(&one, Sample::of_everything(), 100), device(&two, Sample::of_everything(), 100));
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let directory = TempDir::new().unwrap();
    let write_to = |name: &str, size_bytes| {
        let (sample, options) = with_subvolumes(Sample::of_everything(), size_bytes);
        write(sample, &directory.path().join(name), options)
    };
    let Err(BtrfsError::NoSpace { needed_bytes, .. }) = write_to("small", 12 << 20) else { panic!("it fits") };
    write_to("enough", needed_bytes).unwrap();
    check(&directory.path().join("enough"));
}

#[test]
fn files_that_change_and_links_between_subvolumes_are_refused() {
    let directory = TempDir::new().unwrap();
    for length in [3_999_usize, 4_001, 10] {
        let mut sample = Sample::new();
        let file = sample.file(sample.tree.root(), "a", FILE, vec![1; 4_000]);
        sample.contents.insert(file, vec![1; length]);
        let error = write(sample, &directory.path().join(length.to_string()), options(64 << 20)).unwrap_err();
        assert!(matches!(error, BtrfsError::Changed { node } if node == file), "{error}");
    }
    let (mut sample, options) = with_subvolumes(Sample::new(), 64 << 20);
    let file = sample.file(sample.tree.root(), "a", FILE, Vec::new());
    sample.tree.link(options.subvolumes[0].root, b"b", file).unwrap();
    let error = write(sample, &directory.path().join("linked"), options).unwrap_err();
    assert!(matches!(&error, BtrfsError::LinkAcross { name } if name == "b"), "{error}");
}

/// Needs root: mounts the device in a mount namespace of its own, reads, writes, grows it, and checks it again.
#[test]
#[ignore = "needs root, loop devices and btrfs in the kernel"]
fn the_kernel_reads_and_writes_it() {
    let directory = TempDir::new().unwrap();
    let path = device(&directory, Sample::of_everything(), 300);
    let script = r#"
        set -e; cd "$1"; mkdir mnt log; truncate -s 2G "$2"
        loop=$(losetup --show -f "$2"); trap 'umount -l log mnt; losetup -d $loop' EXIT
        mount -t btrfs -o subvol=nix,compress=zstd $loop mnt; mount -t btrfs -o subvol=/var/log $loop log
        cat mnt/store/*hello*/bin/hello; ls mnt/store/many | wc -l; stat -c '%a %u:%g %s %h %Y' mnt/store/*hello*/bin/hello
        md5sum < mnt/store/large; readlink mnt/store/*hello*/bin/sixty | wc -c
        btrfs filesystem resize max mnt
        for n in $(seq 1000); do echo $n > mnt/store/many/new-$n; done
        mkdir -p mnt/var/nix/db; cp --reflink=never mnt/store/large mnt/var/copy; rm mnt/store/large
        cp mnt/var/copy mnt/store/large; echo line > log/log; btrfs subvolume snapshot mnt mnt/var/snapshot
        head -c 300M /dev/urandom > mnt/var/random; btrfs scrub start -B mnt; btrfs balance start --full-balance mnt; sync
    "#;
    let shown = run("unshare", &["-m", "sh", "-c", script, "sh", text(directory.path()), text(&path)]);
    for fact in ["hello\n2000\n4751 70000:100000 6 2 1700000000\n", "\n61\n", "no errors found"] {
        assert!(shown.contains(fact), "{fact:?} is missing in\n{shown}");
    }
    check(&path);
}
