//! Definitions of options that do not exist, with the options most like them.

use diagnostics::Diagnostic;
use lang::{Eval, Value};
use syntax::Sym;

use crate::definition::Definition;
use crate::errors::{self, code};
use crate::level::{Level, Node, Unmatched};
use crate::loc::Name;

/// One diagnostic per undeclared option.
pub(crate) fn diagnostics<'a>(eval: &Eval<'a>, unmatched: &[Unmatched<'a>]) -> Vec<Diagnostic> {
    let mut sorted: Vec<&Unmatched<'a>> = unmatched.iter().collect();
    sorted.sort_by_key(|u| u.level.loc.attr(eval, u.name).texts(eval));
    sorted.into_iter().map(|u| diagnostic(eval, u)).collect()
}

fn diagnostic<'a>(eval: &Eval<'a>, unmatched: &Unmatched<'a>) -> Diagnostic {
    let loc = unmatched.level.loc.attr(eval, unmatched.name);
    let definitions: Vec<Definition<'a>> =
        unmatched.definitions.iter().map(|(_, raw)| Definition::plain(raw.file, raw.pos, raw.value.peek())).collect();
    let mut error = errors::error(code::UNKNOWN_OPTION, format!("the option `{}` does not exist", loc.show(eval)));
    error = errors::with_definitions(error, eval, &definitions);
    if let Some(hint) = hint(eval, unmatched, &definitions) {
        error = error.hint(hint);
    }
    errors::diagnostics_of(&error).swap_remove(0)
}

fn hint<'a>(eval: &Eval<'a>, unmatched: &Unmatched<'a>, definitions: &[Definition<'a>]) -> Option<String> {
    let system = unmatched.level.evaluation.system;
    let declares = definitions.iter().any(|d| match d.value {
        Value::Attrs(set) => set
            .get(system.names.underscore_type)
            .is_some_and(|t| matches!(t.value().peek(), Value::String(s) if s.as_bytes() == b"option")),
        _ => false,
    });
    if declares {
        return Some("to declare an option, put it below `options` rather than `config`".to_owned());
    }
    let wanted = eval.symbols().text(unmatched.name);
    let siblings: Vec<String> = unmatched
        .level
        .entries(eval)
        .ok()?
        .iter()
        .filter(|e| e.name != system.names.module)
        .map(|e| eval.symbols().text(e.name))
        .collect();
    let near = errors::nearest(&wanted, siblings);
    let shown = |path: Vec<String>| crate::loc::show(&path);
    if near.is_empty() {
        return elsewhere(eval, unmatched).and_then(|found| errors::did_you_mean(&found));
    }
    let parent = unmatched.level.loc.texts(eval);
    let names: Vec<String> = near
        .into_iter()
        .map(|name| {
            let mut path = parent.clone();
            path.push(name);
            shown(path)
        })
        .collect();
    errors::did_you_mean(&names)
}

/// Options of the same name at other places, two levels around.
fn elsewhere<'a>(eval: &Eval<'a>, unmatched: &Unmatched<'a>) -> Option<Vec<String>> {
    let root = unmatched.level.evaluation.root(eval).ok()?;
    let mut found = Vec::new();
    search(eval, root, unmatched.name, 3, &mut found);
    found.sort();
    found.truncate(3);
    (!found.is_empty()).then_some(found)
}

fn search<'a>(eval: &Eval<'a>, level: &'a Level<'a>, name: Sym, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = level.entries(eval) else { return };
    for entry in entries {
        if entry.name == name {
            let mut path = level.loc.texts(eval);
            path.push(Name::Attr(name).text(eval));
            found.push(crate::loc::show(&path));
        }
        if let (1.., Ok(Node::Set(below))) = (depth, level.node(eval, entry)) {
            search(eval, below, name, depth - 1, found);
        }
    }
}
