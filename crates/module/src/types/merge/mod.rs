//! How definitions of native types join.

mod parts;
mod values;

use lang::{Attrs, Bool, Eval, Res, Value};

use crate::definition::Definition;
use crate::errors;
use crate::loc::Loc;
use crate::system::System;
use crate::types::merge::parts::{merge_lists, merge_modules, merge_sets, merge_tagged};
use crate::types::merge::values::{join_strings, merge_anything, merge_functions, merge_option_types, merge_package};
use crate::types::{Elem, Kind, Leaf, NativeType, Type};

pub(crate) use self::values::{merge_default, merge_equal, merge_unique};

impl<'a> NativeType<'a> {
    /// Joins definitions that passed the check; there is one at least.
    ///
    /// # Errors
    /// When they conflict, or whatever their values run into.
    pub(crate) fn merge(
        &'a self,
        eval: &Eval<'a>,
        system: &'a System<'a>,
        loc: Loc<'a>,
        definitions: &[Definition<'a>],
    ) -> Res<Value<'a>> {
        match &self.kind {
            Kind::Leaf(leaf) => merge_leaf(*leaf, eval, system, loc, definitions),
            Kind::IntRange(_) | Kind::NumberRange(_) | Kind::StrMatching(_) | Kind::Path { .. } | Kind::Enum(_) => {
                merge_equal(eval, loc, definitions)
            }
            Kind::Separated(separator) => join_strings(eval, separator, definitions),
            Kind::PasswdEntry(elem) => elem.get(eval, system)?.merge(eval, system, loc, definitions),
            Kind::List(elem) | Kind::NonEmptyList(elem) => merge_lists(eval, system, loc, elem, definitions),
            Kind::Attrs { elem, lazy, .. } => merge_sets(eval, system, loc, (elem, *lazy), definitions),
            Kind::NullOr(elem) => {
                let nulls = definitions.iter().filter(|d| matches!(d.value, Value::Null)).count();
                match nulls {
                    0 => elem.get(eval, system)?.merge(eval, system, loc, definitions),
                    n if n == definitions.len() => Ok(Value::Null),
                    _ => {
                        let message = format!("the option `{}` is defined both null and not null", loc.show(eval));
                        let error = errors::error(errors::code::OPTION_CONFLICT, message);
                        Err(errors::with_definitions(error, eval, definitions))
                    }
                }
            }
            Kind::Unique { message, elem } => match definitions {
                [_] => elem.get(eval, system)?.merge(eval, system, loc, definitions),
                _ => {
                    let advice = eval.force_str(*message)?.to_string_lossy().into_owned();
                    Err(errors::not_unique(eval, loc, &advice, definitions))
                }
            },
            Kind::Either(a, b) => {
                for side in [a, b] {
                    let ty = side.get(eval, system)?;
                    if all_of(eval, system, ty, definitions)? {
                        return ty.merge(eval, system, loc, definitions);
                    }
                }
                merge_unique(eval, loc, "", definitions)
            }
            Kind::CoercedTo { from, function, to } => {
                let from = from.get(eval, system)?;
                let mut coerced = Vec::with_capacity(definitions.len());
                for d in definitions {
                    let value = match from.check(eval, system, d.value)? {
                        true => eval.call(*function, &[d.value])?,
                        false => d.value,
                    };
                    coerced.push(Definition { value, ..*d });
                }
                to.get(eval, system)?.merge(eval, system, loc, &coerced)
            }
            Kind::FunctionTo(elem) => merge_functions(eval, system, loc, elem, definitions),
            Kind::Submodule(spec) => crate::submodule::merge(eval, system, spec, loc, definitions),
            Kind::Deferred(static_modules) => merge_modules(eval, system, loc, *static_modules, definitions),
            Kind::AttrTag { tags, .. } => merge_tagged(eval, system, loc, *tags, definitions),
        }
    }

    /// Whether a single definition of this value is admitted and is its own merge, as far as can be told without
    /// evaluating anything.
    pub(crate) fn admits_as_is(&self, value: Value<'a>) -> bool {
        match &self.kind {
            Kind::Leaf(Leaf::Raw | Leaf::Unspecified) => true,
            Kind::Leaf(Leaf::Anything) => {
                !matches!(value, Value::Attrs(_) | Value::Lambda(_) | Value::Native(_) | Value::Partial(_))
            }
            Kind::Leaf(Leaf::Bool | Leaf::BoolByOr) => matches!(value, Value::Bool(_)),
            Kind::Leaf(Leaf::Int) => matches!(value, Value::Int(_)),
            Kind::Leaf(Leaf::Float) => matches!(value, Value::Float(_)),
            Kind::Leaf(Leaf::Str) | Kind::Separated(_) => matches!(value, Value::String(_)),
            Kind::IntRange(b) => matches!(value, Value::Int(n) if b.lowest <= n && n <= b.highest),
            Kind::NullOr(elem) => matches!(value, Value::Null) || elem.admits_as_is(value),
            Kind::Either(a, b) => a.admits_as_is(value) || (a.refuses(value) && b.admits_as_is(value)),
            _ => false,
        }
    }

