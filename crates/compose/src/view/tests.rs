use super::links::{Node, plan_links};
use super::*;
use crate::effect::{self, Effect};
use crate::manifest::{Member, MemberKind};
use crate::package::{Control, Overlay, Package};

/// `d usr`, `f usr/x`, `l usr/y target`, `h usr/z usr/x`: parents are added.
fn members(lines: &[&str]) -> Vec<Member> {
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(' ').collect();
        let kind = match fields[0] {
            "d" => MemberKind::Directory,
            "l" => MemberKind::Symlink,
            "h" => MemberKind::HardLink,
            "c" => MemberKind::CharacterDevice,
            _ => MemberKind::File,
        };
        let member = |kind, path: &str, link: &str| Member {
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            user: "root".into(),
            group: "root".into(),
            size_bytes: 1,
            mtime: 7,
            path: path.into(),
            link: link.into(),
        };
        for (slash, _) in fields[1].match_indices('/') {
            let parent = &fields[1][..slash];
            members.entry(parent.into()).or_insert_with(|| member(MemberKind::Directory, parent, ""));
        }
        members.insert(fields[1].into(), member(kind, fields[1], fields.get(2).unwrap_or(&"")));
    }
    members.into_values().collect()
}

fn package(name: &str, lines: &[&str], effects: Vec<Effect>) -> Package {
    Package {
        name: name.into(),
        version: "1".into(),
        store_path: format!("/nix/store/h-{name}").into(),
        control: Some(Control::default()),
        members: members(lines),
        effects,
    }
}

#[derive(Default)]
struct Configuration {
    overlays: Vec<Overlay>,
    alternatives: BTreeMap<String, String>,
    permissions: BTreeMap<String, PathPermissions>,
    exclude: Vec<String>,
}

fn plan_with(packages: &[Package], configuration: &Configuration) -> Result<ViewPlan, ViewError> {
    plan_view(&ViewInputs {
        packages,
        overlays: &configuration.overlays,
        alternatives: &configuration.alternatives,
        permissions: &configuration.permissions,
        exclude: &configuration.exclude,
        ids: &AccountIds::default(),
    })
}

fn plan(packages: &[Package]) -> ViewPlan {
    plan_with(packages, &Configuration::default()).unwrap()
}

/// `path <- store path/path in it`, `path -> link`, or `path/`.
fn show(plan: &ViewPlan) -> Vec<String> {
    let line = |(path, entry): (&String, &Entry)| match &entry.kind {
        EntryKind::Directory => format!("{path}/"),
        EntryKind::Symlink(target) => format!("{path} -> {target}"),
        EntryKind::File(source) => {
            format!("{path} <- {}/{}", &source.store_path[13..], source.path)
        }
    };
    plan.entries.iter().map(line).collect()
}

fn alternative(path: &str, priority: i32) -> Effect {
    Effect::Alternative(effect::Alternative {
        name: "editor".into(),
        link: "/usr/bin/editor".into(),
        path: path.into(),
        priority,
        slaves: vec![effect::Slave {
            link: "/usr/share/man/editor".into(),
            name: "editor.1".into(),
            path: format!("{path}.man"),
        }],
    })
}

#[test]
fn root_and_usr_are_merged() {
    let base = package("base-files", &["l bin usr/bin", "l lib usr/lib", "d usr/bin", "d usr/lib"], Vec::new());
    let old = package("old", &["f bin/sh", "f lib/x.so", "h usr/bin/sh2 bin/sh"], Vec::new());
    assert_eq!(
        show(&plan(&[base, old])),
        [
            "usr/",
            "usr/bin/",
            "usr/bin/sh <- old/bin/sh",
            "usr/bin/sh2 <- old/bin/sh",
            "usr/lib/",
            "usr/lib/x.so <- old/lib/x.so"
        ]
    );
}

#[test]
fn a_diversion_moves_other_packages_files_only() {
    let diversion = Effect::Diversion(effect::Diversion { from: "/usr/bin/x".into(), to: "/usr/bin/x.distrib".into() });
    let own = package("own", &["f usr/bin/x"], vec![diversion]);
    let other = package("other", &["f usr/bin/x"], Vec::new());
    assert_eq!(
        show(&plan(&[other, own])),
        ["usr/", "usr/bin/", "usr/bin/x <- own/usr/bin/x", "usr/bin/x.distrib <- other/usr/bin/x"]
    );
}

#[test]
fn the_highest_alternative_wins_unless_another_is_chosen() {
    let vim = package("vim", &["f usr/bin/vim", "f usr/bin/vim.man"], vec![alternative("/usr/bin/vim", 30)]);
    let nano = package("nano", &["f usr/bin/nano"], vec![alternative("/bin/nano", 40)]);
    let gone = package("gone", &["f usr/share/x"], vec![alternative("/usr/bin/gone", 99)]);
    let packages = [vim, nano, gone];
    let link = |plan: &ViewPlan, path: &str| plan.entries.get(path).map(|entry| entry.kind.clone());
    let automatic = plan(&packages);
    assert_eq!(link(&automatic, "usr/bin/editor"), Some(EntryKind::Symlink("/usr/bin/nano".into())));
    assert_eq!(link(&automatic, "usr/share/man/editor"), None);
    let mut configuration = Configuration::default();
    configuration.alternatives.insert("editor".into(), "/usr/bin/vim".into());
    let chosen = plan_with(&packages, &configuration).unwrap();
    assert_eq!(link(&chosen, "usr/bin/editor"), Some(EntryKind::Symlink("/usr/bin/vim".into())));
    assert_eq!(link(&chosen, "usr/share/man/editor"), Some(EntryKind::Symlink("/usr/bin/vim.man".into())));
    configuration.alternatives.insert("editor".into(), "/usr/bin/ed".into());
    let error = plan_with(&packages, &configuration).unwrap_err().to_string();
    assert_eq!(
        error,
        "`/usr/bin/ed` was chosen for the alternative `editor`, but the candidates are: /usr/bin/vim, /bin/nano"
    );
}

