//! What differs between two values that an assertion wants to be equal: the first difference, and the way to it.

use diagnostics::Span;

use crate::attrs::{Attr, Attrs};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::print::describe_type;
use crate::value::{List, Value};

impl<'a> Eval<'a> {
    /// Nothing when the values are equal, else an error that says what differs.
    ///
    /// # Errors
    /// Whatever evaluating the values runs into.
    pub(crate) fn difference(&self, a: Value<'a>, b: Value<'a>) -> Res<Option<Error>> {
        if self.equal(a, b)? {
            return Ok(None);
        }
        let (a, b) = (self.force(a)?, self.force(b)?);
        let (left, right) = (self.show_short(a), self.show_short(b));
        let message = match (a, b) {
            (Value::List(x), Value::List(y)) => return self.list_difference(x, y),
            (Value::Attrs(x), Value::Attrs(y)) => return self.set_difference(x, y),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                let (left_type, right_type) = (describe_type(a), describe_type(b));
                format!("{left_type} with value '{left}' is not equal to {right_type} with value '{right}'")
            }
            (Value::Bool(_), Value::Bool(_)) => format!("boolean '{left}' is not equal to boolean '{right}'"),
            (Value::String(_), Value::String(_)) => format!("string '{left}' is not equal to string '{right}'"),
            (Value::Path(_), Value::Path(_)) => format!("path '{left}' is not equal to path '{right}'"),
            _ if a.type_name() == "lambda" && b.type_name() == "lambda" => {
                "distinct functions and immediate comparisons of identical functions compare as unequal".to_owned()
            }
            _ => {
                let (left_type, right_type) = (describe_type(a), describe_type(b));
                format!("{left_type} of value '{left}' is not equal to {right_type} of value '{right}'")
            }
        };
        Ok(Some(unequal(message)))
    }

    fn list_difference(&self, a: &'a List<'a>, b: &'a List<'a>) -> Res<Option<Error>> {
        if a.len() != b.len() {
            let (left, right) = (self.show_short(Value::List(a)), self.show_short(Value::List(b)));
            return Ok(Some(unequal(format!(
                "list of size '{}' is not equal to list of size '{}', left hand side is '{left}', right hand side is \
                 '{right}'",
                a.len(),
                b.len()
            ))));
        }
        for (i, (x, y)) in a.iter().zip(b.iter()).enumerate() {
            if let Some(error) = self.one_level_down(|| self.difference(x, y))? {
                return Ok(Some(error.important_step(Span::NONE, format!("while comparing list element {i}"))));
            }
        }
        Ok(None)
    }

    fn set_difference(&self, a: &'a Attrs<'a>, b: &'a Attrs<'a>) -> Res<Option<Error>> {
        if self.is_derivation(a)? && self.is_derivation(b)? {
            if let (Some(x), Some(y)) = (a.get(self.names.out_path), b.get(self.names.out_path)) {
                let step = "while comparing a derivation by its 'outPath' attribute";
                let found = self.difference(x.value(), y.value())?;
                return Ok(found.map(|e| e.important_step(Span::NONE, step)));
            }
        }
        let (left, right) = (self.show_short(Value::Attrs(a)), self.show_short(Value::Attrs(b)));
        if a.len() != b.len() {
            return Ok(Some(unequal(format!(
                "attribute names of attribute set '{left}' differs from attribute set '{right}'"
            ))));
        }
        for x in self.sorted_attrs(a) {
            let Some(y) = b.get(x.name) else {
                let name = self.symbols().text(x.name);
                return Ok(Some(unequal(format!(
                    "attribute name '{name}' is contained in '{left}', but not in '{right}'"
                ))));
            };
            if let Some(error) = self.one_level_down(|| self.difference(x.value(), y.value()))? {
                return Ok(Some(self.compared(error, x, y)));
            }
        }
        Ok(None)
    }

    fn compared(&self, mut error: Error, x: &Attr<'a>, y: &Attr<'a>) -> Error {
        let name = self.symbols().text(x.name);
        if error.diagnostic_mut().labels.is_empty() {
            error =
                error.label(self.name_span(x.pos), "left hand side").label(self.name_span(y.pos), "right hand side");
        }
        error.important_step(Span::NONE, format!("while comparing attribute '{name}'"))
    }
}

fn unequal(message: String) -> Error {
    Error::new(ErrorKind::Assertion, message)
}
