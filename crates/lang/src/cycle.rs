//! Infinite recursion, explained: each value on the way from one that needs itself back to it, with its line.
//!
//! Evaluation keeps no record for this. The error notes the suspended code that it leaves on its way up until it leaves
//! the value that was asked for twice; names and extents are then found by parsing those texts again.

use bumpalo::Bump;
use diagnostics::{Pos, Span};
use syntax::Sym;
use syntax::ast::{AttrName, Expr, Kind};
use syntax::walk::{Child, children};

use crate::error::{Error, ErrorKind};
use crate::eval::Eval;
use crate::value::{Slot, Value};

/// More values than these are not shown one by one.
const SHOWN: usize = 16;

/// The way back to a value, while the error has not reached it.
#[derive(Clone)]
pub(crate) struct Cycle {
    /// Address of the slot whose value was asked for while it was being computed.
    start: usize,
    /// Where the suspended code stands that was left so far, innermost first, and the name of what was inherited.
    left: Vec<(Pos, Option<Sym>)>,
}

/// A value of the cycle as its text shows it.
struct Step {
    /// What it is bound to.
    name: Option<(Sym, String)>,
    /// Its expression.
    span: Span,
}

impl<'a> Eval<'a> {
    #[cold]
    pub(crate) fn infinite_recursion(&self, slot: &Slot<'a>) -> Error {
        let start = std::ptr::from_ref(slot).addr();
        Error::new(ErrorKind::InfiniteRecursion, "infinite recursion encountered")
            .on_cycle(Cycle { start, left: Vec::new() })
    }

    /// An error leaves a suspended value.
    #[cold]
    pub(crate) fn left_thunk(&self, mut error: Error, slot: &Slot<'a>, state: Value<'a>) -> Error {
        if matches!(state, Value::Running | Value::Unset) {
            return error;
        }
        let Some(mut cycle) = error.take_cycle() else { return error };
        if let Some(pos) = state.place() {
            // In case it is a cycle that nothing suspended closes.
            error = error.at(pos);
            let inherited = match state {
                Value::Inherit((_, name, _)) => Some(*name),
                _ => None,
            };
            if cycle.left.last() != Some(&(pos, inherited)) {
                cycle.left.push((pos, inherited));
            }
        }
        if cycle.start == std::ptr::from_ref(slot).addr() { self.explain(error, cycle) } else { error.on_cycle(cycle) }
    }

    /// Marks each value of the cycle, from the one that needs itself on.
    fn explain(&self, mut error: Error, cycle: Cycle) -> Error {
        let mut steps: Vec<Step> = cycle.left.iter().rev().map(|(pos, name)| self.step(*pos, *name)).collect();
        if steps.is_empty() {
            return error;
        }
        self.add_aliases(&mut steps);
        error.diagnostic_mut().labels.clear();
        for (i, step) in steps.iter().enumerate().take(SHOWN) {
            let next = &steps[(i + 1) % steps.len()];
            let who = step.name.as_ref().map_or("this".to_owned(), |(_, name)| format!("`{name}`"));
            let whom = next.name.as_ref().map_or("the next".to_owned(), |(_, name)| format!("`{name}`"));
            let text = match i + 1 == steps.len() {
                true if i == 0 => format!("{who} needs itself"),
                true if next.name.is_none() => format!("{who} needs the first again"),
                true => format!("{who} needs {whom} again"),
                false => format!("{who} needs {whom}"),
            };
            let wanted = next.name.as_ref().and_then(|(name, _)| self.mention(step.span, *name));
            error = error.label(wanted.unwrap_or(step.span), text);
        }
        match steps.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => {
                error.note(format!("… and {more} more values, of which the last needs the first"))
            }
            _ => error,
        }
    }

    fn step(&self, pos: Pos, inherited: Option<Sym>) -> Step {
        if let Some(name) = inherited {
            return Step { name: Some((name, self.symbols().text(name))), span: self.name_span(pos) };
        }
        self.in_text(pos, |root| find(root, pos, self)).flatten().unwrap_or(Step { name: None, span: Span::at(pos) })
    }

    /// `a = b;` is no work that can be left: `a` is `b`. People look for it all the same.
    fn add_aliases(&self, steps: &mut Vec<Step>) {
        let mut i = 0;
        while i < steps.len() && steps.len() <= SHOWN {
            let next = steps[(i + 1) % steps.len()].name.as_ref().map(|(name, _)| *name);
            let (span, own) = (steps[i].span, steps[i].name.as_ref().map(|(name, _)| *name));
            let alias = next.filter(|next| self.mention(span, *next).is_none()).and_then(|next| {
                let aliases = self.in_text(span.start, |root| {
                    let mut found = Vec::new();
                    collect_aliases(root, &mut found);
                    found
                })?;
                let leads = |alias: &&Alias| {
                    Some(alias.name) != own
                        && alias.leads_to(next, &aliases)
                        && self.mention(span, alias.name).is_some()
                };
                aliases.iter().find(leads).copied()
            });
            if let Some(alias) = alias {
                let name = self.symbols().text(alias.name);
                steps.insert(i + 1, Step { name: Some((alias.name, name)), span: alias.span });
            }
            i += 1;
        }
    }

    /// The first place in an expression that mentions a name.
    fn mention(&self, within: Span, name: Sym) -> Option<Span> {
        self.in_text(within.start, |root| {
            let expr = locate(root, within)?;
            first_mention(&expr, name)
        })?
    }

    /// Lets `look` see the tree of the text that holds a place.
    fn in_text<T>(&self, pos: Pos, look: impl FnOnce(&Expr<'_>) -> T) -> Option<T> {
        let (text, base) = {
            let sources = self.sources();
            let file = sources.file(pos)?;
            (file.text.clone(), Pos(file.base))
        };
        let bump = Bump::new();
        let tree = syntax::parse(&text, base, self.symbols(), &bump, self.settings().features).ok()?;
        Some(look(&tree))
    }
}

