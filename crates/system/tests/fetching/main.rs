//! What `builtins.fetch*` and import from derivation give, beside the reference where there is one.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use build::{Cancellation, Silent};
use system::SessionOptions;
use system::language::{Action, Input, Instantiation, Language, LanguageOptions, NixSettings, Printing};
use test_server::{Response, WebServer};

mod flakes;

/// A folder with a store of its own.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn eval(&self, text: &str) -> Result<String, String> {
        self.eval_with(text, true)
    }

    fn eval_with(&self, text: &str, impure: bool) -> Result<String, String> {
        let language = Language::new(LanguageOptions {
            session: SessionOptions {
                store: Some(self.path("ours")),
                offline: false,
                archive: system::ArchiveOptions::default(),
                jobs: Some(1),
                colour: false,
                full_trace: false,
                observer: Arc::new(Silent),
                cancellation: Cancellation::new(),
            },
            impure,
            features: lang::Settings::EXPERIMENTAL.iter().map(|name| (*name).to_owned()).collect(),
            search_path: Vec::new(),
            trace_verbose: false,
            suspend_literals: false,
            nix: Some(NixSettings::default()),
        });
        let wanted = Instantiation {
            input: Input::Expressions(vec![text.to_owned()]),
            attributes: Vec::new(),
            arguments: Vec::new(),
            action: Action::Evaluate { strict: true, printing: Printing::Json },
            read_write: true,
        };
        let mut out = Vec::new();
        let result = language.and_then(|language| language.instantiate(&wanted, &mut out));
        result.map(|()| String::from_utf8(out).unwrap().trim_end().to_owned()).map_err(|e| e.to_string())
    }

    /// The same by the reference, in a store of its own; nothing where there is no reference.
    fn reference(&self, text: &str) -> Option<String> {
        let bin = std::env::var_os("ESKER_NIX_REFERENCE")?;
        let output = Command::new(Path::new(&bin).join("nix-instantiate"))
            .args(["--eval", "--strict", "--json", "--read-write-mode", "--store"])
            .arg(self.path("theirs"))
            .args(["--option", "experimental-features", "flakes fetch-tree", "-E", text])
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    /// What Esker makes of a text, which must be what the reference makes of it.
    fn both(&self, text: &str) -> String {
        let ours = self.eval(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        if let Some(theirs) = self.reference(text) {
            assert_eq!(ours, theirs, "{text}");
        }
        ours
    }

    /// Runs a program in the folder.
    fn run(&self, command: &[&str]) {
        let status = Command::new(command[0]).args(&command[1..]).current_dir(self.folder.path()).status();
        assert!(status.unwrap().success(), "{command:?}");
    }

    fn git(&self, args: &[&str]) -> String {
        let folder = self.path("repository");
        std::fs::create_dir_all(&folder).unwrap();
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-C"])
            .arg(&folder)
            .args(args)
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A repository with one commit, whose name is given.
    fn repository(&self) -> String {
        self.git(&["init", "--quiet"]);
        let folder = self.path("repository");
        std::fs::write(folder.join("a"), "first\n").unwrap();
        std::os::unix::fs::symlink("a", folder.join("link")).unwrap();
        std::fs::write(folder.join("run"), "#!/bin/sh\n").unwrap();
        self.git(&["add", "."]);
        self.git(&["update-index", "--chmod=+x", "run"]);
        self.git(&["commit", "--quiet", "-m", "one"]);
        self.git(&["checkout", "--", "."]);
        self.git(&["rev-parse", "HEAD"])
    }
}

#[test]
fn a_file_is_fetched_by_its_url() {
    let lab = Lab::new();
    std::fs::write(lab.path("x.txt"), "hello\n").unwrap();
    let url = format!("file://{}", lab.path("x.txt").display());
    let hash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let fetch = format!("builtins.fetchurl {{ url = \"{url}\"; sha256 = \"{hash}\"; }}");
    let text = format!("let f = {fetch}; in [ f (builtins.readFile f) ]");
    let shown = lab.both(&text);
    assert!(shown.ends_with(r#"-x.txt","hello\n"]"#), "{shown}");
    // What is in the store is not fetched again.
    std::fs::remove_file(lab.path("x.txt")).unwrap();
    assert_eq!(lab.eval(&text).unwrap(), shown);
    let wrong = lab.eval(&format!("builtins.fetchurl {{ url = \"{url}2\"; sha256 = \"{hash}\"; name = \"y\"; }}"));
    assert!(wrong.unwrap_err().contains("unable to download"));
}

#[test]
fn a_wrong_hash_is_an_error() {
    let lab = Lab::new();
    std::fs::write(lab.path("x.txt"), "other\n").unwrap();
    let url = format!("file://{}", lab.path("x.txt").display());
    let text = format!("builtins.fetchurl {{ url = \"{url}\"; sha256 = \"{}\"; }}", "0".repeat(64));
    let error = lab.eval(&text).unwrap_err();
    assert!(error.contains("hash mismatch") && error.contains("got:"), "{error}");
    let unlocked = lab.eval_with(&format!("builtins.fetchurl \"{url}\""), false);
    assert!(unlocked.unwrap_err().contains("requires a 'sha256' argument"));
}

#[test]
fn a_file_comes_over_http() {
    let lab = Lab::new();
    let server = WebServer::start(|_| Response::bytes("hello\n"));
    let address = server.address();
    let shown = lab.eval(&format!("builtins.readFile (builtins.fetchurl \"{address}/a/x.txt\")"));
    assert_eq!(shown.unwrap(), r#""hello\n""#);
    assert_eq!(server.requests()[0].path, "a/x.txt");
}

#[test]
fn an_archive_is_unpacked_without_its_only_folder() {
    let lab = Lab::new();
    let tree = lab.path("tree/package-1.0/bin");
    std::fs::create_dir_all(&tree).unwrap();
    std::fs::write(tree.join("x"), "x\n").unwrap();
    std::os::unix::fs::symlink("x", tree.join("y")).unwrap();
    let tar = ["tar", "--mtime=@1700000000", "-C", "tree", "package-1.0"];
    for (flag, name) in [("-cf", "a.tar"), ("-czf", "a.tar.gz"), ("-cJf", "a.tar.xz"), ("-cjf", "a.tar.bz2")] {
        lab.run(&[&tar[..1], &[flag, name], &tar[1..]].concat());
        unpacks_the_package(&lab, name);
    }
    // A zip archive has the files' own times.
    std::fs::set_permissions(tree.join("x"), std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.run(&["find", "tree", "-exec", "touch", "-h", "-d", "@1700000001", "{}", "+"]);
    lab.run(&["sh", "-c", "cd tree && zip -q -r -y ../a.zip package-1.0"]);
    unpacks_the_package(&lab, "a.zip");
}

fn unpacks_the_package(lab: &Lab, archive: &str) {
    let url = format!("file://{}", lab.path(archive).display());
    let text = format!("let t = builtins.fetchTarball \"{url}\"; in [ t (builtins.readDir \"${{t}}/bin\") ]");
    let shown = lab.both(&text);
    assert!(shown.ends_with(r#"-source",{"x":"regular","y":"symlink"}]"#), "{shown}");
    lab.both(&format!("removeAttrs (builtins.fetchTree {{ type = \"tarball\"; url = \"{url}\"; }}) [ ]"));
}

#[test]
fn an_archive_writes_only_its_own_files() {
    let lab = Lab::new();
    let outside = lab.path("outside");
    std::fs::write(&outside, "kept\n").unwrap();
    std::fs::create_dir(lab.path("tree")).unwrap();
    std::os::unix::fs::symlink(&outside, lab.path("tree/x")).unwrap();
    lab.run(&["tar", "-cf", "a.tar", "-C", "tree", "x"]);
    std::fs::remove_file(lab.path("tree/x")).unwrap();
    std::fs::write(lab.path("tree/x"), "of the archive\n").unwrap();
    lab.run(&["tar", "-rf", "a.tar", "-C", "tree", "x"]);
    let url = format!("file://{}", lab.path("a.tar").display());
    let shown = lab.eval(&format!("builtins.readFile \"${{builtins.fetchTarball \"{url}\"}}/x\""));
    assert_eq!(shown.unwrap(), r#""of the archive\n""#);
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "kept\n");
}

/// All attributes of a fetched tree, its path too.
fn all(fetch: &str) -> String {
    format!("let t = {fetch}; in [ t.outPath (removeAttrs t [ \"outPath\" ]) ]")
}

#[test]
fn a_commit_of_a_local_repository() {
    let lab = Lab::new();
    let rev = lab.repository();
    let folder = lab.path("repository");
    let folder = folder.display();
    let shown = lab.both(&all(&format!("builtins.fetchGit \"{folder}\"")));
    assert!(shown.contains(&rev) && shown.contains(r#""revCount":1"#), "{shown}");
    lab.git(&["checkout", "--quiet", "-b", "other"]);
    std::fs::write(lab.path("repository/b"), "second\n").unwrap();
    lab.git(&["add", "b"]);
    lab.git(&["commit", "--quiet", "-m", "two"]);
    let old = lab.both(&all(&format!("builtins.fetchGit {{ url = \"{folder}\"; rev = \"{rev}\"; }}")));
    assert!(old.contains(&rev), "{old}");
    let main = format!("builtins.fetchGit {{ url = \"{folder}\"; ref = \"main\"; }}");
    assert_eq!(lab.both(&format!("builtins.attrNames (builtins.readDir ({main}))")), r#"["a","link","run"]"#);
    lab.both(&all(&format!("builtins.fetchTree {{ type = \"git\"; url = \"file://{folder}\"; }}")));
    let missing = lab.eval(&format!("builtins.fetchGit {{ url = \"{folder}\"; ref = \"nope\"; }}"));
    assert!(missing.unwrap_err().contains("nope"));
}

#[test]
fn tracked_files_with_changes_that_are_not_committed() {
    let lab = Lab::new();
    lab.repository();
    std::fs::write(lab.path("repository/a"), "changed\n").unwrap();
    std::fs::write(lab.path("repository/untracked"), "no\n").unwrap();
    let folder = lab.path("repository");
    let fetch = format!("builtins.fetchGit \"{}\"", folder.display());
    let shown = lab.both(&all(&fetch));
    assert!(shown.contains("-dirty") && shown.contains(&"0".repeat(40)), "{shown}");
    let text =
        format!("let t = {fetch}; in [ (builtins.readFile \"${{t}}/a\") (builtins.attrNames (builtins.readDir t)) ]");
    assert_eq!(lab.both(&text), r#"["changed\n",["a","link","run"]]"#);
}

#[test]
fn a_folder_as_a_tree() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("tree")).unwrap();
    std::fs::write(lab.path("tree/a"), "a").unwrap();
    let tree = lab.path("tree");
    lab.both(&all(&format!("builtins.fetchTree {{ type = \"path\"; path = \"{}\"; }}", tree.display())));
    lab.both(&all(&format!("builtins.fetchTree \"path:{}\"", tree.display())));
}

#[test]
fn a_derivation_is_built_for_what_reads_it() {
    let lab = Lab::new();
    std::fs::write(lab.path("x.nix"), "1 + 41\n").unwrap();
    let url = format!("file://{}", lab.path("x.nix").display());
    let text = format!(
        r#"let
          drv = derivation {{
            name = "x.nix"; system = "builtin"; builder = "builtin:fetchurl"; url = "{url}"; urls = [ "{url}" ];
            unpack = false; executable = false; outputHashMode = "flat"; outputHashAlgo = "sha256";
            outputHash = builtins.hashString "sha256" "1 + 41\n";
          }};
        in [ (import drv) (builtins.readFile drv) (builtins.pathExists drv) ]"#
    );
    assert_eq!(lab.eval(&text).unwrap(), r#"[42,"1 + 41\n",true]"#);
}

#[test]
fn what_needs_a_derivation_that_is_made_is_written_but_not_built() {
    let lab = Lab::new();
    let text = r#"let
        hash = builtins.hashString "sha256" "";
        fetch = attrs: derivation ({
          system = "builtin"; builder = "builtin:fetchurl"; url = "file:///nowhere"; outputHash = hash; outputHashAlgo = "sha256";
        } // attrs);
        maker = fetch { name = "made.drv"; outputHashMode = "text"; };
        user = fetch { name = "user"; made = builtins.outputOf maker.outPath "out"; };
      in builtins.readFile user"#;
    let error = lab.eval(text).unwrap_err();
    assert!(error.contains("user.drv` needs an output of a derivation that building"), "{error}");
    let written = std::fs::read_dir(lab.path("ours/nix/store")).unwrap().map(|entry| entry.unwrap().path());
    let written = written.filter(|path| path.to_string_lossy().ends_with("-user.drv")).collect::<Vec<_>>();
    assert!(std::fs::read_to_string(&written[0]).unwrap().starts_with("DrvWithVersion(\"xp-dyn-drv\","));
}

#[test]
fn what_waits_to_be_written_can_be_read() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("tree")).unwrap();
    std::fs::write(lab.path("tree/a"), "a").unwrap();
    let tree = lab.path("tree");
    let text = format!(
        r#"[ (builtins.readFile "${{{tree}}}/a") (builtins.readFile (builtins.toFile "x" "y"))
             (builtins.readDir (builtins.path {{ path = {tree}; name = "t"; }}))
             (import (builtins.toFile "x.nix" "1 + 1")) ]"#,
        tree = tree.display()
    );
    assert_eq!(lab.eval(&text).unwrap(), r#"["a","y",{"a":"regular"},2]"#);
}
