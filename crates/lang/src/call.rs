//! Forcing thunks and calling functions.
//!
//! A thunk is marked while it runs, so a value that needs itself is found; an error puts the suspended code back.
//! The native stack grows on the heap; nested calls are counted and limited as the reference does it.

use std::cell::Cell;

use diagnostics::{Pos, Span};

use crate::builtins::int;
use crate::code::{CallCode, FormalsCode, Lazy};
use crate::error::{Error, ErrorKind, Failed, Res, Run};
use crate::eval::Eval;
use crate::run::{Frame, with_locals};
use crate::value::{Closure, NativeFn, Partial, Slot, Value};

/// The stack is looked at every so many levels.
const CHECK_EVERY: u32 = 8;
/// What that many levels may use at most.
const RED_ZONE: usize = 192 * 1024;
/// What is added when less is left.
const STACK_CHUNK: usize = 4 * 1024 * 1024;
/// The stack of a whole evaluation; untouched pages of it cost nothing.
const LARGE_STACK: usize = 64 * 1024 * 1024;
/// Values within values that are compared or converted end here.
const MAX_NESTING: u32 = 100_000;
/// Nested evaluations that are no calls (a long chain of thunks) end here.
const MAX_NATIVE_DEPTH: u32 = 4_000_000;

impl<'a> Eval<'a> {
    /// Evaluates a value to weak head normal form.
    ///
    /// # Errors
    /// Whatever its evaluation runs into.
    #[inline]
    pub fn force(&self, value: Value<'a>) -> Res<Value<'a>> {
        self.outcome(self.forced(value))
    }

    /// [`Eval::force`] as the machine does it.
    #[inline]
    pub(crate) fn forced(&self, value: Value<'a>) -> Run<Value<'a>> {
        match value {
            Value::Thunk(slot) => self.forced_slot(slot),
            value => Ok(value),
        }
    }

    #[inline]
    pub(crate) fn forced_slot(&self, slot: &'a Slot<'a>) -> Run<Value<'a>> {
        let state = slot.state.get();
        if state.is_value() { Ok(state) } else { self.evaluate(slot) }
    }

    #[inline(never)]
    fn evaluate(&self, slot: &'a Slot<'a>) -> Run<Value<'a>> {
        if self.stack_is_short() {
            return self.on_more_stack(|| self.evaluate(slot));
        }
        let state = slot.state.get();
        if let Value::Thunk(other) = state {
            // A reference to another thunk is shortened on the way.
            let value = self.forced_slot(other)?;
            slot.state.set(value);
            return Ok(value);
        }
        slot.state.set(Value::Running);
        match self.deeper(|| self.run_state(slot, state)) {
            Ok(value) => {
                slot.state.set(value);
                Ok(value)
            }
            Err(failed) => {
                slot.state.set(state);
                Err(self.amend(failed, |e| self.left_thunk(e, slot, state)))
            }
        }
    }