/// `name = target;`
#[derive(Clone, Copy)]
struct Alias {
    name: Sym,
    target: Sym,
    span: Span,
}

impl Alias {
    /// Whether it is another name for `wanted`, perhaps by way of others.
    fn leads_to(self, wanted: Sym, all: &[Alias]) -> bool {
        let mut at = self;
        for _ in all {
            if at.target == wanted {
                return true;
            }
            let Some(next) = all.iter().find(|a| a.name == at.target) else { return false };
            at = *next;
        }
        false
    }
}

fn collect_aliases(expr: &Expr<'_>, found: &mut Vec<Alias>) {
    children(expr, &mut |Child { name, expr }| {
        if let (Some(name), Kind::Var(target)) = (name, expr.kind) {
            found.push(Alias { name, target, span: expr.span });
        }
        collect_aliases(expr, found);
    });
}

/// The outermost expression that starts at `pos`, and the attribute path it is bound to.
fn find(root: &Expr<'_>, pos: Pos, eval: &Eval<'_>) -> Option<Step> {
    let mut path = Vec::new();
    let span = descend(root, &mut path, &|e| e.span.start == pos, pos)?;
    let shown: Vec<String> = path.iter().map(|name| eval.symbols().text(*name)).collect();
    Some(Step { name: path.last().map(|last| (*last, shown.join("."))), span })
}

/// Follows the parts that hold `pos` to the first one that is `wanted`; `path` is what that is bound to.
fn descend(expr: &Expr<'_>, path: &mut Vec<Sym>, wanted: &dyn Fn(&Expr<'_>) -> bool, pos: Pos) -> Option<Span> {
    if wanted(expr) {
        return Some(expr.span);
    }
    let mut found = None;
    let within_set = matches!(expr.kind, Kind::Attrs(_));
    children(expr, &mut |Child { name, expr: part }| {
        // Bindings of one attribute path share a set that has no place of its own.
        let holds = part.span.start <= pos && pos < part.span.end || matches!(part.kind, Kind::Attrs(_));
        if found.is_some() || !holds {
            return;
        }
        let before = path.clone();
        if !within_set || name.is_none() {
            path.clear();
        }
        path.extend(name);
        found = descend(part, path, wanted, pos);
        if found.is_none() {
            *path = before;
        }
    });
    found
}

fn locate<'s>(root: &Expr<'s>, span: Span) -> Option<Expr<'s>> {
    if root.span == span {
        return Some(*root);
    }
    let mut found = None;
    children(root, &mut |child| {
        if found.is_none() {
            found = locate(child.expr, span);
        }
    });
    found
}

fn first_mention(expr: &Expr<'_>, name: Sym) -> Option<Span> {
    match expr.kind {
        Kind::Var(var) if var == name => return Some(expr.span),
        Kind::Select(s) if s.path.iter().any(|n| matches!(n, AttrName::Static(sym, _) if *sym == name)) => {
            return Some(expr.span);
        }
        _ => {}
    }
    let mut found = None;
    children(expr, &mut |child| {
        if found.is_none() {
            found = first_mention(child.expr, name);
        }
    });
    found
}
