//! Native types as the language sees them: sets with `check`, `merge`, `getSubOptions` and the rest.
//!
//! Everything but `check` and `merge` is computed when asked for.

use diagnostics::Pos;
use lang::{Attrs, Eval, Res, Value};
use syntax::Sym;

use super::{Elem, Kind, Leaf, NativeType, Type};
use crate::definition::Definition;
use crate::loc::Loc;
use crate::system::{System, TypeNumber};

impl<'a> NativeType<'a> {
    pub(super) fn make_attrs(&'a self, eval: &Eval<'a>, system: &'a System<'a>) -> &'a Attrs<'a> {
        let names = &system.names;
        let mut set = eval.attrs();
        let number: &'a TypeNumber = eval.bump().alloc(TypeNumber(self.number));
        set.insert(names.native, Pos::NONE, eval.external("option-type", number, &[]));
        set.insert(names.underscore_type, Pos::NONE, eval.string("option-type"));
        let check = eval.native_fn("check", 1, move |eval, args| {
            Ok(Value::bool(self.check(eval, system, eval.force(args[0])?)?))
        });
        set.insert(names.check, Pos::NONE, check);
        let merge = eval.native_fn("merge", 2, move |eval, args| {
            let loc = Loc::from_value(eval, args[0])?;
            let definitions = definitions_from(eval, system, args[1])?;
            self.merge(eval, system, loc, &definitions)
        });
        set.insert(names.merge, Pos::NONE, merge);
        set.insert(names.deprecation_message, Pos::NONE, Value::Null);
        let mut lazy = |name: Sym, compute: Compute<'a>| {
            set.insert_lazy(name, Pos::NONE, move |eval| compute(self, eval, system));
        };
        lazy(names.name, |t, eval, system| Ok(eval.string(&t.name(eval, system)?)));
        lazy(names.description, |t, eval, system| Ok(eval.string(&t.description(eval, system)?)));
        lazy(names.description_class, |t, eval, system| {
            Ok(t.class(eval, system)?.map_or(Value::Null, |class| eval.string(class.text())))
        });
        lazy(names.empty_value, |t, eval, _| Ok(t.empty_value(eval)));
        lazy(names.get_sub_options, |t, eval, system| {
            Ok(eval.native_fn("getSubOptions", 1, move |eval, args| t.sub_options(eval, system, args[0])))
        });
        lazy(names.get_sub_modules, NativeType::sub_modules);
        lazy(names.subst_sub_modules, |t, eval, system| {
            Ok(eval.native_fn("substSubModules", 1, move |eval, args| t.with_sub_modules(eval, system, args[0])))
        });
        lazy(names.type_merge, |t, eval, system| {
            Ok(eval.native_fn("typeMerge", 1, move |eval, args| t.type_merge(eval, system, args[0])))
        });
        lazy(names.functor, NativeType::functor);
        lazy(names.nested_types, NativeType::nested_types);
        set.finish_attrs()
    }

    /// The types it is made of, by their role.
    fn parts(&'a self) -> Vec<(&'static str, &'a Elem<'a>)> {
        match &self.kind {
            Kind::List(elem) | Kind::NonEmptyList(elem) | Kind::Attrs { elem, .. } | Kind::NullOr(elem) => {
                vec![("elemType", elem)]
            }
            Kind::Unique { elem, .. } | Kind::FunctionTo(elem) | Kind::PasswdEntry(elem) => vec![("elemType", elem)],
            Kind::Either(a, b) => vec![("left", a), ("right", b)],
            Kind::CoercedTo { from, to, .. } => vec![("coercedType", from), ("finalType", to)],
            _ => Vec::new(),
        }
    }

    fn nested_types(&'a self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Value<'a>> {
        let mut set = eval.attrs();
        for (name, elem) in self.parts() {
            set.insert(eval.sym(name), Pos::NONE, elem.value);
        }
        if let Kind::Submodule(spec) = &self.kind {
            if let Some(freeform) = spec.freeform_type(eval, system)? {
                set.insert(system.names.freeform_type, Pos::NONE, freeform);
            }
        }
        Ok(set.finish())
    }

    fn empty_value(&self, eval: &Eval<'a>) -> Value<'a> {
        let value = match &self.kind {
            Kind::List(_) => eval.empty_list(),
            Kind::Attrs { .. } | Kind::Submodule(_) | Kind::Leaf(Leaf::Attrs) => eval.empty_attrs(),
            Kind::NullOr(_) => Value::Null,
            _ => return eval.empty_attrs(),
        };
        eval.attrs().entry("value", value).finish()
    }

    /// The part whose options stand below an option of this type, and what stands between them in the path.
    fn inner(&'a self) -> Option<(&'a Elem<'a>, Option<String>)> {
        match &self.kind {
            Kind::List(elem) | Kind::NonEmptyList(elem) => Some((elem, Some("*".to_owned()))),
            Kind::Attrs { elem, placeholder, .. } => Some((elem, Some(format!("<{placeholder}>")))),
            Kind::NullOr(elem) | Kind::Unique { elem, .. } => Some((elem, None)),
            Kind::FunctionTo(elem) => Some((elem, Some("<function body>".to_owned()))),
            Kind::CoercedTo { to, .. } => Some((to, None)),
            _ => None,
        }
    }

    fn sub_options(&'a self, eval: &Eval<'a>, system: &'a System<'a>, prefix: Value<'a>) -> Res<Value<'a>> {
        let of = |elem: &Elem<'a>, prefix: Value<'a>| match elem
            .get(eval, system)?
            .attr(eval, system.names.get_sub_options)?
        {
            Some(function) => eval.call(function, &[prefix]),
            None => Ok(eval.empty_attrs()),
        };
        if let Some((elem, step)) = self.inner() {
            let prefix = match step {
                None => prefix,
                Some(step) => {
                    let mut parts: Vec<Value<'a>> = eval.force_list(prefix)?.iter().collect();
                    parts.push(eval.string(&step));
                    eval.list(parts)
                }
            };
            return of(elem, prefix);
        }
        match &self.kind {
            Kind::Either(a, b) => {
                let (left, right) = (of(a, prefix)?, of(b, prefix)?);
                Ok(Value::Attrs(eval.update(eval.force_attrs(left)?, eval.force_attrs(right)?)))
            }
            Kind::Submodule(spec) => spec.options_for_docs(eval, system, Loc::from_value(eval, prefix)?),
            Kind::AttrTag { tags, .. } => tag_options(eval, system, *tags, prefix),
            _ => Ok(eval.empty_attrs()),
        }
    }

    fn sub_modules(&'a self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Value<'a>> {
        match (&self.kind, self.inner()) {
            (Kind::Submodule(spec), _) => Ok(spec.modules),
            (_, Some((elem, _))) => {
                Ok(elem.get(eval, system)?.attr(eval, system.names.get_sub_modules)?.unwrap_or(Value::Null))
            }
            _ => Ok(Value::Null),
        }
    }

    fn with_sub_modules(&'a self, eval: &Eval<'a>, system: &'a System<'a>, modules: Value<'a>) -> Res<Value<'a>> {
        let of = |elem: &Elem<'a>| -> Res<Elem<'a>> {
            match elem.get(eval, system)?.attr(eval, system.names.subst_sub_modules)? {
                Some(function) => Ok(Elem::new(eval.lazy_call(function, modules))),
                None => Ok(Elem::new(Value::Null)),
            }
        };
        let kind = match &self.kind {
            Kind::Submodule(spec) => Kind::Submodule(eval.bump().alloc(spec.with_modules(modules))),
            Kind::List(elem) => Kind::List(of(elem)?),
            Kind::NonEmptyList(elem) => Kind::NonEmptyList(of(elem)?),
            Kind::Attrs { elem, lazy, placeholder } => Kind::Attrs { elem: of(elem)?, lazy: *lazy, placeholder },
            Kind::NullOr(elem) => Kind::NullOr(of(elem)?),
            Kind::Unique { message, elem } => Kind::Unique { message: *message, elem: of(elem)? },
            Kind::FunctionTo(elem) => Kind::FunctionTo(of(elem)?),
            Kind::CoercedTo { from, function, to } => {
                Kind::CoercedTo { from: Elem::new(from.value), function: *function, to: of(to)? }
            }
            _ => return Ok(Value::Null),
        };
        Ok(super::construct::make(eval, system, kind))
    }

    fn functor(&'a self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Value<'a>> {
        let names = &system.names;
        let number: &'a TypeNumber = eval.bump().alloc(TypeNumber(self.number));
        let mut set = eval.attrs();
        set.insert(names.native, Pos::NONE, eval.external("option-type", number, &[]));
        set.insert_lazy(names.name, Pos::NONE, move |eval| Ok(eval.string(&self.name(eval, system)?)));
        set.insert(names.type_, Pos::NONE, Value::Attrs(self.attrs()));
        let parts = self.parts();
        set.insert(names.wrapped, Pos::NONE, parts.first().map_or(Value::Null, |(_, elem)| elem.value));
        let payload = match &self.kind {
            Kind::Enum(values) => eval.attrs().entry("values", *values).finish(),
            Kind::Separated(sep) => eval.attrs().entry("sep", eval.string(sep)).finish(),
            Kind::Submodule(spec) => spec.payload(eval, system),
            Kind::Attrs { elem, lazy, placeholder } => eval
                .attrs()
                .entry("elemType", elem.value)
                .entry("lazy", Value::bool(*lazy))
                .entry("placeholder", eval.string(placeholder))
                .finish(),
            _ if !parts.is_empty() => {
                let mut payload = eval.attrs();
                for (name, elem) in parts {
                    payload.insert(eval.sym(name), Pos::NONE, elem.value);
                }
                payload.finish()
            }
            _ => Value::Null,
        };
        set.insert(names.payload, Pos::NONE, payload);
        Ok(set.entry("binOp", eval.native_fn("binOp", 2, |_, _| Ok(Value::Null))).finish())
    }

    /// `typeMerge functor`: the type both declarations agree on, or null.
    fn type_merge(&'a self, eval: &Eval<'a>, system: &'a System<'a>, functor: Value<'a>) -> Res<Value<'a>> {
        let functor = eval.force_attrs(functor)?;
        let other = match functor.get(system.names.native).map(|a| a.value().peek()) {
            Some(Value::External(e)) => e.data.downcast_ref::<TypeNumber>().and_then(|n| system.native_type(n)),
            _ => None,
        };
        let Some(other) = other else { return Ok(Value::Null) };
        Ok(self.unify(eval, system, other)?.map_or(Value::Null, Type::value))
    }
}

type Compute<'a> = fn(&'a NativeType<'a>, &Eval<'a>, &'a System<'a>) -> Res<Value<'a>>;

/// `[ { file; value; } … ]` from the language.
///
/// # Errors
/// When it is no such list.
pub(crate) fn definitions_from<'a>(eval: &Eval<'a>, system: &System<'a>, list: Value<'a>) -> Res<Vec<Definition<'a>>> {
    let mut definitions = Vec::new();
    for item in eval.force_list(list)?.iter() {
        let set = eval.force_attrs(item)?;
        let file = set.get(system.names.file).map_or_else(|| eval.string("<unknown-file>"), lang::Attr::value);
        let value = eval.select(item, "value")?;
        let pos = set.get(system.names.value).map_or(Pos::NONE, |a| a.pos);
        definitions.push(Definition::plain(file, pos, value));
    }
    Ok(definitions)
}

fn tag_options<'a>(eval: &Eval<'a>, system: &'a System<'a>, tags: Value<'a>, prefix: Value<'a>) -> Res<Value<'a>> {
    let mut set = eval.attrs();
    for tag in eval.force_attrs(tags)?.all() {
        let mut loc: Vec<Value<'a>> = eval.force_list(prefix)?.iter().collect();
        loc.push(eval.sym_string(tag.name));
        let mut more = eval.attrs();
        more.insert(system.names.loc, Pos::NONE, eval.list(loc));
        more.insert(system.names.declarations, Pos::NONE, eval.empty_list());
        let option = eval.update(eval.force_attrs(tag.value())?, more.finish_attrs());
        set.insert(tag.name, tag.pos, Value::Attrs(option));
    }
    Ok(set.finish())
}
