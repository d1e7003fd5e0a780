//! A disk that is declared with btrfs subvolumes, and XFS beside them: its image is the same each time, boots, grows on a larger disk, is written
//! to, and is sound afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use disk_formats::gpt::DiskLayout;
use qemu::{Agent, Disk};
use stories::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);

#[test]
fn a_disk_of_btrfs_subvolumes_boots_and_grows() {
    let lab = Lab::open("layouts");
    let built = lab.image("layouts");
    let mut checks = Checks::new();
    let again = lab.image("layouts");
    let same = Command::new("cmp").args([&built.image, &again.image]).status().expect("cmp (diffutils) runs");
    checks.fact("the image is the same each time", same.success(), same);
    drop(again);
    sound(&built.image, &mut checks);
    enlarge(&built.image);

    let mut vm = lab.boot(vec![Disk::raw(&built.image)], Ports::free());
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the system is running", state.is_ok(), format!("{state:?}"));
    mounted(&mut vm.agent, &mut checks);
    grown(&mut vm.agent, &mut checks);
    written(&mut vm.agent, &mut checks);
    checks.succeeds(&mut vm.agent, "it turns off", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
    drop(vm);
    sound(&built.image, &mut checks);
    checks.done();
}

/// Three GiB more, as on a disk that is larger than the image on it.
fn enlarge(image: &Path) {
    let file = fs_err::OpenOptions::new().write(true).open(image).expect("the image");
    let bytes = file.metadata().expect("the image's length").len();
    file.set_len(bytes + (3 << 30)).expect("a larger disk");
}

/// Each subvolume is where it is declared, with its options.
fn mounted(agent: &mut Agent, checks: &mut Checks) {
    let label = "findmnt --noheadings --nofsroot --output LABEL,FSTYPE --mountpoint";
    checks.prints(agent, "the store is in the declared filesystem", &format!("{label} /nix"), "everything btrfs");
    checks.prints(agent, "the other filesystem has its place", &format!("{label} /scratch"), "scratch btrfs");
    for (place, facts) in [
        ("/nix", &["subvol=/nix", "compress=zstd", "noatime"][..]),
        ("/home", &["subvol=/home", "relatime"]),
        ("/var/log", &["subvol=/var/log", "relatime"]),
        ("/scratch", &["subvol=/"]),
    ] {
        for fact in facts {
            let script =
                format!("findmnt --noheadings --output OPTIONS --mountpoint {place} | tr , '\\n' | grep ^subvol=");
            let script = if fact.starts_with("subvol=") { script } else { script.replace(" | grep ^subvol=", "") };
            checks.mentions(agent, &format!("{place} is mounted with {fact}"), &script, fact);
        }
    }
    // The number of every subvolume's root: nothing else lies over it.
    checks.prints(
        agent,
        "each can be seen",
        "stat --format %i /nix /home /var/log /scratch | xargs",
        "256 256 256 256",
    );
    checks.prints(agent, "XFS has its place", &format!("{label} /data"), "data xfs");
    let subvolumes = "btrfs subvolume list /nix | sed 's/.* path //' | sort | xargs";
    checks.prints(agent, "all subvolumes are there", subvolumes, "home nix snapshots var/log");
}

/// The partition takes what the disk has more, and the filesystem what the partition has.
fn grown(agent: &mut Agent, checks: &mut Checks) {
    let source = "findmnt --noheadings --nofsroot --output SOURCE --mountpoint /nix";
    let partition = format!("blockdev --getsize64 $({source})");
    let filesystem = "btrfs filesystem show --raw /nix | grep -o 'size [0-9]*' | cut -d ' ' -f 2";
    checks.succeeds(
        agent,
        "the partition reaches to the disk's end",
        &format!("test $(($(blockdev --getsize64 /dev/vda) - $({partition}))) -lt $((800 << 20))"),
    );
    let grown = format!("test $(($({partition}) - $({filesystem}))) -lt 65536");
    let state = agent.wait_until_succeeds(&grown, MOMENT);
    checks.fact("the filesystem fills it", state.is_ok(), format!("{state:?}"));
}

/// What is written is compressed, can be kept in a snapshot, and has its checksums.
fn written(agent: &mut Agent, checks: &mut Checks) {
    checks.succeeds(agent, "the store's filesystem is written to", "yes esker | head -c 64M > /nix/var/text && sync");
    checks.mentions(agent, "it is compressed", "filefrag -v /nix/var/text", "encoded");
    checks.succeeds(agent, "people's files are written", "head -c 300M /dev/urandom > /home/random && sync");
    checks.mentions(agent, "the journal is in its subvolume", "ls /var/log", "journal");
    let spread = "mkdir /data/many && for n in $(seq 2000); do echo $n > /data/many/$n; done && \
                  cp --reflink=always /data/many/7 /data/copy && sync";
    checks.succeeds(agent, "XFS is written to", spread);
    let snapshot = "mkdir /run/top && mount -t btrfs LABEL=everything /run/top && \
                    btrfs subvolume snapshot -r /nix /run/top/snapshots/nix && test -e /run/top/snapshots/nix/var/text && \
                    umount /run/top";
    checks.succeeds(agent, "a snapshot of the store is made", snapshot);
    checks.mentions(agent, "every checksum is right", "btrfs scrub start -B /nix", "no errors found");
}

/// `btrfs check` and `xfs_repair` find nothing.
fn sound(image: &Path, checks: &mut Checks) {
    const BTRFS: &[&str] = &["btrfs", "check", "--readonly", "--check-data-csum"];
    const XFS: &[&str] = &["xfs_repair", "-n", "-f"];
    let mut file = fs_err::OpenOptions::new().read(true).write(true).open(image).expect("the image");
    let layout = DiskLayout::read_from(&mut file).expect("the partition table");
    for (name, tool) in [("scratch", BTRFS), ("data", XFS), ("main", BTRFS)] {
        let label = format!("disk-main-{name}");
        let partition = layout.partitions.iter().find(|partition| partition.name == label).expect("the partition");
        let copy = image.with_extension("partition");
        // Most of it is holes, which must stay ones. Partitions begin and end at a MiB.
        let copied = Command::new("dd")
            .args(["bs=1M", "conv=sparse", "status=none"])
            .arg(format!("if={}", image.display()))
            .arg(format!("of={}", copy.display()))
            .arg(format!("skip={}", partition.start_bytes >> 20))
            .arg(format!("count={}", partition.length_bytes >> 20))
            .status();
        assert!(copied.expect("dd (coreutils) runs").success(), "the partition cannot be copied");
        let check =
            Command::new(tool[0]).args(&tool[1..]).arg(&copy).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let check = check.expect("btrfs and xfs_repair (packages btrfs-progs, xfsprogs) run");
        let said = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
        checks.fact(&format!("{} finds nothing in {name}", tool[0]), check.status.success(), said);
        fs_err::remove_file(copy).expect("the copy goes");
    }
}
