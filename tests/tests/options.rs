//! Options that the other stories' systems do not set, each seen to have its effect in a running machine: disks, network,
//! accounts, rights, units, programs. Then the machine switches to a variant with another kernel, and boots another
//! variant from the menu.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

#[path = "options/facts.rs"]
mod facts;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use qemu::{Agent, Disk, Running};
use stories::menu::{choose, highlighted, reboot_to_menu};
use stories::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const SWITCH: Duration = Duration::from_secs(240);
const MOMENT: Duration = Duration::from_secs(90);

#[test]
fn every_option_has_its_effect() {
    let lab = Lab::open("options");
    let built = lab.image("options");
    let (empty, swap) = disks(built.image.parent().expect("the image's folder"));
    let disks = vec![Disk::raw(&built.image), Disk::raw(empty), Disk::raw(swap)];
    enlarge(&built.image);
    let mut vm = lab.boot(disks, Ports::free());
    let mut checks = Checks::new();

    sizes_are_explained(&lab, &mut checks);
    is_up(&mut vm, &mut checks);
    facts::check_all(&mut vm.agent, &mut checks);
    firewall(&mut vm.agent, &mut checks);
    activated_by_others(&mut vm.agent, &mut checks);
    logged_in(&mut vm, &mut checks);
    let ids = ids(&mut vm.agent);
    state_is_left(&mut vm.agent, &mut checks);
    switches_kernels(&mut vm.agent, &ids, &mut checks);
    few_generations_stay(&mut vm.agent, &mut checks);
    boots_a_variant(&mut vm, &mut checks);
    roams(&mut vm.agent, &mut checks);
    state_is_found(&mut vm.agent, &mut checks);
    ends_well(vm, &mut checks);
    checks.done();
}

/// Half a GiB more, as on a disk that is larger than the image on it.
fn enlarge(image: &Path) {
    let file = fs_err::OpenOptions::new().write(true).open(image).expect("the image");
    let bytes = file.metadata().expect("the image's length").len();
    file.set_len(bytes + (512 << 20)).expect("a larger disk");
}

/// `esker why-big` knows what a package is there for.
fn sizes_are_explained(lab: &Lab, checks: &mut Checks) {
    let configuration = lab.file("systems/options.nix");
    let shown = lab.json(&["why-big", configuration.to_str().expect("a path in UTF-8")]);
    let (tree, empty) = (&shown["tree"], Vec::new());
    let children = |entry: &serde_json::Value| entry["children"].as_array().unwrap_or(&empty).clone();
    let asked = children(tree).into_iter().find(|entry| entry["name"] == "environment.systemPackages");
    let bridges =
        asked.iter().flat_map(children).find(|entry| entry["name"].as_str().unwrap_or("").starts_with("bridge-utils"));
    checks.fact("a package hangs from the option that asks for it", bridges.is_some(), tree["name"].clone());
    checks.fact("the tree is the whole closure", tree["onlyBytes"] == tree["closureBytes"], tree["onlyBytes"].clone());
}

/// An empty disk, and one with a swap area that has a label.
fn disks(folder: &Path) -> (PathBuf, PathBuf) {
    let (empty, swap) = (folder.join("empty.img"), folder.join("swap.img"));
    for disk in [&empty, &swap] {
        fs_err::File::create(disk).and_then(|file| file.set_len(64 << 20)).expect("a disk");
    }
    let made = Command::new("mkswap").args(["-q", "-L", "swap"]).arg(&swap).status();
    assert!(made.expect("mkswap (package util-linux) runs").success(), "mkswap failed");
    (empty, swap)
}

fn is_up(vm: &mut Running, checks: &mut Checks) {
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let state = vm.agent.wait_until_succeeds(
        "systemctl is-system-running --wait; test \"$(systemctl is-system-running)\" != starting",
        BOOT,
    );
    checks.fact("the boot ends", state.is_ok(), format!("{state:?}"));
    checks.prints(&mut vm.agent, "no unit failed", "systemctl --failed --no-legend --plain", "");
    checks.prints(&mut vm.agent, "the system is running", "systemctl is-system-running", "running");
    let early = vm.console.text();
    checks.fact("no generator complains", !early.contains("systemd-ssh-generator"), "it does");
}

