//! A machine changes itself: it evaluates and builds its next generation from /etc/esker with packages of a mirror, switches
//! and goes back; a switch that nobody confirms is taken back, also when the connection is lost; a system that was built
//! elsewhere comes over HTTP, and only whole and signed. The mirror and the cache are a web server of this host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qemu::{Agent, Disk};
use serde_json::Value;
use stories::{Checks, DebianArchive, Extent, Invented, Lab, Loopback, Ports, Ssh, State};

const BOOT: Duration = Duration::from_secs(300);
const BUILD: Duration = Duration::from_secs(420);
const MOMENT: Duration = Duration::from_secs(120);

const TOOL: Invented = Invented { name: "story-tool", version: "1.0", depends: "", suite: "trixie" };
const FIXED: Invented = Invented { name: "story-tool", version: "1.0+deb13u1", depends: "", suite: "trixie-security" };

/// The whole laboratory of this story.
struct Story {
    lab: Lab,
    archive: DebianArchive,
    server: Loopback,
    cache: RemoteSystem,
    first: String,
    ssh: Ssh,
}

/// A system in a signed cache below the server's folder: `cache`, and damaged copies of it.
struct RemoteSystem {
    toplevel: String,
    public_key: String,
    /// The toplevel's NAR, below the cache's folder.
    nar: String,
}

#[test]
fn a_machine_changes_itself() {
    let lab = Lab::open("machine");
    let image = lab.image("own");
    let archive = DebianArchive::new(&lab, Extent::Downloaded);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let state = State { packages: vec![TOOL], date: now - 7200, valid_for: Some(7 * 24 * 3600) };
    archive.publish(&state);
    let cache = RemoteSystem::export(&lab, archive.folder());
    let server = Loopback::serve(archive.folder());
    let ports = Ports::free();
    let ssh = Ssh::new(&lab, ports.ssh, "root");
    let story = Story { lab, archive, server, cache, first: image.toplevel.clone(), ssh };
    let mut vm = story.lab.boot(vec![Disk::raw(&image.image)], ports);
    let mut checks = Checks::new();

    vm.agent.wait_until_up(BOOT).unwrap_or_else(|e| panic!("{e}\n{}", vm.console.tail(60)));
    let up = vm.agent.wait_until_succeeds("test \"$(systemctl is-system-running)\" = running", BOOT);
    checks.fact("the machine boots", up.is_ok(), format!("{up:?}"));
    story.builds_what_it_runs(&mut vm.agent, &mut checks);
    story.changes_an_option(&mut vm.agent, &mut checks);
    story.sees_updates(&state, &mut vm.agent, &mut checks);
    story.goes_back(&mut vm.agent, &mut checks);
    story.tries_without_confirmation(&mut vm.agent, &mut checks);
    story.tries_and_confirms(&mut vm.agent, &mut checks);
    story.comes_over_http(&mut vm.agent, &mut checks);
    checks.done();
}

impl Story {
    /// Options for the archive, where the machine does not know its mirror yet.
    fn archive_options(&self) -> String {
        format!("{} --archive-keys /root/keys.asc", self.archive.options(&self.server.for_guests()).join(" "))
    }

    fn write_configuration(&self, agent: &mut Agent, text: &str, checks: &mut Checks) {
        let written = agent.write_file("/etc/esker/configuration.nix", 0o644, text.as_bytes());
        checks.fact("the configuration is written", written.is_ok(), format!("{written:?}"));
    }

