//! A web server of this host for machines under test: a folder over HTTP on the loopback interface, which a guest on QEMU's
//! user network reaches at 10.0.2.2. It breaks connections when told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use test_server::{Request, Response, WebServer};

/// A server that runs as long as the program.
#[derive(Debug)]
pub struct Loopback {
    server: WebServer,
    /// The next connection about the file of this path breaks after so many bytes.
    breaks: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Loopback {
    /// Serves a folder.
    pub fn serve(folder: &Path) -> Self {
        let breaks = Arc::new(Mutex::new(BTreeMap::new()));
        let (folder, planned) = (folder.to_owned(), breaks.clone());
        let server = WebServer::start(move |request| {
            let response = Response::file_below(&folder, &request.path);
            match planned.lock().expect("no thread panics").remove(&request.path) {
                Some(bytes) => response.cut_after(bytes),
                None => response,
            }
        });
        Self { server, breaks }
    }

    /// The address as a guest sees it.
    pub fn for_guests(&self) -> String {
        format!("http://10.0.2.2:{}", self.server.port())
    }

    /// Breaks the next connection that fetches this file, after so many bytes.
    pub fn break_once(&self, path: &str, after_bytes: u64) {
        self.breaks.lock().expect("no thread panics").insert(path.to_owned(), after_bytes);
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}
