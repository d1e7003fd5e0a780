//! A running machine switches to a second generation from a signed cache on a disk: what changed is restarted, what went
//! is stopped, nothing else is touched, and the earlier generation can be booted from the menu and made the default again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qemu::{Agent, Disk, Running};
use serde_json::Value;
use stories::menu::{choose, highlighted, reboot_to_menu};
use stories::{CacheDisk, Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const SWITCH: Duration = Duration::from_secs(240);
const MOMENT: Duration = Duration::from_secs(90);

#[test]
fn a_running_machine_switches_and_goes_back() {
    let lab = Lab::open("switch");
    let first = lab.image("first");
    let cache = CacheDisk::make(&lab, "second");
    let mut cache_disk = Disk::raw(&cache.image);
    cache_disk.read_only = true;
    let mut vm = lab.boot(vec![Disk::raw(&first.image), cache_disk], Ports::free());
    let mut checks = Checks::new();

    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the first generation boots", state.is_ok(), format!("{state:?}"));
    let current = "esker dry-activate --toplevel $(readlink -f /run/current-system)";
    checks.prints(&mut vm.agent, "a switch to what runs changes nothing", current, "nothing changes");
    only_what_is_signed(&mut vm.agent, &cache, &mut checks);
    live(&mut vm.agent, &cache, &mut checks);
    boots_by_default(&mut vm, &cache.toplevel, &mut checks);
    boots_by_choice(&mut vm, &first.toplevel, &mut checks);
    goes_back(&mut vm, &first.toplevel, &mut checks);
    checks.done();
}

/// A cache whose key the machine does not trust is refused.
fn only_what_is_signed(agent: &mut Agent, cache: &CacheDisk, checks: &mut Checks) {
    checks.succeeds(agent, "the cache is mounted", CacheDisk::MOUNT);
    let untrusted = format!("esker dry-activate --toplevel {} --from file:///mnt/cache", cache.toplevel);
    checks.mentions(agent, "a cache that is not trusted is refused", &untrusted, "no trusted binary cache");
    checks.fails(agent, "nothing came from it", &format!("test -e {}", cache.toplevel));
}

/// Comes when somebody looks at the boot partition, as the switch does, and goes when nobody does.
const MOUNTED_ON_DEMAND: [&str; 1] = ["boot.mount"];

/// The units of a machine that are up, with what identifies this run of each.
#[derive(Debug)]
struct Units(BTreeMap<String, Run>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    main_process: String,
    invocation: String,
}

impl Units {
    fn observe(agent: &mut Agent) -> Self {
        let listed = agent
            .succeed("systemctl show --all --property=Id,ActiveState,MainPID,InvocationID '*'", MOMENT)
            .expect("systemd lists its units");
        let mut units = BTreeMap::new();
        for block in listed.split("\n\n") {
            let properties: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
            let get = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
            if get("ActiveState") == "active" && !MOUNTED_ON_DEMAND.contains(&get("Id").as_str()) {
                units.insert(get("Id"), Run { main_process: get("MainPID"), invocation: get("InvocationID") });
            }
        }
        assert!(units.contains_key("ssh.service"), "ssh is up: {units:?}");
        Self(units)
    }

    /// Those that are up in both but were started anew.
    fn restarted(&self, later: &Self) -> BTreeSet<String> {
        let kept = self.0.iter().filter_map(|(name, run)| later.0.get(name).map(|now| (name, run, now)));
        kept.filter(|(_, run, now)| run != now).map(|(name, ..)| name.clone()).collect()
    }

    /// Those that are up here and not there.
    fn without(&self, other: &Self) -> BTreeSet<String> {
        self.0.keys().filter(|name| !other.0.contains_key(*name)).cloned().collect()
    }
}

/// What a plan says of units, by what can be seen afterwards.
fn planned(plan: &Value, actions: &[&str]) -> BTreeSet<String> {
    let steps = plan["units"]["steps"].as_array().expect("the plan has steps").iter();
    let chosen = steps.filter(|step| actions.iter().any(|action| step["action"] == **action));
    chosen.map(|step| step["unit"].as_str().expect("a unit").to_owned()).collect()
}

fn names(units: &[&str]) -> BTreeSet<String> {
    units.iter().map(|&unit| unit.to_owned()).collect()
}

/// The switch itself.
fn live(agent: &mut Agent, cache: &CacheDisk, checks: &mut Checks) {
    checks.fails(agent, "tree is not there before", "tree --version");
    checks.succeeds(agent, "a password is changed", "printf 'changed\\nchanged\\n' | passwd admin");
    let ids = "getent passwd | cut -d: -f1,3,4; getent group | cut -d: -f1,3";
    let ids_before = agent.succeed(ids, MOMENT).expect("the ids");
    python_starts(agent, checks);

    let before = Units::observe(agent);
    let plan = agent.succeed(&cache.command("dry-activate"), SWITCH);
    let plan: Value = serde_json::from_str(&plan.expect("dry-activate succeeds")).expect("dry-activate prints JSON");
    let still = Units::observe(agent);
    let touched = (before.restarted(&still), before.without(&still));
    checks.fact("dry-activate touches nothing", touched == (names(&[]), names(&[])), format!("{touched:?}"));
    checks.prints(agent, "dry-activate makes no generation", "ls -d /nix/var/nix/profiles/system-*-link | wc -l", "1");

    let switched = agent.run(&cache.command("switch"), SWITCH);
    let well = switched.as_ref().is_ok_and(|output| output.status == 0);
    checks.fact("the switch succeeds", well, format!("{switched:?}"));
    let after = Units::observe(agent);
    unit_facts(&before, &after, &plan, checks);
    new_things(agent, checks);
    python_goes_on(agent, checks);

    let ids_after = agent.succeed(ids, MOMENT).expect("the ids");
    let lost: Vec<&str> = ids_before.lines().filter(|line| !ids_after.lines().any(|other| other == *line)).collect();
    checks.fact("nobody is renumbered", lost.is_empty(), format!("{lost:?}"));
    checks.mentions(
        agent,
        "the changed password survives the switch",
        "su second -c 'echo changed | su admin -c id'",
        "uid=",
    );
    checks.prints(agent, "the second generation runs", "readlink -f /run/current-system", &cache.toplevel);
    checks.prints(
        agent,
        "there are two generations",
        "esker --json generations | tr , '\\n' | grep -c generation",
        "2",
    );
    checks.mentions(agent, "generations can be compared", "esker generations diff 1 2", "+ tree");
    checks.prints(agent, "no unit failed", "systemctl --failed --no-legend --plain", "");
}

/// What happened to units, and that it is what the plan said.
fn unit_facts(before: &Units, after: &Units, plan: &Value, checks: &mut Checks) {
    let seen = [before.restarted(after), before.without(after), after.without(before)];
    let said = [planned(plan, &["restart", "stop-then-start"]), planned(plan, &["stop"]), planned(plan, &["start"])];
    let expected = [names(&["closed-port.service"]), names(&["doomed.service"]), names(&[])];
    let all = format!("seen {seen:?}\nplanned {said:?}");
    checks.fact("the changed unit is restarted and no other", seen[0] == expected[0], &all);
    checks.fact("the removed unit is stopped and no other", seen[1] == expected[1], &all);
    checks.fact("no other unit is started", seen[2] == expected[2], &all);
    checks.fact("dry-activate said exactly that", said == seen, format!("{all}\n{}", plan["units"]));
    for unit in [
        "ssh",
        "nginx",
        "dbus",
        "systemd-journald",
        "systemd-networkd",
        "systemd-logind",
        "systemd-udevd",
        "esker-agent",
    ] {
        let name = format!("{unit}.service");
        let (old, new) = (before.0.get(&name), after.0.get(&name));
        let same = old.is_some_and(|run| run.main_process != "0") && old == new;
        checks.fact(&format!("{unit} keeps its process"), same, format!("{old:?} became {new:?}"));
    }
}

/// What the second generation has and the first has not.
fn new_things(agent: &mut Agent, checks: &mut Checks) {
    checks.mentions(agent, "the new package runs", "tree --version", "tree v");
    checks.prints(agent, "dpkg knows it", "dpkg-query -W -f '${db:Status-Status}' tree", "installed");
    let listening = agent.wait_until_succeeds("curl -s http://127.0.0.1:8889/ >/dev/null", MOMENT);
    checks.fact("the changed unit listens on its new port", listening.is_ok(), format!("{listening:?}"));
    checks.fails(agent, "and no longer on the old one", "curl -s http://127.0.0.1:8888/");
    checks.fails(agent, "the removed unit is gone", "systemctl cat doomed.service");
    checks.prints(agent, "the new user exists", "stat -c %U /home/third", "third");
    checks.mentions(agent, "and can log in", "su second -c 'echo third | su third -c id'", "(third)");
    checks.succeeds(agent, "modules can still be loaded", "modprobe dm_mod && grep -q dm_mod /proc/modules /proc/misc");
    checks.prints(agent, "/usr is one view", "findmnt -no FSTYPE /usr", "overlay");
    checks.fails(agent, "/usr is read-only", "touch /usr/x");
    checks.mentions(agent, "nginx still serves", "curl -s http://127.0.0.1/", "It works");
    checks.mentions(agent, "sudo still works", "su admin -c 'echo changed | sudo -S id'", "uid=0(root)");
}

/// A program of /usr that outlives the flip: it loads parts of itself before and after.
fn python_starts(agent: &mut Agent, checks: &mut Checks) {
    let script = "import os, time\n\
                  open('/run/python.up', 'w').close()\n\
                  while not os.path.exists('/run/python.go'): time.sleep(0.1)\n\
                  import decimal, sqlite3\n\
                  open('/run/python.done', 'w').write(str(os.getpid()))\n\
                  time.sleep(3600)\n";
    let sent = agent.write_file("/run/python.py", 0o644, script.as_bytes());
    checks.fact("a script is written", sent.is_ok(), format!("{sent:?}"));
    checks.succeeds(agent, "python runs", "systemd-run --quiet --unit=python python3 /run/python.py");
    let up = agent.wait_until_succeeds("test -e /run/python.up", MOMENT);
    checks.fact("python is up", up.is_ok(), format!("{up:?}"));
}

fn python_goes_on(agent: &mut Agent, checks: &mut Checks) {
    checks.succeeds(agent, "python is asked to load more", "touch /run/python.go");
    let done = agent.wait_until_succeeds("test -s /run/python.done", MOMENT);
    checks.fact("python goes on across the switch of /usr", done.is_ok(), format!("{done:?}"));
    checks.prints(
        agent,
        "it is the same process",
        "test $(cat /run/python.done) = $(systemctl show -P MainPID python) && echo same",
        "same",
    );
}

/// Waits until the booted machine answers, and checks which generation it is.
fn boots(vm: &mut Running, toplevel: &str, checks: &mut Checks) {
    vm.console.wait_for("Welcome to ", BOOT).unwrap_or_else(|e| panic!("{e}"));
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds("systemctl is-system-running", MOMENT);
    checks.fact("the system is running", state.as_deref().is_ok_and(|s| s == "running"), format!("{state:?}"));
    checks.prints(&mut vm.agent, "no unit failed", "systemctl --failed --no-legend --plain", "");
    checks.prints(&mut vm.agent, "the generation that runs", "readlink -f /run/current-system", toplevel);
    checks.prints(&mut vm.agent, "the generation that was booted", "readlink -f /run/booted-system", toplevel);
}

/// After a reboot both generations are in the menu, and the second is the default.
fn boots_by_default(vm: &mut Running, second: &str, checks: &mut Checks) {
    let entries = "cd /boot/loader/entries && LC_ALL=C ls | xargs";
    checks.prints(
        &mut vm.agent,
        "each generation has its entries",
        entries,
        "esker-1-debug.conf esker-1.conf esker-2-debug.conf esker-2.conf",
    );
    checks.mentions(&mut vm.agent, "the second is the default", "cat /boot/loader/loader.conf", "default esker-2.conf");
    reboot_to_menu(vm, checks);
    let picture = vm.screenshot("menu");
    checks.fact("the menu is photographed", picture.is_ok(), format!("{picture:?}"));
    let selected = highlighted(vm);
    checks.fact("the menu highlights the second", selected == "Esker server, generation 2", selected);
    let text = vm.console.text();
    checks.fact("the first is in the menu", text.contains("  Esker server, generation 1  "), "not on the console");
    boots(vm, second, checks);
    checks.mentions(
        &mut vm.agent,
        "the changed password is still there",
        "su second -c 'echo changed | su admin -c id'",
        "uid=",
    );
    checks.prints(&mut vm.agent, "the new user is still there", "stat -c %U /home/third", "third");
    checks.mentions(&mut vm.agent, "the new package still runs", "tree --version", "tree v");
}

/// The earlier generation, chosen with the keyboard.
fn boots_by_choice(vm: &mut Running, first: &str, checks: &mut Checks) {
    reboot_to_menu(vm, checks);
    choose(vm, "Esker server, generation 1", checks);
    boots(vm, first, checks);
    checks.fails(&mut vm.agent, "tree is not in the first generation", "tree --version");
    checks.succeeds(&mut vm.agent, "the removed unit is back", "systemctl is-active doomed.service");
    checks.prints(
        &mut vm.agent,
        "the default is still the second",
        "readlink /nix/var/nix/profiles/system",
        "system-2-link",
    );
}

/// `esker rollback` makes the earlier one the default; the collector takes neither.
fn goes_back(vm: &mut Running, first: &str, checks: &mut Checks) {
    let rolled = vm.agent.run("esker rollback", SWITCH);
    checks.fact("esker rollback succeeds", rolled.as_ref().is_ok_and(|o| o.status == 0), format!("{rolled:?}"));
    checks.prints(
        &mut vm.agent,
        "the first is the profile's",
        "readlink /nix/var/nix/profiles/system",
        "system-1-link",
    );
    checks.mentions(
        &mut vm.agent,
        "the first is the menu's default",
        "cat /boot/loader/loader.conf",
        "default esker-1.conf",
    );
    checks.succeeds(&mut vm.agent, "the collector runs", "esker gc");
    checks.succeeds(&mut vm.agent, "it takes neither generation", "for n in 1 2; do test -e /nix/var/nix/profiles/system-$n-link/init && esker --json generations diff $n 1 || exit; done");
    checks.prints(&mut vm.agent, "nor their entries", "ls /boot/loader/entries | wc -l", "4");
    reboot_to_menu(vm, checks);
    let selected = highlighted(vm);
    checks.fact("the menu highlights the first", selected == "Esker server, generation 1", selected);
    boots(vm, first, checks);
    checks.succeeds(&mut vm.agent, "it turns off", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
}
