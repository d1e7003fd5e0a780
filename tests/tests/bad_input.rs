//! Bad input gets a clear error, and nothing is lost.
//!
//! `bad/NAME.nix` and `bad/NAME.toml` are configurations with mistakes; `NAME.nix.err` is what `esker build` says of
//! them, all in one run. `UPDATE_EXPECT=1` rewrites it. What cannot be written as a configuration follows below. No
//! machine is booted here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stories::{Checks, Lab};

/// What the program says, without the places of this machine, versions of packages, which move with the archive, and
/// line numbers of Esker's own modules, which move with every edit of them.
fn said(output: &Output, lab: &Lab) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let bad = lab.file("bad");
    let repository = bad.parent().and_then(Path::parent).expect("the repository");
    let share = esker_share(lab);
    let mut out = String::new();
    let mut in_own_module = false;
    for line in text.lines() {
        let line = line.replace(&format!("{}/", bad.display()), "").replace(&format!("{}/", share.display()), "<esker>/");
        let line = line.replace(&format!("{}/", repository.display()), "<esker>/");
        let words: Vec<&str> = line.split(' ').map(|word| if is_version(word) { "<version>" } else { word }).collect();
        let line = words.join(" ");
        if let Some((_, place)) = line.split_once("--> ") {
            in_own_module = place.starts_with("<esker>/");
        }
        let shown = match (in_own_module, line.split_once("--> "), line.split_once('|')) {
            (true, Some((_, place)), _) => format!("  --> {}", place.split(':').next().unwrap_or(place)),
            (true, None, Some((number, rest))) if number.trim().bytes().all(|b| b.is_ascii_digit()) => format!("    |{rest}"),
            _ => line,
        };
        out.push_str(&shown);
        out.push('\n');
    }
    out
}

fn is_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('-')
}

fn esker_share(lab: &Lab) -> PathBuf {
    let program = fs_err::canonicalize(lab.esker().get_program()).expect("the program");
    let share = program.ancestors().map(|folder| folder.join("share/esker")).find(|folder| folder.exists());
    share.expect("share/esker beside the program")
}

fn build(lab: &Lab, configuration: &Path) -> Command {
    let mut command = lab.esker();
    command.args(["build", "--no-link"]).arg(configuration);
    command
}

#[test]
fn says_everything_that_is_wrong_with_a_configuration_in_one_run() {
    let lab = Lab::open("bad-input");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut facts = Checks::new();
    let folder = fs_err::read_dir(lab.file("bad")).expect("tests/bad");
    let mut cases: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|e| e == "nix" || e == "toml"));
    cases.sort();
    for case in &cases {
        let output = build(&lab, case).arg("--dry-run").output().expect("esker runs");
        let name = case.file_name().expect("a name").to_string_lossy();
        facts.fact(&format!("{name}: the exit code is 1"), output.status.code() == Some(1), output.status);
        let (seen, golden) = (said(&output, &lab), case.with_file_name(format!("{name}.err")));
        if update {
            fs_err::write(&golden, &seen).expect("the golden file");
        }
        let expected = fs_err::read_to_string(&golden).unwrap_or_default();
        facts.fact(&format!("{name}: the report is as expected"), seen == expected, format!("it says\n{seen}"));
    }
    facts.done();
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    for place in ["no/such/folder", "no-such.nix"] {
        let output = build(&lab, Path::new(place)).output().expect("esker runs");
        let text = said(&output, &lab);
        facts.fact("the exit code is 1", output.status.code() == Some(1), output.status);
        facts.fact("the place is named", text.contains(place), &text);
    }
    facts.done();
}
