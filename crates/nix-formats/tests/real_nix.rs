//! Formats against a real Nix: what it prints we read and print alike, what we compute it computes.
//!
//! Needs `nix-instantiate`, `nix-store` and `nix-hash` from Debian's `nix-bin` (on PATH, or in the folder that
//! ESKER_NIX_REFERENCE names).

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix_formats::derivation::{DerivationHash, OutputPaths};
use nix_formats::nar::{NarWriter, TreeVisitor, read_nar};
use nix_formats::signature::SecretKey;
use nix_formats::{Derivation, DerivationOutput, Hash, HashAlgo, StoreDir, StorePath};

/// Runs a program of the reference Nix with its store below `root`.
fn nix(root: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let file = match std::env::var_os("ESKER_NIX_REFERENCE") {
        Some(folder) => Path::new(&folder).join(program),
        None => PathBuf::from(program),
    };
    let mut command = Command::new(&file);
    command.env("NIX_REMOTE", root).env("HOME", root).args(arguments);
    let output = command.output().unwrap_or_else(|error| {
        panic!("{} is needed (Debian package nix-bin): {error}", file.display());
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output.stdout
}

fn nix_text(root: &Path, program: &str, arguments: &[&str]) -> String {
    String::from_utf8(nix(root, program, arguments)).unwrap().trim().to_owned()
}

#[test]
fn hashes_print_as_nix_hash_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    for algo in HashAlgo::ALL {
        for text in ["", "esker", "\u{ff}"] {
            let hash = Hash::of(algo, text.as_bytes());
            let file = folder.path().join("file");
            std::fs::write(&file, text).unwrap();
            let file = file.to_str().unwrap();
            let run = |more: &[&str]| {
                let mut arguments = vec!["--flat", "--type", algo.name()];
                arguments.extend(more);
                arguments.push(file);
                nix_text(folder.path(), "nix-hash", &arguments)
            };
            assert_eq!(run(&[]), hash.to_base16());
            assert_eq!(run(&["--base32"]), hash.to_base32());
        }
    }
}

/// Many kinds of derivations that depend on each other.
const EXPRESSION: &str = r#"
let
  d = attrs: derivation ({ system = "x86_64-linux"; builder = "/bin/sh"; } // attrs);
  text = builtins.toFile "text" "hello";
  source = builtins.path { name = "tree"; path = ./tree; };
  flat = d { name = "flat"; outputHash = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
             outputHashAlgo = "sha256"; outputHashMode = "flat"; };
  recursive = d { name = "recursive"; outputHash = "sha256-uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";
                  outputHashMode = "recursive"; };
  sha1 = d { name = "sha1"; outputHash = "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed"; outputHashAlgo = "sha1";
             outputHashMode = "recursive"; };
  many = d { name = "many"; outputs = [ "out" "dev" "a-b" ]; inherit text source; args = [ "-c" "a\"b\\c\n\t\r$" ]; };
  structured = d { name = "structured"; __structuredAttrs = true; x = { y = [ 1 "z" null true ]; }; dep = many.dev; };
  twice = d { name = "twice"; one = flat; two = d { name = "flat"; outputHashAlgo = "sha256"; outputHashMode = "flat";
    outputHash = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"; other = "way"; }; };
  top = d { name = "top.x+y"; deps = [ flat recursive sha1 many many.dev structured twice "${text}" ]; empty = ""; };
in top
"#;

/// Instantiates the expression and returns where the store is and all derivations in it.
fn instantiate(folder: &Path) -> (PathBuf, BTreeMap<StorePath, Vec<u8>>) {
    std::fs::create_dir(folder.join("tree")).unwrap();
    std::fs::write(folder.join("tree/file"), "x").unwrap();
    std::fs::write(folder.join("default.nix"), EXPRESSION).unwrap();
    let root = folder.join("root");
    std::fs::create_dir(&root).unwrap();
    nix(&root, "nix-instantiate", &[folder.join("default.nix").to_str().unwrap()]);
    let store = root.join("nix/store");
    let mut derivations = BTreeMap::new();
    for entry in std::fs::read_dir(&store).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".drv") {
            derivations.insert(name.parse().unwrap(), std::fs::read(entry.path()).unwrap());
        }
    }
    assert!(derivations.len() >= 8, "{derivations:?}");
    (store, derivations)
}

#[test]
fn derivations_round_trip_and_their_paths_come_out_as_nix_computed_them() {
    let folder = tempfile::tempdir().unwrap();
    let (_, files) = instantiate(folder.path());
    let dir = StoreDir::default();
    let parsed: BTreeMap<StorePath, Derivation> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), Derivation::parse(path.derivation_name(), bytes, &dir).unwrap()))
        .collect();
    for (path, derivation) in &parsed {
        assert_eq!(derivation.to_aterm(&dir), files[path], "{path}");
        assert_eq!(derivation.drv_path(&dir).unwrap(), *path);
        // Forget the outputs' paths and compute them again.
        let mut blank = derivation.clone();
        for (name, output) in &mut blank.outputs {
            match output {
                DerivationOutput::InputAddressed { .. } => *output = DerivationOutput::Deferred,
                DerivationOutput::Fixed { address, .. } => {
                    *output = DerivationOutput::fixed(&dir, &derivation.name, name, *address).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        let masked = blank.hash_modulo(&dir, OutputPaths::Mask, |input| kept_hash(&parsed, &dir, input));
        blank.fill_deferred_outputs(&dir, &masked.unwrap()).unwrap();
        assert_eq!(blank, *derivation, "{path}");
    }
}

fn kept_hash(
    derivations: &BTreeMap<StorePath, Derivation>,
    dir: &StoreDir,
    path: &StorePath,
) -> Result<DerivationHash, std::convert::Infallible> {
    derivations[path].hash_modulo(dir, OutputPaths::Keep, |input| kept_hash(derivations, dir, input))
}

#[test]
fn archives_are_the_ones_nix_dumps() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("b/empty")).unwrap();
    std::fs::write(tree.join("b.c"), "before the folder's entries, after its name").unwrap();
    std::fs::write(tree.join("b/x"), vec![7; 4099]).unwrap();
    std::os::unix::fs::symlink("../nowhere", tree.join("b/link")).unwrap();
    std::fs::write(tree.join("run"), "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(tree.join("run"), mode).unwrap();
    let dumped = nix(folder.path(), "nix-store", &["--dump", tree.to_str().unwrap()]);
    let mut writer = NarWriter::new(Vec::new()).unwrap();
    read_nar(&mut &dumped[..], &mut writer as &mut dyn TreeVisitor).unwrap();
    assert_eq!(writer.finish().unwrap(), dumped);
    let hash = Hash::of(HashAlgo::Sha256, &dumped);
    let theirs = nix_text(folder.path(), "nix-hash", &["--type", "sha256", "--base32", tree.to_str().unwrap()]);
    assert_eq!(theirs, hash.to_base32());
}

#[test]
fn signatures_are_plain_ed25519() {
    // RFC 8032, section 7.1, test 2, in Nix's text form.
    let secret = "k:TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs9QBfD6EOJWpK3CqdNG368nJgszy7ElozAzVXxKvRmDA==";
    let secret: SecretKey = secret.parse().unwrap();
    assert_eq!(secret.public().to_string(), "k:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=");
    assert_eq!(
        secret.sign(&[0x72]).to_string(),
        "k:kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA=="
    );
}
