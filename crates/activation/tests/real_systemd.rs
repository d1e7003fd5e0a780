//! A switch under a real systemd, in namespaces of its own. Needs root privileges, `systemd` and `unshare` (Debian: systemd,
//! util-linux). The outer test starts systemd as PID 1 and beside it this same program, as the inner test.
#![allow(clippy::unwrap_used, reason = "helpers of tests are no #[test] functions themselves")]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use activation::systemd::Systemctl;
use activation::{Root, apply_switch, plan_switch};

/// Tells the inner test where its root is.
const INSIDE: &str = "ESKER_TEST_UNDER_SYSTEMD";

/// PID 1's beginnings: nothing of this machine is in reach, neither its units nor what its tmpfiles.d would make.
const AS_PID_1: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs run /run
for folder in /etc/tmpfiles.d /usr/lib/tmpfiles.d; do
  if [ -d "$folder" ]; then mount -t tmpfs nothing "$folder"; fi
done
umount -l /sys/fs/cgroup || true
mount -t cgroup2 cgroup /sys/fs/cgroup
export container=test SYSTEMD_UNIT_PATH="$1/etc/systemd/system:$1/base"
( until [ -S /run/systemd/private ]; do sleep 0.1; done
  ESKER_TEST_UNDER_SYSTEMD="$1" "$2" --exact --ignored --nocapture under_systemd > "$1/log" 2>&1 && result=passed || result=failed
  echo $result > "$1/result.new"; mv "$1/result.new" "$1/result" ) &
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=null --show-status=no
"#;

#[test]
fn a_real_systemd_does_what_the_plan_says() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("base");
    std::fs::create_dir(&base).unwrap();
    for name in ["basic.target", "sysinit.target", "shutdown.target", "sockets.target"] {
        std::fs::write(base.join(name), "[Unit]\nDefaultDependencies=no\n").unwrap();
    }
    let root = Root::at(directory.path());
    let unit = |sleep: &str| format!("[Service]\nExecStart=/bin/sleep {sleep}\n");
    let first = [("same.service", unit("1001")), ("changed.service", unit("1002")), ("gone.service", unit("1003"))];
    let broken = "[Service]\nType=oneshot\nExecStart=/bin/false\n".to_owned();
    let second = [
        ("same.service", unit("1001")),
        ("changed.service", unit("2002")),
        ("added.service", unit("2003")),
        ("broken.service", broken),
    ];
    generation(&root, "1", &first);
    generation(&root, "2", &second);
    let report = activation::boot::activate_for_boot(&root, Path::new("/nix/store/1-top"));
    assert_eq!(report.failures, Vec::<String>::new());

    let mut systemd = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--mount-proc", "--kill-child", "--"])
        .args(["sh", "-c", AS_PID_1, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .spawn()
        .expect("this test needs `unshare` (Debian: util-linux)");
    let result = directory.path().join("result");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !result.exists() && Instant::now() < deadline && systemd.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(50));
    }
    // Killing `unshare` kills PID 1 and with it all of its namespace.
    systemd.kill().ok();
    systemd.wait().unwrap();
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap_or_default();
    let said = std::fs::read_to_string(result).unwrap_or_else(|_| "no result in time (Debian: systemd)".into());
    assert_eq!(said, "passed\n", "{log}");
}

fn generation(root: &Root, name: &str, units: &[(&str, String)]) {
    let etc = root.path(format!("/nix/store/{name}-etc"));
    let folder = etc.join("etc/systemd/system");
    std::fs::create_dir_all(&folder).unwrap();
    let wants: Vec<&str> = units.iter().map(|(unit, _)| *unit).collect();
    let target = format!("[Unit]\nDefaultDependencies=no\nWants={}\n", wants.join(" "));
    let mut entries = Vec::new();
    for (unit, text) in units.iter().map(|(unit, text)| (*unit, text)).chain([("multi-user.target", &target)]) {
        // Without the usual dependencies: there is no system around.
        let text = text.replace("[Service]", "[Unit]\nDefaultDependencies=no\n[Service]");
        std::fs::write(folder.join(unit), text).unwrap();
        entries.push(format!(r#"{{"path":"systemd/system/{unit}","kind":"copy"}}"#));
    }
    std::fs::write(etc.join("manifest.json"), format!(r#"{{"entries":[{}]}}"#, entries.join(","))).unwrap();
    let accounts =
        r#"{"users":[{"name":"root","uid":0,"group":"root","home":"/root"}],"groups":[{"name":"root","gid":0}]}"#;
    std::fs::write(etc.join("accounts.json"), accounts).unwrap();
    let top = root.path(format!("/nix/store/{name}-top"));
    std::fs::create_dir_all(&top).unwrap();
    std::fs::create_dir_all(root.path(format!("/nix/store/{name}-sw"))).unwrap();
    std::fs::write(top.join("activation.json"), r#"{"version":1}"#).unwrap();
    symlink(format!("/nix/store/{name}-etc/etc"), top.join("etc")).unwrap();
    symlink(format!("/nix/store/{name}-sw"), top.join("sw")).unwrap();
}

fn main_pid(unit: &str) -> String {
    let output = Command::new("systemctl").args(["show", "--value", "--property=MainPID", unit]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "runs inside of the test above"]
fn under_systemd() {
    let root = Root::at(std::env::var_os(INSIDE).expect("started by the other test"));
    wait_until("all units of the first generation run", || {
        ["same", "changed", "gone"].iter().all(|name| main_pid(&format!("{name}.service")) != "0")
    });
    let before = ["same.service", "changed.service"].map(main_pid);
    let mut manager = Systemctl;
    let plan = plan_switch(&root, Path::new("/nix/store/2-top"), &mut manager, None).unwrap();
    assert_eq!(
        plan.units.to_string(),
        "stop gone.service (it is gone)\nstop and start again changed.service (ExecStart changed)\n\
         start added.service (wanted by multi-user.target)\nstart broken.service (wanted by multi-user.target)\n"
    );
    let report = apply_switch(&root, &plan, &mut manager, &mut || Ok(())).unwrap();
    assert_eq!(report.failed_units, ["broken.service"]);
    assert_eq!(report.exit_code(), 4);
    assert_eq!(main_pid("same.service"), before[0], "an unchanged service keeps its process");
    assert_ne!(main_pid("changed.service"), before[1]);
    assert_eq!(main_pid("gone.service"), "0");
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", main_pid("changed.service"))).unwrap();
    assert_eq!(command, "/bin/sleep\u{0}2002\u{0}");
    assert_ne!(main_pid("added.service"), "0");
    let again = plan_switch(&root, Path::new("/nix/store/2-top"), &mut manager, None).unwrap();
    assert_eq!(again.units.to_string(), "start broken.service (it had failed)\n");
}
