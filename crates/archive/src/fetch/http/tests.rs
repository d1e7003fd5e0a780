//! A small server on the loopback interface that knows ranges and can break off.

use std::net::TcpListener;

use test_server::{Response, WebServer};

use super::*;
use crate::mirror::MirrorUrl;

const CONTENT: &[u8] = b"0123456789";

/// Serves `CONTENT` at /debian/file; returns the base address too.
fn serve() -> (String, WebServer) {
    let server = WebServer::start(|request| match request.path.as_str() {
        "debian/file" => Response::bytes(CONTENT),
        _ => Response::status(404),
    });
    (format!("{}/debian", server.address()), server)
}

/// Where each request for a part wanted the file from.
fn ranges(server: &WebServer) -> Vec<u64> {
    server.requests().iter().filter_map(|request| request.from).collect()
}

fn download(directory: &Path, path: &str) -> Download {
    let copy = directory.join("expected");
    std::fs::write(&copy, CONTENT).unwrap();
    Download {
        label: path.to_owned(),
        url: MirrorUrl::parse(&format!("mirror://debian/{path}")).unwrap(),
        sha256: Some(crate::fetch::hash_file(&copy).unwrap()),
        size: Some(10),
        target: directory.join(path),
    }
}

#[test]
fn fetches_and_resumes() {
    let (base, server) = serve();
    let fetcher = HttpFetcher::new(Mirrors::new(&[&base], &[]));
    for part in [None, Some(&b"0123"[..]), Some(CONTENT)] {
        let directory = tempfile::tempdir().unwrap();
        let download = download(directory.path(), "file");
        if let Some(part) = part {
            std::fs::write(directory.path().join("file.part"), part).unwrap();
        }
        fetcher.fetch(&[download], &mut |_| {}).unwrap();
        assert_eq!(std::fs::read(directory.path().join("file")).unwrap(), CONTENT);
    }
    assert_eq!(ranges(&server), [4, 10]);
}

#[test]
fn a_wrong_part_is_found_out_and_begun_anew() {
    let (base, server) = serve();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file.part"), b"xx").unwrap();
    let fetcher = HttpFetcher::new(Mirrors::new(&[&base], &[]));
    fetcher.fetch(&[download(directory.path(), "file")], &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(directory.path().join("file")).unwrap(), CONTENT);
    assert_eq!(ranges(&server), [2]);
}

#[test]
fn a_wrong_file_is_refused() {
    let (base, _server) = serve();
    let directory = tempfile::tempdir().unwrap();
    let expected = Download { sha256: Some("0".repeat(64)), ..download(directory.path(), "file") };
    let error = HttpFetcher::new(Mirrors::new(&[&base], &[])).fetch(&[expected], &mut |_| {}).unwrap_err();
    let FetchError::Downloads { errors } = &error else { panic!("{error}") };
    assert!(matches!(errors[..], [DownloadError::Hash { .. }]), "{error}");
    assert!(!directory.path().join("file").exists());
}

#[test]
fn says_what_the_mirror_does_not_have() {
    let (base, _server) = serve();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = HttpFetcher::new(Mirrors::new(&[&base], &[]));
    let error = fetcher.fetch(&[download(directory.path(), "other")], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("hint: the archive has moved on"), "{error}");
}

/// A server that accepts connections and says nothing.
fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (format!("http://{}/debian", listener.local_addr().unwrap()), listener)
}

#[test]
fn an_interrupt_ends_what_waits_for_a_silent_mirror() {
    let (base, _listener) = silent();
    let directory = tempfile::tempdir().unwrap();
    let download = download(directory.path(), "file");
    let began = Instant::now();
    let interrupt = Interrupt::new(move || began.elapsed() > Duration::from_millis(300));
    let fetcher = HttpFetcher::new(Mirrors::new(&[&base], &[])).interruptible(interrupt);
    let error = fetcher.fetch(std::slice::from_ref(&download), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Cancelled), "{error}");
    assert!(!download.target.exists());
    // The connection's own deadline is a minute.
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_folder_is_a_mirror_too() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = directory.path().join("mirror");
    std::fs::create_dir(&mirror).unwrap();
    std::fs::write(mirror.join("file"), CONTENT).unwrap();
    let fetcher = HttpFetcher::new(Mirrors::new(&[&format!("file:{}", mirror.display())], &[]));
    fetcher.fetch(&[download(directory.path(), "file")], &mut |_| {}).unwrap();
    let error = fetcher.fetch(&[download(directory.path(), "other")], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no mirror has"), "{error}");
}
