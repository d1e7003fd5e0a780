//! No text makes the parser or the evaluator panic: every expression of the differential corpus and of fuzz/corpus, each
//! changed in a few ways. The changes are the same in every run; fuzz/ holds what looks further with libFuzzer.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bumpalo::Bump;
use lang::io::PureIo;
use lang::{Eval, Interrupt, Settings};

/// Changed texts made of each expression; `ESKER_MUTATIONS` asks for more.
const CHANGES: u32 = 4;

/// What is put somewhere into a text.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ";",
    ":",
    "=",
    ".",
    ",",
    "\"",
    "''",
    "${",
    "}",
    "@",
    "?",
    "...",
    "or ",
    "rec ",
    "let ",
    " in ",
    "with ",
    "assert ",
    "inherit ",
    "if ",
    " then ",
    " else ",
    "!",
    "-",
    "+",
    "*",
    "/",
    "//",
    "++",
    "==",
    "<",
    "->",
    "&&",
    "||",
    "|>",
    "<|",
    "./",
    "<a>",
    "~/",
    "1",
    "0.5",
    "null",
    "a",
    "x: ",
    "#",
    "/*",
    "\\",
    "\n",
    "\t",
    "\u{e9}",
    "$$",
    "builtins.",
    "throw ",
    "toString ",
];

/// A sequence of numbers that looks like chance and is the same every time (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

fn texts() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/differential/values", "tests/cases", "../../fuzz/corpus/parse", "../../fuzz/corpus/evaluate"];
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        files.extend(std::fs::read_dir(here.join(folder)).unwrap().map(|e| e.unwrap().path()));
    }
    files.retain(|f| f.extension().is_none_or(|e| e != "exp"));
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        if file.extension().is_some_and(|e| e == "txt") {
            texts.extend(text.lines().map(str::to_owned));
        } else {
            texts.push(text);
        }
    }
    assert!(texts.len() > 1500);
    texts
}

/// One to three changes: a piece put in, bytes taken out, said twice or exchanged.
fn changed(text: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(6)).min(bytes.len()).max(at);
        match numbers.below(5) {
            0 | 1 => drop(bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes())),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again: Vec<u8> = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(numbers.below(256)).unwrap();
                }
            }
        }
    }
    bytes
}

/// Ends evaluations that take too long.
struct Watchdog {
    running: Arc<Mutex<Option<Interrupt>>>,
    beat: Arc<AtomicU32>,
}

impl Watchdog {
    fn start() -> Self {
        let running: Arc<Mutex<Option<Interrupt>>> = Arc::default();
        let beat: Arc<AtomicU32> = Arc::default();
        let (watched, last) = (running.clone(), beat.clone());
        std::thread::spawn(move || {
            loop {
                let before = last.load(Ordering::SeqCst);
                std::thread::sleep(Duration::from_secs(2));
                if let (true, Some(interrupt)) = (last.load(Ordering::SeqCst) == before, &*watched.lock().unwrap()) {
                    interrupt.set();
                }
            }
        });
        Watchdog { running, beat }
    }
}

fn evaluate(text: &[u8], watchdog: &Watchdog) {
    let bump = Bump::new();
    let mut settings = Settings { max_call_depth: 300, ..Settings::default() };
    settings.experimental.insert("pipe-operators".to_owned());
    let eval = Eval::new(&bump, Rc::new(PureIo), settings);
    *watchdog.running.lock().unwrap() = Some(eval.interrupt().clone());
    watchdog.beat.fetch_add(1, Ordering::SeqCst);
    // Printing what was understood must not fail either; most texts are refused before.
    let _ = eval.show_parsed(text, "«mutation»", false, "/");
    let text = String::from_utf8_lossy(text);
    if let Ok(value) = eval.on_large_stack(|| eval.force_deep(eval.eval_string(&text, "«mutation»", "/")?)) {
        eval.show(value);
    }
}

#[test]
fn no_text_makes_it_panic() {
    let watchdog = Watchdog::start();
    let asked = std::env::var("ESKER_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let changes = asked.unwrap_or(CHANGES);
    let mut numbers = Numbers(u64::from(changes));
    let mut failed = Vec::new();
    for text in texts() {
        for _ in 0..changes {
            let bytes = changed(&text, &mut numbers);
            if catch_unwind(AssertUnwindSafe(|| evaluate(&bytes, &watchdog))).is_err() {
                failed.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    assert!(failed.is_empty(), "{} texts make it panic:\n{}", failed.len(), failed.join("\n---\n"));
}
