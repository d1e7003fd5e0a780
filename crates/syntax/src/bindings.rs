//! Collecting the bindings of a set, merging nested attribute paths.
//!
//! `a.b = 1; a.c = 2;` and `a = { b = 1; }; a.c = 2;` are one nested set; anything else defined twice is an error.

use bumpalo::Bump;
use diagnostics::Span;
use hashbrown::HashMap;

use crate::ast::{AttrName, Attrs, Binding, DynamicBinding, Expr, Kind, Value};
use crate::{Sym, Symbols, SyntaxError};

/// Above this many attributes a hash table finds duplicates.
const SMALL: usize = 16;

/// A set being collected.
pub(crate) struct Builder<'s> {
    bump: &'s Bump,
    recursive: bool,
    statics: Vec<(Sym, Span, Slot<'s>)>,
    index: HashMap<Sym, usize, foldhash::fast::FixedState>,
    dynamics: Vec<DynamicBinding<'s>>,
    from: Vec<Expr<'s>>,
}

enum Slot<'s> {
    Value(Value<'s>),
    /// A set literal that more attributes may still be merged into, and the place of the whole.
    Nested(Box<Builder<'s>>, Span),
}

impl<'s> Builder<'s> {
    pub(crate) fn new(recursive: bool, bump: &'s Bump) -> Self {
        Builder {
            bump,
            recursive,
            statics: Vec::new(),
            index: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0)),
            dynamics: Vec::new(),
            from: Vec::new(),
        }
    }

    fn find(&self, name: Sym) -> Option<usize> {
        if self.statics.len() <= SMALL {
            return self.statics.iter().position(|s| s.0 == name);
        }
        self.index.get(&name).copied()
    }

    fn push(&mut self, name: Sym, span: Span, slot: Slot<'s>) {
        self.statics.push((name, span, slot));
        match self.statics.len() {
            n if n == SMALL + 1 => self.index.extend(self.statics.iter().enumerate().map(|(i, s)| (s.0, i))),
            n if n > SMALL => {
                self.index.insert(name, n - 1);
            }
            _ => {}
        }
    }

    /// `inherit name;` or `inherit (from) name;`
    pub(crate) fn inherit(
        &mut self,
        name: Sym,
        span: Span,
        value: Value<'s>,
        symbols: &Symbols<'_>,
    ) -> Result<(), SyntaxError> {
        if let Some(i) = self.find(name) {
            return Err(duplicate(&symbols.text(name), span, self.statics[i].1));
        }
        self.push(name, span, Slot::Value(value));
        Ok(())
    }

    /// Adds the expression of `inherit (expr)` and returns its number.
    pub(crate) fn add_from(&mut self, expr: Expr<'s>) -> u32 {
        self.from.push(expr);
        u32::try_from(self.from.len() - 1).unwrap_or(u32::MAX)
    }

    /// `path = value;`
    pub(crate) fn bind(
        &mut self,
        path: &[AttrName<'s>],
        span: Span,
        value: Expr<'s>,
        symbols: &Symbols<'_>,
    ) -> Result<(), SyntaxError> {
        let Some((last, nested)) = path.split_last() else { return Ok(()) };
        let mut set = self;
        for (i, name) in nested.iter().enumerate() {
            set = match *name {
                AttrName::Static(sym, _) => set.descend(sym, span, || path_text(&path[..=i], symbols))?,
                AttrName::Dynamic(name) => {
                    // What a dynamic name holds cannot be merged with anything: build it apart.
                    let mut inner = Builder::new(false, set.bump);
                    inner.bind(&path[i + 1..], span, value, symbols)?;
                    let expr = inner.into_expr(span);
                    set.dynamics.push(DynamicBinding { name, span, value: expr });
                    return Ok(());
                }
            };
        }
        match *last {
            AttrName::Dynamic(name) => set.dynamics.push(DynamicBinding { name, span, value }),
            AttrName::Static(sym, _) => set.bind_last(sym, span, value, &|| path_text(path, symbols), symbols)?,
        }
        Ok(())
    }

    /// The nested set called `name`, made if there is none.
    fn descend(&mut self, name: Sym, span: Span, text: impl Fn() -> String) -> Result<&mut Builder<'s>, SyntaxError> {
        let i = match self.find(name) {
            Some(i) => i,
            None => {
                self.push(name, span, Slot::Nested(Box::new(Builder::new(false, self.bump)), span));
                self.statics.len() - 1
            }
        };
        let (_, first, slot) = &mut self.statics[i];
        thaw(slot, self.bump);
        match slot {
            Slot::Nested(inner, _) => Ok(inner),
            Slot::Value(_) => Err(duplicate(&text(), span, *first)),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one caller; the parts of one binding")]
    fn bind_last(
        &mut self,
        name: Sym,
        span: Span,
        value: Expr<'s>,
        text: &dyn Fn() -> String,
        symbols: &Symbols<'_>,
    ) -> Result<(), SyntaxError> {
        let Some(i) = self.find(name) else {
            self.push(name, span, Slot::Value(Value::Expr(value)));
            return Ok(());
        };
        let (_, first, slot) = &mut self.statics[i];
        let first = *first;
        let mut new = Slot::Value(Value::Expr(value));
        thaw(&mut new, self.bump);
        thaw(slot, self.bump);
        match (slot, new) {
            (Slot::Nested(old, _), Slot::Nested(new, _)) => old.merge(*new, &text(), symbols),
            _ => Err(duplicate(&text(), span, first)),
        }
    }

    /// Takes in all of `other`, whose attributes must be new here.
    fn merge(&mut self, other: Builder<'s>, prefix: &str, symbols: &Symbols<'_>) -> Result<(), SyntaxError> {
        let shift = u32::try_from(self.from.len()).unwrap_or(u32::MAX);
        for (name, span, slot) in other.statics {
            if let Some(i) = self.find(name) {
                let text = format!("{prefix}.{}", symbols.text(name));
                return Err(duplicate(&text, span, self.statics[i].1));
            }
            let slot = match slot {
                Slot::Value(Value::InheritFrom(n)) => Slot::Value(Value::InheritFrom(n + shift)),
                other => other,
            };
            self.push(name, span, slot);
        }
        self.from.extend(other.from);
        self.dynamics.extend(other.dynamics);
        Ok(())
    }

    /// The finished set.
    pub(crate) fn finish(self) -> Attrs<'s> {
        let bump = self.bump;
        let statics = bump.alloc_slice_fill_iter(self.statics.into_iter().map(|(name, span, slot)| Binding {
            name,
            span,
            value: match slot {
                Slot::Value(v) => v,
                Slot::Nested(inner, at) => Value::Expr(inner.into_expr(at)),
            },
        }));
        Attrs {
            recursive: self.recursive,
            statics,
            dynamics: bump.alloc_slice_copy(&self.dynamics),
            from: bump.alloc_slice_copy(&self.from),
        }
    }

    fn into_expr(self, span: Span) -> Expr<'s> {
        Expr { span, kind: Kind::Attrs(self.bump.alloc(self.finish())) }
    }
}

/// Turns a set literal back into a builder, so that more can be merged into it.
fn thaw<'s>(slot: &mut Slot<'s>, bump: &'s Bump) {
    if let Slot::Value(Value::Expr(Expr { span, kind: Kind::Attrs(attrs) })) = slot {
        let mut inner = Builder::new(attrs.recursive, bump);
        for b in attrs.statics {
            inner.push(b.name, b.span, Slot::Value(b.value));
        }
        inner.dynamics.extend_from_slice(attrs.dynamics);
        inner.from.extend_from_slice(attrs.from);
        *slot = Slot::Nested(Box::new(inner), *span);
    }
}

fn duplicate(name: &str, span: Span, first: Span) -> SyntaxError {
    SyntaxError::new(format!("attribute '{name}' already defined"), span)
        .code("duplicate-attribute")
        .related(first, "first defined here")
}

fn path_text(path: &[AttrName<'_>], symbols: &Symbols<'_>) -> String {
    let names: Vec<String> = path
        .iter()
        .map(|n| match n {
            AttrName::Static(sym, _) => symbols.text(*sym),
            AttrName::Dynamic(_) => "${...}".to_owned(),
        })
        .collect();
    names.join(".")
}
