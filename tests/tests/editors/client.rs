//! A small editor: speaks the Language Server Protocol with `esker lsp` over its pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::Lab;

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Notifications that came while something else was waited for.
    heard: Vec<Value>,
    next: i64,
}

impl Client {
    /// A server that is initialized.
    pub(crate) fn start(lab: &Lab) -> Self {
        let mut client = Self::spawn(lab);
        let answer = client.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
        assert!(answer["result"]["capabilities"]["renameProvider"].is_object(), "{answer}");
        client.tell("initialized", json!({}));
        client
    }

    pub(crate) fn spawn(lab: &Lab) -> Self {
        let mut command = lab.esker();
        command.args(["lsp", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("esker lsp runs");
        let (sender, messages) = channel();
        let mut output = BufReader::new(server.stdout.take().expect("its output"));
        std::thread::spawn(move || {
            while let Some(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = server.stdin.take();
        Self { server, input, messages, heard: Vec::new(), next: 0 }
    }

    /// Sends bytes behind a header that fits them.
    pub(crate) fn send(&mut self, body: &str) {
        let input = self.input.as_mut().expect("an open pipe");
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).and_then(|()| input.flush()).expect("a server");
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// The whole response to a request.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer in time");
            if message["id"] == json!(id) {
                return message;
            }
            self.heard.push(message);
        }
    }

    /// Asks about a place in a file: the line, and the column in UTF-16 units.
    pub(crate) fn ask_at(&mut self, method: &str, file: &Path, line: usize, character: usize) -> Value {
        let position = json!({ "line": line, "character": character });
        self.ask(method, json!({ "textDocument": { "uri": uri(file) }, "position": position }))["result"].take()
    }

    /// The diagnostics of a file, once they are as wanted.
    pub(crate) fn diagnostics(&mut self, file: &Path, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        let mut last = Vec::new();
        loop {
            for message in std::mem::take(&mut self.heard) {
                if message["method"] == "textDocument/publishDiagnostics"
                    && message["params"]["uri"] == json!(uri(file))
                {
                    last = message["params"]["diagnostics"].as_array().cloned().expect("a list");
                    if wanted(&last) {
                        return last;
                    }
                }
            }
            let left = PATIENCE.checked_sub(start.elapsed()).unwrap_or_else(|| panic!("the diagnostics stay {last:?}"));
            self.heard.push(self.messages.recv_timeout(left).unwrap_or_else(|e| panic!("{e}: they stay {last:?}")));
        }
    }

    pub(crate) fn open(&mut self, file: &Path, text: &str) {
        let item = json!({ "uri": uri(file), "languageId": "nix", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": item }));
    }

    /// Gives a file another text.
    pub(crate) fn change(&mut self, file: &Path, text: &str) {
        self.next += 1;
        let document = json!({ "uri": uri(file), "version": self.next });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// How the server ends when its input does.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.input = None;
        self.server.wait().expect("an exit status")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed leaves no server behind.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub(crate) fn uri(file: &Path) -> String {
    format!("file://{}", file.display())
}

fn receive(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
