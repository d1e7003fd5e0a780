//! Whether a value is of a native type.
//!
//! Only the value itself is looked at, never what is inside of it: elements are checked as they are merged.

use lang::{Coerce, Eval, Res, Value};

use super::{Kind, Leaf, NativeType, NumberBounds};
use crate::system::System;

impl<'a> NativeType<'a> {
    /// Whether `value`, in weak head normal form, is of the type.
    ///
    /// # Errors
    /// Whatever looking closer runs into.
    pub(crate) fn check(&self, eval: &Eval<'a>, system: &'a System<'a>, value: Value<'a>) -> Res<bool> {
        Ok(match &self.kind {
            Kind::Leaf(leaf) => return check_leaf(*leaf, eval, system, value),
            Kind::IntRange(b) => matches!(value, Value::Int(n) if b.lowest <= n && n <= b.highest),
            Kind::NumberRange(bounds) => check_number(*bounds, value),
            Kind::StrMatching(pattern) => {
                matches!(value, Value::String(_)) && system.matches(eval, *pattern, without_context(eval, value))?
            }
            Kind::Separated(_) => matches!(value, Value::String(_)),
            Kind::Path { absolute, in_store } => return check_path(eval, system, value, *absolute, *in_store),
            Kind::PasswdEntry(elem) => {
                let bad = |s: &[u8]| s.iter().any(|b| matches!(b, b':' | b'\n'));
                elem.get(eval, system)?.check(eval, system, value)?
                    && !matches!(value, Value::String(s) if bad(s.as_bytes()))
            }
            Kind::Enum(values) => return contains(eval, *values, value),
            Kind::List(_) => matches!(value, Value::List(_)),
            Kind::NonEmptyList(_) => matches!(value, Value::List(l) if !l.is_empty()),
            Kind::Attrs { .. } => matches!(value, Value::Attrs(_)),
            Kind::NullOr(elem) => matches!(value, Value::Null) || elem.get(eval, system)?.check(eval, system, value)?,
            Kind::Unique { elem, .. } => elem.get(eval, system)?.check(eval, system, value)?,
            Kind::Either(a, b) => {
                a.get(eval, system)?.check(eval, system, value)? || b.get(eval, system)?.check(eval, system, value)?
            }
            Kind::CoercedTo { from, function, to } => {
                let to = to.get(eval, system)?;
                if from.get(eval, system)?.check(eval, system, value)? {
                    let coerced = eval.call(*function, &[value])?;
                    if to.check(eval, system, coerced)? {
                        return Ok(true);
                    }
                }
                to.check(eval, system, value)?
            }
            Kind::FunctionTo(_) => is_function(eval, system, value)?,
            Kind::Submodule(_) | Kind::Deferred(_) => {
                matches!(value, Value::Attrs(_) | Value::Path(_))
                    || is_function(eval, system, value)?
                    || check_path(eval, system, value, Some(true), None)?
            }
            Kind::AttrTag { tags, .. } => {
                let (Value::Attrs(set), tags) = (value, eval.force_attrs(*tags)?) else { return Ok(false) };
                set.len() == 1 && set.all().iter().all(|a| tags.get(a.name).is_some())
            }
        })
    }
}

fn check_leaf<'a>(leaf: Leaf, eval: &Eval<'a>, system: &System<'a>, value: Value<'a>) -> Res<bool> {
    Ok(match leaf {
        Leaf::Unspecified | Leaf::Raw | Leaf::Anything => true,
        Leaf::Bool | Leaf::BoolByOr => matches!(value, Value::Bool(_)),
        Leaf::Int => matches!(value, Value::Int(_)),
        Leaf::Float => matches!(value, Value::Float(_)),
        Leaf::Str => matches!(value, Value::String(_)),
        Leaf::NonEmptyStr => {
            matches!(value, Value::String(s) if s.as_bytes().iter().any(|b| !matches!(b, b' ' | b'\t' | b'\n')))
        }
        Leaf::SingleLineStr => matches!(value, Value::String(s) if is_single_line(s.as_bytes())),
        Leaf::Attrs => matches!(value, Value::Attrs(_)),
        Leaf::Package => is_derivation(eval, value)? || is_store_path(eval, system, value)?,
        Leaf::ShellPackage => {
            is_derivation(eval, value)?
                && matches!(value, Value::Attrs(set) if set.get(system.names.shell_path).is_some())
        }
        Leaf::OptionType => has_mark(eval, system, value, "option-type")?,
        Leaf::Pkgs => has_mark(eval, system, value, "pkgs")?,
        Leaf::LuaInline => has_mark(eval, system, value, "lua-inline")?,
    })
}

