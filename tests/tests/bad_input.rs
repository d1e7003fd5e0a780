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
        let line =
            line.replace(&format!("{}/", bad.display()), "").replace(&format!("{}/", share.display()), "<esker>/");
        let line = line.replace(&format!("{}/", repository.display()), "<esker>/");
        let words: Vec<&str> = line.split(' ').map(|word| if is_version(word) { "<version>" } else { word }).collect();
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

/// A configuration that builds, and a store of its own that is thrown away; downloads are shared with other stories.
struct Throwaway {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Throwaway {
    fn new() -> Self {
        let lab = Lab::open("bad-input");
        let folder = tempfile::Builder::new().prefix("bad-input-").tempdir_in(lab.artifacts()).expect("a folder");
        // Makes the lock and fetches what it names where no story did so before.
        build(&lab, &lab.file("bad/parts/bootable.nix")).output().expect("esker runs");
        Self { lab, folder }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn build(&self) -> Command {
        let mut command = build(&self.lab, &self.lab.file("bad/parts/bootable.nix"));
        command.env("ESKER_STORE", self.store());
        command
    }

    /// Runs a command with a small filesystem of its own mounted on a folder, where only it sees it.
    fn with_mount(&self, options: &str, at: &Path, command: &Command) -> Output {
        fs_err::create_dir_all(at).expect("the mount point");
        let mut inside = Command::new("unshare");
        let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@""#;
        inside.args(["--mount", "--map-root-user", "--", "sh", "-c", script, "sh", options]).arg(at);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            inside.env(name, value.unwrap_or_default());
        }
        inside.output().expect("unshare runs (util-linux)")
    }

    /// Nix's own verdict about the store.
    fn verifies(&self, facts: &mut Checks) {
        let mut command = Command::new("nix-store");
        command.arg("--store").arg(self.store()).args(["--verify", "--check-contents"]);
        let output = command.output().expect("nix-store runs (nix-bin)");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        facts.fact("the store verifies", output.status.success() && !words.contains("error"), words);
    }
}

fn fails_naming(facts: &mut Checks, output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the exit code is 1", output.status.code() == Some(1), format!("{}: {text}", output.status));
    for word in words {
        facts.fact(&format!("`{word}` is said"), text.contains(word), &text);
    }
}

#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let output = throwaway.with_mount("size=40m", &throwaway.store(), &throwaway.build());
    fails_naming(&mut facts, &output, &["hint: the disk is full: `esker gc`"]);
    facts.done();
}

#[test]
fn a_read_only_store_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let output = throwaway.with_mount("ro", &throwaway.store(), &throwaway.build());
    fails_naming(&mut facts, &output, &["Read-only file system", "hint: that filesystem is read-only"]);
    facts.done();
}

#[test]
fn an_image_that_does_not_fit_on_the_disk_leaves_nothing_behind() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let place = throwaway.folder.path().join("small");
    let image = place.join("disk.img");
    let mut command = throwaway.lab.esker();
    command.arg("image").arg(throwaway.lab.file("bad/parts/bootable.nix")).arg("-o").arg(&image);
    let mut script = Command::new("sh");
    script.args(["-c", r#"folder=$1; shift; "$@"; code=$?; ls -A "$folder"; exit $code"#, "sh"]).arg(&place);
    script.arg(command.get_program()).args(command.get_args());
    script.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let output = throwaway.with_mount("size=20m", &place, &script);
    fails_naming(&mut facts, &output, &[&format!("`{}`", image.display()), "hint: the disk is full"]);
    let left = String::from_utf8_lossy(&output.stdout).into_owned();
    facts.fact("no part of the image stays", left.trim().is_empty(), left);
    facts.done();
}

#[test]
fn an_image_never_replaces_a_folder() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let configuration = lab.file("bad/parts/bootable.nix");
    let folder = lab.artifacts().to_owned();
    let output = lab.esker().arg("image").arg(&configuration).arg("-o").arg(&folder).output().expect("esker runs");
    fails_naming(&mut facts, &output, &["is a directory; give the name of a file"]);
    facts.done();
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let database = throwaway.store().join("nix/var/nix/db/db.sqlite");
    fs_err::create_dir_all(database.parent().expect("a folder")).expect("the database's folder");
    fs_err::write(database.with_file_name("schema"), "10").expect("the schema's number");
    let damaged = b"this was a database once, and is none now".repeat(200);
    fs_err::write(&database, &damaged).expect("the damaged database");
    let output = throwaway.build().output().expect("esker runs");
    fails_naming(&mut facts, &output, &["db.sqlite` is damaged", "hint: move the database away"]);
    let after = fs_err::read(&database).expect("the database");
    facts.fact("the database is as it was", after == damaged, after.len());
    facts.done();
}

