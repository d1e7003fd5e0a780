//! `esker nix-instantiate` prints what `nix-instantiate` prints. Command lines and their outputs stand in
//! `nix-instantiate/*.exp` (`UPDATE_EXPECT=1` rewrites them); when `ESKER_NIX_REFERENCE` names a folder with the
//! reference, its standard output and whether it succeeds are compared too.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Arguments, one command line a row.
const COMMANDS: &[&[&str]] = &[
    &["--eval", "--json", "-E", "{ a = 1 + 1; }"],
    &["--eval", "--json", "--strict", "-E", "{ a = 1 + 1; }"],
    &["--eval", "--xml", "-E", "{ a = 1 + 1; b = x: x; c = { y, z ? 1, ... }@q: y; d = [ (1 + 1) ]; e = \"s\"; }"],
    &[
        "--eval",
        "--xml",
        "--strict",
        "-E",
        "{ a = 1 + 1; b = x: x; c = { y, z ? 1, ... }@q: y; d = [ 1 ]; e = \"s\"; }",
    ],
    &["--eval", "--xml", "--no-location", "-E", "{ a = 1 + 1; b = x: x; c = \"x\"; }"],
    &["--eval", "--raw", "-E", "\"a b\""],
    &["--eval", "--raw", "-E", "1"],
    &["--eval", "-E", "{ a = 1 + 1; b = 2; c = x: x; d = [ (1 + 1) ]; e = [ ]; f = { }; g = builtins.add; h = true; }"],
    &["--eval", "-E", "{ a = \"${\"a\"}\"; b = /x; c = -1; d = 1.5; e = \"x\"; f = null; }"],
    &["--eval", "-E", "let f = x: { inherit x; y = x; z = [ x ]; }; in f 1"],
    &["--eval", "-E", "[ 1 (1 + 1) (x: x) { } { a = 1; } [ ] [ 1 ] ]"],
    &["--eval", "-E", "{ inherit (builtins) add; inherit ({ a = 1; }) a; }"],
    &["--eval", "-E", "let a = 1; b = a; in { inherit a b; c = b; }"],
    &["--eval", "-E", "with { a = 1; }; { inherit a; b = a; }"],
    &["--eval", "-E", "derivation { name = \"n\"; builder = \"b\"; system = \"s\"; }"],
    &["--eval", "default.nix", "-A", "f", "--arg", "y", "3"],
    &["--eval", "default.nix", "-A", "f"],
    &["--eval", "-A", "l.2.z"],
    &["--eval", "-A", "l.7"],
    &["--eval", "-A", "nope"],
    &["--eval", "-A", "l.x"],
    &["-I", "foo=./sp", "--eval", "-E", "builtins.nixPath"],
    &["-I", "foo=./sp", "-I", "/tmp", "--eval", "-E", "import <foo/x.nix>", "--strict"],
    &["-I", "foo=./sp", "--find-file", "nope"],
    &["-I", "foo=./sp", "--eval", "<foo/x.nix>"],
    &["--eval", "nope.nix"],
    &["--eval", "-E", "1", "-E", "2", "--strict"],
    &["--eval", "-E", "throw \"x\""],
    &["--eval", "--pure-eval", "-E", "builtins ? currentSystem"],
    &["--eval", "-E", "builtins ? currentSystem"],
    &["--version"],
    &["--eval", "--option", "pure-eval", "true", "-E", "builtins ? currentTime"],
    &["--eval", "-E", "{ x, y ? 2 }: x + y", "--arg", "x", "1"],
    &["--eval", "-E", "{ x, ... }@a: a", "--arg", "x", "1", "--argstr", "z", "hello"],
    &["--eval", "-E", "{ x, y ? 2 }: x + y", "--arg", "z", "1"],
    &["--eval", "-E", "{ a = { x }: { b = x; }; }", "-A", "a.b", "--arg", "x", "1"],
    &["--eval", "-E", "1 |> (x: x)"],
    &["--eval", "-E", "1 |> (x: x)", "--extra-experimental-features", "pipe-operators"],
    &["--eval", "-E", "1 |> (x: x)", "--option", "experimental-features", "pipe-operators"],
    &["--eval", "-E", "[ (builtins ? getFlake) (builtins ? fetchTree) (builtins ? outputOf) ]"],
    &["--eval", "--strict", "-E", "let x = { a = 1; b = x; }; in x"],
    &["--eval", "--dry-run", "-E", "1"],
    &["--eval", "./sp/x.nix", "./sp/x.nix"],
    &["--eval", "--timeout", "5", "--show-trace", "-E", "1"],
    &["--eval", "-E", "<nix/fetchurl.nix>"],
    &["--eval", "-E", FETCHURL_BY_SHA256],
    &["--eval", "-E", FETCHURL_BY_HASH],
    &["--eval", "--strict", "-E", "map (n: n.name) (import <nix/fetchurl.nix> { url = \"file:///a/x\"; }).all"],
    &["--eval", "--option", "max-call-depth", "5", "-E", "let f = n: if n == 0 then 0 else f (n - 1); in f 10"],
    &["--eval", "--max-call-depth", "20", "-E", "let f = n: if n == 0 then 0 else f (n - 1); in f 10"],
    &["--eval", "--eval-system", "foo", "--system", "bar", "-E", "builtins.currentSystem"],
    &["--eval", "--option", "system", "foo", "-E", "builtins.currentSystem"],
    &["--eval", "--restrict-eval", "-E", "builtins.readFile ./sp/x.nix"],
    &["--eval", "--restrict-eval", "-I", "./sp", "-E", "builtins.readFile ./sp/x.nix"],
    &["--eval", "--restrict-eval", "-I", "./sp", "-E", "builtins.readFile ./default.nix"],
    &["--eval", "--pure-eval", "-E", "builtins.readFile ./sp/x.nix"],
    &["--eval", "--pure-eval", "--impure", "-E", "builtins.readFile ./sp/x.nix"],
    &["-I", "./sp", "--find-file", "x.nix"],
    &["-I", "foo/bar=./sp", "--find-file", "foo"],
    &["-I", "foo=./nope", "-I", "foo=./sp", "--find-file", "foo/x.nix", "foo"],
    &["--eval", "--no-allow-import-from-derivation", "-E", "1"],
];