    /// The configuration that the machine was made of gives the system that runs, wherever it is built.
    fn builds_what_it_runs(&self, agent: &mut Agent, checks: &mut Checks) {
        checks.mentions(agent, "without a configuration it says where one may be", "esker build", "/etc/esker");
        checks.mentions(agent, "/etc/esker survives boots", "findmnt -no SOURCE /etc/esker", "persist/etc/esker");
        let text = fs_err::read_to_string(self.lab.file("systems/own.nix")).expect("the configuration");
        self.write_configuration(agent, &text, checks);
        let keys = fs_err::read(self.archive.keys()).expect("the keys");
        agent.write_file("/root/keys.asc", 0o644, &keys).expect("the keys are written");
        checks.mentions(agent, "without a mirror it says how to name one", "esker lock", "--mirror debian=ADDRESS");
        let lock = format!("esker lock {}", self.archive_options());
        checks.mentions(agent, "the archive is pinned", &lock, "wrote /etc/esker/esker.lock");
        let same = agent.run(&format!("esker build --no-link {}", self.archive_options()), BUILD);
        let path = same.as_ref().map(|output| output.output.trim().to_owned()).unwrap_or_default();
        checks.fact("the machine builds the system that it runs", path == self.first, format!("{same:?}"));
        checks.mentions(
            agent,
            "an option is explained",
            "esker option networking.hostName",
            "/etc/esker/configuration.nix",
        );
        checks.mentions(agent, "packages are found", "esker search story", "invented for a story");
        checks.succeeds(agent, "the manual is there", "man -w esker-switch && man esker | grep -q generations");
        let complete = "bash -ic 'source /usr/share/bash-completion/completions/esker && complete -p esker'";
        checks.mentions(agent, "completions are there", complete, "_esker");
    }

    /// A package, a unit, a file and the mirror itself: seen before, done, and different afterwards.
    fn changes_an_option(&self, agent: &mut Agent, checks: &mut Checks) {
        let base = self.server.for_guests();
        let text = fs_err::read_to_string(self.lab.file("systems/own.nix")).expect("the configuration");
        let change = format!(
            "environment.systemPackages = [ pkgs.man-db pkgs.story-tool ];\n  \
             esker.mirrors.debian = [ \"{base}/debian\" ];\n  \
             esker.mirrors.debian-security = [ \"{base}/debian-security\" ];\n  \
             systemd.services.story = {{ wantedBy = [ \"multi-user.target\" ]; serviceConfig.ExecStart = \"/usr/bin/sleep infinity\"; }};"
        );
        let text = text
            .replace("environment.systemPackages = [ pkgs.man-db ];", &change)
            .replace("\"first\\n\"", "\"second\\n\"");
        self.write_configuration(agent, &text, checks);
        let dry = agent.run(&format!("esker dry-activate {}", self.archive_options()), BUILD);
        let said = dry.map(|output| format!("{}{}", output.output, output.errors)).unwrap_or_else(|e| e.to_string());
        checks.fact("dry-activate names the new unit", said.contains("story.service"), &said);
        checks.prints(agent, "and changes nothing", "cat /etc/story", "first");
        let switched = agent.run(&format!("esker switch {}", self.archive_options()), BUILD);
        let well = switched.as_ref().is_ok_and(|output| output.status == 0);
        checks.fact("the machine switches to what it built", well, format!("{switched:?}"));
        checks.prints(agent, "the file is another", "cat /etc/story", "second");
        checks.prints(agent, "the package is there", "cat /usr/share/story-tool/version", "1.0");
        checks.prints(agent, "the unit runs", "systemctl is-active story.service", "active");
        checks.mentions(agent, "generations are listed", "esker generations", "default running");
        checks.mentions(agent, "also for people", "su me -c 'esker generations'", "booted");
        checks.mentions(agent, "what came is in the difference", "esker generations diff 1 2", "+ story-tool 1.0");
        checks.mentions(agent, "and went the other way round", "esker generations diff 2 1", "- story-tool 1.0");
        checks.mentions(agent, "files are compared", "esker --json generations diff 1", "\"etcChanged\":[");
        checks.succeeds(agent, "the collector runs", "esker gc");
        checks.succeeds(
            agent,
            "it takes neither generation",
            "for n in 1 2; do test -e /nix/var/nix/profiles/system-$n-link/sw/bin/bash || exit 1; done",
        );
    }

    /// From now on the machine knows its mirror by its own configuration.
    fn sees_updates(&self, state: &State, agent: &mut Agent, checks: &mut Checks) {
        let date = state.date + 3600;
        self.archive.publish(&State { packages: vec![TOOL, FIXED], date, ..state.clone() });
        let update = agent.run("esker update --dry-run --archive-keys /root/keys.asc", BUILD);
        let said = update.map(|output| format!("{}{}", output.output, output.errors)).unwrap_or_else(|e| e.to_string());
        let expected = "security fixes (1):\n  story-tool 1.0 → 1.0+deb13u1\n";
        checks.fact("an update is announced, from the configured mirror", said.contains(expected), &said);
        checks.mentions(agent, "an update by strangers is refused", "esker update", "is not accepted as Debian's");
    }