/// A second network in the machine, outside of its firewall.
fn firewall(agent: &mut Agent, checks: &mut Checks) {
    checks.succeeds(
        agent,
        "a neighbour",
        "ip netns add out && ip link add in0 type veth peer name out0 netns out && ip addr add 192.0.2.1/24 dev in0 \
         && ip link set in0 up && ip -n out addr add 192.0.2.2/24 dev out0 && ip -n out addr add 192.0.2.3/24 dev out0 \
         && ip -n out link set out0 up && ip -n out link set lo up",
    );
    for port in [7001, 7003, 7004, 7005] {
        let listen = format!("systemd-run --quiet --collect socat TCP-LISTEN:{port},fork,reuseaddr PIPE");
        checks.succeeds(agent, &format!("something listens on TCP {port}"), &listen);
    }
    for port in [7002, 7011, 7013] {
        let listen = format!("systemd-run --quiet --collect socat UDP-LISTEN:{port},fork PIPE");
        checks.succeeds(agent, &format!("something listens on UDP {port}"), &listen);
    }
    let ask = |target: &str| format!("ip netns exec out sh -c 'echo hello | socat -t 4 -T 4 - {target}'");
    let tcp = |port: u16, from: &str| ask(&format!("TCP:192.0.2.1:{port},connect-timeout=4,bind={from}"));
    let udp = |port: u16| ask(&format!("UDP:192.0.2.1:{port}"));
    checks.prints(agent, "an allowed TCP port is open", &tcp(7001, "192.0.2.2"), "hello");
    checks.prints(agent, "a port of one interface is open", &tcp(7005, "192.0.2.3"), "hello");
    checks.prints(agent, "an allowed UDP port is open", &udp(7002), "hello");
    checks.prints(agent, "a port of an allowed range is open", &udp(7011), "hello");
    checks.prints(agent, "another UDP port is closed", &udp(7013), "");
    checks.prints(agent, "another TCP port is closed", &format!("{} 2>/dev/null", tcp(7004, "192.0.2.2")), "");
    checks.prints(agent, "a rule of one's own lets its address in", &tcp(7003, "192.0.2.2"), "hello");
    checks.prints(agent, "and no other", &format!("{} 2>/dev/null", tcp(7003, "192.0.2.3")), "");
}

/// Timers, sockets, paths, automounts: units that something else starts.
fn activated_by_others(agent: &mut Agent, checks: &mut Checks) {
    let ticked = agent.wait_until_succeeds("test -s /run/ticked", MOMENT);
    checks.fact("a timer starts its service", ticked.is_ok(), format!("{ticked:?}"));
    checks.prints(
        agent,
        "a socket starts a service for each connection",
        "echo ping | socat -t 10 - UNIX-CONNECT:/run/echo.socket",
        "ping",
    );
    checks.fails(agent, "a path's service has not run before", "test -e /run/seen");
    checks.succeeds(agent, "a file appears", "echo now > /run/appears");
    let seen = agent.wait_until_succeeds("grep -q now /run/seen", MOMENT);
    checks.fact("a path starts its service", seen.is_ok(), format!("{seen:?}"));
    checks.prints(
        agent,
        "an automount mounts when it is looked at",
        "ls /mnt/later && findmnt -no FSTYPE /mnt/later -t tmpfs",
        "tmpfs",
    );
}

/// The console logs alice in, with the shell and the limits that are declared for her.
fn logged_in(vm: &mut Running, checks: &mut Checks) {
    let greeted = vm.console.text().contains("This is the machine with all options.");
    checks.fact("the console greets", greeted, "it does not");
    let shell = vm.console.send("\n").and_then(|()| vm.console.wait_for("alice@options>", MOMENT));
    checks.fact("the console logs in by itself, into zsh", shell.is_ok(), format!("{shell:?}"));
    let alias = vm.console.send("zhi\n").and_then(|()| vm.console.wait_for("zsh says hi", MOMENT));
    checks.fact("zsh has its aliases", alias.is_ok(), format!("{alias:?}"));
}

fn ids(agent: &mut Agent) -> String {
    agent.succeed("getent passwd | cut -d: -f1,3,4; getent group | cut -d: -f1,3", MOMENT).expect("the ids")
}

