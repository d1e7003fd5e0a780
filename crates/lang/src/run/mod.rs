//! The interpreter: code and an activation to a value in weak head normal form.
//!
//! Here is the loop over the kinds of code; what each does stands in the files beside. Functions of the machine return
//! [`Run`], which fits in two registers, and leave their error in the evaluator.

mod operators;
mod select;
mod sets;
mod suspend;
mod text;

use std::cell::Cell;

use diagnostics::{Label, Span};
use syntax::ast::Op;

use crate::code::{AssertCode, BinaryCode, Code, IfCode, Source, ThunkCode, UnreadCode};
use crate::compile::compile_part;
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Failed, Run};
use crate::eval::Eval;
use crate::value::Value;

/// What parsing the deepest nesting takes.
const PARSER_STACK: usize = 4 * 1024 * 1024;

/// One run of a function or thunk body.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'f, 'a> {
    pub(crate) locals: &'f [Cell<Value<'a>>],
    pub(crate) captures: &'a [Value<'a>],
}

impl<'a> Frame<'_, 'a> {
    #[inline]
    fn local(&self, slot: usize) -> Value<'a> {
        self.locals[slot].get()
    }

    #[inline]
    fn set(&self, slot: u32, value: Value<'a>) {
        self.locals[slot as usize].set(value);
    }

    #[inline]
    fn source(&self, source: Source) -> Value<'a> {
        match source {
            Source::Local(i) => self.local(i as usize),
            Source::Captured(i) => self.captures[i as usize],
        }
    }
}

/// Runs `body` with `count` local slots on the native stack (on the heap when there are many).
#[inline]
pub(crate) fn with_locals<'a, T>(count: u32, body: impl FnOnce(&[Cell<Value<'a>>]) -> T) -> T {
    match count {
        0 => body(&[]),
        1..=4 => on_stack::<4, T>(body),
        5..=8 => on_stack::<8, T>(body),
        9..=16 => on_stack::<16, T>(body),
        n => on_heap(n as usize, body),
    }
}

/// Apart from its caller, so that a small activation does not pay for the stack of a large one.
#[inline(never)]
fn on_stack<'a, const N: usize, T>(body: impl FnOnce(&[Cell<Value<'a>>]) -> T) -> T {
    body(&[const { Cell::new(Value::Null) }; N])
}

#[inline(never)]
fn on_heap<'a, T>(count: usize, body: impl FnOnce(&[Cell<Value<'a>>]) -> T) -> T {
    let locals = vec![Cell::new(Value::Null); count];
    body(&locals)
}

impl<'a> Eval<'a> {
    /// Evaluates code to weak head normal form.
    ///
    /// Every arm ends in one call with what came in, so this is a jump table that keeps nothing on the stack.
    pub(crate) fn run(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        match code {
            Code::Const(value) => self.forced(*value),
            Code::Local(slot) => self.run_local(slot, frame),
            Code::Captured(index) => self.forced(frame.captures[index]),
            Code::Binary(b) => self.run_binary(b, frame),
            Code::Call(c) => self.run_call(c, frame),
            Code::Select(s) => self.run_select(s, frame),
            Code::Lambda(l) => self.run_lambda(l, frame),
            Code::Attrs(a) => self.run_attrs(a, frame),
            Code::RecAttrs(r) => self.run_rec(r, frame),
            Code::List(items) => self.run_list(items, frame),
            Code::Str(t) => self.run_string(t, frame),
            Code::Path(t) => self.run_path(t, frame),
            Code::WithVar(v) => self.run_with_var(v, frame),
            Code::HasAttr(h) => self.run_has_attr(h, frame),
            Code::If(c) => self.run_if(c, frame),
            Code::Let(_) | Code::With(_) | Code::Assert(_) => self.run_body(code, frame),
            Code::Not(_) | Code::Negate(_) => self.run_unary(code, frame),
            Code::Unread(u) => self.run_unread(u, frame),
        }
    }

    #[inline(never)]
    fn run_if(&self, code: &'a IfCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut code = code;
        loop {
            let holds = self.operand(code.condition, frame)?;
            let branch = if self.condition(holds, code.span)? { code.then } else { code.other };
            match branch {
                Code::If(next) => code = next,
                other => return self.run(other, frame),
            }
        }
    }

