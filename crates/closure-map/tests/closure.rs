//! Maps of a synthetic store: who is responsible for what.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::collections::BTreeSet;

use closure_map::tree::{Entry, Extent, Line, arrange, lines};
use closure_map::{ClosureMap, Package, PackageGraph, PackageRoot, treemap};
use nix_formats::StorePath;
use store::{Store, StoreOptions};

/// A store with a system: `top` refers to `etc` and `view`; `view` and `etc` name all packages; `web` needs `tls` and `libc`,
/// `shell` needs `libc`, and `tls` and `tls-data` need one another.
struct World {
    store: Store,
    top: StorePath,
    graph: PackageGraph,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(folder.path())).unwrap();
        let add = |name: &str, bytes: usize, references: &[&StorePath]| {
            let references: BTreeSet<StorePath> = references.iter().map(|path| (*path).clone()).collect();
            store.add_text(name, &vec![b'x'; bytes], references).unwrap()
        };
        let packages = [("web", 30_000), ("tls", 5_000), ("tls-data", 70_000), ("shell", 9_000), ("libc", 20_000)];
        let paths: Vec<StorePath> = packages.iter().map(|(name, bytes)| add(name, *bytes, &[])).collect();
        let all: Vec<&StorePath> = paths.iter().collect();
        let view = add("view", 1000, &all);
        let etc = add("etc", 2000, &[&paths[0], &paths[3]]);
        let top = add("top", 100, &[&view, &etc]);
        let depends: [&[&str]; 5] = [&["tls", "libc"], &["tls-data"], &["tls"], &["libc"], &[]];
        let package = |((name, _), (path, depends)): (&(&str, usize), (&StorePath, &&[&str]))| Package {
            name: (*name).to_owned(),
            path: store.logical(path),
            depends: depends.iter().map(|name| (*name).to_owned()).collect(),
        };
        let root = |(name, who): (&str, &str)| PackageRoot { name: name.to_owned(), wanted_by: who.to_owned() };
        let graph = PackageGraph {
            packages: packages.iter().zip(paths.iter().zip(&depends)).map(package).collect(),
            roots: [("web", "systemPackages"), ("shell", "corePackages"), ("libc", "corePackages")].map(root).to_vec(),
        };
        World { store, top, graph, _folder: folder }
    }

    fn tree(&self) -> Entry {
        arrange(&ClosureMap::load(&self.store, &self.top, &self.graph).unwrap())
    }

    fn own(&self, entry: &Entry) -> u64 {
        let path = StorePath::from_base_name(entry.path.as_ref().unwrap()).unwrap();
        self.store.info(&path).unwrap().nar.size_bytes
    }
}

fn child<'e>(entry: &'e Entry, name: &str) -> &'e Entry {
    entry.children.iter().find(|child| child.name == name).unwrap_or_else(|| panic!("{name} below {}", entry.name))
}

#[test]
fn a_package_hangs_from_the_only_one_that_needs_it() {
    let world = World::new();
    let tree = world.tree();
    let web = child(child(&tree, "systemPackages"), "web");
    let tls = child(web, "tls");
    assert_eq!(tls.children[0].name, "tls-data");
    assert_eq!(web.only_bytes, [web, tls, &tls.children[0]].map(|entry| world.own(entry)).iter().sum::<u64>());
    // What two want is nobody's; files that only name a package are not why it is there.
    let libc = child(&tree, "libc");
    assert_eq!(web.closure_bytes, web.only_bytes + libc.own_bytes);
    assert!(child(&tree, "view").children.is_empty() && child(&tree, "etc").children.is_empty());
    assert_eq!(child(child(&tree, "corePackages"), "shell").children, []);
}

#[test]
fn sizes_add_up_to_the_closure() {
    let world = World::new();
    let tree = world.tree();
    let closure = world.store.closure([&world.top]).unwrap();
    let total: u64 = closure.iter().map(|path| world.store.info(path).unwrap().nar.size_bytes).sum();
    assert_eq!((tree.only_bytes, tree.closure_bytes), (total, total));
    let sizes: Vec<u64> = tree.children.iter().map(|child| child.only_bytes).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

#[test]
fn without_packages_references_alone_count() {
    let world = World::new();
    let map = ClosureMap::load(&world.store, &world.top, &PackageGraph::default()).unwrap();
    assert_eq!(map.path_count(), 8);
    let tree = arrange(&map);
    // The view names all packages; those that etc names too belong to both.
    assert_eq!(child(&tree, "view").children.len(), 3);
    child(&tree, "web");
}

#[test]
fn what_is_not_shown_is_summed_up() {
    let tree = World::new().tree();
    let shown = lines(&tree, Extent { depth: 1, limit: 2 });
    let Some(Line::Rest(_, count, bytes)) = shown.last() else { panic!("{shown:?}") };
    assert_eq!((shown.len(), *count), (4, tree.children.len() - 2));
    assert_eq!(*bytes, tree.children[2..].iter().map(|child| child.only_bytes).sum::<u64>());
}

#[test]
fn the_page_draws_every_part_and_needs_nothing_else() {
    let mut tree = World::new().tree();
    tree.name = "top <&>".to_owned();
    let page = treemap::page(&tree, |bytes| format!("{bytes} bytes")).unwrap();
    assert_eq!(page, treemap::page(&tree, |bytes| format!("{bytes} bytes")).unwrap());
    assert_eq!(page.matches("<rect ").count(), 10, "ten parts have a size: {page}");
    assert!(page.contains("top &lt;&amp;&gt;") && !page.contains("top <&>"));
    assert!(page.contains("tls-data 70"), "large parts have their names in them");
    for foreign in ["<script", "http", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
