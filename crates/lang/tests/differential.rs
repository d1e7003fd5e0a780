//! The corpus that is compared with the reference: `differential/values/*.txt` holds one expression a line,
//! `differential/derivations/*.nix` sets of derivations.
//!
//! `differential/differences.txt` holds those that are meant to give something else, and why.
//!
//! What Esker makes of them stands in `.exp` files (`UPDATE_EXPECT=1` rewrites them). When `ESKER_NIX_REFERENCE` names a
//! folder with the reference's `nix-instantiate`, that evaluates everything too: values must be equal to the byte, what
//! fails must fail, and derivations must have the same paths and the same bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

mod support;

const FEATURES: &[&str] = &["pipe-operators", "parse-toml-timestamps"];

/// What a derivations file is applied to.
const DERIVATIONS: &str = r#"file: builtins.mapAttrs
  (name: d: [ d.drvPath ] ++ map (o: "${o}=${d.${o}.outPath}") (d.drvAttrs.outputs or [ "out" ]))
  (import file {
    d = attrs: derivation ({ name = "n"; builder = "/bin/sh"; system = "x86_64-linux"; } // attrs);
    files = ./tree;
  })"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}

fn files(below: &str, extension: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder().join(below)).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn settings() -> Settings {
    let mut settings = Settings { pure: false, home: Some("/homeless".to_owned()), ..Settings::default() };
    settings.experimental.extend(FEATURES.iter().map(|name| (*name).to_owned()));
    settings
}

fn here() -> String {
    folder().join("files").to_str().unwrap().to_owned()
}

/// A text without this checkout's place.
fn portable(text: &str) -> String {
    text.replace(&here(), "/here").replace(folder().to_str().unwrap(), "/above")
}

/// The value as it prints, or the error's first line; this checkout's folder is left out.
fn evaluate(text: &str) -> Result<String, String> {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), settings());
    let here = here();
    let result = eval.on_large_stack(|| eval.force_deep(eval.eval_string(text, "«string»", &here)?));
    match result {
        Ok(value) => Ok(portable(&eval.show(value))),
        Err(error) => Err(portable(&format!("error: {}", error.message().replace('\n', " ")))),
    }
}

/// The expressions of a file; one that starts with a dash gets a space, or it would be an option.
fn cases(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.map(|l| if l.starts_with('-') { format!(" {l}") } else { l.to_owned() }).collect()
}

/// Compares with the file of expectations, or rewrites it.
fn expect(file: &Path, got: &str, wrong: &mut String) {
    let expected = file.with_extension("exp");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(expected, got).unwrap();
        return;
    }
    let want = std::fs::read_to_string(&expected).unwrap_or_default();
    for (i, (want, got)) in want.lines().zip(got.lines()).enumerate() {
        if want != got {
            writeln!(wrong, "{}:{}\n  want {want}\n  got  {got}", expected.display(), i + 1).unwrap();
        }
    }
    if want.lines().count() != got.lines().count() {
        writeln!(wrong, "{}: another number of lines", expected.display()).unwrap();
    }
}

struct Reference {
    program: PathBuf,
}

impl Reference {
    fn find() -> Option<Self> {
        let bin = std::env::var_os("ESKER_NIX_REFERENCE")?;
        Some(Reference { program: Path::new(&bin).join("nix-instantiate") })
    }

    fn command(&self, store: &str) -> Command {
        let mut command = Command::new(&self.program);
        let features = Settings::EXPERIMENTAL.iter().chain(FEATURES).copied().collect::<Vec<_>>().join(" ");
        command.args(["--eval", "--strict", "--store", store, "--option", "experimental-features", &features]);
        command.current_dir(folder().join("files")).env("HOME", "/homeless").env_remove("NIX_PATH");
        command
    }

    /// Values of all expressions, or nothing when one of them fails.
    fn together(&self, texts: &[String]) -> Option<Vec<String>> {
        let output = self.command("dummy://").arg("-E").args(texts).output().unwrap();
        let shown = portable(&String::from_utf8_lossy(&output.stdout));
        let lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        (output.status.success() && lines.len() == texts.len()).then_some(lines)
    }

    /// The value of each expression, or nothing where it fails. Starting it costs more than most expressions.
    fn values(&self, texts: &[String]) -> Vec<Option<String>> {
        if let Some(lines) = self.together(texts) {
            return lines.into_iter().map(Some).collect();
        }
        if let [_] = texts {
            return vec![None];
        }
        let (left, right) = texts.split_at(texts.len() / 2);
        [self.values(left), self.values(right)].concat()
    }
}

