//! The pin of the archive moves on demand and never back: what changes is said, security fixes first; an older lock builds
//! as long as its files can be had; a mirror that is stopped, behind or altered is refused. The archive is one of this host,
//! signed with a key of its own. No machine is booted here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stories::{Checks, DebianArchive, Extent, Invented, Lab, State};

const WEEK: u64 = 7 * 24 * 3600;

const fn invented(name: &'static str, version: &'static str, depends: &'static str, suite: &'static str) -> Invented {
    Invented { name, version, depends, suite }
}

const APP: Invented = invented("story-app", "1.0", "story-zlib, story-old", "trixie");
const OLD: Invented = invented("story-old", "1.0", "", "trixie");
const ZLIB: Invented = invented("story-zlib", "1.0", "", "trixie");
const NEW_APP: Invented = invented("story-app", "1.1", "story-zlib, story-new", "trixie-updates");
const NEW: Invented = invented("story-new", "1.0", "", "trixie-updates");
const FIXED_AGAIN: Invented = invented("story-zlib", "1.0+deb13u2", "", "trixie-security");
const FIXED_ZLIB: Invented = invented("story-zlib", "1.0+deb13u1", "", "trixie-security");

/// A configuration with a package of the archive, its lock beside it.
struct Story {
    lab: Lab,
    archive: DebianArchive,
    folder: tempfile::TempDir,
    now: u64,
}

impl Story {
    fn new() -> Self {
        let lab = Lab::open("update");
        let first = lab.file("systems/first.nix");
        // The laboratory's lock, and the indices that it pins.
        lab.run(&["search", "--configuration", first.to_str().expect("a path in UTF-8"), "coreutils"]);
        let archive = DebianArchive::new(&lab, Extent::Everything);
        let folder = tempfile::Builder::new().prefix("update-").tempdir_in(lab.artifacts()).expect("a folder");
        let text = r#"{ pkgs, ... }: {
            networking.hostName = "updates";
            boot.kernelPackages = pkgs.linuxPackages_cloud;
            environment.systemPackages = [ pkgs.story-app ];
            users.users.root.initialPassword = "x";
        }"#;
        fs_err::write(folder.path().join("configuration.nix"), text).expect("the configuration");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        Self { lab, archive, folder, now }
    }

    fn first_state(&self) -> State {
        State { packages: vec![APP, OLD, ZLIB], date: self.now - WEEK, valid_for: Some(2 * WEEK) }
    }

    fn second_state(&self) -> State {
        let packages = vec![APP, OLD, ZLIB, NEW_APP, NEW, FIXED_ZLIB];
        State { packages, date: self.now - 3600, valid_for: Some(WEEK) }
    }

    fn lock(&self) -> PathBuf {
        self.folder.path().join("esker.lock")
    }

    fn locked(&self) -> String {
        fs_err::read_to_string(self.lock()).expect("the lock")
    }

    /// The program on this configuration, with the archive as mirror.
    fn esker(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.esker();
        command.env("ESKER_LOCK", self.lock()).args(arguments);
        command.args(self.archive.options(&format!("file:{}", self.archive.folder().display())));
        command.arg("--archive-keys").arg(self.archive.keys()).arg(self.folder.path());
        command
    }

    fn says(&self, arguments: &[&str]) -> Output {
        self.esker(arguments).output().expect("esker runs")
    }
}

fn standard_output(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn standard_error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeds(checks: &mut Checks, name: &str, output: &Output) {
    checks.fact(name, output.status.success(), standard_error(output));
}

/// A command that must fail with these words, and must leave the lock as it is.
fn refused(checks: &mut Checks, story: &Story, name: &str, words: &[&str]) {
    let before = story.locked();
    let output = story.says(&["update"]);
    let text = standard_error(&output);
    checks.fact(&format!("{name} is refused"), output.status.code() == Some(1), &text);
    for word in words {
        checks.fact(&format!("{name}: it says `{word}`"), text.contains(word), &text);
    }
    checks.fact(&format!("{name}: the lock stays"), story.locked() == before, "it moved");
}

#[test]
fn the_pin_moves_forward_and_says_what_changes() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.archive.publish(&story.first_state());
    succeeds(&mut checks, "the archive is pinned", &story.says(&["lock"]));
    let first = story.locked();

    story.archive.publish(&story.second_state());
    moves(&story, &first, &mut checks);
    let second = story.locked();
    older_locks(&story, &first, &mut checks);
    fs_err::write(story.lock(), &second).expect("the lock");
    attacks(&story, &mut checks);
    checks.done();
}

const EXPECTED: &str = "security fixes (1):
  story-zlib 1.0 → 1.0+deb13u1
upgraded (1):
  story-app 1.0 → 1.1
added (1):
  story-new 1.0
removed (1):
  story-old 1.0
to download: 0.0 MB
";