    fn goes_back(&self, agent: &mut Agent, checks: &mut Checks) {
        let back = agent.run("esker rollback", BUILD);
        checks.fact("the rollback succeeds", back.as_ref().is_ok_and(|o| o.status == 0), format!("{back:?}"));
        checks.prints(agent, "the first generation runs", "readlink -f /run/current-system", &self.first);
        checks.prints(agent, "the file is the first", "cat /etc/story", "first");
        checks.fails(agent, "the package is gone", "test -e /usr/share/story-tool");
        checks.fails(agent, "the unit is gone", "systemctl cat story.service");
        checks.mentions(agent, "it boots by default", "cat /boot/loader/loader.conf", "default esker-1.conf");
    }

    /// A switch over ssh whose connection is cut while it goes on: it ends, and as nobody confirms it, it is taken back.
    fn tries_without_confirmation(&self, agent: &mut Agent, checks: &mut Checks) {
        let second = agent.succeed("readlink -f /nix/var/nix/profiles/system-2-link", MOMENT).expect("the second");
        let command = format!("esker switch --toplevel {second} --confirm=10");
        // With a terminal, whose end hangs up everything on it.
        let mut session = self.ssh.command(&["-tt"], &command).spawn().expect("ssh runs (openssh-client)");
        let begun = agent.wait_until_succeeds("test -e /run/esker/trial", MOMENT);
        checks.fact("the switch begins", begun.is_ok(), format!("{begun:?}"));
        session.kill().and_then(|()| session.wait()).expect("the connection is cut");
        let there = agent.wait_until_succeeds(&format!("test /run/current-system -ef {second}"), MOMENT);
        checks.fact("the switch ends without its terminal", there.is_ok(), format!("{there:?}"));
        let back = agent.wait_until_succeeds(&format!("test /run/current-system -ef {}", self.first), MOMENT);
        checks.fact("nobody confirms, and it is taken back", back.is_ok(), format!("{back:?}"));
        let ended = agent
            .wait_until_succeeds("test ! -e /run/esker/trial && ! systemctl is-active esker-rollback.service", MOMENT);
        checks.fact("the trial ends", ended.is_ok(), format!("{ended:?}"));
        checks.prints(agent, "the file is the first again", "cat /etc/story", "first");
        checks.fails(agent, "the unit is gone again", "systemctl cat story.service");
        checks.prints(agent, "the default never moved", "readlink /nix/var/nix/profiles/system", "system-1-link");
        checks.mentions(agent, "it is too late to confirm", "esker switch --confirmed", "no system is on trial");
        let reached = self.ssh.run("hostname");
        checks.fact("the machine can be reached", reached.contains("own"), reached);
    }

    fn tries_and_confirms(&self, agent: &mut Agent, checks: &mut Checks) {
        let second = agent.succeed("readlink -f /nix/var/nix/profiles/system-2-link", MOMENT).expect("the second");
        let tried = self.ssh.run(&format!("esker switch --toplevel {second} --confirm=600"));
        checks.fact("it says that this is a trial", tried.contains("on trial for 600 s"), tried);
        checks.prints(agent, "the second runs", "readlink -f /run/current-system", &second);
        checks.prints(
            agent,
            "the first is still the default",
            "readlink /nix/var/nix/profiles/system",
            "system-1-link",
        );
        let again = format!("esker switch --toplevel {second} --confirm");
        checks.mentions(agent, "one trial at a time", &again, "a system is on trial already");
        let kept = self.ssh.run("esker switch --confirmed");
        checks.fact("it is kept", kept.contains("kept: generation 2"), kept);
        checks.prints(agent, "now it is the default", "readlink /nix/var/nix/profiles/system", "system-2-link");
        checks.mentions(agent, "and boots next", "cat /boot/loader/loader.conf", "default esker-2.conf");
        checks.fails(agent, "nothing takes it back any more", "systemctl is-active esker-rollback.timer");
    }

