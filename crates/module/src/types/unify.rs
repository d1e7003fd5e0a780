//! The type of an option that is declared several times.

use lang::{Eval, Res, Value};

use super::construct::{leaf, make};
use super::{Elem, Kind, Leaf, NativeType, Type};
use crate::system::System;

impl<'a> Type<'a> {
    /// The type two declarations agree on, if there is one.
    ///
    /// # Errors
    /// Whatever a type of the language runs into.
    pub(crate) fn unify(self, eval: &Eval<'a>, system: &'a System<'a>, other: Type<'a>) -> Res<Option<Type<'a>>> {
        if let (Some(a), Some(b)) = (self.native(), other.native()) {
            return a.unify(eval, system, b);
        }
        let (Some(merge), Some(functor)) =
            (self.attr(eval, system.names.type_merge)?, other.attr(eval, system.names.functor)?)
        else {
            return Ok(None);
        };
        match eval.call(merge, &[functor])? {
            Value::Null => Ok(None),
            ty => Type::decode(eval, system, ty).map(Some),
        }
    }
}

impl<'a> NativeType<'a> {
    pub(super) fn unify(
        &'a self,
        eval: &Eval<'a>,
        system: &'a System<'a>,
        other: &'a NativeType<'a>,
    ) -> Res<Option<Type<'a>>> {
        if std::ptr::eq(self, other) {
            return Ok(Some(Type::Native(self)));
        }
        let elem = |a: &Elem<'a>, b: &Elem<'a>| -> Res<Option<Elem<'a>>> {
            let unified = a.get(eval, system)?.unify(eval, system, b.get(eval, system)?)?;
            Ok(unified.map(|t| Elem::new(t.value())))
        };
        let kind = match (&self.kind, &other.kind) {
            (Kind::Leaf(a), Kind::Leaf(b)) if a == b => return Ok(Some(Type::Native(self))),
            // Restrictions of integers are all integers to the reference.
            (Kind::IntRange(a), Kind::IntRange(b)) if a.lowest == b.lowest && a.highest == b.highest => {
                return Ok(Some(Type::Native(self)));
            }
            (Kind::IntRange(_), Kind::IntRange(_) | Kind::Leaf(Leaf::Int))
            | (Kind::Leaf(Leaf::Int), Kind::IntRange(_)) => {
                return Type::decode(eval, system, leaf(eval, system, Leaf::Int)).map(Some);
            }
            (Kind::NumberRange(_), Kind::NumberRange(_)) => return Ok(Some(Type::Native(self))),
            (Kind::StrMatching(a), Kind::StrMatching(b)) if eval.equal(*a, *b)? => return Ok(Some(Type::Native(self))),
            (Kind::Separated(a), Kind::Separated(b)) if a == b => return Ok(Some(Type::Native(self))),
            (Kind::Path { absolute, in_store }, Kind::Path { absolute: a, in_store: s })
                if absolute == a && in_store == s =>
            {
                return Ok(Some(Type::Native(self)));
            }
            (Kind::Enum(a), Kind::Enum(b)) => Kind::Enum(union(eval, *a, *b)?),
            (Kind::List(a), Kind::List(b)) => match elem(a, b)? {
                Some(elem) => Kind::List(elem),
                None => return Ok(None),
            },
            (Kind::NonEmptyList(a), Kind::NonEmptyList(b)) => match elem(a, b)? {
                Some(elem) => Kind::NonEmptyList(elem),
                None => return Ok(None),
            },
            (Kind::Attrs { elem: a, lazy, placeholder }, Kind::Attrs { elem: b, lazy: other_lazy, placeholder: p })
                if lazy == other_lazy =>
            {
                let placeholder = if *placeholder == "name" { p } else { placeholder };
                match elem(a, b)? {
                    Some(elem) => Kind::Attrs { elem, lazy: *lazy, placeholder },
                    None => return Ok(None),
                }
            }
            (Kind::NullOr(a), Kind::NullOr(b)) => match elem(a, b)? {
                Some(elem) => Kind::NullOr(elem),
                None => return Ok(None),
            },
            (Kind::Unique { message, elem: a }, Kind::Unique { elem: b, .. }) => match elem(a, b)? {
                Some(elem) => Kind::Unique { message: *message, elem },
                None => return Ok(None),
            },
            (Kind::FunctionTo(a), Kind::FunctionTo(b)) => match elem(a, b)? {
                Some(elem) => Kind::FunctionTo(elem),
                None => return Ok(None),
            },
            (Kind::PasswdEntry(a), Kind::PasswdEntry(b)) => match elem(a, b)? {
                Some(elem) => Kind::PasswdEntry(elem),
                None => return Ok(None),
            },
            (Kind::Either(a1, a2), Kind::Either(b1, b2)) => match (elem(a1, b1)?, elem(a2, b2)?) {
                (Some(left), Some(right)) => Kind::Either(left, right),
                _ => return Ok(None),
            },
            (Kind::Submodule(a), Kind::Submodule(b)) => Kind::Submodule(eval.bump().alloc(a.joined(eval, b)?)),
            (Kind::Deferred(a), Kind::Deferred(b)) => Kind::Deferred(concat(eval, *a, *b)?),
            (Kind::AttrTag { tags: a, lib }, Kind::AttrTag { tags: b, .. }) => {
                let tags = eval.update(eval.force_attrs(*a)?, eval.force_attrs(*b)?);
                Kind::AttrTag { tags: Value::Attrs(tags), lib: *lib }
            }
            // A function between the types has no equality, so two `coercedTo` never agree.
            _ => return Ok(None),
        };
        Type::decode(eval, system, make(eval, system, kind)).map(Some)
    }
}

fn union<'a>(eval: &Eval<'a>, a: Value<'a>, b: Value<'a>) -> Res<Value<'a>> {
    let mut all: Vec<Value<'a>> = Vec::new();
    for value in eval.force_list(a)?.iter().chain(eval.force_list(b)?.iter()) {
        let mut known = false;
        for seen in &all {
            known = known || eval.equal(*seen, value)?;
        }
        if !known {
            all.push(value);
        }
    }
    Ok(eval.list(all))
}

/// One list after the other.
///
/// # Errors
/// When one is no list.
pub(crate) fn concat<'a>(eval: &Eval<'a>, a: Value<'a>, b: Value<'a>) -> Res<Value<'a>> {
    let all: Vec<Value<'a>> = eval.force_list(a)?.iter().chain(eval.force_list(b)?.iter()).collect();
    Ok(eval.list(all))
}