fn moves(story: &Story, first: &str, checks: &mut Checks) {
    let dry = story.says(&["update", "--dry-run", "--json"]);
    succeeds(checks, "a dry run succeeds", &dry);
    checks.fact("a dry run leaves the lock", story.locked() == first, "it moved");
    let json: Value = serde_json::from_slice(&dry.stdout).unwrap_or_default();
    checks.fact("the archive has moved", json["moved"] == true, &json);
    let upgraded = &json["changes"]["upgraded"];
    checks.fact("the security fix is the first upgrade", upgraded[0]["name"] == "story-zlib", upgraded);
    checks.fact("it is marked as one", upgraded[0]["security"] == true && upgraded[1]["security"] == false, upgraded);
    let presence = (&json["changes"]["added"][0]["name"], &json["changes"]["removed"][0]["name"]);
    checks.fact("what comes and goes is listed", presence.0 == "story-new" && presence.1 == "story-old", &json);

    let update = story.says(&["update"]);
    succeeds(checks, "the update succeeds", &update);
    checks.fact("the lock moves", story.locked() != first, "it did not");
    let text = standard_output(&update);
    checks.fact("it says what changes", text.ends_with(EXPECTED), &text);
    let suites: Vec<&str> = text.lines().take_while(|line| line.contains(": ")).collect();
    checks.fact("it says which suites moved", suites.len() == 3 && suites[0].contains(" → "), &text);
    let again = story.says(&["update"]);
    checks.fact("then there is nothing to move", standard_output(&again) == "the archive has not moved\n", &text);

    let built = story.says(&["build", "--no-link", "--json"]);
    succeeds(checks, "the new lock builds", &built);
    checks.fact("the new version is in the system", version_in(&built) == "1.1", version_in(&built));
}

/// The version of the story's package in a system that was built: its /usr has a link to the package's path.
fn version_in(built: &Output) -> String {
    let json: Value = serde_json::from_slice(&built.stdout).unwrap_or_default();
    let toplevel = Path::new(json["path"].as_str().expect("a path"));
    let view = fs_err::read_link(toplevel.join("sw")).expect("the view");
    let view = toplevel.with_file_name(view.file_name().expect("a name"));
    let target = fs_err::read_link(view.join("share/story-app")).expect("a link into the store");
    let (_, after) = target.to_str().and_then(|path| path.split_once("-story-app-")).expect("the package's path");
    after.split('/').next().unwrap_or_default().to_owned()
}

/// The first lock, with another cache: nothing of it was downloaded.
fn older_locks(story: &Story, first: &str, checks: &mut Checks) {
    fs_err::write(story.lock(), first).expect("the lock");
    let cache = story.folder.path().join("cache");
    let build = |name: &str| {
        let mut command = story.esker(&["build", "--no-link", "--json"]);
        command.env("ESKER_CACHE", &cache).output().unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let (file, hidden) = (story.archive.file_of(&APP), story.folder.path().join("hidden"));
    fs_err::rename(&file, &hidden).expect("the package is taken away");
    let output = build("without the file");
    let text = standard_error(&output);
    checks.fact("a lock whose files are gone does not build", output.status.code() == Some(1), &text);
    for word in ["story-app", "story-app_1.0_all.deb` (any more)", "`esker update`"] {
        checks.fact(&format!("it says `{word}`"), text.contains(word), &text);
    }
    fs_err::rename(&hidden, &file).expect("the package is put back");
    let output = build("with the file");
    succeeds(checks, "an older lock builds while its files are there", &output);
    checks.fact("it builds the old version", version_in(&output) == "1.0", version_in(&output));
}

fn attacks(story: &Story, checks: &mut Checks) {
    let unsigned = story
        .lab
        .esker()
        .env("ESKER_LOCK", story.lock())
        .arg("update")
        .arg(story.folder.path())
        .args(story.archive.options(&format!("file:{}", story.archive.folder().display())))
        .output()
        .expect("esker runs");
    let text = standard_error(&unsigned);
    checks.fact("another's signature is none of Debian's", text.contains("is not accepted as Debian's"), &text);

    story.archive.publish(&story.first_state());
    refused(checks, story, "an older state", &["is older than the lock's", "the mirror is out of date"]);

    let frozen = State { valid_for: Some(600), ..story.second_state() };
    story.archive.publish(&frozen);
    refused(checks, story, "a frozen state", &["expired on", "--accept-expired"]);
    let accepted = story.says(&["update", "--dry-run", "--accept-expired"]);
    succeeds(checks, "a frozen state can be accepted", &accepted);

    let newer = State { date: story.now, ..story.second_state() };
    story.archive.publish(&newer);
    let release = story.archive.folder().join("debian-security/dists/trixie-security/InRelease");
    let text = fs_err::read_to_string(&release).expect("InRelease");
    fs_err::write(&release, text.replacen("Codename", "X-Other: 1\nCodename", 1)).expect("the altered InRelease");
    refused(
        checks,
        story,
        "an altered Release file",
        &["is not accepted as Debian's", "valid one by a trusted archive key"],
    );

    // An index that was not fetched before.
    let newest = State { packages: [newer.packages, vec![FIXED_AGAIN]].concat(), ..newer };
    story.archive.publish(&newest);
    let index = story.archive.folder().join("debian-security/dists/trixie-security/main/binary-amd64");
    for file in [index.join("Packages.xz")].into_iter().chain(files_in(&index.join("by-hash/SHA256"))) {
        let mut bytes = fs_err::read(&file).expect("an index");
        bytes.push(0);
        fs_err::write(&file, bytes).expect("the altered index");
    }
    refused(checks, story, "an altered index", &["wrong SHA-256", "package index of trixie-security/main"]);
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}
