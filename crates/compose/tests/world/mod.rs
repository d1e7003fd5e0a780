//! What the tests share: a store in a temporary folder with this package's builders, and packages made by the real dpkg-deb.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use build::{
    BuildError, BuildEvent, BuildObserver, BuildTarget, Builder, BuilderOptions, BuiltinRegistry, Cancellation,
    DirectFetcher, Tools,
};
use nix_formats::derivation::OutputPaths;
use nix_formats::{Derivation, DerivationOutput, StorePath};
use serde_json::Value;
use store::{Store, StoreOptions};

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    builtins: BuiltinRegistry,
    log: Log,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl BuildObserver for Log {
    fn event(&self, event: &BuildEvent<'_>) {
        if let BuildEvent::LogLine { line, .. } = event {
            self.0.lock().unwrap().push((*line).to_owned());
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(folder.path().join("root"))).unwrap();
        let mut builtins = BuiltinRegistry::new();
        for builder in compose::builders::builders() {
            builtins.register(builder);
        }
        World { folder, store, builtins, log: Log::default() }
    }

    /// Builds `builtin:<builder>` with these attributes; every store path in `inputs` is an input.
    pub(crate) fn try_build(
        &self,
        builder: &str,
        attributes: &Value,
        inputs: &[&StorePath],
    ) -> Result<StorePath, String> {
        let drv = self.derivation(builder, attributes, inputs);
        let cancellation = Cancellation::new();
        let tools = Tools {
            builtins: &self.builtins,
            fetcher: &DirectFetcher,
            views: None,
            caches: &[],
            trusted_keys: &[],
            observer: &self.log,
            cancellation: &cancellation,
        };
        let builder = Builder::new(&self.store, tools, BuilderOptions::default());
        match builder.realise(&[BuildTarget::all(drv.clone())]) {
            Ok(outputs) => Ok(outputs[&drv]["out"].clone()),
            Err(BuildError::Failed { failures, .. }) => {
                let mut text = String::new();
                let mut error: Option<&dyn std::error::Error> = failures.first().map(|failure| &failure.reason as _);
                while let Some(cause) = error {
                    text.push_str(&format!("{cause}\n"));
                    error = cause.source();
                }
                Err(text)
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn build(&self, builder: &str, attributes: &Value, inputs: &[&StorePath]) -> StorePath {
        self.try_build(builder, attributes, inputs).unwrap_or_else(|error| panic!("{error}"))
    }

    fn derivation(&self, builder: &str, attributes: &Value, inputs: &[&StorePath]) -> StorePath {
        let dir = self.store.dir();
        let mut derivation = Derivation {
            name: builder.to_owned(),
            outputs: BTreeMap::from([("out".to_owned(), DerivationOutput::Deferred)]),
            input_drvs: BTreeMap::new(),
            input_srcs: inputs.iter().map(|path| (*path).clone()).collect(),
            system: "builtin".into(),
            builder: format!("builtin:{builder}").into(),
            args: Vec::new(),
            env: BTreeMap::from([("__json".to_owned(), attributes.to_string().into())]),
        };
        let no_inputs = |_: &StorePath| Err::<nix_formats::derivation::DerivationHash, ()>(());
        let hash = derivation.hash_modulo(dir, OutputPaths::Mask, no_inputs).unwrap();
        derivation.fill_deferred_outputs(dir, &hash).unwrap();
        let mut batch = self.store.batch().unwrap();
        batch.add_derivation(&derivation).unwrap();
        batch.commit().unwrap();
        derivation.drv_path(dir).unwrap()
    }

    /// The path as it stands in attributes.
    pub(crate) fn logical(&self, path: &StorePath) -> String {
        self.store.logical(path)
    }

    /// Where a file of an output lies.
    pub(crate) fn file(&self, path: &StorePath, inner: &str) -> PathBuf {
        let base = self.store.physical(path);
        if inner.is_empty() { base } else { base.join(inner) }
    }

    pub(crate) fn text(&self, path: &StorePath, inner: &str) -> String {
        std::fs::read_to_string(self.file(path, inner)).unwrap()
    }

    pub(crate) fn json(&self, path: &StorePath, inner: &str) -> Value {
        serde_json::from_str(&self.text(path, inner)).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }

    /// A file in the store.
    pub(crate) fn add_text(&self, name: &str, text: &str) -> StorePath {
        self.store.add_text(name, text.as_bytes(), BTreeSet::new()).unwrap()
    }

    /// A tree in the store: path → text.
    pub(crate) fn add_tree(&self, name: &str, files: &[(&str, &str)]) -> StorePath {
        let tree = self.folder.path().join("trees").join(name);
        for (path, text) in files {
            let place = tree.join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        }
        self.store.add_tree(name, &tree).unwrap()
    }

    /// Makes a .deb and unpacks it.
    pub(crate) fn package(&self, deb: &Deb) -> StorePath {
        let file = deb.write(self.folder.path());
        let source = self.store.add_tree(&format!("{}.deb", deb.name), &file).unwrap();
        self.build("unpack-deb", &serde_json::json!({ "deb": self.logical(&source) }), &[&source])
    }

    /// A view of packages.
    pub(crate) fn view(&self, packages: &[&StorePath]) -> StorePath {
        let paths: Vec<String> = packages.iter().map(|path| self.logical(path)).collect();
        self.build("view", &serde_json::json!({ "packages": paths }), packages)
    }
}

/// A package for dpkg-deb to make.
pub(crate) struct Deb {
    pub(crate) name: String,
    fields: String,
    files: Vec<(String, Content, u32)>,
    scripts: Vec<(String, String)>,
}

enum Content {
    Text(String),
    Link(String),
    Hard(String),
}

impl Deb {
    pub(crate) fn new(name: &str) -> Self {
        Deb { name: name.to_owned(), fields: String::new(), files: Vec::new(), scripts: Vec::new() }
    }

    pub(crate) fn field(mut self, line: &str) -> Self {
        self.fields.push_str(&format!("{line}\n"));
        self
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.mode(path, text, 0o644)
    }

    pub(crate) fn program(self, path: &str, text: &str) -> Self {
        self.mode(path, text, 0o755)
    }

    pub(crate) fn mode(mut self, path: &str, text: &str, mode: u32) -> Self {
        self.files.push((path.to_owned(), Content::Text(text.to_owned()), mode));
        self
    }

    pub(crate) fn link(mut self, path: &str, target: &str) -> Self {
        self.files.push((path.to_owned(), Content::Link(target.to_owned()), 0));
        self
    }

    pub(crate) fn hard_link(mut self, path: &str, first: &str) -> Self {
        self.files.push((path.to_owned(), Content::Hard(first.to_owned()), 0));
        self
    }

    pub(crate) fn script(mut self, name: &str, text: &str) -> Self {
        self.scripts.push((name.to_owned(), text.to_owned()));
        self
    }

    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let tree = folder.join("deb").join(&self.name);
        let _ = std::fs::remove_dir_all(&tree);
        std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        for (path, content, mode) in &self.files {
            let place = tree.join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            match content {
                Content::Text(text) => {
                    std::fs::write(&place, text).unwrap();
                    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(*mode)).unwrap();
                }
                Content::Link(target) => symlink(target, &place).unwrap(),
                Content::Hard(first) => std::fs::hard_link(tree.join(first), &place).unwrap(),
            }
        }
        let version = if self.fields.contains("Version:") { "" } else { "Version: 1.0\n" };
        let control = format!(
            "Package: {}\n{version}Architecture: all\nMaintainer: A <a@example.org>\n{}Description: a test\n",
            self.name, self.fields
        );
        std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
        for (name, text) in &self.scripts {
            let path = tree.join("DEBIAN").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let file = folder.join(format!("{}.deb", self.name));
        let status = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--nocheck", "-Znone", "--build"])
            .args([&tree, &file])
            .stdout(std::process::Stdio::null())
            .status()
            .expect("dpkg-deb is missing: install dpkg");
        assert!(status.success());
        file
    }
}
