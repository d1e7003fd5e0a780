//! A web server on the loopback interface for tests. It knows ranges and remembers what was asked for, and a test says what
//! it answers: whole, cut off, silent, or something else altogether.
//!
//! One request per connection. For tests alone: what goes wrong here panics, or ends one connection.
#![allow(clippy::expect_used, reason = "what cannot start fails the test")]

mod response;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use response::Response;

/// A server that runs as long as the program.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, without the slash that it begins with.
    pub path: String,
    /// The first byte of the file that is wanted, where a part is.
    pub from: Option<u64>,
}

impl WebServer {
    /// Answers each request as `respond` says; connections are served side by side.
    pub fn start(respond: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, respond) = (requests.clone(), Arc::new(respond));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, respond) = (seen.clone(), respond.clone());
                std::thread::spawn(move || {
                    let Some(request) = Request::read(&stream) else { return };
                    lock(&seen).push(request.clone());
                    // A client that goes away in the middle is its own affair.
                    drop(respond(&request).send(&request, stream));
                });
            }
        });
        Self { address, requests }
    }

    /// Serves the files below a folder.
    pub fn of_folder(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self::start(move |request| Response::file_below(&folder, &request.path))
    }

    /// `http://127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked for so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }
}

impl Request {
    /// Reads a request's head; `None` when the client goes away before.
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        let first = lines.next()?;
        let path = first.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        let mut from = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().ok();
            }
        }
        Some(Self { path, from })
    }
}

/// The list is whole whenever the lock is free.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
