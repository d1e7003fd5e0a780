//! How definitions of native types join.

use diagnostics::Pos;
use lang::{Attrs, Bool, Error, Eval, Res, Value};
use syntax::Sym;

use super::check::{is_derivation, is_string_like};
use super::{Elem, Kind, Leaf, NativeType, Type};
use crate::definition::{Definition, Raw};
use crate::errors;
use crate::loc::{Loc, Name};
use crate::merging::{element_value, merged_value, settle};
use crate::system::System;

impl<'a> NativeType<'a> {
    /// Joins definitions that passed the check; there is one at least.
    ///
    /// # Errors
    /// When they conflict, or whatever their values run into.
    pub(crate) fn merge(
        &'a self,
        eval: &Eval<'a>,
        system: &'a System<'a>,
        loc: Loc<'a>,
        definitions: &[Definition<'a>],
    ) -> Res<Value<'a>> {
        match &self.kind {
            Kind::Leaf(leaf) => merge_leaf(*leaf, eval, system, loc, definitions),
            Kind::IntRange(_) | Kind::NumberRange(_) | Kind::StrMatching(_) | Kind::Path { .. } | Kind::Enum(_) => {
                merge_equal(eval, loc, definitions)
            }
            Kind::Separated(separator) => join_strings(eval, separator, definitions),
            Kind::PasswdEntry(elem) => elem.get(eval, system)?.merge(eval, system, loc, definitions),
            Kind::List(elem) | Kind::NonEmptyList(elem) => merge_lists(eval, system, loc, elem, definitions),
            Kind::Attrs { elem, lazy, .. } => merge_sets(eval, system, loc, (elem, *lazy), definitions),
            Kind::NullOr(elem) => {
                let nulls = definitions.iter().filter(|d| matches!(d.value, Value::Null)).count();
                match nulls {
                    0 => elem.get(eval, system)?.merge(eval, system, loc, definitions),
                    n if n == definitions.len() => Ok(Value::Null),
                    _ => {
                        let message = format!("the option `{}` is defined both null and not null", loc.show(eval));
                        let error = errors::error(errors::code::OPTION_CONFLICT, message);
                        Err(errors::with_definitions(error, eval, definitions))
                    }
                }
            }
            Kind::Unique { message, elem } => match definitions {
                [_] => elem.get(eval, system)?.merge(eval, system, loc, definitions),
                _ => {
                    let advice = eval.force_str(*message)?.to_string_lossy().into_owned();
                    Err(errors::not_unique(eval, loc, &advice, definitions))
                }
            },
            Kind::Either(a, b) => {
                for side in [a, b] {
                    let ty = side.get(eval, system)?;
                    if all_of(eval, system, ty, definitions)? {
                        return ty.merge(eval, system, loc, definitions);
                    }
                }
                merge_unique(eval, loc, "", definitions)
            }
            Kind::CoercedTo { from, function, to } => {
                let from = from.get(eval, system)?;
                let mut coerced = Vec::with_capacity(definitions.len());
                for d in definitions {
                    let value = match from.check(eval, system, d.value)? {
                        true => eval.call(*function, &[d.value])?,
                        false => d.value,
                    };
                    coerced.push(Definition { value, ..*d });
                }
                to.get(eval, system)?.merge(eval, system, loc, &coerced)
            }
            Kind::FunctionTo(elem) => merge_functions(eval, system, loc, elem, definitions),
            Kind::Submodule(spec) => crate::submodule::merge(eval, system, spec, loc, definitions),
            Kind::Deferred(static_modules) => merge_modules(eval, system, loc, *static_modules, definitions),
            Kind::AttrTag { tags, .. } => merge_tagged(eval, system, loc, *tags, definitions),
        }
    }

    /// Whether a single definition of this value is admitted and is its own merge, as far as can be told without
    /// evaluating anything.
    pub(crate) fn admits_as_is(&self, value: Value<'a>) -> bool {
        match &self.kind {
            Kind::Leaf(Leaf::Raw | Leaf::Unspecified) => true,
            Kind::Leaf(Leaf::Anything) => {
                !matches!(value, Value::Attrs(_) | Value::Lambda(_) | Value::Native(_) | Value::Partial(_))
            }
            Kind::Leaf(Leaf::Bool | Leaf::BoolByOr) => matches!(value, Value::Bool(_)),
            Kind::Leaf(Leaf::Int) => matches!(value, Value::Int(_)),
            Kind::Leaf(Leaf::Float) => matches!(value, Value::Float(_)),
            Kind::Leaf(Leaf::Str) | Kind::Separated(_) => matches!(value, Value::String(_)),
            Kind::IntRange(b) => matches!(value, Value::Int(n) if b.lowest <= n && n <= b.highest),
            Kind::NullOr(elem) => matches!(value, Value::Null) || elem.admits_as_is(value),
            Kind::Either(a, b) => a.admits_as_is(value) || (a.refuses(value) && b.admits_as_is(value)),
            _ => false,
        }
    }

