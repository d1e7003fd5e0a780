//! Values as XML (`builtins.toXML`).

use hashbrown::HashSet;

use crate::context::Context;
use crate::error::Res;
use crate::eval::Eval;
use crate::value::Value;

/// The document and the context of the strings in it.
pub(crate) fn print<'a>(eval: &Eval<'a>, value: Value<'a>) -> Res<(String, Option<&'a Context<'a>>)> {
    let mut printer = Printer { eval, out: String::new(), context: None, drvs: HashSet::new(), depth: 0 };
    printer.out.push_str("<?xml version='1.0' encoding='utf-8'?>\n");
    printer.element("expr", &[], |p| p.value(value))?;
    Ok((printer.out, printer.context))
}

struct Printer<'e, 'a> {
    eval: &'e Eval<'a>,
    out: String,
    context: Option<&'a Context<'a>>,
    drvs: HashSet<String>,
    depth: usize,
}

impl<'a> Printer<'_, 'a> {
    fn open(&mut self, name: &str, attrs: &[(&str, &str)], end: &str) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attrs {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            for c in value.chars() {
                match c {
                    '"' => self.out.push_str("&quot;"),
                    '<' => self.out.push_str("&lt;"),
                    '>' => self.out.push_str("&gt;"),
                    '&' => self.out.push_str("&amp;"),
                    '\n' => self.out.push_str("&#xA;"),
                    c => self.out.push(c),
                }
            }
            self.out.push('"');
        }
        self.out.push_str(end);
    }

    fn empty(&mut self, name: &str, attrs: &[(&str, &str)]) {
        self.open(name, attrs, " />\n");
    }

    fn element(&mut self, name: &str, attrs: &[(&str, &str)], body: impl FnOnce(&mut Self) -> Res<()>) -> Res<()> {
        self.open(name, attrs, ">\n");
        self.depth += 1;
        let result = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || body(self));
        self.depth -= 1;
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
        result
    }

    fn value(&mut self, value: Value<'a>) -> Res<()> {
        let value = self.eval.force(value)?;
        match value {
            Value::Null => self.empty("null", &[]),
            Value::Bool(b) => self.empty("bool", &[("value", if b.get() { "true" } else { "false" })]),
            Value::Int(n) => self.empty("int", &[("value", &n.to_string())]),
            Value::Float(n) => self.empty("float", &[("value", &crate::print::float(n.get()))]),
            Value::String(s) => {
                self.context = Context::union(self.eval.bump(), self.context, s.context());
                self.empty("string", &[("value", &s.to_string_lossy())]);
            }
            Value::Path(p) => self.empty("path", &[("value", &p.to_string_lossy())]),
            Value::List(list) => self.element("list", &[], |p| list.iter().try_for_each(|item| p.value(item)))?,
            Value::Attrs(set) if self.eval.is_derivation(set)? => self.derivation(set)?,
            Value::Attrs(set) => self.element("attrs", &[], |p| p.attrs(set))?,
            Value::Lambda(closure) => match closure.formals() {
                None => self.function()?,
                Some(formals) => {
                    let name = closure.code.named.map(|n| self.eval.symbols().text(n));
                    let mut attrs = Vec::new();
                    if let Some(name) = &name {
                        attrs.push(("name", name.as_str()));
                    }
                    if formals.ellipsis {
                        attrs.insert(0, ("ellipsis", "1"));
                    }
                    let mut names: Vec<String> = formals.iter().map(|f| self.eval.symbols().text(f.0)).collect();
                    names.sort_unstable();
                    self.element("function", &[], |p| {
                        p.element("attrspat", &attrs, |p| {
                            for name in &names {
                                p.empty("attr", &[("name", name)]);
                            }
                            Ok(())
                        })
                    })?;
                }
            },
            _ => self.empty("unevaluated", &[]),
        }
        Ok(())
    }

    fn function(&mut self) -> Res<()> {
        self.element("function", &[], |p| {
            p.empty("varpat", &[("name", "x")]);
            Ok(())
        })
    }

    fn attrs(&mut self, set: &'a crate::Attrs<'a>) -> Res<()> {
        for attr in self.eval.sorted_attrs(set) {
            let name = self.eval.symbols().text(attr.name);
            self.element("attr", &[("name", &name)], |p| p.value(attr.value()))?;
        }
        Ok(())
    }

    fn derivation(&mut self, set: &'a crate::Attrs<'a>) -> Res<()> {
        let text = |name| -> Res<Option<String>> {
            let Some(attr) = set.get(name) else { return Ok(None) };
            Ok(match self.eval.force(attr.value())? {
                Value::String(s) => Some(s.to_string_lossy().into_owned()),
                _ => None,
            })
        };
        let drv = text(self.eval.names.drv_path)?;
        let out = text(self.eval.names.out_path)?;
        let mut attrs = Vec::new();
        if let Some(drv) = &drv {
            attrs.push(("drvPath", drv.as_str()));
        }
        if let Some(out) = &out {
            attrs.push(("outPath", out.as_str()));
        }
        let new = drv.as_ref().is_some_and(|d| !d.is_empty() && self.drvs.insert(d.clone()));
        self.element("derivation", &attrs, |p| {
            if new {
                p.attrs(set)
            } else {
                p.empty("repeated", &[]);
                Ok(())
            }
        })
    }
}