    #[inline(never)]
    fn run_state(&self, slot: &'a Slot<'a>, state: Value<'a>) -> Run<Value<'a>> {
        let value = match state {
            Value::Code0(code) => return self.run_thunk(code, &[]),
            Value::Code1(s) => return self.run_thunk(s.code, &s.captures),
            Value::Code2(s) => return self.run_thunk(s.code, &s.captures),
            Value::Code3(s) => return self.run_thunk(s.code, &s.captures),
            Value::Code4(s) => return self.run_thunk(s.code, &s.captures),
            Value::Code5(s) => return self.run_thunk(s.code, &s.captures),
            Value::Code6(s) => return self.run_thunk(s.code, &s.captures),
            Value::CodeN((code, captures)) => return self.run_thunk(code, captures),
            Value::Apply((f, x)) => return self.called(*f, &[*x]),
            Value::Apply2((f, x, y)) => return self.called(*f, &[*x, *y]),
            Value::Map((f, list, place)) => return self.called(*f, &[list.items[place.index(slot)].value()]),
            Value::MapAttrs((f, attrs, place)) => {
                let attr = &attrs[place.attr_index(slot)];
                return self.called(*f, &[self.sym_string(attr.name), attr.value()]);
            }
            Value::Generate((f, place)) => return self.called(*f, &[int(place.index(slot))]),
            Value::LazyNative(code) => self.kept(code(self))?,
            Value::Inherit((from, name, pos)) => return self.run_inherit(*from, *name, *pos),
            Value::Running | Value::Unset => return Err(self.fail(self.infinite_recursion(slot))),
            value => value,
        };
        self.forced(value)
    }

    #[inline(never)]
    fn run_inherit(&self, from: Value<'a>, name: syntax::Sym, pos: Pos) -> Run<Value<'a>> {
        let value = self.forced(from)?;
        let Value::Attrs(set) = value else {
            return Err(self.fail(Error::expected(self, "a set", value).at(pos)));
        };
        match set.get(name) {
            Some(attr) => self.forced_slot(&attr.slot),
            None => {
                let name = self.symbols().bytes(name);
                Err(self.fail(Error::missing_attribute(self, name, Span::at(pos), set)))
            }
        }
    }

    #[cold]
    fn stack_overflow(&self) -> Failed {
        if self.interrupt.is_set() {
            return self.fail(Error::new(ErrorKind::Interrupted, "interrupted by the user"));
        }
        self.fail(Error::stack_overflow())
    }

    /// Runs `body` one level down.
    #[inline(always)]
    fn deeper(&self, body: impl FnOnce() -> Run<Value<'a>>) -> Run<Value<'a>> {
        let depth = self.native_depth.get();
        self.native_depth.set(depth + 1);
        let result = body();
        self.native_depth.set(depth);
        result
    }

    /// Whether the next levels may need more stack than is left. Whoever counts levels asks first, and starts over on
    /// more stack: that keeps the growing, and a second copy of what is to be run, out of the common way.
    #[inline(always)]
    fn stack_is_short(&self) -> bool {
        self.native_depth.get() % CHECK_EVERY == 0 && stacker::remaining_stack().is_none_or(|left| left < RED_ZONE)
    }

    #[cold]
    fn on_more_stack(&self, again: impl FnOnce() -> Run<Value<'a>>) -> Run<Value<'a>> {
        if self.native_depth.get() > MAX_NATIVE_DEPTH {
            return Err(self.stack_overflow());
        }
        stacker::grow(STACK_CHUNK, again)
    }

    /// Runs a longer piece of work on a large stack of its own, so that deep recursion in it need not grow the stack
    /// again and again. [`Eval::eval_string`] and [`Eval::eval_file`] do this themselves; whoever forces many values
    /// from outside wraps the whole job.
    ///
    /// # Errors
    /// Those of `job`.
    pub fn on_large_stack<T>(&self, job: impl FnOnce() -> Res<T>) -> Res<T> {
        if self.native_depth.get() > 0 {
            return job();
        }
        self.native_depth.set(1);
        let result = stacker::grow(LARGE_STACK, job);
        self.native_depth.set(0);
        result
    }

    /// Follows a value one level deeper. Values may hold themselves, so this ends somewhere.
    ///
    /// # Errors
    /// Those of `job`, or that it is too deep.
    pub(crate) fn one_level_down<T>(&self, job: impl FnOnce() -> Res<T>) -> Res<T> {
        let depth = self.nesting.get();
        if depth >= MAX_NESTING {
            return Err(Error::stack_overflow());
        }
        self.nesting.set(depth + 1);
        let result = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, job);
        self.nesting.set(depth);
        result
    }

    /// Counts a nested call.
    #[inline(always)]
    fn nested_call(&self, body: impl FnOnce() -> Run<Value<'a>>) -> Run<Value<'a>> {
        let depth = self.call_depth.get();
        if depth >= self.interrupt.limit() {
            return Err(self.stack_overflow());
        }
        self.call_depth.set(depth + 1);
        let result = self.deeper(body);
        self.call_depth.set(depth);
        result
    }

    /// Calls a function, or a set with `__functor`, with some arguments.
    ///
    /// # Errors
    /// When it is no function, or whatever it runs into.
    #[inline]
    pub fn call(&self, function: Value<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
        self.outcome(self.called(function, args))
    }

    /// [`Eval::call`] as the machine does it.
    #[inline(never)]
    pub(crate) fn called(&self, function: Value<'a>, args: &[Value<'a>]) -> Run<Value<'a>> {
        if self.stack_is_short() {
            return self.on_more_stack(|| self.called(function, args));
        }
        let function = self.forced(function)?;
        match function {
            Value::Lambda(closure) if closure.code.arity == args.len() => {
                self.nested_call(|| self.enter(closure, args))
            }
            _ if args.is_empty() => Ok(function),
            _ => self.nested_call(|| self.apply(function, args)),
        }
    }

    #[inline(never)]
    fn apply(&self, mut function: Value<'a>, mut args: &[Value<'a>]) -> Run<Value<'a>> {
        let mut functors = 0;
        let mut given = false;
        loop {
            let used = match function {
                Value::Lambda(closure) => {
                    let arity = closure.code.arity;
                    if args.len() < arity {
                        return Ok(self.partial(function, args));
                    }
                    function = self.enter(closure, &args[..arity])?;
                    arity
                }
                Value::Native(native) => {
                    if args.len() < native.arity {
                        return Ok(self.partial(function, args));
                    }
                    function = self.call_native(native, &args[..native.arity])?;
                    native.arity
                }
                Value::Partial(partial) => return self.complete(partial, args),
                Value::Attrs(set) => {
                    let Some(functor) = set.get(self.names.functor) else {
                        return Err(self.not_a_function(function, given));
                    };
                    // A functor may give itself, for ever.
                    functors += 1;
                    if functors > self.interrupt.limit() {
                        return Err(self.stack_overflow());
                    }
                    function = self.called(functor.value(), &[function])?;
                    0
                }
                other => return Err(self.not_a_function(other, given)),
            };
            given |= used > 0;
            args = &args[used..];
            if args.is_empty() {
                return Ok(function);
            }
        }
    }

