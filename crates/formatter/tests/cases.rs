//! `cases/NAME.nix` and how it is formatted, `NAME.exp`. `UPDATE_EXPECT=1` rewrites what is expected.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::fs;
use std::path::Path;

#[test]
fn cases_are_formatted_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_none_or(|extension| extension != "nix") {
            continue;
        }
        count += 1;
        let result = formatter::format(&fs::read_to_string(&source).unwrap()).unwrap();
        let expected = source.with_extension("exp");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &result).unwrap();
        }
        assert_eq!(result, fs::read_to_string(&expected).unwrap(), "{}", source.display());
        assert_eq!(formatter::format(&result).unwrap(), result, "{} changes again", source.display());
    }
    assert!(count >= 9, "only {count} cases");
}

#[test]
fn a_syntax_error_is_an_error_with_its_place() {
    let error = formatter::format("{ a = ; }").unwrap_err();
    let formatter::FormatError::Syntax(error) = error else { panic!("{error}") };
    assert_eq!(error.span.start.0 - formatter::BASE.0, 6);
}

#[test]
fn deep_nesting_is_formatted_or_refused_but_never_a_crash() {
    for (open, close) in [("[", "]"), ("(", ")"), ("{a=", ";}"), ("x: ", ""), ("f (", ")"), ("1 + (", ")")] {
        let text = format!("{}1{}", open.repeat(900), close.repeat(900));
        let once = formatter::format(&text).unwrap();
        assert!(once.len() > 900, "{open}");
    }
    formatter::format(&"(".repeat(100_000)).unwrap_err();
}
