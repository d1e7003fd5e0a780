//! Syntax tree to code: resolves names, decides what is captured and what needs no thunk.
//!
//! Captures are flat: a function or thunk gets copies of exactly the values it uses. `with` never hides a lexical
//! name. Undefined variables are found here, before anything is evaluated.

mod bindings;
mod functions;
mod operators;
mod scope;
mod select;
mod text;
mod unread;

use std::rc::Rc;

use bumpalo::Bump;
use hashbrown::HashMap;
use syntax::Sym;
use syntax::ast::{Expr, Kind, Op, Part};

use crate::code::{
    Arithmetic, AssertCode, BinaryCode, CallCode, Code, HasAttrCode, IfCode, Lazy, Operand, Source, ThunkCode, WithCode,
};
use crate::compile::scope::{Level, Variable};
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::string::Str;
use crate::value::Value;

/// Names outside of the text that it may use.
pub(crate) type Globals<'a> = HashMap<Sym, Value<'a>, foldhash::fast::FixedState>;

/// A set or list literal of at most this many parts is built rather than suspended.
const SMALL_LITERAL: usize = 6;

pub(crate) use unread::{Surroundings, compile_part};

/// Compiles a whole text into a thunk without captures.
pub(crate) fn compile<'a>(
    eval: &Eval<'a>,
    expr: &Expr<'_>,
    globals: &Rc<Globals<'a>>,
    base_dir: &str,
) -> Res<&'a ThunkCode<'a>> {
    let mut compiler = Compiler::new(eval, globals, base_dir);
    let code = compiler.thunk(expr)?;
    match Error::together(compiler.errors) {
        Some(error) => Err(error),
        None => Ok(code),
    }
}

struct Compiler<'c, 'a> {
    eval: &'c Eval<'a>,
    bump: &'a Bump,
    globals: &'c Rc<Globals<'a>>,
    base_dir: &'c str,
    /// This text's, once something is left as text.
    surroundings: Option<usize>,
    names: HashMap<Sym, Vec<Variable>, foldhash::fast::FixedState>,
    withs: Vec<Variable>,
    levels: Vec<Level>,
    errors: Vec<Error>,
    /// Whether somebody gave another meaning to a function that an operator stands for.
    redefined: bool,
}

impl<'c, 'a> Compiler<'c, 'a> {
    fn new(eval: &'c Eval<'a>, globals: &'c Rc<Globals<'a>>, base_dir: &'c str) -> Self {
        let mut compiler = Compiler {
            eval,
            bump: eval.bump(),
            globals,
            base_dir,
            surroundings: None,
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
        compiler
    }

    fn slice<T>(&self, items: Vec<T>) -> &'a [T] {
        self.bump.alloc_slice_fill_iter(items)
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
            Kind::Unread(unread) => return self.unread(unread),
            _ if self.eval.settings().suspend_literals => {}
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
                let span = condition.span;
                let condition = self.code(condition)?;
                let then = self.code(then)?;
                let other = self.code(other)?;
                Code::If(self.bump.alloc(IfCode { condition, then, other, span }))
            }
            Kind::Lambda(_) => self.lambda(expr, None)?,
            Kind::Apply((function, args)) => {
                let function = self.code(function)?;
                let args = args.iter().map(|e| self.argument(e)).collect::<Res<Vec<_>>>()?;
                Code::Call(self.bump.alloc(CallCode { function, args: self.slice(args), span: expr.span }))
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
                Code::Not(self.bump.alloc((code, e.span)))
            }
            Kind::Negate(e) if self.redefined => {
                let zero = Expr { span: expr.span, kind: Kind::Int(0) };
                self.operator_call(self.eval.names.sub, [&zero, e], expr.span)?
            }
            Kind::Negate(e) => {
                let code = self.code(e)?;
                Code::Negate(self.bump.alloc((code, expr.span)))
            }
            Kind::Unread(unread) => self.read(unread, |compiler, expr| compiler.code(expr))?,
            Kind::Binary(b) if self.redefined && self.as_call(b.op).is_some() => self.redefined_binary(b)?,
            Kind::Binary(b) => {
                let lhs = self.code(&b.lhs)?;
                let rhs = self.code(&b.rhs)?;
                Code::Binary(self.bump.alloc(BinaryCode { op: b.op, pos: b.pos, lhs, rhs }))
            }
        })
    }

    fn constant(&self, value: Value<'a>) -> Code<'a> {
        Code::Const(self.bump.alloc(value))
    }

    fn text(&self, bytes: &[u8]) -> Value<'a> {
        Value::String(self.bump.alloc(Str::flat(self.bump.alloc_slice_copy(bytes), None)))
    }

    /// Arguments: a literal set is built at once, the function most likely looks into it.
    fn argument(&mut self, expr: &Expr<'_>) -> Res<Lazy<'a>> {
        let eager = !self.eval.settings().suspend_literals;
        match expr.kind {
            Kind::Attrs(_) | Kind::List(_) if eager && literal_weight(expr).is_some_and(|w| w <= 4 * SMALL_LITERAL) => {
                self.now(expr)
            }
            _ => self.lazy(expr, true),
        }
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
}

/// How many parts a literal has, if building it evaluates nothing.
fn literal_weight(expr: &Expr<'_>) -> Option<usize> {
    match expr.kind {
        Kind::List(items) => Some(items.len()),
        Kind::Attrs(a) if !a.recursive && a.dynamics.is_empty() => Some(a.statics.len()),
        _ => None,
    }
}