const FETCHURL_BY_SHA256: &str = "(import <nix/fetchurl.nix> { url = \"file:///x\"; sha256 = \"0000000000000000000000000000000000000000000000000000\"; }).drvPath";
const FETCHURL_BY_HASH: &str = "(import <nix/fetchurl.nix> { url = \"http://h/x.tar.gz\"; hash = \"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; unpack = true; }).outPath";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nix-instantiate")
}

fn run(mut command: Command, args: &[&str], input: &str) -> (bool, String) {
    let mut child = command
        .args(args)
        .current_dir(folder().join("files"))
        .env("NIX_REMOTE", "dummy://")
        .env("HOME", "/homeless")
        .env("NIX_CONFIG", "experimental-features =")
        .env("NIX_PATH", "")
        .env_remove("ESKER_STORE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Most read nothing and may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let here = folder().join("files").display().to_string();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).replace(&here, "/here"))
}

fn ours(args: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esker"));
    command.arg("nix-instantiate").env("NIX_CONF_DIR", "/nowhere");
    run(command, args, input)
}

/// What the reference prints; nothing where there is none.
fn theirs(args: &[&str], input: &str) -> Option<(bool, String)> {
    let bin = std::env::var_os("ESKER_NIX_REFERENCE")?;
    let mut command = Command::new(Path::new(&bin).join("nix-instantiate"));
    command.env("NIX_CONF_DIR", "/nowhere");
    Some(run(command, args, input))
}

fn expect(name: &str, got: &str) {
    let file = folder().join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(file, got).unwrap();
        return;
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), got);
}

#[test]
fn every_command_line_prints_what_it_should() {
    let mut all = String::new();
    for args in COMMANDS {
        let found = ours(args, "");
        if let Some(theirs) = theirs(args, "") {
            assert_eq!(found, theirs, "{args:?}");
        }
        all.push_str(&format!("{args:?}\n{}{}\n", found.1, if found.0 { "" } else { "failed\n" }));
    }
    expect("commands.exp", &all);
}

#[test]
fn a_wrong_command_line_ends_with_the_reference_s_exit_code() {
    let code = |mut command: Command, args: &[&str]| {
        command.args(args).env("NIX_REMOTE", "dummy://").stdin(Stdio::null()).output().unwrap().status.code()
    };
    for args in [&["--nope"][..], &["--eval", "--arg", "x"], &["--option", "a"], &["-A"], &["--eval", "--timeout"]] {
        let mut ours = Command::new(env!("CARGO_BIN_EXE_esker"));
        ours.arg("nix-instantiate");
        assert_eq!(code(ours, args), Some(1), "{args:?}");
        if let Some(bin) = std::env::var_os("ESKER_NIX_REFERENCE") {
            assert_eq!(code(Command::new(Path::new(&bin).join("nix-instantiate")), args), Some(1), "{args:?}");
        }
    }
    assert_eq!(code(Command::new(env!("CARGO_BIN_EXE_esker")), &["eval", "--nope"]), Some(2));
}

#[test]
fn every_text_is_understood_as_it_should() {
    let mut all = String::new();
    let texts = std::fs::read_to_string(folder().join("parse.txt")).unwrap();
    for text in texts.lines().filter(|l| !l.starts_with('#')) {
        let args = ["--parse", "-", "--extra-experimental-features", "pipe-operators"];
        let found = ours(&args, text);
        if let Some(theirs) = theirs(&args, text) {
            assert_eq!(found, theirs, "{text}");
        }
        all.push_str(if found.0 { &found.1 } else { "failed\n" });
    }
    expect("parse.exp", &all);
}

#[test]
fn derivations_are_written_where_the_reference_finds_them() {
    let store = tempfile::tempdir().unwrap();
    let here = store.path().to_str().unwrap();
    for args in [&["--store", here, "-A", "a"][..], &["--store", here, "-A", "b.c"], &["--store", here, "-A", "l"]] {
        let found = ours(args, "");
        let place = found.1.trim_end().split('!').next().unwrap();
        if found.0 {
            assert!(store.path().join(&place[1..]).exists(), "{place}");
        }
        let Some(bin) = std::env::var_os("ESKER_NIX_REFERENCE") else { continue };
        if found.0 {
            let verify = Command::new(Path::new(&bin).join("nix-store"))
                .args(["--store", here, "--query", "--references", place])
                .status();
            assert!(verify.unwrap().success());
        }
        assert_eq!(theirs(args, "").unwrap(), found, "{args:?}");
    }
}
