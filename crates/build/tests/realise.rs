//! Realising derivations: builtin builders, fetching, sandboxed programs, failures, cancellation.
//!
//! The sandboxed ones show the host's /usr as their view and need user namespaces.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use build::{
    BuildError, BuildTarget, BuilderOptions, BuiltinBuilder, BuiltinContext, BuiltinError, DirectFetcher,
    FailurePolicy, FailureReason, FetchError, FetchProgress, FetchRequest, Fetcher, References, Task,
};
use nix_formats::{ContentAddressMethod, Hash, HashAlgo};
use store::{ContentCheck, Repair};
use world::{Drv, World};

#[test]
fn a_builtin_builder_makes_what_its_attributes_say_and_references_are_found() {
    let world = World::new();
    let text = world.store.add_text("input", b"hello", BTreeSet::new()).unwrap();
    let text_path = world.store.logical(&text);
    let drv = Drv::builtin("write", "greeting").source(&text).json("text", &format!("from {text_path}")).add(&world);
    let plan = world.plan(&[&drv]).unwrap();
    assert_eq!(plan.describe(), format!("to build (1):\n  {drv}\n"));
    let out = world.realise(&drv).unwrap();
    assert_eq!(std::fs::read_to_string(world.store.physical(&out)).unwrap(), format!("from {text_path}"));
    let info = world.store.info(&out).unwrap();
    assert_eq!(info.references, BTreeSet::from([text]));
    assert_eq!(info.deriver, Some(drv.clone()));
    assert!(info.ultimate);
    let plan = world.plan(&[&drv]).unwrap();
    assert!(plan.is_empty() && plan.describe().is_empty());
    assert_eq!(plan.valid, BTreeSet::from([out]));
    assert_eq!(world.apply(&plan).unwrap().built, 0);
}

#[test]
fn hundreds_of_derivations_are_registered_in_few_transactions() {
    let world = World::new();
    let mut top = Drv::builtin("write", "top").json("text", "top");
    for i in 0..300 {
        let drv = Drv::builtin("write", &format!("part-{i}")).json("text", &format!("{i}")).unregistered(&world);
        top = top.input(&world, &drv);
    }
    world.commit();
    let top = top.add(&world);
    world.realise(&top).unwrap();
    // Derivations and outputs, and the view that every world has.
    assert_eq!(world.store.all_valid().unwrap().len(), 1 + 2 * 301);
    let registrations = world.events.registrations();
    assert!(registrations.len() <= 3, "{registrations:?}");
    assert_eq!(registrations.iter().sum::<usize>(), 301);
    assert!(world.store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.is_empty());
}

#[test]
fn inputs_are_built_before_what_needs_them_and_only_inputs_are_readable() {
    let world = World::new();
    let first = Drv::builtin("write", "first").json("text", "1").unregistered(&world);
    let stranger = world.store.add_text("stranger", b"", BTreeSet::new()).unwrap();
    let second = Drv::builtin("read", "second").input(&world, &first).json("file", &first.out(&world)).add(&world);
    let out = world.realise(&second).unwrap();
    assert_eq!(std::fs::read(world.store.physical(&out)).unwrap(), b"1");
    let curious = Drv::builtin("read", "curious").json("file", &world.store.logical(&stranger)).add(&world);
    let failure = world.failure(&curious);
    assert!(failure.reason.to_string().contains("is not among the inputs"), "{}", failure.reason);
}

#[test]
fn files_are_fetched_and_checked() {
    let world = World::new();
    let source = world.folder.path().join("source");
    std::fs::write(&source, "contents").unwrap();
    let hash = Hash::of(HashAlgo::Sha256, b"contents");
    let drv = Drv::fetch(&source, "file").fixed(ContentAddressMethod::Flat, hash).add(&world);
    let plan = world.plan(&[&drv]).unwrap();
    assert_eq!(plan.describe(), "to fetch (1):\n  file\n");
    let out = world.realise(&drv).unwrap();
    assert_eq!(std::fs::read(world.store.physical(&out)).unwrap(), b"contents");
    assert!(world.store.info(&out).unwrap().content_address.is_some());
    // The same contents from elsewhere are the same path, and there already.
    let elsewhere = Drv::fetch(&world.folder.path().join("gone"), "file").fixed(ContentAddressMethod::Flat, hash);
    assert!(world.plan(&[&elsewhere.add(&world)]).unwrap().is_empty());

    let wrong = Hash::of(HashAlgo::Sha256, b"other");
    let drv = Drv::fetch(&source, "wrong").fixed(ContentAddressMethod::Flat, wrong).add(&world);
    let failure = world.failure(&drv);
    assert_eq!(
        failure.reason.to_string(),
        format!("hash mismatch: specified {}, got {}", wrong.to_sri(), hash.to_sri())
    );
    let drv =
        Drv::fetch(&world.folder.path().join("gone"), "gone").fixed(ContentAddressMethod::Flat, wrong).add(&world);
    assert!(world.failure(&drv).reason.to_string().starts_with("could not fetch `file://"));
}

