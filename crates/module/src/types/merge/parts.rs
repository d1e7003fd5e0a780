//! Types made of other types: lists, sets, modules, tagged alternatives.

use diagnostics::Pos;
use lang::{Eval, Res, Value};
use syntax::Sym;

use crate::definition::{Definition, Raw};
use crate::errors;
use crate::loc::{Loc, Name};
use crate::merging::{element_value, merged_value, settle};
use crate::system::System;
use crate::types::{Elem, Leaf, Type};

pub(super) fn merge_lists<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    elem: &'a Elem<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let ty = elem.get(eval, system)?;
    let mut items = Vec::new();
    for (n, d) in definitions.iter().enumerate() {
        for (m, item) in eval.force_list(d.value)?.iter().enumerate() {
            let settled = settle(eval, system, [d.part(Pos::NONE, item)])?;
            if !settled.definitions.is_empty() {
                let here = loc.child(eval, Name::Entry(n + 1, m + 1));
                items.push(element_value(eval, system, here, ty, settled.definitions));
            }
        }
    }
    Ok(eval.list(items))
}

pub(super) fn merge_sets<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    (elem, lazy): (&'a Elem<'a>, bool),
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let ty = elem.get(eval, system)?;
    let mut all: Vec<(Sym, Raw<'a>)> = Vec::new();
    for d in definitions {
        let set = eval.force_attrs(d.value)?;
        all.extend(set.all().iter().map(|a| (a.name, d.part(a.pos, a.value()))));
    }
    // Stable: definitions of one name keep their order.
    all.sort_by_key(|(name, _)| *name);
    let mut set = eval.attrs();
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let name = group[0].0;
        let here = loc.attr(eval, name);
        let raws = group.iter().map(|g| g.1);
        let value = if lazy {
            let raws: &'a [Raw<'a>] = eval.bump().alloc_slice_fill_iter(raws.collect::<Vec<_>>());
            eval.lazy(move |eval| lazy_element(eval, system, here, ty, raws))
        } else {
            let settled = settle(eval, system, raws)?;
            if settled.definitions.is_empty() {
                continue;
            }
            element_value(eval, system, here, ty, settled.definitions)
        };
        set.insert(name, group[0].1.pos, value);
    }
    Ok(set.finish())
}

/// A value of `lazyAttrsOf`: one that turns out not to be defined has the type's empty value.
pub(super) fn lazy_element<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    raws: &'a [Raw<'a>],
) -> Res<Value<'a>> {
    let settled = settle(eval, system, raws.iter().copied())?;
    if !settled.definitions.is_empty() {
        return errors::in_option(eval, loc, merged_value(eval, system, loc, ty, settled.definitions));
    }
    if let Some(Value::Attrs(empty)) = ty.attr(eval, system.names.empty_value)? {
        if let Some(value) = empty.get(system.names.value) {
            return Ok(value.value());
        }
    }
    let places: Vec<Pos> = raws.iter().map(|r| r.pos).collect();
    Err(errors::undefined(eval, loc, &places))
}

/// Modules kept for an evaluation elsewhere.
pub(super) fn merge_modules<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    static_modules: Value<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut imports: Vec<Value<'a>> = eval.force_list(static_modules)?.iter().collect();
    let via = loc.show(eval);
    for d in definitions {
        let file = format!("{}, via option {via}", errors::file_text(eval, d.file));
        let mut module = eval.attrs();
        module.insert(system.names.file_attr, Pos::NONE, eval.string(&file));
        module.insert(system.names.imports, Pos::NONE, eval.list([d.value]));
        imports.push(module.finish());
    }
    let mut set = eval.attrs();
    set.insert(system.names.imports, Pos::NONE, eval.list(imports));
    Ok(set.finish())
}

/// One tag, the same in all definitions; its values merge as the tag's option says.
pub(super) fn merge_tagged<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    tags: Value<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let first = eval.force_attrs(definitions[0].value)?.all();
    let [attr] = first else { return Err(errors::cannot_merge(eval, loc, definitions)) };
    let mut raws = Vec::with_capacity(definitions.len());
    for d in definitions {
        match eval.force_attrs(d.value)?.get(attr.name) {
            Some(same) => raws.push(d.part(same.pos, same.value())),
            None => return Err(errors::conflict(eval, loc, definitions)),
        }
    }
    let Some(tag) = eval.force_attrs(tags)?.get(attr.name) else {
        return Err(errors::cannot_merge(eval, loc, definitions));
    };
    let option = eval.force_attrs(tag.value())?;
    let raws: &'a [Raw<'a>] = eval.bump().alloc_slice_copy(&raws);
    let here = loc.attr(eval, attr.name);
    let value = eval.lazy(move |eval| {
        let ty = match option.get(system.names.type_) {
            Some(ty) => Type::decode(eval, system, ty.value())?,
            None => Type::decode(eval, system, crate::types::leaf(eval, system, Leaf::Unspecified))?,
        };
        let settled = settle(eval, system, raws.iter().copied())?;
        let value = merged_value(eval, system, here, ty, settled.definitions)?;
        match option.get(system.names.apply) {
            Some(apply) => eval.call(apply.value(), &[value]),
            None => Ok(value),
        }
    });
    let mut set = eval.attrs();
    set.insert(attr.name, attr.pos, value);
    Ok(set.finish())
}
