//! The store and a real Nix on the same files: each accepts what the other wrote.
//!
//! Needs `nix-store` from Debian's `nix-bin` (on PATH, or in the folder that ESKER_NIX_REFERENCE names).

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use store::{ContentCheck, GcRequest, PathInfo, Repair, Store, StoreOptions};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn open(&self) -> Store {
        Store::open(StoreOptions::new(self.root())).unwrap()
    }

    fn nix(&self, program: &str, arguments: &[&str]) -> String {
        let file = match std::env::var_os("ESKER_NIX_REFERENCE") {
            Some(folder) => Path::new(&folder).join(program),
            None => PathBuf::from(program),
        };
        let mut command = Command::new(&file);
        command.env("NIX_REMOTE", self.root()).env_remove("NIX_STORE_DIR").env("HOME", self.folder.path());
        command.args(["--option", "build-users-group", "", "--option", "substitute", "false"]);
        let output = command.args(arguments).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{} is needed (Debian package nix-bin): {error}", file.display());
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        assert!(!errors.contains("error") && !errors.contains("disappeared"), "{program} {arguments:?}: {errors}");
        text
    }

    fn sample_tree(&self) -> PathBuf {
        let tree = self.folder.path().join("tree");
        std::fs::create_dir_all(tree.join("bin")).unwrap();
        std::fs::write(tree.join("bin/run"), "#!/bin/sh\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(tree.join("bin/run"), mode).unwrap();
        std::fs::write(tree.join("text"), "same contents").unwrap();
        std::fs::write(tree.join("twin"), "same contents").unwrap();
        std::os::unix::fs::symlink("text", tree.join("link")).unwrap();
        tree
    }
}

#[test]
fn nix_accepts_what_we_wrote() {
    let world = World::new();
    let store = world.open();
    let tree = store.add_tree("sample", &world.sample_tree()).unwrap();
    let tree_text = store.logical(&tree);
    let text = store.add_text("note", format!("see {tree_text}").as_bytes(), BTreeSet::from([tree.clone()])).unwrap();
    let text_path = store.logical(&text);

    world.nix("nix-store", &["--verify", "--check-contents"]);
    let closure = world.nix("nix-store", &["-qR", &text_path]);
    assert_eq!(closure.lines().collect::<BTreeSet<_>>(), BTreeSet::from([&*tree_text, &*text_path]));
    let hash = world.nix("nix-store", &["--query", "--hash", &tree_text]);
    assert_eq!(hash.trim(), store.info(&tree).unwrap().nar.hash.to_prefixed_base32());
    let size = world.nix("nix-store", &["--query", "--size", &tree_text]);
    assert_eq!(size.trim(), store.info(&tree).unwrap().nar.size_bytes.to_string());
    let dumped = world.nix("nix-store", &["--dump-db"]);
    for path in [&tree, &text] {
        let ours = store.dump_registrations([path]).unwrap();
        assert!(dumped.contains(&ours), "{ours} is not in {dumped}");
    }
    // Nix computes the same path for the same tree.
    let added = world.nix("nix-store", &["--add", world.folder.path().join("tree").to_str().unwrap()]);
    assert!(added.trim().ends_with("-tree"));
    let ours = store.add_tree("tree", &world.folder.path().join("tree")).unwrap();
    assert_eq!(store.logical(&ours), added.trim());
}

#[test]
fn we_accept_what_nix_wrote() {
    let world = World::new();
    let tree = world.sample_tree();
    let added = world.nix("nix-store", &["--add", tree.to_str().unwrap()]);
    let fixed = world.nix("nix-store", &["--add-fixed", "sha256", tree.join("text").to_str().unwrap()]);
    world.nix("nix-store", &["--optimise"]);
    let store = world.open();
    let report = store.verify(ContentCheck::Hash, Repair::Report).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.checked, 2);
    let path = store.dir().parse(added.trim()).unwrap();
    assert_eq!(store.logical(&store.add_tree("tree", &tree).unwrap()), added.trim());
    assert_eq!(store.closure([&path]).unwrap(), BTreeSet::from([path.clone()]));
    let fixed = store.dir().parse(fixed.trim()).unwrap();
    assert_eq!(store.info(&fixed).unwrap().content_address.unwrap().to_string().split(':').next(), Some("fixed"));
    // Our deduplication finds Nix's links and leaves a store that Nix accepts.
    let again = store.add_tree("again", &tree).unwrap();
    assert!(store.optimise().unwrap().files_linked >= 3);
    world.nix("nix-store", &["--verify", "--check-contents"]);
    assert!(store.is_valid(&again).unwrap());
}

#[test]
fn both_collectors_agree_on_what_is_dead() {
    let world = World::new();
    let (kept, dead) = {
        let store = world.open();
        let tree = store.add_tree("sample", &world.sample_tree()).unwrap();
        let kept = store.add_text("kept", store.logical(&tree).as_bytes(), BTreeSet::from([tree])).unwrap();
        let dead = store.add_text("dead", b"dead", BTreeSet::new()).unwrap();
        store.add_result_link(&world.folder.path().join("result"), &kept).unwrap();
        // Temporary roots protect everything just added, from Nix's collector too.
        assert_eq!(world.nix("nix-store", &["--gc", "--print-dead"]), "");
        (store.logical(&kept), store.logical(&dead))
    };
    assert_eq!(world.nix("nix-store", &["--gc", "--print-dead"]).trim(), dead);
    let store = world.open();
    let listed = store.collect_garbage(GcRequest::ListDead).unwrap();
    assert_eq!(
        listed.dead.iter().map(|dead| store.logical(&dead.path)).collect::<Vec<_>>(),
        std::slice::from_ref(&dead)
    );
    let report = store.collect_garbage(GcRequest::Delete).unwrap();
    assert_eq!(report.dead, listed.dead);
    assert!(report.freed_bytes > 0);
    let left = world.nix("nix-store", &["--query", "--requisites", &kept]);
    assert_eq!(left.lines().count(), 2);
    world.nix("nix-store", &["--verify", "--check-contents"]);
    assert!(!store.physical(&store.dir().parse(&dead).unwrap()).exists());
    // Once the result link is gone, Nix's collector finds the rest dead as well as ours.
    std::fs::remove_file(world.folder.path().join("result")).unwrap();
    assert_eq!(store.collect_garbage(GcRequest::Delete).unwrap().dead.len(), 2);
    assert!(store.all_valid().unwrap().is_empty());
}

#[test]
fn nix_substitutes_nothing_but_reads_references_and_derivers() {
    let world = World::new();
    let store = world.open();
    let a = store.add_text("a", b"a", BTreeSet::new()).unwrap();
    let place = store.physical(&a);
    assert_eq!(std::fs::read(&place).unwrap(), b"a");
    let b = store.add_text("b", store.logical(&a).as_bytes(), BTreeSet::from([a.clone()])).unwrap();
    assert_eq!(world.nix("nix-store", &["-q", "--referrers", &store.logical(&a)]).trim(), store.logical(&b));
    assert_eq!(store.referrers(&a).unwrap(), BTreeSet::from([b.clone()]));
    let mut batch = store.batch().unwrap();
    let info = PathInfo { path: b, ..store.info(&a).unwrap() };
    // Present already: the archive is not even read.
    batch.add_nar(info, &mut std::io::empty()).unwrap();
}
