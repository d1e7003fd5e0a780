//! `esker vm`: its options reach QEMU and the guest; a machine with this host's store keeps its state and can change its
//! own store; the disk image of an earlier run is used, set aside or left alone. The stories of a machine on the terminal
//! boot; the others run a QEMU that writes down what it was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use stories::{Checks, Lab, Ports, Ssh};

const BOOT: Duration = Duration::from_secs(300);

/// A folder with a configuration whose machine is run.
struct Story {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Story {
    fn new() -> Self {
        let lab = Lab::open("vm");
        let folder = tempfile::Builder::new().prefix("vm-").tempdir_in(lab.artifacts()).expect("a folder");
        Self { lab, folder }
    }

    fn configure(&self, change: impl Fn(String) -> String) {
        let text = fs_err::read_to_string(self.lab.file("systems/own.nix")).expect("the configuration");
        fs_err::write(self.folder.path().join("configuration.nix"), change(text)).expect("the configuration");
    }

    fn state(&self, file: &str) -> PathBuf {
        self.folder.path().join(".esker/vm").join(file)
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = self.lab.esker();
        command.arg("vm").arg(self.folder.path()).args(options);
        command
    }

    /// Runs with a QEMU that notes its arguments and ends with a status.
    fn pretend(&self, options: &[&str], status: u8) -> (Output, String) {
        let (program, notes) = (self.folder.path().join("qemu"), self.folder.path().join("arguments"));
        let script = format!("#!/bin/sh\necho \"$*\" >{}\nexit {status}\n", notes.display());
        fs_err::write(&program, script).expect("a program");
        fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        if notes.exists() {
            fs_err::remove_file(&notes).expect("the notes of another run");
        }
        let output = self.command(options).arg("--qemu").arg(&program).output().expect("esker runs");
        (output, fs_err::read_to_string(&notes).unwrap_or_default())
    }
}

/// Facts about what a command prints in a machine.
trait PrintsBy {
    fn prints_by(&mut self, ssh: &Ssh, name: &str, command: &str, expected: &str);
}

impl PrintsBy for Checks {
    fn prints_by(&mut self, ssh: &Ssh, name: &str, command: &str, expected: &str) {
        let seen = ssh.run(command);
        let holds = seen.trim_end() == expected.trim_end();
        self.fact(name, holds, format!("`{command}` printed `{seen}`, not `{expected}`"));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Which file this is, whatever its name.
fn inode(path: &Path) -> u64 {
    fs_err::metadata(path).map_or(0, |metadata| metadata.ino())
}

#[test]
fn a_machine_with_this_hosts_store_needs_no_image() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.configure(|text| text);
    let options = ["--ssh-port", "2201", "--forward", "8081:80", "--memory", "2G", "--cpus", "3"];
    let (output, arguments) = story.pretend(&options, 0);
    checks.fact("it runs", output.status.success(), said(&output));
    for part in [
        "-m 2048M",
        "-smp 3",
        "hostfwd=tcp:127.0.0.1:2201-:2222",
        "hostfwd=tcp:127.0.0.1:8081-:80",
        "/.esker/vm/state.img,readonly=off,snapshot=off",
        "-kernel /",
        "-append init=/nix/store/",
        "esker.registration=/nix/store/",
        "vhost-user-fs-pci,chardev=files,tag=esker-store",
    ] {
        checks.fact(&format!("QEMU gets `{part}`"), arguments.contains(part), &arguments);
    }
    let announced = said(&output).contains("127.0.0.1:2201 leads to the machine's port 2222");
    checks.fact("ports are announced", announced, said(&output));
    checks.fact("there is no image", !story.state("disk.img").exists(), &arguments);
    let first = inode(&story.state("state.img"));
    story.configure(|text| text.replace("\"own\"", "\"changed\""));
    let (_, changed) = story.pretend(&[], 0);
    let kept = first != 0 && inode(&story.state("state.img")) == first && changed != arguments;
    checks.fact("another system has the same state", kept, changed);
    story.configure(|text| text.replace("environment.etc.\"story\"", MACHINE));
    let (output, arguments) = story.pretend(&["--cpus", "5"], 0);
    for part in ["-m 1536M", "-smp 5", "hostfwd=tcp:127.0.0.1:2202-:2222"] {
        let name = format!("declared, and the command line has the last word: `{part}`");
        checks.fact(&name, arguments.contains(part), format!("{arguments}\n{}", said(&output)));
    }
    let (_, arguments) = story.pretend(&["--ephemeral"], 0);
    let passing = arguments.contains("/.esker/vm/ephemeral-") && !arguments.contains("/.esker/vm/state.img");
    checks.fact("--ephemeral has a disk of its own", passing, &arguments);
    let left = fs_err::read_dir(story.state("")).expect("the state").flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.collect();
    checks.fact("which is gone afterwards", left == ["state.img"], format!("{left:?}"));
    refusals(&story, &mut checks);
    checks.done();
}

#[test]
fn an_image_is_used_set_aside_or_left_alone() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.configure(|text| text);
    let (output, arguments) = story.pretend(&["--image"], 0);
    checks.fact("it runs", output.status.success(), said(&output));
    for part in ["/.esker/vm/disk.img,readonly=off,snapshot=off", "if=pflash,unit=1", "bootindex=0"] {
        checks.fact(&format!("QEMU gets `{part}`"), arguments.contains(part), &arguments);
    }
    let direct = arguments.contains("-kernel") || arguments.contains("vhost-user-fs");
    checks.fact("it starts from the disk alone", !direct, &arguments);
    let disk = story.state("disk.img");
    let first = inode(&disk);
    story.pretend(&["--image"], 0);
    checks.fact("the same system runs from the same disk", first != 0 && inode(&disk) == first, first);