#[test]
fn an_interrupt_leaves_a_store_that_verifies_and_the_next_build_goes_on() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let mut interrupted = Command::new("timeout");
    interrupted.args(["--preserve-status", "--signal=INT", "--kill-after=60", "2"]);
    let command = throwaway.build();
    interrupted.arg(command.get_program()).args(command.get_args());
    interrupted.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let output = interrupted.output().expect("timeout runs (coreutils)");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the exit code is 130", output.status.code() == Some(130), format!("{}: {text}", output.status));
    facts.fact("it says how to go on", text.contains("the same command goes on from there"), &text);
    throwaway.verifies(&mut facts);
    let output = throwaway.build().output().expect("esker runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the next build succeeds", output.status.success(), &text);
    facts.fact("it reuses what was finished", text.contains("reused"), &text);
    throwaway.verifies(&mut facts);
    facts.done();
}

/// The lock of the stories with something changed, beside an empty cache.
fn with_lock(lab: &Lab, folder: &Path, change: impl Fn(&str) -> String) -> Output {
    let lock =
        lab.esker().get_envs().find(|(name, _)| *name == "ESKER_LOCK").and_then(|(_, value)| value.map(PathBuf::from));
    let text = fs_err::read_to_string(lock.expect("a lock")).expect("the lock");
    let changed = folder.join("esker.lock");
    fs_err::write(&changed, change(&text)).expect("the changed lock");
    let mut command = build(lab, &lab.file("bad/parts/bootable.nix"));
    command.arg("--dry-run").env("ESKER_LOCK", changed).env("ESKER_CACHE", folder.join("cache"));
    command.output().expect("esker runs")
}

#[test]
fn a_lock_that_cannot_be_used_or_does_not_match_the_archive_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let (lab, folder) = (&throwaway.lab, throwaway.folder.path());
    let output = with_lock(lab, folder, |_| "version = [".to_owned());
    fails_naming(&mut facts, &output, &["the lock is malformed", "run `esker lock`"]);
    let output = with_lock(lab, folder, |text| text.replace("version = 1", "version = 99"));
    fails_naming(&mut facts, &output, &["the lock has format 99", "use a newer Esker"]);
    let zeros = "0".repeat(8);
    let output = with_lock(lab, folder, |text| {
        let parts: Vec<String> = text.split(" sha256 = \"").map(str::to_owned).collect();
        let changed =
            parts.iter().enumerate().map(|(i, p)| if i == 0 { p.clone() } else { format!("{zeros}{}", &p[8..]) });
        changed.collect::<Vec<_>>().join(" sha256 = \"")
    });
    fails_naming(
        &mut facts,
        &output,
        &["has the wrong SHA-256", "hint: esker.lock does not match the archive", "`esker update`"],
    );
    facts.done();
}

#[test]
fn an_altered_download_is_fetched_again_and_offline_is_an_error_that_names_it() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let cache = throwaway.folder.path().join("cache");
    let shared = throwaway
        .lab
        .esker()
        .get_envs()
        .find(|(name, _)| *name == "ESKER_CACHE")
        .and_then(|(_, v)| v.map(PathBuf::from));
    let copied = Command::new("cp").arg("-a").arg(shared.expect("a cache")).arg(&cache).status().expect("cp runs");
    assert!(copied.success(), "the cache cannot be copied");
    let debs = fs_err::read_dir(cache.join("archive/debs")).expect("downloads");
    for deb in debs.map(|entry| entry.expect("an entry").path()) {
        let mut bytes = fs_err::read(&deb).expect("a download");
        bytes.extend_from_slice(b"altered");
        fs_err::write(&deb, bytes).expect("the altered download");
    }
    let output = throwaway.build().arg("--offline").env("ESKER_CACHE", &cache).output().expect("esker runs");
    fails_naming(&mut facts, &output, &["was altered since", ".deb: cannot fetch", "--offline forbids fetching it"]);
    facts.fact("nothing altered is in the store", !output.status.success(), output.status);
    throwaway.verifies(&mut facts);
    facts.done();
}