    /// Whether a value is certainly not of the type.
    fn refuses(&self, value: Value<'a>) -> bool {
        match &self.kind {
            Kind::Leaf(leaf) => match leaf {
                Leaf::Bool | Leaf::BoolByOr => !matches!(value, Value::Bool(_)),
                Leaf::Int => !matches!(value, Value::Int(_)),
                Leaf::Float => !matches!(value, Value::Float(_)),
                Leaf::Str => !matches!(value, Value::String(_)),
                _ => false,
            },
            Kind::IntRange(b) => !matches!(value, Value::Int(n) if b.lowest <= n && n <= b.highest),
            Kind::Separated(_) => !matches!(value, Value::String(_)),
            Kind::Either(a, b) => a.refuses(value) && b.refuses(value),
            Kind::NullOr(elem) => !matches!(value, Value::Null) && elem.refuses(value),
            _ => false,
        }
    }

    /// For a wrong value of an enumeration, the right ones most like it.
    pub(crate) fn nearest_value(&self, eval: &Eval<'a>, wrong: Value<'a>) -> Option<String> {
        let (Kind::Enum(values), Value::String(text)) = (&self.kind, wrong) else { return None };
        let candidates = eval.force_list(*values).ok()?.iter().filter_map(|v| match eval.force(v) {
            Ok(Value::String(s)) => Some(s.to_string_lossy().into_owned()),
            _ => None,
        });
        let near: Vec<String> =
            errors::nearest(&text.to_string_lossy(), candidates).iter().map(|s| errors::json_string(s)).collect();
        errors::did_you_mean(&near)
    }
}

impl<'a> Elem<'a> {
    fn known_native(&self) -> Option<&'a NativeType<'a>> {
        match self.decoded.get() {
            Some(Type::Native(native)) => Some(native),
            _ => None,
        }
    }

    fn admits_as_is(&self, value: Value<'a>) -> bool {
        self.known_native().is_some_and(|n| n.admits_as_is(value))
    }

    fn refuses(&self, value: Value<'a>) -> bool {
        self.known_native().is_some_and(|n| n.refuses(value))
    }
}

fn all_of<'a>(eval: &Eval<'a>, system: &'a System<'a>, ty: Type<'a>, definitions: &[Definition<'a>]) -> Res<bool> {
    for d in definitions {
        if !ty.check(eval, system, d.value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn merge_leaf<'a>(
    leaf: Leaf,
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    match leaf {
        Leaf::Unspecified => merge_default(eval, system, loc, definitions),
        Leaf::Raw | Leaf::Pkgs => merge_unique(eval, loc, "", definitions),
        Leaf::Anything => merge_anything(eval, system, loc, definitions),
        Leaf::BoolByOr => Ok(Value::bool(definitions.iter().any(|d| matches!(d.value, Value::Bool(Bool::True))))),
        Leaf::SingleLineStr => {
            let value = merge_equal(eval, loc, definitions)?;
            Ok(match value {
                Value::String(s) if s.as_bytes().ends_with(b"\n") => {
                    let elements = s.context().map(|c| c.elements().to_vec()).unwrap_or_default();
                    let text = s.to_string_lossy();
                    eval.string_with_context(text.trim_end_matches('\n'), elements)
                }
                other => other,
            })
        }
        Leaf::Attrs => {
            let mut all: Option<&'a Attrs<'a>> = None;
            for d in definitions {
                let set = eval.force_attrs(d.value)?;
                all = Some(all.map_or(set, |left| eval.update(left, set)));
            }
            Ok(all.map_or_else(|| eval.empty_attrs(), Value::Attrs))
        }
        Leaf::Package => merge_package(eval, loc, definitions),
        Leaf::OptionType => merge_option_types(eval, system, loc, definitions),
        Leaf::Bool | Leaf::Int | Leaf::Float | Leaf::Str | Leaf::NonEmptyStr | Leaf::LuaInline => {
            merge_equal(eval, loc, definitions)
        }
        Leaf::ShellPackage => merge_unique(eval, loc, "", definitions),
    }
}

/// Several definitions, if they are equal.
///
/// # Errors
/// When they differ.
pub(crate) fn merge_equal<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    let [first, rest @ ..] = definitions else { return Err(Error::eval("nothing to merge")) };
    for d in rest {
        if !eval.equal(first.value, d.value)? {
            return Err(errors::conflict(eval, loc, definitions));
        }
    }
    Ok(first.value)
}

/// The only definition.
///
/// # Errors
/// When there are several.
pub(crate) fn merge_unique<'a>(
    eval: &Eval<'a>,
    loc: Loc<'a>,
    advice: &str,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    match definitions {
        [only] => Ok(only.value),
        _ => Err(errors::not_unique(eval, loc, advice, definitions)),
    }
}