/// What the next boot should find, or not.
fn state_is_left(agent: &mut Agent, checks: &mut Checks) {
    checks.succeeds(
        agent,
        "files are written",
        "echo kept > /keep/file; echo kept > /etc/kept-mode; echo kept > /etc/kept-link; echo kept > /data/file; \
         su alice -s /bin/sh -c 'echo kept > ~/Documents/file; echo kept > ~/.netrc; echo lost > ~/lost'",
    );
    checks.mentions(agent, "passwd says that accounts are declared", "printf 'x\\nx\\n' | passwd bob", "declar");
    checks.mentions(agent, "chpasswd does, too", "echo bob:changed | chpasswd", "declar");
    checks.succeeds(
        agent,
        "a password is changed by force",
        "sed -i \"s|^bob:[^:]*|bob:$(openssl passwd -6 changed)|\" /etc/shadow",
    );
    checks.mentions(agent, "the change works", "su alice -s /bin/sh -c 'echo changed | su bob -c id'", "(bob)");
}

/// To a variant with another kernel and one package more, while the machine runs.
fn switches_kernels(agent: &mut Agent, ids_before: &str, checks: &mut Checks) {
    let switched =
        agent.run("esker switch --toplevel $(readlink -f /run/current-system) --specialisation marked", SWITCH);
    checks.fact(
        "a switch to a specialisation",
        switched.as_ref().is_ok_and(|o| o.status == 0),
        format!("{switched:?}"),
    );
    checks.prints(agent, "the variant runs", "cat /etc/marked", "marked");
    checks.prints(
        agent,
        "its toplevel is the current one",
        "test $(readlink -f /run/current-system) = $(readlink -f /run/booted-system/specialisation/marked) && echo same",
        "same",
    );
    checks.prints(
        agent,
        "the menu's default is the generation, not the variant",
        "grep ^default /boot/loader/loader.conf",
        "default esker-1.conf",
    );
    checks.mentions(agent, "the added package runs", "tcpdump --version", "tcpdump version");
    let after = ids(agent);
    let lost: Vec<&str> = ids_before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    checks.fact("nobody is renumbered", lost.is_empty(), format!("{lost:?}"));
    checks.mentions(agent, "the added packages brought users", "getent passwd uuidd tcpdump", "uuidd");
    checks.fails(agent, "a wrapper that is off is gone", "test -e /run/wrappers/bin/rootly");
    checks.fails(
        agent,
        "the changed password is the declared one again",
        "su alice -s /bin/sh -c 'echo changed | su bob -c id'",
    );
    checks.prints(agent, "a newly persisted folder is bound", "findmnt -no FSROOT /added", "/persist/added");
    checks.mentions(agent, "the running kernel stays", "uname -r", "cloud");
    checks.succeeds(agent, "its modules can still be loaded", "modprobe ipvlan && grep -q ^ipvlan /proc/modules");
    checks.prints(agent, "no unit failed", "systemctl --failed --no-legend --plain", "");
}

/// The boot menu holds two generations, and the collector keeps one beside what is in use.
fn few_generations_stay(agent: &mut Agent, checks: &mut Checks) {
    // The toplevels differ, else there would be no new generation.
    for toplevel in ["/specialisation/roaming", "/specialisation/marked", ""] {
        let command = format!("esker boot --toplevel $(readlink -f /run/booted-system{toplevel})");
        checks.mentions(agent, "one more generation", &command, "boots next");
    }
    checks.prints(agent, "there are four", "ls -d /nix/var/nix/profiles/system-*-link | wc -l", "4");
    checks.prints(
        agent,
        "the menu has as many as it may, and the booted one",
        "cd /boot/loader/entries && LC_ALL=C ls esker-?.conf | xargs",
        "esker-1.conf esker-3.conf esker-4.conf",
    );
    checks.succeeds(agent, "the collector runs", "systemctl start esker-gc");
    checks.prints(
        agent,
        "it keeps what it should",
        "cd /nix/var/nix/profiles && LC_ALL=C ls -d system-*-link | xargs",
        "system-1-link system-3-link system-4-link",
    );
    checks.succeeds(
        agent,
        "what is kept is whole",
        "nix=/run/booted-system && test -e $nix/init && test -e $nix/sw/usr.erofs",
    );
    checks.mentions(
        agent,
        "the firmware has an entry of ours",
        "cat /sys/firmware/efi/efivars/Boot0*-8be4df61-93ca-11d2-aa0d-00e098032b8c | tr -d '\\0'",
        "Linux Boot Manager",
    );
}

/// Neither systemd nor the last program left anything mounted, or tried in vain.
fn was_unmounted(vm: &Running, name: &str, checks: &mut Checks) {
    let text = vm.console.text();
    let complaint =
        ["Failed to unmount", "Failed unmounting", "stays mounted"].iter().find(|words| text.contains(**words));
    checks.fact(name, complaint.is_none(), format!("the console says {complaint:?}"));
}

