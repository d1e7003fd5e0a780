//! Syntax tree to code: resolves names, decides what is captured and what needs no thunk.
//!
//! Captures are flat: a function or thunk gets copies of exactly the values it uses. `with` never hides a lexical
//! name. Undefined variables are found here, before anything is evaluated.

use std::cell::Cell;

use bumpalo::Bump;
use diagnostics::Span;
use hashbrown::HashMap;
use syntax::Sym;
use syntax::ast::{self, AttrName, Expr, Kind, Op, Part};

use crate::code::{
    Arithmetic, AssertCode, AttrCode, AttrValue, AttrsCode, BinaryCode, CallCode, Code, DynamicCode, FormalCode,
    FormalsCode, HasAttrCode, IfCode, LambdaCode, Lazy, LetBinding, LetCode, NameCode, Operand, Piece, RecCode,
    SelectCode, Source, Template, ThunkCode, WithCode, WithVar,
};
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::string::Str;
use crate::value::Value;

/// Names outside of the text that it may use.
pub(crate) type Globals<'a> = HashMap<Sym, Value<'a>, foldhash::fast::FixedState>;

/// A set or list literal of at most this many parts is built rather than suspended.
const SMALL_LITERAL: usize = 6;

/// Compiles a whole text into a thunk without captures.
pub(crate) fn compile<'a>(
    eval: &Eval<'a>,
    expr: &Expr<'_>,
    globals: &Globals<'a>,
    base_dir: &str,
) -> Res<&'a ThunkCode<'a>> {
    let mut compiler = Compiler {
        eval,
        bump: eval.bump(),
        globals,
        base_dir,
        names: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0)),
        withs: Vec::new(),
        levels: Vec::new(),
        errors: Vec::new(),
        redefined: false,
    };
    compiler.redefined = compiler.operators().iter().any(|name| match globals.get(name) {
        Some(Value::Native(f)) => f.name.as_bytes() != eval.symbols().bytes(*name),
        _ => true,
    });
    let code = compiler.thunk(expr)?;
    match Error::together(compiler.errors) {
        Some(error) => Err(error),
        None => Ok(code),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Variable {
    level: usize,
    slot: u32,
}

#[derive(Default)]
struct Level {
    next: u32,
    max: u32,
    captured: Vec<(Variable, Source)>,
    /// Slots of a recursive group that are not bound yet, and those of them that were referred to.
    pending: Vec<u32>,
    early: Vec<u32>,
}

impl Level {
    fn slot(&mut self) -> u32 {
        self.next += 1;
        self.max = self.max.max(self.next);
        self.next - 1
    }
}

struct Compiler<'c, 'a> {
    eval: &'c Eval<'a>,
    bump: &'a Bump,
    globals: &'c Globals<'a>,
    base_dir: &'c str,
    names: HashMap<Sym, Vec<Variable>, foldhash::fast::FixedState>,
    withs: Vec<Variable>,
    levels: Vec<Level>,
    errors: Vec<Error>,
    /// Whether somebody gave another meaning to a function that an operator stands for.
    redefined: bool,
}

impl<'a> Compiler<'_, 'a> {
    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn here(&self) -> usize {
        self.levels.len() - 1
    }

    fn slice<T>(&self, items: Vec<T>) -> &'a [T] {
        self.bump.alloc_slice_fill_iter(items)
    }

    /// `-`, `*`, `/` and `<` are calls of these, by whatever the names mean where they stand.
    fn operators(&self) -> [Sym; 4] {
        let names = &self.eval.names;
        [names.sub, names.mul, names.div, names.less_than]
    }

    fn declare(&mut self, name: Sym) -> u32 {
        self.redefined |= self.operators().contains(&name);
        let slot = self.level().slot();
        let variable = Variable { level: self.here(), slot };
        self.names.entry(name).or_default().push(variable);
        slot
    }

    fn forget(&mut self, name: Sym) {
        if let Some(stack) = self.names.get_mut(&name) {
            stack.pop();
        }
    }

    /// Where the current activation finds `variable`.
    fn source(&mut self, variable: Variable) -> Source {
        let here = self.here();
        self.source_at(here, variable)
    }

    fn source_at(&mut self, level: usize, variable: Variable) -> Source {
        if level == variable.level {
            let at = &mut self.levels[level];
            if at.pending.contains(&variable.slot) && !at.early.contains(&variable.slot) {
                at.early.push(variable.slot);
            }
            return Source::Local(variable.slot);
        }
        let known = self.levels[level].captured.iter().position(|c| c.0 == variable);
        let index = match known {
            Some(i) => i,
            None => {
                let source = self.source_at(level - 1, variable);
                self.levels[level].captured.push((variable, source));
                self.levels[level].captured.len() - 1
            }
        };
        Source::Captured(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn lookup(&self, name: Sym) -> Option<Variable> {
        self.names.get(&name).and_then(|stack| stack.last().copied())
    }

    fn var(&mut self, name: Sym, span: Span) -> Code<'a> {
        if name == self.eval.names.cur_pos {
            let value = self.eval.position_value(span.start);
            return Code::Const(self.bump.alloc(value));
        }
        if let Some(variable) = self.lookup(name) {
            return match self.source(variable) {
                Source::Local(i) => Code::Local(i as usize),
                Source::Captured(i) => Code::Captured(i as usize),
            };
        }
        if let Some(value) = self.globals.get(&name) {
            return Code::Const(self.bump.alloc(*value));
        }
        if self.withs.is_empty() {
            self.errors.push(Error::undefined(self.eval, name, span, self.candidates()));
            return Code::Const(self.bump.alloc(Value::Null));
        }
        let withs: Vec<Variable> = self.withs.iter().rev().copied().collect();
        let sets: Vec<Source> = withs.into_iter().map(|w| self.source(w)).collect();
        let sets = self.slice(sets);
        Code::WithVar(self.bump.alloc(WithVar { name, pos: span.start, sets }))
    }

    /// Names in scope, for "did you mean".
    fn candidates(&self) -> Vec<String> {
        let lexical = self.names.iter().filter(|(_, stack)| !stack.is_empty()).map(|(name, _)| *name);
        let all = lexical.chain(self.globals.keys().copied());
        let mut names: Vec<String> =
            all.map(|s| self.eval.symbols().text(s)).filter(|n| !n.starts_with("__")).collect();
        names.sort_unstable();
        names
    }

    /// The body of a thunk or function in an activation of its own.
    fn thunk(&mut self, expr: &Expr<'_>) -> Res<&'a ThunkCode<'a>> {
        self.levels.push(Level::default());
        let body = self.code(expr);
        let level = self.levels.pop().unwrap_or_default();
        let body = body?;
        let captures = self.slice(level.captured.into_iter().map(|c| c.1).collect());
        Ok(self.bump.alloc(ThunkCode { body, captures, locals: level.max, pos: expr.span.start }))
    }

    /// Code for a place that wants the value later.
    fn lazy(&mut self, expr: &Expr<'_>, alias: bool) -> Res<Lazy<'a>> {
        match expr.kind {
            Kind::Var(_) if alias => match self.code(expr)? {
                Code::Local(i) => return Ok(Lazy::Local(i)),
                Code::Captured(i) => return Ok(Lazy::Captured(i)),
                Code::Const(v) => return Ok(Lazy::Const(v)),
                _ => {}
            },
            Kind::Int(_)
            | Kind::Float(_)
            | Kind::Str([] | [Part::Text(_)])
            | Kind::List([])
            | Kind::Path([Part::Text(_)]) => {
                if let Code::Const(v) = self.code(expr)? {
                    return Ok(Lazy::Const(v));
                }
            }
            Kind::Lambda(_) => return self.now(expr),
            Kind::Select(_) => {
                if let Some(value) = self.known_select(expr) {
                    return Ok(Lazy::Const(value));
                }
            }
            Kind::List(_) | Kind::Attrs(_) if literal_weight(expr).is_some_and(|w| w <= SMALL_LITERAL) => {
                return self.now(expr);
            }
            Kind::Binary(b) if alias && !self.redefined && matches!(b.op, Op::Add | Op::Sub | Op::Mul) => {
                if let Some((lhs, rhs)) = self.operand(&b.lhs).zip(self.operand(&b.rhs)) {
                    let thunk = self.thunk(expr)?;
                    return Ok(Lazy::Arithmetic(self.bump.alloc(Arithmetic { op: b.op, lhs, rhs, thunk })));
                }
            }
            _ => {}
        }
        Ok(Lazy::Thunk(self.thunk(expr)?))
    }

    /// Code that is run instead of being suspended.
    fn now(&mut self, expr: &Expr<'_>) -> Res<Lazy<'a>> {
        let code = self.code(expr)?;
        Ok(Lazy::Now(self.bump.alloc(code)))
    }

    fn operand(&mut self, expr: &Expr<'_>) -> Option<Operand<'a>> {
        match expr.kind {
            Kind::Int(n) => Some(Operand::Int(n)),
            Kind::Var(name) => {
                let variable = self.lookup(name)?;
                Some(match self.source(variable) {
                    Source::Local(i) => Operand::Local(i as usize),
                    Source::Captured(i) => Operand::Captured(i as usize),
                })
            }
            Kind::Binary(b) if matches!(b.op, Op::Add | Op::Sub | Op::Mul) => {
                let lhs = self.operand(&b.lhs)?;
                let rhs = self.operand(&b.rhs)?;
                Some(Operand::Nested(self.bump.alloc((b.op, lhs, rhs))))
            }
            _ => None,
        }
    }

    fn code(&mut self, expr: &Expr<'_>) -> Res<Code<'a>> {
        // Parsing bounds the nesting, but one level of it takes more stack here.
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.code_inner(expr))
    }

    fn code_inner(&mut self, expr: &Expr<'_>) -> Res<Code<'a>> {
        let pos = expr.span.start;
        Ok(match expr.kind {
            Kind::Int(n) => self.constant(Value::Int(n)),
            Kind::Float(n) => self.constant(Value::float(n)),
            Kind::Var(name) => self.var(name, expr.span),
            Kind::Str(parts) => self.string(parts)?,
            Kind::Path(parts) => self.path(parts, expr.span)?,
            Kind::Search(name) => self.search(name, expr.span)?,
            Kind::List([]) => self.constant(self.eval.empty_list()),
            Kind::List(items) => {
                let items = items.iter().map(|e| self.lazy(e, true)).collect::<Res<Vec<_>>>()?;
                Code::List(self.bump.alloc(self.slice(items)))
            }
            Kind::Attrs(attrs) if attrs.recursive => self.recursive(attrs)?,
            Kind::Attrs(attrs) => self.attrs(attrs)?,
            Kind::Let((attrs, body)) => self.let_in(attrs, body)?,
            Kind::With((set, body)) => self.with(set, body)?,
            Kind::Assert((condition, body)) => {
                let span = condition.span;
                let condition = self.code(condition)?;
                let body = self.code(body)?;
                Code::Assert(self.bump.alloc(AssertCode { condition, body, span }))
            }
            Kind::If((condition, then, other)) => {
                let pos = condition.span.start;
                let condition = self.code(condition)?;
                let then = self.code(then)?;
                let other = self.code(other)?;
                Code::If(self.bump.alloc(IfCode { condition, then, other, pos }))
            }
            Kind::Lambda(_) => self.lambda(expr, None)?,
            Kind::Apply((function, args)) => {
                let function = self.code(function)?;
                let args = args.iter().map(|e| self.argument(e)).collect::<Res<Vec<_>>>()?;
                Code::Call(self.bump.alloc(CallCode { function, args: self.slice(args), pos }))
            }
            Kind::Select(select) => match self.known_select(expr) {
                Some(value) => Code::Const(value),
                None => self.select(select, expr.span)?,
            },
            Kind::HasAttr((base, path)) => {
                let base = self.code(base)?;
                let path = self.attr_path(path)?;
                Code::HasAttr(self.bump.alloc(HasAttrCode { base, path }))
            }
            Kind::Not(e) => {
                let code = self.code(e)?;
                Code::Not(self.bump.alloc((code, e.span.start)))
            }
            Kind::Negate(e) if self.redefined => {
                let zero = Expr { span: expr.span, kind: Kind::Int(0) };
                self.operator_call(self.eval.names.sub, [&zero, e], pos)?
            }
            Kind::Negate(e) => {
                let code = self.code(e)?;
                Code::Negate(self.bump.alloc((code, pos)))
            }
            Kind::Binary(b) if self.redefined && self.as_call(b.op).is_some() => self.redefined_binary(b)?,
            Kind::Binary(b) => {
                let lhs = self.code(&b.lhs)?;
                let rhs = self.code(&b.rhs)?;
                Code::Binary(self.bump.alloc(BinaryCode { op: b.op, pos: b.pos, lhs, rhs }))
            }
        })
    }

    /// The function an operator is a call of, whether the operands change places, and whether the result is negated.
    fn as_call(&self, op: Op) -> Option<(Sym, bool, bool)> {
        let names = &self.eval.names;
        Some(match op {
            Op::Sub => (names.sub, false, false),
            Op::Mul => (names.mul, false, false),
            Op::Div => (names.div, false, false),
            Op::Lt => (names.less_than, false, false),
            Op::Ge => (names.less_than, false, true),
            Op::Gt => (names.less_than, true, false),
            Op::Le => (names.less_than, true, true),
            _ => return None,
        })
    }

    fn redefined_binary(&mut self, b: &ast::Binary<'_>) -> Res<Code<'a>> {
        let (function, swapped, negated) = self.as_call(b.op).unwrap_or((self.eval.names.sub, false, false));
        let args = if swapped { [&b.rhs, &b.lhs] } else { [&b.lhs, &b.rhs] };
        let call = self.operator_call(function, args, b.pos)?;
        Ok(if negated { Code::Not(self.bump.alloc((call, b.pos))) } else { call })
    }

    fn operator_call(&mut self, function: Sym, args: [&Expr<'_>; 2], pos: diagnostics::Pos) -> Res<Code<'a>> {
        let function = self.var(function, Span::at(pos));
        let args = args.into_iter().map(|e| self.argument(e)).collect::<Res<Vec<_>>>()?;
        Ok(Code::Call(self.bump.alloc(CallCode { function, args: self.slice(args), pos })))
    }

    fn constant(&self, value: Value<'a>) -> Code<'a> {
        Code::Const(self.bump.alloc(value))
    }

    fn text(&self, bytes: &[u8]) -> Value<'a> {
        Value::String(self.bump.alloc(Str::flat(self.bump.alloc_slice_copy(bytes), None)))
    }

    /// Arguments: a literal set is built at once, the function most likely looks into it.
    fn argument(&mut self, expr: &Expr<'_>) -> Res<Lazy<'a>> {
        match expr.kind {
            Kind::Attrs(_) | Kind::List(_) if literal_weight(expr).is_some_and(|w| w <= 4 * SMALL_LITERAL) => {
                self.now(expr)
            }
            _ => self.lazy(expr, true),
        }
    }

    fn string(&mut self, parts: &[Part<'_>]) -> Res<Code<'a>> {
        match parts {
            [] => Ok(self.constant(self.text(b""))),
            [Part::Text(text)] => Ok(self.constant(self.text(text))),
            _ => {
                let parts = self.pieces(parts)?;
                Ok(Code::Str(self.bump.alloc(Template { parts })))
            }
        }
    }

    fn pieces(&mut self, parts: &[Part<'_>]) -> Res<&'a [Piece<'a>]> {
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(self.bump.alloc_slice_copy(text)),
                Part::Expr(e) => Piece::Code(self.code(e)?, e.span.start),
            });
        }
        Ok(self.slice(pieces))
    }

    fn path(&mut self, parts: &[Part<'_>], span: Span) -> Res<Code<'a>> {
        let (first, rest) = match parts.split_first() {
            Some((Part::Text(first), rest)) => (*first, rest),
            _ => (b"".as_slice(), parts),
        };
        let absolute = self.eval.literal_path(first, self.base_dir, span)?;
        if rest.is_empty() {
            return Ok(self.constant(self.eval.path_value(&absolute)));
        }
        // The normal form drops a slash at the end, which separates here.
        let mut head = absolute;
        if first.ends_with(b"/") && !head.ends_with(b"/") {
            head.push(b'/');
        }
        let mut pieces = vec![Piece::Text(self.bump.alloc_slice_copy(&head))];
        pieces.extend_from_slice(self.pieces(rest)?);
        let parts = self.slice(pieces);
        Ok(Code::Path(self.bump.alloc(Template { parts })))
    }

    /// `<a/b>` is `__findFile __nixPath "a/b"`, by whatever these names mean here.
    fn search(&mut self, name: &[u8], span: Span) -> Res<Code<'a>> {
        let function = self.var(self.eval.names.find_file, span);
        let path = match self.var(self.eval.names.nix_path, span) {
            Code::Local(i) => Lazy::Local(i),
            Code::Captured(i) => Lazy::Captured(i),
            Code::Const(v) => Lazy::Const(v),
            other => Lazy::Now(self.bump.alloc(other)),
        };
        let text = self.bump.alloc(self.text(name));
        let args = self.slice(vec![path, Lazy::Const(text)]);
        Ok(Code::Call(self.bump.alloc(CallCode { function, args, pos: span.start })))
    }

    fn with(&mut self, set: &Expr<'_>, body: &Expr<'_>) -> Res<Code<'a>> {
        let set = self.lazy(set, true)?;
        let before = self.level().next;
        let slot = self.level().slot();
        let variable = Variable { level: self.here(), slot };
        self.withs.push(variable);
        let body = self.code(body);
        self.withs.pop();
        self.level().next = before;
        Ok(Code::With(self.bump.alloc(WithCode { slot, set, body: body? })))
    }

    /// `name` is what a binding calls the function.
    fn lambda(&mut self, expr: &Expr<'_>, name: Option<Sym>) -> Res<Code<'a>> {
        let Kind::Lambda(first) = expr.kind else { return self.code(expr) };
        self.levels.push(Level::default());
        let mut declared = Vec::new();
        let mut body = &first.body;
        let mut arity = 0;
        let mut formals = None;
        let mut failed = None;
        if let Some(list) = &first.formals {
            if let Some(name) = first.name {
                self.declare(name);
                declared.push(name);
            }
            for f in list.list {
                self.declare(f.name);
                declared.push(f.name);
            }
            arity = 1;
            match self.formals(list) {
                Ok(f) => formals = Some(f),
                Err(e) => failed = Some(e),
            }
        } else {
            let mut lambda = first;
            loop {
                if let Some(name) = lambda.name {
                    self.declare(name);
                    declared.push(name);
                    arity += 1;
                }
                body = &lambda.body;
                match body.kind {
                    Kind::Lambda(inner) if inner.formals.is_none() => lambda = inner,
                    _ => break,
                }
            }
        }
        let code = self.code(body);
        let param_names = if formals.is_some() || failed.is_some() { &[][..] } else { self.slice(declared.clone()) };
        for name in declared.into_iter().rev() {
            self.forget(name);
        }
        let level = self.levels.pop().unwrap_or_default();
        if let Some(error) = failed {
            return Err(error);
        }
        let captures = self.slice(level.captured.into_iter().map(|c| c.1).collect());
        Ok(Code::Lambda(self.bump.alloc(LambdaCode {
            span: expr.span,
            name,
            captures,
            arity,
            param_names,
            formals,
            named: if formals.is_some() { first.name } else { None },
            locals: level.max,
            body: code?,
        })))
    }

    /// The formals are declared; defaults are bound in the order written.
    fn formals(&mut self, formals: &ast::Formals<'_>) -> Res<&'a FormalsCode<'a>> {
        let slots: Vec<u32> = formals.list.iter().filter_map(|f| self.lookup(f.name)).map(|v| v.slot).collect();
        let waiting = formals.list.iter().zip(&slots).filter(|(f, _)| f.default.is_some()).map(|(_, slot)| *slot);
        self.level().pending = waiting.collect();
        let mut defaults = Vec::with_capacity(formals.list.len());
        for (f, slot) in formals.list.iter().zip(&slots) {
            defaults.push(match &f.default {
                Some(e) => {
                    let alias = self.bound_already(e);
                    Some(self.lazy(e, alias)?)
                }
                None => None,
            });
            self.level().pending.retain(|s| s != slot);
        }
        let early = std::mem::take(&mut self.level().early);
        let list = formals.list.iter().zip(&slots).zip(defaults).map(|((f, slot), default)| FormalCode {
            name: f.name,
            span: f.span,
            default,
            early: early.contains(slot),
            guess: Cell::new(0),
        });
        Ok(self.bump.alloc(FormalsCode { list: self.slice(list.collect()), ellipsis: formals.ellipsis }))
    }

    /// `builtins.x`, when nobody redefined `builtins`.
    fn known_select(&mut self, expr: &Expr<'_>) -> Option<&'a Value<'a>> {
        let Kind::Select(select) = expr.kind else { return None };
        let (Kind::Var(name), [AttrName::Static(attr, _)]) = (select.base.kind, select.path) else { return None };
        if name != self.eval.names.builtins || self.lookup(name).is_some() {
            return None;
        }
        let Value::Attrs(builtins) = self.globals.get(&name)?.peek() else { return None };
        let value = builtins.get(*attr)?.value();
        value.is_evaluated().then(|| &*self.bump.alloc(value.peek()))
    }

    fn select(&mut self, select: &ast::Select<'_>, span: Span) -> Res<Code<'a>> {
        let base = self.code(&select.base)?;
        let path = self.attr_path(select.path)?;
        let default = match &select.default {
            Some(e) => Some(self.code(e)?),
            None => None,
        };
        Ok(Code::Select(self.bump.alloc(SelectCode { base, path, default, span, guess: Cell::new(0) })))
    }

    fn attr_path(&mut self, path: &[AttrName<'_>]) -> Res<&'a [NameCode<'a>]> {
        let mut names = Vec::with_capacity(path.len());
        for name in path {
            names.push(match name {
                AttrName::Static(sym, span) => NameCode::Static(*sym, *span),
                AttrName::Dynamic(e) => NameCode::Dynamic(self.code(e)?, e.span),
            });
        }
        Ok(self.slice(names))
    }

    /// The value of a binding; functions learn what they are called.
    fn binding(&mut self, name: Sym, expr: &Expr<'_>, alias: bool) -> Res<Lazy<'a>> {
        match expr.kind {
            Kind::Lambda(_) => {
                let code = self.lambda(expr, Some(name))?;
                Ok(Lazy::Now(self.bump.alloc(code)))
            }
            _ => self.lazy(expr, alias),
        }
    }

    fn inherited(&mut self, name: Sym, span: Span) -> Lazy<'a> {
        match self.var(name, span) {
            Code::Local(i) => Lazy::Local(i),
            Code::Captured(i) => Lazy::Captured(i),
            Code::Const(v) => Lazy::Const(v),
            _ => {
                // Found by `with`: looked for only when needed.
                let expr = Expr { span, kind: Kind::Var(name) };
                match self.thunk(&expr) {
                    Ok(thunk) => Lazy::Thunk(thunk),
                    Err(error) => {
                        self.errors.push(error);
                        Lazy::Const(self.bump.alloc(Value::Null))
                    }
                }
            }
        }
    }

    fn inherit_sources(&mut self, from: &[Expr<'_>], alias: bool) -> Res<&'a [(u32, Lazy<'a>)]> {
        let mut out = Vec::with_capacity(from.len());
        for e in from {
            let lazy = self.lazy(e, alias)?;
            out.push((self.level().slot(), lazy));
        }
        Ok(self.slice(out))
    }

    fn attrs(&mut self, attrs: &ast::Attrs<'_>) -> Res<Code<'a>> {
        let before = self.level().next;
        let from = self.inherit_sources(attrs.from, true)?;
        let mut list = Vec::with_capacity(attrs.statics.len());
        for b in attrs.statics {
            let value = match &b.value {
                ast::Value::Expr(e) => AttrValue::Lazy(self.binding(b.name, e, true)?),
                ast::Value::Inherit => AttrValue::Lazy(self.inherited(b.name, b.span)),
                ast::Value::InheritFrom(n) => AttrValue::From(from[*n as usize].0, b.span.start),
            };
            list.push(AttrCode { name: b.name, pos: b.span.start, value });
        }
        list.sort_unstable_by_key(|a| a.name);
        let dynamics = self.dynamics(attrs.dynamics)?;
        self.level().next = before;
        Ok(Code::Attrs(self.bump.alloc(AttrsCode { attrs: self.slice(list), dynamics, from })))
    }

    fn dynamics(&mut self, dynamics: &[ast::DynamicBinding<'_>]) -> Res<&'a [DynamicCode<'a>]> {
        let mut out = Vec::with_capacity(dynamics.len());
        for d in dynamics {
            let name = self.code(&d.name)?;
            let value = self.lazy(&d.value, true)?;
            out.push(DynamicCode { name, pos: d.span.start, value });
        }
        Ok(self.slice(out))
    }

    /// Values of `inherit x;` come from the scope around, so they are resolved before the group is declared.
    fn inherits(&mut self, attrs: &ast::Attrs<'_>) -> HashMap<Sym, Lazy<'a>> {
        let mut out = HashMap::new();
        for b in attrs.statics {
            if matches!(b.value, ast::Value::Inherit) {
                let value = self.inherited(b.name, b.span);
                out.insert(b.name, value);
            }
        }
        out
    }

    fn let_in(&mut self, attrs: &ast::Attrs<'_>, body: &Expr<'_>) -> Res<Code<'a>> {
        let before = self.level().next;
        let inherits = self.inherits(attrs);
        let slots: Vec<u32> = attrs.statics.iter().map(|b| self.declare(b.name)).collect();
        let waiting: Vec<u32> = slots
            .iter()
            .zip(attrs.statics)
            .filter(|(_, b)| !matches!(b.value, ast::Value::Inherit))
            .map(|(s, _)| *s)
            .collect();
        let outer_pending = self.level().pending.len();
        self.level().pending.extend_from_slice(&waiting);
        let result = self.let_group(attrs, &slots, &inherits);
        self.level().pending.truncate(outer_pending);
        let body = self.code(body);
        for b in attrs.statics.iter().rev() {
            self.forget(b.name);
        }
        self.level().next = before;
        let (from, bindings) = result?;
        let early: Vec<u32> =
            slots.iter().copied().filter(|s| self.levels[self.levels.len() - 1].early.contains(s)).collect();
        self.level().early.retain(|s| !slots.contains(s));
        let bindings = bindings.into_iter().map(|(slot, name, value)| LetBinding {
            slot,
            name,
            early: early.contains(&slot),
            value,
        });
        let bindings = self.slice(bindings.collect());
        let code = LetCode { early: self.slice(early), from, bindings, body: body? };
        Ok(Code::Let(self.bump.alloc(code)))
    }

    #[allow(clippy::type_complexity, reason = "two halves of LetCode, used once")]
    fn let_group(
        &mut self,
        attrs: &ast::Attrs<'_>,
        slots: &[u32],
        inherits: &HashMap<Sym, Lazy<'a>>,
    ) -> Res<(&'a [(u32, Lazy<'a>)], Vec<(u32, Sym, AttrValue<'a>)>)> {
        let mut bindings = Vec::with_capacity(slots.len());
        let rank = |b: &ast::Binding<'_>| u8::from(!matches!(b.value, ast::Value::Inherit));
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by_key(|i| rank(&attrs.statics[*i]));
        let from = self.inherit_sources(attrs.from, false)?;
        for i in order {
            let b = &attrs.statics[i];
            let value = match &b.value {
                ast::Value::Inherit => AttrValue::Lazy(inherits[&b.name]),
                ast::Value::InheritFrom(n) => AttrValue::From(from[*n as usize].0, b.span.start),
                ast::Value::Expr(e) => {
                    let alias = self.bound_already(e);
                    AttrValue::Lazy(self.binding(b.name, e, alias)?)
                }
            };
            self.level().pending.retain(|s| *s != slots[i]);
            bindings.push((slots[i], b.name, value));
        }
        Ok((from, bindings))
    }

    /// Whether every variable of a plain variable or sum is bound by now, so that its value can be copied.
    fn bound_already(&self, expr: &Expr<'_>) -> bool {
        match expr.kind {
            Kind::Var(name) => match self.lookup(name) {
                Some(v) => v.level != self.here() || !self.levels[v.level].pending.contains(&v.slot),
                None => true,
            },
            Kind::Binary(b) => self.bound_already(&b.lhs) && self.bound_already(&b.rhs),
            _ => true,
        }
    }

    fn recursive(&mut self, attrs: &ast::Attrs<'_>) -> Res<Code<'a>> {
        let before = self.level().next;
        let inherits = self.inherits(attrs);
        let mut order: Vec<&ast::Binding<'_>> = attrs.statics.iter().collect();
        order.sort_unstable_by_key(|b| b.name);
        let slots: Vec<u32> = order.iter().map(|b| self.declare(b.name)).collect();
        let result = self.recursive_group(attrs, &order, &inherits);
        for b in order.iter().rev() {
            self.forget(b.name);
        }
        self.level().next = before;
        let (list, from, dynamics) = result?;
        let overrides = order.iter().any(|b| b.name == self.eval.names.overrides);
        let code = RecCode { attrs: self.slice(list), slots: self.slice(slots), dynamics, from, overrides };
        Ok(Code::RecAttrs(self.bump.alloc(code)))
    }

    #[allow(clippy::type_complexity, reason = "three parts of RecCode, used once")]
    fn recursive_group(
        &mut self,
        attrs: &ast::Attrs<'_>,
        order: &[&ast::Binding<'_>],
        inherits: &HashMap<Sym, Lazy<'a>>,
    ) -> Res<(Vec<AttrCode<'a>>, &'a [(u32, Lazy<'a>)], &'a [DynamicCode<'a>])> {
        let from = self.inherit_sources(attrs.from, false)?;
        let mut list = Vec::with_capacity(order.len());
        for b in order {
            let value = match &b.value {
                ast::Value::Inherit => AttrValue::Lazy(inherits[&b.name]),
                ast::Value::InheritFrom(n) => AttrValue::From(from[*n as usize].0, b.span.start),
                ast::Value::Expr(e) => AttrValue::Lazy(self.binding(b.name, e, false)?),
            };
            list.push(AttrCode { name: b.name, pos: b.span.start, value });
        }
        let dynamics = self.dynamics(attrs.dynamics)?;
        Ok((list, from, dynamics))
    }
}

/// How many parts a literal has, if building it evaluates nothing.
fn literal_weight(expr: &Expr<'_>) -> Option<usize> {
    match expr.kind {
        Kind::List(items) => Some(items.len()),
        Kind::Attrs(a) if !a.recursive && a.dynamics.is_empty() => Some(a.statics.len()),
        _ => None,
    }
}
