//! `esker repl` as a person meets it: on a terminal of its own, key by key. What its commands answer is tested where they
//! are (`system::language::repl`); here are the line editor's part and the way in and out.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Keys.
const TAB: &str = "\t";
const ENTER: &str = "\r";
const UP: &str = "\x1b[A";
const CONTROL_C: &str = "\x03";
const CONTROL_D: &str = "\x04";

/// How long an answer may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A REPL on a terminal.
struct Session {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was printed and not yet waited for.
    rest: String,
}

impl Session {
    /// Starts one with `home` for its history.
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let line = || terminal.slave.try_clone().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_esker"))
            .arg("repl")
            .args(arguments)
            .env("HOME", home)
            .env("TERM", "xterm")
            .env_remove("XDG_STATE_HOME")
            .env("NIX_REMOTE", "dummy://")
            .current_dir(home)
            .stdin(line())
            .stdout(line())
            .stderr(line())
            .spawn()
            .unwrap();
        drop(terminal.slave);
        let keyboard = File::from(terminal.master);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        // The terminal reports an error once the last program on it has ended.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, screen, rest: String::new() }
    }

    /// Waits for the prompt, by when the editor reads keys one by one, and types.
    fn types(&mut self, keys: &str) {
        self.shows("esker> ");
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text appears after the one last waited for.
    fn shows(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.rest.find(text) {
                self.rest.drain(..at + text.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = self.screen.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("`{text}` does not appear; what came: {:?}", self.rest));
            self.rest.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// Waits until it has ended; whether it did so well.
    fn ends_well(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_expression_may_take_several_lines() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start(home.path(), &[]);
    session.types(&format!("{{ a ={ENTER}40 + 2; }}.a{ENTER}"));
    session.shows("\n42");
    session.types(CONTROL_D);
    assert!(session.ends_well(), "Control-D leaves");
}

#[test]
fn tab_completes_names() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start(home.path(), &[]);
    session.types(&format!("builtins.concatStringsS{TAB} \"-\" [ \"a\" \"b\" ]{ENTER}"));
    session.shows("\n\"a-b\"");
    session.types(&format!("fruit = {{ apple = 7; }}{ENTER}"));
    session.types(&format!("fruit.app{TAB}{ENTER}"));
    session.shows("\n7");
    session.types(&format!(":q{ENTER}"));
    assert!(session.ends_well(), ":q leaves");
}

#[test]
fn lines_of_earlier_runs_come_back() {
    let home = tempfile::tempdir().unwrap();
    let mut first = Session::start(home.path(), &[]);
    first.types(&format!("6 * 7{ENTER}"));
    first.shows("\n42");
    first.types(CONTROL_D);
    assert!(first.ends_well());
    let mut second = Session::start(home.path(), &[]);
    second.types(&format!("{UP}{ENTER}"));
    second.shows("6 * 7");
    second.shows("\n42");
    second.types(CONTROL_D);
    assert!(second.ends_well());
}

#[test]
fn control_c_drops_a_line_and_an_error_ends_nothing() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("f.nix"), "{ x = 5; }").unwrap();
    let mut session = Session::start(home.path(), &["./f.nix"]);
    session.types(&format!("1 + {CONTROL_C}"));
    session.types(&format!("x + nothing{ENTER}"));
    session.shows("undefined variable");
    session.types(&format!("x + 1{ENTER}"));
    session.shows("\n6");
    session.types(CONTROL_D);
    assert!(session.ends_well());
}
