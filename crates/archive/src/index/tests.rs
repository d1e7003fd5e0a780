//! Small archives through the real builder and reader.

use super::*;
use crate::architecture::Architecture;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn stanza(name: &str, version: &str, extra: &str) -> String {
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nDescription: the {name}\nFilename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {HASH}\n{extra}\n"
    )
}

fn build(sources: &[(&str, MirrorName, String)]) -> Vec<u8> {
    let sources: Vec<_> = sources.iter().map(|(suite, mirror, text)| Source { suite, mirror: *mirror, text }).collect();
    build_index(Architecture::Amd64, &sources).unwrap()
}

fn open(bytes: &[u8]) -> Result<(tempfile::TempDir, Index), IndexError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    std::fs::write(&path, bytes).unwrap();
    Index::open(&path).map(|index| (directory, index))
}

fn example() -> Vec<u8> {
    let main = stanza("zsh", "5.9", "")
        + &stanza("mawk", "1.3", "Priority: required\nProvides: awk\n")
        + &stanza("gawk", "5.2", "Provides: awk, gawk-api (= 3.2)\n")
        + &stanza("foreign", "1", "").replace("amd64", "armhf");
    let security = stanza("zsh", "5.9-1+deb13u1", "") + &stanza("gawk", "5.2", "");
    build(&[("trixie", MirrorName::Debian, main), ("trixie-security", MirrorName::DebianSecurity, security)])
}

#[test]
fn finds_packages_newest_first() {
    let (_directory, index) = open(&example()).unwrap();
    assert_eq!(index.names().collect::<Vec<_>>(), ["gawk", "mawk", "zsh"]);
    let zsh: Vec<Package> = index.versions("zsh").into_iter().map(|id| index.package(id).unwrap()).collect();
    assert_eq!(zsh.iter().map(|package| package.version.as_str()).collect::<Vec<_>>(), ["5.9-1+deb13u1", "5.9"]);
    assert_eq!((zsh[0].suite.as_str(), zsh[0].security, zsh[1].security), ("trixie-security", true, false));
    assert_eq!(zsh[0].url().to_string(), "mirror://debian-security/pool/zsh_5.9-1+deb13u1.deb");
    for absent in ["", "a", "zzz", "awk", "foreign"] {
        assert_eq!(index.versions(absent), [], "{absent}");
    }
}

#[test]
fn one_version_in_two_suites_is_one_package_and_stays_a_security_fix() {
    let (_directory, index) = open(&example()).unwrap();
    let ids = index.versions("gawk");
    assert_eq!(ids.len(), 1);
    let gawk = index.package(ids[0]).unwrap();
    assert_eq!((gawk.suite.as_str(), gawk.security), ("trixie", true));
}

#[test]
fn knows_who_provides_a_name() {
    let (_directory, index) = open(&example()).unwrap();
    let provided = |name: &str| -> Vec<(String, Option<String>)> {
        let found = index.providers(name).into_iter();
        found.map(|(id, version)| (index.package(id).unwrap().name, version.map(str::to_owned))).collect()
    };
    assert_eq!(provided("awk"), [("mawk".to_owned(), None), ("gawk".to_owned(), None)]);
    assert_eq!(provided("gawk-api"), [("gawk".to_owned(), Some("3.2".to_owned()))]);
    assert_eq!(provided("zsh"), []);
}

#[test]
fn summaries_are_those_of_the_newest() {
    let (_directory, index) = open(&example()).unwrap();
    assert_eq!(index.summaries().unwrap(), "gawk\tthe gawk\nmawk\tthe mawk\nzsh\tthe zsh\n");
}

#[test]
fn the_same_texts_give_the_same_bytes() {
    assert_eq!(example(), example());
    let (_directory, empty) = open(&build(&[("trixie", MirrorName::Debian, String::new())])).unwrap();
    assert!(empty.is_empty() && empty.names().next().is_none() && empty.versions("a").is_empty());
}

#[test]
fn damage_and_truncation_are_noticed() {
    let bytes = example();
    for length in [0, 10, HEADER_BYTES, bytes.len() - 1] {
        assert!(matches!(open(&bytes[..length]), Err(IndexError::Corrupt { .. })), "{length}");
    }
    let (_directory, index) = open(&bytes).unwrap();
    let end = index.range(index.layout.blocks, index.len() - 1).end;
    for position in (0..end).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        if let Ok((_directory, index)) = open(&damaged) {
            let ids = (0..u32::try_from(index.len()).unwrap()).map(PackageId);
            let errors = ids.filter(|&id| index.package(id).is_err()).count();
            assert_eq!(errors, 1, "byte {position}");
        }
    }
}
