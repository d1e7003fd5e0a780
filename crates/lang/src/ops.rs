//! Arithmetic, equality and order.

use std::cmp::Ordering;

use syntax::ast::Op;

use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::print::describe_type;
use crate::value::Value;

impl<'a> Eval<'a> {
    /// `+ - * /` on numbers.
    pub(crate) fn arithmetic(&self, op: Op, lhs: Value<'a>, rhs: Value<'a>) -> Res<Value<'a>> {
        if let (Value::Int(a), Value::Int(b)) = (lhs, rhs) {
            let (result, sign, verb) = match op {
                Op::Add => (a.checked_add(b), '+', "adding"),
                Op::Sub => (a.checked_sub(b), '-', "subtracting"),
                Op::Mul => (a.checked_mul(b), '*', "multiplying"),
                _ if b == 0 => return Err(Error::eval("division by zero")),
                _ => (a.checked_div(b), '/', "dividing"),
            };
            return result
                .map(Value::Int)
                .ok_or_else(|| Error::eval(format!("integer overflow in {verb} {a} {sign} {b}")));
        }
        if op == Op::Div && self.number(rhs, false)? == 0.0 {
            return Err(Error::eval("division by zero"));
        }
        let whole = !matches!(lhs, Value::Float(_)) && !matches!(rhs, Value::Float(_));
        let a = self.number(lhs, whole)?;
        let b = self.number(rhs, whole)?;
        Ok(Value::float(match op {
            Op::Add => a + b,
            Op::Sub => a - b,
            Op::Mul => a * b,
            _ => a / b,
        }))
    }

    #[allow(clippy::cast_precision_loss, reason = "the language converts integers to floats this way")]
    fn number(&self, value: Value<'a>, whole: bool) -> Res<f64> {
        match value {
            Value::Int(n) => Ok(n as f64),
            Value::Float(n) => Ok(n.get()),
            other => Err(Error::expected(self, if whole { "an integer" } else { "a float" }, other)),
        }
    }

    /// `==`
    ///
    /// # Errors
    /// Whatever evaluating the values runs into.
    #[allow(clippy::cast_precision_loss, reason = "the language compares integers with floats this way")]
    pub fn equal(&self, a: Value<'a>, b: Value<'a>) -> Res<bool> {
        let a = self.force(a)?;
        let b = self.force(b)?;
        Ok(match (a, b) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.get() == b.get(),
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => a as f64 == b.get(),
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::String(a), Value::String(b)) | (Value::Path(a), Value::Path(b)) => {
                std::ptr::eq(a, b) || a.as_bytes() == b.as_bytes()
            }
            (Value::List(a), Value::List(b)) => {
                if std::ptr::eq(a, b) {
                    return Ok(true);
                }
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (x, y) in a.iter().zip(b.iter()) {
                    if !same(x, y) && !self.equal_nested(x, y)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Attrs(a), Value::Attrs(b)) => return self.equal_attrs(a, b),
            (Value::External(a), Value::External(b)) => std::ptr::eq(a, b),
            _ => false,
        })
    }

    fn equal_nested(&self, a: Value<'a>, b: Value<'a>) -> Res<bool> {
        self.one_level_down(|| self.equal(a, b))
    }

    fn equal_attrs(&self, a: &'a crate::Attrs<'a>, b: &'a crate::Attrs<'a>) -> Res<bool> {
        if std::ptr::eq(a, b) {
            return Ok(true);
        }
        if self.is_derivation(a)? && self.is_derivation(b)? {
            if let (Some(x), Some(y)) = (a.get(self.names.out_path), b.get(self.names.out_path)) {
                return self.equal(x.value(), y.value());
            }
        }
        if a.len() != b.len() {
            return Ok(false);
        }
        for (x, y) in a.all().iter().zip(b.all()) {
            if x.name != y.name || (!same(x.value(), y.value()) && !self.equal_nested(x.value(), y.value())?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a set has `type = "derivation"`.
    ///
    /// # Errors
    /// Whatever evaluating `type` runs into.
    pub fn is_derivation(&self, set: &'a crate::Attrs<'a>) -> Res<bool> {
        let Some(kind) = set.get(self.names.kind) else { return Ok(false) };
        match self.force(kind.value())? {
            Value::String(s) => Ok(s.as_bytes() == b"derivation"),
            _ => Ok(false),
        }
    }

    /// `<`
    ///
    /// # Errors
    /// When the values cannot be compared.
    pub fn less(&self, a: Value<'a>, b: Value<'a>) -> Res<bool> {
        Ok(self.compare(a, b)? == Ordering::Less)
    }

    #[allow(clippy::cast_precision_loss, reason = "the language compares integers with floats this way")]
    fn compare(&self, a: Value<'a>, b: Value<'a>) -> Res<Ordering> {
        let a = self.force(a)?;
        let b = self.force(b)?;
        // Not-a-number is less than nothing and nothing is less than it.
        let floats = |x: f64, y: f64| if x < y { Ordering::Less } else { Ordering::Greater };
        Ok(match (a, b) {
            (Value::Int(a), Value::Int(b)) => a.cmp(&b),
            (Value::Float(a), Value::Float(b)) => floats(a.get(), b.get()),
            (Value::Int(a), Value::Float(b)) => floats(a as f64, b.get()),
            (Value::Float(a), Value::Int(b)) => floats(a.get(), b as f64),
            (Value::String(a), Value::String(b)) | (Value::Path(a), Value::Path(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::List(a), Value::List(b)) => {
                for (x, y) in a.iter().zip(b.iter()) {
                    if !self.equal_nested(x, y)? {
                        return self.one_level_down(|| self.compare(x, y));
                    }
                }
                a.len().cmp(&b.len())
            }
            (a, b) if a.type_name() == b.type_name() => {
                return Err(Error::eval(format!(
                    "cannot compare {} with {}; values of that type are incomparable",
                    describe_type(a),
                    describe_type(b)
                )));
            }
            (a, b) => {
                return Err(Error::eval(format!("cannot compare {} with {}", describe_type(a), describe_type(b))));
            }
        })
    }
}

/// Whether two values are the same object, which the reference takes for equal without looking inside.
fn same<'a>(a: Value<'a>, b: Value<'a>) -> bool {
    match (a.peek(), b.peek()) {
        (Value::Lambda(a), Value::Lambda(b)) => std::ptr::eq(a, b),
        (Value::Native(a), Value::Native(b)) => std::ptr::eq(a, b),
        (Value::Partial(a), Value::Partial(b)) => std::ptr::eq(a, b),
        (Value::List(a), Value::List(b)) => std::ptr::eq(a, b),
        (Value::Attrs(a), Value::Attrs(b)) => std::ptr::eq(a, b),
        (Value::Thunk(a), Value::Thunk(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}
