//! From raw definitions to a value: decide properties, check the type, join.

use lang::{Eval, Res, Value};

use crate::definition::{Definition, Raw, discharge, select};
use crate::errors;
use crate::loc::Loc;
use crate::system::System;
use crate::types::Type;

/// The definitions that count, and their priority.
#[derive(Clone, Copy)]
pub(crate) struct Settled<'a> {
    pub(crate) definitions: &'a [Definition<'a>],
    pub(crate) highest: i64,
}

/// Decides properties and priorities.
///
/// # Errors
/// When a condition or definition cannot be evaluated.
pub(crate) fn settle<'a>(
    eval: &Eval<'a>,
    system: &System<'a>,
    raws: impl IntoIterator<Item = Raw<'a>>,
) -> Res<Settled<'a>> {
    let mut found = Vec::new();
    for raw in raws {
        discharge(eval, system, raw, &mut found)?;
    }
    let highest = select(&mut found);
    Ok(Settled { definitions: eval.bump().alloc_slice_copy(&found), highest })
}

/// Checks all definitions and joins them; there must be one at least.
///
/// # Errors
/// When a definition is not of the type, when they conflict, or whatever their values run into.
pub(crate) fn merged_value<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    if definitions.iter().any(|d| d.toml.is_some()) {
        let meant = crate::toml::interpret(eval, system, ty, definitions)?;
        return checked_merge(eval, system, loc, ty, &meant);
    }
    checked_merge(eval, system, loc, ty, definitions)
}

fn checked_merge<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut wrong = Vec::new();
    for d in definitions {
        if !ty.check(eval, system, d.value)? {
            wrong.push(*d);
        }
    }
    if !wrong.is_empty() {
        let description = ty.description(eval, system)?;
        let near = ty.native().and_then(|native| native.nearest_value(eval, wrong[0].value));
        let error = errors::type_mismatch(eval, loc, &description, &wrong);
        return Err(match near {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    ty.merge(eval, system, loc, definitions)
}

/// The value of an element (of a list, of a set) that has definitions: at once when nothing needs evaluating for it.
pub(crate) fn element_value<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    definitions: &'a [Definition<'a>],
) -> Value<'a> {
    if let ([only], Type::Native(native)) = (definitions, ty) {
        if only.toml.is_none() && native.admits_as_is(only.value) {
            return only.value;
        }
    }
    eval.lazy(move |eval| errors::in_option(eval, loc, merged_value(eval, system, loc, ty, definitions)))
}
