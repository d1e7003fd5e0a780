//! EROFS images against `fsck.erofs`, `dump.erofs` (Debian's erofs-utils) and the kernel.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk_formats::compression::Zstd;
use disk_formats::erofs::{Content, DataWriter, Entry, ErofsError, Metadata, Options, Tree};
use tempfile::TempDir;
use tools::run;

/// `security.capability` of revision 2, `cap_net_raw+ep`.
const CAP_NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn entry(mode: u16, content: Content) -> Entry {
    Entry { metadata: Metadata { mode, mtime: 1, ..Metadata::default() }, content }
}

fn file(size_bytes: u64, redirect: &str) -> Entry {
    let redirect = (!redirect.is_empty()).then(|| redirect.as_bytes().to_vec());
    entry(0o644, Content::File { size_bytes, redirect })
}

/// A little of everything the format holds.
fn sample() -> Tree {
    let mut tree = Tree::new();
    let mut add = |path: &str, entry: Entry| tree.insert(path.as_bytes(), entry).unwrap();
    add("", entry(0o755, Content::Directory));
    add(
        "bin/sudo",
        Entry {
            metadata: Metadata { mode: 0o4755, mtime: 1_700_000_000, ..Metadata::default() },
            content: Content::File { size_bytes: 5, redirect: Some(b"/pkg/usr/bin/sudo".to_vec()) },
        },
    );
    add(
        "bin/ping",
        Entry {
            metadata: Metadata {
                mode: 0o755,
                uid: 70_000,
                gid: 42,
                mtime: 1,
                xattrs: BTreeMap::from([(b"security.capability".to_vec(), CAP_NET_RAW.to_vec())]),
            },
            content: Content::File { size_bytes: 6, redirect: Some(b"/pkg/usr/bin/ping".to_vec()) },
        },
    );
    add("bin/!first", file(0, ""));
    add("bin/ping4", entry(0o777, Content::Symlink { target: b"ping".to_vec() }));
    add("bin/sudoedit", entry(0, Content::HardLink { target: b"bin/sudo".to_vec() }));
    add("share/huge", file(5 << 40, "/pkg/usr/share/huge"));
    add("share/long-target", entry(0o777, Content::Symlink { target: vec![b't'; 4000] }));
    add("dev/null", entry(0o666, Content::CharacterDevice { major: 1, minor: 3 }));
    add("dev/nvme", entry(0o660, Content::BlockDevice { major: 259, minor: 1_000 }));
    add("dev/fifo", entry(0o600, Content::Fifo));
    for number in 0..3_000 {
        add(&format!("share/doc/package-{number:04}-{}", "n".repeat(number % 90)), file(number as u64, "/pkg/usr/doc"));
    }
    tree
}

fn image_of(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = Options { uuid: [7; 16], label: b"usr".to_vec(), build_time: 1 };
    let length = tree.write_to(&options, &mut bytes).unwrap();
    assert_eq!(length, bytes.len() as u64);
    bytes
}

fn write_sample(directory: &Path) -> PathBuf {
    let path = directory.join("usr.erofs");
    fs::write(&path, image_of(&sample())).unwrap();
    path
}

/// The lines in which `fsck.erofs` names errors; its exit status alone is 0 even for a superblock it cannot read.
fn fsck_complaints(image: &Path) -> String {
    let text = run("fsck.erofs", &[image.to_str().unwrap()]);
    text.lines().filter(|line| line.contains("<E>") || line.contains("corrupt")).collect()
}

#[test]
fn fsck_accepts_the_image() {
    let directory = TempDir::new().unwrap();
    let image = write_sample(directory.path());
    assert_eq!(fsck_complaints(&image), "");
}

#[test]
fn fsck_notices_a_damaged_image() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("damaged.erofs");
    let mut image = image_of(&sample());
    image[1152 + 5] = 0xff;
    fs::write(&path, image).unwrap();
    assert_ne!(fsck_complaints(&path), "");
}

#[test]
fn dump_shows_the_superblock() {
    let directory = TempDir::new().unwrap();
    let image = write_sample(directory.path());
    let text = run("dump.erofs", &["-s", image.to_str().unwrap()]);
    assert!(text.contains("07070707-0707-0707-0707-070707070707"), "{text}");
    // Root, bin, share, share/doc, dev; 3 devices; 2 symlinks; 3 files in bin; huge; 3000 documents.
    assert!(text.contains("3014"), "{text}");
    assert!(text.contains("sb_csum"), "{text}");
}

