//! Types that no other types make up: equal values, joined texts, functions, packages.

use diagnostics::Pos;
use lang::{Error, Eval, Res, Value};
use syntax::Sym;

use crate::definition::{Definition, Raw};
use crate::errors;
use crate::loc::{Loc, Name};
use crate::merging::{merged_value, settle};
use crate::system::System;
use crate::types::check::{is_derivation, is_string_like};
use crate::types::merge::merge_leaf;
use crate::types::merge::parts::merge_sets;
use crate::types::{Elem, Leaf, Type};

/// Several definitions, if they are equal.
///
/// # Errors
/// When they differ.
pub(crate) fn merge_equal<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    let [first, rest @ ..] = definitions else { return Err(Error::eval("nothing to merge")) };
    for d in rest {
        if !eval.equal(first.value, d.value)? {
            return Err(errors::conflict(eval, loc, definitions));
        }
    }
    Ok(first.value)
}

/// The only definition.
///
/// # Errors
/// When there are several.
pub(crate) fn merge_unique<'a>(
    eval: &Eval<'a>,
    loc: Loc<'a>,
    advice: &str,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    match definitions {
        [only] => Ok(only.value),
        _ => Err(errors::not_unique(eval, loc, advice, definitions)),
    }
}

/// What an option without a type does: joins functions, lists, sets, booleans, strings, equal integers.
///
/// # Errors
/// When the definitions are of different kinds.
pub(crate) fn merge_default<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    if let [only] = definitions {
        return Ok(only.value);
    }
    let all = |is: fn(Value<'a>) -> bool| definitions.iter().all(|d| is(d.value));
    if all(|v| matches!(v, Value::Lambda(_) | Value::Native(_) | Value::Partial(_))) {
        let kept = eval.bump().alloc_slice_copy(definitions);
        return Ok(eval.native_fn("merged function", 1, move |eval, args| {
            let mut results = Vec::with_capacity(kept.len());
            for d in &*kept {
                results.push(Definition { value: eval.call(d.value, &args[..1])?, ..*d });
            }
            merge_default(eval, system, loc, &results)
        }));
    }
    if all(|v| matches!(v, Value::List(_))) {
        let mut items = Vec::new();
        for d in definitions {
            items.extend(eval.force_list(d.value)?.iter());
        }
        return Ok(eval.list(items));
    }
    if all(|v| matches!(v, Value::Attrs(_))) {
        return merge_leaf(Leaf::Attrs, eval, system, loc, definitions);
    }
    if all(|v| matches!(v, Value::Bool(_))) {
        return merge_leaf(Leaf::BoolByOr, eval, system, loc, definitions);
    }
    if all(|v| matches!(v, Value::String(_))) {
        return join_strings(eval, "", definitions);
    }
    if all(|v| matches!(v, Value::Int(_))) {
        if let Ok(value) = merge_equal(eval, loc, definitions) {
            return Ok(value);
        }
    }
    Err(errors::cannot_merge(eval, loc, definitions))
}

/// Strings with a separator, their contexts joined.
pub(super) fn join_strings<'a>(eval: &Eval<'a>, separator: &str, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    if let [only] = definitions {
        return Ok(only.value);
    }
    let mut text = Vec::new();
    let mut elements = Vec::new();
    for (i, d) in definitions.iter().enumerate() {
        if i > 0 {
            text.extend_from_slice(separator.as_bytes());
        }
        let part = eval.force_str(d.value)?;
        text.extend_from_slice(part.as_bytes());
        elements.extend(part.context().into_iter().flat_map(|c| c.elements().iter().copied()));
    }
    match (elements.is_empty(), String::from_utf8(text)) {
        (true, Ok(text)) => Ok(eval.string(&text)),
        (true, Err(bytes)) => Ok(eval.bytes(bytes.as_bytes())),
        (false, Ok(text)) => Ok(eval.string_with_context(&text, elements)),
        (false, Err(_)) => Err(Error::eval("a string that refers to the store is not UTF-8")),
    }
}

