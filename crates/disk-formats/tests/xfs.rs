//! XFS filesystems against `xfs_repair`, `xfs_db`, `xfs_info` (xfsprogs) and the kernel.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sample;
mod tools;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use disk_formats::tree::{Content, Tree};
use disk_formats::xfs::{Layout, Options, VolumeHistory, XfsError};
use sample::{DIRECTORY, FILE, Sample};
use tempfile::TempDir;
use tools::{output_of, run, text};

fn options(size_bytes: u64) -> Options {
    Options { size_bytes, uuid: [0x5a; 16], label: b"esker-nix".to_vec(), time: 1 }
}

/// Writes the volume and returns how many bytes stay free.
fn write(sample: &Sample, path: &Path, size_bytes: u64) -> Result<u64, XfsError> {
    let layout = Layout::plan(sample.tree.clone(), options(size_bytes))?;
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

fn volume(directory: &TempDir, sample: &Sample, size_mib: u64) -> PathBuf {
    let path = directory.path().join(format!("{size_mib}.xfs"));
    write(sample, &path, size_mib << 20).unwrap();
    path
}

/// `xfs_repair` finds nothing to repair.
fn check(path: &Path) {
    let (output, said) = output_of("xfs_repair", &["-n", "-f", text(path)]);
    assert!(output.status.success(), "{}: {said}", path.display());
    for complaint in ["would", "bad", "inconsisten", "mismatch", "wrong", "ERROR", "correct"] {
        let lines = said.lines().filter(|line| !line.contains("sector size mismatch"));
        let found: Vec<&str> = lines.filter(|line| line.contains(complaint)).collect();
        assert!(found.is_empty(), "{}: {found:?}\n{said}", path.display());
    }
}

fn db(path: &Path, commands: &[&str]) -> String {
    let mut arguments = vec!["-f", "-r"];
    commands.iter().for_each(|command| arguments.extend(["-c", command]));
    arguments.push(text(path));
    run("xfs_db", &arguments)
}

/// A directory of each form, and names whose hashes are the same.
fn of_directories() -> Sample {
    let mut sample = Sample::of_everything();
    let root = sample.tree.root();
    for count in [0, 1, 11, 12, 40, 90, 120, 300, 460, 480, 500, 520, 1_100, 9_000] {
        let folder = sample.directory(root, &format!("d{count}"));
        for number in 0..count {
            sample.directory(folder, &format!("{number:020}"));
        }
    }
    sample.symlink(root, "336", &"t".repeat(336));
    sample.symlink(root, "337", &"t".repeat(337));
    sample.symlink(root, "1023", &"t".repeat(1023));
    sample
}

#[test]
fn xfs_repair_accepts_everything_at_every_size() {
    let directory = TempDir::new().unwrap();
    let sample = of_directories();
    for size_mib in [300, 301, 1_000, 20_000, 5_000_000] {
        check(&volume(&directory, &sample, size_mib));
    }
}

#[test]
fn an_empty_tree_is_a_clean_filesystem() {
    let directory = TempDir::new().unwrap();
    check(&volume(&directory, &Sample::new(), 300));
}

#[test]
fn files_go_on_in_the_next_group() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("volume");
    let mut tree = Tree::new(DIRECTORY);
    for (name, size_bytes) in [("a", 100 << 20), ("b", 9 << 30), ("c", 30 << 30), ("d", 5_000)] {
        tree.add(tree.root(), name.as_bytes(), FILE, Content::File { size_bytes }).unwrap();
    }
    let layout = Layout::plan(tree, options(50 << 30)).unwrap();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
    file.set_len(50 << 30).unwrap();
    layout.write_metadata(&mut file).unwrap();
    check(&path);
    assert!(layout.files().nth(2).unwrap().pieces.len() > 3);
}

#[test]
fn many_inodes_have_a_btree() {
    let directory = TempDir::new().unwrap();
    let mut sample = Sample::new();
    let root = sample.tree.root();
    for number in 0..40_000 {
        sample.file(root, &format!("{number}"), FILE, Vec::new());
    }
    let path = volume(&directory, &sample, 400);
    check(&path);
    assert!(db(&path, &["agi 0", "p level"]).contains("level = 2"));
}

#[test]
fn xfs_repair_notices_a_damaged_volume() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, &of_directories(), 300);
    let clean = fs::read(&path).unwrap();
    // The superblock, the header of free space, the inode btree, an inode, a directory.
    for offset in [100, 4096 + 52, 6 * 4096 + 60, 16 * 4096 + 60] {
        let mut damaged = clean.clone();
        damaged[offset] ^= 1;
        fs::write(&path, damaged).unwrap();
        let (output, said) = output_of("xfs_repair", &["-n", "-f", text(&path)]);
        assert!(!output.status.success(), "byte {offset}: {said}");
    }
}

