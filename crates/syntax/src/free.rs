//! Which names an expression takes from outside of itself.

use hashbrown::HashMap;

use crate::ast::{AttrName, Attrs, Expr, Formals, Kind, Lambda, Part, Value};
use crate::{Sym, Symbols};

/// More names than this are not worth remembering.
const MAX_NAMES: usize = 64;

/// A name that an expression takes from around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreeName {
    /// The name.
    pub name: Sym,
    /// Whether it must be found around the expression; otherwise some `with` inside may have it.
    pub required: bool,
}

/// The names that `expr` takes from around it, each once. `None` when they are many, or when what else the expression
/// means is decided where it stands (`~/…`).
pub(crate) fn free_names(expr: &Expr<'_>, symbols: &Symbols<'_>) -> Option<Vec<FreeName>> {
    let mut search = Search { symbols, bound: HashMap::new(), withs: 0, free: Vec::new(), gives_up: false };
    search.expr(expr);
    (!search.gives_up).then_some(search.free)
}

struct Search<'p, 'y> {
    symbols: &'p Symbols<'y>,
    /// How many scopes around the place being looked at bind a name.
    bound: HashMap<Sym, u32>,
    withs: u32,
    free: Vec<FreeName>,
    gives_up: bool,
}

impl Search<'_, '_> {
    fn name(&mut self, name: Sym) {
        if self.bound.get(&name).is_some_and(|scopes| *scopes > 0) {
            return;
        }
        let required = self.withs == 0;
        if let Some(known) = self.free.iter_mut().find(|free| free.name == name) {
            known.required |= required;
        } else if self.free.len() < MAX_NAMES {
            self.free.push(FreeName { name, required });
        } else {
            self.gives_up = true;
        }
    }

    fn bind(&mut self, name: Sym) {
        *self.bound.entry(name).or_default() += 1;
    }

    fn unbind(&mut self, name: Sym) {
        if let Some(scopes) = self.bound.get_mut(&name) {
            *scopes -= 1;
        }
    }

    fn expr(&mut self, expr: &Expr<'_>) {
        // A long sum is a deep tree.
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.kind(&expr.kind));
    }

    fn kind(&mut self, kind: &Kind<'_>) {
        if self.gives_up {
            return;
        }
        match kind {
            Kind::Int(_) | Kind::Float(_) => {}
            Kind::Var(name) => self.name(*name),
            Kind::Search(_) => {
                self.name(self.symbols.intern(b"__findFile"));
                self.name(self.symbols.intern(b"__nixPath"));
            }
            Kind::Path([Part::Text(text), ..]) if text.starts_with(b"~") => self.gives_up = true,
            Kind::Str(parts) | Kind::Path(parts) => {
                for part in *parts {
                    if let Part::Expr(e) = part {
                        self.expr(e);
                    }
                }
            }
            Kind::List(items) => items.iter().for_each(|e| self.expr(e)),
            Kind::Attrs(attrs) => self.bindings(attrs, attrs.recursive, None),
            Kind::Let((attrs, body)) => self.bindings(attrs, true, Some(body)),
            Kind::With((set, body)) => {
                self.expr(set);
                self.withs += 1;
                self.expr(body);
                self.withs -= 1;
            }
            Kind::Assert((a, b)) => [a, b].into_iter().for_each(|e| self.expr(e)),
            Kind::If((a, b, c)) => [a, b, c].into_iter().for_each(|e| self.expr(e)),
            Kind::Lambda(lambda) => self.lambda(lambda),
            Kind::Apply((function, args)) => {
                self.expr(function);
                args.iter().for_each(|e| self.expr(e));
            }
            Kind::Select(select) => {
                self.expr(&select.base);
                self.path(select.path);
                select.default.iter().for_each(|e| self.expr(e));
            }
            Kind::HasAttr((base, path)) => {
                self.expr(base);
                self.path(path);
            }
            Kind::Not(e) | Kind::Negate(e) => self.expr(e),
            Kind::Binary(b) => [&b.lhs, &b.rhs].into_iter().for_each(|e| self.expr(e)),
            // Nothing within an expression is left unread while its names are looked for.
            Kind::Unread(_) => self.gives_up = true,
        }
    }

    fn path(&mut self, path: &[AttrName<'_>]) {
        for name in path {
            if let AttrName::Dynamic(e) = name {
                self.expr(e);
            }
        }
    }

    /// A set, or `let` with its body. `inherit name;` means the name around the bindings.
    fn bindings(&mut self, attrs: &Attrs<'_>, recursive: bool, body: Option<&Expr<'_>>) {
        for binding in attrs.statics {
            if matches!(binding.value, Value::Inherit) {
                self.name(binding.name);
            }
        }
        if recursive {
            attrs.statics.iter().for_each(|b| self.bind(b.name));
        }
        attrs.from.iter().for_each(|e| self.expr(e));
        for binding in attrs.statics {
            if let Value::Expr(e) = &binding.value {
                self.expr(e);
            }
        }
        for binding in attrs.dynamics {
            self.expr(&binding.name);
            self.expr(&binding.value);
        }
        body.into_iter().for_each(|e| self.expr(e));
        if recursive {
            attrs.statics.iter().for_each(|b| self.unbind(b.name));
        }
    }

    fn lambda(&mut self, lambda: &Lambda<'_>) {
        let formals: &[_] = lambda.formals.as_ref().map_or(&[], |Formals { list, .. }| list);
        lambda.name.into_iter().for_each(|name| self.bind(name));
        formals.iter().for_each(|f| self.bind(f.name));
        for default in formals.iter().filter_map(|f| f.default.as_ref()) {
            self.expr(default);
        }
        self.expr(&lambda.body);
        formals.iter().for_each(|f| self.unbind(f.name));
        lambda.name.into_iter().for_each(|name| self.unbind(name));
    }
}

