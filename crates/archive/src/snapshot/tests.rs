//! A mirror of one real signed file, and signed texts judged one rule at a time.

use std::sync::LazyLock;

use super::*;
use crate::fetch::Progress;

const SECURITY: &str = include_str!("../signature/data/trixie-security.InRelease");
/// While that file is valid.
const NOW: u64 = 1_795_000_000;

/// Gives the same file for every suite.
struct OneFile(&'static str);

impl Fetcher for OneFile {
    fn fetch(&self, downloads: &[Download], _: &mut dyn FnMut(&Progress)) -> Result<(), FetchError> {
        for download in downloads {
            std::fs::write(&download.target, self.0).unwrap();
        }
        Ok(())
    }
}

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| Keyring::debian().unwrap());

fn update(directory: &Path) -> Update<'_> {
    Update { directory, old: None, now: NOW, expiry: Expiry::Check, keyring: &KEYRING }
}

fn signed() -> String {
    Keyring::debian().unwrap().verify(SECURITY, NOW).unwrap()
}

fn lock_suite(signed: &str, update: &Update<'_>) -> Result<LockedSuite, UpdateError> {
    locked_suite("trixie-security", MirrorName::DebianSecurity, signed, "a".repeat(64), update)
}

#[test]
fn a_suite_is_locked_with_all_its_indices() {
    let suite = lock_suite(&signed(), &update(Path::new("/"))).unwrap();
    let shown: Vec<_> = suite.indices.iter().map(|index| index.path.as_str()).collect();
    assert_eq!(
        shown,
        [
            "main/binary-amd64/Packages.xz",
            "non-free-firmware/binary-amd64/Packages.xz",
            "main/binary-arm64/Packages.xz",
            "non-free-firmware/binary-arm64/Packages.xz"
        ]
    );
    assert_eq!(suite.indices[0].sha256, "334e342e487a7dc95eef769d7dce4843053e686eef92e11416243149fc0366ea");
    assert_eq!(
        (suite.date.as_str(), suite.valid_until.as_deref()),
        ("Tue, 17 Nov 2026 22:33:40 UTC", Some("Tue, 24 Nov 2026 22:33:40 UTC"))
    );
    let lock = Lock::new(vec![suite]);
    assert_eq!(Lock::parse(&lock.to_toml()).unwrap(), lock);
}

#[test]
fn a_suite_served_under_another_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = update_lock(&OneFile(SECURITY), &update(directory.path())).unwrap_err();
    assert_eq!(error.to_string(), "the mirror gave the Release file of `trixie-security` for `trixie`");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["by-hash"]);
}

#[test]
fn an_unsigned_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = update_lock(&OneFile("Codename: trixie\n"), &update(directory.path())).unwrap_err();
    assert!(matches!(error, UpdateError::Signature { source: SignatureError::Unsigned(_), .. }), "{error:?}");
}

#[test]
fn an_expired_suite_is_refused_unless_told_otherwise() {
    let late = Update { now: NOW + 365 * 24 * 3600, ..update(Path::new("/")) };
    let error = lock_suite(&signed(), &late).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Release file of `trixie-security` expired on Tue, 24 Nov 2026 22:33:40 UTC; the mirror is out of date: \
         try another one, or accept it with `--accept-expired` where it is frozen on purpose"
    );
    lock_suite(&signed(), &Update { expiry: Expiry::Accept, ..late }).unwrap();
}

#[test]
fn a_suite_never_becomes_older() {
    let mut suite = lock_suite(&signed(), &update(Path::new("/"))).unwrap();
    let same = Lock::new(vec![suite.clone()]);
    lock_suite(&signed(), &Update { old: Some(&same), ..update(Path::new("/")) }).unwrap();
    suite.date = "Wed, 18 Nov 2026 22:33:40 UTC".to_owned();
    let newer = Lock::new(vec![suite]);
    let error = lock_suite(&signed(), &Update { old: Some(&newer), ..update(Path::new("/")) }).unwrap_err();
    assert!(matches!(error, UpdateError::Older { .. }), "{error}");
}
