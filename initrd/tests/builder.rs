//! `builtin:initrd` in a real store that lies elsewhere on the disk.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use build::{BuildTarget, Builder, BuilderOptions, BuiltinRegistry, Cancellation, DirectFetcher, Silent, Tools};
use initrd::builder::InitrdBuilder;
use nix_formats::derivation::OutputPaths;
use nix_formats::{Derivation, DerivationOutput, StorePath};
use store::{Store, StoreOptions};

#[test]
fn an_initrd_is_built_from_store_paths_and_refers_to_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(folder.path().join("root"))).unwrap();
    let tree = |name: &str, files: &[(&str, &str)]| {
        let source = folder.path().join(name);
        for (path, text) in files {
            let path = source.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        store.add_tree(name, &source).unwrap()
    };
    let runtime = tree("runtime", &[("bin/init", "the program")]);
    let modules = tree(
        "modules",
        &[
            ("lib/modules/6.1/modules.dep", "kernel/overlay.ko.xz:\n"),
            ("lib/modules/6.1/modules.alias", ""),
            ("lib/modules/6.1/modules.softdep", ""),
            ("lib/modules/6.1/modules.builtin", ""),
            ("lib/modules/6.1/kernel/overlay.ko.xz", "a module"),
        ],
    );
    let attributes = serde_json::json!({
        "runtime": store.logical(&runtime),
        "moduleTrees": [store.logical(&modules)],
        "modules": ["overlay"],
        "load": ["overlay"],
        "settings": { "version": 1 },
    });
    let drv = add_derivation(&store, &attributes, [runtime, modules]);

    let mut builtins = BuiltinRegistry::new();
    builtins.register(Box::new(InitrdBuilder));
    let tools = Tools {
        builtins: &builtins,
        fetcher: &DirectFetcher,
        views: None,
        caches: &[],
        trusted_keys: &[],
        observer: &Silent,
        cancellation: &Cancellation::new(),
    };
    let builder = Builder::new(&store, tools, BuilderOptions::default());
    let outputs = builder.realise(&[BuildTarget::all(drv.clone())]).unwrap();
    let out = &outputs[&drv]["out"];
    let plain = zstd::decode_all(&*std::fs::read(store.physical(out).join("initrd")).unwrap()).unwrap();
    for text in ["the program", "a module", "\"load\": [\n    \"overlay\"\n  ]"] {
        let found = plain.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(found, "{text}");
    }
    assert_eq!(store.info(out).unwrap().references, BTreeSet::new());
}

fn add_derivation<const N: usize>(store: &Store, attributes: &serde_json::Value, inputs: [StorePath; N]) -> StorePath {
    let mut derivation = Derivation {
        name: "initrd".into(),
        outputs: BTreeMap::from([("out".to_owned(), DerivationOutput::Deferred)]),
        input_drvs: BTreeMap::new(),
        input_srcs: inputs.into(),
        system: "builtin".into(),
        builder: "builtin:initrd".into(),
        args: Vec::new(),
        env: BTreeMap::from([("__json".into(), attributes.to_string().into())]),
    };
    let hash = derivation
        .hash_modulo(store.dir(), OutputPaths::Mask, |path: &StorePath| {
            Err(format!("no input derivation, but {path:?}"))
        })
        .unwrap();
    derivation.fill_deferred_outputs(store.dir(), &hash).unwrap();
    let mut batch = store.batch().unwrap();
    let path = batch.add_derivation(&derivation).unwrap();
    batch.commit().unwrap();
    path
}
