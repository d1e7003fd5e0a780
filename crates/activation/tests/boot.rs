//! A whole activation for boot below a temporary root, checked with the system's own tools. Needs root privileges (as
//! activation does), `pwck` and `grpck` (Debian: passwd), `setcap` and `getcap` (Debian: libcap2-bin).
#![allow(clippy::unwrap_used, reason = "helpers of tests are no #[test] functions themselves")]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use activation::Root;
use activation::boot::activate_for_boot;
use generation::{ACCOUNTS, ACTIVATION, MANIFEST, toplevel};

mod generation;

struct Machine {
    _directory: tempfile::TempDir,
    root: Root,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for path in ["/usr/bin", "/var/lib/alice", "/run"] {
            std::fs::create_dir_all(root.path(path)).unwrap();
        }
        std::fs::write(root.path("/usr/bin/true"), "program").unwrap();
        Self { _directory: directory, root }
    }

    /// Forgets what a tmpfs forgets.
    fn power_off(&self) {
        for path in ["/etc", "/run"] {
            std::fs::remove_dir_all(self.root.path(path)).unwrap();
        }
        std::fs::create_dir(self.root.path("/run")).unwrap();
    }

    fn read(&self, path: &str) -> String {
        let host_path = self.root.resolve(path).unwrap();
        std::fs::read_to_string(&host_path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn mode_and_owner(&self, path: &str) -> (u32, u32, u32) {
        let metadata = std::fs::symlink_metadata(self.root.path(path)).unwrap();
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
    }
}

fn tool(package: &str, program: &str, arguments: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|_| panic!("this test needs `{program}` (Debian: {package})"));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_first_boot_makes_a_whole_machine() {
    let machine = Machine::new();
    let top = toplevel(&machine.root, "1", ACTIVATION, MANIFEST, ACCOUNTS);
    let report = activate_for_boot(&machine.root, Path::new(&top));
    assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
    assert!(report.failures[0].contains("wrapper `broken` is left out"), "{:?}", report.failures);
    assert_eq!(machine.read("/etc/hostname"), "machine\n");
    assert_eq!(machine.read("/etc/machine-id").trim().len(), 32);
    assert_eq!(std::fs::read_link(machine.root.path("/run/booted-system")).unwrap(), Path::new(&top));
    assert_eq!(std::fs::read_link(machine.root.path("/bin")).unwrap(), Path::new("usr/bin"));
    assert_eq!(machine.mode_and_owner("/tmp").0, 0o1777);
    assert_eq!(machine.mode_and_owner("/home/alice"), (0o700, 1000, 100));
    assert_eq!(machine.mode_and_owner("/var/lib/alice"), (0o750, 1000, 100));
    assert_eq!(machine.mode_and_owner("/etc/shadow"), (0o640, 0, 42));
    assert_eq!(machine.mode_and_owner("/etc/passwd"), (0o644, 0, 0));
    assert_eq!(machine.mode_and_owner("/etc/ssl/private"), (0o710, 0, 0));
    assert_eq!(machine.mode_and_owner("/run/wrappers/a/true"), (0o4511, 0, 100));
    assert_eq!(std::fs::read_link(machine.root.path("/run/wrappers/bin")).unwrap(), Path::new("a"));
}

#[test]
fn the_account_files_satisfy_pwck_and_grpck() {
    let machine = Machine::new();
    let top = toplevel(&machine.root, "1", ACTIVATION, MANIFEST, ACCOUNTS);
    activate_for_boot(&machine.root, Path::new(&top));
    for (program, first, second) in [("pwck", "passwd", "shadow"), ("grpck", "group", "gshadow")] {
        let [first, second] = [first, second].map(|name| machine.root.path("/etc").join(name));
        let text = tool("passwd", program, &["-r".as_ref(), first.as_os_str(), second.as_os_str()]);
        // Homes and shells lie below the test's root, where the tool does not look.
        let complaints: Vec<&str> =
            text.lines().filter(|line| !line.contains("directory") && !line.contains("program")).collect();
        let complaints: Vec<&&str> = complaints.iter().filter(|line| !line.contains("no changes")).collect();
        assert!(complaints.is_empty(), "{program}: {text}");
    }
}

#[test]
fn capabilities_are_those_that_setcap_writes() {
    let machine = Machine::new();
    let top = toplevel(&machine.root, "1", ACTIVATION, MANIFEST, ACCOUNTS);
    activate_for_boot(&machine.root, Path::new(&top));
    let ours = machine.root.path("/run/wrappers/a/ping");
    let theirs = machine.root.path("/reference");
    std::fs::write(&theirs, "program").unwrap();
    tool("libcap2-bin", "setcap", &["cap_net_raw+ep".as_ref(), theirs.as_os_str()]);
    let shown =
        |path: &Path| tool("libcap2-bin", "getcap", &[path.as_os_str()]).split_whitespace().nth(1).map(str::to_owned);
    assert_eq!(shown(&theirs).as_deref(), Some("cap_net_raw=ep"), "setcap works here");
    assert_eq!(shown(&ours), shown(&theirs));
}

#[test]
fn a_changed_password_and_the_machine_id_survive_a_reboot() {
    let machine = Machine::new();
    let top = toplevel(&machine.root, "1", ACTIVATION, MANIFEST, ACCOUNTS);
    activate_for_boot(&machine.root, Path::new(&top));
    let id = machine.read("/etc/machine-id");
    let shadow = machine.read("/etc/shadow");
    let alice = shadow.lines().find(|line| line.starts_with("alice:")).unwrap().to_owned();
    assert!(alice.starts_with("alice:$6$"), "the initial password is hashed");
    std::fs::write(machine.root.path("/etc/shadow"), shadow.replace(&alice, "alice:$y$new:20000:0:99999:7:::"))
        .unwrap();
    let copied = activation::accounts::sync_accounts(&machine.root, Path::new("/nix/persist")).unwrap();
    assert_eq!(copied, ["shadow"]);
    machine.power_off();
    activate_for_boot(&machine.root, Path::new(&top));
    assert!(machine.read("/etc/shadow").contains("alice:$y$new:20000:0:99999:7:::\n"));
    assert_eq!(machine.read("/etc/machine-id"), id);
    assert_eq!(machine.mode_and_owner("/nix/persist/etc/shadow"), (0o640, 0, 42));
}

#[test]
fn a_toplevel_with_a_broken_manifest_is_reported_and_changes_nothing() {
    let machine = Machine::new();
    let top = toplevel(&machine.root, "1", ACTIVATION, r#"{"entries":[{"path":"../x","kind":"link"}]}"#, ACCOUNTS);
    let report = activate_for_boot(&machine.root, Path::new(&top));
    assert_eq!(report.failures, ["the /etc manifest has the path `../x`, which is not a plain relative path"]);
    assert!(!machine.root.path("/etc").exists());
}

#[test]
fn two_thousand_entries_are_all_made() {
    let machine = Machine::new();
    let entries: Vec<String> =
        (0..2000).map(|number| format!(r#"{{"path":"d{}/f{number}","kind":"link"}}"#, number % 50)).collect();
    let manifest = format!(r#"{{"entries":[{}]}}"#, entries.join(","));
    let top = toplevel(&machine.root, "1", ACTIVATION, &manifest, ACCOUNTS);
    activate_for_boot(&machine.root, Path::new(&top));
    let links = (0..50).map(|number| std::fs::read_dir(machine.root.path(format!("/etc/d{number}"))).unwrap().count());
    assert_eq!(links.sum::<usize>(), 2000);
}