/// What an option without a type does: joins functions, lists, sets, booleans, strings, equal integers.
///
/// # Errors
/// When the definitions are of different kinds.
pub(crate) fn merge_default<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    if let [only] = definitions {
        return Ok(only.value);
    }
    let all = |is: fn(Value<'a>) -> bool| definitions.iter().all(|d| is(d.value));
    if all(|v| matches!(v, Value::Lambda(_) | Value::Native(_) | Value::Partial(_))) {
        let kept = eval.bump().alloc_slice_copy(definitions);
        return Ok(eval.native_fn("merged function", 1, move |eval, args| {
            let mut results = Vec::with_capacity(kept.len());
            for d in &*kept {
                results.push(Definition { value: eval.call(d.value, &args[..1])?, ..*d });
            }
            merge_default(eval, system, loc, &results)
        }));
    }
    if all(|v| matches!(v, Value::List(_))) {
        let mut items = Vec::new();
        for d in definitions {
            items.extend(eval.force_list(d.value)?.iter());
        }
        return Ok(eval.list(items));
    }
    if all(|v| matches!(v, Value::Attrs(_))) {
        return merge_leaf(Leaf::Attrs, eval, system, loc, definitions);
    }
    if all(|v| matches!(v, Value::Bool(_))) {
        return merge_leaf(Leaf::BoolByOr, eval, system, loc, definitions);
    }
    if all(|v| matches!(v, Value::String(_))) {
        return join_strings(eval, "", definitions);
    }
    if all(|v| matches!(v, Value::Int(_))) {
        if let Ok(value) = merge_equal(eval, loc, definitions) {
            return Ok(value);
        }
    }
    Err(errors::cannot_merge(eval, loc, definitions))
}

/// Strings with a separator, their contexts joined.
fn join_strings<'a>(eval: &Eval<'a>, separator: &str, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    if let [only] = definitions {
        return Ok(only.value);
    }
    let mut text = Vec::new();
    let mut elements = Vec::new();
    for (i, d) in definitions.iter().enumerate() {
        if i > 0 {
            text.extend_from_slice(separator.as_bytes());
        }
        let part = eval.force_str(d.value)?;
        text.extend_from_slice(part.as_bytes());
        elements.extend(part.context().into_iter().flat_map(|c| c.elements().iter().copied()));
    }
    match (elements.is_empty(), String::from_utf8(text)) {
        (true, Ok(text)) => Ok(eval.string(&text)),
        (true, Err(bytes)) => Ok(eval.bytes(bytes.as_bytes())),
        (false, Ok(text)) => Ok(eval.string_with_context(&text, elements)),
        (false, Err(_)) => Err(Error::eval("a string that refers to the store is not UTF-8")),
    }
}

fn merge_lists<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    elem: &'a Elem<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let ty = elem.get(eval, system)?;
    let mut items = Vec::new();
    for (n, d) in definitions.iter().enumerate() {
        for (m, item) in eval.force_list(d.value)?.iter().enumerate() {
            let settled = settle(eval, system, [d.part(Pos::NONE, item)])?;
            if !settled.definitions.is_empty() {
                let here = loc.child(eval, Name::Entry(n + 1, m + 1));
                items.push(element_value(eval, system, here, ty, settled.definitions));
            }
        }
    }
    Ok(eval.list(items))
}

