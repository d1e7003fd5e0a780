//! What programs find inside real sandboxes. Runs as root and as an ordinary user alike; as root, one test runs
//! all the others once more as an ordinary user. Needs `setpriv` (Debian: util-linux), python3 and a merged /usr.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::{
    Access, Command, Entry, Exit, ForeignMachine, Identity, Ids, Network, Resource, ResourceLimit, SandboxError,
    SandboxPlan, StandardStreams, build_plan, spawn, view_plan,
};

/// A build's sandbox with the host's /usr, running a shell script.
fn plan(script: &str) -> SandboxPlan {
    let mut command = Command::new("/bin/sh", ["-ec", script]);
    command.environment.insert("PATH".into(), "/usr/bin:/usr/sbin".into());
    let mut plan = build_plan(command, Network::Isolated);
    plan.entries.push(Entry::read_only("/usr"));
    for name in ["bin", "lib", "lib64"] {
        plan.entries.push(Entry::Symlink { path: Path::new("/").join(name), target: Path::new("usr").join(name) });
    }
    plan
}

#[allow(clippy::unwrap_used, reason = "part of the tests")]
fn run(plan: &SandboxPlan) -> (Exit, String) {
    let (mut output, writer) = nix::unistd::pipe().map(|(r, w)| (File::from(r), w)).unwrap();
    let mut child = spawn(plan, StandardStreams::Log(writer))
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", std::error::Error::source(&error), plan.describe()));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    (child.wait().unwrap(), text)
}

fn output(script: &str) -> String {
    let (exit, text) = run(&plan(script));
    assert_eq!(exit, Exit::Code(0), "{text}");
    text
}

#[test]
fn the_builder_is_user_1000_and_process_1() {
    assert_eq!(output("id -u; id -g; id -un; echo $$"), "1000\n100\nnixbld\n1\n");
}

#[test]
fn nothing_of_the_host_is_visible_but_the_entries() {
    assert_eq!(output("ls /"), "bin\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\n");
    assert_eq!(
        output("ls /dev | tr '\\n' ' '"),
        "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero "
    );
    assert_eq!(output("ls -d /proc/[0-9]* | wc -l"), "3\n", "only the shell, ls and wc");
}

#[test]
fn the_environment_holds_only_what_the_plan_says() {
    assert_eq!(output("env -u PWD -u _ -u SHLVL -u OLDPWD"), "PATH=/usr/bin:/usr/sbin\n");
}

#[test]
fn the_root_and_read_only_entries_refuse_writing() {
    let script = "for f in /x /usr/x /proc/sys/kernel/hostname; do (echo > $f) 2>/dev/null && echo wrote $f; done; echo > /tmp/x";
    assert_eq!(output(script), "");
}

#[test]
fn a_writable_entry_is_the_hosts_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan("echo built > /build/out; stat -c %u /build/out");
    plan.entries.push(Entry::Bind { source: dir.path().to_owned(), target: "/build".into(), access: Access::Writable });
    plan.command.working_directory = "/build".into();
    let (exit, text) = run(&plan);
    assert_eq!((exit, text.as_str()), (Exit::Code(0), "1000\n"));
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "built\n");
}

/// The emulator is echo here, and the program a header: what matters is who is called, and how.
#[test]
fn programs_of_another_architecture_are_handed_to_their_emulator() {
    let (machine, number) =
        if cfg!(target_arch = "aarch64") { (ForeignMachine::X86_64, 0x3e) } else { (ForeignMachine::Aarch64, 0xb7) };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("program");
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    header.extend([number, 0]);
    header.resize(128, 0);
    std::fs::write(&file, header).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let mut plan = plan("PATH=/build; program one two");
    plan.entries.push(Entry::Bind { source: dir.path().to_owned(), target: "/build".into(), access: Access::ReadOnly });
    let (exit, text) = run(&plan);
    assert_ne!(exit, Exit::Code(0), "without the entry nothing runs it: {text}");
    plan.entries.push(Entry::ForeignPrograms { machine, emulator: "/usr/bin/echo".into() });
    let (exit, text) = run(&plan);
    assert_eq!((exit, text.as_str()), (Exit::Code(0), "/build/program program one two\n"));
    assert!(!machine.runs_on_host(), "the host has no rule after that");
}

#[test]
fn the_network_is_the_loopback_interface_and_it_is_up() {
    let script = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; \
        python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); \
        socket.create_connection(s.getsockname()); print(\"connected\")'";
    assert_eq!(output(script), "lo\nconnected\n");
}

#[test]
fn the_host_is_called_localhost() {
    assert_eq!(output("uname -n"), "localhost\n");
}