    story.configure(|text| text.replace("\"own\"", "\"changed\""));
    let (_, arguments) = story.pretend(&["--image", "--keep-disk"], 0);
    let kept = inode(&disk) == first && arguments.contains("/.esker/vm/disk.img,");
    checks.fact("--keep-disk runs another system's disk", kept, &arguments);
    let (_, arguments) = story.pretend(&["--image", "--ephemeral"], 0);
    let apart = arguments.contains("/.esker/vm/ephemeral/disk.img,readonly=off,snapshot=on") && inode(&disk) == first;
    checks.fact("--ephemeral leaves that disk alone", apart, &arguments);
    checks.fact("and its firmware's variables too", !arguments.contains("/.esker/vm/efi-variables"), &arguments);
    let (output, _) = story.pretend(&["--image"], 0);
    let aside = inode(&story.state("disk.old.img")) == first && inode(&disk) != first;
    checks.fact("another system gets a new disk, and the old one stays", aside, said(&output));
    checks.fact("it says where", said(&output).contains("disk.old.img"), said(&output));
    checks.done();
}

fn refusals(story: &Story, checks: &mut Checks) {
    let (output, _) = story.pretend(&[], 3);
    let named = output.status.code() == Some(1) && said(&output).contains("exit status: 3");
    checks.fact("a QEMU that fails is an error", named, said(&output));
    story.configure(|text| text.replace("services.openssh.enable = true;", ""));
    let (output, arguments) = story.pretend(&["--ssh-port", "2201"], 0);
    let named = output.status.code() == Some(1) && said(&output).contains("services.openssh.enable");
    checks.fact("a port to no ssh server is an error", named, said(&output));
    checks.fact("and nothing is started", arguments.is_empty(), arguments);
}

/// A machine that a person started. Dropping it ends it.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // An interrupt makes `esker vm` cut the machine's power; it may have ended already.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

impl Started {
    /// Starts a machine and waits until somebody can log in.
    fn wait(story: &Story, options: &[&str], ports: Ports) -> (Self, Ssh) {
        let console = fs_err::File::create(story.lab.artifacts().join("console.log")).expect("a log").into_parts().0;
        let child = story.command(options).stdin(Stdio::null()).stdout(console).spawn().expect("esker runs");
        let mut machine = Self(child);
        let ssh = Ssh::new(&story.lab, ports.ssh, "root");
        let end = Instant::now() + BOOT;
        // Where it has ended already there is nothing to wait for.
        while !ssh.run("echo up").contains("up") && Instant::now() < end && matches!(machine.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(500));
        }
        (machine, ssh)
    }

    /// Waits until the machine has turned itself off.
    fn ends(&mut self, checks: &mut Checks) {
        let end = Instant::now() + BOOT;
        let mut status = None;
        while status.is_none() && Instant::now() < end {
            status = self.0.try_wait().expect("the program's status");
            std::thread::sleep(Duration::from_millis(200));
        }
        checks.fact("it ends when the machine turns off", status.is_some_and(|s| s.success()), format!("{status:?}"));
    }
}

