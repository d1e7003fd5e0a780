//! Switches between two small generations: what runs, what changed, what the plan says.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::{GenerationView, ManagerReload, UnitPlan, UnitState, plan_units};
use crate::root::Root;

/// Two generations, `old` and `new`, below a temporary root.
struct World {
    _directory: tempfile::TempDir,
    root: Root,
    states: Vec<UnitState>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for generation in ["old", "new"] {
            let top = root.path(format!("/nix/store/{generation}-top"));
            std::fs::create_dir_all(root.path(format!("/nix/store/{generation}-sw"))).unwrap();
            std::fs::create_dir_all(root.path(format!("/nix/store/{generation}-etc/etc"))).unwrap();
            std::fs::create_dir_all(&top).unwrap();
            symlink(format!("/nix/store/{generation}-etc/etc"), top.join("etc")).unwrap();
            symlink(format!("/nix/store/{generation}-sw"), top.join("sw")).unwrap();
        }
        let mut world = Self { _directory: directory, root, states: Vec::new() };
        world.state("multi-user.target", "active", "active");
        world.both("/usr/lib/systemd/system/multi-user.target", "[Unit]\nDescription=Multi-User\n");
        world
    }

    fn state(&mut self, name: &str, active: &str, sub: &str) -> &mut Self {
        let fragment = format!("/etc/systemd/system/{name}");
        self.states.push(UnitState { name: name.into(), active: active.into(), sub: sub.into(), fragment });
        self
    }

    fn running(&mut self, name: &str) -> &mut Self {
        self.state(name, "active", "running")
    }

    /// A file of /etc or /usr in one generation.
    fn file(&mut self, generation: &str, path: &str, content: &str) -> &mut Self {
        let place = self.place(generation, path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, content).unwrap();
        self
    }

    fn link(&mut self, generation: &str, path: &str, target: &str) -> &mut Self {
        let place = self.place(generation, path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(target, place).unwrap();
        self
    }

    fn place(&self, generation: &str, path: &str) -> std::path::PathBuf {
        let usr = path.strip_prefix("/usr/").map(|rest| format!("/nix/store/{generation}-sw/{rest}"));
        let etc = || path.strip_prefix("/etc/").map(|rest| format!("/nix/store/{generation}-etc/etc/{rest}"));
        self.root.path(usr.or_else(etc).unwrap_or_else(|| path.to_owned()))
    }

    fn both(&mut self, path: &str, content: &str) -> &mut Self {
        self.file("old", path, content).file("new", path, content)
    }

    /// A unit in /etc, as text of [Service] or with sections of its own.
    fn unit(&mut self, generation: &str, name: &str, content: &str) -> &mut Self {
        self.file(generation, &format!("/etc/systemd/system/{name}"), content)
    }

    fn wanted(&mut self, generation: &str, name: &str) -> &mut Self {
        let path = format!("/etc/systemd/system/multi-user.target.wants/{name}");
        self.link(generation, &path, &format!("../{name}"))
    }

    fn plan(&self) -> UnitPlan {
        let view = |generation: &str| {
            GenerationView::of(&self.root, Path::new(&format!("/nix/store/{generation}-top"))).unwrap()
        };
        plan_units(&view("old"), &view("new"), &self.states).unwrap()
    }

    fn said(&self) -> String {
        self.plan().to_string()
    }
}

const A: &str = "[Service]\nExecStart=/bin/a\n";
const B: &str = "[Service]\nExecStart=/bin/b\n";

/// A running, wanted service whose unit changes as given.
fn changed(old: &str, new: &str) -> World {
    let mut world = World::new();
    world.unit("old", "a.service", old).unit("new", "a.service", new);
    world.wanted("old", "a.service").wanted("new", "a.service").running("a.service");
    world
}

#[test]
fn an_unchanged_service_is_not_touched() {
    let world = changed(A, &format!("# comment\n{A}[Install]\nWantedBy=multi-user.target\n"));
    assert_eq!(world.plan(), UnitPlan::nothing());
}

#[test]
fn a_changed_service_stops_before_and_starts_after() {
    assert_eq!(changed(A, B).said(), "stop and start again a.service (ExecStart changed)\n");
}