    /// Only whole and signed paths come from a cache, and a broken connection is taken up where it broke.
    fn comes_over_http(&self, agent: &mut Agent, checks: &mut Checks) {
        let RemoteSystem { toplevel, public_key, nar } = &self.cache;
        let from = |verb: &str, cache: &str| {
            let base = self.server.for_guests();
            format!("esker {verb} --toplevel {toplevel} --from {base}/{cache} --trusted-key {public_key}")
        };
        checks.mentions(
            agent,
            "a forged signature is refused",
            &from("dry-activate", "forged"),
            "no trusted binary cache",
        );
        checks.mentions(agent, "a NAR that was cut is refused", &from("dry-activate", "cut"), "damaged");
        checks.fails(agent, "nothing of that is in the store", &format!("test -e {toplevel}"));
        self.server.break_once(&format!("cache/{nar}"), 100);
        let switched = agent.run(&from("switch", "cache"), BUILD);
        checks.fact("it comes over HTTP", switched.as_ref().is_ok_and(|o| o.status == 0), format!("{switched:?}"));
        let resumed =
            self.server.requests().into_iter().any(|r| r.path == format!("cache/{nar}") && r.from == Some(100));
        checks.fact(
            "the broken download went on where it broke",
            resumed,
            format!("{:?}", self.server.requests().last()),
        );
        checks.prints(agent, "it runs", "readlink -f /run/current-system", toplevel);
        checks.prints(agent, "the file is the remote one", "cat /etc/story", "remote");
        checks.prints(agent, "it is a generation", "readlink /nix/var/nix/profiles/system", "system-3-link");
    }
}

impl RemoteSystem {
    fn export(lab: &Lab, served: &Path) -> Self {
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let cache = served.join("cache");
        let keys = served.join("keys");
        fs_err::create_dir(&keys).expect("a folder for the keys");
        let public = lab.json(&["cache", "key", "stories-1", "--to", &text(&keys)]);
        let configuration = text(&lab.file("systems/own-remote.nix"));
        let secret = text(&keys.join("stories-1.secret"));
        let report = lab.json(&["cache", "export", &configuration, "--to", &text(&cache), "--key", &secret]);
        let string = |value: &Value| value.as_str().expect("a text").to_owned();
        let (toplevel, public_key) = (string(&report["toplevel"]), string(&public["public"]));
        let hash =
            toplevel.rsplit('/').next().and_then(|name| name.split('-').next()).expect("a store path").to_owned();
        let narinfo = fs_err::read_to_string(cache.join(format!("{hash}.narinfo"))).expect("a narinfo");
        let nar = narinfo.lines().find_map(|line| line.strip_prefix("URL: ")).expect("a URL").to_owned();
        // Another signature everywhere; the same files.
        let forged = |text: String| {
            let lines = text.lines().map(|line| match line.strip_prefix("Sig: stories-1:") {
                Some(signature) => format!("Sig: stories-1:{}{}\n", &signature[2..4], &signature[2..]),
                None => format!("{line}\n"),
            });
            lines.collect::<String>()
        };
        copy_narinfos(&cache, &served.join("forged"), forged);
        std::os::unix::fs::symlink("../cache/nar", served.join("forged/nar")).expect("a link");
        copy_narinfos(&cache, &served.join("cut"), |text| text);
        cut_one(&cache, &served.join("cut"), &nar);
        Self { toplevel, public_key, nar }
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

fn copy_narinfos(cache: &Path, to: &Path, change: impl Fn(String) -> String) {
    fs_err::create_dir(to).expect("a folder");
    for file in files_in(cache).into_iter().filter(|file| file.is_file()) {
        let text = fs_err::read_to_string(&file).expect("a narinfo");
        fs_err::write(to.join(file.file_name().expect("a name")), change(text)).expect("a narinfo");
    }
}

/// A cache with the same NARs, but one of them lacks its end.
fn cut_one(cache: &Path, to: &Path, nar: &str) {
    fs_err::create_dir(to.join("nar")).expect("a folder");
    for file in files_in(&cache.join("nar")) {
        let name = file.file_name().expect("a name");
        std::os::unix::fs::symlink(&file, to.join("nar").join(name)).expect("a link");
    }
    let bytes = fs_err::read(cache.join(nar)).expect("the NAR");
    fs_err::remove_file(to.join(nar)).expect("the link goes");
    fs_err::write(to.join(nar), &bytes[..bytes.len() / 2]).expect("the NAR, cut");
}
