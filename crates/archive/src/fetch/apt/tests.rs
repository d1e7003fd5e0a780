//! apt's real downloader on `file:` mirrors, which need no network.

use super::*;
use crate::fetch::hash_file;
use crate::mirror::MirrorUrl;

struct Fixture {
    directory: tempfile::TempDir,
    fetcher: AptFetcher,
}

fn fixture(files: &[(&str, &[u8])]) -> Fixture {
    assert!(Path::new(HELPER).exists(), "`apt-helper` (package apt) is needed by this test");
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::create_dir(directory.path().join("out")).unwrap();
    let bases = ["first", "second"].map(|name| format!("file:{}", directory.path().join(name).display()));
    let fetcher = AptFetcher::new(Mirrors::new(&[&bases[0], &bases[1]], &[]));
    Fixture { directory, fetcher }
}

impl Fixture {
    fn download(&self, path: &str, content: &[u8]) -> Download {
        let copy = self.directory.path().join("expected");
        std::fs::write(&copy, content).unwrap();
        Download {
            label: path.to_uppercase(),
            url: MirrorUrl::parse(&format!("mirror://debian/{path}")).unwrap(),
            sha256: Some(hash_file(&copy).unwrap()),
            size: Some(content.len() as u64),
            target: self.directory.path().join("out").join(path),
        }
    }
}

#[test]
fn fetches_and_reports_progress() {
    let fixture = fixture(&[("first/a", b"aa"), ("first/b", b"bbb")]);
    let downloads = [fixture.download("a", b"aa"), fixture.download("b", b"bbb")];
    let mut last = None;
    fixture.fetcher.fetch(&downloads, &mut |progress| last = Some(progress.clone())).unwrap();
    assert_eq!(std::fs::read(&downloads[1].target).unwrap(), b"bbb");
    assert_eq!(last, Some(Progress { received_bytes: 5, total_bytes: 5, files_done: 2, files_total: 2 }));
}

#[test]
fn a_missing_file_is_looked_for_on_the_next_mirror() {
    let fixture = fixture(&[("first/a", b"a"), ("second/b", b"b")]);
    fixture.fetcher.fetch(&[fixture.download("a", b"a"), fixture.download("b", b"b")], &mut |_| {}).unwrap();
}

#[test]
fn reports_every_failure_and_keeps_what_succeeded() {
    let fixture = fixture(&[("first/a", b"a"), ("first/wrong", b"evil"), ("second/wrong", b"evil")]);
    let downloads = [fixture.download("a", b"a"), fixture.download("wrong", b"good"), fixture.download("gone", b"x")];
    let error = fixture.fetcher.fetch(&downloads, &mut |_| {}).unwrap_err();
    let expected = downloads[1].sha256.clone().unwrap();
    let found = hash_file(&fixture.directory.path().join("first/wrong")).unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "2 files could not be fetched:\n  WRONG: `mirror://debian/wrong` has the wrong SHA-256: expected {expected}, got {found}\n  \
             GONE: no mirror has `mirror://debian/gone` (any more)\n\
             hint: the archive has moved on since the lock was made; run `esker update`, or name a mirror that keeps old files with `--mirror`\n\
             hint: what the mirror gave was thrown away; run the same command again, or name another mirror with `--mirror`"
        )
    );
    assert!(downloads[0].target.exists() && !downloads[1].target.exists());
}

#[test]
fn an_archive_without_mirror_is_an_error() {
    let fixture = fixture(&[]);
    let mut download = fixture.download("a", b"a");
    download.url.mirror = MirrorName::DebianSecurity;
    let error = fixture.fetcher.fetch(&[download], &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no mirror of the archive `debian-security` is known");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("ESKER_MIRROR_DEBIAN_SECURITY"), "{hint}");
}

#[test]
fn an_interrupt_ends_what_waits_for_a_silent_mirror() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/debian", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let began = std::time::Instant::now();
    let interrupt = Interrupt::new(move || began.elapsed() > Duration::from_millis(300));
    let fetcher = AptFetcher::new(Mirrors::new(&[&base], &[])).interruptible(interrupt);
    let download = Download {
        label: "x".to_owned(),
        url: crate::mirror::MirrorUrl::parse("mirror://debian/x").unwrap(),
        sha256: None,
        size: None,
        target: directory.path().join("x"),
    };
    let error = fetcher.fetch(&[download], &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Cancelled), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
}
