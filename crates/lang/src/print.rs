//! Values as text, in the reference's notation.

use std::io::Write;

pub(crate) use syntax::print::float;
use syntax::print::{write_name, write_string};

use crate::attrs::{Attr, Attrs};
use crate::eval::Eval;
use crate::value::Value;

/// "a list", "an integer", … as messages say it.
pub(crate) fn describe_type(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a Boolean".to_owned(),
        Value::Int(_) => "an integer".to_owned(),
        Value::Float(_) => "a float".to_owned(),
        Value::String(s) if s.context().is_some() => "a string with context".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Path(_) => "a path".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Attrs(_) => "a set".to_owned(),
        Value::Lambda(_) => "a function".to_owned(),
        Value::Native(f) if f.is_derivation() => "a function".to_owned(),
        Value::Native(f) => format!("the built-in function '{}'", f.name.trim_start_matches("__")),
        Value::Partial(p) => match p.function {
            Value::Native(f) => {
                format!("the partially applied built-in function '{}'", f.name.trim_start_matches("__"))
            }
            _ => "a function".to_owned(),
        },
        Value::External(e) => format!("an external value ({})", e.type_name),
        _ => "a thunk".to_owned(),
    }
}

/// Depth and length limits of a printed value.
#[derive(Clone, Copy)]
struct Limits {
    depth: usize,
    items: usize,
    string: usize,
}

impl<'a> Eval<'a> {
    /// As `nix-instantiate --eval` prints it; what is not evaluated is `<CODE>`.
    pub fn show(&self, value: Value<'a>) -> String {
        String::from_utf8_lossy(&self.show_bytes(value)).into_owned()
    }

    /// [`Eval::show`] with the bytes of strings as they are, UTF-8 or not.
    pub fn show_bytes(&self, value: Value<'a>) -> Vec<u8> {
        self.show_limited(value, None)
    }

    /// A short form for messages.
    pub(crate) fn show_short(&self, value: Value<'a>) -> String {
        let limits = Some(Limits { depth: 10, items: 10, string: 1000 });
        String::from_utf8_lossy(&self.show_limited(value, limits)).into_owned()
    }

    /// A form for people: evaluated down to `depth`, what lies deeper is `...`, derivations are their paths, and what
    /// cannot be evaluated says why.
    pub fn show_evaluated(&self, value: Value<'a>, depth: usize) -> String {
        let limits = Some(Limits { depth, items: usize::MAX, string: usize::MAX });
        let mut printer = self.printer(limits, true);
        printer.value(value, 0);
        String::from_utf8_lossy(&printer.out).into_owned()
    }

    fn show_limited(&self, value: Value<'a>, limits: Option<Limits>) -> Vec<u8> {
        let mut printer = self.printer(limits, false);
        printer.value(value.peek(), 0);
        printer.out
    }

    fn printer(&self, limits: Option<Limits>, force: bool) -> Printer<'_, 'a> {
        Printer { eval: self, out: Vec::new(), seen: hashbrown::HashSet::new(), limits, items: 0, attrs: 0, force }
    }
}

struct Printer<'e, 'a> {
    eval: &'e Eval<'a>,
    out: Vec<u8>,
    seen: hashbrown::HashSet<usize>,
    limits: Option<Limits>,
    /// Elements and attributes printed so far.
    items: usize,
    attrs: usize,
    /// Evaluates what it prints.
    force: bool,
}

