//! Packages made by the real `dpkg-deb`, and damaged ones made by hand.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::*;

/// Builds a package of `usr/bin/tool` (setuid), a hard link to it, a symlink and an /etc file with `dpkg-deb`.
fn build_package(directory: &Path, compression: &str) -> Vec<u8> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = directory.join("root");
    std::fs::create_dir_all(root.join("DEBIAN")).unwrap();
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    std::fs::create_dir_all(
        root.join("usr/share/a-directory-whose-name-is-long/so-that-the-path-needs/the-long-name-record-of-tar/x"),
    )
    .unwrap();
    std::fs::write(
        root.join("DEBIAN/control"),
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: d\n",
    )
    .unwrap();
    std::fs::write(root.join("DEBIAN/postinst"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(root.join("DEBIAN/postinst"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(root.join("usr/bin/tool"), b"\x7fELF tool").unwrap();
    std::fs::set_permissions(root.join("usr/bin/tool"), PermissionsExt::from_mode(0o4755)).unwrap();
    std::fs::hard_link(root.join("usr/bin/tool"), root.join("usr/bin/tool2")).unwrap();
    symlink("../share/missing", root.join("usr/bin/away")).unwrap();
    let output = directory.join("x.deb");
    let status = Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Z", compression, "--build"])
        .args([&root, &output])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .expect("`dpkg-deb` (package dpkg) is needed by this test");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    std::fs::read(output).unwrap()
}

fn members(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>, DebError> {
    let mut deb = DebReader::new(bytes);
    deb.control()?;
    let mut found = Vec::new();
    deb.data(|member, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(read_error("data.tar"))?;
        found.push((member, bytes));
        Ok::<_, DebError>(())
    })?;
    Ok(found)
}

#[test]
fn reads_what_dpkg_deb_wrote() {
    for compression in ["xz", "gzip", "zstd", "none"] {
        let directory = tempfile::tempdir().unwrap();
        let bytes = build_package(directory.path(), compression);
        let control = DebReader::new(&bytes[..]).control().unwrap();
        let names: Vec<_> = control.iter().map(|member| (member.name.as_str(), member.mode)).collect();
        assert_eq!(names, [("control", 0o644), ("postinst", 0o755)], "{compression}");

        let found = members(&bytes).unwrap();
        let by_path = |path: &str| found.iter().find(|(member, _)| member.path == path).unwrap();
        let (tool, content) = by_path("usr/bin/tool");
        assert_eq!((tool.mode, tool.uid, tool.user.as_str(), tool.size), (0o4755, 0, "root", 9));
        assert_eq!((content.as_slice(), tool.kind.clone()), (&b"\x7fELF tool"[..], MemberKind::File));
        assert_eq!(by_path("usr/bin/tool2").0.kind, MemberKind::HardLink("usr/bin/tool".to_owned()));
        assert_eq!(by_path("usr/bin/away").0.kind, MemberKind::Symlink("../share/missing".to_owned()));
        assert_eq!(by_path("").0.kind, MemberKind::Directory);
        assert!(found.iter().any(|(member, _)| member.path.ends_with("/the-long-name-record-of-tar/x")));
    }
}

#[test]
fn a_truncated_package_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = build_package(directory.path(), "xz");
    let error = members(&bytes[..bytes.len() - 40]).unwrap_err();
    assert!(matches!(error, DebError::Read { .. }), "{error:?}");
}

#[test]
fn something_else_is_no_package() {
    let error = members(b"!<arch>\n").unwrap_err();
    assert_eq!(error.to_string(), "not a binary package: expected debian-binary, found the end of the file");
}

/// A package without compression whose data archive holds what `fill` puts there.
fn handmade(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut data = tar::Builder::new(Vec::new());
    fill(&mut data);
    let control = tar::Builder::new(Vec::new()).into_inner().unwrap();
    let mut package = ar::Builder::new(Vec::new());
    for (name, content) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", control),
        ("_extra", Vec::new()),
        ("data.tar", data.into_inner().unwrap()),
    ] {
        package.append(&ar::Header::new(name.into(), content.len() as u64), &content[..]).unwrap();
    }
    package.into_inner().unwrap()
}

fn raw_header(path: &str, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name.as_mut_slice().write_all(path.as_bytes()).unwrap();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

#[test]
fn no_member_may_leave_the_package() {
    for (path, problem) in [("./../etc/shadow", "a path that leaves the package"), ("/etc/shadow", "an absolute path")]
    {
        let package = handmade(|tar| tar.append(&raw_header(path, tar::EntryType::Regular), &b""[..]).unwrap());
        let error = members(&package).unwrap_err();
        assert_eq!(error.to_string(), format!("the data archive holds `{path}`, {problem}"));
    }
    let mut link = raw_header("./x", tar::EntryType::Link);
    link.as_old_mut().linkname.as_mut_slice().write_all(b"./../../x").unwrap();
    link.set_cksum();
    let package = handmade(|tar| tar.append(&link, &b""[..]).unwrap());
    assert!(matches!(members(&package), Err(DebError::Member { .. })));
}

#[test]
fn extended_attributes_are_kept() {
    let package = handmade(|tar| {
        tar.append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0\0\x02"[..])]).unwrap();
        tar.append(&raw_header("./ping", tar::EntryType::Regular), &b""[..]).unwrap();
    });
    let found = members(&package).unwrap();
    assert_eq!(found[0].0.xattrs, [("security.capability".to_owned(), b"\x01\0\0\x02".to_vec())]);
}
