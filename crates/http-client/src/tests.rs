//! A server on the loopback interface that misbehaves as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::*;

/// How a server treats one request.
#[derive(Clone, Copy)]
enum Manner {
    Whole,
    /// Promises everything and closes after so many bytes.
    BreaksAfter(usize),
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

/// Treats one request after the other in these manners; returns the address and the ranges asked for.
fn serve(manners: &'static [Manner]) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ranges = seen.clone();
    std::thread::spawn(move || {
        for (stream, manner) in listener.incoming().zip(manners) {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range = headers.iter().find_map(|line| {
                line.to_lowercase().strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok()
            });
            seen.lock().unwrap().push(range);
            let tag = if matches!(manner, Manner::Replaced) { "b" } else { "a" };
            let (status, body) = match (manner, range) {
                (Manner::Busy, _) => ("503 Busy", &b""[..]),
                (Manner::Gone, _) => ("404 Gone", &b""[..]),
                (Manner::NoRanges | Manner::Replaced, _) | (_, None) => ("200 OK", CONTENT),
                (_, Some(start)) => ("206 Part", &CONTENT[start..]),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nETag: \"{tag}\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
            let sent = if let Manner::BreaksAfter(count) = manner { &body[..*count] } else { body };
            stream.write_all(sent).unwrap();
        }
    });
    (url, ranges)
}

fn fetched(url: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Client::new().get(url).unwrap().unwrap().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (url, ranges) = serve(&[Manner::BreaksAfter(5), Manner::BreaksAfter(3), Manner::Whole]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
    assert_eq!(*ranges.lock().unwrap(), [None, Some(5), Some(8)]);
}

#[test]
fn without_ranges_it_is_read_again_up_to_there() {
    let (url, _) = serve(&[Manner::BreaksAfter(5), Manner::NoRanges]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
}

#[test]
fn two_files_are_never_patched_together() {
    let (url, _) = serve(&[Manner::BreaksAfter(5), Manner::Replaced]);
    let error = fetched(&url).unwrap_err();
    assert!(error.to_string().ends_with("was replaced meanwhile"), "{error}");
}

#[test]
fn a_file_that_goes_meanwhile_is_an_error() {
    let (url, _) = serve(&[Manner::BreaksAfter(5), Manner::Gone]);
    assert_eq!(fetched(&url).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_busy_server_is_asked_again() {
    let (url, ranges) = serve(&[Manner::Busy, Manner::Whole]);
    assert_eq!(fetched(&url).unwrap(), CONTENT);
    assert_eq!(ranges.lock().unwrap().len(), 2);
}

#[test]
fn what_is_not_there_is_no_failure() {
    let (url, ranges) = serve(&[Manner::Gone]);
    assert!(Client::new().get(&url).unwrap().is_none());
    assert_eq!(ranges.lock().unwrap().len(), 1);
}

#[test]
fn a_part_begins_where_the_server_lets_it() {
    let (url, _) = serve(&[Manner::Whole, Manner::NoRanges]);
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
