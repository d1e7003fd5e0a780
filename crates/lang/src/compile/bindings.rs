//! `let`, `{ … }` and `rec { … }`: in which order names are bound, and who may be copied already.

use diagnostics::Span;
use hashbrown::HashMap;
use syntax::Sym;
use syntax::ast::{self, Expr, Kind};

use crate::code::{AttrCode, AttrValue, AttrsCode, Code, DynamicCode, Lazy, LetBinding, LetCode, RecCode};
use crate::compile::Compiler;
use crate::error::Res;
use crate::value::Value;

impl<'a> Compiler<'_, 'a> {
    /// The value of a binding; functions learn what they are called.
    pub(super) fn binding(&mut self, name: Sym, expr: &Expr<'_>, alias: bool) -> Res<Lazy<'a>> {
        match expr.kind {
            Kind::Lambda(_) if !self.eval.settings().suspend_literals => {
                let code = self.lambda(expr, Some(name))?;
                Ok(Lazy::Now(self.bump.alloc(code)))
            }
            _ => self.lazy(expr, alias),
        }
    }

    pub(super) fn inherited(&mut self, name: Sym, span: Span) -> Lazy<'a> {
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

    pub(super) fn inherit_sources(&mut self, from: &[Expr<'_>], alias: bool) -> Res<&'a [(u32, Lazy<'a>)]> {
        let mut out = Vec::with_capacity(from.len());
        for e in from {
            let lazy = self.lazy(e, alias)?;
            out.push((self.level().slot(), lazy));
        }
        Ok(self.slice(out))
    }

    pub(super) fn attrs(&mut self, attrs: &ast::Attrs<'_>) -> Res<Code<'a>> {
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

    pub(super) fn dynamics(&mut self, dynamics: &[ast::DynamicBinding<'_>]) -> Res<&'a [DynamicCode<'a>]> {
        let mut out = Vec::with_capacity(dynamics.len());
        for d in dynamics {
            let name = self.code(&d.name)?;
            let value = self.lazy(&d.value, true)?;
            out.push(DynamicCode { name, pos: d.span.start, value });
        }
        Ok(self.slice(out))
    }

    /// Values of `inherit x;` come from the scope around, so they are resolved before the group is declared.
    pub(super) fn inherits(&mut self, attrs: &ast::Attrs<'_>) -> HashMap<Sym, Lazy<'a>> {
        let mut out = HashMap::new();
        for b in attrs.statics {
            if matches!(b.value, ast::Value::Inherit) {
                let value = self.inherited(b.name, b.span);
                out.insert(b.name, value);
            }
        }
        out
    }

    pub(super) fn let_in(&mut self, attrs: &ast::Attrs<'_>, body: &Expr<'_>) -> Res<Code<'a>> {
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
    pub(super) fn let_group(
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
    pub(super) fn bound_already(&self, expr: &Expr<'_>) -> bool {
        match expr.kind {
            Kind::Var(name) => match self.lookup(name) {
                Some(v) => v.level != self.here() || !self.levels[v.level].pending.contains(&v.slot),
                None => true,
            },
            Kind::Binary(b) => self.bound_already(&b.lhs) && self.bound_already(&b.rhs),
            _ => true,
        }
    }

    pub(super) fn recursive(&mut self, attrs: &ast::Attrs<'_>) -> Res<Code<'a>> {
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
    pub(super) fn recursive_group(
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
