//! Errors about options and modules: words, codes, and a label for every definition involved.
//!
//! All of them are of the kind `throw`, as they are in nixpkgs, so that `tryEval` catches them.

use diagnostics::{Diagnostic, Pos, Span};
pub(crate) use diagnostics::{did_you_mean, nearest};
use lang::{Coerce, Error, ErrorKind, Eval, Res, Value};

use crate::definition::{Definition, Raw};
use crate::loc::Loc;

/// Stable codes of the module system's errors.
pub mod code {
    /// A definition of an option that is not declared.
    pub const UNKNOWN_OPTION: &str = "unknown-option";
    /// A definition that is not of the option's type.
    pub const OPTION_TYPE: &str = "option-type";
    /// Definitions of one priority that differ.
    pub const OPTION_CONFLICT: &str = "option-conflict";
    /// Several definitions of an option that takes one.
    pub const OPTION_UNIQUE: &str = "option-unique";
    /// An option that is used and has no value.
    pub const OPTION_UNDEFINED: &str = "option-undefined";
    /// A definition of an option that is set already and read-only.
    pub const OPTION_READ_ONLY: &str = "option-read-only";
    /// Declarations that contradict each other.
    pub const OPTION_DECLARATION: &str = "option-declaration";
    /// Something that is no module where one was expected.
    pub const MODULE: &str = "module";
    /// A module's argument that nobody provides.
    pub const MODULE_ARGUMENT: &str = "module-argument";
    /// An entry of `assertions` that does not hold.
    pub const ASSERTION: &str = "assertion-failed";
    /// An entry of `warnings`.
    pub const WARNING: &str = "warning";
}

/// An error of the module system.
pub(crate) fn error(code: &'static str, message: impl Into<String>) -> Error {
    let mut error = Error::new(ErrorKind::Throw, message);
    error.diagnostic_mut().code = code;
    error
}

/// A module's file for people.
pub(crate) fn file_text<'a>(eval: &Eval<'a>, file: Value<'a>) -> String {
    match eval.coerce(file, Coerce::TO_STRING) {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => "<unknown-file>".to_owned(),
    }
}

/// The file something stands in: what the module says, else where the text is.
pub(crate) fn place_text<'a>(eval: &Eval<'a>, file: Value<'a>, pos: Pos) -> String {
    let said = file_text(eval, file);
    match eval.location(pos) {
        Some(at) if said == "<unknown-file>" => at.file,
        _ => said,
    }
}

/// A value on one line, shortened.
pub(crate) fn brief(eval: &Eval<'_>, value: Value<'_>) -> String {
    brief_text(&show(eval, value))
}

fn show(eval: &Eval<'_>, value: Value<'_>) -> String {
    // What is printed borrows nothing from the evaluator's arena beyond this call.
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.get().to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(n) => n.get().to_string(),
        Value::String(s) => json_string(&s.to_string_lossy()),
        Value::Path(p) => p.to_string_lossy().into_owned(),
        Value::List(l) if l.is_empty() => "[ ]".to_owned(),
        Value::List(l) => {
            let items: Vec<String> = l.iter().take(4).map(|v| show(eval, v.peek())).collect();
            format!("[ {}{} ]", items.join(" "), if l.len() > 4 { " …" } else { "" })
        }
        Value::Attrs(set) if set.is_empty() => "{ }".to_owned(),
        Value::Attrs(set) => show_set(eval, set),
        Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => "a function".to_owned(),
        Value::External(e) => format!("a {}", e.type_name),
        _ => "…".to_owned(),
    }
}

fn show_set(eval: &Eval<'_>, set: &lang::Attrs<'_>) -> String {
    let mut names: Vec<(String, Value<'_>)> =
        set.all().iter().map(|a| (eval.symbols().text(a.name), a.value().peek())).collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    let of = |wanted: &str| names.iter().find(|(n, _)| n == wanted).map(|(_, v)| *v);
    if let (Some(Value::String(kind)), name) = (of("type"), of("name")) {
        if kind.as_bytes() == b"derivation" {
            return match name {
                Some(Value::String(name)) => format!("the package {}", name.to_string_lossy()),
                _ => "a package".to_owned(),
            };
        }
    }
    let shown: Vec<String> = names.iter().take(4).map(|(n, v)| format!("{n} = {};", show(eval, *v))).collect();
    format!("{{ {}{} }}", shown.join(" "), if names.len() > 4 { " …" } else { "" })
}

fn brief_text(text: &str) -> String {
    const LIMIT: usize = 72;
    let line: String = text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(LIMIT + 1).collect();
    if line.chars().count() <= LIMIT {
        return line;
    }
    let cut: String = line.chars().take(LIMIT - 1).collect();
    format!("{cut}…")
}

/// "a list", "an integer"
pub(crate) fn a_type(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a Boolean",
        Value::Int(_) => "an integer",
        Value::Float(_) => "a float",
        Value::String(_) => "a string",
        Value::Path(_) => "a path",
        Value::List(_) => "a list",
        Value::Attrs(_) => "a set",
        Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => "a function",
        Value::External(_) => "an opaque value",
        _ => "a value not evaluated yet",
    }
}

