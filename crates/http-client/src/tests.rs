//! A server on the loopback interface that misbehaves as it is told.

use std::io::Read;
use std::sync::Mutex;

use test_server::{Response, WebServer};

use super::*;

/// How a server treats one request.
enum Manner {
    Whole,
    /// Promises everything and closes after so many bytes.
    BreaksAfter(u64),
    /// Says that it is busy.
    Busy,
    /// Ignores ranges, and sends everything.
    NoRanges,
    /// Has another file by now.
    Replaced,
    /// Does not have it.
    Gone,
}

const CONTENT: &[u8] = b"0123456789abcdef";

/// Treats one request after the other in these manners; any further one finds nothing.
fn serve(manners: &'static [Manner]) -> (String, WebServer) {
    let manners = Mutex::new(manners.iter());
    let server = WebServer::start(move |_| match manners.lock().unwrap().next() {
        Some(Manner::Whole) => Response::bytes(CONTENT).tagged("a"),
        Some(Manner::BreaksAfter(bytes)) => Response::bytes(CONTENT).tagged("a").cut_after(*bytes),
        Some(Manner::Busy) => Response::status(503),
        Some(Manner::NoRanges) => Response::bytes(CONTENT).tagged("a").without_ranges(),
        Some(Manner::Replaced) => Response::bytes(CONTENT).tagged("b").without_ranges(),
        Some(Manner::Gone) | None => Response::status(404),
    });
    (format!("{}/file", server.address()), server)
}

/// Where each request wanted the file from.
fn ranges(server: &WebServer) -> Vec<Option<u64>> {
    server.requests().iter().map(|request| request.from).collect()
}

fn fetched(url: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Client::new().get(url).unwrap().unwrap().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (url, server) = serve(&[Manner::BreaksAfter(5), Manner::BreaksAfter(3), Manner::Whole]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
    assert_eq!(ranges(&server), [None, Some(5), Some(8)]);
}

#[test]
fn without_ranges_it_is_read_again_up_to_there() {
    let (url, _server) = serve(&[Manner::BreaksAfter(5), Manner::NoRanges]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
}

#[test]
fn two_files_are_never_patched_together() {
    let (url, _server) = serve(&[Manner::BreaksAfter(5), Manner::Replaced]);
    let error = fetched(&url).unwrap_err();
    assert!(error.to_string().ends_with("was replaced meanwhile"), "{error}");
}

#[test]
fn a_file_that_goes_meanwhile_is_an_error() {
    let (url, _server) = serve(&[Manner::BreaksAfter(5), Manner::Gone]);
    assert_eq!(fetched(&url).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_busy_server_is_asked_again() {
    let (url, server) = serve(&[Manner::Busy, Manner::Whole]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_is_not_there_is_no_failure() {
    let (url, server) = serve(&[Manner::Gone]);
    assert!(Client::new().get(&url).unwrap().is_none());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_part_begins_where_the_server_lets_it() {
    let (url, _server) = serve(&[Manner::Whole, Manner::NoRanges]);
    let client = Client::new();
    let (part, whole) = (client.get_from(&url, 4).unwrap().unwrap(), client.get_from(&url, 4).unwrap().unwrap());
    assert_eq!((part.offset(), part.file_bytes(), whole.offset()), (4, Some(16), 0));
}

#[test]
fn certificates_are_read_from_a_bundle() {
    let pem = b"# a comment\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(parse_certificates(pem).len(), 2);
    assert!(parse_certificates(b"nothing").is_empty());
}