#[test]
fn xfs_db_shows_what_was_put_in() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, &of_directories(), 300);
    let superblock = db(&path, &["sb 0", "p"]);
    for fact in ["fname = \"esker-nix", "uuid = 5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a", "(correct)", "agcount = 2"] {
        assert!(superblock.contains(fact), "{fact:?} is missing in\n{superblock}");
    }
    let bin = "/store/0123456789abcdfghijklmnpqrsvwxyz-hello-2.12/bin";
    let inode = db(&path, &[&format!("path {bin}/hello-again"), "p"]);
    for fact in
        ["core.mode = 0104751", "core.uid = 70000", "core.gid = 100000", "core.size = 6", "core.nlinkv2 = 2", "2023"]
    {
        assert!(inode.contains(fact), "{fact:?} is missing in\n{inode}");
    }
    assert!(db(&path, &[&format!("path {bin}/sixty"), "p u3.symlink"]).contains(&"t".repeat(60)));
    // Looking up needs the index of hashes.
    for (folder, count) in [("d90", 90), ("d300", 300), ("d480", 480), ("d9000", 9_000)] {
        for number in [0, count / 2, count - 1] {
            assert!(db(&path, &[&format!("path /{folder}/{number:020}"), "p core.mode"]).contains("040755"));
        }
    }
}

#[test]
fn a_filesystem_tells_whether_its_log_was_written() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, &Sample::new(), 300);
    let is_untouched = || VolumeHistory::read(&mut fs::File::open(&path).unwrap()).unwrap().map(|h| h.is_untouched());
    assert_eq!(is_untouched(), Some(true));
    // What an unmount leaves.
    run("xfs_db", &["-x", "-f", "-c", "sb 0", "-c", "write lsn 0x100000008", text(&path)]);
    assert_eq!(is_untouched(), Some(false));
    assert_eq!(VolumeHistory::read(&mut std::io::Cursor::new(vec![0; 100_000])).unwrap(), None);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    write(&of_directories(), &one, 300 << 20).unwrap();
    write(&of_directories(), &two, 300 << 20).unwrap();
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let directory = TempDir::new().unwrap();
    let mut tree = Tree::new(DIRECTORY);
    tree.add(tree.root(), b"large", FILE, Content::File { size_bytes: 1 << 30 }).unwrap();
    let mut long = tree.clone();
    long.add(tree.root(), b"long", FILE, Content::Symlink { target: vec![b't'; 1024] }).unwrap();
    assert!(matches!(Layout::plan(long, options(2 << 30)), Err(XfsError::TooLarge { .. })));
    let plan = |size_bytes| Layout::plan(tree.clone(), options(size_bytes));
    for too_small in [12 << 20, 500 << 20] {
        let Err(XfsError::NoSpace { needed_bytes, .. }) = plan(too_small) else { panic!("it fits") };
        assert!(needed_bytes > too_small);
    }
    let Err(XfsError::NoSpace { needed_bytes, .. }) = plan(1 << 30) else { panic!("it fits") };
    let path = directory.path().join("enough");
    let layout = plan(needed_bytes).unwrap();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
    file.set_len(needed_bytes).unwrap();
    layout.write_metadata(&mut file).unwrap();
    check(&path);
}

/// Needs root: mounts the volume in a mount namespace of its own, reads, writes, grows it, and checks it again.
#[test]
#[ignore = "needs root, loop devices and XFS in the kernel"]
fn the_kernel_reads_and_writes_it() {
    let directory = TempDir::new().unwrap();
    let path = volume(&directory, &of_directories(), 300);
    let is_untouched = || VolumeHistory::read(&mut fs::File::open(&path).unwrap()).unwrap().unwrap().is_untouched();
    assert!(is_untouched());
    let script = r#"
        set -e; cd "$1"; mkdir mnt; truncate -s 3G "$2"
        loop=$(losetup --show -f "$2"); trap 'umount -l mnt; losetup -d $loop' EXIT
        mount -t xfs $loop mnt
        cat mnt/store/*hello*/bin/hello; ls mnt/store/many | wc -l; stat -c '%a %u:%g %s %h %Y' mnt/store/*hello*/bin/hello
        md5sum < mnt/store/large; readlink mnt/store/*hello*/bin/sixty | wc -c; readlink mnt/1023 | wc -c
        for d in mnt/d*; do n=0; for f in $d/*; do [ ! -d "$f" ] || n=$((n + 1)); done; [ "$n" = "${d#mnt/d}" ]; done
        xfs_growfs mnt
        for n in $(seq 1000); do echo $n > mnt/store/many/new-$n; mkdir mnt/d480/$n mnt/d11/$n mnt/d0/$n; done
        mkdir -p mnt/var/nix/db; cp mnt/store/large mnt/var/copy; rm mnt/store/large; rm -r mnt/d300
        cp --reflink=always mnt/var/copy mnt/store/large; head -c 300M /dev/urandom > mnt/var/random; sync
    "#;
    let shown = run("unshare", &["-m", "sh", "-c", script, "sh", text(directory.path()), text(&path)]);
    for fact in ["hello\n2000\n4751 70000:100000 6 2 1700000000\n", "\n61\n1024\n"] {
        assert!(shown.contains(fact), "{fact:?} is missing in\n{shown}");
    }
    check(&path);
    assert!(!is_untouched());
}
