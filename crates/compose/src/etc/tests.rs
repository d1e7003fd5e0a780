use std::sync::Arc;

use super::*;
use crate::view::{Entry, LayerName, Origin, Source};

fn view(files: &[(&str, u32, u32)]) -> ViewPlan {
    let mut plan = ViewPlan {
        layers: vec![LayerName { name: "p".into(), store_path: Arc::from("/nix/store/h-p") }],
        ..Default::default()
    };
    for (path, mode, gid) in files {
        let kind = match path.strip_suffix('/') {
            Some(_) => EntryKind::Directory,
            None => EntryKind::File(Source {
                store_path: Arc::from("/nix/store/h-p"),
                path: (*path).to_owned(),
                size_bytes: 1,
                capabilities: None,
            }),
        };
        let entry = Entry { kind, mode: *mode, uid: 0, gid: *gid, mtime: 1, layer: 0, origin: Origin::Tree };
        plan.entries.insert(path.trim_end_matches('/').to_owned(), entry);
    }
    plan
}

fn plan(view: &ViewPlan, entries: &str) -> Result<EtcPlan, EtcError> {
    plan_etc(view, &BTreeMap::new(), &serde_json::from_str(entries).unwrap(), &AccountIds::default())
}

#[test]
fn package_files_are_links_unless_their_mode_says_otherwise() {
    let view = view(&[
        ("etc/", 0o755, 0),
        ("etc/a/", 0o755, 0),
        ("etc/a/b.conf", 0o644, 0),
        ("etc/empty/", 0o755, 0),
        ("etc/secret/", 0o750, 42),
        ("etc/secret/x", 0o644, 0),
        ("etc/sudoers", 0o440, 0),
        ("etc/cron.d/", 0o755, 0),
        ("etc/cron.d/job", 0o644, 0),
    ]);
    let plan = plan(&view, "{}").unwrap();
    let paths: Vec<&str> = plan.keys().map(String::as_str).collect();
    assert_eq!(paths, ["a/b.conf", "cron.d/job", "empty", "secret", "secret/x", "sudoers"]);
    assert_eq!(plan["a/b.conf"].content, Content::Store("/nix/store/h-p/etc/a/b.conf".into()));
    assert_eq!(plan["a/b.conf"].placement, Placement::Link);
    assert_eq!(plan["sudoers"].placement, Placement::Own { mode: 0o440, uid: 0, gid: 0 });
    assert_eq!(plan["cron.d/job"].placement, Placement::Own { mode: 0o644, uid: 0, gid: 0 });
    assert_eq!(plan["secret"].placement, Placement::Own { mode: 0o750, uid: 0, gid: 42 });
}

#[test]
fn declared_files_win_and_carry_mode_and_owner() {
    let view = view(&[("etc/", 0o755, 0), ("etc/motd", 0o644, 0), ("etc/gone", 0o644, 0)]);
    let entries = r#"{ "motd": { "text": "hi" }, "gone": { "enable": false },
        "key": { "source": "/nix/store/k", "mode": "0640", "user": "+0", "group": "shadow" },
        "resolv.conf": { "link": "../run/x" }, "systemd/system/a.service": { "text": "[Unit]\n" } }"#;
    let plan = plan(&view, entries).unwrap();
    assert_eq!(plan["motd"].content, Content::Text("hi".into()));
    assert!(!plan.contains_key("gone"));
    assert_eq!(plan["key"].placement, Placement::Own { mode: 0o640, uid: 0, gid: 42 });
    assert_eq!(plan["resolv.conf"].content, Content::Link("../run/x".into()));
    assert_eq!(plan["systemd/system/a.service"].placement, Placement::Own { mode: 0o644, uid: 0, gid: 0 });
}

#[test]
fn a_unit_that_a_package_has_is_only_changed() {
    let view = view(&[
        ("usr/", 0o755, 0),
        ("usr/lib/", 0o755, 0),
        ("usr/lib/systemd/", 0o755, 0),
        ("usr/lib/systemd/system/", 0o755, 0),
        ("usr/lib/systemd/system/p.service", 0o644, 0),
    ]);
    let entries = r#"{ "systemd/system/p.service": { "text": "[Service]\n", "dropinIfPackaged": true },
        "systemd/system/own.service": { "text": "[Service]\n", "dropinIfPackaged": true } }"#;
    let plan = plan(&view, entries).unwrap();
    let paths: Vec<&str> = plan.keys().map(String::as_str).collect();
    assert_eq!(paths, ["systemd/system/own.service", "systemd/system/p.service.d/overrides.conf"]);
    assert_eq!(
        plan["systemd/system/p.service.d/overrides.conf"].placement,
        Placement::Own { mode: 0o644, uid: 0, gid: 0 }
    );
}

#[test]
fn contradictions_are_named() {
    let view = view(&[("etc/", 0o755, 0), ("etc/motd", 0o644, 0)]);
    let message = |entries: &str| plan(&view, entries).unwrap_err().to_string();
    assert_eq!(
        message(r#"{ "motd/x": { "text": "" } }"#),
        "`/etc/motd/x` (environment.etc) lies beneath `/etc/motd`, which package `p` makes a file or link"
    );
    assert_eq!(
        message(r#"{ "x": { "text": "", "link": "y" } }"#),
        "`environment.etc.\"x\"` needs exactly one of `text`, `source` and `link`"
    );
    assert_eq!(message(r#"{ "../x": { "text": "" } }"#), "`../x` is not a plain path relative to /etc");
    assert_eq!(message(r#"{ "x": { "text": "", "mode": "0999" } }"#), "`0999` is no octal mode (for `x`)");
}

#[test]
fn the_manifest_is_what_activation_reads() {
    let view = view(&[("etc/", 0o755, 0), ("etc/sudoers", 0o440, 0)]);
    let plan = plan(&view, r#"{ "l": { "link": "t" }, "t/x": { "text": "y" } }"#).unwrap();
    let out = tempfile::tempdir().unwrap();
    write::write_etc(&plan, out.path()).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.path().join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        manifest,
        serde_json::json!({ "entries": [
            { "path": "l", "kind": "link", "target": "t" },
            { "path": "sudoers", "kind": "copy", "mode": "0440", "uid": 0, "gid": 0 },
            { "path": "t/x", "kind": "link" } ] })
    );
    assert_eq!(
        std::fs::read_link(out.path().join("etc/sudoers")).unwrap().to_str(),
        Some("/nix/store/h-p/etc/sudoers")
    );
    assert_eq!(std::fs::read_to_string(out.path().join("etc/t/x")).unwrap(), "y");
}