    /// Whether a value is certainly not of the type.
    fn refuses(&self, value: Value<'a>) -> bool {
        match &self.kind {
            Kind::Leaf(leaf) => match leaf {
                Leaf::Bool | Leaf::BoolByOr => !matches!(value, Value::Bool(_)),
                Leaf::Int => !matches!(value, Value::Int(_)),
                Leaf::Float => !matches!(value, Value::Float(_)),
                Leaf::Str => !matches!(value, Value::String(_)),
                _ => false,
            },
            Kind::IntRange(b) => !matches!(value, Value::Int(n) if b.lowest <= n && n <= b.highest),
            Kind::Separated(_) => !matches!(value, Value::String(_)),
            Kind::Either(a, b) => a.refuses(value) && b.refuses(value),
            Kind::NullOr(elem) => !matches!(value, Value::Null) && elem.refuses(value),
            _ => false,
        }
    }

    /// For a wrong value of an enumeration, the right ones most like it.
    pub(crate) fn nearest_value(&self, eval: &Eval<'a>, wrong: Value<'a>) -> Option<String> {
        let (Kind::Enum(values), Value::String(text)) = (&self.kind, wrong) else { return None };
        let candidates = eval.force_list(*values).ok()?.iter().filter_map(|v| match eval.force(v) {
            Ok(Value::String(s)) => Some(s.to_string_lossy().into_owned()),
            _ => None,
        });
        let near: Vec<String> =
            errors::nearest(&text.to_string_lossy(), candidates).iter().map(|s| errors::json_string(s)).collect();
        errors::did_you_mean(&near)
    }
}

impl<'a> Elem<'a> {
    fn known_native(&self) -> Option<&'a NativeType<'a>> {
        match self.decoded.get() {
            Some(Type::Native(native)) => Some(native),
            _ => None,
        }
    }

    fn admits_as_is(&self, value: Value<'a>) -> bool {
        self.known_native().is_some_and(|n| n.admits_as_is(value))
    }

    fn refuses(&self, value: Value<'a>) -> bool {
        self.known_native().is_some_and(|n| n.refuses(value))
    }
}

fn all_of<'a>(eval: &Eval<'a>, system: &'a System<'a>, ty: Type<'a>, definitions: &[Definition<'a>]) -> Res<bool> {
    for d in definitions {
        if !ty.check(eval, system, d.value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn merge_leaf<'a>(
    leaf: Leaf,
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    match leaf {
        Leaf::Unspecified => merge_default(eval, system, loc, definitions),
        Leaf::Raw | Leaf::Pkgs => merge_unique(eval, loc, "", definitions),
        Leaf::Anything => merge_anything(eval, system, loc, definitions),
        Leaf::BoolByOr => Ok(Value::bool(definitions.iter().any(|d| matches!(d.value, Value::Bool(Bool::True))))),
        Leaf::SingleLineStr => {
            let value = merge_equal(eval, loc, definitions)?;
            Ok(match value {
                Value::String(s) if s.as_bytes().ends_with(b"\n") => {
                    let elements = s.context().map(|c| c.elements().to_vec()).unwrap_or_default();
                    let text = s.to_string_lossy();
                    eval.string_with_context(text.trim_end_matches('\n'), elements)
                }
                other => other,
            })
        }
        Leaf::Attrs => {
            let mut all: Option<&'a Attrs<'a>> = None;
            for d in definitions {
                let set = eval.force_attrs(d.value)?;
                all = Some(all.map_or(set, |left| eval.update(left, set)));
            }
            Ok(all.map_or_else(|| eval.empty_attrs(), Value::Attrs))
        }
        Leaf::Package => merge_package(eval, loc, definitions),
        Leaf::OptionType => merge_option_types(eval, system, loc, definitions),
        Leaf::Bool | Leaf::Int | Leaf::Float | Leaf::Str | Leaf::NonEmptyStr | Leaf::LuaInline => {
            merge_equal(eval, loc, definitions)
        }
        Leaf::ShellPackage => merge_unique(eval, loc, "", definitions),
    }
}
