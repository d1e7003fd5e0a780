//! A container's root, started by the real systemd-nspawn (systemd-container) on this host, without a virtual machine. Needs root, or a
//! sudo that asks for nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stories::{Checks, Lab};

const START: Duration = Duration::from_secs(240);

/// A command as root.
fn root(words: &[&str]) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    let sudo: &[&str] = if id.stdout == b"0\n" { &[] } else { &["sudo", "-n"] };
    let mut words = sudo.iter().chain(words);
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words);
    command
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

/// A container that runs.
struct Container {
    nspawn: Child,
    init: String,
}

impl Container {
    /// Starts what is in a folder.
    fn start(folder: &Path, log: &Path) -> Self {
        let words =
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--boot", "--directory"];
        let log = fs_err::File::create(log).expect("a log").into_parts().0;
        let mut nspawn = root(&words)
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .spawn()
            .expect("systemd-nspawn runs (systemd-container)");
        let pid = nspawn.id().to_string();
        let end = Instant::now() + START;
        // The program is the child of nspawn, or of the sudo around it, that is process 1 of a namespace.
        let find = "for p in $(pgrep -P $1) $(pgrep -P \"$(pgrep -P $1 | head -n 1)\"); do \
                    [ \"$(awk '/^NSpid/ { print $3 }' /proc/$p/status)\" = 1 ] && echo $p && exit; done; exit 1";
        let init = loop {
            let (is_there, init) = said(Command::new("sh").args(["-c", find, "sh", &pid]));
            if is_there {
                break init;
            }
            assert!(nspawn.try_wait().expect("its state").is_none(), "systemd-nspawn ended");
            assert!(Instant::now() < end, "no container within {START:?}");
            std::thread::sleep(Duration::from_millis(100));
        };
        Self { nspawn, init }
    }

    fn run(&self, script: &str) -> (bool, String) {
        said(root(&["nsenter", "--target", &self.init, "--all", "/bin/sh", "-c", script]).stdin(Stdio::null()))
    }

    fn wait_until(&self, script: &str) -> (bool, String) {
        let end = Instant::now() + START;
        loop {
            let result = self.run(script);
            if result.0 || Instant::now() > end {
                return result;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Ok(None) = self.nspawn.try_wait() {
            // The manager forwards it as the wish to turn off; a second one ends it.
            let _ = root(&["kill", "-KILL", &self.init]).status();
            let _ = self.nspawn.wait();
        }
    }
}

#[test]
fn a_tarball_runs_under_systemd_nspawn() {
    let lab = Lab::open("container");
    // Owners and modes must be the tarball's, so it is unpacked where root may do anything.
    let folder = tempfile::Builder::new().prefix("esker-container-").tempdir_in("/var/tmp").expect("a folder");
    let (tarball, place) = (folder.path().join("small.tar.zst"), folder.path().join("root"));
    let configuration = lab.file("systems/small.nix");
    let [configuration, output, unpacked] =
        [&configuration, &tarball, &place].map(|path| path.to_str().expect("a path in UTF-8"));
    let report = lab.json(&["image", configuration, "--format", "tar", "--compress", "zstd", "--output", output]);
    let toplevel = report["toplevel"].as_str().expect("the toplevel");
    let mut checks = Checks::new();
    let listed = said(Command::new("sh").args(["-c", "zstd -dc \"$1\" | tar -t", "sh", output])).1;
    let is_kernels = |line: &&str| line.contains("/boot/vmlinuz") || line.ends_with(".ko") || line.ends_with(".ko.xz");
    let kernel = listed.lines().find(is_kernels);
    checks.fact("there is no kernel in it", kernel.is_none(), format!("{kernel:?}"));
    fs_err::create_dir(&place).unwrap();
    let unpack = "zstd -dc \"$1\" | tar -x --numeric-owner -p -C \"$2\"";
    let (is_unpacked, errors) = said(&mut root(&["sh", "-c", unpack, "sh", output, unpacked]));
    assert!(is_unpacked, "{errors}");

    // The second time everything is there already.
    for start in ["the first time", "the second time"] {
        let log = lab.artifacts().join("console.log");
        let mut container = Container::start(&place, &log);
        let mut fact = |name: &str, (holds, seen): (bool, String)| checks.fact(&format!("{start} {name}"), holds, seen);
        let running = "test \"$(systemctl is-system-running)\" = running";
        let (is_running, _) = container.wait_until(running);
        fact(
            "it is running",
            (is_running, container.run("systemctl --failed --no-pager; cat /run/esker/activation-failed").1),
        );
        let is = |seen: (bool, String), expected: &str| (seen.1 == expected, seen.1);
        fact("it is the image's", is(container.run("readlink /run/current-system"), toplevel));
        fact("it knows that it is a container", is(container.run("systemd-detect-virt --container"), "systemd-nspawn"));
        fact("people are there", is(container.run("su me -c 'id -un'"), "me"));
        fact("/usr is a tree that nobody changes", (!container.run("touch /usr/x").0, String::new()));
        fact("programs keep their modes", is(container.run("stat -c '%a %u' /usr/bin/su"), "4755 0"));
        fact("and are the store's", is(container.run("stat -c %h /usr/bin/bash"), "2"));
        let kept = "test -e /var/lib/kept; echo $?; touch /var/lib/kept";
        fact("state stays", is(container.run(kept), if start == "the first time" { "1" } else { "0" }));
        fact("it is asked to stop", container.run("systemctl --no-block poweroff"));
        let end = Instant::now() + START;
        while container.nspawn.try_wait().unwrap().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200));
        }
        let status = container.nspawn.try_wait().unwrap();
        fact("it stops", (status.is_some_and(|status| status.success()), format!("{status:?}")));
    }
    let _ = root(&["rm", "-rf", unpacked]).status();
    checks.done();
}