/// Sets join recursively; packages are taken as they are; the rest must be equal.
pub(super) fn merge_anything<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let kind_of = |v: Value<'a>| match v {
        Value::Attrs(_) if is_string_like(system, v) => "a package or the like",
        other => errors::a_type(other),
    };
    let kind = kind_of(definitions[0].value);
    if definitions.iter().any(|d| kind_of(d.value) != kind) {
        let message = format!("the option `{}` has conflicting option types", loc.show(eval));
        let error = errors::error(errors::code::OPTION_CONFLICT, message);
        return Err(errors::with_definitions(error, eval, definitions));
    }
    match definitions[0].value {
        Value::Attrs(_) if kind != errors::a_type(definitions[0].value) => merge_unique(eval, loc, "", definitions),
        Value::Attrs(_) => {
            let elem = eval.bump().alloc(Elem::new(crate::types::leaf(eval, system, Leaf::Anything)));
            merge_sets(eval, system, loc, (elem, false), definitions)
        }
        Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => {
            let kept = eval.bump().alloc_slice_copy(definitions);
            Ok(eval.native_fn("merged function", 1, move |eval, args| {
                let mut results = Vec::with_capacity(kept.len());
                for d in &*kept {
                    results.push(Definition { value: eval.call(d.value, &args[..1])?, ..*d });
                }
                merge_anything(eval, system, loc.child(eval, Name::FunctionBody), &results)
            }))
        }
        _ => merge_equal(eval, loc, definitions),
    }
}

/// A path or plain string becomes a set that looks like a derivation.
pub(super) fn merge_package<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    let value = merge_unique(eval, loc, "", definitions)?;
    if is_derivation(eval, value)? {
        return Ok(value);
    }
    let text = eval.coerce(value, lang::Coerce::TO_STRING)?;
    if matches!(value, Value::String(_)) && text.context().is_some() || matches!(value, Value::Attrs(_)) {
        return Ok(value);
    }
    let path: &'a str = eval.bump().alloc_str(&text.to_string_lossy());
    let name = path.rsplit('/').next().and_then(|base| base.get(33..)).unwrap_or("unnamed");
    let in_store = path.starts_with(eval.settings().store_dir.as_str());
    let context = if in_store { vec![lang::Element::Opaque(path)] } else { Vec::new() };
    let set = eval
        .attrs()
        .entry("type", eval.string("derivation"))
        .entry("name", eval.string(name))
        .entry("outPath", eval.string_with_context(path, context))
        .entry("outputs", eval.list([eval.string("out")]))
        .entry("outputName", eval.string("out"))
        .finish_attrs();
    let out = eval.lazy(move |_| Ok(Value::Attrs(set)));
    let own = eval.attrs().entry("out", out).finish_attrs();
    Ok(Value::Attrs(eval.update(set, own)))
}

/// Types of an option declared through an option, unified.
pub(super) fn merge_option_types<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut merged = Type::decode(eval, system, definitions[0].value)?;
    for d in &definitions[1..] {
        let next = Type::decode(eval, system, d.value)?;
        merged = match merged.unify(eval, system, next)? {
            Some(ty) => ty,
            None => return Err(errors::conflict(eval, loc, definitions)),
        };
    }
    Ok(merged.value())
}

/// A function whose results are merged; its formal arguments are those of all definitions.
pub(super) fn merge_functions<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    elem: &'a Elem<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let kept = eval.bump().alloc_slice_copy(definitions);
    let mut formals: Vec<(Sym, bool)> = Vec::new();
    for d in definitions {
        for (name, has_default) in crate::functions::formals(eval, system, d.value)? {
            match formals.iter_mut().find(|f| f.0 == name) {
                Some(known) => known.1 &= has_default,
                None => formals.push((name, has_default)),
            }
        }
    }
    let mut args = eval.attrs();
    for (name, has_default) in formals {
        args.insert(name, Pos::NONE, Value::bool(has_default));
    }
    let call = eval.native_fn("merged function", 2, move |eval, args| {
        let body = loc.child(eval, Name::FunctionBody);
        let results = kept.iter().map(|d| Raw::new(d.file, d.pos, eval.lazy_call(d.value, args[1])));
        let settled = settle(eval, system, results.collect::<Vec<_>>())?;
        merged_value(eval, system, body, elem.get(eval, system)?, settled.definitions)
    });
    let mut set = eval.attrs();
    set.insert(system.names.function_args, Pos::NONE, args.finish());
    set.insert(system.names.functor_call, Pos::NONE, call);
    Ok(set.finish())
}
