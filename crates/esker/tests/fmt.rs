//! `esker fmt` on files, folders and standard input.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const UGLY: &str = "{a=1;# one\n}";
const PRETTY: &str = "{\n  a = 1; # one\n}\n";

fn fmt(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esker"));
    command.arg("fmt").args(arguments).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn folders_are_formatted_but_for_links_hidden_folders_and_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    for name in ["below", ".hidden"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for name in ["a.nix", "below/b.nix", ".hidden/c.nix", "d.txt"] {
        fs::write(folder.path().join(name), UGLY).unwrap();
    }
    fs::write(outside.path().join("e.nix"), UGLY).unwrap();
    symlink(outside.path().join("e.nix"), folder.path().join("e.nix")).unwrap();
    symlink(outside.path(), folder.path().join("outside")).unwrap();
    fs::set_permissions(folder.path().join("a.nix"), fs::Permissions::from_mode(0o750)).unwrap();

    let checked = fmt(folder.path(), &["--check"], "");
    assert_eq!((checked.status.code(), text(&checked.stdout)), (Some(1), "./a.nix\n./below/b.nix\n"));
    assert_eq!(fs::read_to_string(folder.path().join("a.nix")).unwrap(), UGLY);

    assert!(fmt(folder.path(), &[], "").status.success());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!([read("a.nix"), read("below/b.nix")], [PRETTY, PRETTY]);
    assert_eq!([read(".hidden/c.nix"), read("d.txt"), read("e.nix")], [UGLY, UGLY, UGLY]);
    assert_eq!(fs::metadata(folder.path().join("a.nix")).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "nothing else is left behind");

    let again = fmt(folder.path(), &["--check"], "");
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(0), ""));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = fmt(folder.path(), &["-"], UGLY);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), PRETTY));
    assert_eq!(fmt(folder.path(), &["--check", "-"], UGLY).status.code(), Some(1));
    assert_eq!(fmt(folder.path(), &["--check", "-"], PRETTY).status.code(), Some(0));
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_the_rest_is_formatted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.nix"), "{\n  a = ;\n}").unwrap();
    fs::write(folder.path().join("good.nix"), UGLY).unwrap();
    let output = fmt(folder.path(), &["bad.nix", "good.nix", "missing.nix"], "");
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for words in ["error[syntax]: syntax error, unexpected ';'", "--> bad.nix:2:7", "cannot read `missing.nix`"] {
        assert!(errors.contains(words), "{errors}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("good.nix")).unwrap(), PRETTY);
    assert_eq!(fs::read_to_string(folder.path().join("bad.nix")).unwrap(), "{\n  a = ;\n}");
}
