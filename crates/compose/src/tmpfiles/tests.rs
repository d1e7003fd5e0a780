use super::*;
use crate::effect::{Directory, Link, WrittenFile};
use crate::package::Control;

fn package(members: &[(MemberKind, &str, u32)], effects: Vec<Effect>) -> Package {
    let member = |(kind, path, mode): &(MemberKind, &str, u32)| Member {
        kind: *kind,
        mode: *mode,
        uid: 0,
        gid: 0,
        user: "root".into(),
        group: "adm".into(),
        size_bytes: 0,
        mtime: 0,
        path: (*path).into(),
        link: String::new(),
    };
    Package {
        name: "p".into(),
        version: "1".into(),
        store_path: "/nix/store/h-p".into(),
        control: Some(Control::default()),
        members: members.iter().map(member).collect(),
        effects,
    }
}

fn lines(package: Package) -> Vec<String> {
    let text = package_lines(&[package], &[], &AccountIds::default());
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn shipped_var_becomes_lines_with_numbers_and_the_system_keeps_its_own() {
    let members = [
        (MemberKind::Directory, "var", 0o755),
        (MemberKind::Directory, "var/log", 0o755),
        (MemberKind::Directory, "var/log/a b", 0o2750),
        (MemberKind::File, "var/lib/x%", 0o640),
        (MemberKind::Directory, "var/lib/dpkg/info", 0o755),
        (MemberKind::File, "usr/bin/x", 0o755),
        (MemberKind::File, "bin/y", 0o755),
        (MemberKind::Directory, "opt", 0o755),
    ];
    assert_eq!(
        lines(package(&members, Vec::new())),
        [
            "d /opt 0755 0 4 -",
            "C /var/lib/x%% 0640 0 4 - /nix/store/h-p/var/lib/x%",
            "d /var/log 0755 0 4 -",
            "d \"/var/log/a b\" 2750 0 4 -",
        ]
    );
}

#[test]
fn scripts_change_owners_and_make_paths() {
    let permissions = |path: &str, mode: Option<&str>, user: Option<&str>, group: Option<&str>| {
        Effect::Permissions(Permissions {
            path: path.into(),
            mode: mode.map(str::to_owned),
            user: user.map(str::to_owned),
            group: group.map(str::to_owned),
        })
    };
    let effects = vec![
        Effect::File(WrittenFile { path: "/var/log/wtmp".into(), text: String::new(), mode: None }),
        permissions("/var/log/wtmp", Some("g+w"), None, None),
        permissions("/var/log/wtmp", None, Some("root"), Some("utmp")),
        Effect::Directory(Directory {
            path: "/srv/x".into(),
            mode: Some("0700".into()),
            user: Some("www-data".into()),
            group: None,
        }),
        Effect::Link(Link { path: "/var/run".into(), target: "/run".into() }),
        Effect::Link(Link { path: "/lib64".into(), target: "usr/lib64".into() }),
        Effect::Link(Link { path: "/etc/x".into(), target: "y".into() }),
    ];
    assert_eq!(lines(package(&[], effects)), ["d /srv/x 0700 33 0 -", "f /var/log/wtmp 0664 0 43 -"]);
}
