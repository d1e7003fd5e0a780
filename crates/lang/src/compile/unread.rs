//! Parts of long lists and sets that were left as text: compiled when somebody wants their value.
//!
//! What such a part means is fixed where it stands: its names are looked up there, those in scope are captured.

use std::cell::Cell;
use std::rc::Rc;

use bumpalo::Bump;
use diagnostics::{Pos, Span};
use syntax::ast::{Expr, Unread};

use crate::code::{Code, Lazy, Source, ThunkCode, UnreadCode};
use crate::compile::scope::{Level, Variable};
use crate::compile::{Compiler, Globals};
use crate::error::{Error, Res};
use crate::eval::Eval;

/// What is needed of a text to compile parts of it later.
pub(crate) struct Surroundings<'a> {
    globals: Rc<Globals<'a>>,
    base_dir: Rc<str>,
}

/// Compiles a part of a text.
pub(crate) fn compile_part<'a>(eval: &Eval<'a>, part: &UnreadCode<'a>) -> Res<&'a ThunkCode<'a>> {
    let (globals, base_dir) = {
        let all = eval.surroundings.borrow();
        let surroundings: &Surroundings<'a> = &all[part.surroundings];
        (surroundings.globals.clone(), surroundings.base_dir.clone())
    };
    let mut compiler = Compiler::new(eval, &globals, &base_dir);
    // The level that has the captured names, and that of the part, which captures all of them.
    let mut own = Level::default();
    for (slot, name) in (0..).zip(part.names) {
        let variable = Variable { level: 0, slot };
        compiler.names.entry(*name).or_default().push(variable);
        own.captured.push((variable, Source::Local(slot)));
    }
    compiler.levels.push(Level::default());
    compiler.levels.push(own);
    let body = compiler.read_text(part.text, |compiler, expr| compiler.code(expr))?;
    let own = compiler.levels.pop().unwrap_or_default();
    debug_assert_eq!(own.captured.len(), part.names.len());
    match Error::together(compiler.errors) {
        Some(error) => Err(error),
        None => Ok(eval.bump().alloc(ThunkCode { body, captures: &[], locals: own.max, pos: part.text.start })),
    }
}

impl<'a> Compiler<'_, 'a> {
    /// A thunk for what was left as text; compiled now if what it means is not settled by the names it takes.
    pub(super) fn unread(&mut self, unread: &Unread<'_>) -> Res<Lazy<'a>> {
        let is_known =
            |name| name == self.eval.names.cur_pos || self.lookup(name).is_some() || self.globals.contains_key(&name);
        let all_known = unread.free.iter().all(|free| !free.required || is_known(free.name));
        if !all_known || self.redefined || !self.withs.is_empty() {
            return self.read(unread, |compiler, expr| compiler.lazy(expr, true));
        }
        let captured: Vec<(syntax::Sym, Variable)> =
            unread.free.iter().filter_map(|free| Some((free.name, self.lookup(free.name)?))).collect();
        let mut captures = Vec::with_capacity(captured.len());
        for (_, variable) in &captured {
            captures.push(self.source(*variable));
        }
        let code = UnreadCode {
            text: unread.text,
            names: self.slice(captured.into_iter().map(|(name, _)| name).collect()),
            surroundings: self.surroundings(),
            compiled: Cell::new(None),
        };
        let body = Code::Unread(self.bump.alloc(code));
        let captures = self.slice(captures);
        Ok(Lazy::Thunk(self.bump.alloc(ThunkCode { body, captures, locals: 0, pos: unread.text.start })))
    }

    fn surroundings(&mut self) -> usize {
        if let Some(known) = self.surroundings {
            return known;
        }
        let mut all = self.eval.surroundings.borrow_mut();
        all.push(Surroundings { globals: self.globals.clone(), base_dir: self.base_dir.into() });
        self.surroundings = Some(all.len() - 1);
        all.len() - 1
    }

    /// Compiles what was left as text, here and now.
    pub(super) fn read<T>(
        &mut self,
        unread: &Unread<'_>,
        compile: impl FnOnce(&mut Self, &Expr<'_>) -> Res<T>,
    ) -> Res<T> {
        self.read_text(unread.text, compile)
    }

    fn read_text<T>(&mut self, part: Span, compile: impl FnOnce(&mut Self, &Expr<'_>) -> Res<T>) -> Res<T> {
        let eval = self.eval;
        let sources = eval.sources.borrow();
        let text = sources.file(part.start).and_then(|file| {
            let offset = |pos: Pos| (pos.0.saturating_sub(file.base)) as usize;
            file.text.get(offset(part.start)..offset(part.end))
        });
        let bump = Bump::new();
        let features = eval.settings().features;
        let tree = syntax::parse(text.unwrap_or_default(), part.start, eval.symbols(), &bump, features)?;
        drop(sources);
        compile(self, &tree)
    }
}
