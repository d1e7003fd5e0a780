use super::*;
use crate::effect::Unit;

const GETTY: &str = "[Unit]\nDescription=x\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n";
const REMOTE: &str = "[Install]\nWantedBy=multi-user.target\n";

fn files(units: &[(&str, &str)]) -> UnitFiles {
    let base = [("getty@.service", GETTY), ("remote-fs.target", REMOTE), ("systemd-pstore.service", REMOTE)];
    base.iter().chain(units).map(|(name, text)| ((UnitScope::System, (*name).to_owned()), (*text).to_owned())).collect()
}

fn package(name: &str, units: &[&str]) -> Package {
    let enable = |unit: &&str| Effect::Enable(Unit { unit: (*unit).to_owned(), scope: UnitScope::System });
    Package {
        name: name.to_owned(),
        version: "1".to_owned(),
        store_path: "/nix/store/x".into(),
        control: None,
        members: Vec::new(),
        effects: units.iter().map(enable).collect(),
    }
}

fn named(package: &str) -> UnitSelection {
    UnitSelection { systemd_packages: vec![package.to_owned()], ..UnitSelection::default() }
}

#[test]
fn installing_enables_nothing_but_the_base() {
    let units = files(&[("ssh.service", REMOTE)]);
    let plan = plan_enablement(&UnitSelection::default(), &[package("ssh", &["ssh.service"])], &units);
    let paths: Vec<&str> = plan.links.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "systemd/system/getty.target.wants/getty@tty1.service",
            "systemd/system/multi-user.target.wants/remote-fs.target",
            "systemd/system/multi-user.target.wants/systemd-pstore.service",
        ]
    );
    assert_eq!(plan.links[paths[0]], "/usr/lib/systemd/system/getty@.service");
    assert_eq!(plan.warnings, [""; 0]);
}

#[test]
fn a_named_package_gets_wants_aliases_and_also() {
    let ssh = "[Install]\nWantedBy=multi-user.target \\\n other.target\nAlias=sshd.service\nAlso=ssh.socket\n";
    let socket = "[Install]\nRequiredBy=sockets.target\n";
    let units = files(&[("ssh.service", ssh), ("ssh.socket", socket)]);
    let links = plan_enablement(&named("ssh"), &[package("ssh", &["ssh.service"])], &units).links;
    for link in [
        "systemd/system/multi-user.target.wants/ssh.service",
        "systemd/system/other.target.wants/ssh.service",
        "systemd/system/sshd.service",
    ] {
        assert_eq!(links[link], "/usr/lib/systemd/system/ssh.service", "{link}");
    }
    assert!(links.contains_key("systemd/system/sockets.target.requires/ssh.socket"));
}

#[test]
fn masks_and_disables_win() {
    let units = files(&[("a.service", REMOTE), ("b.service", REMOTE)]);
    let mut selection = named("p");
    selection.masked.push("a.service".into());
    selection.disabled = vec!["b.service".into(), "getty@tty1.service".into()];
    selection.default_target = Some("multi-user.target".into());
    let links = plan_enablement(&selection, &[package("p", &["a.service", "b.service"])], &units).links;
    assert_eq!(links["systemd/system/a.service"], "/dev/null");
    assert_eq!(links["systemd/system/default.target"], "/usr/lib/systemd/system/multi-user.target");
    assert_eq!(links.len(), 4, "{links:?}");
}

#[test]
fn what_cannot_be_enabled_is_said() {
    let units = files(&[("static.service", "[Unit]\n"), ("t@.service", "[Install]\nWantedBy=a.target\n")]);
    let plan = plan_enablement(&named("p"), &[package("p", &["gone.service", "static.service", "t@.service"])], &units);
    assert_eq!(
        plan.warnings,
        [
            "unit `gone.service` is to be enabled, but no package of the view has it",
            "unit `static.service` is to be enabled, but it has no [Install] section",
            "unit `t@.service` is a template without DefaultInstance=; enable an instance of it",
        ]
    );
}

#[test]
fn an_empty_assignment_resets() {
    let install =
        parse_install("[Service]\nAlias=no\n[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy = b.target # c\n");
    assert_eq!(install.wanted_by, ["b.target", "#", "c"]);
    assert_eq!(install.alias, [""; 0]);
}
