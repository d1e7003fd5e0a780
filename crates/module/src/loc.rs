//! Where in the tree of options something is: a path that shares its beginning with its neighbours.

use lang::{Eval, Res, Value};
use syntax::Sym;

/// A path such as `services.foo."[definition 1-entry 2]"`; the root is empty.
#[derive(Clone, Copy)]
pub(crate) struct Loc<'a>(Option<&'a Part<'a>>);

struct Part<'a> {
    parent: Loc<'a>,
    name: Name,
}

/// One component.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// An attribute.
    Attr(Sym),
    /// An element of a list: which definition, which of its elements, both from 1.
    Entry(usize, usize),
    /// What a function returns.
    FunctionBody,
}

impl<'a> Loc<'a> {
    /// The empty path.
    pub(crate) fn root() -> Self {
        Loc(None)
    }

    pub(crate) fn child(self, eval: &Eval<'a>, name: Name) -> Self {
        Loc(Some(eval.bump().alloc(Part { parent: self, name })))
    }

    pub(crate) fn attr(self, eval: &Eval<'a>, name: Sym) -> Self {
        self.child(eval, Name::Attr(name))
    }

    pub(crate) fn last(self) -> Option<Name> {
        self.0.map(|p| p.name)
    }

    fn parts(self) -> Vec<Name> {
        let mut parts = Vec::new();
        let mut at = self;
        while let Some(part) = at.0 {
            parts.push(part.name);
            at = part.parent;
        }
        parts.reverse();
        parts
    }

    /// The components after those of `prefix`, which it starts with.
    pub(crate) fn names_below(self, prefix: Loc<'a>) -> Vec<Name> {
        self.parts().split_off(prefix.parts().len())
    }

    /// The components as strings.
    pub(crate) fn texts(self, eval: &Eval<'a>) -> Vec<String> {
        self.parts().into_iter().map(|n| n.text(eval)).collect()
    }

    /// As the language sees it: a list of strings.
    pub(crate) fn value(self, eval: &Eval<'a>) -> Value<'a> {
        let parts: Vec<Value<'a>> = self.parts().into_iter().map(|n| n.value(eval)).collect();
        eval.list(parts)
    }

    /// From a list of strings.
    ///
    /// # Errors
    /// When the value is none.
    pub(crate) fn from_value(eval: &Eval<'a>, value: Value<'a>) -> Res<Self> {
        let mut loc = Loc::root();
        for part in eval.force_list(value)?.iter() {
            let text = eval.force_str(part)?;
            loc = loc.attr(eval, eval.symbols().intern(text.as_bytes()));
        }
        Ok(loc)
    }

    /// As a person writes it.
    pub(crate) fn show(self, eval: &Eval<'a>) -> String {
        show(&self.texts(eval))
    }
}

impl Name {
    pub(crate) fn text(self, eval: &Eval<'_>) -> String {
        match self {
            Name::Attr(sym) => eval.symbols().text(sym),
            Name::Entry(definition, entry) => format!("[definition {definition}-entry {entry}]"),
            Name::FunctionBody => "<function body>".to_owned(),
        }
    }

    pub(crate) fn value<'a>(self, eval: &Eval<'a>) -> Value<'a> {
        match self {
            Name::Attr(sym) => eval.sym_string(sym),
            other => eval.string(&other.text(eval)),
        }
    }
}

/// A path as a person writes it: quotes where the language wants them; `*` and `<name>` stay bare.
pub(crate) fn show<S: AsRef<str>>(parts: &[S]) -> String {
    let shown: Vec<String> = parts.iter().map(|p| show_part(p.as_ref())).collect();
    shown.join(".")
}

fn show_part(part: &str) -> String {
    let placeholder = part == "*" || (part.starts_with('<') && part.ends_with('>'));
    if placeholder || (is_identifier(part) && !KEYWORDS.contains(&part)) {
        return part.to_owned();
    }
    let mut out = String::from("\"");
    for c in part.chars() {
        match c {
            '"' | '\\' | '$' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn is_identifier(part: &str) -> bool {
    let mut bytes = part.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'\'' | b'-'))
}

const KEYWORDS: &[&str] = &["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"];

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_only_what_is_no_identifier() {
        assert_eq!(super::show(&["a", "b c", "<name>", "*", "if", "x-y"]), "a.\"b c\".<name>.*.\"if\".x-y");
        assert_eq!(super::show(&["a", "1\"$"]), "a.\"1\\\"\\$\"");
    }
}
