//! The errors people meet, as they see them: `errors/SUBJECT.txt` holds cases of the language, its builtins and the
//! module system. A case is
//!
//! ```text
//! === NAME
//! EXPRESSION
//! --- the reference says `FIRST LINE`: WHY OURS DIFFERS      (only where it does)
//! ---
//! REPORT
//! ```
//!
//! `UPDATE_EXPECT=1` rewrites the reports. When `ESKER_NIX_REFERENCE` names a folder with the reference's
//! `nix-instantiate`, it evaluates every case as well: it must fail with the same first line, or with the one that is
//! written down; a difference that is no more fails too.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib");

/// What cases of the module system are written with, beside `lib`.
const EVALUATE: &str = "modules: (import ./. ).evalModules { inherit modules; }";

const REFERENCE: &str = "--- the reference says `";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")
}

/// A text without this checkout's place.
fn portable(text: &str) -> String {
    text.replace(folder().to_str().unwrap(), "/here").replace(LIBRARY, "/lib")
}

struct Case {
    name: String,
    expression: String,
    /// What the reference says instead, and why ours says something else.
    difference: Option<(String, String)>,
    report: String,
    /// Whether it sees the library.
    of_modules: bool,
}

impl Case {
    /// Errors in the file fail the test.
    fn parse(text: &str, of_modules: bool) -> Self {
        let (name, rest) = text.split_once('\n').unwrap();
        let (expression, rest) = rest.split_once("\n---").unwrap_or((rest.trim_end(), ""));
        let header = format!("---{rest}");
        let difference = header.strip_prefix(REFERENCE).map(|line| {
            let (said, why) = line.lines().next().unwrap().split_once("`: ").unwrap();
            (said.to_owned(), why.to_owned())
        });
        let report =
            rest.split_once("---\n").map_or_else(|| rest.strip_prefix('\n').unwrap_or_default(), |(_, report)| report);
        let (name, expression, report) = (name.to_owned(), expression.to_owned(), report.to_owned());
        Case { name, expression, difference, report, of_modules }
    }

    fn print(&self, report: &str) -> String {
        let difference = match &self.difference {
            Some((said, why)) => format!("{REFERENCE}{said}`: {why}\n"),
            None => String::new(),
        };
        format!("=== {}\n{}\n{difference}---\n{report}", self.name, self.expression)
    }

    /// The whole report, every step of the trace included.
    fn run(&self) -> String {
        let bump = Bump::new();
        let settings = Settings { pure: false, ..Settings::default() };
        let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), settings);
        module::install(&eval);
        let outcome = eval.on_large_stack(|| {
            let lib = eval.eval_file(&format!("{LIBRARY}/default.nix"))?;
            let modules = eval.eval_string(EVALUATE, "«test»", LIBRARY)?;
            let scope = [("lib", lib), ("evaluate", modules)].map(|(name, value)| (eval.sym(name), value));
            let scope = if self.of_modules { &scope[..] } else { &[] };
            let value = eval.eval_in_scope(scope, &self.expression, "«string»", folder().to_str().unwrap())?;
            eval.force_deep(value)
        });
        let style = diagnostics::Style { colour: false, full_trace: true };
        match outcome {
            Ok(value) => format!("no error: {}\n", eval.show(value)),
            Err(error) => portable(&diagnostics::render_all(error.diagnostics(), &eval.sources(), style)),
        }
    }
}

struct Subject {
    file: PathBuf,
    cases: Vec<Case>,
}

fn subjects() -> Vec<Subject> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let read = |file: PathBuf| {
        let text = format!("\n{}", std::fs::read_to_string(&file).unwrap());
        let of_modules = file.ends_with("modules.txt");
        let cases = text.split("\n=== ").skip(1).map(|c| Case::parse(&format!("{c}\n"), of_modules));
        Subject { cases: cases.collect(), file }
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_error_reads_as_it_should() {
    let mut wrong = String::new();
    let mut count = 0;
    for subject in subjects() {
        let reports: Vec<String> = subject.cases.iter().map(Case::run).collect();
        count += reports.len();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            let cases: Vec<String> = subject.cases.iter().zip(&reports).map(|(c, r)| c.print(r)).collect();
            std::fs::write(&subject.file, cases.join("\n")).unwrap();
            continue;
        }
        for (case, got) in subject.cases.iter().zip(&reports) {
            if case.report.trim_end() != got.trim_end() || got.starts_with("no error") {
                let place = subject.file.display();
                writeln!(wrong, "{place}: {}\n  want {}\n  got  {got}", case.name, case.report).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 250, "only {count} errors are shown");
}

/// The first line of the reference's error; empty when there is none.
fn reference_says(program: &Path, expression: &str) -> String {
    let features = Settings::EXPERIMENTAL.join(" ");
    let output = Command::new(program)
        .args(["--eval", "--strict", "--store", "dummy://", "--option", "experimental-features", &features])
        // A text that starts with a dash would be an option.
        .args(["--expr", &expression.replacen('-', " -", usize::from(expression.starts_with('-')))])
        .current_dir(folder())
        .env("HOME", "/homeless")
        .env_remove("NIX_PATH")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines = text.lines().filter_map(|l| l.trim_start().strip_prefix("error: "));
    portable(lines.next_back().unwrap_or_default())
}

#[test]
fn the_reference_says_the_same_or_what_is_written_down() {
    let Some(bin) = std::env::var_os("ESKER_NIX_REFERENCE") else { return };
    let program = Path::new(&bin).join("nix-instantiate");
    let mut subjects = subjects();
    // The reference has no module system of its own.
    subjects.retain(|s| !s.file.ends_with("modules.txt"));
    let cases: Vec<(&Path, &Case)> =
        subjects.iter().flat_map(|s| s.cases.iter().map(|c| (s.file.as_path(), c))).collect();
    let compare = |(file, case): &(&Path, &Case)| {
        let theirs = reference_says(&program, &case.expression);
        let ours = case.report.lines().next().unwrap_or_default();
        let ours = ours.split_once(": ").map_or("", |(_, message)| message);
        let wanted = case.difference.as_ref().map_or(ours, |(said, _)| said);
        let needless = case.difference.is_some() && ours == theirs;
        (theirs != wanted || needless)
            .then(|| format!("{}: {}\n  ours      {ours}\n  reference {theirs}\n", file.display(), case.name))
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let ask = |part: &[(&Path, &Case)]| -> Vec<String> { part.iter().filter_map(compare).collect() };
        let running: Vec<_> = parts.map(|part| scope.spawn(move || ask(part))).collect();
        running.into_iter().flat_map(|r| r.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.concat());
}