/// What the story's configuration has beside that of `systems/own.nix`: a variant to switch to, whose view is another, and
/// what only a virtual machine has.
const BESIDE: &str = r#"specialisation.other.configuration = {
    environment.etc."other".text = "other\n";
    environment.systemPackages = [ pkgs.hello ];
  };
  virtualisation.vmVariant.environment.etc."variant".text = "vm\n";
  environment.etc."story""#;

/// What only the virtual machine is made of.
const MACHINE: &str = r#"virtualisation.vmVariant.virtualisation = {
    memorySize = 1536;
    cores = 1;
    forwardPorts = [ { host.port = 2202; guest.port = 2222; } ];
  };
  environment.etc."story""#;

/// Makes a path in the machine's store, and prints it.
const MAKE: &str = r#"esker eval --raw --expr 'let made = derivation { name = "made"; system = "builtin"; builder = "builtin:tree"; __structuredAttrs = true; entries."".text = "made here"; }; in builtins.seq (builtins.readFile made) "${made}"'"#;

#[test]
fn a_machine_on_the_terminal_shares_the_store_and_keeps_its_state() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.configure(|text| text.replace("environment.etc.\"story\"", BESIDE));
    let ports = Ports::free();
    let ssh_port = ports.ssh.to_string();
    let (mut machine, ssh) = Started::wait(&story, &["--ssh-port", &ssh_port], ports);
    is_well(&ssh, &mut checks);
    checks.prints_by(&ssh, "the variant is respected", "cat /etc/variant", "vm");
    checks.prints_by(&ssh, "it reads the host's store", "findmnt -no FSTYPE /nix/.ro-store", "virtiofs");
    let drv = sees_what_the_host_makes(&story, &ssh, &mut checks);
    let made = changes_its_store(&ssh, &drv, &mut checks);
    switches(&ssh, &mut checks);
    checks.prints_by(&ssh, "it writes its state", "echo once >/var/lib/kept && cat /var/lib/kept", "once");
    ssh.run("systemctl --no-block poweroff");
    machine.ends(&mut checks);
    state_is_clean(&story, &mut checks);

    story.configure(|text| text.replace("environment.etc.\"story\"", BESIDE).replace("\"first\\n\"", "\"second\\n\""));
    let (mut machine, ssh) = Started::wait(&story, &["--ssh-port", &ssh_port], ports);
    is_well(&ssh, &mut checks);
    checks.prints_by(&ssh, "the changed configuration runs", "cat /etc/story", "second");
    checks.prints_by(&ssh, "with the state of the one before", "cat /var/lib/kept", "once");
    checks.prints_by(&ssh, "and what was made in its store", &format!("cat {made}"), "made here");
    let generations = ssh.run("esker generations");
    checks.fact("each system that ran is a generation", generations.lines().count() >= 2, generations);
    ssh.run("systemctl --no-block poweroff");
    machine.ends(&mut checks);
    state_is_clean(&story, &mut checks);
    checks.done();
}

/// Nothing failed, and somebody can log in at the terminal.
fn is_well(ssh: &Ssh, checks: &mut Checks) {
    checks.prints_by(ssh, "it is up", "systemctl is-system-running --wait", "running");
    checks.prints_by(ssh, "no unit failed", "systemctl list-units --failed --no-legend", "");
    let getty = "systemctl is-active serial-getty@ttyS0.service";
    checks.prints_by(ssh, "the terminal has a login", getty, "active");
}

/// A path that is made here after the machine has booted is there, and the same. Returns it.
fn sees_what_the_host_makes(story: &Story, ssh: &Ssh, checks: &mut Checks) -> String {
    let file = story.folder.path().join("late.nix");
    let text =
        format!("derivation {{ name = \"late-{}\"; system = \"none\"; builder = \"none\"; }}", std::process::id());
    fs_err::write(&file, text).expect("an expression");
    let output = story.lab.run(&["instantiate", file.to_str().expect("a path in UTF-8")]);
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let here = fs_err::read_to_string(story.lab.state().join("store").join(path.trim_start_matches('/')));
    checks.prints_by(ssh, "what the host makes later is there", &format!("cat {path}"), &here.unwrap_or_default());
    path
}

