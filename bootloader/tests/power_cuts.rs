//! Whatever the history of an ESP and wherever the power fails, it boots the old or the new default.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory_esp;

use bootloader::apply::apply;
use bootloader::entry::{EntryId, referenced_files};
use bootloader::esp::{EspFs, EspPath};
use bootloader::generation::Generation;
use bootloader::observe::Observed;
use bootloader::plan::{PlanError, Wanted, plan_esp};
use memory_esp::{Disk, Host, MemoryEsp, is_whole};
use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One update of an ESP's life.
#[derive(Debug, Clone)]
struct Step {
    kernel: u8,
    initrd: u8,
    special: bool,
    /// How many of the oldest generations are gone by now.
    forget: usize,
    limit: Option<usize>,
    tries: Option<u32>,
    rollback: bool,
    /// Whether the machine boots what is the default, and then whether that boot is declared good.
    boots: bool,
    blesses: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = (0..4_u8, 0..6_u8, 0..3_usize, prop::option::of(1..4_usize), prop::option::of(1..4_u32));
    (numbers, any::<[bool; 4]>()).prop_map(
        |((kernel, initrd, forget, limit, tries), [special, rollback, boots, blesses])| Step {
            kernel,
            initrd,
            special,
            forget,
            limit,
            tries,
            rollback,
            boots,
            blesses,
        },
    )
}

/// Every entry of ours must find its files whole. Returns what would boot.
fn default_of(disk: &Disk, host: &Host) -> Option<EntryId> {
    let observed = Observed::read(&mut MemoryEsp::from_disk(disk.clone())).unwrap();
    for (name, entry) in observed.ours() {
        let files = referenced_files(&entry.text);
        assert_eq!(files.len(), 2, "{name} is torn: {:?}", entry.text);
        assert!(files.iter().all(|path| is_whole(disk, host, path)), "{name} lacks a file of {files:?}");
    }
    observed.default_entry().cloned()
}

/// What systemd-boot and systemd-bless-boot do to the entry that is booted.
fn boot(esp: &mut MemoryEsp, id: &EntryId, blesses: bool) {
    let observed = Observed::read(esp).unwrap();
    let (name, entry) = observed.ours().find(|(name, _)| name.id == *id).unwrap();
    let mut renamed = name.clone();
    match &mut renamed.counter {
        counter if blesses => *counter = None,
        Some(counter) => {
            counter.left = counter.left.saturating_sub(1);
            counter.done += 1;
        }
        None => {}
    }
    esp.rename(&entry.path, &EspPath::new("loader/entries").join(&renamed.to_string())).unwrap();
}

fn live(host: &Host, capacity_bytes: u64, steps: &[Step]) {
    let mut esp = MemoryEsp::new(capacity_bytes);
    let mut generations: Vec<Generation> = Vec::new();
    let mut booted: Option<EntryId> = None;
    for (number, step) in (1..).zip(steps) {
        let mut generation = host.generation(number, step.kernel, step.initrd);
        if step.special {
            generation.specialisations.insert("special".to_owned(), host.bootable(step.kernel, (step.initrd + 1) % 10));
        }
        generations.push(generation);
        let is_forgettable =
            |generation: &Generation| booted.as_ref().is_none_or(|id| id.generation != generation.number);
        let forget = step.forget.min(generations.len() - 1);
        let mut place = 0;
        generations.retain(|generation| {
            place += 1;
            place > forget || !is_forgettable(generation)
        });
        let mut wanted: Wanted = host.wanted(generations.clone());
        wanted.booted.clone_from(&booted);
        wanted.configuration_limit = step.limit;
        wanted.tries = step.tries;
        if step.rollback {
            wanted.default = EntryId::of_generation(generations[0].number);
        }
        let before = default_of(&esp.disk, host);
        esp.start_recording();
        match plan_esp(&Observed::read(&mut esp).unwrap(), &wanted) {
            Err(PlanError::NoSpace { .. }) => generations.truncate(generations.len() - 1),
            Err(error) => panic!("{error}"),
            Ok(plan) => {
                apply(&plan, &mut esp).unwrap_or_else(|error| panic!("{error:?} in\n{}", plan.describe()));
                let after = default_of(&esp.disk, host);
                let named = Observed::read(&mut esp).unwrap().loader_conf.unwrap();
                if !named.contains('*') {
                    assert_eq!(after.as_ref(), Some(&wanted.default));
                }
                for state in esp.power_cut_states() {
                    let found = default_of(&state, host);
                    assert!(
                        before.is_none() || found == before || found == after,
                        "{found:?}, not {before:?} or {after:?}"
                    );
                }
                // On a full ESP the old default stops being protected, so room may be found once more.
                let settled = (0..3).any(|_| {
                    let again = plan_esp(&Observed::read(&mut esp).unwrap(), &wanted).unwrap();
                    apply(&again, &mut esp).unwrap();
                    again.is_empty()
                });
                assert!(settled);
            }
        }
        if generations.is_empty() {
            return;
        }
        if step.boots {
            let default = default_of(&esp.disk, host).unwrap();
            boot(&mut esp, &default, step.blesses);
            booted = Some(default);
        }
    }
}

#[test]
fn every_power_cut_leaves_the_old_or_the_new_default() {
    let host = Host::new();
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let lives = (40..120_u64, prop::collection::vec(step(), 1..8));
    TestRunner::new_with_rng(config, random)
        .run(&lives, |(clusters, steps)| {
            live(&host, clusters * memory_esp::CLUSTER, &steps);
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn entry_names_survive_printing_and_parsing(generation: u32, name in prop::option::of("[a-z][a-z0-9_.-]{0,12}"), left in prop::option::of(0..9_u32), done in 0..9_u32) {
        use bootloader::entry::{Counter, EntryFileName};
        let counter = left.map(|left| Counter { left, done });
        let name = EntryFileName { id: EntryId { generation, specialisation: name }, counter };
        assert_eq!(EntryFileName::parse(&name.to_string()), Some(name));
    }
}
