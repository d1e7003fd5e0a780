//! From .debs to a view, its image, its links, a sandbox's tree and /etc, through the builders that derivations name.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod world;

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use build::ViewProvider;
use compose::builders::HardLinkViews;
use serde_json::json;
use world::{Deb, World};

fn base() -> Deb {
    Deb::new("base-passwd")
        .file("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n")
        .file("usr/share/base-passwd/group.master", "root:*:0:\nshadow:*:42:\n")
        .file("usr/lib/sysusers.d/p.conf", "u polkitd - \"Policy\"\n")
}

#[test]
fn a_package_is_unpacked_as_the_archive_says() {
    let world = World::new();
    let deb = Deb::new("tool")
        .program("usr/bin/tool", "#!/bin/sh\n")
        .hard_link("usr/bin/tool2", "usr/bin/tool")
        .mode("usr/sbin/rootly", "x", 0o4755)
        .link("usr/bin/alias", "tool")
        .file("etc/tool.conf", "a=1\n")
        .script("postinst", "#!/bin/sh\nset -e\n");
    let package = world.package(&deb);
    let root = world.file(&package, "");
    assert_eq!(std::fs::read_link(root.join("bin/tool")).unwrap().to_str(), Some("/usr/bin/tool"));
    assert_eq!(std::fs::read_link(root.join("bin/alias")).unwrap().to_str(), Some("/usr/bin/alias"));
    let first = root.join("usr/bin/tool").metadata().unwrap();
    assert_eq!(first.ino(), root.join("usr/bin/tool2").metadata().unwrap().ino());
    assert_eq!(root.join("usr/sbin/rootly").metadata().unwrap().permissions().mode() & 0o7777, 0o555);
    assert_eq!(world.text(&package, "DEBIAN/postinst"), "#!/bin/sh\nset -e\n");
    let manifest = world.text(&package, "DEBIAN/manifest");
    let line = manifest.lines().find(|line| line.contains("rootly")).unwrap();
    assert!(line.starts_with("f\t4755\t0\t0\troot\troot\t1\t"), "{line}");
    assert!(manifest.contains("\tusr/bin/tool2\tusr/bin/tool\n"));
    assert_eq!(world.store.info(&package).unwrap().references, BTreeSet::new());
}

#[test]
fn the_image_the_links_and_the_references_name_the_packages() {
    let world = World::new();
    let tool = world.package(
        &Deb::new("tool")
            .mode("usr/bin/tool", "tool", 0o4755)
            .file("usr/share/tool/a", "a")
            .file("usr/share/tool/b", "b"),
    );
    let lib = world.package(&Deb::new("lib").file("lib/x/libx.so.1", "lib").link("usr/lib/x/libx.so", "libx.so.1"));
    let overlay = world.add_tree("cache", &[("usr/share/tool/a", "other"), ("etc/cache.conf", "c")]);
    let view = world.view(&[&lib, &tool]);
    let attributes = json!({ "view": world.logical(&view), "overlays": [world.logical(&overlay)],
        "permissions": { "usr/bin/tool": { "owner": "root", "group": "shadow", "mode": "2755" } } });
    let system = world.build("system-view", &attributes, &[&view, &overlay]);
    let link = |path: &str| std::fs::read_link(world.file(&system, path)).unwrap().to_str().unwrap().to_owned();
    assert_eq!(link("lib/x/libx.so.1"), format!("{}/lib/x/libx.so.1", world.logical(&lib)));
    assert_eq!(link("share/tool/a"), format!("{}/usr/share/tool/a", world.logical(&overlay)));
    assert_eq!(link("share/tool/b"), format!("{}/usr/share/tool/b", world.logical(&tool)));
    assert_eq!(link("bin"), format!("{}/usr/bin", world.logical(&tool)));
    assert_eq!(world.store.info(&system).unwrap().references, BTreeSet::from([tool.clone(), lib.clone(), overlay]));
    let image = world.file(&system, "usr.erofs");
    let fsck = Command::new("fsck.erofs").arg(&image).output().expect("fsck.erofs is missing: install erofs-utils");
    assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stderr));
    let dump = Command::new("dump.erofs")
        .arg("--path=/bin/tool")
        .arg(&image)
        .output()
        .expect("dump.erofs is missing: install erofs-utils");
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("Gid: 42"), "{dump}");
}

