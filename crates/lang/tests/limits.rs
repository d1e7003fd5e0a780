//! Deep recursion works to the depth that the language promises and is an error beyond, never a crash.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::rc::Rc;

use bumpalo::Bump;
use lang::io::PureIo;
use lang::{Eval, Settings};

/// The value as it prints, or the error's first line.
fn evaluate(text: &str) -> Result<String, String> {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(PureIo), Settings::default());
    let result = eval.on_large_stack(|| eval.force_deep(eval.eval_string(text, "«string»", "/")?));
    result.map(|value| eval.show(value)).map_err(|e| e.message().to_owned())
}

const OVERFLOW: &str = "stack overflow; possible infinite recursion";

#[test]
fn ten_thousand_nested_calls_work_and_a_million_do_not() {
    let count = |n: u32| format!("let f = n: if n == 0 then 0 else 1 + f (n - 1); in f {n}");
    assert_eq!(evaluate(&count(9_999)), Ok("9999".to_owned()));
    assert_eq!(evaluate(&count(1_000_000)), Err(OVERFLOW.to_owned()));
    assert_eq!(evaluate("let f = x: f x; in f 1"), Err(OVERFLOW.to_owned()));
    assert_eq!(evaluate("let s = { __functor = self: x: self x; }; in s 1"), Err(OVERFLOW.to_owned()));
    assert_eq!(evaluate("let s = { __toString = self: \"${self}\"; }; in \"${s}\""), Err(OVERFLOW.to_owned()));
}

#[test]
fn what_uses_a_deep_value_fails_or_works_but_does_not_crash() {
    let nest = |n: u32| format!("builtins.foldl' (a: x: [ a ]) 0 (builtins.genList (x: x) {n})");
    for use_it in [
        "v: builtins.deepSeq v 1",
        "v: builtins.stringLength (builtins.toJSON v)",
        "v: builtins.stringLength (builtins.toXML v)",
        "v: v == v",
        "v: builtins.stringLength (toString v)",
        "v: builtins.length v",
        "v: v",
    ] {
        let text = format!("({use_it}) ({})", nest(20_000));
        // Whether it works depends on how much stack each step takes.
        let _ = evaluate(&text);
    }
    let equal = format!("({}) == ({})", nest(20_000), nest(20_000));
    let _ = evaluate(&equal);
    let chain = "(builtins.foldl' (a: x: { v = a.v + 1; }) { v = 0; } (builtins.genList (x: x) 200000)).v";
    let _ = evaluate(chain);
    let set = "builtins.foldl' (a: x: { inherit a; }) { } (builtins.genList (x: x) 20000)";
    let _ = evaluate(&format!("builtins.stringLength (builtins.toJSON ({set}))"));
    let json = format!("builtins.fromJSON \"{}{}\"", "[".repeat(50_000), "]".repeat(50_000));
    let _ = evaluate(&json);
}

#[test]
fn values_without_an_end_are_no_crash() {
    for text in [
        "let xs = [ xs ]; ys = [ ys ]; in xs == ys",
        "let xs = [ xs ]; ys = [ ys ]; in xs < ys",
        "let f = n: [ (f (n + 1)) ]; in builtins.toJSON (f 0)",
        "let f = n: [ (f (n + 1)) ]; in builtins.deepSeq (f 0) 1",
        "let xs = [ xs ]; in builtins.toXML xs",
        "let xs = [ xs ]; in toString xs",
        "let s = { outPath = s; }; in \"${s}\"",
        "let s = { __toString = s: s; }; in \"${s}\"",
        "let f = { __functor = self: self; }; in f 1",
    ] {
        assert_eq!(evaluate(text), Err(OVERFLOW.to_owned()), "{text}");
    }
}

#[test]
fn deeply_nested_texts_are_refused_or_understood() {
    for (open, middle, close) in [
        ("[", "1", "]"),
        ("(", "1", ")"),
        ("{ a = ", "1", "; }"),
        ("(x: ", "1", ")"),
        ("\"${", "\"a\"", "}\""),
        ("if true then ", "1", " else 2"),
        ("let a = ", "1", "; in a"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("1 + ", "1", ""),
        ("", "1", " + 1"),
        ("a: ", "1", ""),
        ("with { }; ", "1", ""),
        ("", "f", " x"),
        ("", "{ }", ".a or { }"),
        ("1 -> ", "1", ""),
        ("[ ] ++ ", "[ ]", ""),
        ("''${", "''a''", "}''"),
        ("assert true; ", "1", ""),
        ("{ } // ", "{ }", ""),
        ("\"a\" + ", "\"b\"", ""),
    ] {
        let text = format!("{}{middle}{}", open.repeat(30_000), close.repeat(30_000));
        let _ = evaluate(&text);
        let few = format!("{}{middle}{}", open.repeat(500), close.repeat(500));
        if let Err(error) = evaluate(&few) {
            assert!(!error.contains("nested too deeply"), "{open}{middle}{close}: {error}");
        }
    }
}
