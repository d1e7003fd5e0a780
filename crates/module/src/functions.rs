//! Formal arguments of functions, and of sets that act as functions.

use lang::{Eval, Res, Value};
use syntax::Sym;

use crate::system::System;

/// Name of each formal argument and whether it has a default; empty for functions without a set pattern.
///
/// # Errors
/// When a functor cannot be evaluated.
pub(crate) fn formals<'a>(eval: &Eval<'a>, system: &System<'a>, function: Value<'a>) -> Res<Vec<(Sym, bool)>> {
    match eval.force(function)? {
        Value::Lambda(closure) => Ok(closure
            .formals()
            .map(|f| f.iter().map(|(name, _, default)| (name, default)).collect())
            .unwrap_or_default()),
        Value::Attrs(set) => {
            if let Some(args) = set.get(system.names.function_args) {
                let mut formals = Vec::new();
                for arg in eval.force_attrs(args.value())?.all() {
                    formals.push((arg.name, eval.force_bool(arg.value())?));
                }
                return Ok(formals);
            }
            match set.get(system.names.functor_call) {
                Some(functor) => formals(eval, system, eval.call(functor.value(), &[Value::Attrs(set)])?),
                None => Ok(Vec::new()),
            }
        }
        _ => Ok(Vec::new()),
    }
}
