//! What kind of value something is.

use crate::builtins::Table;
use crate::error::Res;
use crate::eval::Eval;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("isAttrs", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Attrs(_)))),
    ("isBool", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Bool(_)))),
    ("isFloat", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Float(_)))),
    ("isFunction", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Lambda(_) | Value::Native(_) | Value::Partial(_)))),
    ("isInt", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Int(_)))),
    ("isList", 1, |e, a| is(e, a[0], |v| matches!(v, Value::List(_)))),
    ("isNull", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Null))),
    ("isPath", 1, |e, a| is(e, a[0], |v| matches!(v, Value::Path(_)))),
    ("isString", 1, |e, a| is(e, a[0], |v| matches!(v, Value::String(_)))),
    ("typeOf", 1, |e, a| Ok(e.string(e.force(a[0])?.type_name()))),
];

fn is<'a>(eval: &Eval<'a>, value: Value<'a>, test: fn(Value<'a>) -> bool) -> Res<Value<'a>> {
    eval.force(value).map(|v| Value::bool(test(v)))
}