    /// Compiles, the first time, what was left as text.
    #[inline(never)]
    fn run_unread(&self, code: &'a UnreadCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let compiled = match code.compiled.get() {
            Some(compiled) => compiled,
            None => {
                let compiled =
                    self.kept(stacker::maybe_grow(PARSER_STACK, 4 * PARSER_STACK, || compile_part(self, code)))?;
                code.compiled.set(Some(compiled));
                compiled
            }
        };
        self.run_thunk(compiled, frame.captures)
    }

    /// What prepares the activation for a body, and the body.
    #[inline(never)]
    fn run_body(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut code = code;
        loop {
            code = match code {
                Code::Let(l) => {
                    self.bind_let(l, frame);
                    l.body
                }
                Code::With(w) => {
                    frame.set(w.slot, self.lazy_value(w.set, frame));
                    w.body
                }
                Code::Assert(a) => {
                    self.run_assertion(a, frame)?;
                    a.body
                }
                other => return self.run(other, frame),
            };
        }
    }

    #[inline(never)]
    fn run_unary(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        match code {
            Code::Not((code, span)) => {
                let value = self.operand(*code, frame)?;
                Ok(Value::bool(!self.condition(value, *span)?))
            }
            Code::Negate((code, span)) => {
                let value = self.operand(*code, frame)?;
                self.kept(self.arithmetic(Op::Sub, Value::Int(0), value).map_err(|e| e.at_span(*span)))
            }
            other => self.run(other, frame),
        }
    }

    /// Like [`Eval::run`], at hand for what is evaluated already.
    #[inline(always)]
    pub(crate) fn operand(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let known = match code {
            Code::Local(slot) => frame.local(slot),
            Code::Captured(index) => frame.captures[index],
            Code::Const(value) => *value,
            _ => return self.run(code, frame),
        };
        if known.is_value() { Ok(known) } else { self.run(code, frame) }
    }

    /// A local, which keeps its value from now on.
    #[inline(never)]
    fn run_local(&self, slot: usize, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let value = frame.local(slot);
        if value.is_value() {
            return Ok(value);
        }
        let forced = self.forced(value)?;
        frame.locals[slot].set(forced);
        Ok(forced)
    }

    /// Evaluates a thunk's body.
    #[inline]
    pub(crate) fn run_thunk(&self, code: &'a ThunkCode<'a>, captures: &'a [Value<'a>]) -> Run<Value<'a>> {
        with_locals(code.locals, |locals| self.run(code.body, &Frame { locals, captures }))
    }

    #[inline]
    fn condition(&self, value: Value<'a>, span: Span) -> Run<bool> {
        match value {
            Value::Bool(b) => Ok(b.get()),
            other => Err(self.no_condition(other, span)),
        }
    }

    #[cold]
    fn no_condition(&self, value: Value<'a>, span: Span) -> Failed {
        self.fail(Error::expected(self, "a Boolean", value).at_span(span))
    }

    #[inline(never)]
    fn run_assertion(&self, code: &AssertCode<'a>, frame: &Frame<'_, 'a>) -> Run<()> {
        if let Code::Binary(equality @ BinaryCode { op: Op::Eq, .. }) = code.condition {
            let lhs = self.run(equality.lhs, frame)?;
            let rhs = self.run(equality.rhs, frame)?;
            return self.assert_equal(lhs, rhs, code.span);
        }
        let value = self.run(code.condition, frame)?;
        if self.condition(value, code.span)? { Ok(()) } else { Err(self.assertion_failed(code.span)) }
    }

    /// An assertion of an equality says what differs.
    fn assert_equal(&self, lhs: Value<'a>, rhs: Value<'a>, span: Span) -> Run<()> {
        let Some(mut error) = self.kept(self.difference(lhs, rhs))? else { return Ok(()) };
        let label = Label { span, text: "this does not hold".to_owned() };
        error.diagnostic_mut().labels.insert(0, label);
        Err(self.fail(error))
    }

    #[cold]
    fn assertion_failed(&self, span: Span) -> Failed {
        let text = self.source_text(span);
        self.fail(Error::new(ErrorKind::Assertion, format!("assertion '{text}' failed")).label(span, ""))
    }
}

pub(crate) fn context_example<'a>(context: &Context<'a>) -> &'a str {
    match context.elements().first() {
        Some(Element::Opaque(p) | Element::DrvDeep(p) | Element::Built(p, _)) => p.rsplit('/').next().unwrap_or(p),
        None => "",
    }
}
