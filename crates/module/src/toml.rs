//! Modules in files: the language's own, and TOML.

use lang::{Eval, Res, Value};

use crate::evaluation::Evaluation;

/// The module a file holds.
///
/// # Errors
/// When the file cannot be read or is not of the language.
pub(crate) fn import<'a>(
    eval: &Eval<'a>,
    _evaluation: &'a Evaluation<'a>,
    value: Value<'a>,
    path: &str,
) -> Res<Value<'a>> {
    match value {
        Value::Path(_) => eval.eval_file(path),
        // A string may refer to something that has to be built first: `import` sees to that.
        _ => {
            let import = eval.eval_string("import", "«module system»", "/")?;
            eval.call(import, &[value])
        }
    }
}
