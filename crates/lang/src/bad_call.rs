//! Calls that cannot be: what is called and what it is given.

use diagnostics::Span;
use diagnostics::nearest;
use syntax::Sym;

use crate::attrs::Attrs;
use crate::code::{FormalCode, LambdaCode};
use crate::error::{Error, Failed, did_you_mean_or};
use crate::eval::Eval;
use crate::value::Value;

impl<'a> Eval<'a> {
    /// `given` is whether arguments were taken before, so that this is the result of a call.
    #[cold]
    pub(crate) fn not_a_function(&self, value: Value<'a>, given: bool) -> Failed {
        let kind = crate::print::describe_type(value);
        let shown = self.show_short(value);
        let error = Error::type_error(format!("attempt to call something which is not a function but {kind}: {shown}"));
        self.fail(if given {
            error.hint("is there an argument too many, or a `;` or brackets missing?")
        } else {
            error
        })
    }

    #[cold]
    pub(crate) fn no_argument_set(&self, code: &LambdaCode<'a>, arg: Value<'a>) -> Failed {
        self.fail(
            Error::expected(self, "a set", arg)
                .at_span(code.span)
                .step(code.span, "while evaluating the function's argument"),
        )
    }

    fn function_name(&self, code: &LambdaCode<'_>) -> String {
        match code.name {
            Some(name) => format!("'{}'", self.symbols().text(name)),
            None => "'anonymous lambda'".to_owned(),
        }
    }

    #[cold]
    pub(crate) fn missing_argument(&self, code: &LambdaCode<'a>, name: Sym, set: &Attrs<'a>) -> Failed {
        let text = self.symbols().text(name);
        let function = self.function_name(code);
        let message = format!("function {function} called without required argument '{text}'");
        let error = Error::type_error(message).label(code.span, "");
        let given = nearest(&text, self.unknown_arguments(code, set));
        self.fail(match given.first() {
            Some(other) => error.hint(format!("`{other}` is given; did you mean `{text}`?")),
            None => error,
        })
    }

    #[cold]
    pub(crate) fn unexpected_argument(&self, code: &LambdaCode<'a>, set: &Attrs<'a>) -> Failed {
        let name = self.unknown_arguments(code, set).into_iter().next().unwrap_or_default();
        let function = self.function_name(code);
        let message = format!("function {function} called with unexpected argument '{name}'");
        let error = Error::type_error(message).label(code.span, "");
        let known = formals(code).iter().map(|f| self.symbols().text(f.name)).collect();
        self.fail(did_you_mean_or(error, &name, known, "it takes"))
    }

    /// Given arguments that a function has no name for, sorted.
    fn unknown_arguments(&self, code: &LambdaCode<'a>, set: &Attrs<'a>) -> Vec<String> {
        let unknown = set.all().iter().filter(|a| !formals(code).iter().any(|f| f.name == a.name));
        let mut names: Vec<String> = unknown.map(|a| self.symbols().text(a.name)).collect();
        names.sort_unstable();
        names
    }

    #[cold]
    pub(crate) fn in_call(&self, error: Error, function: Value<'a>, span: Span) -> Error {
        match function {
            Value::Lambda(closure) => {
                error.at_span(span).step(span, format!("while calling {}", self.function_name(closure.code)))
            }
            Value::Native(native) => {
                let name = native.name.trim_start_matches("__");
                error.at_span(span).step(span, format!("while calling the '{name}' builtin"))
            }
            _ => error.at_span(span),
        }
    }
}

fn formals<'a>(code: &LambdaCode<'a>) -> &'a [FormalCode<'a>] {
    code.formals.map_or(&[], |f| f.list)
}
