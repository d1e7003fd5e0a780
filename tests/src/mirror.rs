//! A mirror of Debian's archive on the loopback interface, made of what the laboratory has downloaded, that misbehaves
//! when it is told to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use test_server::{Request, Response, WebServer};

use crate::Lab;

/// What is done to files whose path holds a text.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The last byte is another one.
    Altered,
    /// The connection ends at this byte of the file, and at once for whoever asks for what comes after it.
    CutAfter(u64),
    /// Nothing comes any more after so many bytes, and the connection stays.
    SilentAfter(u64),
    /// This comes instead.
    Replaced(Vec<u8>),
}

/// A running mirror.
#[derive(Debug)]
pub struct Mirror {
    server: WebServer,
    /// Paths below the archive's root → files of this host.
    files: Arc<BTreeMap<String, PathBuf>>,
    faults: Arc<Mutex<Vec<(String, Fault)>>>,
}

impl Mirror {
    /// Starts a mirror of what the laboratory's cache holds.
    pub fn start(lab: &Lab) -> Self {
        let files = Arc::new(archive_files(lab));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let (served, told) = (files.clone(), faults.clone());
        let server =
            WebServer::start(move |request| respond(&served, &told.lock().expect("no thread panics"), request));
        Self { server, files, faults }
    }

    /// Lets a command fetch from here and nowhere else.
    pub fn name_to(&self, command: &mut Command) {
        let base = self.server.address();
        command.env("ESKER_MIRROR_DEBIAN", &base).env("ESKER_MIRROR_DEBIAN_SECURITY", &base);
        // No proxy of this host is asked about the loopback interface.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    }

    /// From now on this happens to files whose path holds the text.
    pub fn misbehave(&self, text: &str, fault: Fault) {
        self.faults.lock().expect("no thread panics").push((text.to_owned(), fault));
    }

    /// From now on nothing happens.
    pub fn behave(&self) {
        self.faults.lock().expect("no thread panics").clear();
    }

    /// What was asked for with this text in its path, in order.
    pub fn asked(&self, text: &str) -> Vec<Request> {
        let requests = self.server.requests().into_iter();
        requests.filter(|request| request.path.contains(text)).collect()
    }

    /// The paths below the archive's root that hold this text.
    pub fn paths(&self, text: &str) -> Vec<String> {
        self.files.keys().filter(|path| path.contains(text)).cloned().collect()
    }

    /// The file behind a path.
    pub fn file(&self, path: &str) -> &Path {
        self.files.get(path).unwrap_or_else(|| panic!("the mirror has no `{path}`"))
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

/// What comes of a request while there are faults.
fn respond(files: &BTreeMap<String, PathBuf>, faults: &[(String, Fault)], request: &Request) -> Response {
    let Some(file) = files.get(&request.path) else {
        return Response::status(404);
    };
    let fault = faults.iter().find(|(text, _)| request.path.contains(text)).map(|(_, fault)| fault);
    match fault {
        None => Response::file(file),
        Some(Fault::Altered) => {
            let mut body = fs_err::read(file).expect("a file of the cache");
            body.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            Response::bytes(body)
        }
        Some(Fault::Replaced(other)) => Response::bytes(other.clone()),
        Some(Fault::CutAfter(bytes)) => Response::file(file).cut_after(bytes.saturating_sub(request.from.unwrap_or(0))),
        Some(Fault::SilentAfter(bytes)) => Response::file(file).silent_after(*bytes),
    }
}