#[test]
fn nixos_keys_choose_how_a_change_is_taken_up() {
    for (keys, said) in [
        ("[Service]\nX-StopIfChanged=false\n", "restart a.service (ExecStart changed)\n"),
        (
            "[Service]\nX-ReloadIfChanged=true\nExecReload=/bin/kill\n",
            "reload a.service (ExecReload, ExecStart changed)\n",
        ),
        (
            "[Service]\nX-RestartIfChanged=false\n",
            "leave alone a.service (ExecStart changed; X-RestartIfChanged=false)\n",
        ),
        ("[Unit]\nX-OnlyManualStart=yes\n", "leave alone a.service (ExecStart changed; X-OnlyManualStart=true)\n"),
        ("[Unit]\nRefuseManualStop=true\n", "leave alone a.service (ExecStart changed; RefuseManualStop=true)\n"),
    ] {
        assert_eq!(changed(A, &format!("{B}{keys}")).said(), said, "{keys}");
    }
}

#[test]
fn triggers_reload_or_restart() {
    let with = |line: &str| format!("[Unit]\n{line}\n{A}");
    let reloading = |line: &str| with(line) + "ExecReload=/bin/kill\n";
    let reload = changed(&reloading("X-Reload-Triggers=1"), &reloading("X-Reload-Triggers=2"));
    assert_eq!(reload.said(), "reload a.service (X-Reload-Triggers changed)\n");
    let cannot = changed(&with("X-Reload-Triggers=1"), &with("X-Reload-Triggers=2"));
    assert_eq!(cannot.said(), "restart a.service (X-Reload-Triggers changed)\n");
    let restart = changed(&with("X-Restart-Triggers=1"), &with("X-Restart-Triggers=2"));
    assert_eq!(restart.said(), "stop and start again a.service (X-Restart-Triggers changed)\n");
}

#[test]
fn a_vanished_service_stops_unless_it_forbids_it() {
    let mut world = World::new();
    world.unit("old", "a.service", A).running("a.service");
    world.unit("old", "b.service", &format!("[Unit]\nX-StopOnRemoval=false\n{A}")).running("b.service");
    world.unit("old", "c.service", A).link("new", "/etc/systemd/system/c.service", "/dev/null").running("c.service");
    assert_eq!(
        world.said(),
        "stop a.service (it is gone)\nstop c.service (it is masked)\nleave alone b.service (it is gone, but X-StopOnRemoval=false)\n"
    );
}

#[test]
fn what_nothing_wants_any_more_stops_though_its_package_ships_it() {
    let mut world = World::new();
    world.both("/usr/lib/systemd/system/a.service", A).wanted("old", "a.service").running("a.service");
    world.both("/usr/lib/systemd/system/by-hand.service", A).running("by-hand.service");
    assert_eq!(world.said(), "stop a.service (nothing wants it any more)\n");
}

#[test]
fn what_a_socket_or_timer_may_start_stays_wanted() {
    let mut world = World::new();
    world.both("/usr/lib/systemd/system/a.service", A).running("a.service").running("a.socket");
    world.both("/usr/lib/systemd/system/a.socket", "[Socket]\nListenStream=1\n");
    world.wanted("old", "a.service").wanted("old", "a.socket").wanted("new", "a.socket");
    assert_eq!(world.said(), "");
}

#[test]
fn a_newly_wanted_service_starts_and_says_by_whom() {
    let mut world = World::new();
    world.unit("new", "a.service", A).wanted("new", "a.service");
    world
        .unit("new", "manual.service", &format!("{A}[Unit]\nX-OnlyManualStart=true\n"))
        .wanted("new", "manual.service");
    world.unit("new", "unwanted.service", A);
    world.wanted("new", "absent.service");
    assert_eq!(world.said(), "start a.service (wanted by multi-user.target)\n");
}

#[test]
fn wants_are_followed_through_targets_and_aliases() {
    let mut world = World::new();
    world.unit("new", "extra.target", "[Unit]\nWants=alias.service\n").wanted("new", "extra.target");
    world.both("/usr/lib/systemd/system/real.service", A);
    world.link("new", "/etc/systemd/system/alias.service", "/usr/lib/systemd/system/real.service");
    assert_eq!(
        world.said(),
        "start extra.target (wanted by multi-user.target)\nstart real.service (wanted by extra.target)\n"
    );
}

