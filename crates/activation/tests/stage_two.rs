//! `<toplevel>/init` as PID 1 of namespaces of its own, in a root with this machine's /usr and a stand-in for systemd that
//! says what it finds. Needs root privileges, `unshare` and `mount` (Debian: util-linux, mount).
#![allow(clippy::unwrap_used, reason = "helpers of tests are no #[test] functions themselves")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use activation::Root;
use generation::{ACCOUNTS, ACTIVATION, MANIFEST, toplevel};

mod generation;

/// Mounts what stage 1 mounts, puts the stand-in in systemd's place, and becomes stage 2.
const STAGE_ONE: &str = r#"
set -e
mount --make-rprivate /
mount --rbind /usr "$1/usr"
mount -t tmpfs systemd "$1/usr/lib/systemd"
cp "$1/stand-in" "$1/usr/lib/systemd/systemd"
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=755,nosuid,nodev run "$1/run"
mount --rbind /dev "$1/dev"
exec chroot "$1" "$2/init" --switched-root one
"#;

const STAND_IN: &str = r#"#!/bin/sh
echo "pid $$ arguments $*"
echo "host $(cat /proc/sys/kernel/hostname)"
echo "etc $(cat /etc/hostname)"
echo "current $(readlink /run/current-system) booted $(readlink /run/booted-system)"
echo "wrappers $(stat -f -c %T /run/wrappers) $(stat -c %a /run/wrappers/bin/true)"
grep -q ' /run/wrappers [^ ]*nosuid' /proc/self/mountinfo && echo "wrappers are nosuid"
cat /run/esker/activation-failed
exit 0
"#;

#[test]
fn init_activates_and_becomes_systemd() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::at(directory.path());
    for path in ["/usr", "/proc", "/dev", "/run", "/nix/runtime"] {
        std::fs::create_dir_all(root.path(path)).unwrap();
    }
    let top = toplevel(&root, "1", ACTIVATION, MANIFEST, ACCOUNTS);
    std::fs::copy(env!("CARGO_BIN_EXE_activate"), root.path("/nix/runtime/activate")).unwrap();
    symlink("/nix/runtime/activate", root.path(&top).join("init")).unwrap();
    // The test's program may be dynamic; on a machine it is static and needs none of these links yet.
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.path("/").join(name)).unwrap();
    }
    std::fs::write(root.path("/stand-in"), STAND_IN).unwrap();
    std::fs::set_permissions(root.path("/stand-in"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--uts", "--ipc", "--pid", "--fork", "--", "sh", "-c", STAGE_ONE, "sh"])
        .arg(directory.path())
        .arg(&top)
        .output()
        .expect("this test needs `unshare` (Debian: util-linux)");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said,
        format!(
            "pid 1 arguments --switched-root one\nhost machine\netc machine\ncurrent {top} booted {top}\n\
             wrappers tmpfs 4511\n{}",
            "failed to make all wrappers: wrapper `broken` is left out: failed to open file `/usr/bin/absent`: \
             No such file or directory (os error 2)\n"
        ),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
