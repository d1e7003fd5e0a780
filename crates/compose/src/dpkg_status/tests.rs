use std::process::Command;

use super::*;
use crate::manifest::MemberKind;

fn package(name: &str, multi_arch: &str) -> Package {
    let member = |kind, path: &str| Member {
        kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        user: "root".into(),
        group: "root".into(),
        size_bytes: 0,
        mtime: 0,
        path: path.into(),
        link: String::new(),
    };
    let text = format!(
        "Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: A <a@example.org>\n{multi_arch}\
         Description: short\n long\n"
    );
    Package {
        name: name.into(),
        version: "1.0-1".into(),
        store_path: format!("/nix/store/h-{name}").into(),
        control: Some(Control {
            text,
            files: vec!["control".into(), "md5sums".into(), "postinst".into()],
            ..Control::default()
        }),
        members: vec![
            member(MemberKind::Directory, "usr"),
            member(MemberKind::Directory, "usr/bin"),
            member(MemberKind::File, &format!("usr/bin/{name}")),
        ],
        effects: Vec::new(),
    }
}

fn dpkg_query(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("dpkg-query")
        .arg(format!("--admindir={}", directory.display()))
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("dpkg-query is missing: install dpkg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_real_dpkg_lists_packages_and_finds_owners() {
    let directory = tempfile::tempdir().unwrap();
    let packages = [package("hello", ""), package("libx", "Multi-Arch: same\n")];
    write_database(&packages, directory.path()).unwrap();
    let list =
        dpkg_query(directory.path(), &["--show", "--showformat=${binary:Package} ${Version} ${db:Status-Status}\n"]);
    assert!(list.contains("hello 1.0-1 installed\n"), "{list}");
    assert_eq!(dpkg_query(directory.path(), &["--search", "/usr/bin/hello"]), "hello: /usr/bin/hello\n");
    assert_eq!(dpkg_query(directory.path(), &["--listfiles", "libx:amd64"]), "/.\n/usr\n/usr/bin\n/usr/bin/libx\n");
    let link = std::fs::read_link(directory.path().join("info/libx:amd64.md5sums")).unwrap();
    assert_eq!(link.to_str(), Some("/nix/store/h-libx/DEBIAN/md5sums"));
    assert!(!directory.path().join("info/hello.postinst").exists());
}
