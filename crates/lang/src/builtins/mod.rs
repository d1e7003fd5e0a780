//! The builtins, by subject. Each module has a table of names, arities and functions.

mod arithmetic;
mod attrs;
mod control;
pub(crate) mod data;
mod derivation;
pub(crate) mod docs;
mod fetch;
mod flakes;
mod hashes;
mod lists;
mod paths;
mod regex;
mod strings;
mod types;
mod versions;

pub(crate) use lists::int;

use crate::error::Res;
use crate::eval::Eval;
use crate::value::Value;

/// A builtin in Rust.
type Builtin = for<'a> fn(&Eval<'a>, &[Value<'a>]) -> Res<Value<'a>>;

/// Name, arity, function. A name with `__` is global under that name and in `builtins` without it.
type Table = &'static [(&'static str, usize, Builtin)];

/// Names that are global without a prefix.
const GLOBAL: &[&str] = &[
    "abort",
    "baseNameOf",
    "break",
    "derivation",
    "derivationStrict",
    "dirOf",
    "fetchGit",
    "fetchMercurial",
    "fetchTarball",
    "fetchTree",
    "fromTOML",
    "import",
    "isNull",
    "map",
    "placeholder",
    "removeAttrs",
    "scopedImport",
    "throw",
    "toString",
    "true",
    "false",
    "null",
];

/// Builtins that exist with one of these features only.
const FEATURES: &[(&str, &[&str])] = &[
    ("fetchClosure", &["fetch-closure"]),
    ("fetchTree", &["fetch-tree", "flakes"]),
    ("flakeRefToString", &["flakes"]),
    ("getFlake", &["flakes"]),
    ("outputOf", &["dynamic-derivations"]),
    ("parseFlakeRef", &["flakes"]),
];

/// Fills `builtins` and the global names.
pub(crate) fn install(eval: &Eval<'_>) {
    let tables = [
        arithmetic::TABLE,
        attrs::TABLE,
        control::TABLE,
        data::TABLE,
        derivation::TABLE,
        fetch::TABLE,
        flakes::TABLE,
        hashes::TABLE,
        lists::TABLE,
        paths::TABLE,
        regex::TABLE,
        strings::TABLE,
        types::TABLE,
        versions::TABLE,
    ];
    for (name, arity, code) in tables.into_iter().flatten() {
        if !FEATURES
            .iter()
            .filter(|(builtin, _)| builtin == name)
            .all(|(_, any)| any.iter().any(|f| eval.has_feature(f)))
        {
            continue;
        }
        let shown = if GLOBAL.contains(name) { (*name).to_owned() } else { format!("__{name}") };
        let value = eval.native_fn(&shown, *arity, *code);
        add(eval, name, value);
    }
    add(eval, "true", Value::bool(true));
    add(eval, "false", Value::bool(false));
    add(eval, "null", Value::Null);
    add(eval, "langVersion", Value::Int(6));
    add(eval, "nixVersion", eval.string("2.26.3"));
    add(eval, "storeDir", eval.string(&eval.settings().store_dir));
    add(eval, "nixPath", search_path(eval));
    if !eval.settings().pure {
        add(eval, "currentSystem", eval.string(&eval.settings().system));
        if let Some(now) = eval.io().current_time() {
            add(eval, "currentTime", Value::Int(now));
        }
    }
    eval.rebuild_builtins();
}

fn add<'a>(eval: &Eval<'a>, name: &str, value: Value<'a>) {
    eval.add_builtin(eval.sym(name), value);
    let global = if GLOBAL.contains(&name) { name.to_owned() } else { format!("__{name}") };
    eval.add_global(eval.sym(&global), value);
}

fn search_path<'a>(eval: &Eval<'a>) -> Value<'a> {
    let entries = eval.io().search_path().into_iter().map(|(prefix, path)| {
        eval.attrs().entry("path", eval.string(&path)).entry("prefix", eval.string(&prefix)).finish()
    });
    let entries: Vec<Value<'a>> = entries.collect();
    eval.list(entries)
}
