//! Operators between two operands.

use syntax::ast::Op;

use crate::code::{BinaryCode, Code};
use crate::coerce::Coerce;
use crate::context::Context;
use crate::error::{Error, Failed, Res, Run};
use crate::eval::Eval;
use crate::run::Frame;
use crate::string::Str;
use crate::value::{List, Slot, Value};

impl<'a> Eval<'a> {
    /// Integers are at hand here, everything else is a call away.
    #[inline(never)]
    pub(super) fn run_binary(&self, code: &'a BinaryCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        match code.op {
            Op::And | Op::Or | Op::Implies => return self.run_logical(code, frame),
            Op::Update => return self.run_update(code, frame),
            _ => {}
        }
        let lhs = self.operand(code.lhs, frame)?;
        let rhs = match self.operand(code.rhs, frame) {
            Ok(rhs) => rhs,
            Err(failed) => return Err(self.left_first(code, lhs, failed)),
        };
        if let (Value::Int(a), Value::Int(b)) = (lhs, rhs) {
            let exact = match code.op {
                Op::Add => a.checked_add(b),
                Op::Sub => a.checked_sub(b),
                Op::Mul => a.checked_mul(b),
                Op::Div => a.checked_div(b),
                Op::Eq => return Ok(Value::bool(a == b)),
                Op::Ne => return Ok(Value::bool(a != b)),
                Op::Lt => return Ok(Value::bool(a < b)),
                Op::Le => return Ok(Value::bool(a <= b)),
                Op::Gt => return Ok(Value::bool(a > b)),
                Op::Ge => return Ok(Value::bool(a >= b)),
                _ => None,
            };
            if let Some(n) = exact {
                return Ok(Value::Int(n));
            }
        }
        self.run_operator(code, lhs, rhs)
    }

    /// `a // b`; a `b` that is written out is never made on its own.
    #[inline(never)]
    fn run_update(&self, code: &'a BinaryCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let lhs = self.operand(code.lhs, frame)?;
        if let (Value::Attrs(left), Code::Attrs(right)) = (lhs, code.rhs) {
            if let Some(set) = self.update_with(left, right, frame) {
                return Ok(Value::Attrs(set));
            }
        }
        match self.operand(code.rhs, frame) {
            Ok(rhs) => self.run_operator(code, lhs, rhs),
            Err(failed) => Err(self.left_first(code, lhs, failed)),
        }
    }

    /// `+` and `//` look at their left side before they evaluate the right one: if both are wrong, it is the left one's
    /// error.
    #[cold]
    fn left_first(&self, code: &BinaryCode<'a>, lhs: Value<'a>, failed: Failed) -> Failed {
        let left = match (code.op, lhs) {
            (Op::Add, Value::Int(_) | Value::Float(_) | Value::Path(_)) => None,
            (Op::Add, _) => self.coerce(lhs, Coerce::CONCATENATION).err(),
            (Op::Update, Value::Attrs(_)) => None,
            (Op::Update, _) => Some(Error::expected(self, "a set", lhs)),
            _ => None,
        };
        match left {
            Some(error) => {
                self.caught(failed);
                self.fail(error.at_span(code.span()))
            }
            None => failed,
        }
    }

    #[inline(never)]
    fn run_logical(&self, code: &'a BinaryCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let lhs = self.operand(code.lhs, frame)?;
        match (code.op, self.condition(lhs, code.span())?) {
            (Op::And, false) => return Ok(Value::bool(false)),
            (Op::Or, true) | (Op::Implies, false) => return Ok(Value::bool(true)),
            _ => {}
        }
        let rhs = self.operand(code.rhs, frame)?;
        Ok(Value::bool(self.condition(rhs, code.span())?))
    }

    /// Any operator, on values that are evaluated.
    #[inline(never)]
    fn run_operator(&self, code: &'a BinaryCode<'a>, lhs: Value<'a>, rhs: Value<'a>) -> Run<Value<'a>> {
        let result = match (code.op, lhs, rhs) {
            (Op::Eq, ..) => self.equal(lhs, rhs).map(Value::bool),
            (Op::Ne, ..) => self.equal(lhs, rhs).map(|b| Value::bool(!b)),
            (Op::Lt, ..) => self.less(lhs, rhs).map(Value::bool),
            (Op::Gt, ..) => self.less(rhs, lhs).map(Value::bool),
            (Op::Le, ..) => self.less(rhs, lhs).map(|b| Value::bool(!b)),
            (Op::Ge, ..) => self.less(lhs, rhs).map(|b| Value::bool(!b)),
            (Op::Update, Value::Attrs(a), Value::Attrs(b)) => Ok(Value::Attrs(a.update(self.bump(), b))),
            (Op::Update, Value::Attrs(_), other) | (Op::Update, other, _) => Err(Error::expected(self, "a set", other)),
            (Op::Concat, Value::List(a), Value::List(b)) => Ok(self.concat_two(a, b)),
            (Op::Concat, Value::List(_), other) | (Op::Concat, other, _) => Err(Error::expected(self, "a list", other)),
            (Op::Add, ..) => self.add(lhs, rhs),
            (op, ..) => self.arithmetic(op, lhs, rhs),
        };
        self.kept(result.map_err(|e| e.at_span(code.span())))
    }

    fn concat_two(&self, a: &'a List<'a>, b: &'a List<'a>) -> Value<'a> {
        if a.is_empty() {
            return Value::List(b);
        }
        if b.is_empty() {
            return Value::List(a);
        }
        let mut items = a.items.iter().chain(b.items).map(|s| Slot::new(s.value()));
        let len = a.len() + b.len();
        // A chain does not know its exact length to the type system.
        self.slots(self.bump().alloc_slice_fill_with(len, |_| items.next().unwrap_or_else(|| Slot::new(Value::Null))))
    }

    /// `+` on values that are evaluated.
    fn add(&self, lhs: Value<'a>, rhs: Value<'a>) -> Res<Value<'a>> {
        match (lhs, rhs) {
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => self.arithmetic(Op::Add, lhs, rhs),
            (Value::Int(_) | Value::Float(_), other) => Err(Error::eval(format!(
                "cannot add {} to {}",
                crate::print::describe_type(other),
                crate::print::describe_type(lhs)
            ))),
            (Value::Path(path), _) => {
                let right = self.coerce(rhs, Coerce::PATH_SEGMENT)?;
                if right.context().is_some() {
                    return Err(Error::eval("a string that refers to a store path cannot be appended to a path"));
                }
                let mut bytes = path.as_bytes().to_vec();
                bytes.extend_from_slice(right.as_bytes());
                Ok(self.path_value(&crate::paths::normalise(&bytes)))
            }
            _ => {
                let left = self.coerce(lhs, Coerce::CONCATENATION)?;
                let right = self.coerce(rhs, Coerce::CONCATENATION)?;
                let context = Context::union(self.bump(), left.context(), right.context());
                Ok(Value::String(self.bump().alloc(Str::append(self.bump(), left, right, context))))
            }
        }
    }
}