#[test]
fn two_derivations_of_the_same_contents_in_one_plan_fetch_it_once_or_twice_but_end() {
    let world = World::new();
    let (a, b) = (world.folder.path().join("a"), world.folder.path().join("b"));
    std::fs::write(&a, "contents").unwrap();
    std::fs::write(&b, "contents").unwrap();
    let hash = Hash::of(HashAlgo::Sha256, b"contents");
    let of = |path| Drv::fetch(path, "file").fixed(ContentAddressMethod::Flat, hash).add(&world);
    let (a, b) = (of(&a), of(&b));
    assert_ne!(a, b);
    let plan = world.plan(&[&a, &b]).unwrap();
    assert_eq!(plan.to_fetch.len(), 2);
    let report = world.apply(&plan).unwrap();
    assert_eq!(report.fetched + report.reused, 2);
}

/// Counts calls, and finishes requests out of order.
struct OneCall(AtomicUsize);

impl Fetcher for OneCall {
    fn fetch(
        &self,
        requests: &[FetchRequest],
        progress: &dyn FetchProgress,
        _cancellation: &build::Cancellation,
    ) -> Vec<Result<(), FetchError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        for (i, request) in requests.iter().enumerate().rev() {
            std::fs::write(&request.destination, request.url.trim_start_matches("mirror://debian/")).unwrap();
            progress.complete(i);
        }
        requests.iter().map(|_| Ok(())).collect()
    }
}

#[test]
fn all_files_of_a_plan_are_fetched_in_one_call() {
    let fetcher = OneCall(AtomicUsize::new(0));
    let world = World::new();
    let mut top = Drv::builtin("write", "top").json("text", "x");
    for i in 0..200 {
        let hash = Hash::of(HashAlgo::Sha256, format!("{i}").as_bytes());
        let drv = Drv::builtin("fetchurl", &format!("file-{i}")).json("url", &format!("mirror://debian/{i}"));
        top = top.input(&world, &drv.fixed(ContentAddressMethod::Flat, hash).unregistered(&world));
    }
    world.commit();
    let top = top.add(&world);
    let plan = world.plan(&[&top]).unwrap();
    let report = world.apply_with(&plan, FailurePolicy::StopEarly, &fetcher).unwrap();
    assert_eq!((report.fetched, report.built), (200, 1));
    assert_eq!(fetcher.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_failure_names_the_derivation_and_others_are_done_or_skipped() {
    let world = World::new();
    let bad = Drv::builtin("fail", "bad").unregistered(&world);
    let good = Drv::builtin("write", "good").json("text", "good").unregistered(&world);
    world.commit();
    let top = Drv::builtin("write", "top").json("text", "x").input(&world, &bad).input(&world, &good).add(&world);
    let plan = world.plan(&[&top]).unwrap();
    let error = world.apply_with(&plan, FailurePolicy::KeepGoing, &build::DirectFetcher).unwrap_err();
    let BuildError::Failed { failures, skipped } = error else { panic!("{error}") };
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].path, bad.path(&world));
    assert_eq!(failures[0].last_log_lines, ["about to fail"]);
    assert_eq!(std::fs::read_to_string(failures[0].log_file.as_ref().unwrap()).unwrap(), "about to fail\n");
    assert_eq!(skipped, [top]);
    assert!(world.store.is_valid(&good.out_path(&world)).unwrap());
    assert!(world.store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.is_empty());
}

#[test]
fn cancelling_ends_soon_and_keeps_what_was_finished() {
    let world = World::new();
    let good = Drv::builtin("write", "good").json("text", "good").unregistered(&world);
    let slow = Drv::builtin("wait", "slow").input(&world, &good).add(&world);
    let plan = world.plan(&[&slow]).unwrap();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            world.events.wait_for(Task::Build, &slow);
            world.cancellation.cancel();
        });
        world.apply(&plan).unwrap_err()
    });
    assert!(matches!(error, BuildError::Cancelled), "{error}");
    assert!(world.store.is_valid(&good.out_path(&world)).unwrap());
    assert!(world.store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.is_empty());
}