#[test]
fn a_stopped_service_stays_stopped_unless_it_failed_or_changed() {
    for (state, new, said) in [
        ("inactive", A, ""),
        ("inactive", B, "start a.service (ExecStart changed)\n"),
        ("failed", A, "start a.service (it had failed)\n"),
    ] {
        let mut world = World::new();
        world.unit("old", "a.service", A).unit("new", "a.service", new);
        world.wanted("old", "a.service").wanted("new", "a.service").state("a.service", state, "dead");
        assert_eq!(world.said(), said, "{state}");
    }
}

#[test]
fn drop_ins_of_etc_and_usr_count() {
    let mut world = World::new();
    world.both("/usr/lib/systemd/system/a.service", A).running("a.service");
    world.file("new", "/etc/systemd/system/a.service.d/override.conf", "[Service]\nUser=a\n");
    assert_eq!(world.said(), "stop and start again a.service (User changed)\n");
    world.file("old", "/usr/lib/systemd/system/service.d/override.conf", "[Service]\nUser=z\n");
    world.file("old", "/etc/systemd/system/a.service.d/override.conf", "[Service]\nUser=a\n");
    assert_eq!(world.said(), "", "the more specific drop-in of one name wins");
}

#[test]
fn etc_takes_the_place_of_usr() {
    let mut world = World::new();
    world.both("/usr/lib/systemd/system/a.service", A).unit("new", "a.service", B).running("a.service");
    assert_eq!(world.said(), "stop and start again a.service (ExecStart changed)\n");
}

#[test]
fn instances_are_compared_by_their_template() {
    let mut world = World::new();
    world.unit("old", "a@.service", A).unit("new", "a@.service", B).running("a@x.service");
    assert_eq!(world.said(), "stop and start again a@x.service (ExecStart changed)\n");
}

#[test]
fn a_socket_activated_service_is_started_by_its_socket() {
    let mut world = World::new();
    world.unit("old", "a.service", A).unit("new", "a.service", B).running("a.service");
    world.both("/etc/systemd/system/a.socket", "[Socket]\nListenStream=1\n").running("a.socket");
    assert_eq!(
        world.said(),
        "stop a.service (ExecStart changed; its socket starts it again)\nstop and start again a.socket (a.service: ExecStart changed)\n"
    );
    world.unit("new", "a.service", &format!("{B}X-NotSocketActivated=true\n"));
    assert_eq!(world.said(), "stop and start again a.service (ExecStart changed)\n");
}

#[test]
fn a_changed_socket_takes_its_service_with_it() {
    let mut world = World::new();
    world.both("/etc/systemd/system/a.service", A).running("a.service").running("a.socket");
    world.unit("old", "a.socket", "[Socket]\nListenStream=1\n").unit("new", "a.socket", "[Socket]\nListenStream=2\n");
    assert_eq!(
        world.said(),
        "stop and start again a.service (a.socket: ListenStream changed)\nstop and start again a.socket (ListenStream changed)\n"
    );
}

#[test]
fn timers_restart_and_slices_and_targets_do_not() {
    let mut world = World::new();
    world.unit("old", "a.timer", "[Timer]\nOnBootSec=1\n").unit("new", "a.timer", "[Timer]\nOnBootSec=2\n");
    world.unit("old", "a.slice", "[Slice]\nCPUWeight=1\n").unit("new", "a.slice", "[Slice]\nCPUWeight=2\n");
    world.unit("old", "a.target", "[Unit]\nRequires=b\n").unit("new", "a.target", "[Unit]\n");
    world.running("a.timer").running("a.slice").running("a.target");
    assert_eq!(world.said(), "restart a.timer (OnBootSec changed)\n");
}

