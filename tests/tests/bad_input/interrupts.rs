//! An interrupt at any moment leaves a store that verifies and no half file, and the next run goes on from there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use stories::mirror::{Fault, Mirror};
use stories::{Checks, Lab};

use crate::{Throwaway, own_cache, without_one_package};

/// Long enough for any single thing on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long what was interrupted may take to end.
const END: Duration = Duration::from_secs(30);

/// A running program whose words are heard as they come.
struct Heard {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Heard {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("esker runs");
        let errors = BufReader::new(child.stderr.take().expect("its standard error"));
        let (sender, lines) = channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it works on something; its view is another thing.
    fn builds(&mut self, name: &str) {
        let start = format!("building {name}");
        self.until(|said| said.iter().any(|line| line.starts_with(&start) && !line.ends_with("-view")));
    }

    fn until(&mut self, is_so: impl Fn(&[String]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(&self.said) {
            assert!(Instant::now() < end, "nothing happens any more: {}", self.said.join("\n"));
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(2)) {
                self.said.push(line);
            } else if let Some(status) = self.child.try_wait().expect("its state") {
                panic!("it ended before ({status}): {}", self.said.join("\n"));
            }
        }
    }

    /// Sends a signal and waits for the end, which must come soon.
    fn interrupt(mut self, signal: &str) -> (ExitStatus, String) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the signal cannot be sent");
        let end = Instant::now() + END;
        let status = loop {
            match self.child.try_wait().expect("its state") {
                Some(status) => break status,
                None if Instant::now() > end => {
                    self.child.kill().expect("it can be killed");
                    panic!("{signal} does not end it: {}", self.said.join("\n"));
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        self.said.extend(self.lines.iter());
        (status, self.said.join("\n"))
    }
}

/// The facts about a program that a signal ended.
fn ended_well(facts: &mut Checks, when: &str, signal: &str, (status, said): (ExitStatus, String)) {
    let expected = if signal == "INT" { 130 } else { 143 };
    let holds = status.code() == Some(expected);
    facts.fact(&format!("{when}: the exit code is {expected}"), holds, format!("{status}\n{said}"));
    let words = "the same command goes on from there";
    facts.fact(&format!("{when}: it says how to go on"), said.contains(words), said);
}

/// One store through all moments of a build: each run is interrupted, the next goes on.
#[test]
fn an_interrupt_at_any_moment_of_a_build_leaves_a_store_that_verifies() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let mirror = Mirror::start(&throwaway.lab);
    let cache = own_cache(&throwaway);
    without_one_package(&cache, &mirror);
    let build = || {
        let mut command = throwaway.build();
        mirror.name_to(command.arg("-v").env("ESKER_CACHE", &cache));
        command
    };
    for signal in ["INT", "TERM"] {
        let before = mirror.asked("/hostname_").len();
        mirror.misbehave("/hostname_", Fault::SilentAfter(1000));
        let mut running = Heard::start(build());
        running.until(|_| mirror.asked("/hostname_").len() > before);
        let when = format!("{signal} while downloading");
        ended_well(&mut facts, &when, signal, running.interrupt(signal));
        throwaway.verifies(&mut facts, &when);
    }
    mirror.behave();
    for (signal, name, when) in [
        ("INT", "libc6-", "while unpacking"),
        ("TERM", "linux-image-", "while unpacking much"),
        ("INT", "cache-locales", "in a sandboxed build"),
        ("TERM", "system-path", "while making /usr"),
    ] {
        let mut running = Heard::start(build());
        running.builds(name);
        let when = format!("{signal} {when}");
        ended_well(&mut facts, &when, signal, running.interrupt(signal));
        throwaway.verifies(&mut facts, &when);
    }
    let output = build().output().expect("esker runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("the last build succeeds", output.status.success(), &text);
    facts.fact("it reuses what was finished", text.contains("reused"), &text);
    throwaway.verifies(&mut facts, "in the end");
    facts.done();
}

#[test]
fn an_interrupt_while_an_image_is_written_leaves_the_earlier_one_and_no_part() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let folder = tempfile::Builder::new().prefix("interrupt-").tempdir_in(lab.artifacts()).expect("a folder");
    let image = folder.path().join("disk.img");
    fs_err::write(&image, "earlier").expect("an earlier image");
    let listed = || -> Vec<String> {
        let entries = fs_err::read_dir(folder.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect()
    };
    for signal in ["INT", "TERM"] {
        let mut command = lab.esker();
        command.arg("image").arg(lab.file("bad/parts/bootable.nix")).arg("-o").arg(&image);
        let mut running = Heard::start(command);
        running.until(|_| listed().len() > 1);
        let when = format!("{signal} while writing");
        ended_well(&mut facts, &when, signal, running.interrupt(signal));
        facts.fact(&format!("{when}: no part stays"), listed() == ["disk.img"], format!("{:?}", listed()));
        let kept = fs_err::read(&image).expect("the image") == b"earlier";
        facts.fact(&format!("{when}: the earlier image is as it was"), kept, "");
    }
    facts.done();
}