#[test]
fn the_same_tree_gives_the_same_bytes_whatever_the_order_of_insertion() {
    let entries = [("z", file(1, "/z")), ("a/b", file(2, "/b")), ("a/a", file(3, "/a"))];
    let mut forward = Tree::new();
    let mut backward = Tree::new();
    for (path, entry) in &entries {
        forward.insert(path.as_bytes(), entry.clone()).unwrap();
    }
    for (path, entry) in entries.iter().rev() {
        backward.insert(path.as_bytes(), entry.clone()).unwrap();
    }
    assert_eq!(image_of(&forward), image_of(&backward));
    assert_eq!(image_of(&sample()), image_of(&sample()));
}

#[test]
fn redirects_are_plain_text() {
    let image = image_of(&sample());
    assert!(image.windows(17).any(|window| window == b"/pkg/usr/bin/sudo"));
}

#[test]
fn a_hard_link_to_nothing_is_refused() {
    for target in [&b"absent"[..], b"dir", b"link"] {
        let mut tree = Tree::new();
        tree.insert(b"dir", entry(0o755, Content::Directory)).unwrap();
        tree.insert(b"link", entry(0, Content::HardLink { target: target.to_vec() })).unwrap();
        let error = tree.write_to(&Options::default(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, ErofsError::DanglingHardLink { path, .. } if path == "link"));
    }
}

#[test]
fn an_empty_tree_is_a_valid_image() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("empty.erofs");
    fs::write(&path, image_of(&Tree::new())).unwrap();
    assert_eq!(fsck_complaints(&path), "");
}