/// The machine adds to its store, collects it, and leaves alone what is the host's. Returns what it made.
fn changes_its_store(ssh: &Ssh, drv: &str, checks: &mut Checks) -> String {
    checks.prints_by(ssh, "its store cannot be written to by others", "touch /nix/store/x 2>/dev/null; echo $?", "1");
    let registered = "systemctl show -P Result esker-shared-store.service";
    checks.prints_by(ssh, "what is shared is registered", registered, "success");
    let made = ssh.run(MAKE).trim().to_owned();
    checks.prints_by(ssh, "it builds", &format!("cat {made}"), "made here");
    let upper = made.replace("/nix/store", "/nix/.rw-store/upper");
    checks.prints_by(ssh, "on its own disk", &format!("cat {upper}"), "made here");
    let root = format!("ln -s {made} /nix/var/nix/gcroots/made && esker gc && ls -d {made} {drv}");
    let collected = ssh.run(&root);
    let kept = collected.contains(&format!("{made}\n")) && collected.contains(&format!("{drv}\n"));
    checks.fact("the collector leaves alone what is the host's", kept, collected);
    made
}

/// A switch to a view whose packages come from the host, without a boot loader, and back.
fn switches(ssh: &Ssh, checks: &mut Checks) {
    let to = |options: &str| format!("esker switch --toplevel $(readlink -f /run/booted-system) {options}");
    let switched = ssh.run(&format!("{} && cat /etc/other && hello", to("--specialisation other")));
    checks.fact("it switches", switched.contains("other\nHello, world!"), switched);
    let back = ssh.run(&format!("{} && test ! -e /etc/other && test ! -e /usr/bin/hello && echo back", to("")));
    checks.fact("and back", back.contains("back"), back);
    checks.prints_by(ssh, "it writes no boot entries", "ls /boot 2>/dev/null | wc -l", "0");
    checks.prints_by(ssh, "nothing failed by that", "systemctl list-units --failed --no-legend", "");
}

/// The machine's disk was unmounted.
fn state_is_clean(story: &Story, checks: &mut Checks) {
    let checked = Command::new("/usr/sbin/dumpe2fs").arg("-h").arg(story.state("state.img")).output();
    let checked = checked.expect("dumpe2fs (Debian package e2fsprogs)");
    let text = String::from_utf8_lossy(&checked.stdout);
    let clean = text.contains("Filesystem state:         clean") && !text.contains("needs_recovery");
    checks.fact("its disk was unmounted", clean, text);
}

#[test]
fn a_machine_from_an_image_has_its_ports_memory_and_processors_and_forgets() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.configure(|text| text.replace("environment.etc.\"story\"", BESIDE));
    let ports = Ports::free();
    let (ssh_port, forward) = (ports.ssh.to_string(), format!("{}:2222", ports.web));
    let options =
        ["--image", "--ephemeral", "--ssh-port", &ssh_port, "--forward", &forward, "--memory", "1200M", "--cpus", "1"];
    let (mut machine, ssh) = Started::wait(&story, &options, ports);
    let processors = ssh.run("nproc");
    checks.fact("it has one processor", processors.trim() == "1", processors);
    let memory = ssh.run("awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo");
    let mebibytes: u32 = memory.trim().parse().unwrap_or(0);
    checks.fact("it has the memory", (1000..1200).contains(&mebibytes), memory);
    checks.prints_by(&ssh, "it is no variant", "test -e /etc/variant; echo $?", "1");
    checks.prints_by(&ssh, "it has boot entries", "ls /boot/loader/entries | wc -l", "2");
    let other = Ssh::new(&story.lab, ports.web, "root").run("hostname");
    checks.fact("the other port leads to it too", other.trim() == "own", other);
    let image = story.state("ephemeral/disk.img");
    let before = fs_err::metadata(&image).map(|m| (m.mtime(), m.mtime_nsec())).expect("the disk");
    let written = ssh.run("touch /var/lib/kept && sync && echo written && systemctl --no-block poweroff");
    checks.fact("it can be written to", written.contains("written"), written);
    machine.ends(&mut checks);
    let after = fs_err::metadata(&image).map(|m| (m.mtime(), m.mtime_nsec())).expect("the disk");
    checks.fact("nothing was written to the disk", before == after, format!("{before:?} {after:?}"));
    checks.done();
}
