//! The server example, booted: it is what its declaration says, everything in it works, and what must not work does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qemu::{Agent, Architecture, Disk, Running};
use stories::{Checks, Lab, Ports};

const BOOT: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);

#[test]
fn the_server_is_what_its_declaration_says() {
    server(&Lab::open("server"));
}

#[test]
fn the_server_for_aarch64_is_the_same() {
    server(&Lab::open_for("server-aarch64", Architecture::Aarch64));
}

fn server(lab: &Lab) {
    let built = lab.image("first");
    let ports = Ports::free();
    let mut vm = lab.boot(vec![Disk::raw(&built.image)], ports);
    let mut checks = Checks::new();

    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    whole(&mut vm.agent, &mut checks);
    declared(lab, &mut vm.agent, &mut checks);
    rights(&mut vm.agent, &mut checks);
    programs(&mut vm.agent, &mut checks);
    foreign_binary(lab, &mut vm.agent, &mut checks);
    network(lab, ports, &mut vm.agent, &mut checks);
    console_login(&mut vm, &mut checks);
    state_survives_a_reboot(lab, vm, &built, ports, &mut checks);
    checks.done();
}

/// The system is up, complete, and made as Esker makes systems.
fn whole(agent: &mut Agent, checks: &mut Checks) {
    let state = agent.wait_until_succeeds(
        "systemctl is-system-running --wait; test \"$(systemctl is-system-running)\" != starting",
        BOOT,
    );
    checks.fact("the boot ends", state.is_ok(), format!("{state:?}"));
    checks.prints(agent, "the system is running", "systemctl is-system-running", "running");
    checks.prints(agent, "no unit failed", "systemctl --failed --no-legend --plain", "");
    checks.prints(agent, "the root is a tmpfs", "findmnt -no FSTYPE /", "tmpfs");
    checks.prints(
        agent,
        "systemd found the kernel's filesystems mounted",
        "journalctl -b --no-pager -o cat -u 'dev-mqueue.mount' -u 'sys-kernel-*.mount' -u tmp.mount | grep -c ^Mount; \
         systemctl is-active dev-mqueue.mount sys-kernel-config.mount sys-kernel-tracing.mount tmp.mount | sort -u",
        "0\nactive",
    );
    checks.fails(agent, "/usr is read-only", "touch /usr/x");
    checks.fails(agent, "the store is read-only", "touch /nix/store/x");
    checks.prints(agent, "/usr is one view", "findmnt -no FSTYPE /usr", "overlay");
    checks.prints(agent, "no maintainer script ran", "ls /var/lib/dpkg/info/*.postinst 2>/dev/null | head -n 1", "");
    checks.prints(agent, "the store holds no setuid file", "find /nix/store -perm /6000 -print -quit", "");
    checks.mentions(agent, "dpkg knows its packages", "dpkg -l bash", "ii  bash");
    checks.mentions(agent, "dpkg knows whose a file is", "dpkg -S /usr/bin/vim.basic", "vim");
    checks.succeeds(agent, "the system has its generation", "test -e /nix/var/nix/profiles/system-1-link/init");
    checks.prints(
        agent,
        "this generation runs",
        "test /run/current-system -ef /nix/var/nix/profiles/system && echo same",
        "same",
    );
    checks.prints(
        agent,
        "this generation was booted",
        "test /run/booted-system -ef /run/current-system && echo same",
        "same",
    );
}

/// What the configuration sets.
fn declared(lab: &Lab, agent: &mut Agent, checks: &mut Checks) {
    checks.prints(agent, "host name", "hostname", "server");
    checks.mentions(agent, "hosts", "getent hosts host.internal", "10.0.2.2");
    checks.prints(agent, "time zone", "readlink /etc/localtime", "/usr/share/zoneinfo/Europe/Amsterdam");
    checks.mentions(agent, "locales", "locale -a", "nl_NL");
    checks.prints(agent, "a locale works", "LC_ALL=nl_NL.UTF-8 date -d 2026-01-02 +%A", "vrijdag");
    checks.prints(agent, "sysctl", "sysctl -n kernel.kptr_restrict", "2");
    let (serial, machine) = match lab.architecture() {
        Architecture::X86_64 => ("console=ttyS0", "x86_64"),
        Architecture::Aarch64 => ("console=ttyAMA0", "aarch64"),
    };
    checks.mentions(agent, "kernel parameters", "cat /proc/cmdline", serial);
    checks.prints(agent, "architecture", "uname -m", machine);
    checks.prints(agent, "uid", "id -u second", "1042");
    checks.mentions(agent, "groups", "id admin", "(sudo)");
    checks.prints(agent, "shell", "getent passwd second | cut -d: -f7", "/bin/sh");
    checks.prints(agent, "home", "stat -c '%U %a' /home/admin", "admin 700");
    checks.prints(agent, "variables", "su - admin -c 'echo $EDITOR'", "vim");
    checks.prints(agent, "motd", "cat /etc/motd", "This server is declared, not configured.");
    checks.prints(agent, "tmpfiles", "stat -c '%U %G %a' /srv/data", "admin users 750");
    checks.mentions(agent, "a unit of one's own ran", "journalctl -b -u hello --no-pager -o cat", "hello from server");
    checks.prints(agent, "debian's system ids", "id -u www-data", "33");
    checks.mentions(agent, "the timer of the collector", "systemctl list-timers --all --no-pager", "esker-gc.timer");
    checks.fails(agent, "no RSA host key was made", "ls /nix/persist/etc/ssh/ssh_host_rsa_key");
}