/// A specialisation, chosen in the menu: it stands below its generation.
fn boots_a_variant(vm: &mut Running, checks: &mut Checks) {
    reboot_to_menu(vm, checks);
    let text = vm.console.text();
    was_unmounted(vm, "everything was unmounted", checks);
    let picture = vm.screenshot("menu");
    checks.fact("the menu is photographed", picture.is_ok(), format!("{picture:?}"));
    let selected = highlighted(vm);
    checks.fact("the menu highlights the newest", selected == "Esker options, generation 4", selected);
    let (main, variant) = (text.rfind("generation 4  "), text.rfind("generation 4 (roaming)"));
    checks.fact(
        "a variant stands below its generation",
        main < variant && main.is_some(),
        format!("{main:?} {variant:?}"),
    );
    choose(vm, "Esker options, generation 4 (roaming)", checks);
    vm.console.wait_for("Welcome to ", BOOT).unwrap_or_else(|e| panic!("{e}"));
    is_up(vm, checks);
}

/// The variant is what it says: the standard kernel, NetworkManager.
fn roams(agent: &mut Agent, checks: &mut Checks) {
    checks.fails(agent, "the standard kernel runs", "uname -r | grep cloud");
    checks.succeeds(agent, "with its own modules", "modprobe ipvlan && test -d /usr/lib/modules/$(uname -r)");
    checks.prints(agent, "networkd is off", "systemctl is-active systemd-networkd", "inactive");
    let connected = agent.wait_until_succeeds("nmcli -g GENERAL.STATE device show eth0 | grep -q '^100'", MOMENT);
    checks.fact("NetworkManager connects", connected.is_ok(), format!("{connected:?}"));
    checks.prints(agent, "by the declared profile", "nmcli -g GENERAL.CONNECTION device show eth0", "wired");
    checks.mentions(agent, "with an address by DHCP", "ip -4 -br addr show eth0", "10.0.2.");
    checks.succeeds(agent, "another interface appears", "ip link add dummy0 type dummy && ip link set dummy0 up");
    let alone = agent.wait_until_succeeds("nmcli -g GENERAL.STATE device show dummy0 | grep -q unmanaged", MOMENT);
    checks.fact("and is left alone, as it should", alone.is_ok(), format!("{alone:?}"));
    checks.mentions(agent, "the resolver has the declared name servers", "resolvectl dns", "192.0.2.53");
    checks.mentions(
        agent,
        "the firmware booted its entry of ours",
        "n=$(od -An -tx2 -j4 /sys/firmware/efi/efivars/BootCurrent-8be4df61-93ca-11d2-aa0d-00e098032b8c | tr -d ' \\n'); tr -d '\\0' < /sys/firmware/efi/efivars/Boot$n-8be4df61-93ca-11d2-aa0d-00e098032b8c",
        "Linux Boot Manager",
    );
}

fn state_is_found(agent: &mut Agent, checks: &mut Checks) {
    checks.prints(agent, "a persisted folder", "cat /keep/file; stat -c '%U %G %a' /keep", "kept\nkeeper makers 750");
    checks.prints(
        agent,
        "a persisted file with a mode",
        "cat /etc/kept-mode; stat -c '%G %a' /etc/kept-mode",
        "kept\nmakers 640",
    );
    checks.prints(agent, "a persisted file without one", "cat /etc/kept-link", "kept");
    checks.prints(agent, "a disk", "cat /data/file; cat /srv/www/page", "kept\nserved");
    checks.prints(
        agent,
        "a user's folder and file",
        "cd /home/alice; cat Documents/file .netrc; stat -c '%U %a' .local/state .local/state/app",
        "kept\nkept\nalice 755\nalice 700",
    );
    checks.fails(agent, "the rest of the home is gone", "ls /home/alice/lost");
    checks.prints(
        agent,
        "the swap file is the same",
        "swapon --noheadings --show=NAME | LC_ALL=C sort | xargs",
        "/dev/vda3 /dev/vdc /var/swapfile",
    );
}

fn ends_well(mut vm: Running, checks: &mut Checks) {
    checks.succeeds(&mut vm.agent, "it is asked to turn off", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
    was_unmounted(&vm, "everything was unmounted again", checks);
}
