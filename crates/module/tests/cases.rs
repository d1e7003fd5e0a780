//! Data-driven cases: `cases/NAME.nix` with the value it has (`.exp`) or the errors it ends in (`.err.exp`);
//! `NAME.check.nix` is a configuration of which everything wrong is reported. `UPDATE_EXPECT=1` rewrites what is expected.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The text a case gives and the ending of the file it is compared with.
fn outcome(path: &Path) -> (String, &'static str) {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    let modules = module::install(&eval);
    let style = diagnostics::Style::default();
    let file = path.to_str().unwrap();
    let result = eval.eval_file(file);
    let (text, ending) = match result {
        Ok(value) if file.ends_with(".check.nix") => {
            let found = modules.check(&eval, value);
            (diagnostics::render_all(&found, &eval.sources(), style), "err.exp")
        }
        Ok(value) => match eval.force_deep(value) {
            Ok(value) => (format!("{}\n", eval.show(value)), "exp"),
            Err(error) => (diagnostics::render_all(error.diagnostics(), &eval.sources(), style), "err.exp"),
        },
        Err(error) => (diagnostics::render_all(error.diagnostics(), &eval.sources(), style), "err.exp"),
    };
    // Places in the library move with every edit of it; those in the case are what counts.
    (text.replace(&format!("{}/", folder().display()), ""), ending)
}

#[test]
fn every_case_gives_what_is_expected() {
    let mut failed = Vec::new();
    let mut count = 0;
    let mut names: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|p| p.extension().is_some_and(|e| e == "nix")) {
        count += 1;
        let (text, ending) = outcome(path);
        let expected = path.with_extension(ending);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(&text) {
            failed.push(format!("{}: got\n{text}", path.display()));
        }
    }
    assert!(count > 0, "no cases found");
    assert!(failed.is_empty(), "{} of {count} cases differ:\n{}", failed.len(), failed.join("\n"));
}
