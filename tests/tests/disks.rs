//! Disks that are not the usual one: larger than their image and with sectors of 4096 bytes; and two at once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use qemu::{Agent, Disk, Running};
use stories::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);

fn image(lab: &Lab, system: &str, folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let (configuration, output) = (lab.file(&format!("systems/{system}.nix")), folder.join(name));
    let mut arguments =
        vec!["image", configuration.to_str().expect("UTF-8"), "--output", output.to_str().expect("UTF-8")];
    arguments.extend(options);
    lab.run(&arguments);
    output
}

fn boot(lab: &Lab, disks: Vec<Disk>, checks: &mut Checks) -> Running {
    let mut vm = lab.boot(disks, Ports::free());
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the system is running", state.is_ok(), format!("{state:?}"));
    vm
}

fn number(agent: &mut Agent, script: &str) -> u64 {
    agent.succeed(script, MOMENT).expect(script).trim().parse().expect(script)
}

#[test]
fn a_large_disk_with_large_sectors_is_used_whole() {
    let lab = Lab::open("disks-large");
    let folder = tempfile::Builder::new().prefix("disks-").tempdir_in(lab.state()).expect("a folder");
    let disk = image(&lab, "small", folder.path(), "disk.img", &["--sector-size", "4096", "--size", "2G"]);
    let file = fs_err::OpenOptions::new().write(true).open(&disk).expect("the image");
    file.set_len(5 << 30).expect("a larger disk");
    drop(file);
    let mut checks = Checks::new();
    let machine_disk = || Disk { sector_bytes: 4096, ..Disk::raw(&disk) };
    let mut vm = boot(&lab, vec![machine_disk()], &mut checks);
    let agent = &mut vm.agent;
    checks.prints(agent, "its sectors are large", "cat /sys/block/vda/queue/logical_block_size", "4096");
    let gib = number(agent, "expr $(blockdev --getsize64 /dev/vda2) / 1024 / 1024");
    checks.fact("the partition reaches to the disk's end", gib >= 5 * 1024 - 512 - 3, gib);
    let mebibytes = number(agent, "df --output=size -B1M /nix | tail -n 1");
    checks.fact("the filesystem is as large", mebibytes >= 4200, mebibytes);
    checks.mentions(agent, "the boot says what it grew", "dmesg", "esker: grow partition 2 of /dev/vda");
    checks.succeeds(agent, "the boot partition can be read", "ls /boot/loader/entries/esker-1*.conf");
    checks.succeeds(agent, "no filesystem complains", "! dmesg | grep -i 'ext4-fs error\\|fat-fs'");
    checks.succeeds(agent, "it is asked to turn off", "systemd-run --on-active=1 systemctl poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));

    let script = "printf 'v\\nq\\n' | fdisk --sector-size 4096 \"$1\"";
    let fdisk = std::process::Command::new("sh").args(["-c", script, "sh"]).arg(&disk).output().expect("fdisk");
    let verdict = String::from_utf8_lossy(&fdisk.stdout).into_owned();
    checks.fact("fdisk finds no error in the table", verdict.contains("No errors detected"), verdict);
    checks.done();
}

#[test]
fn a_system_on_two_disks_mounts_what_it_declares_of_both() {
    let lab = Lab::open("disks-two");
    let folder = tempfile::Builder::new().prefix("disks-").tempdir_in(lab.state()).expect("a folder");
    let disks = image(&lab, "two-disks", folder.path(), "disks", &[]);
    let mut checks = Checks::new();
    let (fast, large) = (disks.join("fast.img"), disks.join("large.img"));
    let mut vm = boot(&lab, vec![Disk::raw(&fast), Disk::raw(&large)], &mut checks);
    let agent = &mut vm.agent;
    checks.prints(
        agent,
        "the store is on one",
        "lsblk -n -o PKNAME $(findmnt -n -o SOURCE /nix | sed 's/\\[.*//')",
        "vda",
    );
    checks.prints(agent, "the data is on the other", "lsblk -n -o PKNAME $(findmnt -n -o SOURCE /data)", "vdb");
    checks.mentions(agent, "and so is the swap", "swapon --noheadings --show=NAME", "vdb");
    checks.succeeds(agent, "the data can be written", "touch /data/x && sync");
    checks.prints(agent, "a declared layout stays as it is", "dmesg | grep -c 'esker: grow'; true", "0");
    checks.done();
}