#[test]
fn a_sandbox_gets_hard_links_without_setuid_programs() {
    let world = World::new();
    let tool = world.package(
        &Deb::new("tool").program("usr/bin/tool", "t").mode("usr/bin/su", "s", 0o4755).file("etc/tool.conf", "e"),
    );
    let view = world.view(&[&tool]);
    let views = world.folder.path().join("root/nix/var/esker/views");
    let physical = world.store.physical(&tool).parent().unwrap().to_owned();
    let provider = HardLinkViews::new(world.store.dir().clone(), physical, views.clone());
    let tree = provider.materialise(&view).unwrap();
    let inode = |path: &std::path::Path| path.metadata().unwrap().ino();
    assert_eq!(inode(&tree.usr.join("bin/tool")), inode(&world.file(&tool, "usr/bin/tool")));
    assert!(!tree.usr.join("bin/su").exists());
    assert_eq!(std::fs::read_to_string(tree.etc.clone().unwrap().join("tool.conf")).unwrap(), "e");
    assert_eq!(provider.materialise(&view).unwrap(), tree);
    assert_eq!(std::fs::read_dir(views).unwrap().count(), 1);
}

#[test]
fn two_versions_of_one_package_are_refused_by_name() {
    let world = World::new();
    let old = world.package(&Deb::new("tool").field("Version: 1.0"));
    let new = world.package(&Deb::new("tool").field("Version: 2.0"));
    let attributes =
        json!({ "packages": [world.logical(&old), world.logical(&new)], "graph": { "app": ["tool"], "b": [] } });
    let error = world.try_build("view", &attributes, &[&old, &new]).unwrap_err();
    assert!(
        error.contains("the view would hold two versions of `tool`: 1.0 (needed by app), and 2.0\nhint: run one"),
        "{error}"
    );
}

#[test]
fn packages_with_the_same_file_are_refused_unless_one_replaces_the_other() {
    let world = World::new();
    let one = world.package(&Deb::new("one").file("usr/share/x", "1").file("usr/share/y", "1"));
    let two = world.package(&Deb::new("two").file("usr/share/x", "2").file("usr/share/y", "2"));
    let view = world.view(&[&one, &two]);
    let attributes = json!({ "view": world.logical(&view) });
    let error = world.try_build("system-view", &attributes, &[&view]).unwrap_err();
    assert!(
        error.contains("  `/usr/share/x`: one 1.0 and two 1.0\n  `/usr/share/y`: one 1.0 and two 1.0\n"),
        "{error}"
    );
    let three = world.package(&Deb::new("three").field("Replaces: one (<< 1.1)").file("usr/share/x", "3"));
    let view = world.view(&[&three, &one]);
    let system = world.build("system-view", &json!({ "view": world.logical(&view) }), &[&view]);
    let target = std::fs::read_link(world.file(&system, "share/x")).unwrap();
    assert_eq!(target.to_str(), Some(format!("{}/usr/share/x", world.logical(&three)).as_str()));
}

