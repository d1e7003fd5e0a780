//! The rules of /etc, on small trees: what is declared before and after, what a person did in between.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::{EtcEntry, EtcKind, EtcManifest, EtcPlan, apply_additions, apply_changes, load_record, observe, plan_etc};
use crate::root::Root;
use crate::toplevel::Mode;

/// A root with one or more generations below /nix/store; files belong to whoever runs the tests.
struct World {
    _directory: tempfile::TempDir,
    root: Root,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        std::fs::create_dir_all(root.path("/etc")).unwrap();
        Self { _directory: directory, root }
    }

    /// Plans and applies a generation whose copies have the given contents.
    fn activate(&self, generation: &str, entries: Vec<EtcEntry>, copies: &[(&str, &str)]) -> EtcPlan {
        let plan = self.plan(generation, entries, copies);
        let failures = self.apply(&plan);
        assert_eq!(failures, Vec::<String>::new());
        plan
    }

    /// Answers the paths that failed.
    fn apply(&self, plan: &EtcPlan) -> Vec<String> {
        let failures = apply_additions(&self.root, plan).unwrap();
        let failures = apply_changes(&self.root, plan, failures).unwrap();
        failures.into_iter().map(|failure| failure.path).collect()
    }

    fn plan(&self, generation: &str, entries: Vec<EtcEntry>, copies: &[(&str, &str)]) -> EtcPlan {
        let static_etc = PathBuf::from(format!("/nix/store/{generation}-etc/etc"));
        for (path, content) in copies {
            let path = self.root.path(&static_etc).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let manifest = EtcManifest { entries: entries.into_iter().map(mine).collect() };
        manifest.check().unwrap();
        let record = load_record(&self.root).unwrap();
        let observed = observe(&self.root, &record, &manifest, &static_etc).unwrap();
        plan_etc(&record, &manifest, static_etc, &observed)
    }

    fn etc(&self, path: &str) -> PathBuf {
        self.root.path("/etc").join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.etc(path)).unwrap()
    }

    fn link(&self, path: &str) -> PathBuf {
        std::fs::read_link(self.etc(path)).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        self.etc(path).symlink_metadata().is_ok()
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.etc(path);
        if path.is_symlink() {
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn mine(entry: EtcEntry) -> EtcEntry {
    let here = std::fs::metadata("/proc/self").unwrap();
    EtcEntry { uid: Some(here.uid()), gid: Some(here.gid()), ..entry }
}

fn link(path: &str) -> EtcEntry {
    EtcEntry::link(path)
}

fn to(path: &str, target: &str) -> EtcEntry {
    EtcEntry { target: Some(target.to_owned()), ..EtcEntry::link(path) }
}

fn copy(path: &str) -> EtcEntry {
    EtcEntry::new(path, EtcKind::Copy)
}

#[test]
fn an_empty_etc_gets_everything_as_additions() {
    let world = World::new();
    let sudoers = EtcEntry { mode: Some(Mode(0o440)), ..copy("sudoers") };
    let entries = vec![link("ssh/sshd_config"), sudoers, to("localtime", "/usr/share/zoneinfo/UTC")];
    let plan = world.activate("1", entries, &[("sudoers", "root ALL\n")]);
    assert!(plan.changes.is_empty());
    assert_eq!(world.link("ssh/sshd_config"), Path::new("/etc/static/ssh/sshd_config"));
    assert_eq!(world.link("localtime"), Path::new("/usr/share/zoneinfo/UTC"));
    assert_eq!(world.read("sudoers"), "root ALL\n");
    assert_eq!(std::fs::metadata(world.etc("sudoers")).unwrap().mode() & 0o7777, 0o440);
}

#[test]
fn activating_twice_changes_nothing() {
    let world = World::new();
    let entries = vec![link("a/b"), copy("c"), EtcEntry::new("d", EtcKind::Directory)];
    world.activate("1", entries.clone(), &[("c", "text")]);
    let again = world.plan("1", entries, &[]);
    assert!(again.is_empty(), "{again}");
    assert_eq!(again.to_string(), "");
}

#[test]
fn a_rollback_takes_away_what_the_newer_generation_added() {
    let world = World::new();
    world.activate("1", vec![link("keep/a")], &[]);
    world.activate("2", vec![link("keep/a"), link("keep/b"), link("new/deep/c"), copy("d")], &[("d", "2")]);
    std::fs::write(world.etc("new/mine"), "a person's").unwrap();
    let plan = world.activate("1", vec![link("keep/a")], &[]);
    assert!(world.exists("keep/a") && !world.exists("keep/b") && !world.exists("d"));
    assert!(!world.exists("new/deep"), "an empty directory goes");
    assert_eq!(world.read("new/mine"), "a person's", "undeclared files are never touched");
    assert!(plan.to_string().contains("remove /etc/keep/b\n"), "{plan}");
}

#[test]
fn an_edit_stays_while_its_declaration_does() {
    let world = World::new();
    let entries = || vec![link("linked"), copy("copied")];
    world.activate("1", entries(), &[("copied", "1")]);
    world.write("linked", "edited");
    world.write("copied", "edited");
    let plan = world.activate("2", entries(), &[("copied", "1")]);
    assert_eq!(plan.kept_edits, ["copied", "linked"]);
    assert!(plan.is_empty());
    assert_eq!((world.read("linked"), world.read("copied")), ("edited".into(), "edited".into()));
    assert!(plan.to_string().contains("keep local edit /etc/linked"), "{plan}");
}

#[test]
fn an_edit_gives_way_to_a_changed_declaration_and_is_saved() {
    let world = World::new();
    world.activate("1", vec![to("moved", "/one"), copy("copied"), copy("gone")], &[("copied", "1"), ("gone", "1")]);
    for path in ["moved", "copied", "gone"] {
        world.write(path, "edited");
    }
    let plan = world.activate("2", vec![to("moved", "/two"), copy("copied")], &[("copied", "2")]);
    assert_eq!(plan.kept_edits, Vec::<String>::new());
    assert_eq!(world.link("moved"), Path::new("/two"));
    assert_eq!(world.read("copied"), "2");
    assert!(!world.exists("gone"));
    for path in ["moved", "copied", "gone"] {
        assert_eq!(world.read(&format!(".esker-replaced/{path}")), "edited", "{path}");
    }
    world.write("copied", "edited again");
    world.activate("3", vec![copy("copied")], &[("copied", "3")]);
    assert_eq!(world.read(".esker-replaced/copied"), "edited");
    assert_eq!(world.read(".esker-replaced/copied.~1~"), "edited again");
}

#[test]
fn a_file_that_was_there_before_it_was_declared_is_saved() {
    let world = World::new();
    world.write("hosts", "by hand");
    world.activate("1", vec![link("hosts")], &[]);
    assert_eq!(world.link("hosts"), Path::new("/etc/static/hosts"));
    assert_eq!(world.read(".esker-replaced/hosts"), "by hand");
    assert_eq!(std::fs::metadata(world.etc(".esker-replaced")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_removed_path_is_put_back() {
    let world = World::new();
    world.activate("1", vec![link("a"), link("b")], &[]);
    std::fs::remove_file(world.etc("a")).unwrap();
    let plan = world.activate("1", vec![link("a"), link("b")], &[]);
    assert!(world.exists("a"));
    assert_eq!(plan.to_string(), "add /etc/a\n");
}

#[test]
fn a_pristine_copy_follows_its_declaration() {
    let world = World::new();
    world.activate("1", vec![copy("c")], &[("c", "1")]);
    let plan = world.activate("2", vec![copy("c")], &[("c", "2")]);
    assert_eq!(world.read("c"), "2");
    assert_eq!(plan.to_string(), "change /etc/c\n");
    assert!(!world.exists(".esker-replaced"));
}

#[test]
fn a_changed_mode_is_corrected_without_touching_an_edit() {
    let world = World::new();
    let secret = || EtcEntry { mode: Some(Mode(0o600)), ..copy("c") };
    world.activate("1", vec![copy("c")], &[("c", "1")]);
    world.write("c", "edited");
    world.activate("2", vec![secret()], &[("c", "1")]);
    assert_eq!(world.read("c"), "edited");
    assert_eq!(std::fs::metadata(world.etc("c")).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn links_copies_and_directories_take_each_others_place() {
    let world = World::new();
    world.activate("1", vec![link("x"), link("y/z"), copy("w")], &[("w", "1")]);
    let second = vec![link("x/inner"), link("y"), EtcEntry::new("w", EtcKind::Directory)];
    world.activate("2", second, &[]);
    assert_eq!(world.link("x/inner"), Path::new("/etc/static/x/inner"));
    assert_eq!(world.link("y"), Path::new("/etc/static/y"));
    assert!(world.etc("w").is_dir());
    assert!(!world.exists(".esker-replaced"), "nobody edited anything");
    world.activate("1", vec![link("x"), link("y/z"), copy("w")], &[]);
    assert_eq!(world.link("x"), Path::new("/etc/static/x"));
    assert_eq!(world.read("w"), "1");
}

#[test]
fn a_directory_with_foreign_files_makes_room_whole() {
    let world = World::new();
    world.activate("1", vec![link("d/a")], &[]);
    world.write("d/mine", "kept");
    world.activate("2", vec![link("d")], &[]);
    assert_eq!(world.link("d"), Path::new("/etc/static/d"));
    assert_eq!(world.read(".esker-replaced/d/mine"), "kept");
}

#[test]
fn nothing_is_written_through_a_link_to_the_store() {
    let world = World::new();
    let store = world.root.path("/nix/store/1-etc/etc/d");
    std::fs::create_dir_all(&store).unwrap();
    symlink(&store, world.etc("d")).unwrap();
    world.activate("2", vec![link("d/a")], &[]);
    assert_eq!(std::fs::read_dir(store).unwrap().count(), 0);
    assert_eq!(world.link("d/a"), Path::new("/etc/static/d/a"));
}

#[test]
fn a_collected_old_generation_loses_no_edit() {
    let world = World::new();
    world.activate("1", vec![copy("c")], &[("c", "1")]);
    std::fs::remove_dir_all(world.root.path("/nix/store/1-etc")).unwrap();
    world.write("c", "edited");
    world.activate("2", vec![copy("c")], &[("c", "2")]);
    assert_eq!(world.read("c"), "2");
    assert_eq!(world.read(".esker-replaced/c"), "edited");
}

#[test]
fn a_step_that_fails_keeps_no_other_away_and_is_tried_again() {
    let world = World::new();
    // The copy's source is missing.
    let plan = world.plan("1", vec![link("a"), copy("missing"), link("z")], &[]);
    assert_eq!(world.apply(&plan), ["missing"]);
    assert!(world.exists("a") && world.exists("z"));
    world.activate("1", vec![link("a"), copy("missing"), link("z")], &[("missing", "now")]);
    assert_eq!(world.read("missing"), "now");
}
