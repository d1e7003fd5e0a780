//! The interpreter: code and an activation to a value in weak head normal form.

use std::cell::Cell;

use diagnostics::{Pos, Span};
use syntax::Sym;
use syntax::ast::Op;

use crate::attrs::{Attr, Attrs};
use crate::code::{
    Arithmetic, AttrCode, AttrValue, AttrsCode, BinaryCode, Code, DynamicCode, HasAttrCode, LambdaCode, Lazy, LetCode,
    NameCode, Operand, Piece, RecCode, SelectCode, Source, Template, ThunkCode, WithVar,
};
use crate::coerce::Coerce;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::string::{Str, concat};
use crate::value::{Closure, List, Slot, Value};

/// One run of a function or thunk body.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'f, 'a> {
    pub(crate) locals: &'f [Cell<Value<'a>>],
    pub(crate) captures: &'a [Value<'a>],
}

impl<'a> Frame<'_, 'a> {
    #[inline]
    fn local(&self, slot: u32) -> Value<'a> {
        self.locals[slot as usize].get()
    }

    #[inline]
    fn set(&self, slot: u32, value: Value<'a>) {
        self.locals[slot as usize].set(value);
    }

    #[inline]
    fn source(&self, source: Source) -> Value<'a> {
        match source {
            Source::Local(i) => self.local(i),
            Source::Captured(i) => self.captures[i as usize],
        }
    }
}

/// Runs `body` with `count` local slots on the native stack (on the heap when there are many).
#[inline]
pub(crate) fn with_locals<'a, T>(count: u32, body: impl FnOnce(&[Cell<Value<'a>>]) -> T) -> T {
    match count {
        0 => body(&[]),
        1..=4 => body(&[const { Cell::new(Value::Null) }; 4]),
        5..=16 => body(&[const { Cell::new(Value::Null) }; 16]),
        n => {
            let locals: Vec<Cell<Value<'a>>> = (0..n).map(|_| Cell::new(Value::Null)).collect();
            body(&locals)
        }
    }
}

impl<'a> Eval<'a> {
    /// Evaluates code to weak head normal form.
    pub(crate) fn run(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut code = code;
        loop {
            // What comes last in a body is run by this loop rather than by recursion.
            code = match code {
                Code::If(c) => {
                    let condition = self.run(c.condition, frame)?;
                    if self.condition(condition, c.pos)? { c.then } else { c.other }
                }
                Code::Let(l) => {
                    self.bind_let(l, frame);
                    l.body
                }
                Code::With(w) => {
                    frame.set(w.slot, self.lazy_value(w.set, frame));
                    w.body
                }
                Code::Assert(a) => {
                    let value = self.run(a.condition, frame)?;
                    if !self.condition(value, a.span.start)? {
                        return Err(self.assertion_failed(a.span));
                    }
                    a.body
                }
                other => return self.run_simple(other, frame),
            };
        }
    }

    /// Code without a last part that is code of the same activation.
    #[inline]
    fn run_simple(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        match code {
            Code::Const(value) => self.force(*value),
            Code::Local(slot) => {
                let value = frame.local(slot);
                if let Value::Thunk(_) = value {
                    let forced = self.force(value)?;
                    frame.set(slot, forced);
                    return Ok(forced);
                }
                Ok(value)
            }
            Code::Captured(index) => self.force(frame.captures[index as usize]),
            Code::Binary(b) => self.run_binary(b, frame),
            Code::Call(c) => self.run_call(c, frame),
            Code::Select(s) => self.run_select(s, frame),
            Code::Lambda(l) => Ok(self.closure(l, frame)),
            Code::Attrs(a) => self.run_attrs(a, frame),
            Code::RecAttrs(r) => self.run_rec(r, frame),
            Code::List(items) => {
                let items = self.bump().alloc_slice_fill_iter(items.iter().map(|l| self.slot(*l, frame)));
                Ok(Value::List(self.bump().alloc(List { items })))
            }
            Code::Str(t) => self.run_string(t, frame),
            Code::Path(t) => self.run_path(t, frame),
            Code::WithVar(v) => self.run_with_var(v, frame),
            Code::HasAttr(h) => self.run_has_attr(h, frame),
            // The loop in `run` keeps these to itself.
            Code::If(_) | Code::Let(_) | Code::With(_) | Code::Assert(_) => self.run(code, frame),
            Code::Not((code, pos)) => {
                let value = self.run(*code, frame)?;
                Ok(Value::Bool(!self.condition(value, *pos)?))
            }
            Code::Negate((code, pos)) => {
                let value = self.run(*code, frame)?;
                self.arithmetic(Op::Sub, Value::Int(0), value).map_err(|e| e.at(*pos))
            }
        }
    }

