//! What the tests share: a store in a temporary folder, small derivations, and an observer that remembers.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use build::{
    BinaryCache, BuildError, BuildEvent, BuildFailure, BuildObserver, BuildPlan, BuildReport, BuildTarget, Builder,
    BuilderOptions, BuiltinBuilder, BuiltinContext, BuiltinError, BuiltinRegistry, Cancellation, DirectFetcher,
    FailurePolicy, Fetcher, MaterialisedView, Task, Tools, ViewError, ViewProvider,
};
use nix_formats::derivation::{DerivationHash, OutputPaths};
use nix_formats::signature::PublicKey;
use nix_formats::{ContentAddress, ContentAddressMethod, Derivation, DerivationOutput, Hash, StorePath};
use serde_json::{Map, Value};
use store::{Store, StoreOptions};

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) builtins: BuiltinRegistry,
    pub(crate) events: Events,
    pub(crate) cancellation: Cancellation,
    pub(crate) caches: Vec<Box<dyn BinaryCache>>,
    pub(crate) keys: Vec<PublicKey>,
    /// A path that counts as a view; sandboxes show the host's /usr for it.
    pub(crate) view: StorePath,
    waiting: Mutex<Vec<Derivation>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(folder.path().join("root"))).unwrap();
        let view = folder.path().join("view");
        std::fs::create_dir(&view).unwrap();
        std::fs::write(view.join("view.json"), "{}").unwrap();
        let view = store.add_tree("view", &view).unwrap();
        let mut builtins = BuiltinRegistry::new();
        for kind in [Simple::Write, Simple::Read, Simple::Fail, Simple::Wait] {
            builtins.register(Box::new(kind));
        }
        Self {
            folder,
            store,
            builtins,
            events: Events::default(),
            cancellation: Cancellation::new(),
            caches: Vec::new(),
            keys: Vec::new(),
            view,
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn builder<'w>(&'w self, policy: FailurePolicy, fetcher: &'w dyn Fetcher) -> Builder<'w> {
        self.builder_with(BuilderOptions { failure_policy: policy, ..BuilderOptions::default() }, fetcher)
    }

    pub(crate) fn builder_with<'w>(&'w self, options: BuilderOptions, fetcher: &'w dyn Fetcher) -> Builder<'w> {
        let tools = Tools {
            builtins: &self.builtins,
            fetcher,
            views: Some(&HostView),
            caches: &self.caches,
            trusted_keys: &self.keys,
            observer: &self.events,
            cancellation: &self.cancellation,
        };
        Builder::new(&self.store, tools, options)
    }

    pub(crate) fn plan(&self, drvs: &[&StorePath]) -> Result<BuildPlan, BuildError> {
        let targets: Vec<BuildTarget> = drvs.iter().map(|drv| BuildTarget::all((*drv).clone())).collect();
        self.builder(FailurePolicy::StopEarly, &DirectFetcher).plan(&targets)
    }

    pub(crate) fn apply(&self, plan: &BuildPlan) -> Result<BuildReport, BuildError> {
        self.apply_with(plan, FailurePolicy::StopEarly, &DirectFetcher)
    }

    pub(crate) fn apply_with(
        &self,
        plan: &BuildPlan,
        policy: FailurePolicy,
        fetcher: &dyn Fetcher,
    ) -> Result<BuildReport, BuildError> {
        self.builder(policy, fetcher).apply(plan)
    }

    /// Realises all outputs and returns `out`.
    pub(crate) fn realise(&self, drv: &StorePath) -> Result<StorePath, BuildError> {
        let builder = self.builder(FailurePolicy::StopEarly, &DirectFetcher);
        let outputs = builder.realise(&[BuildTarget::all(drv.clone())])?;
        Ok(outputs[drv]["out"].clone())
    }

    pub(crate) fn failure(&self, drv: &StorePath) -> BuildFailure {
        match self.realise(drv).unwrap_err() {
            BuildError::Failed { mut failures, .. } => failures.pop().unwrap(),
            other => panic!("{other}"),
        }
    }

    /// Writes the derivations that `unregistered` gathered.
    pub(crate) fn commit(&self) {
        let mut batch = self.store.batch().unwrap();
        for drv in self.waiting.lock().unwrap().drain(..) {
            batch.add_derivation(&drv).unwrap();
        }
        batch.commit().unwrap();
    }
}

