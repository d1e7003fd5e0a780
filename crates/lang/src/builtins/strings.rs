//! Strings.

use crate::builtins::Table;
use crate::builtins::int;
use crate::coerce::Coerce;
use crate::context::{Context, Union};
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::string::concat;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("baseNameOf", 1, base_name),
    ("dirOf", 1, dir_of),
    ("concatStringsSep", 2, concat_sep),
    ("replaceStrings", 3, replace),
    ("stringLength", 1, |e, a| Ok(int(e.coerce(a[0], Coerce::INTERPOLATION)?.len()))),
    ("substring", 3, substring),
    ("toString", 1, |e, a| Ok(Value::String(e.coerce(a[0], Coerce::TO_STRING)?))),
];

fn concat_sep<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let separator = eval.force_str(args[0])?;
    let list = eval.force_list(args[1])?;
    let mut context = Union::default();
    context.add(separator.context());
    let mut parts: Vec<&[u8]> = Vec::with_capacity(list.len() * 2);
    for (i, item) in list.iter().enumerate() {
        let text = eval.coerce(item, Coerce::INTERPOLATION)?;
        context.add(text.context());
        if i > 0 && !separator.is_empty() {
            parts.push(separator.as_bytes());
        }
        parts.push(text.as_bytes());
    }
    Ok(eval.arena_string(concat(eval.bump(), &parts), context.finish(eval.bump())))
}

fn substring<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let start = eval.force_int(args[0])?;
    let len = eval.force_int(args[1])?;
    let Ok(start) = usize::try_from(start) else {
        return Err(Error::eval("negative start position in 'substring'"));
    };
    let text = eval.coerce(args[2], Coerce::INTERPOLATION)?;
    let bytes = text.as_bytes();
    let start = start.min(bytes.len());
    let end = usize::try_from(len).map_or(bytes.len(), |n| start.saturating_add(n).min(bytes.len()));
    Ok(eval.arena_string(&bytes[start..end], text.context()))
}

fn replace<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let from = eval.force_list(args[0])?;
    let to = eval.force_list(args[1])?;
    if from.len() != to.len() {
        return Err(Error::eval("'from' and 'to' arguments passed to builtins.replaceStrings have different lengths"));
    }
    let from = from.iter().map(|f| eval.force_str(f).map(|s| s.as_bytes())).collect::<Res<Vec<_>>>()?;
    let to: Vec<Value<'a>> = to.iter().collect();
    let text = eval.force_str(args[2])?;
    let input = text.as_bytes();
    let mut context = text.context();
    let mut replacements: Vec<Option<&'a [u8]>> = vec![None; to.len()];
    let mut first = [false; 256];
    let mut has_empty = false;
    for f in &from {
        match f.first() {
            Some(b) => first[*b as usize] = true,
            None => has_empty = true,
        }
    }
    let mut out: Vec<u8> = Vec::with_capacity(input.len());
    let mut at = 0;
    while at <= input.len() {
        let candidate = has_empty || input.get(at).is_some_and(|b| first[*b as usize]);
        let hit = if candidate { from.iter().position(|f| input[at..].starts_with(f)) } else { None };
        let Some(i) = hit else {
            if let Some(b) = input.get(at) {
                out.push(*b);
            }
            at += 1;
            continue;
        };
        let with = match replacements[i] {
            Some(with) => with,
            None => {
                let with = eval.force_str(to[i])?;
                context = Context::union(eval.bump(), context, with.context());
                replacements[i] = Some(with.as_bytes());
                with.as_bytes()
            }
        };
        out.extend_from_slice(with);
        // An empty pattern matches before every byte and at the end.
        if from[i].is_empty() {
            if let Some(b) = input.get(at) {
                out.push(*b);
            }
            at += 1;
        } else {
            at += from[i].len();
        }
    }
    Ok(eval.arena_string(eval.bump().alloc_slice_copy(&out), context))
}

fn base_name<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = eval.coerce(args[0], Coerce::PATH_SEGMENT)?;
    let bytes = text.as_bytes();
    // One slash at the end does not count.
    let end = bytes.len() - usize::from(bytes.len() > 1 && bytes.ends_with(b"/"));
    let start = bytes[..end].iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
    Ok(eval.arena_string(&bytes[start..end], text.context()))
}

fn dir_of<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let value = eval.force(args[0])?;
    if let Value::Path(path) = value {
        let bytes = path.as_bytes();
        let end = bytes.iter().rposition(|b| *b == b'/').unwrap_or(0).max(1);
        return Ok(eval.path_value(&bytes[..end]));
    }
    let text = eval.coerce(value, Coerce::PATH_SEGMENT)?;
    let bytes = text.as_bytes();
    let dir: &[u8] = match bytes.iter().rposition(|b| *b == b'/') {
        None => b".",
        Some(i) => match bytes[..i].iter().rposition(|b| *b != b'/') {
            None => b"/",
            Some(last) => &bytes[..=last],
        },
    };
    Ok(eval.arena_string(eval.bump().alloc_slice_copy(dir), text.context()))
}