/// Who may do what.
fn rights(agent: &mut Agent, checks: &mut Checks) {
    checks.prints(agent, "sudo is setuid at its Debian path", "stat -c '%a %u' /usr/bin/sudo", "4755 0");
    checks.mentions(agent, "sudo works", "su admin -c 'echo esker | sudo -S id'", "uid=0(root)");
    checks.fails(agent, "sudo is refused to others", "su second -c 'echo second | sudo -S -k id'");
    checks.mentions(agent, "su works", "su - second -c 'echo esker | su admin -c id'", "uid=");
    checks.succeeds(agent, "ping works for everyone", "su second -c 'ping -c 1 -W 5 127.0.0.1'");
    checks.prints(
        agent,
        "the bus helper belongs to messagebus",
        "stat -c '%a %U %G' /usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        "4754 root messagebus",
    );
    checks.prints(agent, "shadow is private", "stat -c '%a %U %G' /etc/shadow", "640 root shadow");
    checks.prints(agent, "sudoers is private", "stat -L -c '%a' /etc/sudoers", "440");
}

/// Programs find their parts.
fn programs(agent: &mut Agent, checks: &mut Checks) {
    checks.prints(agent, "python is in /usr", "realpath /usr/bin/python3 | cut -d/ -f2", "usr");
    checks.prints(agent, "python", "python3 -c 'import ssl, json, sys; print(sys.prefix)'", "/usr");
    checks.prints(agent, "perl", "perl -MPOSIX -e 'print floor(2.5)'", "2");
    checks.succeeds(agent, "vim", "vim -es -c q /dev/null");
    checks.succeeds(agent, "git", "cd /tmp && rm -rf r && git init -q r && cd r && git -c user.name=a -c user.email=b commit -q --allow-empty -m x");
    checks.mentions(agent, "curl", "curl -s http://127.0.0.1/", "It works");
    checks.succeeds(agent, "certificates", "test -s /etc/ssl/certs/ca-certificates.crt");
    checks.prints(
        agent,
        "gcc",
        "cd /tmp && printf '#include <stdio.h>\\nint main(){puts(\"built\");}' > a.c && gcc a.c -o a && ./a",
        "built",
    );
    checks.prints(agent, "node", "node -e 'console.log(require(\"os\").platform())'", "linux");
    checks.mentions(agent, "cargo", "cargo --version", "cargo 1.");
    checks.succeeds(agent, "modprobe", "modprobe dm_mod");
    checks.succeeds(agent, "hardware database", "systemd-hwdb query usb:v1D6Bp0002* | grep -q ID_VENDOR");
}

/// A dynamically linked program built on this host, whatever Debian it is, runs there unmodified.
fn foreign_binary(lab: &Lab, agent: &mut Agent, checks: &mut Checks) {
    let source = lab.artifacts().join("foreign.c");
    let binary = lab.artifacts().join("foreign");
    fs_err::write(&source, "#include <stdio.h>\nint main(void) { puts(\"foreign\"); return 0; }\n").expect("a source");
    let compiler = match lab.architecture() {
        Architecture::X86_64 => "x86_64-linux-gnu-gcc",
        Architecture::Aarch64 => "aarch64-linux-gnu-gcc",
    };
    let status = Command::new(compiler).arg(&source).arg("-o").arg(&binary).status().expect("the compiler runs");
    assert!(status.success(), "{compiler} failed");
    let sent = agent.write_file("/tmp/foreign", 0o755, &fs_err::read(&binary).expect("the binary"));
    checks.fact("a file is copied into the guest", sent.is_ok(), format!("{sent:?}"));
    checks.prints(agent, "a foreign binary runs", "/tmp/foreign", "foreign");
}

