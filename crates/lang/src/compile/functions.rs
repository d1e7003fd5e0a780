//! Functions and their formals.

use std::cell::Cell;

use syntax::Sym;
use syntax::ast::{self, Expr, Kind};

use crate::code::{Code, FormalCode, FormalsCode, LambdaCode};
use crate::compile::Compiler;
use crate::compile::scope::Level;
use crate::error::Res;

impl<'a> Compiler<'_, 'a> {
    /// `name` is what a binding calls the function.
    pub(super) fn lambda(&mut self, expr: &Expr<'_>, name: Option<Sym>) -> Res<Code<'a>> {
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
    pub(super) fn formals(&mut self, formals: &ast::Formals<'_>) -> Res<&'a FormalsCode<'a>> {
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
}