    #[inline(never)]
    fn complete(&self, partial: &'a Partial<'a>, args: &[Value<'a>]) -> Run<Value<'a>> {
        let mut all: Vec<Value<'a>> = Vec::with_capacity(partial.args.len() + args.len());
        all.extend_from_slice(partial.args);
        all.extend_from_slice(args);
        self.apply(partial.function, &all)
    }

    #[inline(never)]
    fn call_native(&self, native: &'a NativeFn<'a>, args: &[Value<'a>]) -> Run<Value<'a>> {
        match (native.code)(self, args) {
            Ok(value) => self.forced(value),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Runs a function's body with exactly as many arguments as it takes at once.
    #[inline(always)]
    fn enter(&self, closure: &'a Closure<'a>, args: &[Value<'a>]) -> Run<Value<'a>> {
        let code = closure.code;
        with_locals(code.locals, |locals| {
            let frame = Frame { locals, captures: closure.captures };
            if code.formals.is_some() {
                self.bind_formals(closure, args[0], &frame)?;
            } else {
                for (local, arg) in locals.iter().zip(args) {
                    local.set(*arg);
                }
            }
            self.run(code.body, &frame)
        })
    }

    #[inline(never)]
    fn bind_formals(&self, closure: &'a Closure<'a>, arg: Value<'a>, frame: &Frame<'_, 'a>) -> Run<()> {
        let code = closure.code;
        let Some(formals) = code.formals else { return Ok(()) };
        let arg = self.forced(arg)?;
        let Value::Attrs(set) = arg else { return Err(self.no_argument_set(code, arg)) };
        let locals = match (code.named, frame.locals) {
            (Some(_), [whole, locals @ ..]) => {
                whole.set(arg);
                locals
            }
            (_, locals) => locals,
        };
        let mut matched = 0;
        for (local, formal) in locals.iter().zip(formals.list) {
            local.set(match set.get_guessing(formal.name, &formal.guess) {
                Some(attr) => {
                    matched += 1;
                    attr.value()
                }
                None if formal.default.is_none() => return Err(self.missing_argument(code, formal.name, set)),
                None if formal.early => Value::Thunk(self.bump().alloc(Slot::new(Value::Unset))),
                None => Value::Unset,
            });
        }
        if !formals.ellipsis && matched < set.len() {
            return Err(self.unexpected_argument(code, set));
        }
        if matched < formals.list.len() {
            self.bind_defaults(formals, locals, frame);
        }
        Ok(())
    }

    /// Defaults may refer to every other formal, so they come when all formals have what was given or a slot.
    fn bind_defaults(&self, formals: &FormalsCode<'a>, locals: &[Cell<Value<'a>>], frame: &Frame<'_, 'a>) {
        for (local, formal) in locals.iter().zip(formals.list) {
            let Some(default) = formal.default else { continue };
            match local.get() {
                Value::Unset => local.set(self.lazy_value(default, frame)),
                Value::Thunk(slot) if formal.early && matches!(slot.state.get(), Value::Unset) => {
                    let state = self.state(default, frame);
                    slot.state.set(state);
                    if !state.is_suspended() {
                        local.set(state);
                    }
                }
                _ => {}
            }
        }
    }

    /// A call as written.
    #[inline(never)]
    pub(crate) fn run_call(&self, code: &'a CallCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        if self.stack_is_short() {
            return self.on_more_stack(|| self.run_call(code, frame));
        }
        let function = self.operand(code.function, frame)?;
        let result = match function {
            Value::Lambda(closure) if closure.code.arity == code.args.len() => {
                self.nested_call(|| self.enter_directly(closure, code, frame))
            }
            _ => self.nested_call(|| self.apply_lazily(function, code.args, frame)),
        };
        match result {
            Ok(value) => Ok(value),
            Err(failed) => Err(self.amend(failed, |e| self.in_call(e, function, code.span))),
        }
    }

    #[inline(never)]
    fn apply_lazily(&self, function: Value<'a>, args: &'a [Lazy<'a>], frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let few: [Value<'a>; 3] = match args {
            [a] => [self.lazy_value(*a, frame), Value::Null, Value::Null],
            [a, b] => [self.lazy_value(*a, frame), self.lazy_value(*b, frame), Value::Null],
            [a, b, c] => [self.lazy_value(*a, frame), self.lazy_value(*b, frame), self.lazy_value(*c, frame)],
            many => {
                let many: Vec<Value<'a>> = many.iter().map(|a| self.lazy_value(*a, frame)).collect();
                return self.apply(function, &many);
            }
        };
        self.apply(function, &few[..args.len()])
    }

    /// The common call: exactly the parameters, written straight into the new activation.
    #[inline(always)]
    fn enter_directly(
        &self,
        closure: &'a Closure<'a>,
        call: &'a CallCode<'a>,
        frame: &Frame<'_, 'a>,
    ) -> Run<Value<'a>> {
        let code = closure.code;
        with_locals(code.locals, |locals| {
            let inner = Frame { locals, captures: closure.captures };
            if code.formals.is_some() {
                self.bind_formals(closure, self.lazy_value(call.args[0], frame), &inner)?;
            } else {
                for (local, arg) in locals.iter().zip(call.args) {
                    local.set(self.lazy_value(*arg, frame));
                }
            }
            self.run(code.body, &inner)
        })
    }
}