/// The size of a desktop's /usr; the bound is a hundred times what a debug build takes, so that it means a change of order.
#[test]
fn forty_thousand_files_are_quick() {
    let mut tree = Tree::new();
    for number in 0..40_000_u64 {
        let path = format!("share/package-{:03}/file-{number}", number / 64);
        tree.insert(path.as_bytes(), file(number, &format!("/0123456789abcdfghijklmnpqrsvwxyz-name/usr/{path}")))
            .unwrap();
    }
    let start = std::time::Instant::now();
    let length = image_of(&tree).len();
    println!("{length} bytes in {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20);
}

/// A folder of files that are empty, small, large, compressible or not, at and around the format's limits.
fn write_files(folder: &Path) -> Vec<String> {
    let text: Vec<u8> =
        (0..200_000_u32).flat_map(|n| format!("line {}\n", u64::from(n) * u64::from(n) % 977).into_bytes()).collect();
    let noise: Vec<u8> =
        (0..300_000_u64).map(|n| (n.wrapping_mul(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let lengths =
        [0, 1, 4095, 4096, 32_767, 32_768, 40_000, 131_071, 131_072, 131_073, 135_168, 135_169, 262_144, 299_999];
    let mut names = Vec::new();
    for (kind, bytes) in [("text", &text), ("noise", &noise)] {
        for length in lengths {
            let name = format!("{kind}-{length}");
            fs::write(folder.join(&name), &bytes[..length]).unwrap();
            names.push(name);
        }
    }
    fs::write(folder.join("all"), [text.as_slice(), &noise, &text].concat()).unwrap();
    names.push("all".to_owned());
    names
}

/// An image with the files of a folder in it.
fn write_with_contents(folder: &Path, names: &[String], image: &Path) -> u64 {
    let mut out = fs::File::create(image).unwrap();
    let mut writer = DataWriter::new(&mut out, Zstd { level: 3, threads: 2 }).unwrap();
    let ids: Vec<_> =
        names.iter().map(|name| writer.add(&mut fs::File::open(folder.join(name)).unwrap()).unwrap()).collect();
    let stored = writer.finish().unwrap();
    let mut tree = Tree::new();
    for (name, id) in names.iter().zip(ids) {
        tree.insert(format!("sub/{name}").as_bytes(), entry(0o444, Content::Stored(stored.of(id)))).unwrap();
    }
    tree.insert(b"link", entry(0o777, Content::Symlink { target: b"sub/all".to_vec() })).unwrap();
    let options = Options { uuid: [7; 16], label: b"store".to_vec(), build_time: 1 };
    tree.write_around(&stored, &options, &mut out).unwrap()
}

#[test]
fn an_image_with_contents_is_smaller_and_always_the_same() {
    let directory = TempDir::new().unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    let names = write_files(&files);
    let (one, two) = (directory.path().join("one.erofs"), directory.path().join("two.erofs"));
    let length = write_with_contents(&files, &names, &one);
    write_with_contents(&files, &names, &two);
    assert_eq!(fs::metadata(&one).unwrap().len(), length);
    assert!(length < 3_000_000, "{length}");
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
}

/// The running kernel's version.
fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Needs root: compares every file of a mounted image with what was put in.
#[test]
#[ignore = "needs root, a kernel with EROFS, and loop devices; the story `media` reads whole stores"]
fn the_kernel_reads_the_contents() {
    if kernel() < (6, 10) {
        println!("this kernel's EROFS has no zstd: not run");
        return;
    }
    let directory = TempDir::new().unwrap();
    let (files, image) = (directory.path().join("files"), directory.path().join("image.erofs"));
    fs::create_dir(&files).unwrap();
    write_with_contents(&files, &write_files(&files), &image);
    fs::create_dir(directory.path().join("mnt")).unwrap();
    let script =
        "set -e; cd \"$1\"; mount -t erofs -o ro,loop image.erofs mnt; diff -r files mnt/sub; cmp files/all mnt/link";
    run("unshare", &["-m", "sh", "-c", script, "sh", directory.path().to_str().unwrap()]);
}

/// Needs root: mounts the image in a mount namespace of its own, first alone, then under an overlay with a data layer.
#[test]
#[ignore = "needs root and a kernel with EROFS, overlay and loop devices"]
fn the_kernel_shows_what_was_put_in() {
    let directory = TempDir::new().unwrap();
    let image = write_sample(directory.path());
    let data = directory.path().join("store/pkg/usr/bin");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("sudo"), "SUDO\n").unwrap();
    fs::write(data.join("ping"), "#PING\n").unwrap();
    for mount_point in ["meta", "usr"] {
        fs::create_dir(directory.path().join(mount_point)).unwrap();
    }
    let script = r#"
        set -e; cd "$1"
        mount -t erofs -o ro,loop "$2" meta
        stat -c '%n %F %a %u:%g %s %h %Y %t:%T' meta meta/bin meta/bin/* meta/dev/* meta/share/huge
        readlink meta/bin/ping4; readlink meta/share/long-target | wc -c; ls meta/share/doc | wc -l; ls meta/share/doc | sha256sum
        getcap meta/bin/ping
        mount -t overlay -o ro,metacopy=on,redirect_dir=on,lowerdir=meta::store overlay usr
        cat usr/bin/sudo usr/bin/ping usr/bin/sudoedit
        stat -c '%n %a %s' usr/bin/sudo
    "#;
    let work = directory.path().to_str().unwrap();
    let text = run("unshare", &["-m", "sh", "-c", script, "sh", work, image.to_str().unwrap()]);
    for fact in [
        "meta directory 755 0:0",
        "meta/bin/!first regular empty file 644 0:0 0 1 1 ",
        "meta/bin/ping regular file 755 70000:42 6 1 1 ",
        "meta/bin/ping4 symbolic link 777 0:0 4 1 1 ",
        "meta/bin/sudo regular file 4755 0:0 5 2 1700000000 ",
        "meta/bin/sudoedit regular file 4755 0:0 5 2 1700000000 ",
        "meta/dev/fifo fifo 600 0:0 0 1 1 ",
        "meta/dev/null character special file 666 0:0 0 1 1 1:3",
        "meta/dev/nvme block special file 660 0:0 0 1 1 103:3e8",
        "meta/share/huge regular file 644 0:0 5497558138880 1 1 ",
        "meta/bin/ping cap_net_raw=ep",
        "\nping\n4001\n3000\n",
        "SUDO\n#PING\nSUDO\nusr/bin/sudo 4755 5",
    ] {
        assert!(text.contains(fact), "{fact:?} is missing in\n{text}");
    }
}
