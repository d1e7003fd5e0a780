//! What the archive gives is not what was asked for, or does not come whole.

use std::path::Path;
use std::process::{Command, Output};

use stories::mirror::{Fault, Mirror};
use stories::{Checks, Lab};

use crate::{Throwaway, build, fails_naming, own_cache, place_of, without_one_package};

/// A build with the lock of the stories changed, an empty cache, and a mirror of the archive that has moved on.
fn with_lock(lab: &Lab, folder: &Path, change: impl Fn(&str) -> String) -> Output {
    let text = fs_err::read_to_string(place_of(lab, "ESKER_LOCK")).expect("the lock");
    let changed = folder.join("esker.lock");
    fs_err::write(&changed, change(&text)).expect("the changed lock");
    let mut command = build(lab, &lab.file("bad/parts/bootable.nix"));
    command.arg("--dry-run").env("ESKER_LOCK", changed).env("ESKER_CACHE", folder.join("cache"));
    let mirror = Mirror::start(lab);
    mirror.name_to(&mut command);
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
    let shared = place_of(&throwaway.lab, "ESKER_CACHE");
    let copied = Command::new("cp").arg("-a").arg(shared).arg(&cache).status().expect("cp runs");
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
    throwaway.verifies(&mut facts, "afterwards");
    facts.done();
}

#[test]
fn a_package_with_a_wrong_hash_is_named_and_thrown_away() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let mirror = Mirror::start(&throwaway.lab);
    let cache = own_cache(&throwaway);
    let path = without_one_package(&cache, &mirror);
    mirror.misbehave("/hostname_", Fault::Altered);
    let mut command = throwaway.build();
    mirror.name_to(command.env("ESKER_CACHE", &cache));
    let output = command.output().expect("esker runs");
    let words = [
        &*format!("`mirror://debian/{path}` has the wrong SHA-256: expected"),
        "hint: what the mirror gave was thrown away",
    ];
    fails_naming(&mut facts, &output, &words);
    let left = parts(&cache);
    facts.fact("nothing of it stays", left.is_empty(), format!("{left:?}"));
    throwaway.verifies(&mut facts, "afterwards");
    facts.done();
}

/// What was begun to be fetched.
fn parts(cache: &Path) -> Vec<(String, u64)> {
    let folders = ["archive/debs", "archive/by-hash"].map(|folder| cache.join(folder));
    let entries = folders.iter().filter(|folder| folder.exists()).flat_map(|f| fs_err::read_dir(f).expect("a folder"));
    let files = entries.map(|entry| entry.expect("an entry"));
    files
        .map(|file| (file.file_name().into_string().expect("a name"), file.metadata().expect("its length").len()))
        .filter(|(name, _)| name.ends_with(".part"))
        .collect()
}

#[test]
fn an_index_with_a_wrong_hash_is_named() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let mirror = Mirror::start(&throwaway.lab);
    mirror.misbehave("main/binary-amd64", Fault::Altered);
    let cache = throwaway.folder.path().join("cache");
    let mut command = throwaway.build();
    mirror.name_to(command.arg("--dry-run").env("ESKER_CACHE", &cache));
    let output = command.output().expect("esker runs");
    let words = ["package index of trixie/main for amd64", "has the wrong SHA-256", "hint: esker.lock does not match"];
    fails_naming(&mut facts, &output, &words);
    let left = parts(&cache);
    facts.fact("nothing of it stays", left.is_empty(), format!("{left:?}"));
    facts.done();
}

#[test]
fn an_interrupted_download_is_named_and_the_next_run_goes_on_from_there() {
    const CUT: u64 = 2000;
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let mirror = Mirror::start(&throwaway.lab);
    let cache = own_cache(&throwaway);
    let path = without_one_package(&cache, &mirror);
    mirror.misbehave("/hostname_", Fault::CutAfter(CUT));
    let run = |options: &[&str]| {
        let mut command = throwaway.build();
        mirror.name_to(command.args(options).env("ESKER_CACHE", &cache));
        command.output().expect("esker runs")
    };
    let output = run(&[]);
    let words = [
        &*format!("cannot fetch `mirror://debian/{path}`"),
        "hint: run the same command again: what came so far is kept",
    ];
    fails_naming(&mut facts, &output, &words);
    let left = parts(&cache);
    facts.fact("what came is kept", left.iter().map(|(_, bytes)| *bytes).eq([CUT]), format!("{left:?}"));
    throwaway.verifies(&mut facts, "after the connection broke");
    mirror.behave();
    let output = run(&[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the next build succeeds", output.status.success(), text);
    let asked: Vec<u64> = mirror.asked("/hostname_").iter().map(|asked| asked.from.unwrap_or(0)).collect();
    let only_the_rest = asked.len() > 2 && asked[0] == 0 && asked[1..].iter().all(|&from| from == CUT);
    facts.fact("both asked only for the rest, the first again and again", only_the_rest, format!("{asked:?}"));
    facts.fact("nothing is begun any more", parts(&cache).is_empty(), "");
    throwaway.verifies(&mut facts, "in the end");
    facts.done();
}

#[test]
fn an_unsigned_or_altered_release_is_refused_and_the_lock_stays() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let (lab, folder) = (&throwaway.lab, throwaway.folder.path());
    let mirror = Mirror::start(lab);
    let release = fs_err::read_to_string(mirror.file("dists/trixie/InRelease")).expect("a Release file");
    let (head, body) = release.split_once("\n\n").expect("a signed text");
    let signed = body.split("-----BEGIN PGP SIGNATURE-----").next().expect("the text");
    let unsigned = signed.to_owned();
    let altered = format!("{head}\n\n{}", body.replacen("Codename: trixie", "Codename: trixia", 1));
    let old = fs_err::read(place_of(lab, "ESKER_LOCK")).expect("the lock");
    for (text, reason) in [(unsigned, "the file is not signed"), (altered, "none of its signatures is a valid one")] {
        mirror.behave();
        mirror.misbehave("dists/trixie/InRelease", Fault::Replaced(text.into_bytes()));
        for command in ["lock", "update"] {
            let lock = folder.join(format!("{command}.lock"));
            if command == "update" {
                fs_err::write(&lock, &old).expect("an older lock");
            }
            let mut esker = lab.esker();
            esker.arg(command).arg(lab.file("bad/parts/bootable.nix")).env("ESKER_LOCK", &lock);
            mirror.name_to(esker.env("ESKER_CACHE", folder.join("cache")));
            let output = esker.output().expect("esker runs");
            let words = ["the Release file of `trixie` is not accepted as Debian's", reason, "hint: "];
            fails_naming(&mut facts, &output, &words);
            let now = fs_err::read(&lock).ok();
            let same = now == (command == "update").then(|| old.clone());
            facts.fact(
                &format!("`esker {command}` leaves the lock alone"),
                same,
                format!("{} bytes", now.map_or(0, |l| l.len())),
            );
        }
    }
    facts.done();
}