struct HostView;

impl ViewProvider for HostView {
    fn materialise(&self, _view: &StorePath) -> Result<MaterialisedView, ViewError> {
        Ok(MaterialisedView { usr: "/usr".into(), etc: None })
    }
}

/// A derivation being written.
#[derive(Clone)]
pub(crate) struct Drv {
    derivation: Derivation,
    json: Option<Map<String, Value>>,
}

/// A derivation whose paths are known.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) derivation: Derivation,
}

impl Known {
    pub(crate) fn path(&self, world: &World) -> StorePath {
        self.derivation.drv_path(world.store.dir()).unwrap()
    }

    pub(crate) fn out_path(&self, _world: &World) -> StorePath {
        self.derivation.outputs["out"].path().unwrap().clone()
    }

    pub(crate) fn out(&self, world: &World) -> String {
        world.store.logical(&self.out_path(world))
    }
}

thread_local! {
    static HASHES: std::cell::RefCell<BTreeMap<StorePath, DerivationHash>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

impl Drv {
    fn new(name: &str, system: &str, builder: &str) -> Self {
        let derivation = Derivation {
            name: name.to_owned(),
            outputs: BTreeMap::from([("out".to_owned(), DerivationOutput::Deferred)]),
            input_drvs: BTreeMap::new(),
            input_srcs: BTreeSet::new(),
            system: system.into(),
            builder: builder.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
        };
        Self { derivation, json: None }
    }

    pub(crate) fn builtin(builder: &str, name: &str) -> Self {
        let mut drv = Self::new(name, "builtin", &format!("builtin:{builder}"));
        drv.json = Some(Map::new());
        drv
    }

    pub(crate) fn fetch(source: &Path, name: &str) -> Self {
        let mut drv = Self::new(name, "builtin", "builtin:fetchurl");
        drv.derivation.env.insert("url".into(), format!("file://{}", source.display()).into());
        drv
    }

    pub(crate) fn shell(world: &World, name: &str, script: &str) -> Self {
        let system = format!("{}-linux", std::env::consts::ARCH);
        let mut drv = Self::new(name, &system, "/bin/sh");
        drv.derivation.args = vec!["-c".into(), script.into()];
        drv.source(&world.view).variable("view", &world.store.logical(&world.view)).variable("PATH", "/usr/bin")
    }

    pub(crate) fn json(mut self, name: &str, value: &str) -> Self {
        self.json.as_mut().unwrap().insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.derivation.env.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn source(mut self, path: &StorePath) -> Self {
        self.derivation.input_srcs.insert(path.clone());
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.derivation.outputs.insert(name.to_owned(), DerivationOutput::Deferred);
        self
    }

    pub(crate) fn input(mut self, world: &World, known: &Known) -> Self {
        self.derivation.input_drvs.insert(known.path(world), BTreeSet::from(["out".to_owned()]).into());
        self
    }

    pub(crate) fn fixed(mut self, method: ContentAddressMethod, hash: Hash) -> Self {
        let dir = nix_formats::StoreDir::default();
        let address = ContentAddress { method, hash };
        let output = DerivationOutput::fixed(&dir, &self.derivation.name, "out", address).unwrap();
        let path = dir.display(output.path().unwrap());
        self.derivation.env.insert("out".into(), path.into());
        self.derivation.outputs.insert("out".to_owned(), output);
        self
    }

    /// Computes paths and remembers the derivation for `World::commit`.
    pub(crate) fn unregistered(mut self, world: &World) -> Known {
        let dir = world.store.dir();
        if let Some(json) = self.json {
            self.derivation.env.insert("__json".into(), Value::Object(json).to_string().into());
        } else {
            for name in self.derivation.outputs.keys() {
                self.derivation.env.entry(name.clone()).or_default();
            }
        }
        HASHES.with_borrow_mut(|hashes| {
            let hash = |paths, derivation: &Derivation| {
                derivation.hash_modulo(dir, paths, |input| Ok::<_, ()>(hashes[input])).unwrap()
            };
            let masked = hash(OutputPaths::Mask, &self.derivation);
            self.derivation.fill_deferred_outputs(dir, &masked).unwrap();
            let kept = hash(OutputPaths::Keep, &self.derivation);
            hashes.insert(self.derivation.drv_path(dir).unwrap(), kept);
        });
        world.waiting.lock().unwrap().push(self.derivation.clone());
        Known { derivation: self.derivation }
    }

    /// Computes paths and writes the derivation.
    pub(crate) fn add(self, world: &World) -> StorePath {
        let known = self.unregistered(world);
        world.commit();
        known.path(world)
    }
}

#[derive(Clone, Copy)]
enum Simple {
    Write,
    Read,
    Fail,
    Wait,
}

impl BuiltinBuilder for Simple {
    fn name(&self) -> &str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Fail => "fail",
            Self::Wait => "wait",
        }
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let attributes = context.attributes()?;
        let write = |text: &[u8]| {
            let path = context.output("out")?;
            std::fs::write(path, text).map_err(BuiltinError::new)
        };
        match self {
            Self::Write => write(attributes["text"].as_str().unwrap().as_bytes()),
            Self::Read => write(&std::fs::read(context.physical(attributes["file"].as_str().unwrap())?).unwrap()),
            Self::Fail => {
                context.log("about to fail");
                Err(BuiltinError::new(std::io::Error::other("as intended")))
            }
            Self::Wait => {
                while !context.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(BuiltinError::Cancelled)
            }
        }
    }
}

