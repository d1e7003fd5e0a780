//! `let`, `{ … }` and `rec { … }`.

use diagnostics::Span;

use crate::attrs::{Attr, Attrs};
use crate::code::{AttrCode, AttrValue, AttrsCode, DynamicCode, Lazy, LetCode, RecCode};
use crate::error::{Error, Run};
use crate::eval::Eval;
use crate::run::Frame;
use crate::value::{Slot, Value};

impl<'a> Eval<'a> {
    #[inline(never)]
    pub(super) fn bind_let(&self, code: &'a LetCode<'a>, frame: &Frame<'_, 'a>) {
        for slot in code.early {
            frame.set(*slot, Value::Thunk(self.bump().alloc(Slot::new(Value::Unset))));
        }
        self.bind_sources(code.from, frame);
        for binding in code.bindings {
            let state = match binding.value {
                AttrValue::Lazy(lazy) => self.state(lazy, frame),
                AttrValue::From(from, pos) => self.inherit_state(binding.name, frame.local(from as usize), pos),
            };
            if binding.early {
                let Value::Thunk(early) = frame.local(binding.slot as usize) else { continue };
                early.state.set(state);
                if !state.is_suspended() {
                    frame.set(binding.slot, state);
                }
            } else {
                frame.set(binding.slot, self.in_slot(state));
            }
        }
    }

    /// What `inherit (…)` looks into.
    fn bind_sources(&self, from: &[(u32, Lazy<'a>)], frame: &Frame<'_, 'a>) {
        for (slot, lazy) in from {
            frame.set(*slot, self.lazy_value(*lazy, frame));
        }
    }

    #[inline]
    fn attr_state(&self, attr: &AttrCode<'a>, frame: &Frame<'_, 'a>) -> Value<'a> {
        match attr.value {
            AttrValue::Lazy(lazy) => self.state(lazy, frame),
            AttrValue::From(from, pos) => self.inherit_state(attr.name, frame.local(from as usize), pos),
        }
    }

    #[inline(never)]
    pub(super) fn run_attrs(&self, code: &'a AttrsCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        self.bind_sources(code.from, frame);
        let own = self.bump().alloc_slice_fill_iter(
            code.attrs.iter().map(|a| Attr::new(a.name, a.pos, Slot::new(self.attr_state(a, frame)))),
        );
        let set = self.bump().alloc(Attrs::sorted(own));
        if code.dynamics.is_empty() { Ok(Value::Attrs(set)) } else { self.add_dynamics(set, code.dynamics, frame) }
    }

    /// `set // { … }` without the set on the right, where that is simple and both are small.
    pub(super) fn update_with(
        &self,
        set: &'a Attrs<'a>,
        code: &'a AttrsCode<'a>,
        frame: &Frame<'_, 'a>,
    ) -> Option<&'a Attrs<'a>> {
        if !code.dynamics.is_empty() || !code.from.is_empty() {
            return None;
        }
        set.update_with(self.bump(), code.attrs, |a| Attr::new(a.name, a.pos, Slot::new(self.attr_state(a, frame))))
    }

    #[inline(never)]
    fn add_dynamics(
        &self,
        set: &'a Attrs<'a>,
        dynamics: &'a [DynamicCode<'a>],
        frame: &Frame<'_, 'a>,
    ) -> Run<Value<'a>> {
        let mut more: Vec<Attr<'a>> = Vec::with_capacity(dynamics.len());
        for d in dynamics {
            let name = match self.run(d.name, frame)? {
                Value::Null => continue,
                value => self.kept(self.attr_name(value).map_err(|e| e.at(d.pos)))?,
            };
            let known = set.get(name).map(|a| a.pos).or_else(|| more.iter().find(|a| a.name == name).map(|a| a.pos));
            if let Some(first) = known {
                let text = self.symbols().text(name);
                let place = match self.location(first) {
                    Some(at) => format!(" at {}:{}:{}", at.file, at.line, at.column),
                    None => String::new(),
                };
                return Err(self.fail(
                    Error::eval(format!("dynamic attribute '{text}' already defined{place}"))
                        .at(d.pos)
                        .label(Span::at(first), "first defined here"),
                ));
            }
            more.push(Attr::new(name, d.pos, self.slot(d.value, frame)));
        }
        more.sort_unstable_by_key(|a| a.name);
        let more = self.bump().alloc(Attrs::sorted(self.bump().alloc_slice_fill_iter(more)));
        Ok(Value::Attrs(set.update(self.bump(), more)))
    }

    #[inline(never)]
    pub(super) fn run_rec(&self, code: &'a RecCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let own = &*self
            .bump()
            .alloc_slice_fill_iter(code.attrs.iter().map(|a| Attr::new(a.name, a.pos, Slot::new(Value::Unset))));
        for (attr, slot) in own.iter().zip(code.slots) {
            frame.set(*slot, Value::Thunk(&attr.slot));
        }
        self.bind_sources(code.from, frame);
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
    fn apply_overrides(&self, set: &'a Attrs<'a>) -> Run<&'a Attrs<'a>> {
        let Some(attr) = set.get(self.names.overrides) else { return Ok(set) };
        let overrides = self.kept(self.force_attrs(attr.value()))?;
        for o in overrides.all() {
            if let Some(own) = set.get(o.name) {
                own.slot.state.set(o.value());
            }
        }
        Ok(set.update(self.bump(), overrides))
    }
}
