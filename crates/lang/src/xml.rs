//! Values as XML: `builtins.toXML`, and `nix-instantiate --xml`, which adds where things were written.

use diagnostics::Pos;
use hashbrown::HashSet;

use crate::context::Context;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::Value;

/// Elements within elements end here: each level indents all below it, so their text grows with the square.
const MAX_DEPTH: usize = 10_000;

/// What a document of a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlStyle {
    /// Evaluates everything in the value; else what is not evaluated is `<unevaluated />`.
    pub strict: bool,
    /// Files, lines and columns of attributes and functions.
    pub places: bool,
}

impl<'a> Eval<'a> {
    /// A value as an XML document.
    ///
    /// # Errors
    /// Whatever evaluating it runs into.
    pub fn xml(&self, value: Value<'a>, style: XmlStyle) -> Res<Vec<u8>> {
        Ok(print(self, value, style)?.0)
    }
}

/// The document and the context of the strings in it.
pub(crate) fn print<'a>(eval: &Eval<'a>, value: Value<'a>, style: XmlStyle) -> Res<(Vec<u8>, Option<&'a Context<'a>>)> {
    let mut printer = Printer { eval, style, out: Vec::new(), context: None, drvs: HashSet::new(), depth: 0 };
    printer.out.extend_from_slice(b"<?xml version='1.0' encoding='utf-8'?>\n");
    printer.element("expr", &[], |p| p.value(value))?;
    Ok((printer.out, printer.context))
}

/// Attributes of an element, by name in alphabetical order.
type Marks<'m> = [(&'m str, &'m [u8])];

struct Printer<'e, 'a> {
    eval: &'e Eval<'a>,
    style: XmlStyle,
    out: Vec<u8>,
    context: Option<&'a Context<'a>>,
    drvs: HashSet<&'a [u8]>,
    depth: usize,
}

