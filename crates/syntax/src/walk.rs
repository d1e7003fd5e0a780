//! The parts of an expression, in the order written, each with what it is bound to.

use crate::Sym;
use crate::ast::{AttrName, Attrs, Expr, Kind, Part, Value};

/// A part of an expression.
#[derive(Clone, Copy, Debug)]
pub struct Child<'e, 's> {
    /// The name it is bound to, of an attribute, a `let` or an argument's default.
    pub name: Option<Sym>,
    /// The part.
    pub expr: &'e Expr<'s>,
}

/// Shows each part directly within `expr` to `visit`.
pub fn children<'s>(expr: &Expr<'s>, visit: &mut dyn FnMut(Child<'_, 's>)) {
    let mut plain = |expr: &Expr<'s>| visit(Child { name: None, expr });
    match expr.kind {
        Kind::Int(_) | Kind::Float(_) | Kind::Var(_) | Kind::Search(_) | Kind::Unread(_) => {}
        Kind::Str(parts) | Kind::Path(parts) => parts.iter().for_each(|part| {
            if let Part::Expr(e) = part {
                plain(e);
            }
        }),
        Kind::List(items) => items.iter().for_each(plain),
        Kind::Attrs(attrs) => bindings(attrs, visit),
        Kind::Let((attrs, body)) => {
            bindings(attrs, visit);
            visit(Child { name: None, expr: body });
        }
        Kind::With((a, b)) | Kind::Assert((a, b)) => [a, b].into_iter().for_each(plain),
        Kind::If((a, b, c)) => [a, b, c].into_iter().for_each(plain),
        Kind::Lambda(lambda) => {
            for formal in lambda.formals.iter().flat_map(|f| f.list) {
                if let Some(default) = &formal.default {
                    visit(Child { name: Some(formal.name), expr: default });
                }
            }
            visit(Child { name: None, expr: &lambda.body });
        }
        Kind::Apply((function, args)) => {
            plain(function);
            args.iter().for_each(plain);
        }
        Kind::Select(select) => {
            plain(&select.base);
            names(select.path, &mut plain);
            select.default.iter().for_each(plain);
        }
        Kind::HasAttr((base, path)) => {
            plain(base);
            names(path, &mut plain);
        }
        Kind::Not(e) | Kind::Negate(e) => plain(e),
        Kind::Binary(b) => [&b.lhs, &b.rhs].into_iter().for_each(plain),
    }
}

fn bindings<'s>(attrs: &Attrs<'s>, visit: &mut dyn FnMut(Child<'_, 's>)) {
    for expr in attrs.from {
        visit(Child { name: None, expr });
    }
    for binding in attrs.statics {
        if let Value::Expr(expr) = &binding.value {
            visit(Child { name: Some(binding.name), expr });
        }
    }
    for binding in attrs.dynamics {
        visit(Child { name: None, expr: &binding.name });
        visit(Child { name: None, expr: &binding.value });
    }
}

fn names<'s>(path: &[AttrName<'s>], plain: &mut impl FnMut(&Expr<'s>)) {
    for name in path {
        if let AttrName::Dynamic(expr) = name {
            plain(expr);
        }
    }
}