#[test]
fn a_program_runs_in_a_sandbox_with_its_inputs_only() {
    let world = World::new();
    let input = world.store.add_text("input", b"hello", BTreeSet::new()).unwrap();
    let script = "set -e; echo building; ls /nix/store > $out; cat $input >> $out; pwd >> $out; echo $PATH >> $out; \
                  [ ! -e /home ]; [ ! -e /etc/shadow ]; id -u >> $out; cp $out $doc; echo see $out >> $doc";
    let drv = Drv::shell(&world, "listing", script)
        .output("doc")
        .source(&input)
        .variable("input", &world.store.logical(&input))
        .variable("PATH", "/usr/bin")
        .add(&world);
    let out = world.realise(&drv).unwrap();
    let text = std::fs::read_to_string(world.store.physical(&out)).unwrap();
    let mut expected = vec![input.to_string(), world.view.to_string(), out.to_string()];
    expected.sort();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], expected);
    assert_eq!(lines[3..], ["hello/build", "/usr/bin", "1000"]);
    assert_eq!(world.events.log_lines(), ["building"]);
    let doc = world.store.derivation_outputs(&drv).unwrap()["doc"].clone();
    assert!(world.store.references(&doc).unwrap().contains(&out));
    assert!(world.store.verify(ContentCheck::Hash, Repair::Report).unwrap().problems.is_empty());
}

#[test]
fn a_failing_program_shows_its_last_words_and_leaves_nothing() {
    let world = World::new();
    let drv = Drv::shell(&world, "failing", "echo one; echo two >&2; touch $out; exit 3").add(&world);
    let failure = world.failure(&drv);
    assert!(matches!(failure.reason, FailureReason::ExitStatus { status: 3 }), "{}", failure.reason);
    assert_eq!(failure.last_log_lines, ["one", "two"]);
    let drv = Drv::shell(&world, "lazy", ":").add(&world);
    assert!(matches!(world.failure(&drv).reason, FailureReason::MissingOutput { .. }));
    let left: Vec<_> = std::fs::read_dir(world.store.layout().physical_store()).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("tmp-")), "{left:?}");
}

#[test]
fn a_running_program_is_ended_when_cancelled() {
    let world = World::new();
    let drv = Drv::shell(&world, "sleeper", "/usr/bin/sleep 1000 & echo asleep; wait").add(&world);
    let plan = world.plan(&[&drv]).unwrap();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            world.events.wait_for_line("asleep");
            world.cancellation.cancel();
        });
        world.apply(&plan).unwrap_err()
    });
    assert!(matches!(error, BuildError::Cancelled), "{error}");
}

#[test]
fn a_program_that_takes_too_long_is_ended() {
    let world = World::new();
    let drv = Drv::shell(&world, "sleeper", "/usr/bin/sleep 1000 & wait").add(&world);
    let options = BuilderOptions { timeout: Some(Duration::from_secs(1)), ..BuilderOptions::default() };
    let builder = world.builder_with(options, &DirectFetcher);
    let BuildError::Failed { failures, .. } = builder.realise(&[BuildTarget::all(drv)]).unwrap_err() else {
        panic!("it is no failure of a build")
    };
    assert!(matches!(failures[0].reason, FailureReason::TimedOut { seconds: 1 }), "{}", failures[0].reason);
}

#[test]
fn reference_rules_are_enforced() {
    let world = World::new();
    let input = world.store.add_text("input", b"hello", BTreeSet::new()).unwrap();
    let logical = world.store.logical(&input);
    let drv =
        Drv::builtin("write", "rule").source(&input).json("text", &logical).json("disallowedReferences", &logical);
    assert!(matches!(world.failure(&drv.add(&world)).reason, FailureReason::ForbiddenReferences { .. }));
}

/// A builder whose output is declared to have no references though it holds one.
struct Declares;

impl BuiltinBuilder for Declares {
    fn name(&self) -> &str {
        "declares"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let text = context.attributes()?["text"].as_str().unwrap().to_owned();
        std::fs::write(context.output("out")?, text).map_err(BuiltinError::new)?;
        context.set_references("out", References::None);
        Ok(())
    }
}

#[test]
fn a_builder_may_declare_that_there_are_no_references() {
    let mut world = World::new();
    world.builtins.register(Box::new(Declares));
    let input = world.store.add_text("input", b"hello", BTreeSet::new()).unwrap();
    let drv = Drv::builtin("declares", "declared").source(&input).json("text", &world.store.logical(&input));
    let out = world.realise(&drv.add(&world)).unwrap();
    assert!(world.store.references(&out).unwrap().is_empty());
}
