//! A whole archive on a `file:` mirror.

use super::*;
use crate::fetch::hash_file;
use crate::mirror::MirrorName;
use crate::{AptFetcher, Mirrors};

struct Fixture {
    directory: tempfile::TempDir,
    archive: Archive,
}

const PACKAGE: &[u8] = b"not really a package";

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let deb = at("mirror/pool/a.deb");
    std::fs::write(&deb, PACKAGE).unwrap();
    let text = format!(
        "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: {}\nSHA256: {}\n",
        PACKAGE.len(),
        hash_file(&deb).unwrap()
    );
    let packages = at("mirror/dists/trixie/main/binary-amd64/Packages");
    std::fs::write(&packages, &text).unwrap();
    let (sha256, size) = (hash_file(&packages).unwrap(), text.len() as u64);
    let index = LockedIndex {
        architecture: "amd64".to_owned(),
        component: "main".to_owned(),
        path: "main/binary-amd64/Packages".to_owned(),
        sha256,
        size,
    };
    let lock = Lock::new(vec![LockedSuite {
        name: "trixie".to_owned(),
        mirror: MirrorName::Debian,
        release: None,
        date: String::new(),
        valid_until: None,
        in_release_sha256: "0".repeat(64),
        indices: vec![index],
    }]);
    let fetcher = AptFetcher::new(Mirrors::new(&[&format!("file:{}/mirror", directory.path().display())], &[]));
    let archive = Archive::open(&directory.path().join("state"), lock, Arc::new(fetcher));
    Fixture { directory, archive }
}

impl Fixture {
    fn reopened(&self) -> Archive {
        Archive::open(self.archive.directory(), self.archive.lock().clone(), self.archive.fetcher.clone())
    }
}

#[test]
fn fetches_the_index_once_and_works_without_the_mirror_then() {
    let fixture = fixture();
    assert_eq!(fixture.archive.names(Architecture::Amd64).unwrap(), ["a"]);
    std::fs::rename(fixture.directory.path().join("mirror"), fixture.directory.path().join("gone")).unwrap();
    let again = fixture.reopened();
    assert_eq!(again.candidate("a", Architecture::Amd64).unwrap().unwrap().version, "1");
    assert_eq!(again.candidate("b", Architecture::Amd64).unwrap(), None);
}

#[test]
fn a_damaged_index_is_made_anew() {
    let fixture = fixture();
    fixture.archive.index(Architecture::Amd64).unwrap();
    let path = fixture.archive.index_path(Architecture::Amd64);
    let whole = std::fs::read(&path).unwrap();
    // In the front section, found on opening, and in a package's block, found when it is read.
    for position in [60, whole.len() - 20] {
        let mut damaged = whole.clone();
        damaged[position] ^= 0xff;
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(fixture.reopened().candidate("a", Architecture::Amd64).unwrap().unwrap().version, "1");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn packages_are_fetched_by_hash() {
    let fixture = fixture();
    let package = fixture.archive.candidate("a", Architecture::Amd64).unwrap().unwrap();
    fixture.archive.fetch_debs([&package], &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(fixture.archive.deb_path(&package.sha256)).unwrap(), PACKAGE);
}

#[test]
fn an_index_that_is_gone_says_what_to_do() {
    let fixture = fixture();
    std::fs::remove_dir_all(fixture.directory.path().join("mirror/dists")).unwrap();
    let first = fixture.archive.index(Architecture::Amd64).unwrap_err();
    let ArchiveError::Before(first) = &first else { panic!("{first}") };
    let ArchiveError::Fetch(cause) = &**first else { panic!("{first}") };
    assert!(cause.to_string().contains("package index of trixie/main for amd64: no mirror has `mirror://debian/dists/trixie/main/binary-amd64/Packages`"), "{cause}");
    assert!(cause.to_string().contains("`esker update`"), "{cause}");
    // It is not asked for again.
    let second = fixture.archive.index(Architecture::Amd64).unwrap_err();
    assert!(matches!(&second, ArchiveError::Before(second) if Arc::ptr_eq(first, second)), "{second}");
}

#[test]
fn an_architecture_without_index_is_an_error() {
    let error = fixture().archive.index(Architecture::Arm64).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lock has no index for `arm64`\nhint: `esker update` pins Debian for every architecture"
    );
}

#[test]
fn a_solution_is_kept_and_a_damaged_one_replaced() {
    use crate::solver::{Essential, Recommends, Request, Root};
    let fixture = fixture();
    let roots = vec![Root { relation: "a".to_owned(), wanted_by: "test".to_owned() }];
    let request = Request {
        architecture: Architecture::Amd64,
        roots,
        recommends: Recommends::No,
        essential: Essential::Ignore,
        exclude: Vec::new(),
    };
    let solution = fixture.archive.solve(&request).unwrap();
    let kept: Vec<_> = std::fs::read_dir(fixture.archive.directory().join("solutions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 1);
    // Without index and mirror only the kept solution can answer.
    std::fs::remove_dir_all(fixture.archive.directory().join("index")).unwrap();
    std::fs::rename(fixture.archive.directory().join("by-hash"), fixture.directory.path().join("hidden")).unwrap();
    std::fs::rename(fixture.directory.path().join("mirror"), fixture.directory.path().join("gone")).unwrap();
    assert_eq!(fixture.reopened().solve(&request).unwrap(), solution);
    let other = Request { recommends: Recommends::All, ..request.clone() };
    assert!(fixture.reopened().solve(&other).is_err());
    std::fs::rename(fixture.directory.path().join("hidden"), fixture.archive.directory().join("by-hash")).unwrap();
    std::fs::write(&kept[0], b"{").unwrap();
    assert_eq!(fixture.reopened().solve(&request).unwrap(), solution);
}
