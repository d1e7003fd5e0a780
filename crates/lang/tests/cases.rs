//! The data-driven suite: `cases/NAME.nix` evaluates to what `NAME.exp` says. What fails stands in
//! `crates/module/tests/errors`.
//!
//! `UPDATE_EXPECT=1` rewrites the expectations. When `ESKER_NIX_REFERENCE` names a folder with the reference's
//! `nix-instantiate`, every case is evaluated there too: values must be equal to the byte.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

mod support;

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "nix"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// What the program would print: value, or diagnostics with the case's directory left out.
fn evaluate(path: &Path) -> Result<String, String> {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    let text = std::fs::read_to_string(path).unwrap();
    let dir = path.parent().unwrap().to_str().unwrap();
    let result = eval.on_large_stack(|| {
        let value = eval.eval_string(&text, "«string»", dir)?;
        eval.force_deep(value)
    });
    match result {
        Ok(value) => Ok(eval.show(value) + "\n"),
        Err(error) => {
            let style = diagnostics::Style { colour: false, full_trace: true };
            Err(diagnostics::render_all(error.diagnostics(), &eval.sources(), style).replace(dir, "."))
        }
    }
}

#[test]
fn every_case_gives_what_it_should() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = String::new();
    for case in cases() {
        let got = evaluate(&case).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let expected = case.with_extension("exp");
        if update {
            std::fs::write(&expected, &got).unwrap();
            continue;
        }
        let want = std::fs::read_to_string(&expected).unwrap_or_default();
        if want != got {
            writeln!(wrong, "{}:\n  want {want}\n  got  {got}", case.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_reference_agrees() {
    let Some(bin) = std::env::var_os("ESKER_NIX_REFERENCE") else { return };
    let program = Path::new(&bin).join("nix-instantiate");
    let mut wrong = String::new();
    for case in cases() {
        let text = std::fs::read_to_string(&case).unwrap();
        let output = Command::new(&program)
            .args(["--eval", "--strict", "--store", "dummy://", "-E", &text])
            .current_dir(case.parent().unwrap())
            .output()
            .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let theirs = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned());
        let ours = evaluate(&case).ok();
        if ours != theirs {
            let stderr = String::from_utf8_lossy(&output.stderr);
            writeln!(wrong, "{}:\n  ours      {ours:?}\n  reference {theirs:?} {stderr}", case.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
