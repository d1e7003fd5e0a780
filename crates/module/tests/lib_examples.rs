//! Every example in the comments of `lib/` (`#   EXPRESSION => VALUE`) is true.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::path::{Path, PathBuf};
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Bool, Eval, Settings, Value};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

fn lib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lib").canonicalize().unwrap()
}

fn nix_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            nix_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "nix") {
            out.push(path);
        }
    }
}

/// Line number, expression, value.
fn examples(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(example) = line.trim_start().strip_prefix("#   ") else { continue };
        if let Some((expression, value)) = example.rsplit_once(" => ") {
            found.push((index + 1, expression.to_owned(), value.to_owned()));
        }
    }
    found
}

/// Lines `# NAME :: TYPE` whose comment has no example.
fn without_example(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let documents = |line: &str| line.strip_prefix("# ").is_some_and(|l| l.split(' ').nth(1) == Some("::"));
    let lacks = |start: usize| {
        let comment = lines[start..].iter().take_while(|l| l.starts_with('#'));
        !comment.clone().any(|l| l.starts_with("#   ") && l.contains(" => "))
    };
    (0..lines.len()).filter(|i| documents(lines[*i]) && lacks(*i)).map(|i| i + 1).collect()
}

#[test]
fn every_function_in_lib_has_an_example() {
    let mut files = Vec::new();
    nix_files(&lib(), &mut files);
    let mut lacking = Vec::new();
    for file in files {
        let lines = without_example(&std::fs::read_to_string(&file).unwrap());
        lacking.extend(lines.into_iter().map(|line| format!("{}:{line}", file.display())));
    }
    assert!(lacking.is_empty(), "no example at {}", lacking.join(", "));
}

#[test]
fn every_example_in_lib_is_true() {
    let lib = lib();
    let mut files = Vec::new();
    nix_files(&lib, &mut files);
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    module::install(&eval);
    let mut failed = Vec::new();
    let mut count = 0;
    for file in files {
        for (line, expression, value) in examples(&std::fs::read_to_string(&file).unwrap()) {
            count += 1;
            let text = format!(
                "let lib = import ./default.nix; fails = e: !(builtins.tryEval (builtins.deepSeq e e)).success; \
                 asText = lib.formats {{ pkgs.writeText = name: text: text; }}; in \
                 with builtins; with lib; let got = ({expression}); want = ({value}); in \
                 if got == want then true else got"
            );
            let base = lib.to_str().unwrap();
            let place = format!("{}:{line}: {expression} => {value}", file.display());
            match eval.eval_string(&text, &place, base).and_then(|v| eval.force_deep(v)) {
                Ok(Value::Bool(Bool::True)) => {}
                Ok(got) => failed.push(format!("{place}\n    got {}", eval.show(got))),
                Err(error) => failed.push(format!("{place}\n    {error}")),
            }
        }
    }
    assert!(count > 560, "only {count} examples found");
    assert!(failed.is_empty(), "{} of {count} examples are wrong:\n{}", failed.len(), failed.join("\n"));
}