#[test]
fn mounts_are_remounted_and_system_mounts_left_alone() {
    let mut world = World::new();
    for name in ["data.mount", "var.mount"] {
        world.unit("old", name, "[Mount]\nWhat=x\nOptions=ro\n").unit("new", name, "[Mount]\nWhat=y\nOptions=rw\n");
        world.running(name);
    }
    world.unit("old", "opts.mount", "[Mount]\nOptions=ro\n").unit("new", "opts.mount", "[Mount]\nOptions=rw\n");
    world.running("opts.mount");
    // One of stage 1's.
    let kept = |from: &str| format!("[Unit]\nX-RestartIfChanged=false\n[Mount]\nWhat={from}\n");
    world.unit("old", "keep.mount", &kept("/a")).unit("new", "keep.mount", &kept("/b")).running("keep.mount");
    assert_eq!(
        world.said(),
        "restart data.mount (What changed)\nreload opts.mount (Options changed)\n\
         leave alone keep.mount (What changed; X-RestartIfChanged=false)\n\
         leave alone var.mount (What changed; the running system is on it)\n"
    );
}

#[test]
fn fstab_stops_remounts_and_mounts() {
    let mut world = World::new();
    world.file("old", "/etc/fstab", "/dev/a /gone ext4\n/dev/b /opts ext4 ro\n/dev/r / ext4 ro\n");
    world.file("new", "/etc/fstab", "/dev/b /opts ext4 rw\n/dev/r / ext4 rw\n/dev/n /new ext4\n");
    for name in ["gone.mount", "opts.mount", "-.mount"] {
        world.states.push(UnitState {
            name: name.into(),
            active: "active".into(),
            sub: "mounted".into(),
            fragment: format!("/run/systemd/generator/{name}"),
        });
    }
    assert_eq!(
        world.said(),
        "stop gone.mount (it is gone from /etc/fstab)\nstart new.mount (it is new in /etc/fstab)\n\
         reload opts.mount (its options changed)\nleave alone -.mount (its options changed)\n"
    );
}

#[test]
fn what_requires_a_stopped_unit_is_said_too() {
    let mut world = changed(A, B);
    world.both("/etc/systemd/system/b.service", &format!("[Unit]\nRequires=a.service\n{A}")).running("b.service");
    world.both("/etc/systemd/system/c.service", &format!("[Unit]\nPartOf=b.service\n{A}")).running("c.service");
    world.both("/etc/systemd/system/d.service", &format!("[Unit]\nWants=a.service\n{A}")).running("d.service");
    assert_eq!(
        world.said(),
        "stop and start again a.service (ExecStart changed)\nstop and start again b.service (it requires a.service)\n\
         stop and start again c.service (it requires b.service)\n"
    );
}

#[test]
fn debians_own_units_follow_the_table() {
    let mut world = World::new();
    for name in ["dbus.service", "systemd-logind.service", "ssh.service", "user@1000.service", "getty@tty1.service"] {
        let file = name.replace("1000", "").replace("tty1", "");
        let path = format!("/usr/lib/systemd/system/{file}");
        world.file("old", &path, A).file("new", &path, B).running(name);
    }
    assert_eq!(
        world.said(),
        "restart ssh.service (ExecStart changed)\n\
         reload dbus.service (ExecStart changed; restarting it would cut off every service)\n\
         leave alone getty@tty1.service (ExecStart changed; people are logged in through it)\n\
         leave alone systemd-logind.service (ExecStart changed; it belongs to the boot or to sessions)\n\
         leave alone user@1000.service (ExecStart changed; people's sessions run in it)\n"
    );
}

#[test]
fn a_trigger_of_the_configuration_overrides_the_table() {
    let path = "/usr/lib/systemd/system/systemd-sysctl.service";
    let mut world = World::new();
    world.both(path, A).state("systemd-sysctl.service", "active", "exited");
    for (generation, value) in [("old", "1"), ("new", "2")] {
        let drop_in = format!("[Unit]\nX-Restart-Triggers={value}\n");
        world.file(generation, "/etc/systemd/system/systemd-sysctl.service.d/t.conf", &drop_in);
    }
    assert_eq!(world.said(), "stop and start again systemd-sysctl.service (X-Restart-Triggers changed)\n");
}

