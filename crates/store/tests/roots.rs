//! What keeps paths alive: profiles, links, processes; and what verification and read-only opening do.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix_formats::StorePath;
use store::{Access, ContentCheck, GcRequest, Repair, RootKind, Store, StoreError, StoreOptions, VerifyProblem};

fn open(folder: &Path) -> Store {
    Store::open(StoreOptions::new(folder.join("root"))).unwrap()
}

fn add(store: &Store, name: &str) -> StorePath {
    store.add_text(name, name.as_bytes(), BTreeSet::new()).unwrap()
}

/// Dead paths' names, as a fresh process would see them: without the temporary roots of the one that added them.
fn dead_names(folder: &Path) -> Vec<String> {
    let report = open(folder).collect_garbage(GcRequest::ListDead).unwrap();
    report.dead.iter().map(|dead| dead.path.name().to_owned()).collect()
}

#[test]
fn generations_keep_what_they_name_until_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = {
        let store = open(folder.path());
        let profile = store.profile("system");
        assert_eq!(profile.current().unwrap(), None);
        let (one, two) = (add(&store, "one"), add(&store, "two"));
        assert_eq!(profile.add_generation(&one).unwrap().number, 1);
        assert_eq!(profile.add_generation(&one).unwrap().number, 1);
        assert_eq!(profile.add_generation(&two).unwrap().number, 2);
        profile.switch(2).unwrap();
        assert_eq!(profile.current().unwrap(), Some(2));
        assert_eq!(std::fs::read_link(profile.link()).unwrap(), Path::new("system-2-link"));
        assert!(matches!(profile.switch(7), Err(StoreError::NoGeneration { number: 7, .. })));
        assert!(matches!(profile.delete(&[1, 2]), Err(StoreError::CurrentGeneration { number: 2, .. })));
        (one, two)
    };
    assert!(dead_names(folder.path()).is_empty());
    let store = open(folder.path());
    let profile = store.profile("system");
    assert_eq!(profile.generations().unwrap().len(), 2);
    profile.switch(1).unwrap();
    profile.switch(2).unwrap();
    profile.delete(&[1]).unwrap();
    let report = store.collect_garbage(GcRequest::Delete).unwrap();
    assert_eq!(report.dead.iter().map(|dead| &dead.path).collect::<Vec<_>>(), [&one]);
    assert!(store.is_valid(&two).unwrap());
    // A number is not given out twice while a higher one exists or is current.
    let three = add(&store, "three");
    assert_eq!(profile.add_generation(&three).unwrap().number, 3);
}

#[test]
fn what_a_host_shares_is_not_collected() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, foreign) = {
        let store = open(folder.path());
        let inner = add(&store, "inner");
        let shared = store.add_text("shared", b"text", [inner].into()).unwrap();
        add(&store, "loose");
        (shared, "00000000000000000000000000000000-foreign".to_owned())
    };
    for name in [shared.base_name(), &foreign] {
        std::fs::create_dir_all(folder.path().join("root/nix/.ro-store").join(name)).unwrap();
    }
    let place = folder.path().join("root/nix/store").join(&foreign);
    std::fs::create_dir(&place).unwrap();
    let report = open(folder.path()).collect_garbage(GcRequest::Delete).unwrap();
    let dead: Vec<_> = report.dead.iter().map(|dead| dead.path.name()).collect();
    assert_eq!((dead, report.remains.is_empty(), place.exists()), (vec!["loose"], true, true));
}

#[test]
fn named_roots_and_result_links_keep_paths() {
    let folder = tempfile::tempdir().unwrap();
    let result = folder.path().join("result");
    {
        let store = open(folder.path());
        store.add_root("esker/mounted/x", &add(&store, "mounted")).unwrap();
        store.add_result_link(&result, &add(&store, "old")).unwrap();
        store.add_result_link(&result, &add(&store, "new")).unwrap();
        add(&store, "loose");
        let error = store.add_result_link(folder.path(), &add(&store, "loose")).unwrap_err();
        assert!(matches!(error, StoreError::NotALink { .. }));
        assert_eq!(std::fs::read(&result).unwrap(), b"new");
    }
    assert_eq!(sorted(dead_names(folder.path())), ["loose", "old"]);
    std::fs::remove_file(&result).unwrap();
    open(folder.path()).remove_root("esker/mounted/x").unwrap();
    assert_eq!(sorted(dead_names(folder.path())), ["loose", "mounted", "new", "old"]);
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn a_running_process_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = {
        let store = open(folder.path());
        add(&store, "used")
    };
    let store = open(folder.path());
    let mut child =
        Command::new("sleep").arg("1000").env("USES", store.physical(&path)).stdin(Stdio::null()).spawn().unwrap();
    let id = child.id();
    // Between fork and exec the child still has our environment.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !std::fs::read(format!("/proc/{id}/environ")).unwrap().windows(5).any(|text| text == b"USES=") {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    let roots = store.find_roots().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(roots.iter().any(|root| root.path == path && root.kind == RootKind::Process(id)), "{roots:?}");
    assert_eq!(dead_names(folder.path()), ["used"]);
}

