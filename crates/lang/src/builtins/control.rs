//! Evaluation itself: forcing, errors, tracing, importing.

use std::rc::Rc;

use diagnostics::{Pos, Span};

use crate::builtins::Table;
use crate::coerce::Coerce;
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::internal::FETCHURL_PATH;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("abort", 1, |e, a| {
        let text = e.coerce(a[0], Coerce::INTERPOLATION)?.to_string_lossy();
        Err(Error::new(ErrorKind::Abort, format!("evaluation aborted with the following error message: '{text}'")))
    }),
    ("throw", 1, |e, a| {
        let text = e.coerce(a[0], Coerce::INTERPOLATION)?.to_string_lossy().into_owned();
        Err(Error::new(ErrorKind::Throw, text))
    }),
    ("addErrorContext", 2, |e, a| {
        e.force(a[1]).map_err(|error| match e.coerce(a[0], Coerce::PATH_SEGMENT) {
            Ok(text) => error.important_step(Span::NONE, text.to_string_lossy()),
            Err(other) => other,
        })
    }),
    ("break", 1, |e, a| e.force(a[0])),
    ("seq", 2, |e, a| {
        e.force(a[0])?;
        e.force(a[1])
    }),
    ("deepSeq", 2, |e, a| {
        e.force_deep(a[0])?;
        e.force(a[1])
    }),
    ("trace", 2, |e, a| {
        let message = message(e, a[0])?;
        e.io().trace(&format!("trace: {message}"));
        e.force(a[1])
    }),
    ("traceVerbose", 2, |e, a| {
        if e.settings().trace_verbose {
            let message = message(e, a[0])?;
            e.io().trace(&format!("trace: {message}"));
        }
        e.force(a[1])
    }),
    ("warn", 2, |e, a| {
        let text = e.force_str(a[0])?.to_string_lossy();
        e.io().trace(&format!("evaluation warning: {text}"));
        e.force(a[1])
    }),
    ("tryEval", 1, try_eval),
    ("import", 1, |e, a| import(e, a[0])),
    ("scopedImport", 2, |e, a| scoped_import(e, a[0], a[1])),
];

/// Strings as they are, everything else as it prints.
fn message<'a>(eval: &Eval<'a>, value: Value<'a>) -> Res<String> {
    Ok(match eval.force(value)? {
        Value::String(s) => s.to_string_lossy().into_owned(),
        other => eval.show_short(other),
    })
}

fn try_eval<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let (success, value) = match eval.force(args[0]) {
        Ok(value) => (true, value),
        Err(error) if error.is_catchable() => (false, Value::bool(false)),
        Err(error) => return Err(error),
    };
    let mut set = eval.attrs();
    set.insert(eval.names.success, Pos::NONE, Value::bool(success));
    set.insert(eval.names.value, Pos::NONE, value);
    Ok(set.finish())
}

fn import<'a>(eval: &Eval<'a>, path: Value<'a>) -> Res<Value<'a>> {
    if matches!(eval.force(path)?, Value::Path(path) if path.as_bytes() == FETCHURL_PATH.as_bytes()) {
        return eval.import_fetchurl();
    }
    let path = eval.readable_path(path)?;
    eval.eval_file(&path)
}

/// Names of `scope` come before all global names in the file.
fn scoped_import<'a>(eval: &Eval<'a>, scope: Value<'a>, path: Value<'a>) -> Res<Value<'a>> {
    let scope = eval.force_attrs(scope)?;
    let path = eval.resolve_import(&eval.readable_path(path)?)?;
    let mut globals = (**eval.globals.borrow()).clone();
    for attr in scope.all() {
        globals.insert(attr.name, attr.value());
    }
    let code = eval.parse_file(&path, &Rc::new(globals))?;
    eval.outcome(eval.run_thunk(code, &[]))
}