#[test]
fn every_expression_gives_what_it_should() {
    let reference = Reference::find();
    let mut wrong = String::new();
    for file in files("values", "txt") {
        let cases = cases(&file);
        let ours: Vec<Result<String, String>> = cases.iter().map(|c| evaluate(c)).collect();
        let shown: String = ours.iter().map(|r| r.as_ref().unwrap_or_else(|e| e).clone() + "\n").collect();
        expect(&file, &shown, &mut wrong);
        let Some(reference) = &reference else { continue };
        // What fails here mostly fails there: it is asked for one by one.
        let (good, bad): (Vec<usize>, Vec<usize>) = (0..cases.len()).partition(|i| ours[*i].is_ok());
        let mut compare = |indices: &[usize], theirs: &[Option<String>]| {
            for (i, theirs) in indices.iter().zip(theirs) {
                if ours[*i].as_ref().ok() != theirs.as_ref() {
                    let place = file.display();
                    writeln!(wrong, "{place}: {}\n  ours {:?}\n  reference {theirs:?}", cases[*i], ours[*i]).unwrap();
                }
            }
        };
        for indices in good.chunks(50) {
            let texts: Vec<String> = indices.iter().map(|i| cases[*i].clone()).collect();
            compare(indices, &reference.values(&texts));
        }
        for indices in bad.chunks(bad.len().div_ceil(2).max(1)) {
            let theirs: Vec<Option<String>> = std::thread::scope(|scope| {
                let parts = indices.chunks(indices.len().div_ceil(4).max(1));
                let cases = &cases;
                let ask = |part: &[usize]| part.iter().flat_map(|i| reference.values(&cases[*i..=*i])).collect();
                let running: Vec<_> = parts.map(|part| scope.spawn(move || -> Vec<_> { ask(part) })).collect();
                running.into_iter().flat_map(|r| r.join().unwrap()).collect()
            });
            compare(indices, &theirs);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// So many parts of a list or set make the next one be left as text.
const MANY: usize = 70;

/// The text with parts of long lists and sets (`[@ …]`, `{@ …}`) and, with as many bytes, with parts of short ones.
fn long_and_short(text: &str) -> (String, String) {
    let elements = " 0".repeat(MANY);
    let attributes: String = (0..MANY).map(|i| format!(" a{i} = 0;")).collect();
    let blank = |text: &str| " ".repeat(text.len());
    let long = text.replace("[@", &format!("[{elements}")).replace("{@", &format!("{{{attributes}"));
    let short =
        text.replace("[@", &format!("[{}", blank(&elements))).replace("{@", &format!("{{{}", blank(&attributes)));
    (long, short)
}

#[test]
fn what_is_left_as_text_means_what_it_would() {
    let mut wrong = String::new();
    let mut check = |text: &str, known: Option<&str>| {
        let (long, short) = long_and_short(text);
        let ours = evaluate(&long);
        if known.is_some_and(|known| ours.as_deref().unwrap_or_else(|e| e) == known) {
            return;
        }
        let plain = evaluate(&short);
        if ours != plain {
            writeln!(wrong, "{text}\n  left as text {ours:?}\n  as a tree    {plain:?}").unwrap();
        }
    };
    let last = "(l: builtins.elemAt l (builtins.length l - 1))";
    for file in files("values", "txt") {
        let expected = std::fs::read_to_string(file.with_extension("exp")).unwrap();
        for (case, expected) in cases(&file).iter().zip(expected.lines()) {
            check(&format!("{last} [@ (let in ({case})) /* {} */ ]", "-".repeat(40)), Some(expected));
        }
    }
    // The names around: bound by every kind of scope, bound later, found by `with`, hidden, missing.
    for part in [
        "let a = 1; b = a + 1; in LAST [@ (let c = a + b; in [ a c c c (map (x: x + a) [ b c ]) ]) ]",
        "(x: { y, z ? x + y, ... }@all: LAST [@ (let in [ x y z (all.w or 4) (let x = 9; in x + y + z) ]) ]) 1 { y = 2; }",
        "let l = [@ [ (builtins.isList l) later (builtins.isInt l) later later later ] ]; later = 7; in LAST l",
        "rec { a = LAST [@ { inherit a2; b = a2; c = rec { a2 = 1; d = a2; }; e.f.g = a2; } ]; a2 = 5; }.a",
        "with { q = 5; }; LAST [@ (let in [ q q q q q q q q q q q q q q q q q q q q q q q q ]) ]",
        "let w = { q = 5; }; q2 = 6; in LAST [@ (with w; [ q q2 q q2 q q2 q q2 q q2 q q2 q q2 q q2 q q2 ]) ]",
        "let q = 1; in LAST [@ (with { q = 2; r = 3; }; [ q r q r q r q r q r q r q r q r q r q r q r ]) ]",
        "LAST (let __sub = a: b: 7; in [@ (let in [ (5 - 3) (-1) 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 ]) ])",
        "let builtins' = builtins; builtins = { length = x: 9; elemAt = builtins'.elemAt; }; in \
         builtins'.elemAt [@ (let in [ (builtins.length [ ]) 0 0 0 0 0 0 0 0 0 0 0 0 ]) ] 0",
        "LAST [@ (let in [ notThere alsoNotThere 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ]) ]",
        "builtins.length [@ (let in [ notThere 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ]) ] > 0",
        "LAST [@ (let in { a = 1; a = 2; b = 0; c = 0; d = 0; e = 0; f = 0; g = 0; h = 0; i = 0; }) ]",
        "LAST [@ { p = ~/x; q = ./x; r = <nope>; s = 0; t = 0; u = 0; v = 0; w = 0; x = 0; y = 0; } ]",
        "(LAST [@ { p = __curPos; q = 0; r = 0; s = 0; t = 0; u = 0; v = 0; w = 0; x = 0; y = 0; } ]).p",
        "let f = a: b: [ a b ]; in ({@ z = f (let y = 1; in y) [ 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ]; }).z",
        "let f = a: a; in ({@ z = f { x = 1; y = 2; z = 3; a = 4; b = 5; c = 6; d = 7; e = 8; }; z.q = 1; }).z",
        "let f = a: a; in ({@ z = { x = f (f (f (f (f (f (f (f (f (f (f (f (f 1)))))))))))); }; z.q = 1; }).z",
        "let f = a: throw a; in ({@ z = f (builtins.concatStringsSep \"-\" [ \"a\" \"b\" \"c\" \"d\" \"e\" ]); }).z",
    ] {
        check(&part.replace("LAST", last), None);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn known_differences_are_differences() {
    let file = folder().join("differences.txt");
    let cases = cases(&file);
    let ours: Vec<Result<String, String>> = cases.iter().map(|c| evaluate(c)).collect();
    let shown: String = ours.iter().map(|r| r.as_ref().unwrap_or_else(|e| e).clone() + "\n").collect();
    let mut wrong = String::new();
    expect(&file, &shown, &mut wrong);
    if let Some(reference) = Reference::find() {
        for ((case, ours), theirs) in cases.iter().zip(&ours).zip(reference.values(&cases)) {
            if ours.as_ref().ok() == theirs.as_ref() {
                writeln!(wrong, "{case}: no difference any more").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_derivation_has_the_reference_s_path_and_bytes() {
    let reference = Reference::find();
    let store = tempfile::tempdir().unwrap();
    let mut wrong = String::new();
    let mut count = 0;
    for file in files("derivations", "nix") {
        let bump = Bump::new();
        let world = Rc::new(support::LocalIo::quiet());
        let eval = Eval::new(&bump, world.clone(), settings());
        let text = format!("({DERIVATIONS}) {}", file.display());
        let result = eval.on_large_stack(|| eval.force_deep(eval.eval_string(&text, "«string»", &here())?));
        let value = result.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let lang::Value::Attrs(set) = value else { panic!("{}: no set", file.display()) };
        count += set.len();
        // One derivation a line.
        let shown: String = eval
            .sorted_attrs(set)
            .iter()
            .map(|a| format!("{} {}\n", eval.symbols().text(a.name), eval.show(a.value())))
            .collect();
        expect(&file, &shown, &mut wrong);
        let Some(reference) = &reference else { continue };
        let output = reference
            .command(store.path().to_str().unwrap())
            .args(["--read-write-mode", "-E", &text])
            .output()
            .unwrap();
        let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
        if theirs.trim_end() != eval.show(value) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let ours = eval.show(value);
            writeln!(wrong, "{}:\n  ours      {ours}\n  reference {theirs}{stderr}", file.display()).unwrap();
        }
        let dir = eval.store_dir();
        for (path, derivation) in world.derivations.borrow().iter() {
            let physical = store.path().join(format!("nix/store/{path}"));
            let ours = derivation.to_aterm(&dir);
            let theirs = std::fs::read(&physical).unwrap_or_default();
            if ours != theirs {
                let (ours, theirs) = (String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
                writeln!(wrong, "{path}:\n  ours      {ours}\n  reference {theirs}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 150, "only {count} derivations are compared");
}