#[test]
fn verification_finds_missing_and_changed_paths_and_forgets_them_with_their_referrers() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (missing, changed, fine) = (add(&store, "missing"), add(&store, "changed"), add(&store, "fine"));
    let referrer = store.add_text("referrer", b"r", BTreeSet::from([missing.clone()])).unwrap();
    std::fs::remove_file(store.physical(&missing)).unwrap();
    let place = store.physical(&changed);
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&place, "other").unwrap();
    assert_eq!(store.verify(ContentCheck::Skip, Repair::Report).unwrap().problems.len(), 1);
    let report = store.verify(ContentCheck::Hash, Repair::Unregister).unwrap();
    assert!(report.problems.iter().any(|p| matches!(p, VerifyProblem::Missing { path } if *path == missing)));
    assert!(report.problems.iter().any(|p| matches!(p, VerifyProblem::Changed { path, .. } if *path == changed)));
    assert_eq!(report.unregistered, BTreeSet::from([missing.clone(), changed.clone(), referrer]));
    assert_eq!(store.all_valid().unwrap(), BTreeSet::from([fine]));
    // What was forgotten can be made again, over the remains.
    assert_eq!(add(&store, "changed"), changed);
    assert_eq!(std::fs::read(place).unwrap(), b"changed");
}

#[test]
fn a_damaged_database_is_named_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = {
        let store = open(folder.path());
        for i in 0..200 {
            add(&store, &format!("path-{i}"));
        }
        store.layout().state().join("db/db.sqlite")
    };
    std::fs::write(&file, "this is no database, however one looks at it; it has been overwritten").unwrap();
    let error = Store::open(StoreOptions::new(folder.path().join("root"))).err().unwrap();
    assert!(matches!(error, StoreError::DatabaseCorrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("db.sqlite") && error.hint().is_some());
}

#[test]
fn another_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let schema = open(folder.path()).layout().state().join("db/schema");
    std::fs::write(schema, "11").unwrap();
    let error = Store::open(StoreOptions::new(folder.path().join("root"))).err().unwrap();
    assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
}

#[test]
fn a_read_only_store_answers_and_refuses_to_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = add(&open(folder.path()), "path");
    let options = StoreOptions { access: Access::ReadOnly, ..StoreOptions::new(folder.path().join("root")) };
    let store = Store::open(options).unwrap();
    assert!(store.is_valid(&path).unwrap());
    assert!(matches!(store.add_text("x", b"", BTreeSet::new()), Err(StoreError::ReadOnly { .. })));
}

#[test]
fn a_large_batch_does_not_hold_a_file_open_for_each_path() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut batch = store.batch().unwrap();
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    let mut last = BTreeSet::new();
    for number in 0..1000 {
        // Each refers to the one before, so whatever is committed must come in order.
        let path = batch.add_text("text", format!("{number}").as_bytes(), last).unwrap();
        last = BTreeSet::from([path]);
        assert!(batch.pending_len() < 500);
    }
    assert!(open_files() < before + 900, "{} files are open", open_files());
    batch.commit().unwrap();
    assert_eq!(store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.len(), 0);
}

#[test]
fn a_views_tree_goes_with_its_view_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let tree = |store: &Store, view: &StorePath, layout: &str| {
        let tree = store.layout().views().join(format!("{}-{layout}", view.hash_part()));
        std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
        std::fs::hard_link(store.physical(view), tree.join("usr/bin/tool")).unwrap();
        tree
    };
    let (rooted, dead, half) = {
        let store = open(folder.path());
        let (rooted, loose) = (add(&store, "rooted"), add(&store, "loose"));
        store.add_root("view", &rooted).unwrap();
        (tree(&store, &rooted, "1"), tree(&store, &loose, "1"), tree(&store, &loose, "1.tmp-7"))
    };
    let other = folder.path().join("root/nix/var/esker/views/README");
    std::fs::write(&other, "not a view's").unwrap();
    let store = open(folder.path());
    // A build that is about to use a view has it as temporary root, registered or not.
    let yet_to_come = StorePath::from_base_name("7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-view").unwrap();
    let building = open(folder.path());
    building.add_temp_roots([&yet_to_come]).unwrap();
    let used = store.layout().views().join(format!("{}-1", yet_to_come.hash_part()));
    std::fs::create_dir_all(&used).unwrap();

    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let report = store.collect_garbage(GcRequest::ListDead).unwrap();
    assert_eq!(report.views, sorted(vec![name(&dead), name(&half)]));
    assert!(dead.exists());
    let report = store.collect_garbage(GcRequest::Delete).unwrap();
    assert_eq!(report.views.len(), 2);
    // The last name of the dead view's file was in its tree.
    assert!(report.freed_bytes >= 4096, "{report:?}");
    let stand: Vec<bool> = [&rooted, &dead, &half, &other, &used].iter().map(|path| path.exists()).collect();
    assert_eq!(stand, [true, false, false, true, true]);
    drop(building);
    assert_eq!(store.collect_garbage(GcRequest::Delete).unwrap().views, [name(&used)]);
}