fn check_number(bounds: NumberBounds, value: Value<'_>) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "the language compares integers and floats the same way")]
    let number = match value {
        Value::Int(n) => n as f64,
        Value::Float(n) => n.get(),
        _ => return false,
    };
    match bounds {
        NumberBounds::Between(low, high) => low <= number && number <= high,
        NumberBounds::Nonnegative => number >= 0.0,
        NumberBounds::Positive => number > 0.0,
    }
}

/// At most one newline, at the end.
fn is_single_line(bytes: &[u8]) -> bool {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    !line.iter().any(|b| matches!(b, b'\n' | b'\r'))
}

pub(super) fn is_derivation<'a>(eval: &Eval<'a>, value: Value<'a>) -> Res<bool> {
    match value {
        Value::Attrs(set) => eval.is_derivation(set),
        _ => Ok(false),
    }
}

/// `_type = mark`
pub(super) fn has_mark<'a>(eval: &Eval<'a>, system: &System<'a>, value: Value<'a>, mark: &str) -> Res<bool> {
    let Value::Attrs(set) = value else { return Ok(false) };
    let Some(kind) = set.get(system.names.underscore_type) else { return Ok(false) };
    Ok(matches!(eval.force(kind.value())?, Value::String(s) if s.as_bytes() == mark.as_bytes()))
}

/// A function, or a set with `__functor`.
pub(crate) fn is_function<'a>(eval: &Eval<'a>, system: &System<'a>, value: Value<'a>) -> Res<bool> {
    match value {
        Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => Ok(true),
        Value::Attrs(set) => match set.get(system.names.functor_call) {
            Some(functor) => {
                let inner = eval.call(functor.value(), &[value])?;
                is_function(eval, system, inner)
            }
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// A string, a path, or a set that becomes a string.
pub(crate) fn is_string_like(system: &System<'_>, value: Value<'_>) -> bool {
    match value {
        Value::String(_) | Value::Path(_) => true,
        Value::Attrs(set) => set.get(system.names.out_path).is_some() || set.get(system.names.to_string).is_some(),
        _ => false,
    }
}

fn text_of<'a>(eval: &Eval<'a>, value: Value<'a>) -> Res<String> {
    Ok(eval.coerce(value, Coerce::TO_STRING)?.to_string_lossy().into_owned())
}

/// Directly in the store.
fn is_store_path<'a>(eval: &Eval<'a>, system: &System<'a>, value: Value<'a>) -> Res<bool> {
    if !is_string_like(system, value) {
        return Ok(false);
    }
    let text = text_of(eval, value)?;
    let below = text.strip_prefix(eval.settings().store_dir.as_str()).and_then(|rest| rest.strip_prefix('/'));
    Ok(below.is_some_and(|name| !name.is_empty() && !name.contains('/')))
}

/// In the store, at any depth.
fn in_store(eval: &Eval<'_>, text: &str) -> bool {
    let below = text.strip_prefix(eval.settings().store_dir.as_str()).and_then(|rest| rest.strip_prefix('/'));
    below.is_some_and(|rest| {
        let name = rest.split('/').next().unwrap_or_default();
        name.len() > 33 && name.as_bytes()[32] == b'-' && name[..32].bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn check_path<'a>(
    eval: &Eval<'a>,
    system: &System<'a>,
    value: Value<'a>,
    absolute: Option<bool>,
    wants_store: Option<bool>,
) -> Res<bool> {
    // Outside of the store only a string will do: a path would be copied into it.
    let kind =
        if wants_store == Some(false) { matches!(value, Value::String(_)) } else { is_string_like(system, value) };
    if !kind {
        return Ok(false);
    }
    let text = text_of(eval, value)?;
    Ok(absolute.is_none_or(|wanted| text.starts_with('/') == wanted)
        && wants_store.is_none_or(|wanted| in_store(eval, &text) == wanted))
}

fn contains<'a>(eval: &Eval<'a>, values: Value<'a>, value: Value<'a>) -> Res<bool> {
    for candidate in eval.force_list(values)?.iter() {
        if eval.equal(candidate, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn without_context<'a>(eval: &Eval<'a>, value: Value<'a>) -> Value<'a> {
    match value {
        Value::String(s) if s.context().is_some() => eval.bytes(s.as_bytes()),
        other => other,
    }
}
