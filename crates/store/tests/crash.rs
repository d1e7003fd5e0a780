//! Killed at any moment, two writers at once, and a full disk: the store stays valid.
//!
//! Has its own `main`, because it runs itself again as the process to be killed. Needs `unshare` and `mount` (Debian
//! packages util-linux and mount) and user namespaces for the disk that is full.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and this one prints what other tests' harness prints"
)]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use store::{ContentCheck, GcRequest, Repair, Store, StoreError, StoreOptions};

const ROLE: &str = "ESKER_CRASH_ROLE";
const ROOT: &str = "ESKER_CRASH_ROOT";

fn main() {
    let root = std::env::var_os(ROOT).map(PathBuf::from).unwrap_or_default();
    match std::env::var(ROLE).as_deref() {
        Ok("writer") => write_for_ever(&root),
        Ok("adder") => add_hundred(&root),
        Ok("filler") => fill_the_disk(&root),
        Ok(other) => panic!("unknown role {other}"),
        Err(_) => {
            killed_writers_leave_a_valid_store();
            println!("killed_writers_leave_a_valid_store: ok");
            processes_that_add_the_same_paths_do_not_disturb_each_other();
            println!("processes_that_add_the_same_paths_do_not_disturb_each_other: ok");
            a_full_disk_is_an_error_and_collecting_helps();
            println!("a_full_disk_is_an_error_and_collecting_helps: ok");
        }
    }
}

fn open(root: &Path) -> Store {
    Store::open(StoreOptions::new(root)).unwrap()
}

fn myself(role: &str, root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role).env(ROOT, root);
    command
}

/// A tree of a few files, different for each number.
fn make_tree(folder: &Path, number: u32) -> PathBuf {
    let tree = folder.join(format!("tree-{number}"));
    std::fs::create_dir_all(tree.join("folder")).unwrap();
    std::fs::write(tree.join("number"), format!("{number}")).unwrap();
    std::fs::write(tree.join("folder/same"), vec![1; 20_000]).unwrap();
    tree
}

fn write_for_ever(root: &Path) {
    let folder = tempfile::tempdir_in(root).unwrap();
    let store = open(&root.join("store"));
    for round in std::process::id().. {
        let mut batch = store.batch().unwrap();
        for i in 0..10 {
            let tree = batch.add_tree("tree", &make_tree(folder.path(), round + i)).unwrap();
            let text = store.logical(&tree);
            batch.add_text(&format!("text-{i}"), text.as_bytes(), BTreeSet::from([tree])).unwrap();
        }
        batch.commit().unwrap();
        // The parent may have stopped listening.
        let _ = std::io::stdout().write_all(b"c");
        let _ = std::io::stdout().flush();
        store.optimise().unwrap();
        if round % 3 == 0 {
            // The temporary roots of `store` keep what this process has added; what killed ones left goes.
            store.collect_garbage(GcRequest::Delete).unwrap();
        }
    }
}

fn assert_valid(store: &Store) {
    let report = store.verify(ContentCheck::Hash, Repair::Report).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

fn killed_writers_leave_a_valid_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut registered = 0;
    for delay_ms in [5, 0, 20, 35, 50, 65, 80, 95, 110, 125, 140, 155, 170] {
        let mut child = myself("writer", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        // Every other time only after a first commit; the others may be killed before there is a database.
        if delay_ms % 2 == 0 {
            let mut first = [0];
            child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "the writer ended by itself");
        let store = open(&folder.path().join("store"));
        assert_valid(&store);
        registered += store.all_valid().unwrap().len();
    }
    assert!(registered > 0, "nothing was ever registered");
    let store = open(&folder.path().join("store"));
    store.collect_garbage(GcRequest::Delete).unwrap();
    let left: Vec<_> = std::fs::read_dir(store.layout().physical_store()).unwrap().flatten().collect();
    let names: Vec<_> = left.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(names, [".links"], "remains were not collected");
}

fn add_hundred(root: &Path) {
    let folder = tempfile::tempdir_in(root).unwrap();
    let store = open(&root.join("store"));
    let mut batch = store.batch().unwrap();
    for i in 0..100 {
        // Half of the processes go the other way, so that they wait for each other.
        let number = if std::process::id() % 2 == 0 { i } else { 99 - i };
        batch.add_tree("tree", &make_tree(folder.path(), number)).unwrap();
    }
    batch.commit().unwrap();
    for i in 0..100 {
        let path = batch.add_tree("tree", &make_tree(folder.path(), i)).unwrap();
        assert!(store.is_valid(&path).unwrap());
    }
}

fn processes_that_add_the_same_paths_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..4).map(|_| myself("adder", folder.path()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = open(&folder.path().join("store"));
    assert_eq!(store.all_valid().unwrap().len(), 100);
    assert_valid(&store);
}

fn a_full_disk_is_an_error_and_collecting_helps() {
    let folder = tempfile::tempdir().unwrap();
    // 8 MiB of it are the reserve that a collection gives up.
    let script = "mount -t tmpfs -o size=12m tmpfs \"$ESKER_CRASH_ROOT\" && exec \"$0\"";
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, "filler")
        .env(ROOT, folder.path())
        .status();
    let status = status.unwrap_or_else(|error| panic!("unshare is needed (Debian package util-linux): {error}"));
    assert!(status.success(), "{status}");
}

fn fill_the_disk(root: &Path) {
    let error = {
        let store = open(root);
        let error = (0..10_000).find_map(|i| {
            let text = format!("{i}").repeat(5000);
            store.add_text(&format!("filling-{i}"), text.as_bytes(), BTreeSet::new()).err()
        });
        assert_valid(&store);
        error.expect("the disk never became full")
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("disk is full")), "{error:?}");
    assert!(matches!(error, StoreError::Io { .. } | StoreError::Database { .. }), "{error:?}");
    let store = open(root);
    assert_valid(&store);
    let report = store.collect_garbage(GcRequest::Delete).unwrap();
    assert!(!report.dead.is_empty());
    store.add_text("after", b"there is room again", BTreeSet::new()).unwrap();
    assert_valid(&store);
}