impl<'a> Printer<'_, 'a> {
    fn value(&mut self, value: Value<'a>, depth: usize) {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.value_inner(value, depth));
    }

    fn value_inner(&mut self, value: Value<'a>, depth: usize) {
        let value = match self.force.then(|| self.eval.force(value)) {
            None => value,
            Some(Ok(value)) => value,
            Some(Err(error)) => return self.push(format_args!("«error: {}»", error.message())),
        };
        match value {
            Value::Attrs(set) if self.force && self.eval.is_derivation(set).unwrap_or(false) => {
                let path = self.eval.select(value, "drvPath").and_then(|path| self.eval.force_str(path));
                match path {
                    Ok(path) => self.push(format_args!("«derivation {}»", path.to_string_lossy())),
                    Err(error) => self.push(format_args!("«derivation: {}»", error.message())),
                }
            }
            Value::Null => self.text("null"),
            Value::Bool(b) => self.text(if b.get() { "true" } else { "false" }),
            Value::Int(n) => self.push(format_args!("{n}")),
            Value::Float(n) => self.text(&float(n.get())),
            Value::String(s) => {
                quote(&mut self.out, s.as_bytes(), self.limits.map_or(usize::MAX, |l| l.string));
            }
            Value::Path(p) => self.out.extend_from_slice(p.as_bytes()),
            Value::List(list) => {
                // The reference keeps so short a list in the value itself, of which the outermost is a copy.
                let outermost = depth == 0 && list.len() <= 2;
                if !list.is_empty() && !outermost && !self.seen.insert(std::ptr::from_ref(list).addr()) {
                    self.text("«repeated»");
                    return;
                }
                self.text("[ ");
                if self.too_deep(depth, list.len()) {
                    self.text("... ");
                } else {
                    for (i, item) in list.iter().enumerate() {
                        if self.cut(self.items, list.len() - i, "item") {
                            break;
                        }
                        self.items += 1;
                        self.value(item.peek(), depth + 1);
                        self.text(" ");
                    }
                }
                self.text("]");
            }
            Value::Attrs(set) => {
                if !set.is_empty() && !self.seen.insert(std::ptr::from_ref(set).addr()) {
                    self.text("«repeated»");
                    return;
                }
                self.text("{ ");
                if self.too_deep(depth, set.len()) {
                    self.text("... ");
                } else {
                    for (i, attr) in self.telling_first(set).into_iter().enumerate() {
                        if self.cut(self.attrs, set.len() - i, "attribute") {
                            break;
                        }
                        self.attrs += 1;
                        write_name(&mut self.out, self.eval.symbols().bytes(attr.name));
                        self.text(" = ");
                        self.value(attr.value().peek(), depth + 1);
                        self.text("; ");
                    }
                }
                self.text("}");
            }
            Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => self.function(value),
            Value::External(e) => self.push(format_args!("«{}»", e.type_name)),
            _ => self.text(if self.limits.is_some() { "«thunk»" } else { "<CODE>" }),
        }
    }

    fn function(&mut self, value: Value<'a>) {
        if self.limits.is_none() {
            self.text(match value {
                Value::Native(f) if !f.is_derivation() => "<PRIMOP>",
                Value::Partial(p) if matches!(p.function, Value::Native(_)) => "<PRIMOP-APP>",
                _ => "<LAMBDA>",
            });
            return;
        }
        match value {
            Value::Native(f) if f.is_derivation() => {
                self.text("«lambda @ «nix-internal»/derivation-internal.nix:34:1»");
            }
            Value::Native(f) => self.push(format_args!("«primop {}»", f.name.trim_start_matches("__"))),
            Value::Partial(p) if matches!(p.function, Value::Native(_)) => {
                if let Value::Native(f) = p.function {
                    self.push(format_args!("«partially applied primop {}»", f.name.trim_start_matches("__")));
                }
            }
            Value::Lambda(c) => {
                let name = c.name().map(|n| format!(" {}", self.eval.symbols().text(n))).unwrap_or_default();
                match self.eval.location(c.span().start) {
                    Some(at) => self.push(format_args!("«lambda{name} @ {}:{}:{}»", at.file, at.line, at.column)),
                    None => self.push(format_args!("«lambda{name}»")),
                }
            }
            _ => self.text("«lambda»"),
        }
    }

    fn too_deep(&self, depth: usize, len: usize) -> bool {
        len > 0 && self.limits.is_some_and(|l| depth >= l.depth)
    }

    /// Sorted by name; where not all may be shown, what the set is comes first.
    fn telling_first(&self, set: &'a Attrs<'a>) -> Vec<&'a Attr<'a>> {
        let mut attrs = self.eval.sorted_attrs(set);
        if self.limits.is_some_and(|l| l.items != usize::MAX) {
            attrs.sort_by_key(|a| !matches!(self.eval.symbols().bytes(a.name), b"type" | b"_type"));
        }
        attrs
    }

    /// Writes "«n more»" when the limit of printed items, in the whole value, is reached.
    fn cut(&mut self, printed: usize, left: usize, what: &str) -> bool {
        let reached = self.limits.is_some_and(|l| printed >= l.items);
        if reached {
            self.push(format_args!("«{left} {what}{} elided» ", if left == 1 { "" } else { "s" }));
        }
        reached
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a Vec cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A string literal of at most `limit` bytes.
fn quote(out: &mut Vec<u8>, text: &[u8], limit: usize) {
    write_string(out, &text[..text.len().min(limit)]);
    if text.len() > limit {
        // Writing into a Vec cannot fail.
        let _ = write!(out, " «{} bytes elided»", text.len() - limit);
    }
}
