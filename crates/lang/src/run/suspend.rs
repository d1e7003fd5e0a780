//! Making thunks and functions: what is captured, and what needs no thunk.

use syntax::Sym;
use syntax::ast::Op;

use crate::code::{Arithmetic, Code, LambdaCode, Lazy, Operand, Source, ThunkCode};
use crate::error::Run;
use crate::eval::Eval;
use crate::run::Frame;
use crate::value::{Closure, List, Slot, Suspended, Value};

impl<'a> Eval<'a> {
    /// The captured values of a thunk or function.
    fn capture(&self, sources: &'a [Source], frame: &Frame<'_, 'a>) -> &'a [Value<'a>] {
        if sources.is_empty() {
            return &[];
        }
        self.bump().alloc_slice_fill_iter(sources.iter().map(|s| frame.source(*s).peek()))
    }

    #[inline(never)]
    pub(super) fn run_lambda(&self, code: &'a LambdaCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let captures = self.capture(code.captures, frame);
        Ok(Value::Lambda(self.bump().alloc(Closure { code, captures })))
    }

    #[inline(never)]
    fn suspend(&self, code: &'a ThunkCode<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match code.captures.len() {
            0 => Value::Code0(code),
            1 => Value::Code1(self.suspended_with(code, frame)),
            2 => Value::Code2(self.suspended_with(code, frame)),
            3 => Value::Code3(self.suspended_with(code, frame)),
            4 => Value::Code4(self.suspended_with(code, frame)),
            5 => Value::Code5(self.suspended_with(code, frame)),
            6 => Value::Code6(self.suspended_with(code, frame)),
            _ => Value::CodeN(self.bump().alloc((code, self.capture(code.captures, frame)))),
        }
    }

    #[inline(always)]
    fn suspended_with<const N: usize>(&self, code: &'a ThunkCode<'a>, frame: &Frame<'_, 'a>) -> &'a Suspended<'a, N> {
        let sources = &code.captures[..N];
        self.bump()
            .alloc_with(|| Suspended { code, captures: std::array::from_fn(|i| frame.source(sources[i]).peek()) })
    }

    /// What a slot for this expression holds at first.
    #[inline]
    pub(crate) fn state(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match lazy {
            Lazy::Const(v) => *v,
            Lazy::Local(i) => frame.local(i).peek(),
            Lazy::Captured(i) => frame.captures[i].peek(),
            Lazy::Thunk(code) => self.suspend(code, frame),
            Lazy::Arithmetic(a) => self.compute_or_suspend(a, frame),
            Lazy::Now(code) => self.build_now(*code, frame),
        }
    }

    pub(super) fn slot(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Slot<'a> {
        Slot::new(self.state(lazy, frame))
    }

    /// A value for this expression, a new thunk if need be.
    #[inline]
    pub(crate) fn lazy_value(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        self.in_slot(self.state(lazy, frame))
    }

    /// Suspended code gets a slot of its own.
    #[inline]
    pub(crate) fn in_slot(&self, state: Value<'a>) -> Value<'a> {
        if state.is_suspended() { Value::Thunk(self.bump().alloc(Slot::new(state))) } else { state }
    }

    /// Literals and functions: their construction evaluates nothing.
    #[inline(never)]
    fn build_now(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match self.run(code, frame) {
            Ok(value) => value,
            // Not reached by the literals the compiler marks; `<…>` outside of calls takes this way.
            Err(failed) => {
                let error = self.caught(failed);
                self.lazy(move |_| Err(error.clone()))
            }
        }
    }

    #[inline(never)]
    pub(super) fn run_list(&self, items: &'a &'a [Lazy<'a>], frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let items = self.bump().alloc_slice_fill_iter(items.iter().map(|l| self.slot(*l, frame)));
        Ok(Value::List(self.bump().alloc(List { items })))
    }

    #[inline]
    pub(super) fn inherit_state(&self, name: Sym, from: Value<'a>, pos: diagnostics::Pos) -> Value<'a> {
        Value::Inherit(self.bump().alloc((from, name, pos)))
    }

    /// The result of a function for an integer where that takes less than suspending the call: it gives the integer back, a
    /// constant, or a sum of integers that are evaluated.
    pub(crate) fn computed(&self, function: Value<'a>, arg: Value<'a>) -> Option<Value<'a>> {
        let Value::Lambda(closure) = function else { return None };
        let code = closure.code;
        if code.arity != 1 || code.formals.is_some() || self.settings().suspend_literals {
            return None;
        }
        match code.body {
            Code::Local(0) => Some(arg),
            Code::Binary(b) => {
                let operand = |code| {
                    let value = match code {
                        Code::Local(0) => arg,
                        Code::Captured(i) => closure.captures[i].peek(),
                        Code::Const(value) => *value,
                        _ => return None,
                    };
                    if let Value::Int(n) = value { Some(n) } else { None }
                };
                compute(b.op, operand(b.lhs)?, operand(b.rhs)?).map(Value::Int)
            }
            _ => None,
        }
    }

    #[inline(never)]
    fn compute_or_suspend(&self, a: &'a Arithmetic<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match compute_op(a.op, a.lhs, a.rhs, frame) {
            Some(n) => Value::Int(n),
            None => self.suspend(a.thunk, frame),
        }
    }
}

#[inline]
fn compute_operand(operand: Operand<'_>, frame: &Frame<'_, '_>) -> Option<i64> {
    let value = match operand {
        Operand::Int(n) => return Some(n),
        Operand::Local(i) => frame.local(i),
        Operand::Captured(i) => frame.captures[i],
        Operand::Nested((op, lhs, rhs)) => return compute_nested(*op, *lhs, *rhs, frame),
    };
    match value.peek() {
        Value::Int(n) => Some(n),
        _ => None,
    }
}

#[inline(never)]
fn compute_nested(op: Op, lhs: Operand<'_>, rhs: Operand<'_>, frame: &Frame<'_, '_>) -> Option<i64> {
    compute_op(op, lhs, rhs, frame)
}

#[inline]
fn compute_op(op: Op, lhs: Operand<'_>, rhs: Operand<'_>, frame: &Frame<'_, '_>) -> Option<i64> {
    let lhs = compute_operand(lhs, frame)?;
    let rhs = compute_operand(rhs, frame)?;
    compute(op, lhs, rhs)
}

#[inline]
fn compute(op: Op, lhs: i64, rhs: i64) -> Option<i64> {
    match op {
        Op::Add => lhs.checked_add(rhs),
        Op::Sub => lhs.checked_sub(rhs),
        Op::Mul => lhs.checked_mul(rhs),
        _ => None,
    }
}
