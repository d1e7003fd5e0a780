//! Names to places: activations, their slots, and what they capture from those around.

use diagnostics::Span;
use syntax::Sym;

use crate::code::{Code, Source, WithVar};
use crate::compile::Compiler;
use crate::error::Error;
use crate::value::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) level: usize,
    pub(super) slot: u32,
}

#[derive(Default)]
pub(super) struct Level {
    pub(super) next: u32,
    pub(super) max: u32,
    pub(super) captured: Vec<(Variable, Source)>,
    /// Slots of a recursive group that are not bound yet, and those of them that were referred to.
    pub(super) pending: Vec<u32>,
    pub(super) early: Vec<u32>,
}

impl Level {
    pub(super) fn slot(&mut self) -> u32 {
        self.next += 1;
        self.max = self.max.max(self.next);
        self.next - 1
    }
}

impl<'a> Compiler<'_, 'a> {
    pub(super) fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    pub(super) fn here(&self) -> usize {
        self.levels.len() - 1
    }

    pub(super) fn declare(&mut self, name: Sym) -> u32 {
        self.redefined |= self.operators().contains(&name);
        let slot = self.level().slot();
        let variable = Variable { level: self.here(), slot };
        self.names.entry(name).or_default().push(variable);
        slot
    }

    pub(super) fn forget(&mut self, name: Sym) {
        if let Some(stack) = self.names.get_mut(&name) {
            stack.pop();
        }
    }

    /// Where the current activation finds `variable`.
    pub(super) fn source(&mut self, variable: Variable) -> Source {
        let here = self.here();
        self.source_at(here, variable)
    }

    pub(super) fn source_at(&mut self, level: usize, variable: Variable) -> Source {
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

    pub(super) fn lookup(&self, name: Sym) -> Option<Variable> {
        self.names.get(&name).and_then(|stack| stack.last().copied())
    }

    pub(super) fn var(&mut self, name: Sym, span: Span) -> Code<'a> {
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
    pub(super) fn candidates(&self) -> Vec<String> {
        let lexical = self.names.iter().filter(|(_, stack)| !stack.is_empty()).map(|(name, _)| *name);
        let all = lexical.chain(self.globals.keys().copied());
        let mut names: Vec<String> =
            all.map(|s| self.eval.symbols().text(s)).filter(|n| !n.starts_with("__")).collect();
        names.sort_unstable();
        names
    }
}
