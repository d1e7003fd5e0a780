//! `match` and `split`.

use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::regex::Groups;
use crate::value::{Slot, Value};

pub(super) const TABLE: Table = &[("match", 2, match_whole), ("split", 2, split)];

fn compiled<'a>(eval: &Eval<'a>, source: Value<'a>) -> Res<std::rc::Rc<crate::regex::Expression>> {
    let source = eval.force_plain(source)?;
    eval.regexes
        .get(source)
        .ok_or_else(|| Error::eval(format!("invalid regular expression '{}'", String::from_utf8_lossy(source))))
}

fn groups<'a>(eval: &Eval<'a>, text: &'a [u8], groups: &Groups) -> Value<'a> {
    eval.list(groups[1..].iter().map(|g| match g {
        Some((start, end)) => eval.arena_string(&text[*start..*end], None),
        None => Value::Null,
    }))
}

fn match_whole<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let expression = compiled(eval, args[0])?;
    let text = eval.force_str(args[1])?.as_bytes();
    Ok(match expression.match_whole(text) {
        Some(found) => groups(eval, text, &found),
        None => Value::Null,
    })
}

fn split<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let expression = compiled(eval, args[0])?;
    let input = eval.force_str(args[1])?;
    let text = input.as_bytes();
    let mut matches = Vec::new();
    // One for each match, if the expression has groups at all.
    let mut found_groups = Vec::new();
    let mut from = 0;
    while from <= text.len() {
        let Some(found) = expression.find(text, from) else { break };
        let (start, end) = found[0].unwrap_or((text.len(), text.len()));
        matches.push((start, end));
        if found.len() > 1 {
            found_groups.push(groups(eval, text, &found));
        }
        // An empty match moves on by one byte, or it would be found again.
        from = if end > start { end } else { end + 1 };
    }
    if matches.is_empty() {
        return Ok(eval.list([Value::String(input)]));
    }
    let mut done = 0;
    Ok(eval.slots(eval.bump().alloc_slice_fill_with(2 * matches.len() + 1, |i| {
        if i % 2 == 1 {
            return Slot::new(found_groups.get(i / 2).copied().unwrap_or(eval.empty_list()));
        }
        let (start, end) = matches.get(i / 2).copied().unwrap_or((text.len(), text.len()));
        let between = eval.arena_string(&text[done..start], None);
        done = end;
        Slot::new(between)
    })))
}