#[test]
fn a_directory_that_is_another_packages_link_goes_where_the_link_leads() {
    let link = package("link", &["l usr/share/doc/a b", "f usr/share/doc/b/one"], Vec::new());
    let directory = package("directory", &["f usr/share/doc/a/two"], Vec::new());
    let shown = show(&plan(&[link, directory]));
    assert!(shown.contains(&"usr/share/doc/b/two <- directory/usr/share/doc/a/two".to_owned()), "{shown:?}");
    assert!(shown.contains(&"usr/share/doc/a -> b".to_owned()));
}

#[test]
fn overlays_win_over_packages_and_excluded_paths_are_left_out() {
    let one = package("one", &["f usr/share/a/x", "f usr/share/b/y", "f usr/share/doc/one/README"], Vec::new());
    let overlay = Overlay {
        name: "cache".into(),
        store_path: "/nix/store/h-cache".into(),
        members: members(&["f usr/share/a/x", "f share/b", "f nix-support/x"]),
    };
    let configuration =
        Configuration { overlays: vec![overlay], exclude: vec!["/usr/share/doc/*".into()], ..Configuration::default() };
    assert_eq!(
        show(&plan_with(&[one], &configuration).unwrap()),
        [
            "usr/",
            "usr/share/",
            "usr/share/a/",
            "usr/share/a/x <- cache/usr/share/a/x",
            "usr/share/b <- cache/share/b",
            "usr/share/doc/"
        ]
    );
}

#[test]
fn scripts_and_declarations_set_modes_in_that_order() {
    let permissions = Effect::Permissions(effect::Permissions {
        path: "/usr/bin/crontab".into(),
        mode: Some("g+s".into()),
        user: None,
        group: Some("crontab".into()),
    });
    let cron = package("cron", &["f usr/bin/crontab", "l usr/bin/link crontab"], vec![permissions]);
    let packages = [cron];
    let entry = plan(&packages).entries["usr/bin/crontab"].clone();
    assert_eq!((entry.mode, entry.gid), (0o2755, deb_formats::ids::group_id("crontab")));
    let mut configuration = Configuration::default();
    let declared =
        PathPermissions { mode: Some("0700".into()), capabilities: Some("cap_kill=ep".into()), ..Default::default() };
    configuration.permissions.insert("/bin/link".into(), declared.clone());
    let entry = plan_with(&packages, &configuration).unwrap().entries["usr/bin/crontab"].clone();
    assert_eq!(entry.mode, 0o700);
    assert!(matches!(entry.kind, EntryKind::File(Source { capabilities: Some(_), .. })));
    configuration.permissions.insert("usr/bin/none".into(), declared);
    let error = plan_with(&packages, &configuration).unwrap_err().to_string();
    assert_eq!(error, "permissions are declared for `usr/bin/none`, which no package of the view has");
}

#[test]
fn devices_are_said_to_be_left_out() {
    let plan = plan(&[package("p", &["c usr/lib/null 1:3"], Vec::new())]);
    assert_eq!(plan.warnings, ["package `p` ships the device or pipe `/usr/lib/null`, which a view cannot hold"]);
}

#[test]
fn whole_directories_become_one_link_unless_links_would_break() {
    let own = package("own", &["f usr/share/own/a", "f usr/share/own/sub/b", "l usr/share/own/c sub/b"], Vec::new());
    let dev = package("dev", &["l usr/lib/dev/libx.so ../run/libx.so.1", "f usr/lib/dev/h"], Vec::new());
    let run = package("run", &["f usr/lib/run/libx.so.1"], Vec::new());
    let packages = [own, dev, run];
    let nodes = plan_links(&plan(&packages), &packages);
    let link = |target: &str| Node::Link(format!("/nix/store/{target}"));
    assert_eq!(nodes["share"], link("h-own/usr/share"));
    assert!(!nodes.contains_key("share/own"));
    assert_eq!(nodes["lib"], Node::Directory);
    assert_eq!(nodes["lib/dev"], Node::Directory);
    assert_eq!(nodes["lib/dev/libx.so"], Node::Link("../run/libx.so.1".into()));
    assert_eq!(nodes["lib/run"], link("h-run/usr/lib/run"));
}

#[test]
fn links_are_followed_and_circles_end() {
    let p = package(
        "p",
        &["l usr/bin/a /bin/b", "l usr/bin/b ../lib/c", "f usr/lib/c", "l usr/lib/x y", "l usr/lib/y x"],
        Vec::new(),
    );
    let plan = plan(&[p]);
    assert_eq!(plan.resolve("bin/a").map(|(path, _)| path), Some("usr/lib/c".to_owned()));
    assert!(plan.resolve("usr/lib/x").is_none());
    assert!(plan.resolve("usr/lib/none").is_none());
}