fn merge_sets<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    (elem, lazy): (&'a Elem<'a>, bool),
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let ty = elem.get(eval, system)?;
    let mut all: Vec<(Sym, Raw<'a>)> = Vec::new();
    for d in definitions {
        let set = eval.force_attrs(d.value)?;
        all.extend(set.all().iter().map(|a| (a.name, d.part(a.pos, a.value()))));
    }
    // Stable: definitions of one name keep their order.
    all.sort_by_key(|(name, _)| *name);
    let mut set = eval.attrs();
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let name = group[0].0;
        let here = loc.attr(eval, name);
        let raws = group.iter().map(|g| g.1);
        let value = if lazy {
            let raws: &'a [Raw<'a>] = eval.bump().alloc_slice_fill_iter(raws.collect::<Vec<_>>());
            eval.lazy(move |eval| lazy_element(eval, system, here, ty, raws))
        } else {
            let settled = settle(eval, system, raws)?;
            if settled.definitions.is_empty() {
                continue;
            }
            element_value(eval, system, here, ty, settled.definitions)
        };
        set.insert(name, group[0].1.pos, value);
    }
    Ok(set.finish())
}

/// A value of `lazyAttrsOf`: one that turns out not to be defined has the type's empty value.
fn lazy_element<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    raws: &'a [Raw<'a>],
) -> Res<Value<'a>> {
    let settled = settle(eval, system, raws.iter().copied())?;
    if !settled.definitions.is_empty() {
        return errors::in_option(eval, loc, merged_value(eval, system, loc, ty, settled.definitions));
    }
    if let Some(Value::Attrs(empty)) = ty.attr(eval, system.names.empty_value)? {
        if let Some(value) = empty.get(system.names.value) {
            return Ok(value.value());
        }
    }
    let places: Vec<Pos> = raws.iter().map(|r| r.pos).collect();
    Err(errors::undefined(eval, loc, &places))
}

/// Sets join recursively; packages are taken as they are; the rest must be equal.
fn merge_anything<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let kind_of = |v: Value<'a>| match v {
        Value::Attrs(_) if is_string_like(system, v) => "a package or the like",
        other => errors::a_type(other),
    };
    let kind = kind_of(definitions[0].value);
    if definitions.iter().any(|d| kind_of(d.value) != kind) {
        let message = format!("the option `{}` has conflicting option types", loc.show(eval));
        let error = errors::error(errors::code::OPTION_CONFLICT, message);
        return Err(errors::with_definitions(error, eval, definitions));
    }
    match definitions[0].value {
        Value::Attrs(_) if kind != errors::a_type(definitions[0].value) => merge_unique(eval, loc, "", definitions),
        Value::Attrs(_) => {
            let elem = eval.bump().alloc(Elem::new(super::construct::leaf(eval, system, Leaf::Anything)));
            merge_sets(eval, system, loc, (elem, false), definitions)
        }
        Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => {
            let kept = eval.bump().alloc_slice_copy(definitions);
            Ok(eval.native_fn("merged function", 1, move |eval, args| {
                let mut results = Vec::with_capacity(kept.len());
                for d in &*kept {
                    results.push(Definition { value: eval.call(d.value, &args[..1])?, ..*d });
                }
                merge_anything(eval, system, loc.child(eval, Name::FunctionBody), &results)
            }))
        }
        _ => merge_equal(eval, loc, definitions),
    }
}

/// A path or plain string becomes a set that looks like a derivation.
fn merge_package<'a>(eval: &Eval<'a>, loc: Loc<'a>, definitions: &[Definition<'a>]) -> Res<Value<'a>> {
    let value = merge_unique(eval, loc, "", definitions)?;
    if is_derivation(eval, value)? {
        return Ok(value);
    }
    let text = eval.coerce(value, lang::Coerce::TO_STRING)?;
    if matches!(value, Value::String(_)) && text.context().is_some() || matches!(value, Value::Attrs(_)) {
        return Ok(value);
    }
    let path: &'a str = eval.bump().alloc_str(&text.to_string_lossy());
    let name = path.rsplit('/').next().and_then(|base| base.get(33..)).unwrap_or("unnamed");
    let in_store = path.starts_with(eval.settings().store_dir.as_str());
    let context = if in_store { vec![lang::Element::Opaque(path)] } else { Vec::new() };
    let set = eval
        .attrs()
        .entry("type", eval.string("derivation"))
        .entry("name", eval.string(name))
        .entry("outPath", eval.string_with_context(path, context))
        .entry("outputs", eval.list([eval.string("out")]))
        .entry("outputName", eval.string("out"))
        .finish_attrs();
    let out = eval.lazy(move |_| Ok(Value::Attrs(set)));
    let own = eval.attrs().entry("out", out).finish_attrs();
    Ok(Value::Attrs(eval.update(set, own)))
}

