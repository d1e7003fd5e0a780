//! A web server of this host for machines under test: a folder over HTTP on the loopback interface, which a guest on QEMU's
//! user network reaches at 10.0.2.2. It knows ranges, remembers what was asked for, and breaks connections when told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A server that runs as long as the program.
#[derive(Debug)]
pub struct Loopback {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    requests: Mutex<Vec<Request>>,
    /// The next connection about the file of this path breaks after so many bytes.
    breaks: Mutex<BTreeMap<String, u64>>,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path below the folder.
    pub path: String,
    /// Where in the file the answer began, where a part was asked for.
    pub from: Option<u64>,
    /// HTTP's number for the outcome.
    pub status: u16,
}

impl Loopback {
    /// Serves a folder.
    pub fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { folder: folder.to_owned(), requests: Mutex::default(), breaks: Mutex::default() });
        let answers = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = answers.clone();
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || drop(shared.converse(&stream)));
            }
        });
        Self { port, shared }
    }

    /// The address as a guest sees it.
    pub fn for_guests(&self) -> String {
        format!("http://10.0.2.2:{}", self.port)
    }

    /// Breaks the next connection that fetches this file, after so many bytes.
    pub fn break_once(&self, path: &str, after_bytes: u64) {
        lock(&self.shared.breaks).insert(path.to_owned(), after_bytes);
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }
}

/// The lists are whole whenever the lock is free.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Answers one request after the other until the client has had enough.
    fn converse(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        loop {
            let Some(first) = lines.next().transpose()? else { return Ok(()) };
            let mut from = None;
            for line in lines.by_ref() {
                let line = line?.to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    from = range.trim_end_matches('-').parse::<u64>().ok();
                }
            }
            let path = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
            if !self.answer(stream, &path, from)? {
                return stream.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    /// Answers a request; says whether the connection may go on.
    fn answer(&self, mut stream: &TcpStream, path: &str, from: Option<u64>) -> std::io::Result<bool> {
        let opened = match path.split('/').any(|part| part == "..") {
            true => Err(std::io::ErrorKind::NotFound.into()),
            false => std::fs::File::open(self.folder.join(path)),
        };
        let Ok(mut file) = opened else {
            self.note(path, from, 404);
            write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        };
        let total = file.metadata()?.len();
        let start = from.unwrap_or(0);
        if start > total || (from.is_some() && start == total) {
            self.note(path, from, 416);
            write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        }
        let status = if from.is_some() { 206 } else { 200 };
        self.note(path, from, status);
        file.seek(SeekFrom::Start(start))?;
        write!(stream, "HTTP/1.1 {status} OK\r\nContent-Length: {}\r\n\r\n", total - start)?;
        let broken = lock(&self.breaks).remove(path);
        let sent = std::io::copy(&mut file.take(broken.unwrap_or(u64::MAX)), &mut stream)?;
        Ok(sent == total - start)
    }

    fn note(&self, path: &str, from: Option<u64>, status: u16) {
        lock(&self.requests).push(Request { path: path.to_owned(), from, status });
    }
}