/// What is reachable from outside, and how.
fn network(lab: &Lab, ports: Ports, agent: &mut Agent, checks: &mut Checks) {
    let ready = agent.wait_for_unit("ssh.service", MOMENT).and_then(|()| agent.wait_for_unit("nginx.service", MOMENT));
    checks.fact("ssh and nginx are up", ready.is_ok(), format!("{ready:?}"));
    let listening = agent.wait_until_succeeds("curl -s http://127.0.0.1:8888/ >/dev/null", MOMENT);
    checks.fact("something listens on 8888", listening.is_ok(), format!("{listening:?}"));

    let page = http_get(ports.web);
    checks.fact("nginx serves the page through a forwarded port", page.contains("It works"), &page);
    let closed = http_get(ports.closed);
    checks.fact("a port that is not in the firewall's list is closed", !closed.contains("200"), &closed);

    let key = lab.artifacts().join("key");
    fs_err::copy(lab.file("keys/admin"), &key).expect("the key");
    let _ = Command::new("chmod").arg("600").arg(&key).status();
    let by_key = ssh(ports.ssh, &["-i", &key.display().to_string(), "-o", "PasswordAuthentication=no"]);
    checks.fact("ssh by key on the configured port", by_key.contains("admin on server"), &by_key);
    let by_password = ssh(
        ports.ssh,
        &["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive"],
    );
    checks.fact("no password over ssh", by_password.contains("Permission denied (publickey)"), &by_password);
}

fn http_get(port: u16) -> String {
    let request = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    request().unwrap_or_else(|error| format!("no answer: {error}"))
}

fn ssh(port: u16, options: &[&str]) -> String {
    let output = Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "BatchMode=yes",
        ])
        .args(["-o", "ConnectTimeout=60", "-p", &port.to_string()])
        .args(options)
        .args(["admin@127.0.0.1", "echo $(id -un) on $(hostname)"])
        .output()
        .expect("ssh runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A person logs in on the serial console.
fn console_login(vm: &mut Running, checks: &mut Checks) {
    let login = (|| {
        vm.console.send("\n")?;
        vm.console.wait_for("login: ", MOMENT)?;
        vm.console.send("admin\n")?;
        vm.console.wait_for("Password: ", MOMENT)?;
        vm.console.send("esker\n")?;
        vm.console.wait_for("declared, not configured", MOMENT)?;
        vm.console.send("echo I am $(id -un), $((6 * 7))\n")?;
        vm.console.wait_for("I am admin, 42", MOMENT)
    })();
    checks.fact(
        "login on the console by password",
        login.is_ok(),
        login.err().map(|e| e.to_string()).unwrap_or_default(),
    );
}

/// What is declared to persist does; what is not is gone; a changed password stays.
fn state_survives_a_reboot(lab: &Lab, mut vm: Running, built: &stories::Built, ports: Ports, checks: &mut Checks) {
    let agent = &mut vm.agent;
    checks.succeeds(
        agent,
        "files are written",
        "echo kept > /home/admin/kept; echo kept > /var/lib/kept; echo lost > /lost; mkdir -p /mnt/lost",
    );
    checks.succeeds(agent, "a password is changed", "echo admin:changed | chpasswd");
    let before =
        agent.succeed("cat /etc/machine-id; ssh-keygen -lf /nix/persist/etc/ssh/ssh_host_ed25519_key.pub", MOMENT);
    checks.succeeds(agent, "the change is kept", "for i in $(seq 50); do grep -q \"$(grep ^admin: /etc/shadow)\" /nix/persist/etc/shadow && exit; sleep 0.2; done; exit 1");
    checks.succeeds(agent, "the machine turns off", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off", off.is_ok(), format!("{off:?}"));
    drop(vm);

    let mut vm = lab.boot(vec![Disk::raw(Path::new(&built.image))], ports);
    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let agent = &mut vm.agent;
    checks.prints(agent, "/home survives", "cat /home/admin/kept", "kept");
    checks.prints(agent, "/var survives", "cat /var/lib/kept", "kept");
    checks.fails(agent, "the rest does not", "ls /lost");
    let after =
        agent.succeed("cat /etc/machine-id; ssh-keygen -lf /nix/persist/etc/ssh/ssh_host_ed25519_key.pub", MOMENT);
    checks.fact(
        "machine-id and host key survive",
        before.is_ok() && before.as_ref().ok() == after.as_ref().ok(),
        format!("{before:?} {after:?}"),
    );
    checks.mentions(agent, "the changed password survives", "su second -c 'echo changed | su admin -c id'", "uid=");
    checks.succeeds(agent, "it turns off again", "systemctl --no-block poweroff");
    let off = vm.wait_for_power_off(MOMENT);
    checks.fact("it is off again", off.is_ok(), format!("{off:?}"));
}
