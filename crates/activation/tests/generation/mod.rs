//! A small generation below a test's root.

use std::os::unix::fs::symlink;

use activation::Root;

/// Makes a toplevel `<name>` in the store of a root; answers its target path.
pub(crate) fn toplevel(root: &Root, name: &str, activation: &str, manifest: &str, accounts: &str) -> String {
    let etc = root.path(format!("/nix/store/{name}-etc"));
    let top = root.path(format!("/nix/store/{name}-top"));
    std::fs::create_dir_all(etc.join("etc")).unwrap();
    std::fs::create_dir_all(&top).unwrap();
    std::fs::write(etc.join("etc/hostname"), "machine\n").unwrap();
    std::fs::write(etc.join("manifest.json"), manifest).unwrap();
    std::fs::write(etc.join("accounts.json"), accounts).unwrap();
    std::fs::write(top.join("activation.json"), activation).unwrap();
    symlink(format!("/nix/store/{name}-etc/etc"), top.join("etc")).unwrap();
    format!("/nix/store/{name}-top")
}

pub(crate) const ACTIVATION: &str = r#"{"version":1,"hostName":"machine","mutableUsers":true,
    "persistence":[{"path":"/var/lib/alice","kind":"directory","mode":"0750","user":"alice","group":"users"}],
    "wrappers":[{"name":"true","source":"/bin/true","owner":"root","group":"users","setuid":true},
                {"name":"ping","source":"/bin/true","owner":"root","group":"root","capabilities":"cap_net_raw+ep"},
                {"name":"broken","source":"/bin/absent","owner":"root","group":"root"}]}"#;
pub(crate) const MANIFEST: &str = r#"{"entries":[{"path":"hostname","kind":"link"},{"path":"skel","kind":"directory"},
    {"path":"ssl/private","kind":"directory","mode":"0710"}]}"#;
pub(crate) const ACCOUNTS: &str = r#"{"users":[
    {"name":"root","uid":0,"group":"root","home":"/root","shell":"/bin/sh","system":true},
    {"name":"alice","uid":1000,"group":"users","home":"/home/alice","shell":"/bin/sh","createHome":true,"initialPassword":"secret"}],
    "groups":[{"name":"root","gid":0},{"name":"shadow","gid":42},{"name":"users","gid":100,"members":["root"]}]}"#;