#[test]
fn changed_settings_reach_their_service() {
    let mut world = World::new();
    for unit in ["systemd-journald.service", "systemd-udevd.service", "systemd-sysctl.service"] {
        world.both(&format!("/usr/lib/systemd/system/{unit}"), &format!("{A}ExecReload=/bin/b\n"));
    }
    world.running("systemd-journald.service").running("systemd-udevd.service");
    world.file("old", "/etc/systemd/journald.conf", "a").file("new", "/etc/systemd/journald.conf", "b");
    world.both("/etc/udev/rules.d/1.rules", "same").file("new", "/etc/udev/rules.d/2.rules", "new");
    world.file("new", "/etc/sysctl.d/1.conf", "not running");
    assert_eq!(
        world.said(),
        "restart systemd-journald.service (/etc/systemd/journald.conf changed)\n\
         reload systemd-udevd.service (/etc/udev/rules.d/2.rules changed)\n"
    );
}

/// Puts a program into a package of its own and links it into /usr of a generation.
fn program(world: &mut World, generation: &str, package: &str, path: &str, content: &[u8]) {
    let place = format!("/nix/store/0123-{package}{path}");
    let host_path = world.root.path(&place);
    std::fs::create_dir_all(host_path.parent().unwrap()).unwrap();
    std::fs::write(host_path, content).unwrap();
    world.link(generation, path, &place);
}

#[test]
fn an_upgraded_program_restarts_its_service_though_the_unit_is_equal() {
    let unit = "[Service]\nExecStart=-/sbin/nginx -g x\n";
    let mut world = changed(unit, unit);
    program(&mut world, "old", "nginx-1.0", "/usr/sbin/nginx", b"1");
    program(&mut world, "new", "nginx-1.1", "/usr/sbin/nginx", b"2");
    world.link("old", "/usr/unused", "x");
    assert_eq!(world.said(), "stop and start again a.service (/sbin/nginx changed (nginx-1.0 → nginx-1.1))\n");
}

#[test]
fn an_upgraded_interpreter_or_library_counts_too() {
    let unit = "[Service]\nExecStart=/usr/bin/script\n";
    let mut world = changed(unit, unit);
    for generation in ["old", "new"] {
        program(&mut world, generation, "script", "/usr/bin/script", b"#!/usr/bin/env elf\n");
    }
    let elf = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    for generation in ["old", "new"] {
        program(&mut world, generation, "elf", "/usr/bin/elf", &elf);
    }
    assert_eq!(world.said(), "");
    program(&mut world, "old", "libc6-1", "/usr/lib/x86_64-linux-gnu/libc.so.6", b"1");
    program(&mut world, "new", "libc6-2", "/usr/lib/x86_64-linux-gnu/libc.so.6", b"2");
    assert_eq!(world.said(), "stop and start again a.service (libc.so.6 changed (libc6-1 → libc6-2))\n");
}

#[test]
fn an_upgraded_systemd_re_executes_itself() {
    let mut world = World::new();
    program(&mut world, "old", "systemd-1", "/usr/lib/systemd/systemd", b"1");
    program(&mut world, "new", "systemd-2", "/usr/lib/systemd/systemd", b"2");
    assert_eq!(world.plan().manager, ManagerReload::Reexec);
    assert_eq!(world.said(), "re-execute systemd (it was upgraded)\n");
}

#[test]
fn transient_units_sessions_and_devices_are_nobodys_business() {
    let mut world = World::new();
    world.unit("old", "a.service", A).unit("old", "session-1.scope", "[Scope]\n").running("session-1.scope");
    world.states.push(UnitState {
        name: "a.service".into(),
        active: "active".into(),
        sub: "running".into(),
        fragment: "/run/systemd/transient/a.service".into(),
    });
    assert_eq!(world.said(), "");
}

#[test]
fn what_a_device_wants_is_wanted() {
    let mut world = World::new();
    world.both("/etc/systemd/system/agent.service", A).running("agent.service");
    for generation in ["old", "new"] {
        world.link(generation, "/etc/systemd/system/dev-x.device.wants/agent.service", "../agent.service");
    }
    assert_eq!(world.said(), "");
    std::fs::remove_file(world.place("new", "/etc/systemd/system/dev-x.device.wants/agent.service")).unwrap();
    assert_eq!(world.said(), "stop agent.service (nothing wants it any more)\n");
}
