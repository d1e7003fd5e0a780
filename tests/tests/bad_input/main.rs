//! Bad input gets a clear error, and nothing is lost.
//!
//! `bad/NAME.nix` and `bad/NAME.toml` are configurations with mistakes; `NAME.nix.err` is what `esker build` says of
//! them, all in one run. `UPDATE_EXPECT=1` rewrites it. What cannot be written as a configuration follows below. No
//! machine is booted here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

mod architectures;
mod disks;
mod fetching;
mod interrupts;
mod views;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stories::mirror::Mirror;
use stories::{Checks, Lab};

/// What the program says, without the places of this machine, versions of packages, which move with the archive, and
/// line numbers of Esker's own modules, which move with every edit of them.
pub(crate) fn said(output: &Output, lab: &Lab) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let bad = lab.file("bad");
    let repository = bad.parent().and_then(Path::parent).expect("the repository");
    let share = esker_share(lab);
    let mut out = String::new();
    let mut in_own_module = false;
    for line in text.lines() {
        let line =
            line.replace(&format!("{}/", bad.display()), "").replace(&format!("{}/", share.display()), "<esker>/");
        let line = line.replace(&format!("{}/", repository.display()), "<esker>/");
        let words: Vec<String> = line.split(' ').map(without_version).collect();
        let line = words.join(" ");
        if let Some((_, place)) = line.split_once("--> ") {
            in_own_module = place.starts_with("<esker>/");
        }
        let shown = match (in_own_module, line.split_once("--> "), line.split_once('|')) {
            (true, Some((_, place)), _) => format!("  --> {}", place.split(':').next().unwrap_or(place)),
            (true, None, Some((number, rest))) if number.trim().bytes().all(|b| b.is_ascii_digit()) => {
                format!("    |{rest}")
            }
            _ => line,
        };
        out.push_str(&shown);
        out.push('\n');
    }
    out
}

fn without_version(word: &str) -> String {
    let bare = word.trim_matches(['`', ',', ';', '(', ')']);
    let is_version = bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains('-');
    if is_version { word.replace(bare, "<version>") } else { word.to_owned() }
}

fn esker_share(lab: &Lab) -> PathBuf {
    let program = fs_err::canonicalize(lab.esker().get_program()).expect("the program");
    let share = program.ancestors().map(|folder| folder.join("share/esker")).find(|folder| folder.exists());
    share.expect("share/esker beside the program")
}

pub(crate) fn build(lab: &Lab, configuration: &Path) -> Command {
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

/// A configuration that builds, and a store of its own that is thrown away; downloads are shared with other stories.
pub(crate) struct Throwaway {
    pub(crate) lab: Lab,
    pub(crate) folder: tempfile::TempDir,
}

impl Throwaway {
    pub(crate) fn new() -> Self {
        let lab = Lab::open("bad-input");
        let folder = tempfile::Builder::new().prefix("bad-input-").tempdir_in(lab.artifacts()).expect("a folder");
        // Makes the lock and fetches what it names where no story did so before.
        build(&lab, &lab.file("bad/parts/bootable.nix")).output().expect("esker runs");
        Self { lab, folder }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn build(&self) -> Command {
        let mut command = build(&self.lab, &self.lab.file("bad/parts/bootable.nix"));
        command.env("ESKER_STORE", self.store());
        command
    }

    /// Runs a command with a small filesystem of its own mounted on a folder, where only it sees it.
    pub(crate) fn with_mount(&self, options: &str, at: &Path, command: &Command) -> Output {
        fs_err::create_dir_all(at).expect("the mount point");
        let mut inside = Command::new("unshare");
        let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@""#;
        inside.args(["--mount", "--map-root-user", "--", "sh", "-c", script, "sh", options]).arg(at);
        append(&mut inside, command);
        inside.output().expect("unshare runs (util-linux)")
    }

    /// Nix's own verdict about the store, and that nothing is in it that is not whole and known.
    pub(crate) fn verifies(&self, facts: &mut Checks, when: &str) {
        let program = match std::env::var_os("ESKER_NIX_REFERENCE") {
            Some(folder) => PathBuf::from(folder).join("nix-store"),
            None => PathBuf::from("nix-store"),
        };
        let mut command = Command::new(program);
        command.arg("--store").arg(self.store()).args(["--verify", "--check-contents"]).env("NIX_REMOTE", "");
        let output = command.output().expect("nix-store runs (nix-bin)");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let well = output.status.success() && !words.contains("error");
        facts.fact(&format!("{when}: the store verifies"), well, words);
        let database = self.store().join("nix/var/nix/db/db.sqlite");
        let output = Command::new("sqlite3").arg(database).arg("select path from ValidPaths").output();
        let known = String::from_utf8(output.expect("sqlite3 runs").stdout).expect("paths are text");
        let known: BTreeSet<&str> = known.lines().filter_map(|path| path.strip_prefix("/nix/store/")).collect();
        let entries = fs_err::read_dir(self.store().join("nix/store")).expect("the store");
        let mut remains: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().into_string().unwrap()).collect();
        remains.retain(|name| name != ".links" && !known.contains(name.as_str()));
        facts.fact(&format!("{when}: nothing half done is in it"), remains.is_empty(), format!("{remains:?}"));
    }
}

pub(crate) fn fails_naming(facts: &mut Checks, output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the exit code is 1", output.status.code() == Some(1), format!("{}: {text}", output.status));
    for word in words {
        facts.fact(&format!("`{word}` is said"), text.contains(word), &text);
    }
}

/// Makes a command the end of another one's arguments, with its environment.
pub(crate) fn append(outer: &mut Command, inner: &Command) {
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
}

/// A folder of downloads of a test's own: links to what the laboratory has.
pub(crate) fn own_cache(throwaway: &Throwaway) -> PathBuf {
    let cache = throwaway.folder.path().join("cache");
    let shared = place_of(&throwaway.lab, "ESKER_CACHE");
    let copy = |options: &[&str]| Command::new("cp").args(options).arg(&shared).arg(&cache).status().expect("cp runs");
    // Another filesystem cannot share files with this one.
    let copied = copy(&["-a", "--link"]).success() || copy(&["-a"]).success();
    assert!(copied, "the cache cannot be copied");
    cache
}

/// Takes a small package that every system has out of a folder of downloads; what the mirror calls it.
pub(crate) fn without_one_package(cache: &Path, mirror: &Mirror) -> String {
    // Other stories may have fetched it for the other architecture.
    let path = mirror.paths("/hostname_").into_iter().find(|path| path.ends_with("_amd64.deb"));
    let path = path.expect("the mirror has hostname");
    let file = mirror.file(&path).file_name().expect("a name").to_owned();
    fs_err::remove_file(cache.join("archive/debs").join(file)).expect("the download");
    path
}

/// A place that the laboratory's programs are told by a variable.
pub(crate) fn place_of(lab: &Lab, variable: &str) -> PathBuf {
    let command = lab.esker();
    let found = command.get_envs().find(|(name, _)| *name == variable).and_then(|(_, value)| value);
    // The thing itself: who copied a link to it would change what everybody uses.
    fs_err::canonicalize(found.unwrap_or_else(|| panic!("{variable} is not set"))).expect("its place")
}
