//! Binary caches: ours read by us, ours read by a real Nix, a real Nix's read by us.
//!
//! Needs `nix` and `nix-store` from Debian's `nix-bin` (on PATH, or in the folder that ESKER_NIX_REFERENCE names).

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use build::{BuildError, DirectFetcher, FailurePolicy, FileCache, HttpCache, export_closure, generate_key};
use nix_formats::signature::SecretKey;
use nix_formats::{ContentAddressMethod, Hash, HashAlgo, StorePath};
use store::{ContentCheck, Repair};
use test_server::WebServer;
use world::{Drv, World};

/// Runs a program of the reference Nix on the store below `root`.
fn nix(root: &Path, program: &str, arguments: &[&str]) -> String {
    let file = match std::env::var_os("ESKER_NIX_REFERENCE") {
        Some(folder) => Path::new(&folder).join(program),
        None => PathBuf::from(program),
    };
    let mut command = Command::new(&file);
    command.env("NIX_REMOTE", root).env("HOME", root).env("XDG_CACHE_HOME", root.join("cache"));
    // Where Nix finds itself again; started by a wrapper with its own loader, it would take that one for itself.
    if let Some(folder) = std::env::var_os("ESKER_NIX_REFERENCE") {
        command.env("NIX_BIN_DIR", folder);
    }
    command.args([
        "--option",
        "build-users-group",
        "",
        "--option",
        "sandbox",
        "false",
        "--option",
        "substitute",
        "false",
        // For stores of others Nix insists on a sandbox; the shell that Debian's puts there may not be on this host.
        "--option",
        "sandbox-paths",
        "",
    ]);
    command.args(["--option", "experimental-features", "nix-command"]);
    let output = command.args(arguments).output().unwrap_or_else(|error| {
        panic!("{} is needed (Debian package nix-bin): {error}", file.display());
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A world with a small closure, and the derivation and output it came from.
fn sample() -> (World, StorePath, StorePath) {
    let world = World::new();
    let input = world.store.add_text("input", b"hello", BTreeSet::new()).unwrap();
    let text = format!("from {}", world.store.logical(&input));
    let drv = Drv::builtin("write", "greeting").source(&input).json("text", &text).add(&world);
    let out = world.realise(&drv).unwrap();
    (world, drv, out)
}

fn copy_derivation(from: &World, to: &World, drv: &StorePath) {
    let derivation = from.store.read_derivation(drv).unwrap();
    let mut batch = to.store.batch().unwrap();
    for source in &derivation.input_srcs {
        let bytes = std::fs::read(from.store.physical(source)).unwrap();
        batch.add_text(source.name(), &bytes, BTreeSet::new()).unwrap();
    }
    batch.add_derivation(&derivation).unwrap();
    batch.commit().unwrap();
}

#[test]
fn what_one_store_exports_another_substitutes() {
    let (world, drv, out) = sample();
    let key = generate_key("test-1").unwrap();
    let cache = world.folder.path().join("cache");
    let report = export_closure(&world.store, [&out], &cache, Some(&key)).unwrap();
    assert_eq!((report.written, report.present), (2, 0));
    assert_eq!(export_closure(&world.store, [&out], &cache, Some(&key)).unwrap().present, 2);

    let mut other = World::new();
    copy_derivation(&world, &other, &drv);
    other.caches.push(Box::new(FileCache::new(&cache)));
    // Nobody is trusted yet, so it would be built.
    assert_eq!(other.plan(&[&drv]).unwrap().to_build.len(), 1);
    other.keys.push(key.public());
    let plan = other.plan(&[&drv]).unwrap();
    assert!(plan.describe().starts_with("to copy from caches (1):\n"), "{}", plan.describe());
    assert_eq!(other.apply(&plan).unwrap().substituted, 1);
    assert_eq!(other.store.info(&out).unwrap().references, world.store.info(&out).unwrap().references);
    assert!(other.store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.is_empty());
}

#[test]
fn changed_contents_are_refused() {
    let (world, drv, out) = sample();
    let key = SecretKey::from_seed("test-1", &[1; 32]);
    let cache = world.folder.path().join("cache");
    export_closure(&world.store, [&out], &cache, Some(&key)).unwrap();
    // Another path's archive under this one's name.
    let files: Vec<_> = std::fs::read_dir(cache.join("nar")).unwrap().flatten().map(|entry| entry.path()).collect();
    let first = std::fs::read(&files[0]).unwrap();
    let second = std::fs::read(&files[1]).unwrap();
    std::fs::write(&files[0], second).unwrap();
    std::fs::write(&files[1], first).unwrap();
    let mut other = World::new();
    copy_derivation(&world, &other, &drv);
    other.caches.push(Box::new(FileCache::new(&cache)));
    other.keys.push(key.public());
    let error = other.realise(&drv).unwrap_err();
    let BuildError::Failed { failures, .. } = error else { panic!("{error}") };
    assert!(failures[0].reason.to_string().contains("has other contents"), "{}", failures[0].reason);
    assert!(!other.store.is_valid(&out).unwrap());
}

#[test]
fn a_real_nix_copies_from_our_cache() {
    let (world, _, out) = sample();
    let key = SecretKey::from_seed("test-1", &[1; 32]);
    let cache = world.folder.path().join("cache");
    export_closure(&world.store, [&out], &cache, Some(&key)).unwrap();
    let root = world.folder.path().join("nix-root");
    let trusted = key.public().to_string();
    let from = format!("file://{}", cache.display());
    let path = world.store.logical(&out);
    let store = root.to_str().unwrap();
    nix(&root, "nix", &["copy", "--from", &from, "--to", store, "--option", "trusted-public-keys", &trusted, &path]);
    nix(&root, "nix-store", &["--verify", "--check-contents"]);
    assert_eq!(nix(&root, "nix-store", &["-qR", &path]).lines().count(), 2);
}

#[test]
fn we_substitute_from_a_cache_that_nix_wrote() {
    let (world, drv, out) = sample();
    let cache = world.folder.path().join("cache");
    let key = SecretKey::from_seed("nix-1", &[2; 32]);
    let key_file = world.folder.path().join("key");
    std::fs::write(&key_file, key.to_secret_text()).unwrap();
    let to = format!("file://{}?secret-key={}&compression=xz", cache.display(), key_file.display());
    let root = world.folder.path().join("root");
    let path = world.store.logical(&out);
    nix(&root, "nix", &["copy", "--from", root.to_str().unwrap(), "--to", &to, "--no-check-sigs", &path]);
    let mut other = World::new();
    copy_derivation(&world, &other, &drv);
    other.caches.push(Box::new(FileCache::new(&cache)));
    other.keys.push(key.public());
    assert_eq!(other.realise(&drv).unwrap(), out);
    assert_eq!(other.events.registrations(), [1]);
    assert_eq!(std::fs::read(other.store.physical(&out)).unwrap(), std::fs::read(world.store.physical(&out)).unwrap());
}

#[test]
fn a_web_server_serves_as_a_cache() {
    let (world, drv, out) = sample();
    let key = SecretKey::from_seed("test-1", &[1; 32]);
    let cache = world.folder.path().join("cache");
    export_closure(&world.store, [&out], &cache, Some(&key)).unwrap();
    let server = WebServer::of_folder(cache);
    let mut other = World::new();
    copy_derivation(&world, &other, &drv);
    other.caches.push(Box::new(HttpCache::new(&server.address())));
    other.keys.push(key.public());
    assert_eq!(other.realise(&drv).unwrap(), out);
    assert_eq!(other.events.registrations(), [1]);
    let stranger = Drv::builtin("write", "stranger").json("text", "x").add(&other);
    assert_eq!(other.plan(&[&stranger]).unwrap().to_build.len(), 1);
}

#[test]
fn nix_realises_our_derivations_to_the_same_paths() {
    let world = World::new();
    // Nix builds for a chroot store in a sandbox, where only inputs are visible.
    let input = world.store.add_text("source", b"contents", BTreeSet::new()).unwrap();
    let source = PathBuf::from(world.store.logical(&input));
    let hash = Hash::of(HashAlgo::Sha256, b"contents");
    let fetch = Drv::fetch(&source, "file")
        .source(&input)
        .variable("outputHashMode", "flat")
        .variable("outputHashAlgo", "sha256")
        .variable("outputHash", &hash.to_base16())
        .variable("name", "file")
        .fixed(ContentAddressMethod::Flat, hash)
        .add(&world);
    let root = world.folder.path().join("root");
    let theirs = nix(&root, "nix-store", &["--realise", &world.store.logical(&fetch)]);
    let path = world.store.dir().parse(theirs.trim()).unwrap();
    assert!(world.store.is_valid(&path).unwrap());
    assert!(world.plan(&[&fetch]).unwrap().is_empty());
}

#[test]
fn paths_are_copied_without_a_derivation() {
    let (world, _, out) = sample();
    let key = SecretKey::from_seed("test-1", &[1; 32]);
    let cache = world.folder.path().join("cache");
    export_closure(&world.store, [&out], &cache, Some(&key)).unwrap();
    let mut other = World::new();
    let wanted = BTreeSet::from([out.clone()]);
    other.caches.push(Box::new(FileCache::new(&cache)));
    let copy = |world: &World| world.builder(FailurePolicy::StopEarly, &DirectFetcher).copy(&wanted);
    let error = copy(&other).unwrap_err();
    assert!(matches!(error, BuildError::NotInCaches { .. }), "{error}");
    other.keys.push(key.public());
    assert_eq!(copy(&other).unwrap().substituted, 2);
    assert_eq!(other.store.closure([&out]).unwrap(), world.store.closure([&out]).unwrap());
    assert_eq!(copy(&other).unwrap().substituted, 0);
}