#[test]
fn setuid_files_and_attributes_cannot_be_made() {
    let script = "touch /tmp/f; chmod 755 /tmp/f; \
        for m in 4755 2755; do chmod $m /tmp/f 2>&1 | grep -o 'not permitted'; done; \
        python3 -c 'import os
try: os.setxattr(\"/tmp/f\", \"user.a\", b\"b\")
except OSError as e: print(e.strerror)
try: os.open(\"/tmp/g\", os.O_CREAT, 0o4755)
except OSError as e: print(e.strerror)'";
    let expected = "not permitted\nnot permitted\nOperation not supported\nOperation not permitted\n";
    assert_eq!(output(script), expected);
}

#[test]
fn there_are_no_privileges_inside() {
    let script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status | tr -d '\\t'";
    assert_eq!(output(script), "CapEff:0000000000000000\nNoNewPrivs:1\n");
}

#[test]
fn a_terminal_can_be_made() {
    assert_eq!(output("python3 -c 'import os; print(os.ttyname(os.openpty()[1]))'"), "/dev/pts/0\n");
}

#[test]
fn standard_input_is_empty_and_no_other_descriptor_is_open() {
    let _held: Vec<_> = (0..3).map(|_| File::open("/dev/zero").unwrap()).collect();
    // Descriptor 3 is the directory that ls reads: the lowest number that was free.
    assert_eq!(output("cat; exec ls /proc/self/fd"), "0\n1\n2\n3\n");
}

#[test]
fn killing_ends_everything_inside() {
    let (mut output, writer) = nix::unistd::pipe().map(|(r, w)| (File::from(r), w)).unwrap();
    let mut child = spawn(&plan("setsid sleep 1000 & sleep 1000"), StandardStreams::Log(writer)).unwrap();
    assert_eq!(child.wait_timeout(Duration::from_millis(50)).unwrap(), None);
    let started = Instant::now();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), Exit::Signal(9));
    // The end of the output says that no process inside holds it any more.
    output.read_to_string(&mut String::new()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(100));
}

#[test]
fn limits_hold() {
    let mut plan = plan("ulimit -n");
    plan.limits.push(ResourceLimit { resource: Resource::RLIMIT_NOFILE, limit: 77 });
    assert_eq!(run(&plan), (Exit::Code(0), "77\n".into()));
}

#[test]
fn a_missing_source_names_entry_and_path() {
    let mut plan = plan("true");
    plan.entries.push(Entry::read_only("/no/such/input"));
    let error = spawn(&plan, StandardStreams::Inherited).unwrap_err();
    assert_eq!(error.to_string(), "cannot show `/no/such/input` in the sandbox (entry `bind ro /no/such/input`)");
}

#[test]
fn a_failure_inside_names_the_entry() {
    let mut plan = plan("true");
    plan.entries.push(Entry::Directory { path: "/usr/not/in/the/view".into(), mode: 0o755 });
    let error = spawn(&plan, StandardStreams::Inherited).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "cannot set up the sandbox: directory /usr/not/in/the/view mode 0755");
}

#[test]
fn a_program_that_is_not_inside_gets_a_hint() {
    let mut plan = plan("true");
    plan.command.program = "/nix/store/none/bin/builder".into();
    let error = spawn(&plan, StandardStreams::Inherited).unwrap_err();
    assert!(matches!(error, SandboxError::Execute { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("the interpreter"), "{error}");
}

#[test]
fn a_plan_without_proc_is_refused() {
    let mut plan = plan("true");
    plan.entries.retain(|entry| *entry != Entry::Proc);
    let error = spawn(&plan, StandardStreams::Inherited).unwrap_err();
    assert!(matches!(error, SandboxError::NoProc), "{error:?}");
}

#[test]
fn a_program_in_a_view_sees_the_host_and_the_views_usr() {
    let view = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    for directory in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(Path::new("/hostusr").join(directory), view.path().join(directory)).unwrap();
    }
    std::fs::write(view.path().join("marker"), "the view's\n").unwrap();
    std::fs::write(home.path().join("file"), "the host's\n").unwrap();
    let script = format!("cat /usr/marker {}/file; echo > {0}/made; id -u", home.path().display());
    let mut command = Command::new("/bin/sh", ["-ec", &script]);
    command.environment.insert("PATH".into(), "/usr/bin".into());
    let mut plan = view_plan(view.path(), command).unwrap();
    plan.entries.push(Entry::Bind { source: "/usr".into(), target: "/hostusr".into(), access: Access::ReadOnly });
    let (exit, text) = run(&plan);
    let uid = nix::unistd::geteuid();
    assert_eq!((exit, text), (Exit::Code(0), format!("the view's\nthe host's\n{uid}\n")));
    assert!(home.path().join("made").exists());
}

#[test]
fn root_can_run_a_build_as_another_account() {
    let identity =
        Identity::Dedicated { inside: Ids { uid: 1000, gid: 100 }, outside: Ids { uid: 30_001, gid: 30_000 } };
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan("id -u; id -G; stat -c %u /usr; touch /build/f; cat /proc/self/uid_map | wc -l");
    plan.identity = identity;
    plan.entries.push(Entry::Bind { source: dir.path().to_owned(), target: "/build".into(), access: Access::Writable });
    if !nix::unistd::geteuid().is_root() {
        let error = spawn(&plan, StandardStreams::Inherited).unwrap_err();
        assert_eq!(error.to_string(), "only root can run a build as user 30001");
        return;
    }
    std::os::unix::fs::chown(dir.path(), Some(30_001), Some(30_000)).unwrap();
    let (exit, text) = run(&plan);
    assert_eq!((exit, text.as_str()), (Exit::Code(0), "1000\n100\n0\n2\n"));
    let made = std::fs::metadata(dir.path().join("f")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 30_001);
}

#[test]
fn all_this_works_for_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let nobody = "65534";
    let status = std::process::Command::new("setpriv")
        .args(["--reuid", nobody, "--regid", nobody, "--clear-groups"])
        .arg(std::env::current_exe().unwrap())
        .env("TMPDIR", "/tmp")
        .output()
        .expect("setpriv (Debian package util-linux)");
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success(), "{text}");
    assert!(text.contains("test result: ok. 19 passed") || text.contains("passed"), "{text}");
}
