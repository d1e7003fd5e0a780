//! Names looked for at run time: `with`, `a.b`, `a ? b`.

use diagnostics::{Pos, Span};
use syntax::Sym;

use crate::attrs::Attrs;
use crate::code::{Code, HasAttrCode, NameCode, SelectCode, Source, WithVar};
use crate::error::{Error, Failed, Res, Run};
use crate::eval::Eval;
use crate::run::{Frame, context_example};
use crate::value::Value;

impl<'a> Eval<'a> {
    #[inline(never)]
    pub(super) fn run_with_var(&self, var: &'a WithVar<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        for source in var.sets {
            let value = self.forced(frame.source(*source))?;
            if let Source::Local(slot) = source {
                frame.set(*slot, value);
            }
            let Value::Attrs(set) = value else { return Err(self.no_with_set(var, value)) };
            if let Some(attr) = set.get(var.name) {
                return self.forced_slot(&attr.slot);
            }
        }
        Err(self.missing_with(var, frame))
    }

    #[cold]
    fn no_with_set(&self, var: &WithVar<'a>, value: Value<'a>) -> Failed {
        self.fail(
            Error::expected(self, "a set", value)
                .at(var.pos)
                .step(Span::at(var.pos), "while evaluating the first subexpression of a with expression"),
        )
    }

    #[cold]
    fn missing_with(&self, var: &WithVar<'a>, frame: &Frame<'_, 'a>) -> Failed {
        let mut names = Vec::new();
        for source in var.sets {
            // All were forced on the way here.
            if let Value::Attrs(set) = frame.source(*source).peek() {
                names.extend(set.all().iter().map(|a| self.symbols().text(a.name)));
            }
        }
        let len = u32::try_from(self.symbols().bytes(var.name).len()).unwrap_or(1);
        self.fail(Error::undefined(self, var.name, Span::new(var.pos, Pos(var.pos.0 + len)), names))
    }

    #[inline]
    fn name(&self, name: NameCode<'a>, frame: &Frame<'_, 'a>) -> Run<Sym> {
        match name {
            NameCode::Static(sym, _) => Ok(sym),
            NameCode::Dynamic(code, span) => self.dynamic_name(code, span, frame),
        }
    }

    #[inline(never)]
    fn dynamic_name(&self, code: Code<'a>, span: Span, frame: &Frame<'_, 'a>) -> Run<Sym> {
        let value = self.run(code, frame)?;
        self.kept(self.attr_name(value).map_err(|e| e.at(span.start)))
    }

    /// A string value as an attribute name.
    pub(crate) fn attr_name(&self, value: Value<'a>) -> Res<Sym> {
        let text = self.force_str(value)?;
        if let Some(sym) = text.sym() {
            return Ok(sym);
        }
        if let Some(context) = text.context() {
            let shown = String::from_utf8_lossy(text.as_bytes()).into_owned();
            return Err(Error::eval(format!(
                "the string '{shown}' is not allowed to refer to a store path (such as '{}')",
                context_example(context)
            )));
        }
        Ok(self.named_by(text))
    }

    #[inline(never)]
    pub(super) fn run_select(&self, code: &'a SelectCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut value = self.operand(code.base, frame)?;
        for (i, name) in code.path.iter().enumerate() {
            let sym = self.name(*name, frame)?;
            let found = match value {
                Value::Attrs(set) if i == 0 => set.get_guessing(sym, &code.guess),
                Value::Attrs(set) => set.get(sym),
                _ => None,
            };
            value = match (found, code.default) {
                (Some(attr), _) => match self.forced_slot(&attr.slot) {
                    Ok(value) => value,
                    Err(failed) => return Err(self.amend(failed, |e| self.in_attribute(e, code, i))),
                },
                (None, Some(default)) => return self.run(default, frame),
                (None, None) => return Err(self.no_attribute(value, sym, *name)),
            };
        }
        Ok(value)
    }

    #[cold]
    fn in_attribute(&self, error: Error, code: &SelectCode<'a>, upto: usize) -> Error {
        let path: Vec<String> = code.path[..=upto]
            .iter()
            .map(|n| match n {
                NameCode::Static(sym, _) => self.symbols().text(*sym),
                NameCode::Dynamic(_, span) => self.source_text(*span),
            })
            .collect();
        error.step(code.span, format!("while evaluating the attribute '{}'", path.join(".")))
    }

    #[cold]
    fn no_attribute(&self, value: Value<'a>, sym: Sym, name: NameCode<'a>) -> Failed {
        let (NameCode::Static(_, span) | NameCode::Dynamic(_, span)) = name;
        self.fail(match value {
            Value::Attrs(set) => Error::missing_attribute(self, self.symbols().bytes(sym), span, set),
            other => Error::expected(self, "a set", other).at_span(span),
        })
    }

    #[inline(never)]
    pub(super) fn run_has_attr(&self, code: &'a HasAttrCode<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut value = self.operand(code.base, frame)?;
        for (i, name) in code.path.iter().enumerate() {
            let sym = self.name(*name, frame)?;
            let found = match value {
                Value::Attrs(set) => Attrs::get(set, sym),
                _ => None,
            };
            match found {
                None => return Ok(Value::bool(false)),
                Some(attr) if i + 1 < code.path.len() => value = self.forced_slot(&attr.slot)?,
                Some(_) => {}
            }
        }
        Ok(Value::bool(true))
    }
}