    #[inline]
    fn condition(&self, value: Value<'a>, pos: Pos) -> Res<bool> {
        match value {
            Value::Bool(b) => Ok(b),
            other => Err(Error::expected(self, "a Boolean", other).at(pos)),
        }
    }

    #[cold]
    fn assertion_failed(&self, span: Span) -> Error {
        let text = self.source_text(span);
        Error::new(ErrorKind::Assertion, format!("assertion '{text}' failed")).label(span, "")
    }

    /// The text of a span, as it was written.
    pub(crate) fn source_text(&self, span: Span) -> String {
        let sources = self.sources();
        let Some(file) = sources.file(span.start) else { return String::new() };
        let start = (span.start.0 - file.base) as usize;
        let end = (span.end.0 - file.base) as usize;
        file.text.get(start..end).map(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default()
    }

    // ---- suspended code

    /// The captured values of a thunk or function.
    fn capture(&self, sources: &'a [Source], frame: &Frame<'_, 'a>) -> &'a [Value<'a>] {
        if sources.is_empty() {
            return &[];
        }
        self.bump().alloc_slice_fill_iter(sources.iter().map(|s| frame.source(*s).peek()))
    }

    pub(crate) fn closure(&self, code: &'a LambdaCode<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        let captures = self.capture(code.captures, frame);
        Value::Lambda(self.bump().alloc(Closure { code, captures }))
    }

    #[inline]
    fn suspend(&self, code: &'a ThunkCode<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        let id = code.id;
        let bump = self.bump();
        let take = |i: usize| frame.source(code.captures[i]).peek();
        match code.captures.len() {
            0 => Value::Code0(id),
            1 => Value::Code1(id, bump.alloc([take(0)])),
            2 => Value::Code2(id, bump.alloc([take(0), take(1)])),
            3 => Value::Code3(id, bump.alloc([take(0), take(1), take(2)])),
            4 => Value::Code4(id, bump.alloc([take(0), take(1), take(2), take(3)])),
            5 => Value::Code5(id, bump.alloc([take(0), take(1), take(2), take(3), take(4)])),
            6 => Value::Code6(id, bump.alloc([take(0), take(1), take(2), take(3), take(4), take(5)])),
            _ => Value::CodeN(id, bump.alloc(self.capture(code.captures, frame))),
        }
    }

    /// What a slot for this expression holds at first.
    #[inline]
    pub(crate) fn state(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match lazy {
            Lazy::Const(v) => *v,
            Lazy::Local(i) => frame.local(i).peek(),
            Lazy::Captured(i) => frame.captures[i as usize].peek(),
            Lazy::Thunk(code) => self.suspend(code, frame),
            Lazy::Arithmetic(a) => match self.compute(a, frame) {
                Some(n) => Value::Int(n),
                None => self.suspend(a.thunk, frame),
            },
            Lazy::Now(code) => self.build_now(code, frame),
        }
    }

    fn slot(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Slot<'a> {
        Slot::new(self.state(lazy, frame))
    }

    /// A value for this expression, a new thunk if need be.
    #[inline]
    pub(crate) fn lazy_value(&self, lazy: Lazy<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        self.in_slot(self.state(lazy, frame))
    }

    /// Suspended code gets a slot of its own.
    #[inline]
    fn in_slot(&self, state: Value<'a>) -> Value<'a> {
        if state.is_suspended() { Value::Thunk(self.bump().alloc(Slot::new(state))) } else { state }
    }

    /// Literals and functions: their construction evaluates nothing.
    fn build_now(&self, code: Code<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match self.run(code, frame) {
            Ok(value) => value,
            // Not reached by the literals the compiler marks; `<…>` outside of calls takes this way.
            Err(error) => self.lazy(move |_| Err(error.clone())),
        }
    }

    fn compute(&self, a: &Arithmetic<'a>, frame: &Frame<'_, 'a>) -> Option<i64> {
        compute_op(a.op, a.lhs, a.rhs, frame)
    }

    /// Evaluates a thunk's body.
    pub(crate) fn run_thunk(&self, code: &'a ThunkCode<'a>, captures: &'a [Value<'a>]) -> Res<Value<'a>> {
        with_locals(code.locals, |locals| self.run(code.body, &Frame { locals, captures }))
    }

    // ---- let and sets

    #[inline(never)]
    fn bind_let(&self, code: &'a LetCode<'a>, frame: &Frame<'_, 'a>) {
        for slot in code.early {
            frame.set(*slot, Value::Thunk(self.bump().alloc(Slot::new(Value::Unset))));
        }
        for (slot, lazy) in code.from {
            frame.set(*slot, self.lazy_value(*lazy, frame));
        }
        for (slot, name, value) in code.bindings {
            let state = match value {
                AttrValue::Lazy(lazy) => self.state(*lazy, frame),
                AttrValue::From(from, pos) => self.inherit_state(*name, frame.local(*from), *pos),
            };
            if code.early.contains(slot) {
                let Value::Thunk(early) = frame.local(*slot) else { continue };
                early.state.set(state);
                if !state.is_suspended() {
                    frame.set(*slot, state);
                }
            } else {
                frame.set(*slot, self.in_slot(state));
            }
        }
    }

    fn inherit_state(&self, name: Sym, from: Value<'a>, pos: Pos) -> Value<'a> {
        Value::Inherit(name, self.bump().alloc((from, pos)))
    }

    fn attr_state(&self, attr: &AttrCode<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match attr.value {
            AttrValue::Lazy(lazy) => self.state(lazy, frame),
            AttrValue::From(from, pos) => self.inherit_state(attr.name, frame.local(from), pos),
        }
    }

    #[inline(never)]
    fn run_attrs(&self, code: &'a AttrsCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        for (slot, lazy) in code.from {
            frame.set(*slot, self.lazy_value(*lazy, frame));
        }
        let own = self.bump().alloc_slice_fill_iter(
            code.attrs.iter().map(|a| Attr::new(a.name, a.pos, Slot::new(self.attr_state(a, frame)))),
        );
        let set = self.bump().alloc(Attrs::sorted(own));
        if code.dynamics.is_empty() { Ok(Value::Attrs(set)) } else { self.add_dynamics(set, code.dynamics, frame) }
    }

    fn add_dynamics(
        &self,
        set: &'a Attrs<'a>,
        dynamics: &'a [DynamicCode<'a>],
        frame: &Frame<'_, 'a>,
    ) -> Res<Value<'a>> {
        let mut more: Vec<Attr<'a>> = Vec::with_capacity(dynamics.len());
        for d in dynamics {
            let name = match self.run(d.name, frame)? {
                Value::Null => continue,
                value => self.attr_name(value).map_err(|e| e.at(d.pos))?,
            };
            let known = set.get(name).map(|a| a.pos).or_else(|| more.iter().find(|a| a.name == name).map(|a| a.pos));
            if let Some(first) = known {
                let text = self.symbols().text(name);
                return Err(Error::eval(format!("dynamic attribute '{text}' already defined"))
                    .at(d.pos)
                    .label(Span::at(first), "first defined here"));
            }
            more.push(Attr::new(name, d.pos, self.slot(d.value, frame)));
        }
        more.sort_unstable_by_key(|a| a.name);
        let more = self.bump().alloc(Attrs::sorted(self.bump().alloc_slice_fill_iter(more)));
        Ok(Value::Attrs(set.update(self.bump(), more)))
    }

    #[inline(never)]
    fn run_rec(&self, code: &'a RecCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let own = &*self
            .bump()
            .alloc_slice_fill_iter(code.attrs.iter().map(|a| Attr::new(a.name, a.pos, Slot::new(Value::Unset))));
        for (attr, slot) in own.iter().zip(code.slots) {
            frame.set(*slot, Value::Thunk(&attr.slot));
        }
        for (slot, lazy) in code.from {
            frame.set(*slot, self.lazy_value(*lazy, frame));
        }
        for (attr, source) in own.iter().zip(code.attrs) {
            let mut state = self.attr_state(source, frame);
            if code.overrides && !state.is_suspended() && source.name != self.names.overrides {
                // An override may still replace it, so nobody must copy it before.
                let value = state;
                state = self.suspended(move |_| Ok(value));
            }
            attr.slot.state.set(state);
        }
        let mut set = &*self.bump().alloc(Attrs::sorted(own));
        if code.overrides {
            set = self.apply_overrides(set)?;
        }
        if code.dynamics.is_empty() { Ok(Value::Attrs(set)) } else { self.add_dynamics(set, code.dynamics, frame) }
    }

    /// `rec { __overrides = { … }; … }`: the overrides replace attributes for the set's own bindings too.
    fn apply_overrides(&self, set: &'a Attrs<'a>) -> Res<&'a Attrs<'a>> {
        let Some(attr) = set.get(self.names.overrides) else { return Ok(set) };
        let overrides = self.force_attrs(attr.value())?;
        for o in overrides.all() {
            if let Some(own) = set.get(o.name) {
                own.slot.state.set(o.value());
            }
        }
        Ok(set.update(self.bump(), overrides))
    }

    // ---- names

    #[cold]
    fn missing_with(&self, var: &WithVar<'a>, sets: &[&'a Attrs<'a>]) -> Error {
        let names = sets.iter().flat_map(|s| s.all()).map(|a| self.symbols().text(a.name)).collect();
        let len = u32::try_from(self.symbols().bytes(var.name).len()).unwrap_or(1);
        Error::undefined(self, var.name, Span::new(var.pos, Pos(var.pos.0 + len)), names)
    }

    #[inline(never)]
    fn run_with_var(&self, var: &'a WithVar<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut sets = Vec::new();
        for source in var.sets {
            let value = self.force(frame.source(*source))?;
            if let Source::Local(slot) = source {
                frame.set(*slot, value);
            }
            let Value::Attrs(set) = value else {
                return Err(Error::expected(self, "a set", value)
                    .at(var.pos)
                    .step(Span::at(var.pos), "while evaluating the first subexpression of a with expression"));
            };
            if let Some(attr) = set.get(var.name) {
                return self.force(attr.value());
            }
            sets.push(set);
        }
        Err(self.missing_with(var, &sets))
    }

    fn name(&self, name: NameCode<'a>, frame: &Frame<'_, 'a>) -> Res<(Sym, Span)> {
        match name {
            NameCode::Static(sym, span) => Ok((sym, span)),
            NameCode::Dynamic(code, span) => {
                let value = self.run(code, frame)?;
                Ok((self.attr_name(value).map_err(|e| e.at(span.start))?, span))
            }
        }
    }

    /// A string value as an attribute name.
    pub(crate) fn attr_name(&self, value: Value<'a>) -> Res<Sym> {
        let text = self.force_str(value)?;
        if let Some(context) = text.context() {
            let shown = String::from_utf8_lossy(text.as_bytes()).into_owned();
            let _ = context;
            return Err(Error::eval(format!(
                "the string '{shown}' is not allowed to refer to a store path (such as '{}')",
                context_example(context)
            )));
        }
        Ok(self.symbols().intern(text.as_bytes()))
    }

    #[inline(never)]
    fn run_select(&self, code: &'a SelectCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut value = self.run(code.base, frame)?;
        for (i, name) in code.path.iter().enumerate() {
            let (sym, span) = self.name(*name, frame)?;
            let found = match value {
                Value::Attrs(set) if i == 0 => set.get_guessing(sym, &code.guess),
                Value::Attrs(set) => set.get(sym),
                _ => None,
            };
            match (found, code.default) {
                (Some(attr), _) => {
                    value = match attr.slot.value() {
                        v @ Value::Thunk(_) => self.force(v).map_err(|e| self.in_attribute(e, code, i))?,
                        v => v,
                    }
                }
                (None, Some(default)) => return self.run(default, frame),
                (None, None) => return Err(self.no_attribute(value, sym, span)),
            }
        }
        Ok(value)
    }

    #[cold]
    fn in_attribute(&self, error: Error, code: &SelectCode<'a>, upto: usize) -> Error {
        let path: Vec<String> = code.path[..=upto]
            .iter()
            .map(|n| match n {
                NameCode::Static(sym, _) => self.symbols().text(*sym),
                NameCode::Dynamic(_, span) => self.source_text(*span),
            })
            .collect();
        error.step(code.span, format!("while evaluating the attribute '{}'", path.join(".")))
    }

    #[cold]
    fn no_attribute(&self, value: Value<'a>, sym: Sym, span: Span) -> Error {
        match value {
            Value::Attrs(set) => Error::missing_attribute(self, self.symbols().bytes(sym), span, Some(set)),
            other => Error::expected(self, "a set", other).at_span(span),
        }
    }

    #[inline(never)]
    fn run_has_attr(&self, code: &'a HasAttrCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut value = self.run(code.base, frame)?;
        for (i, name) in code.path.iter().enumerate() {
            let (sym, _) = self.name(*name, frame)?;
            let found = match value {
                Value::Attrs(set) => set.get(sym),
                _ => None,
            };
            match found {
                None => return Ok(Value::Bool(false)),
                Some(attr) if i + 1 < code.path.len() => value = self.force(attr.value())?,
                Some(_) => {}
            }
        }
        Ok(Value::Bool(true))
    }

    // ---- strings

    #[inline(never)]
    fn run_string(&self, code: &'a Template<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut bytes: Vec<&[u8]> = Vec::with_capacity(code.parts.len());
        let mut context: Option<&'a Context<'a>> = None;
        for part in code.parts {
            match part {
                Piece::Text(text) => bytes.push(text),
                Piece::Code(inner, pos) => {
                    let value = self.run(*inner, frame)?;
                    let text = match value {
                        Value::String(s) => s,
                        other => self
                            .coerce(other, Coerce::INTERPOLATION)
                            .map_err(|e| e.at(*pos).step(Span::at(*pos), "while evaluating a path segment"))?,
                    };
                    context = Context::union(self.bump(), context, text.context());
                    bytes.push(text.as_bytes());
                }
            }
        }
        Ok(self.arena_string(concat(self.bump(), &bytes), context))
    }

    #[inline(never)]
    fn run_path(&self, code: &'a Template<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        let mut bytes: Vec<u8> = Vec::new();
        for part in code.parts {
            match part {
                Piece::Text(text) => bytes.extend_from_slice(text),
                Piece::Code(inner, pos) => {
                    let value = self.run(*inner, frame)?;
                    let text = self.coerce(value, Coerce::PATH_SEGMENT).map_err(|e| e.at(*pos))?;
                    if text.context().is_some() {
                        return Err(
                            Error::eval("a string that refers to a store path cannot be appended to a path").at(*pos)
                        );
                    }
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
        }
        Ok(self.path_value(&crate::paths::normalise(&bytes)))
    }

    // ---- operators

    #[inline(never)]
    fn run_binary(&self, code: &'a BinaryCode<'a>, frame: &Frame<'_, 'a>) -> Res<Value<'a>> {
        match code.op {
            Op::And => {
                let lhs = self.run(code.lhs, frame)?;
                if !self.condition(lhs, code.pos)? {
                    return Ok(Value::Bool(false));
                }
                let rhs = self.run(code.rhs, frame)?;
                return Ok(Value::Bool(self.condition(rhs, code.pos)?));
            }
            Op::Or => {
                let lhs = self.run(code.lhs, frame)?;
                if self.condition(lhs, code.pos)? {
                    return Ok(Value::Bool(true));
                }
                let rhs = self.run(code.rhs, frame)?;
                return Ok(Value::Bool(self.condition(rhs, code.pos)?));
            }
            Op::Implies => {
                let lhs = self.run(code.lhs, frame)?;
                if !self.condition(lhs, code.pos)? {
                    return Ok(Value::Bool(true));
                }
                let rhs = self.run(code.rhs, frame)?;
                return Ok(Value::Bool(self.condition(rhs, code.pos)?));
            }
            _ => {}
        }
        let lhs = self.run(code.lhs, frame)?;
        let rhs = self.run(code.rhs, frame)?;
        let result = match (code.op, lhs, rhs) {
            (Op::Lt, Value::Int(a), Value::Int(b)) => return Ok(Value::Bool(a < b)),
            (Op::Eq, Value::Int(a), Value::Int(b)) => return Ok(Value::Bool(a == b)),
            (Op::Eq, ..) => self.equal(lhs, rhs).map(Value::Bool),
            (Op::Ne, ..) => self.equal(lhs, rhs).map(|b| Value::Bool(!b)),
            (Op::Lt, ..) => self.less(lhs, rhs).map(Value::Bool),
            (Op::Gt, ..) => self.less(rhs, lhs).map(Value::Bool),
            (Op::Le, ..) => self.less(rhs, lhs).map(|b| Value::Bool(!b)),
            (Op::Ge, ..) => self.less(lhs, rhs).map(|b| Value::Bool(!b)),
            (Op::Update, Value::Attrs(a), Value::Attrs(b)) => Ok(Value::Attrs(a.update(self.bump(), b))),
            (Op::Update, Value::Attrs(_), other) | (Op::Update, other, _) => Err(Error::expected(self, "a set", other)),
            (Op::Concat, Value::List(a), Value::List(b)) => Ok(self.concat_two(a, b)),
            (Op::Concat, Value::List(_), other) | (Op::Concat, other, _) => Err(Error::expected(self, "a list", other)),
            (Op::Add, ..) => self.add(lhs, rhs),
            (op, ..) => self.arithmetic(op, lhs, rhs),
        };
        result.map_err(|e| e.at(code.pos))
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

pub(crate) fn context_example<'a>(context: &Context<'a>) -> &'a str {
    match context.elements().first() {
        Some(
            crate::context::Element::Opaque(p)
            | crate::context::Element::DrvDeep(p)
            | crate::context::Element::Built(p, _),
        ) => p,
        None => "",
    }
}

fn compute_operand(operand: Operand<'_>, frame: &Frame<'_, '_>) -> Option<i64> {
    let value = match operand {
        Operand::Int(n) => return Some(n),
        Operand::Local(i) => frame.local(i),
        Operand::Captured(i) => frame.captures[i as usize],
        Operand::Nested((op, lhs, rhs)) => return compute_op(*op, *lhs, *rhs, frame),
    };
    match value.peek() {
        Value::Int(n) => Some(n),
        _ => None,
    }
}

fn compute_op(op: Op, lhs: Operand<'_>, rhs: Operand<'_>, frame: &Frame<'_, '_>) -> Option<i64> {
    let lhs = compute_operand(lhs, frame)?;
    let rhs = compute_operand(rhs, frame)?;
    match op {
        Op::Add => lhs.checked_add(rhs),
        Op::Sub => lhs.checked_sub(rhs),
        Op::Mul => lhs.checked_mul(rhs),
        _ => None,
    }
}
