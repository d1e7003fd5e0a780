//! Flakes, with a lock file and without one, beside the reference where there is one.

use crate::Lab;

#[test]
fn a_flake_with_a_lock_file() {
    let lab = Lab::new();
    for name in ["flake", "input"] {
        std::fs::create_dir(lab.path(name)).unwrap();
    }
    std::fs::write(lab.path("input/flake.nix"), "{ outputs = { self }: { two = 2; }; }").unwrap();
    let flake =
        "{ inputs.other.url = \"path:/nowhere\"; outputs = { self, other }: { a = other.two + 1; s = self.a; }; }";
    std::fs::write(lab.path("flake/flake.nix"), flake).unwrap();
    let input = lab.path("input").display().to_string();
    let tree = format!("(builtins.fetchTree {{ type = \"path\"; path = \"{input}\"; }}).narHash");
    let hash = lab.eval(&tree).unwrap();
    let locked = format!(r#"{{"type":"path","path":"{input}","lastModified":1,"narHash":{hash}}}"#);
    let original = r#"{"type":"path","path":"/nowhere"}"#;
    let nodes =
        format!(r#"{{"other":{{"locked":{locked},"original":{original}}},"root":{{"inputs":{{"other":"other"}}}}}}"#);
    std::fs::write(lab.path("flake/flake.lock"), format!(r#"{{"nodes":{nodes},"root":"root","version":7}}"#)).unwrap();
    let text = format!(
        "let f = builtins.getFlake \"path:{}\"; in [ f.a f.s f._type f.inputs.other.two f.outPath ]",
        lab.path("flake").display()
    );
    assert!(lab.both(&text).starts_with(r#"[3,3,"flake",2,"/nix/store/"#));
    let pure = lab.eval_with(&text, false).unwrap_err();
    assert!(pure.contains("unlocked flake reference"), "{pure}");
}

/// Writes flakes as `(folder, flake.nix)`; `@` stands for the lab's folder in them.
fn write_flakes(lab: &Lab, flakes: &[(&str, &str)]) {
    for (name, text) in flakes {
        let folder = lab.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("flake.nix"), text.replace('@', &lab.folder.path().display().to_string())).unwrap();
    }
}

fn get_flake(lab: &Lab, name: &str, wanted: &str) -> String {
    format!("let f = builtins.getFlake \"path:{}\"; in {wanted}", lab.path(name).display())
}

#[test]
fn a_flake_without_a_lock_file() {
    let lab = Lab::new();
    write_flakes(
        &lab,
        &[
            ("two", "{ outputs = { self }: { two = 2; }; }"),
            ("two/below", "{ outputs = { self }: { three = 3; }; }"),
            ("other", "{ outputs = { self }: { two = 22; }; }"),
            (
                "user",
                "{ inputs.two.url = \"path:@/two\"; outputs = { self, two }: { v = two.two; i = self.inputs; }; }",
            ),
            ("attributes", "{ inputs.two = { type = \"path\"; path = \"@/two\"; }; outputs = i: { v = i.two.two; }; }"),
            ("folder", "{ inputs.t.url = \"path:@/two?dir=below\"; outputs = i: { v = [ i.t.three i.t.outPath ]; }; }"),
            (
                "tree",
                "{ inputs.t = { url = \"path:@/two\"; flake = false; }; outputs = i: { v = [ (\"${i.t}\") i.t ]; }; }",
            ),
            (
                "overriding",
                "{ inputs = { user.url = \"path:@/user\"; user.inputs.two.url = \"path:@/other\"; };
                   outputs = i: { inherit (i.user) v; }; }",
            ),
            (
                "following",
                "{ inputs = { a.url = \"path:@/user\"; b.url = \"path:@/overriding\"; a.inputs.two.follows = \"b/user/two\"; };
                   outputs = i: { v = [ i.a.v i.b.v ]; }; }",
            ),
            (
                "relative",
                "{ inputs.s.url = \"./sub\"; outputs = i: { v = [ i.s.up i.s.outPath (builtins.attrNames i.s) ]; }; }",
            ),
            ("relative/sub", "{ inputs.up.url = \"path:../up\"; outputs = i: { up = [ i.up.v i.up.outPath ]; }; }"),
            ("relative/up", "{ outputs = { self }: { v = 1; }; }"),
        ],
    );
    assert!(lab.both(&get_flake(&lab, "user", "[ f.v f.i.two.two f.i f ]")).starts_with("[2,2,"));
    assert_eq!(lab.both(&get_flake(&lab, "user", "builtins.attrNames f.inputs")), r#"["two"]"#);
    assert_eq!(lab.both(&get_flake(&lab, "overriding", "f.v")), "22");
    assert_eq!(lab.both(&get_flake(&lab, "following", "f.v")), "[22,22]");
    for name in ["attributes", "folder", "tree", "relative", "relative?dir=sub"] {
        lab.both(&get_flake(&lab, name, "[ (f.v or f.up) f.outPath f.sourceInfo.narHash ]"));
    }
    // One that is used has a lock file.
    let hash = lab.eval(&format!("(builtins.fetchTree \"path:{}\").narHash", lab.path("other").display())).unwrap();
    let [original, locked] = ["two", "other"].map(|name| lab.path(name).display().to_string());
    let original = format!(r#"{{"type":"path","path":"{original}"}}"#);
    let locked = format!(r#"{{"type":"path","path":"{locked}","narHash":{hash}}}"#);
    let node = format!(r#"{{"locked":{locked},"original":{original}}}"#);
    let lock = format!(r#"{{"nodes":{{"t":{node},"root":{{"inputs":{{"two":"t"}}}}}},"root":"root","version":7}}"#);
    std::fs::write(lab.path("user/flake.lock"), lock).unwrap();
    write_flakes(&lab, &[("outer", "{ inputs.user.url = \"path:@/user\"; outputs = i: { inherit (i.user) v; }; }")]);
    assert_eq!(lab.both(&get_flake(&lab, "outer", "f.v")), "22");
}

#[test]
fn what_a_flake_without_a_lock_file_must_not_do() {
    let lab = Lab::new();
    write_flakes(
        &lab,
        &[
            ("two", "{ outputs = { self }: { two = 2; }; }"),
            ("user", "{ inputs.two.url = \"path:@/two\"; outputs = i: { v = 1; }; }"),
            ("named", "{ outputs = { self, two }: { v = 1; }; }"),
            ("odd", "{ inputs.two = { link = \"path:@/two\"; }; outputs = i: { v = 1; }; }"),
            ("missing", "{ inputs.two.url = \"path:@/nowhere\"; outputs = i: { v = 1; }; }"),
        ],
    );
    let error = |name: &str| lab.eval(&get_flake(&lab, name, "f.v")).unwrap_err();
    assert!(error("named").contains("flake input 'two' would have to be looked up in a registry"));
    assert!(error("odd").contains("unexpected flake input attribute 'link'"));
    assert!(error("missing").contains("nowhere"));
    let hash = lab.eval(&get_flake(&lab, "user", "f.narHash")).unwrap().replace('"', "").replace('+', "%2B");
    let locked = get_flake(&lab, &format!("user?narHash={hash}"), "f.v");
    assert_eq!(lab.both(&locked), "1");
    let pure = lab.eval_with(&locked, false).unwrap_err();
    assert!(pure.contains("cannot update unlocked flake input 'two' in pure mode"), "{pure}");
}