#[test]
fn etc_has_defaults_declarations_accounts_and_warnings() {
    let world = World::new();
    let base = world.package(&base());
    let daemon = world.package(
        &Deb::new("daemon")
            .file("etc/daemon.conf", "default")
            .file("usr/share/daemon/example.conf", "example")
            .mode("etc/sudoers", "s", 0o440)
            .file("usr/lib/systemd/system/daemon.service", "[Install]\nWantedBy=multi-user.target\n")
            .file("var/lib/daemon/seed", "x")
            .script("postinst", "#!/bin/sh\nset -e\nfrobnicate --all\n"),
    );
    let view = world.view(&[&base, &daemon]);
    let decision = "package = \"daemon\"\n[[script]]\nname = \"postinst\"\nlines = [\"frobnicate --all\"]\nreason = \"r\"\n\
         actions = [{ copy = { from = \"/usr/share/daemon/example.conf\", to = \"/etc/daemon/example.conf\" } },\
         { user = { name = \"_daemon\", home = \"/run/daemon\" } }, { enable = { unit = \"daemon.service\" } }]\n";
    let decisions = world.add_tree("maintainer-scripts", &[("daemon.toml", decision)]);
    let mut attributes = json!({
        "view": world.logical(&view),
        "overlays": [],
        "entries": { "daemon.conf": { "text": "declared" } },
        "accounts": { "mutableUsers": true, "users": [], "groups": [] },
        "units": { "systemdPackages": ["daemon"], "masked": ["bad.service"], "defaultTarget": "multi-user.target" },
        "decisions": world.logical(&decisions),
    });
    let etc = world.build("etc", &attributes, &[&view, &decisions]);
    assert_eq!(world.text(&etc, "etc/daemon.conf"), "declared");
    let link = |path: &str| std::fs::read_link(world.file(&etc, path)).unwrap().to_str().unwrap().to_owned();
    assert_eq!(link("etc/daemon/example.conf"), format!("{}/usr/share/daemon/example.conf", world.logical(&daemon)));
    assert_eq!(
        link("etc/systemd/system/multi-user.target.wants/daemon.service"),
        "/usr/lib/systemd/system/daemon.service"
    );
    assert_eq!(link("etc/systemd/system/bad.service"), "/dev/null");
    let tmpfiles = world.text(&etc, "etc/tmpfiles.d/zz-packages.conf");
    assert!(
        tmpfiles
            .contains(&format!("C /var/lib/daemon/seed 0644 0 0 - {}/var/lib/daemon/seed\n", world.logical(&daemon)))
    );
    assert!(tmpfiles.contains(&format!("L+ /var/lib/dpkg - - - - {}/dpkg\n", world.logical(&etc))));
    let accounts = world.json(&etc, "accounts.json");
    let names: Vec<&str> =
        accounts["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"root") && names.contains(&"polkitd") && names.contains(&"_daemon"), "{names:?}");
    assert_eq!(world.json(&etc, "warnings.json"), json!([]));
    assert!(world.text(&etc, "dpkg/status").contains("Package: daemon\nStatus: install ok installed\n"));

    attributes["decisions"] = serde_json::Value::Null;
    let undecided = world.build("etc", &attributes, &[&view]);
    let warnings = world.json(&undecided, "warnings.json");
    assert_eq!(
        warnings,
        json!([{ "package": "daemon", "version": "1.0", "script": "postinst", "changed": false,
            "lines": ["frobnicate --all"] }])
    );
    assert!(
        world.log().contains("the postinst of package `daemon` 1.0 does what nobody has looked at"),
        "{}",
        world.log()
    );
}

#[test]
fn a_tree_is_what_its_entries_say() {
    let world = World::new();
    let source = world.add_text("source", "copied");
    let attributes = json!({ "entries": {
        "a/text": { "text": "hello", "executable": true },
        "copy": { "source": world.logical(&source) },
        "link": { "link": world.logical(&source) },
        "empty": { "directory": true } } });
    let tree = world.build("tree", &attributes, &[&source]);
    assert_eq!(world.text(&tree, "a/text"), "hello");
    assert_eq!(world.file(&tree, "a/text").metadata().unwrap().permissions().mode() & 0o777, 0o555);
    assert_eq!(world.text(&tree, "copy"), "copied");
    assert_eq!(std::fs::read_link(world.file(&tree, "link")).unwrap().to_str(), Some(world.logical(&source).as_str()));
    assert!(world.file(&tree, "empty").is_dir());
    let file = world.build("tree", &json!({ "entries": { "": { "text": "only" } } }), &[]);
    assert_eq!(world.text(&file, ""), "only");
    let placeholder = nix_formats::placeholder::own_output("out");
    let own = world.build("tree", &json!({ "entries": { "self": { "text": placeholder } } }), &[]);
    assert_eq!(world.text(&own, "self"), world.logical(&own));
    for (entry, message) in [("../x", "not a plain relative path"), ("x", "needs exactly one of")] {
        let error = world.try_build("tree", &json!({ "entries": { entry: { } } }), &[]).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