/// A string as JSON writes it.
pub(crate) fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Adds a label (or, without a place, a note) for each definition.
pub(crate) fn with_definitions<'a>(mut error: Error, eval: &Eval<'a>, definitions: &[Definition<'a>]) -> Error {
    // Definitions come in the order of merging; people read texts from top to bottom.
    let mut sorted = definitions.to_vec();
    sorted.sort_by_key(|d| d.pos);
    for d in &sorted {
        let span = eval.name_span(d.pos);
        let shown = brief(eval, d.value.peek());
        if span.start.is_some() {
            error = error.label(span, format!("defined here: {shown}"));
        } else {
            let note = format!("defined in `{}`: {shown}", file_text(eval, d.file));
            error.diagnostic_mut().notes.push(note);
        }
    }
    error
}

/// A definition that should be a set, because options are below it.
pub(crate) fn not_a_set<'a>(eval: &Eval<'a>, loc: Loc<'a>, raw: &Raw<'a>, value: Value<'a>) -> Error {
    let what = a_type(value);
    let message = match loc.last() {
        Some(_) => format!("the option set `{}` was given {what} instead of a set of options", loc.show(eval)),
        None => format!("a module's configuration is {what} instead of a set of options"),
    };
    let definition = Definition::plain(raw.file, raw.pos, value);
    with_definitions(error(code::OPTION_TYPE, message), eval, &[definition])
}

/// "a definition for option `x` is not of type `y`"
pub(crate) fn type_mismatch<'a>(eval: &Eval<'a>, loc: Loc<'a>, description: &str, wrong: &[Definition<'a>]) -> Error {
    let message = format!("a definition for option `{}` is not of type `{description}`", loc.show(eval));
    with_definitions(error(code::OPTION_TYPE, message), eval, wrong)
}

/// "the option `x` has conflicting definition values"
pub(crate) fn conflict<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Error {
    let message = format!("the option `{}` has conflicting definition values", loc.show(eval));
    with_definitions(error(code::OPTION_CONFLICT, message), eval, definitions)
        .hint("use `lib.mkForce value` or `lib.mkDefault value` to change the priority of one of these definitions")
}

/// "the option `x` is defined multiple times while it's expected to be unique"
pub(crate) fn not_unique<'a>(eval: &Eval<'a>, loc: Loc<'a>, advice: &str, definitions: &[Definition<'a>]) -> Error {
    let message = format!("the option `{}` is defined multiple times while it's expected to be unique", loc.show(eval));
    let mut error = error(code::OPTION_UNIQUE, message);
    if !advice.is_empty() {
        error.diagnostic_mut().notes.push(advice.to_owned());
    }
    with_definitions(error, eval, definitions)
        .hint("use `lib.mkForce value` or `lib.mkDefault value` to change the priority of one of these definitions")
}

/// Definitions that no merge rule covers.
pub(crate) fn cannot_merge<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Error {
    let message = format!("cannot merge definitions of `{}`", loc.show(eval));
    with_definitions(error(code::OPTION_CONFLICT, message), eval, definitions)
}

/// "the option `x` was accessed but has no value defined"
pub(crate) fn undefined<'a>(eval: &Eval<'a>, loc: Loc<'a>, declared: &[Pos]) -> Error {
    let message = format!("the option `{}` was accessed but has no value defined", loc.show(eval));
    let mut error = error(code::OPTION_UNDEFINED, message);
    for pos in declared {
        error = error.label(eval.name_span(*pos), "declared here without a default");
    }
    error.hint(format!("set it: `{} = …;`", loc.show(eval)))
}

/// Runs something, naming the option it is done for when it fails and does not name it itself.
pub(crate) fn in_option<'a, T>(eval: &Eval<'a>, loc: Loc<'a>, result: Res<T>) -> Res<T> {
    result.map_err(|error| {
        let name = format!("`{}`", loc.show(eval));
        if error.message().contains(&name) {
            return error;
        }
        let step = format!("while evaluating the option {name}");
        let known = error.diagnostics().next().and_then(|d| d.trace.last()).is_some_and(|last| last.text == step);
        if known { error } else { error.important_step(Span::NONE, step) }
    })
}

/// All diagnostics of an error, with the code of its kind.
pub(crate) fn diagnostics_of(error: &Error) -> Vec<Diagnostic> {
    error.diagnostics().cloned().collect()
}
