//! Numbers and comparison.

use syntax::ast::Op;

use crate::builtins::Table;
use crate::error::Res;
use crate::eval::Eval;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("add", 2, |e, a| binary(e, Op::Add, a)),
    ("sub", 2, |e, a| binary(e, Op::Sub, a)),
    ("mul", 2, |e, a| binary(e, Op::Mul, a)),
    ("div", 2, |e, a| binary(e, Op::Div, a)),
    ("bitAnd", 2, |e, a| Ok(Value::Int(e.force_int(a[0])? & e.force_int(a[1])?))),
    ("bitOr", 2, |e, a| Ok(Value::Int(e.force_int(a[0])? | e.force_int(a[1])?))),
    ("bitXor", 2, |e, a| Ok(Value::Int(e.force_int(a[0])? ^ e.force_int(a[1])?))),
    ("ceil", 1, |e, a| round(e, a[0], f64::ceil)),
    ("floor", 1, |e, a| round(e, a[0], f64::floor)),
    ("lessThan", 2, |e, a| e.less(a[0], a[1]).map(Value::bool)),
];

fn binary<'a>(eval: &Eval<'a>, op: Op, args: &[Value<'a>]) -> Res<Value<'a>> {
    let lhs = eval.force(args[0])?;
    let rhs = eval.force(args[1])?;
    eval.arithmetic(op, lhs, rhs)
}

/// Integers too go through floats in the reference, and what does not fit becomes the lowest integer.
fn round<'a>(eval: &Eval<'a>, value: Value<'a>, f: fn(f64) -> f64) -> Res<Value<'a>> {
    let rounded = f(eval.force_float(value)?);
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
    #[allow(clippy::cast_possible_truncation, reason = "range checked")]
    Ok(Value::Int(if fits { rounded as i64 } else { i64::MIN }))
}