/// Types of an option declared through an option, unified.
fn merge_option_types<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut merged = Type::decode(eval, system, definitions[0].value)?;
    for d in &definitions[1..] {
        let next = Type::decode(eval, system, d.value)?;
        merged = match merged.unify(eval, system, next)? {
            Some(ty) => ty,
            None => return Err(errors::conflict(eval, loc, definitions)),
        };
    }
    Ok(merged.value())
}

/// A function whose results are merged; its formal arguments are those of all definitions.
fn merge_functions<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    elem: &'a Elem<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let kept = eval.bump().alloc_slice_copy(definitions);
    let mut formals: Vec<(Sym, bool)> = Vec::new();
    for d in definitions {
        for (name, has_default) in crate::functions::formals(eval, system, d.value)? {
            match formals.iter_mut().find(|f| f.0 == name) {
                Some(known) => known.1 &= has_default,
                None => formals.push((name, has_default)),
            }
        }
    }
    let mut args = eval.attrs();
    for (name, has_default) in formals {
        args.insert(name, Pos::NONE, Value::bool(has_default));
    }
    let call = eval.native_fn("merged function", 2, move |eval, args| {
        let body = loc.child(eval, Name::FunctionBody);
        let results = kept.iter().map(|d| Raw::new(d.file, d.pos, eval.lazy_call(d.value, args[1])));
        let settled = settle(eval, system, results.collect::<Vec<_>>())?;
        merged_value(eval, system, body, elem.get(eval, system)?, settled.definitions)
    });
    let mut set = eval.attrs();
    set.insert(system.names.function_args, Pos::NONE, args.finish());
    set.insert(system.names.functor_call, Pos::NONE, call);
    Ok(set.finish())
}

/// Modules kept for an evaluation elsewhere.
fn merge_modules<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    static_modules: Value<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut imports: Vec<Value<'a>> = eval.force_list(static_modules)?.iter().collect();
    let via = loc.show(eval);
    for d in definitions {
        let file = format!("{}, via option {via}", errors::file_text(eval, d.file));
        let mut module = eval.attrs();
        module.insert(system.names.file_attr, Pos::NONE, eval.string(&file));
        module.insert(system.names.imports, Pos::NONE, eval.list([d.value]));
        imports.push(module.finish());
    }
    let mut set = eval.attrs();
    set.insert(system.names.imports, Pos::NONE, eval.list(imports));
    Ok(set.finish())
}

/// One tag, the same in all definitions; its values merge as the tag's option says.
fn merge_tagged<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    tags: Value<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let first = eval.force_attrs(definitions[0].value)?.all();
    let [attr] = first else { return Err(errors::cannot_merge(eval, loc, definitions)) };
    let mut raws = Vec::with_capacity(definitions.len());
    for d in definitions {
        match eval.force_attrs(d.value)?.get(attr.name) {
            Some(same) => raws.push(d.part(same.pos, same.value())),
            None => return Err(errors::conflict(eval, loc, definitions)),
        }
    }
    let Some(tag) = eval.force_attrs(tags)?.get(attr.name) else {
        return Err(errors::cannot_merge(eval, loc, definitions));
    };
    let option = eval.force_attrs(tag.value())?;
    let raws: &'a [Raw<'a>] = eval.bump().alloc_slice_copy(&raws);
    let here = loc.attr(eval, attr.name);
    let value = eval.lazy(move |eval| {
        let ty = match option.get(system.names.type_) {
            Some(ty) => Type::decode(eval, system, ty.value())?,
            None => Type::decode(eval, system, super::construct::leaf(eval, system, Leaf::Unspecified))?,
        };
        let settled = settle(eval, system, raws.iter().copied())?;
        let value = merged_value(eval, system, here, ty, settled.definitions)?;
        match option.get(system.names.apply) {
            Some(apply) => eval.call(apply.value(), &[value]),
            None => Ok(value),
        }
    });
    let mut set = eval.attrs();
    set.insert(attr.name, attr.pos, value);
    Ok(set.finish())
}
