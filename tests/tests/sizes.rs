//! How large a small system is: the twelve lines of `examples/minimal`, as an image and compressed, and its initrd.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::os::unix::fs::MetadataExt;

use stories::{Checks, Lab};

/// What is promised, in millions of bytes.
const RAW: u64 = 400;
const COMPRESSED: u64 = 130;
const INITRD: u64 = 4;

#[test]
fn a_minimal_server_is_small() {
    let lab = Lab::open("sizes");
    let mut checks = Checks::new();
    let example = lab.repository().join("examples/minimal");
    let example = example.to_str().expect("a path in UTF-8");
    let folder = tempfile::tempdir_in(lab.state()).expect("a folder");
    let mut is_at_most = |name: &str, bytes: u64, most: u64| {
        checks.fact(name, bytes > 0 && bytes <= most * 1_000_000, format!("{bytes} bytes, not {most} million"));
    };
    for (name, options, most) in [("disk.img", &[][..], RAW), ("disk.img.zst", &["--compress", "zstd"], COMPRESSED)] {
        let file = folder.path().join(name);
        let arguments = [&["image", example, "--output", file.to_str().expect("a path in UTF-8")], options].concat();
        let report = lab.json(&arguments);
        // Holes take no place.
        is_at_most(name, fs_err::metadata(&file).expect("the image").blocks() * 512, most);
        let toplevel = report["toplevel"].as_str().expect("the toplevel").trim_start_matches('/').to_owned();
        let initrd = fs_err::read_link(lab.state().join("store").join(toplevel).join("initrd")).expect("the initrd");
        let initrd = lab.state().join("store").join(initrd.strip_prefix("/").expect("a path in the store"));
        is_at_most("the initrd", fs_err::metadata(initrd).expect("the initrd").len(), INITRD);
    }
    checks.done();
}