impl<'a> Printer<'_, 'a> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn open(&mut self, name: &str, marks: &Marks<'_>, end: &str) {
        self.out.extend(std::iter::repeat_n(b' ', self.depth * 2));
        self.text("<");
        self.text(name);
        for (key, value) in marks {
            self.text(" ");
            self.text(key);
            self.text("=\"");
            for b in *value {
                match b {
                    b'"' => self.text("&quot;"),
                    b'<' => self.text("&lt;"),
                    b'>' => self.text("&gt;"),
                    b'&' => self.text("&amp;"),
                    b'\n' => self.text("&#xA;"),
                    b => self.out.push(*b),
                }
            }
            self.text("\"");
        }
        self.text(end);
    }

    fn empty(&mut self, name: &str, marks: &Marks<'_>) {
        self.open(name, marks, " />\n");
    }

    fn element(&mut self, name: &str, marks: &Marks<'_>, body: impl FnOnce(&mut Self) -> Res<()>) -> Res<()> {
        self.open(name, marks, ">\n");
        self.depth += 1;
        let result =
            if self.depth > MAX_DEPTH { Err(Error::stack_overflow()) } else { self.eval.one_level_down(|| body(self)) };
        self.depth -= 1;
        self.out.extend(std::iter::repeat_n(b' ', self.depth * 2));
        self.text("</");
        self.text(name);
        self.text(">\n");
        result
    }

    fn value(&mut self, value: Value<'a>) -> Res<()> {
        let value = if self.style.strict { self.eval.force(value)? } else { value.peek() };
        match value {
            Value::Null => self.empty("null", &[]),
            Value::Bool(b) => self.empty("bool", &[("value", if b.get() { b"true" } else { b"false" })]),
            Value::Int(n) => self.empty("int", &[("value", n.to_string().as_bytes())]),
            Value::Float(n) => self.empty("float", &[("value", crate::print::float(n.get()).as_bytes())]),
            Value::String(s) => {
                self.context = Context::union(self.eval.bump(), self.context, s.context());
                self.empty("string", &[("value", s.as_bytes())]);
            }
            Value::Path(p) => self.empty("path", &[("value", p.as_bytes())]),
            Value::List(list) => self.element("list", &[], |p| list.iter().try_for_each(|item| p.value(item)))?,
            Value::Attrs(set) if self.is_derivation(set)? => self.derivation(set)?,
            Value::Attrs(set) => self.element("attrs", &[], |p| p.attrs(set))?,
            Value::Native(f) if f.is_derivation() => self.element("function", &[], |p| {
                p.element("attrspat", &[("ellipsis", b"1"), ("name", b"drvAttrs")], |p| {
                    p.empty("attr", &[("name", b"outputs")]);
                    Ok(())
                })
            })?,
            Value::Lambda(closure) => self.function(closure, 0)?,
            Value::Partial(partial) => match partial.function {
                Value::Lambda(closure) => self.function(closure, partial.args.len())?,
                _ => self.empty("unevaluated", &[]),
            },
            _ => self.empty("unevaluated", &[]),
        }
        Ok(())
    }

    fn is_derivation(&self, set: &'a crate::Attrs<'a>) -> Res<bool> {
        let Some(kind) = set.get(self.eval.names.kind) else { return Ok(false) };
        let kind = if self.style.strict { self.eval.force(kind.value())? } else { kind.value().peek() };
        Ok(matches!(kind, Value::String(s) if s.as_bytes() == b"derivation"))
    }

    /// File, line and column of a place, where they are wanted.
    fn place(&self, pos: Pos) -> Option<[(&'static str, Vec<u8>); 3]> {
        if !self.style.places {
            return None;
        }
        let at = self.eval.location(pos)?;
        let path = if at.is_file { at.file.into_bytes() } else { Vec::new() };
        Some([
            ("column", at.column.to_string().into_bytes()),
            ("line", at.line.to_string().into_bytes()),
            ("path", path),
        ])
    }

    fn function(&mut self, closure: &'a crate::Closure<'a>, given: usize) -> Res<()> {
        let place = self.place(closure.span().start);
        let marks: Vec<(&str, &[u8])> =
            place.iter().flatten().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (*k, &v[..])).collect();
        let symbols = self.eval.symbols();
        let Some(formals) = closure.formals() else {
            let name = closure.code.param_names.get(given).map_or(&b""[..], |n| symbols.bytes(*n));
            return self.element("function", &marks, |p| {
                p.empty("varpat", &[("name", name)]);
                Ok(())
            });
        };
        let mut pattern: Vec<(&str, &[u8])> = Vec::new();
        if formals.ellipsis {
            pattern.push(("ellipsis", b"1"));
        }
        if let Some(name) = closure.code.named {
            pattern.push(("name", symbols.bytes(name)));
        }
        let mut names: Vec<&[u8]> = formals.iter().map(|f| symbols.bytes(f.0)).collect();
        names.sort_unstable();
        self.element("function", &marks, |p| {
            p.element("attrspat", &pattern, |p| {
                for name in &names {
                    p.empty("attr", &[("name", name)]);
                }
                Ok(())
            })
        })
    }

    fn attrs(&mut self, set: &'a crate::Attrs<'a>) -> Res<()> {
        for attr in self.eval.sorted_attrs(set) {
            let place = self.place(attr.pos);
            let mut marks: Vec<(&str, &[u8])> =
                place.iter().flatten().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (*k, &v[..])).collect();
            marks.push(("name", self.eval.symbols().bytes(attr.name)));
            marks.sort_unstable();
            self.element("attr", &marks, |p| p.value(attr.value()))?;
        }
        Ok(())
    }

    fn derivation(&mut self, set: &'a crate::Attrs<'a>) -> Res<()> {
        let text = |name| -> Res<Option<&'a [u8]>> {
            let Some(attr) = set.get(name) else { return Ok(None) };
            let value = if self.style.strict { self.eval.force(attr.value())? } else { attr.value().peek() };
            Ok(match value {
                Value::String(s) => Some(s.as_bytes()),
                _ => None,
            })
        };
        let drv = text(self.eval.names.drv_path)?;
        let out = text(self.eval.names.out_path)?;
        let marks: Vec<(&str, &[u8])> =
            [("drvPath", drv), ("outPath", out)].into_iter().filter_map(|(k, v)| v.map(|v| (k, v))).collect();
        let new = drv.is_some_and(|d| !d.is_empty() && self.drvs.insert(d));
        self.element("derivation", &marks, |p| {
            if new {
                p.attrs(set)
            } else {
                p.empty("repeated", &[]);
                Ok(())
            }
        })
    }
}
