//! Values as a person reads them: evaluated as deep as they are shown, packages by their names, long ones on several
//! lines. Nothing that reads it back: `esker eval` prints expressions.

use lang::{Attrs, Eval, Value};

/// A line longer than this is broken.
const WIDTH: usize = 76;
/// Sets and lists deeper than this are not looked into.
const DEPTH: usize = 5;
/// More parts than this are not shown.
const PARTS: usize = 60;
/// Longer strings are cut, in characters.
const STRING: usize = 600;

/// A value as text of one or more lines.
pub(crate) fn pretty<'a>(eval: &Eval<'a>, value: Value<'a>) -> String {
    shown(eval, value, DEPTH)
}

fn shown<'a>(eval: &Eval<'a>, value: Value<'a>, depth: usize) -> String {
    match eval.force(value) {
        Err(error) => format!("«error: {}»", error.message()),
        Ok(Value::List(list)) if list.is_empty() => "[ ]".to_owned(),
        Ok(Value::List(_)) if depth == 0 => "[ … ]".to_owned(),
        Ok(Value::List(list)) => {
            let mut parts: Vec<String> = list.iter().take(PARTS).map(|item| shown(eval, item, depth - 1)).collect();
            more(&mut parts, list.len());
            enclosed("[", parts, "]")
        }
        Ok(Value::Attrs(set)) => shown_set(eval, set, depth),
        Ok(Value::Lambda(_) | Value::Native(_) | Value::Partial(_)) => "«function»".to_owned(),
        Ok(other) => cut(eval.show(other)),
    }
}

fn shown_set<'a>(eval: &Eval<'a>, set: &'a Attrs<'a>, depth: usize) -> String {
    if set.is_empty() {
        return "{ }".to_owned();
    }
    if eval.is_derivation(set).unwrap_or(false) {
        let name = eval.get(set, "name").and_then(|name| eval.force_str(name.value()).ok());
        return name.map_or_else(|| "«derivation»".to_owned(), |name| format!("«{}»", name.to_string_lossy()));
    }
    if depth == 0 {
        return "{ … }".to_owned();
    }
    if let Some(property) = property(eval, set, depth) {
        return property;
    }
    let mut parts: Vec<String> = eval
        .sorted_attrs(set)
        .into_iter()
        .take(PARTS)
        .map(|attr| {
            format!(
                "{} = {};",
                module::show_path(&[eval.symbols().text(attr.name)]),
                shown(eval, attr.value(), depth - 1)
            )
        })
        .collect();
    more(&mut parts, set.len());
    enclosed("{", parts, "}")
}

/// `mkForce`, `mkIf` and their like around a definition inside of a set.
fn property<'a>(eval: &Eval<'a>, set: &'a Attrs<'a>, depth: usize) -> Option<String> {
    let get = |name: &str| eval.force(eval.get(set, name)?.value()).ok();
    let Value::String(kind) = get("_type")? else { return None };
    let content = |name| Some(shown(eval, get(name)?, depth - 1));
    match kind.as_bytes() {
        b"override" => match get("priority")? {
            Value::Int(50) => Some(format!("mkForce {}", content("content")?)),
            Value::Int(1000) => Some(format!("mkDefault {}", content("content")?)),
            priority => Some(format!("mkOverride {} {}", eval.show(priority), content("content")?)),
        },
        b"if" => Some(format!("mkIf {} {}", content("condition")?, content("content")?)),
        b"order" => Some(format!("mkOrder {} {}", content("priority")?, content("content")?)),
        b"merge" => Some(format!("mkMerge {}", content("contents")?)),
        _ => None,
    }
}

fn more(parts: &mut Vec<String>, all: usize) {
    if all > parts.len() {
        parts.push(format!("… {} more", all - parts.len()));
    }
}

/// On one line where it fits, else a line for each part.
fn enclosed(open: &str, parts: Vec<String>, close: &str) -> String {
    let width: usize = parts.iter().map(|part| part.chars().count() + 1).sum();
    if width < WIDTH && parts.iter().all(|part| !part.contains('\n')) {
        return format!("{open} {} {close}", parts.join(" "));
    }
    let lines: Vec<String> = parts.iter().map(|part| format!("  {}", part.replace('\n', "\n  "))).collect();
    format!("{open}\n{}\n{close}", lines.join("\n"))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(STRING) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_only_what_does_not_fit() {
        assert_eq!(enclosed("[", vec!["1".into(), "2".into()], "]"), "[ 1 2 ]");
        let long = "x".repeat(50);
        assert_eq!(enclosed("[", vec![long.clone(), long.clone()], "]"), format!("[\n  {long}\n  {long}\n]"));
    }
}
