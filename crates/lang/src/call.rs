//! Forcing thunks and calling functions.
//!
//! A thunk is marked while it runs, so a value that needs itself is found; an error puts the suspended code back.
//! The native stack grows on the heap; nested calls are counted and limited as the reference does it.

use diagnostics::{Pos, Span};

use crate::code::{CallCode, LambdaCode};
use crate::error::{Error, ErrorKind, Res, did_you_mean};
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
/// Nested evaluations that are no calls (a long chain of thunks) end here.
const MAX_NATIVE_DEPTH: u32 = 4_000_000;

impl<'a> Eval<'a> {
    /// Evaluates a value to weak head normal form.
    ///
    /// # Errors
    /// Whatever its evaluation runs into.
    #[inline]
    pub fn force(&self, value: Value<'a>) -> Res<Value<'a>> {
        match value {
            Value::Thunk(slot) => self.force_slot(slot),
            value => Ok(value),
        }
    }

    fn force_slot(&self, slot: &'a Slot<'a>) -> Res<Value<'a>> {
        let state = slot.state.get();
        if !state.is_suspended() {
            // A reference to another thunk is shortened on the way.
            let value = self.force(state)?;
            slot.state.set(value);
            return Ok(value);
        }
        if let Value::Running = state {
            return Err(infinite_recursion());
        }
        slot.state.set(Value::Running);
        let result = self.deeper(|| self.run_state(state));
        match result {
            Ok(value) => {
                slot.state.set(value);
                Ok(value)
            }
            Err(error) => {
                slot.state.set(state);
                Err(self.thunk_failed(error, state))
            }
        }
    }

    /// Tells where the value stands that needs itself.
    #[cold]
    fn thunk_failed(&self, error: Error, state: Value<'a>) -> Error {
        if error.kind() != ErrorKind::InfiniteRecursion {
            return error;
        }
        let id = match state {
            Value::Code0(id)
            | Value::Code1(id, _)
            | Value::Code2(id, _)
            | Value::Code3(id, _)
            | Value::Code4(id, _)
            | Value::Code5(id, _)
            | Value::Code6(id, _)
            | Value::CodeN(id, _) => id,
            _ => return error,
        };
        let pos = self.thunk_code(id).pos;
        error.at(pos)
    }

