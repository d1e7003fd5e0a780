//! The power goes while a machine switches to its next generation: whenever that is, the disk still starts one of the two
//! generations, whole, and once the switch has returned it is the second.
//!
//! The switch runs once, with each write to the disk recorded. The disks that power cuts can leave behind are then made
//! from the record and looked at from outside; three of them are booted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

mod esp;
mod volume;

use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use qemu::{Disk, WriteLog};
use stories::power_cut::{PowerCut, Replay, power_cuts};
use stories::write_log::RecordedWrites;
use stories::{Built, CacheDisk, Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const SWITCH: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);
/// The most that a boot and a switch write, many times over; the file is sparse.
const LOG_BYTES: u64 = 16 << 30;
/// States beyond this are left out evenly.
const MOST_STATES: usize = 300;
/// One state in so many has its root filesystem looked at.
const VOLUME_EVERY: usize = 10;
/// How many power cuts between two flushes.
const BETWEEN: usize = 9;

#[test]
fn a_power_cut_during_a_switch_leaves_one_generation_whole() {
    let lab = Lab::open("power-cuts");
    let first = lab.image("first");
    let cache = CacheDisk::make(&lab, "second");
    let recorded = Recorded::make(&lab, &first, &cache);
    let mut checks = Checks::new();
    let booted = every_state(&lab, &recorded, [&first.toplevel, &cache.toplevel], &mut checks);
    checks.fact("three states are booted", booted == 3, booted);
    checks.done();
}

/// A switch with its writes.
struct Recorded {
    /// The disk as it was before the machine started.
    image: PathBuf,
    log: PathBuf,
    /// The entries between the command's start and the moment when all it did has been flushed.
    switch: Range<usize>,
    /// How many entries there were when the command returned.
    returned: usize,
    // Removes both.
    _folder: tempfile::TempDir,
}

impl Recorded {
    fn make(lab: &Lab, first: &Built, cache: &CacheDisk) -> Self {
        let folder = tempfile::Builder::new().prefix("power-cuts-").tempdir_in(lab.state()).expect("a folder");
        let (image, log) = (folder.path().join("disk.img"), folder.path().join("writes.log"));
        let copied = Command::new("cp").args([&first.image, &image]).status().expect("cp runs");
        assert!(copied.success(), "the image is copied");
        RecordedWrites::prepare(&log, LOG_BYTES).expect("the log is made");

        let mut disk = Disk::raw(&first.image);
        disk.log = Some(WriteLog { path: log.clone() });
        let mut cache_disk = Disk::raw(&cache.image);
        cache_disk.read_only = true;
        let mut vm = lab.boot(vec![disk, cache_disk], Ports::free());
        vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
        vm.agent
            .wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT)
            .expect("the first generation boots");
        vm.agent.succeed(CacheDisk::MOUNT, MOMENT).expect("the cache is mounted");
        vm.agent.succeed("sync", MOMENT).expect("what the boot wrote is flushed");

        let position = || RecordedWrites::read(&log).expect("the log of writes").entries().len();
        let start = position();
        vm.agent.succeed(&cache.command("switch"), SWITCH).expect("the switch succeeds");
        let returned = position();
        vm.agent.succeed("sync", MOMENT).expect("the rest is flushed");
        let switch = start..position();
        vm.cut_power();
        eprintln!("entries of the log: the switch is {switch:?}, it returned at {returned}");
        Self { image, log, switch, returned, _folder: folder }
    }

    /// The states to look at, in the order of what is durable in them.
    fn cuts(&self, log: &RecordedWrites) -> Vec<PowerCut> {
        let all = power_cuts(log.entries(), self.switch.clone(), BETWEEN);
        let step = all.len().div_ceil(MOST_STATES).max(1);
        eprintln!("{} states, of which one in {step} is looked at", all.len());
        all.into_iter().step_by(step).collect()
    }
}

