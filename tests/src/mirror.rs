//! A mirror of Debian's archive on the loopback interface, made of what the laboratory has downloaded, that misbehaves
//! when it is told to. It knows ranges, as real mirrors do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Lab;

/// What is done to files whose path holds a text.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The last byte is another one.
    Altered,
    /// The connection ends at this byte of the file, and at once for whoever asks for what comes after it.
    CutAfter(usize),
    /// Nothing comes any more after so many bytes, and the connection stays.
    SilentAfter(usize),
    /// This comes instead.
    Replaced(Vec<u8>),
}

/// A request: the path, and where a range begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The path below the archive's root.
    pub path: String,
    /// The first byte asked for.
    pub from: usize,
}

/// A running mirror.
#[derive(Debug)]
pub struct Mirror {
    base: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Paths below the archive's root → files of this host.
    files: BTreeMap<String, PathBuf>,
    faults: Mutex<Vec<(String, Fault)>>,
    asked: Mutex<Vec<Asked>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mirror {
    /// Starts a mirror of what the laboratory's cache holds.
    pub fn start(lab: &Lab) -> Self {
        let shared = Arc::new(Shared { files: archive_files(lab), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                // A client that goes away is its own affair.
                std::thread::spawn(move || drop(answer(&shared, stream)));
            }
        });
        Self { base, shared }
    }

    /// Lets a command fetch from here and nowhere else.
    pub fn name_to(&self, command: &mut Command) {
        command.env("ESKER_MIRROR_DEBIAN", &self.base).env("ESKER_MIRROR_DEBIAN_SECURITY", &self.base);
        // No proxy of this host is asked about the loopback interface.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    }

    /// From now on this happens to files whose path holds the text.
    pub fn misbehave(&self, text: &str, fault: Fault) {
        lock(&self.shared.faults).push((text.to_owned(), fault));
    }

    /// From now on nothing happens.
    pub fn behave(&self) {
        lock(&self.shared.faults).clear();
    }

    /// What was asked for with this text in its path, in order.
    pub fn asked(&self, text: &str) -> Vec<Asked> {
        lock(&self.shared.asked).iter().filter(|asked| asked.path.contains(text)).cloned().collect()
    }

    /// The paths below the archive's root that hold this text.
    pub fn paths(&self, text: &str) -> Vec<String> {
        self.shared.files.keys().filter(|path| path.contains(text)).cloned().collect()
    }

    /// The file behind a path.
    pub fn file(&self, path: &str) -> &Path {
        self.shared.files.get(path).unwrap_or_else(|| panic!("the mirror has no `{path}`"))
    }
}

/// Every file of the archive that the cache holds: Release files, indices by name and hash, packages.
fn archive_files(lab: &Lab) -> BTreeMap<String, PathBuf> {
    let archive = lab.state().join("cache/archive");
    let lock = fs_err::read_to_string(lab.state().join("esker.lock")).expect("the laboratory's lock");
    let mut files = BTreeMap::new();
    let mut suite = String::new();
    for line in lock.lines() {
        if let Some(name) = quoted(line, "name = ").filter(|_| line.starts_with("name = ")) {
            suite = name;
        }
        if let Some(hash) = quoted(line, "in-release-sha256 = ") {
            files.insert(format!("dists/{suite}/InRelease"), archive.join("by-hash").join(hash));
        }
        let (Some(path), Some(hash)) = (quoted(line, " path = "), quoted(line, " sha256 = ")) else {
            continue;
        };
        let file = archive.join("by-hash").join(&hash);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        files.insert(format!("dists/{suite}/{folder}/by-hash/SHA256/{hash}"), file.clone());
        files.insert(format!("dists/{suite}/{path}"), file.clone());
        if file.exists() {
            files.extend(packages(&file, &archive.join("debs")));
        }
    }
    files.retain(|_, file| file.exists());
    files
}

fn quoted(line: &str, field: &str) -> Option<String> {
    let (_, rest) = line.split_once(field)?;
    rest.strip_prefix('"')?.split('"').next().map(str::to_owned)
}

/// The packages of an index that were downloaded.
fn packages(index: &Path, debs: &Path) -> BTreeMap<String, PathBuf> {
    let output = Command::new("xz").arg("--decompress").arg("--stdout").arg("--format=xz").stdin(open(index)).output();
    let text = String::from_utf8(output.expect("xz runs (xz-utils)").stdout).expect("an index is text");
    let mut files = BTreeMap::new();
    let mut path = "";
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("Filename: ") {
            path = value;
        } else if let Some(hash) = line.strip_prefix("SHA256: ") {
            let deb = debs.join(format!("{hash}.deb"));
            if deb.exists() {
                files.insert(path.to_owned(), deb);
            }
        }
    }
    files
}

fn open(path: &Path) -> std::fs::File {
    fs_err::File::open(path).expect("a file of the cache").into_parts().0
}

/// Answers one request and closes the connection.
fn answer(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = range.unwrap_or(0);
    lock(&shared.asked).push(Asked { path: path.clone(), from });
    let Some(file) = shared.files.get(&path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let fault = lock(&shared.faults).iter().find(|(text, _)| path.contains(text)).map(|(_, fault)| fault.clone());
    let mut body = fs_err::read(file)?;
    match &fault {
        Some(Fault::Altered) => body.last_mut().into_iter().for_each(|byte| *byte ^= 1),
        Some(Fault::Replaced(other)) => body.clone_from(other),
        _ => {}
    }
    let Some(rest) = body.get(from..).filter(|rest| range.is_none() || !rest.is_empty()) else {
        return stream
            .write_all(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len())?;
    match fault {
        Some(Fault::CutAfter(bytes)) => stream.write_all(&rest[..bytes.saturating_sub(from).min(rest.len())]),
        Some(Fault::SilentAfter(bytes)) => {
            stream.write_all(&rest[..bytes.min(rest.len())])?;
            stream.flush()?;
            // Until the client has enough of it.
            stream.set_read_timeout(Some(Duration::from_secs(600)))?;
            std::io::Read::read(&mut stream, &mut [0]).map(drop)
        }
        _ => stream.write_all(rest),
    }
}