    #[inline(never)]
    fn run_state(&self, state: Value<'a>) -> Res<Value<'a>> {
        let value = match state {
            Value::Code0(id) => return self.run_thunk(self.thunk_code(id), &[]),
            Value::Code1(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Code2(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Code3(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Code4(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Code5(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Code6(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::CodeN(id, captures) => return self.run_thunk(self.thunk_code(id), captures),
            Value::Apply((f, x)) => self.call(*f, &[*x])?,
            Value::Apply2((f, x, y)) => self.call(*f, &[*x, *y])?,
            Value::Map(index, (f, items)) => self.call(*f, &[items[index as usize].value()])?,
            Value::Generate(index, f) => self.call(*f, &[Value::Int(i64::from(index))])?,
            Value::LazyNative(code) => code(self)?,
            Value::Inherit(name, (from, pos)) => {
                let value = self.force(*from)?;
                let Value::Attrs(set) = value else { return Err(Error::expected(self, "a set", value).at(*pos)) };
                match set.get(name) {
                    Some(attr) => attr.value(),
                    None => {
                        return Err(Error::missing_attribute(
                            self,
                            self.symbols().bytes(name),
                            Span::at(*pos),
                            Some(set),
                        ));
                    }
                }
            }
            Value::Running | Value::Unset => return Err(infinite_recursion()),
            value => value,
        };
        self.force(value)
    }

    /// Runs `body` one level down, on a new piece of stack when this one is nearly used up.
    #[inline]
    fn deeper<T>(&self, body: impl FnOnce() -> Res<T>) -> Res<T> {
        let depth = self.native_depth.get();
        self.native_depth.set(depth + 1);
        let result = if depth % CHECK_EVERY != 0 {
            body()
        } else if depth > MAX_NATIVE_DEPTH {
            Err(Error::new(ErrorKind::StackOverflow, "stack overflow; possible infinite recursion"))
        } else {
            stacker::maybe_grow(RED_ZONE, STACK_CHUNK, body)
        };
        self.native_depth.set(depth);
        result
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

    /// Counts a nested call.
    #[inline]
    fn nested_call<T>(&self, body: impl FnOnce() -> Res<T>) -> Res<T> {
        let depth = self.call_depth.get();
        if depth >= self.settings.max_call_depth {
            return Err(Error::new(ErrorKind::StackOverflow, "stack overflow; possible infinite recursion"));
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
    pub fn call(&self, function: Value<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
        let function = self.force(function)?;
        if args.is_empty() {
            return Ok(function);
        }
        self.nested_call(|| self.apply(function, args))
    }

    fn apply(&self, mut function: Value<'a>, mut args: &[Value<'a>]) -> Res<Value<'a>> {
        loop {
            let used = match function {
                Value::Lambda(closure) => {
                    let arity = arity(closure.code);
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
                    let Some(functor) = set.get(self.names.functor) else { return Err(self.not_a_function(function)) };
                    let inner = self.call(functor.value(), &[function])?;
                    function = inner;
                    0
                }
                other => return Err(self.not_a_function(other)),
            };
            args = &args[used..];
            if args.is_empty() {
                return Ok(function);
            }
        }
    }

    #[inline(never)]
    fn complete(&self, partial: &'a Partial<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
        let mut all: Vec<Value<'a>> = Vec::with_capacity(partial.args.len() + args.len());
        all.extend_from_slice(partial.args);
        all.extend_from_slice(args);
        self.apply(partial.function, &all)
    }

    #[inline(never)]
    fn call_native(&self, native: &'a NativeFn<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
        let value = (native.code)(self, args)?;
        self.force(value)
    }

    #[cold]
    fn not_a_function(&self, value: Value<'a>) -> Error {
        Error::type_error(format!(
            "attempt to call something which is not a function but {}: {}",
            crate::print::describe_type(value),
            self.show_short(value)
        ))
    }

    /// Runs a function's body with exactly as many arguments as it takes at once.
    fn enter(&self, closure: &'a Closure<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
        let code = closure.code;
        with_locals(code.locals, |locals| {
            let frame = Frame { locals, captures: closure.captures };
            match code.formals {
                None => {
                    for (local, arg) in locals.iter().zip(args) {
                        local.set(*arg);
                    }
                }
                Some(_) => self.bind_formals(closure, args[0], &frame)?,
            }
            self.run(code.body, &frame)
        })
    }

    #[inline(never)]
    fn bind_formals(&self, closure: &'a Closure<'a>, arg: Value<'a>, frame: &Frame<'_, 'a>) -> Res<()> {
        let code = closure.code;
        let Some(formals) = code.formals else { return Ok(()) };
        let arg = self.force(arg)?;
        let Value::Attrs(set) = arg else {
            return Err(Error::expected(self, "a set", arg)
                .at_span(code.span)
                .step(code.span, "while evaluating the function's argument"));
        };
        let mut next = 0;
        if code.named.is_some() {
            frame.locals[0].set(arg);
            next = 1;
        }
        let first = next;
        let mut matched = 0;
        for formal in formals.list {
            let value = match set.get_guessing(formal.name, &formal.guess) {
                Some(attr) => {
                    matched += 1;
                    attr.value()
                }
                None if formal.default.is_some() => Value::Thunk(self.bump().alloc(Slot::new(Value::Unset))),
                None => return Err(self.missing_argument(code, formal.name)),
            };
            frame.locals[next].set(value);
            next += 1;
        }
        if !formals.ellipsis && matched < set.len() {
            return Err(self.unexpected_argument(code, set));
        }
        if matched < formals.list.len() {
            self.bind_defaults(closure, set, first, frame);
        }
        Ok(())
    }

    /// Defaults may refer to every other formal, so they come when all formals have a slot.
    fn bind_defaults(&self, closure: &'a Closure<'a>, set: &crate::Attrs<'a>, first: usize, frame: &Frame<'_, 'a>) {
        let Some(formals) = closure.code.formals else { return };
        for (i, formal) in formals.list.iter().enumerate() {
            let Some(default) = formal.default else { continue };
            if set.get_guessing(formal.name, &formal.guess).is_some() {
                continue;
            }
            let state = self.state(default, frame);
            if let Value::Thunk(slot) = frame.locals[first + i].get() {
                slot.state.set(state);
                if !state.is_suspended() {
                    frame.locals[first + i].set(state);
                }
            }
        }
    }

    fn function_name(&self, code: &LambdaCode<'_>) -> String {
        match code.name {
            Some(name) => format!("'{}'", self.symbols().text(name)),
            None => "'anonymous lambda'".to_owned(),
        }
    }

    #[cold]
    fn missing_argument(&self, code: &LambdaCode<'a>, name: syntax::Sym) -> Error {
        let text = self.symbols().text(name);
        let function = self.function_name(code);
        Error::type_error(format!("function {function} called without required argument '{text}'")).label(code.span, "")
    }

    #[cold]
    fn unexpected_argument(&self, code: &LambdaCode<'a>, set: &crate::Attrs<'a>) -> Error {
        let Some(formals) = code.formals else { return Error::type_error("unexpected argument") };
        let mut extra: Vec<String> = set
            .all()
            .iter()
            .filter(|a| !formals.list.iter().any(|f| f.name == a.name))
            .map(|a| self.symbols().text(a.name))
            .collect();
        extra.sort_unstable();
        let name = extra.into_iter().next().unwrap_or_default();
        let error = Error::type_error(format!(
            "function {} called with unexpected argument '{name}'",
            self.function_name(code)
        ))
        .label(code.span, "");
        let known = formals.list.iter().map(|f| self.symbols().text(f.name)).collect();
        did_you_mean(error, &name, known)
    }

    /// A call as written.
    pub(crate) fn run_call(&self, code: &'a CallCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let function = self.run(code.function, frame)?;
        let result = self.nested_call(|| match (function, code.args) {
            (Value::Lambda(closure), args) if arity(closure.code) == args.len() => {
                self.enter_directly(closure, code, frame)
            }
            (_, [a]) => self.apply(function, &[self.lazy_value(*a, frame)]),
            (_, [a, b]) => self.apply(function, &[self.lazy_value(*a, frame), self.lazy_value(*b, frame)]),
            (_, [a, b, c]) => self
                .apply(function, &[self.lazy_value(*a, frame), self.lazy_value(*b, frame), self.lazy_value(*c, frame)]),
            (_, args) => {
                let args: Vec<Value<'a>> = args.iter().map(|a| self.lazy_value(*a, frame)).collect();
                self.apply(function, &args)
            }
        });
        result.map_err(|e| self.in_call(e, function, code.pos))
    }

    /// The common call: exactly the parameters, written straight into the new activation.
    fn enter_directly(
        &self,
        closure: &'a Closure<'a>,
        call: &'a CallCode<'a>,
        frame: &Frame<'_, 'a>,
    ) -> Res<Value<'a>> {
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

    #[cold]
    fn in_call(&self, error: Error, function: Value<'a>, pos: Pos) -> Error {
        match function {
            Value::Lambda(closure) => {
                error.step(Span::at(pos), format!("while calling {}", self.function_name(closure.code)))
            }
            Value::Native(native) => {
                let name = native.name.trim_start_matches("__");
                error.at(pos).step(Span::at(pos), format!("while calling the '{name}' builtin"))
            }
            _ => error.at(pos),
        }
    }
}

#[inline]
fn arity(code: &LambdaCode<'_>) -> usize {
    if code.formals.is_some() { 1 } else { code.params as usize }
}

#[cold]
fn infinite_recursion() -> Error {
    Error::new(ErrorKind::InfiniteRecursion, "infinite recursion encountered")
}