/// Looks at the states; returns how many were booted.
fn every_state(lab: &Lab, recorded: &Recorded, toplevels: [&str; 2], checks: &mut Checks) -> usize {
    let log = RecordedWrites::read(&recorded.log).expect("the log of writes");
    let cuts = recorded.cuts(&log);
    checks.fact("there are many states", cuts.len() > 150, cuts.len());
    let mut replay = Replay::open(&recorded.image, log).expect("the image");
    let partitions = volume::partitions(&mut replay);
    let mut volume = volume::Volume::new(&recorded.image, &partitions.root, lab.state());
    let mut esp = esp::Esp::new(partitions.esp);
    let to_boot = [cuts.len() / 4, cuts.len() / 2, cuts.len() * 7 / 8];
    let (mut booted, mut volumes) = (0, 0);
    let (mut seen, started) = ([0, 0], Instant::now());
    for (index, cut) in cuts.iter().enumerate() {
        replay.go_to(cut).expect("the state is made");
        let name = format!(
            "state {index} (entries {} of {:?}, {} of them volatile)",
            cut.at,
            recorded.switch,
            cut.volatile.len()
        );
        let starts = esp.check(&mut replay);
        let returned = cut.durable >= recorded.returned;
        match &starts {
            Ok(starts) => {
                seen[usize::from(starts.default == toplevels[1])] += 1;
                checks.fact(
                    &format!("{name}: it starts one of the two"),
                    toplevels.contains(&starts.default.as_str()),
                    &starts.default,
                );
                checks.fact(
                    &format!("{name}: the first can be started"),
                    starts.all.iter().any(|one| one == toplevels[0]),
                    "no entry",
                );
                let durable = !returned || starts.default == toplevels[1];
                checks.fact(&format!("{name}: what has returned stays"), durable, &starts.default);
            }
            Err(error) => checks.fact(&format!("{name}: the boot partition"), false, error),
        }
        if index % VOLUME_EVERY == 0 || to_boot.contains(&index) {
            let needed = starts.map(|starts| starts.all).unwrap_or_default();
            let result = volume.check(&needed, returned.then_some(toplevels[1]));
            checks.fact(&format!("{name}: the root filesystem"), result.is_ok(), result.err().unwrap_or_default());
            volumes += 1;
        }
        if to_boot.contains(&index) {
            boot(lab, &recorded.image, &name, toplevels, checks);
            booted += 1;
        }
    }
    eprintln!(
        "{} states ({volumes} with their root filesystem) in {:?}; {seen:?} start the first and the second",
        cuts.len(),
        started.elapsed()
    );
    checks.fact("power cuts early leave the first generation", seen[0] > 0, "");
    checks.fact("power cuts late leave the second", seen[1] > 0, "");
    booted
}

/// Starts a state; nothing of what the machine writes stays.
fn boot(lab: &Lab, image: &std::path::Path, name: &str, toplevels: [&str; 2], checks: &mut Checks) {
    let variables = image.with_extension("vars");
    if variables.exists() {
        fs_err::remove_file(&variables).expect("the firmware forgets");
    }
    let mut disk = Disk::raw(image);
    disk.ephemeral = true;
    let mut vm = lab.boot(vec![disk], Ports::free());
    let up = vm.agent.wait_until_up(BOOT);
    checks.fact(&format!("{name}: it boots"), up.is_ok(), format!("{up:?}\n{}", vm.console.tail(40)));
    if up.is_err() {
        return;
    }
    let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running && echo running", BOOT);
    checks.fact(&format!("{name}: it runs whole"), state.is_ok(), format!("{state:?}"));
    let current = vm.agent.succeed("readlink -f /run/current-system", MOMENT).unwrap_or_else(|error| error.to_string());
    checks.fact(&format!("{name}: one of the two runs"), toplevels.contains(&current.trim()), &current);
    checks.prints(&mut vm.agent, &format!("{name}: dpkg knows all"), "dpkg --audit", "");
    eprintln!("{name}: {current} runs");
    vm.cut_power();
}
