//! Attribute sets and functions' parameters.

use diagnostics::Pos;
use hashbrown::{HashMap, HashSet};
use syntax::Sym;

use crate::attrs::{Attr, Attrs};
use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::{Place, Slot, Value};

pub(super) const TABLE: Table = &[
    ("attrNames", 1, |e, a| {
        let set = e.force_attrs(a[0])?;
        Ok(e.list(e.sorted_attrs(set).into_iter().map(|a| e.sym_string(a.name))))
    }),
    ("attrValues", 1, |e, a| {
        let set = e.force_attrs(a[0])?;
        Ok(e.list(e.sorted_attrs(set).into_iter().map(Attr::value)))
    }),
    ("catAttrs", 2, |e, a| {
        let name = e.attr_name(a[0])?;
        let mut found = Vec::new();
        for item in e.force_list(a[1])?.iter() {
            if let Some(attr) = e.force_attrs(item)?.get(name) {
                found.push(attr.value());
            }
        }
        Ok(e.list(found))
    }),
    ("functionArgs", 1, function_args),
    ("getAttr", 2, |e, a| {
        let name = e.attr_name(a[0])?;
        let set = e.force_attrs(a[1])?;
        match set.get(name) {
            Some(attr) => e.force(attr.value()),
            None => Err(Error::missing_attribute(e, e.symbols().bytes(name), diagnostics::Span::NONE, set)),
        }
    }),
    ("hasAttr", 2, |e, a| {
        let name = e.attr_name(a[0])?;
        Ok(Value::bool(e.force_attrs(a[1])?.get(name).is_some()))
    }),
    ("intersectAttrs", 2, intersect),
    ("listToAttrs", 1, list_to_attrs),
    ("mapAttrs", 2, map_attrs),
    ("removeAttrs", 2, remove),
    ("unsafeGetAttrPos", 2, |e, a| {
        let name = e.attr_name(a[0])?;
        Ok(e.force_attrs(a[1])?.get(name).map_or(Value::Null, |attr| e.position_value(attr.pos)))
    }),
    ("zipAttrsWith", 2, zip_with),
];

fn copied<'a>(attr: &'a Attr<'a>) -> Attr<'a> {
    Attr::new(attr.name, attr.pos, Slot::new(attr.value()))
}

fn sorted<'a>(eval: &Eval<'a>, attrs: Vec<Attr<'a>>) -> Value<'a> {
    if attrs.is_empty() {
        return eval.empty_attrs();
    }
    Value::Attrs(eval.bump().alloc(Attrs::sorted(eval.bump().alloc_slice_fill_iter(attrs))))
}

fn function_args<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let value = eval.force(args[0])?;
    match value {
        Value::Lambda(closure) => {
            let Some(formals) = closure.formals() else { return Ok(eval.empty_attrs()) };
            let mut set = eval.attrs();
            for (name, span, optional) in formals.iter() {
                set.insert(name, span.start, Value::bool(optional));
            }
            Ok(set.finish())
        }
        Value::Native(f) if f.is_derivation() => Ok(eval.attrs().entry("outputs", Value::bool(true)).finish()),
        Value::Native(_) | Value::Partial(_) => Ok(eval.empty_attrs()),
        _ => Err(Error::type_error("'functionArgs' requires a function")),
    }
}

fn intersect<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let left = eval.force_attrs(args[0])?;
    let right = eval.force_attrs(args[1])?;
    let mut kept = Vec::new();
    if left.len() < right.len() {
        kept.extend(left.all().iter().filter_map(|a| right.get(a.name)).map(copied));
    } else {
        kept.extend(right.all().iter().filter(|a| left.get(a.name).is_some()).map(copied));
    }
    Ok(sorted(eval, kept))
}

fn list_to_attrs<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let list = eval.force_list(args[0])?;
    let mut attrs: Vec<Attr<'a>> = Vec::with_capacity(list.len());
    let mut incomplete = Vec::new();
    let need = |set: &'a Attrs<'a>, name: Sym| {
        set.get(name)
            .ok_or_else(|| Error::missing_attribute(eval, eval.symbols().bytes(name), diagnostics::Span::NONE, set))
    };
    for item in list.iter() {
        let set = eval.force_attrs(item)?;
        let name_attr = need(set, eval.names.name)?;
        let name = eval.attr_name(name_attr.value())?;
        // The first of equal names wins; what loses is not even looked into, but must be a set with a name.
        let value = set.get(eval.names.value);
        let slot = match value {
            Some(attr) => Slot::new(attr.value()),
            None => {
                incomplete.push((name, set));
                Slot::new(Value::Unset)
            }
        };
        attrs.push(Attr::new(name, value.map_or(Pos::NONE, |v| v.pos), slot));
    }
    attrs.sort_by_key(|a| a.name);
    attrs.dedup_by_key(|a| a.name);
    let bad = attrs.iter().find(|a| matches!(a.slot.state.get(), Value::Unset));
    if let Some((_, set)) = bad.and_then(|bad| incomplete.iter().find(|(name, _)| *name == bad.name)) {
        return Err(Error::missing_attribute(eval, b"value", diagnostics::Span::NONE, set));
    }
    Ok(sorted(eval, attrs))
}

fn map_attrs<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let set = eval.force_attrs(args[1])?;
    let all = set.all();
    if all.is_empty() {
        return Ok(eval.empty_attrs());
    }
    let calls = &*eval.bump().alloc((args[0].peek(), all, Place::default()));
    let own = &*eval
        .bump()
        .alloc_slice_fill_iter(all.iter().map(|a| Attr::new(a.name, a.pos, Slot::new(Value::MapAttrs(calls)))));
    calls.2.set_attrs(own);
    Ok(Value::Attrs(eval.bump().alloc(Attrs::sorted(own))))
}

fn remove<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let set = eval.force_attrs(args[0])?;
    let names = eval.force_list(args[1])?;
    let mut gone = HashSet::with_capacity(names.len());
    for name in names.iter() {
        gone.insert(eval.attr_name(name)?);
    }
    if !gone.iter().any(|n| set.get(*n).is_some()) {
        return Ok(Value::Attrs(set));
    }
    Ok(sorted(eval, set.all().iter().filter(|a| !gone.contains(&a.name)).map(copied).collect()))
}

fn zip_with<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let f = eval.force_function(args[0])?;
    let mut groups: HashMap<Sym, Vec<Value<'a>>> = HashMap::new();
    for item in eval.force_list(args[1])?.iter() {
        for attr in eval.force_attrs(item)?.all() {
            groups.entry(attr.name).or_default().push(attr.value());
        }
    }
    let mut set = eval.attrs();
    let mut names: Vec<Sym> = groups.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        let values = eval.list(groups.remove(&name).unwrap_or_default());
        let state = Value::Apply2(eval.bump().alloc((f, eval.sym_string(name), values)));
        set.insert_slot(name, Pos::NONE, Slot::new(state));
    }
    Ok(set.finish())
}
