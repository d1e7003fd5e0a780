//! `esker vm`: its options reach QEMU and the guest, and the disk of an earlier run is used, set aside or left alone as it
//! says. Only the last story boots; the others run a QEMU that writes down what it was asked for.
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

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Which file this is, whatever its name.
fn inode(path: &Path) -> u64 {
    fs_err::metadata(path).map_or(0, |metadata| metadata.ino())
}

#[test]
fn options_and_disks_are_what_the_command_line_says() {
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
        "/.esker/vm/disk.img,readonly=off,snapshot=off",
        "file=/",
    ] {
        checks.fact(&format!("QEMU gets `{part}`"), arguments.contains(part), &arguments);
    }
    let announced = said(&output).contains("127.0.0.1:2201 leads to the machine's port 2222");
    checks.fact("ports are announced", announced, said(&output));

    let disk = story.state("disk.img");
    let first = inode(&disk);
    story.pretend(&[], 0);
    checks.fact("the same system runs from the same disk", first != 0 && inode(&disk) == first, first);

    story.configure(|text| text.replace("\"own\"", "\"changed\""));
    let (_, arguments) = story.pretend(&["--keep-disk"], 0);
    let kept = inode(&disk) == first && arguments.contains("/.esker/vm/disk.img,");
    checks.fact("--keep-disk runs another system's disk", kept, &arguments);
    let (_, arguments) = story.pretend(&["--ephemeral"], 0);
    let apart = arguments.contains("/.esker/vm/ephemeral/disk.img,readonly=off,snapshot=on") && inode(&disk) == first;
    checks.fact("--ephemeral leaves that disk alone", apart, &arguments);
    checks.fact("and its firmware's variables too", !arguments.contains("/.esker/vm/efi-variables"), &arguments);
    let (output, _) = story.pretend(&[], 0);
    let aside = inode(&story.state("disk.old.img")) == first && inode(&disk) != first;
    checks.fact("another system gets a new disk, and the old one stays", aside, said(&output));
    checks.fact("it says where", said(&output).contains("disk.old.img"), said(&output));
    refusals(&story, &mut checks);
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

#[test]
fn a_machine_on_the_terminal_has_its_ports_memory_and_processors_and_forgets() {
    let story = Story::new();
    let mut checks = Checks::new();
    story.configure(|text| text);
    let ports = Ports::free();
    let (ssh_port, forward) = (ports.ssh.to_string(), format!("{}:2222", ports.web));
    let options = ["--ephemeral", "--ssh-port", &ssh_port, "--forward", &forward, "--memory", "1200M", "--cpus", "1"];
    let console = fs_err::File::create(story.lab.artifacts().join("console.log")).expect("a log").into_parts().0;
    let child = story.command(&options).stdin(Stdio::null()).stdout(console).spawn().expect("esker runs");
    let mut machine = Started(child);
    let ssh = Ssh::new(&story.lab, ports.ssh, "root");
    let end = Instant::now() + BOOT;
    // Where it has ended already there is nothing to wait for.
    while !ssh.run("echo up").contains("up") && Instant::now() < end && matches!(machine.0.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(500));
    }
    let processors = ssh.run("nproc");
    checks.fact("it has one processor", processors.trim() == "1", processors);
    let memory = ssh.run("awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo");
    let mebibytes: u32 = memory.trim().parse().unwrap_or(0);
    checks.fact("it has the memory", (1000..1200).contains(&mebibytes), memory);
    let other = Ssh::new(&story.lab, ports.web, "root").run("hostname");
    checks.fact("the other port leads to it too", other.trim() == "own", other);
    let image = story.state("ephemeral/disk.img");
    let before = fs_err::metadata(&image).map(|m| (m.mtime(), m.mtime_nsec())).expect("the disk");
    let written = ssh.run("touch /var/lib/kept && sync && echo written && systemctl --no-block poweroff");
    checks.fact("it can be written to", written.contains("written"), written);
    let end = Instant::now() + BOOT;
    let mut status = None;
    while status.is_none() && Instant::now() < end {
        status = machine.0.try_wait().expect("the program's status");
        std::thread::sleep(Duration::from_millis(200));
    }
    checks.fact("it ends when the machine turns off", status.is_some_and(|s| s.success()), format!("{status:?}"));
    let after = fs_err::metadata(&image).map(|m| (m.mtime(), m.mtime_nsec())).expect("the disk");
    checks.fact("nothing was written to the disk", before == after, format!("{before:?} {after:?}"));
    checks.done();
}