/// Remembers what happened and lets tests wait for it.
#[derive(Default)]
pub(crate) struct Events {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Started(Task, StorePath),
    Line(String),
    Registered(usize),
}

impl BuildObserver for Events {
    fn event(&self, event: &BuildEvent<'_>) {
        let seen = match event {
            BuildEvent::Started { task, path } => Seen::Started(*task, (*path).clone()),
            BuildEvent::LogLine { line, .. } => Seen::Line((*line).to_owned()),
            BuildEvent::Registered { paths } => Seen::Registered(*paths),
            _ => return,
        };
        self.seen.lock().unwrap().push(seen);
        self.changed.notify_all();
    }
}

impl Events {
    fn wait_until(&self, wanted: &Seen) {
        let deadline = Duration::from_secs(60);
        let seen = self.seen.lock().unwrap();
        let (_seen, timeout) = self.changed.wait_timeout_while(seen, deadline, |seen| !seen.contains(wanted)).unwrap();
        assert!(!timeout.timed_out(), "{wanted:?} did not happen");
    }

    pub(crate) fn wait_for(&self, task: Task, path: &StorePath) {
        self.wait_until(&Seen::Started(task, path.clone()));
    }

    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait_until(&Seen::Line(line.to_owned()));
    }

    pub(crate) fn log_lines(&self) -> Vec<String> {
        let line = |seen: &Seen| {
            if let Seen::Line(line) = seen { Some(line.clone()) } else { None }
        };
        self.seen.lock().unwrap().iter().filter_map(line).collect()
    }

    pub(crate) fn registrations(&self) -> Vec<usize> {
        let count = |seen: &Seen| {
            if let Seen::Registered(paths) = seen { Some(*paths) } else { None }
        };
        self.seen.lock().unwrap().iter().filter_map(count).collect()
    }
}
