//! A second generation is put into an image: both are in its boot menu, the earlier one boots from there, and once a machine
//! has used the image it is not written anew. In that machine a boot partition without room, or read-only, refuses a further
//! generation and keeps what it has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::time::Duration;

use qemu::{Agent, Disk};
use stories::menu::{choose, highlighted};
use stories::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);

#[test]
fn the_earlier_generation_of_an_image_boots_from_its_menu() {
    let lab = Lab::open("second-generation");
    let first = lab.image("first");
    let mut checks = Checks::new();
    let second = lab.file("systems/second.nix");
    let add = ["image", second.to_str().unwrap(), "--output", first.image.to_str().unwrap(), "--add"];
    let report = lab.json(&add);
    checks.fact("the second system is generation 2", report["generation"] == 2, &report);
    let again = lab.json(&add);
    let same = again["generation"] == 2 && again["bytes"].is_null();
    checks.fact("the same system is not added twice", same, &again);

    let mut vm = lab.boot(vec![Disk::raw(&first.image)], Ports::free());
    vm.console.wait_for("Boot in ", BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let selected = highlighted(&vm);
    checks.fact("the menu highlights the second", selected == "Esker server, generation 2", selected);
    choose(&mut vm, "Esker server, generation 1", &mut checks);
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the system is running", state.is_ok(), format!("{state:?}"));
    let agent = &mut vm.agent;
    checks.prints(agent, "the first generation was booted", "readlink -f /run/booted-system", &first.toplevel);
    checks.fails(agent, "what only the second has is not there", "tree --version");
    checks.prints(agent, "the second is the default", "readlink /nix/var/nix/profiles/system", "system-2-link");
    let generations = "esker --json generations | tr , '\\n' | grep -c generation";
    checks.prints(agent, "the machine knows both", generations, "2");
    let second = report["toplevel"].as_str().expect("a toplevel");
    let links = "readlink /nix/var/nix/profiles/system-1-link /nix/var/nix/profiles/system-2-link";
    checks.prints(agent, "each by its number", links, &format!("{}\n{second}", first.toplevel));
    checks.prints(agent, "what both have is there once", "ls -d /nix/store/*-linux-image-* | wc -l", "1");
    checks.succeeds(agent, "the collector leaves both", &format!("esker gc && test -e {second}/init"));
    full_boot_partition(agent, &first.toplevel, &mut checks);
    read_only_boot_partition(agent, second, &mut checks);
    checks.succeeds(agent, "it turns off", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
    drop(vm);

    let third = lab.file("systems/first.nix");
    let mut command = lab.esker();
    command.args(["image", third.to_str().unwrap(), "--add", "--output"]).arg(&first.image);
    let before = fs_err::metadata(&first.image).unwrap().modified().unwrap();
    let output = command.output().expect("esker runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = output.status.code() == Some(1) && said.contains("a machine has used");
    checks.fact("what the machine wrote is not lost by adding another", refused, &said);
    checks.fact("and it is said how to add it", said.contains("hint: run `esker switch` in that machine"), &said);
    let untouched = fs_err::metadata(&first.image).unwrap().modified().unwrap() == before;
    checks.fact("the image is as it was", untouched, "");
    checks.done();
}

/// A boot partition without room refuses a further generation, with every entry that was there as it was.
fn full_boot_partition(agent: &mut Agent, toplevel: &str, checks: &mut Checks) {
    let contents = "cd /boot && find EFI loader -type f ! -name random-seed -exec sha256sum {} + | sort";
    let before = agent.succeed(contents, MOMENT).expect("the files of the boot partition");
    checks.fails(agent, "the boot partition is filled", "dd if=/dev/zero of=/boot/filler bs=1M");
    let boot = format!("esker boot --toplevel {toplevel}");
    let refused = agent.run(&boot, MOMENT).expect("esker runs");
    let said = &refused.errors;
    let words = ["the EFI system partition is too small", "hint: ", "remove what else is on that partition"];
    let named = refused.status == 1 && words.iter().all(|word| said.contains(word));
    checks.fact("a full boot partition is named with what to do", named, format!("{}: {said}", refused.status));
    checks.prints(agent, "every entry and what it boots are as they were", contents, before.trim_end());
    checks.prints(agent, "the default as well", "readlink /nix/var/nix/profiles/system", "system-2-link");
    checks.succeeds(agent, "with room again", "rm /boot/filler && sync -f /boot");
    checks.succeeds(agent, "the same command succeeds", &boot);
    checks.mentions(agent, "and its entry is there", "cat /boot/loader/loader.conf", "default esker-3.conf");
}

/// A boot partition that cannot be written to is named as that.
fn read_only_boot_partition(agent: &mut Agent, toplevel: &str, checks: &mut Checks) {
    checks.succeeds(agent, "the boot partition is read-only", "ls /boot && mount -o remount,ro /boot");
    let refused = agent.run(&format!("esker boot --toplevel {toplevel}"), MOMENT).expect("esker runs");
    let said = &refused.errors;
    let words =
        ["on the EFI system partition", "Read-only file system", "hint: the EFI system partition is mounted read-only"];
    let named = refused.status == 1 && words.iter().all(|word| said.contains(word));
    checks.fact("a read-only boot partition is named with what to do", named, format!("{}: {said}", refused.status));
    let default = "readlink /nix/var/nix/profiles/system && head -n 1 /boot/loader/loader.conf";
    checks.prints(agent, "the default is as it was", default, "system-3-link\ndefault esker-3.conf");
}