#[cfg(test)]
mod tests {
    use super::free_names;
    use crate::{Features, Symbols, parse};
    use bumpalo::Bump;
    use diagnostics::Pos;

    /// The names, those that a `with` may have in parentheses.
    fn names(text: &str) -> Option<String> {
        let bump = Bump::new();
        let symbols = Symbols::new(&bump);
        let tree = parse(text.as_bytes(), Pos(1), &symbols, &bump, Features::default()).unwrap();
        let shown = |free: super::FreeName| {
            let text = symbols.text(free.name);
            if free.required { text } else { format!("({text})") }
        };
        Some(free_names(&tree, &symbols)?.into_iter().map(shown).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_bound_inside_is_not_free() {
        for (text, free) in [
            ("a: b: a b c", "c"),
            ("{ a, b ? a + d, ... }@e: [ a b e f ]", "d f"),
            ("{ a = b; inherit c; inherit (d) e; }", "c d b"),
            ("rec { a = b; b = c; inherit c; inherit (a) x; }", "c"),
            ("let a = b; inherit b; in a b", "b"),
            ("(a: a) a", "a"),
            ("with a; b a", "a (b)"),
            ("[ (with a; b) b ]", "a b"),
            ("x: with x; let y = z; in y", "(z)"),
            ("a.b.${c} or d", "a c d"),
            ("{ ${a} = b; c.${d} = e; }", "a b e d"),
            ("rec { a = 1; ${a} = a; }", ""),
            ("\"${a}\" + ./x/${b}", "a b"),
            ("<nixpkgs>", "__findFile __nixPath"),
            ("-a == !b", "a b"),
        ] {
            let mut found: Vec<String> = names(text).unwrap().split(' ').map(str::to_owned).collect();
            let mut expected: Vec<String> = free.split(' ').map(str::to_owned).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn home_and_very_many_names_are_left_to_others() {
        assert_eq!(names("~/x"), None);
        let many: Vec<String> = (0..100).map(|i| format!("n{i}")).collect();
        assert_eq!(names(&format!("[ {} ]", many.join(" "))), None);
    }
}
