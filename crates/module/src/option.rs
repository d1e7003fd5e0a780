//! One option: its declarations merged, its definitions settled, its value.

use diagnostics::Pos;
use lang::{Attrs, Error, Eval, Res, Value};
use syntax::Sym;

use crate::definition::{Definition, OPTION_DEFAULT_PRIORITY, Raw, discharge, select};
use crate::errors;
use crate::level::{Declaration, Level};
use crate::loc::Loc;
use crate::memo::Memo;
use crate::merging::{Settled, merged_value};
use crate::system::System;
use crate::types::Type;

/// An option in the tree; everything is computed when asked for.
pub(crate) struct OptionNode<'a> {
    level: &'a Level<'a>,
    name: Sym,
    pub(crate) loc: Loc<'a>,
    pub(crate) declarations: &'a [Declaration<'a>],
    declared: Memo<&'a Declared<'a>>,
    settled: Memo<Settled<'a>>,
    merged: Memo<Value<'a>>,
    value: Memo<Value<'a>>,
    shown: Memo<Value<'a>>,
}

/// What the declarations together say.
pub(crate) struct Declared<'a> {
    pub(crate) ty: Type<'a>,
    pub(crate) default: Option<(Value<'a>, Pos)>,
    pub(crate) apply: Option<Value<'a>>,
    pub(crate) read_only: bool,
    /// All attributes of the declarations.
    pub(crate) attrs: &'a Attrs<'a>,
}

impl<'a> OptionNode<'a> {
    pub(crate) fn new(
        eval: &Eval<'a>,
        level: &'a Level<'a>,
        name: Sym,
        loc: Loc<'a>,
        declarations: &'a [Declaration<'a>],
    ) -> &'a Self {
        eval.bump().alloc(OptionNode {
            level,
            name,
            loc,
            declarations,
            declared: Memo::new(),
            settled: Memo::new(),
            merged: Memo::new(),
            value: Memo::new(),
            shown: Memo::new(),
        })
    }

    fn system(&self) -> &'a System<'a> {
        self.level.evaluation.system
    }

    /// The declarations, merged.
    ///
    /// # Errors
    /// When they contradict each other.
    pub(crate) fn declared(&'a self, eval: &Eval<'a>) -> Res<&'a Declared<'a>> {
        self.declared.get(|| merge_declarations(eval, self.system(), self.loc, self.declarations))
    }

    /// The definitions in the modules, as written.
    ///
    /// # Errors
    /// When those above cannot be evaluated.
    pub(crate) fn raw_definitions(&'a self, eval: &Eval<'a>) -> Res<&'a [(Sym, Raw<'a>)]> {
        self.level.definitions(eval, self.name)
    }

    /// The definitions that count, the default among them when nothing stronger is there.
    ///
    /// # Errors
    /// When a condition or definition cannot be evaluated.
    pub(crate) fn settled(&'a self, eval: &Eval<'a>) -> Res<Settled<'a>> {
        self.settled.get(|| {
            let declared = self.declared(eval)?;
            let raws = self.raw_definitions(eval)?;
            if declared.read_only && raws.len() + usize::from(declared.default.is_some()) > 1 {
                return Err(self.read_only_error(eval, raws, declared.default));
            }
            let system = self.system();
            let mut found = Vec::new();
            for (_, raw) in raws {
                discharge(eval, system, *raw, &mut found)?;
            }
            if let Some((value, pos)) = declared.default {
                // A default that something overrides is never looked at.
                if found.iter().all(|d| d.priority >= OPTION_DEFAULT_PRIORITY) {
                    let raw =
                        Raw::new(self.declarations[0].file, pos, value).with_priority(eval, OPTION_DEFAULT_PRIORITY);
                    let mut all = Vec::new();
                    discharge(eval, system, raw, &mut all)?;
                    all.append(&mut found);
                    found = all;
                }
            }
            let highest = select(&mut found);
            Ok(Settled { definitions: eval.bump().alloc_slice_copy(&found), highest })
        })
    }

    /// All definitions whose conditions hold, whatever their priority, and the default.
    ///
    /// # Errors
    /// When a condition or definition cannot be evaluated.
    pub(crate) fn all_definitions(&'a self, eval: &Eval<'a>) -> Res<Vec<Definition<'a>>> {
        let system = self.system();
        let mut found = Vec::new();
        for (_, raw) in self.raw_definitions(eval)? {
            discharge(eval, system, *raw, &mut found)?;
        }
        if let Some((value, pos)) = self.declared(eval)?.default {
            let raw = Raw::new(self.declarations[0].file, pos, value).with_priority(eval, OPTION_DEFAULT_PRIORITY);
            discharge(eval, system, raw, &mut found)?;
        }
        Ok(found)
    }

    /// The definitions joined, before `apply`.
    ///
    /// # Errors
    /// When there is none, when one is of the wrong type, or when they conflict.
    pub(crate) fn merged(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.merged.get(|| {
            let declared = self.declared(eval)?;
            let settled = self.settled(eval)?;
            if settled.definitions.is_empty() {
                let places: Vec<Pos> = self.declarations.iter().map(|d| d.pos).collect();
                return Err(errors::undefined(eval, self.loc, &places));
            }
            self.warn_about_type(eval, declared.ty)?;
            merged_value(eval, self.system(), self.loc, declared.ty, settled.definitions)
        })
    }

    /// The option's value.
    ///
    /// # Errors
    /// As [`OptionNode::merged`], and whatever `apply` runs into.
    pub(crate) fn value(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        let value = self.value.get(|| {
            let merged = self.merged(eval)?;
            match self.declared(eval)?.apply {
                Some(apply) => eval.call(apply, &[merged]),
                None => eval.force(merged),
            }
        });
        errors::in_option(eval, self.loc, value)
    }

    fn warn_about_type(&self, eval: &Eval<'a>, ty: Type<'a>) -> Res<()> {
        if let Type::Native(_) = ty {
            return Ok(());
        }
        if let Some(Value::String(message)) = ty.attr(eval, self.system().names.deprecation_message)? {
            let name = ty.name(eval, self.system())?;
            let option = self.loc.show(eval);
            eval.io().trace(&format!(
                "evaluation warning: the type `types.{name}` of option `{option}` is deprecated: {}",
                message.to_string_lossy()
            ));
        }
        Ok(())
    }

    fn read_only_error(&self, eval: &Eval<'a>, raws: &[(Sym, Raw<'a>)], default: Option<(Value<'a>, Pos)>) -> Error {
        let message = format!("the option `{}` is read-only, but it's set multiple times", self.loc.show(eval));
        let mut error = errors::error(errors::code::OPTION_READ_ONLY, message);
        if let Some((_, pos)) = default {
            error = error.label(eval.name_span(pos), "its default is here");
        }
        let definitions: Vec<Definition<'a>> =
            raws.iter().map(|(_, r)| Definition::plain(r.file, r.pos, r.value.peek())).collect();
        errors::with_definitions(error, eval, &definitions)
    }

    /// The option as modules see it in `options`.
    ///
    /// # Errors
    /// When the declarations contradict each other.
    pub(crate) fn shown(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.shown.get(|| {
            let declared = self.declared(eval)?;
            let names = &self.system().names;
            let mut set = eval.attrs();
            for attr in declared.attrs.all() {
                set.insert(attr.name, attr.pos, attr.value());
            }
            let mut lazy = |name: Sym, compute: fn(&'a OptionNode<'a>, &Eval<'a>) -> Res<Value<'a>>| {
                set.insert_lazy(name, Pos::NONE, move |eval| compute(self, eval));
            };
            lazy(names.value, OptionNode::value);
            lazy(names.loc, |o, eval| Ok(o.loc.value(eval)));
            lazy(names.declarations, |o, eval| Ok(eval.list(o.declarations.iter().map(|d| d.file))));
            lazy(names.declaration_positions, OptionNode::declaration_positions);
            lazy(names.definitions, |o, eval| Ok(eval.list(o.settled(eval)?.definitions.iter().map(|d| d.value))));
            lazy(names.files, |o, eval| Ok(eval.list(o.settled(eval)?.definitions.iter().map(|d| d.file))));
            lazy(names.definitions_with_locations, |o, eval| {
                let definitions = o.settled(eval)?.definitions;
                Ok(eval.list(definitions.iter().map(|d| d.attrs(eval, o.system())).collect::<Vec<_>>()))
            });
            lazy(names.highest_prio, |o, eval| Ok(Value::Int(o.settled(eval)?.highest)));
            lazy(names.is_defined, |o, eval| Ok(Value::bool(!o.settled(eval)?.definitions.is_empty())));
            lazy(names.to_string, |o, eval| {
                Ok(eval.native_fn("__toString", 1, move |eval, _| Ok(eval.string(&o.loc.show(eval)))))
            });
            set.insert(names.type_, Pos::NONE, declared.ty.value());
            set.insert(names.options, Pos::NONE, eval.empty_list());
            Ok(set.finish())
        })
    }

    fn declaration_positions(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        let names = &self.system().names;
        let positions = self.declarations.iter().map(|d| match eval.position_value(d.pos) {
            known @ Value::Attrs(_) => known,
            _ => {
                let mut set = eval.attrs();
                set.insert(names.file, Pos::NONE, d.file);
                set.entry("line", Value::Null).entry("column", Value::Null).finish()
            }
        });
        Ok(eval.list(positions.collect::<Vec<_>>()))
    }
}

/// Merges the declarations of one option.
///
/// # Errors
/// When two of them give what only one may, or types that do not agree.
pub(crate) fn merge_declarations<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    declarations: &[Declaration<'a>],
) -> Res<&'a Declared<'a>> {
    let names = &system.names;
    let mut merged: Option<(&'a Attrs<'a>, Option<Type<'a>>)> = None;
    for declaration in declarations {
        let attrs = eval.force_attrs(declaration.options)?;
        let ty = attrs.get(names.type_).map(|a| Type::decode(eval, system, a.value())).transpose();
        let ty = ty.map_err(|e| {
            let span = eval.name_span(declaration.pos);
            e.label(span, format!("in the declaration of `{}`", loc.show(eval)))
        })?;
        let Some((known, known_ty)) = merged else {
            merged = Some((attrs, ty));
            continue;
        };
        let only_once = [names.default, names.example, names.description, names.apply];
        let twice = only_once.into_iter().find(|n| known.get(*n).is_some() && attrs.get(*n).is_some());
        let unified = match (known_ty, ty) {
            (Some(a), Some(b)) => a.unify(eval, system, b)?.map(Some),
            (a, b) => Some(a.or(b)),
        };
        let (None, Some(unified)) = (twice, unified) else {
            return Err(declared_twice(eval, loc, declarations, twice));
        };
        merged = Some((eval.update(known, attrs), unified));
    }
    let Some((attrs, ty)) = merged else { return Err(Error::eval("an option without a declaration")) };
    let ty = match ty {
        Some(ty) => ty,
        None => Type::decode(eval, system, crate::types::leaf(eval, system, crate::types::Leaf::Unspecified))?,
    };
    let read_only = match attrs.get(names.read_only) {
        Some(flag) => eval.force_bool(flag.value())?,
        None => false,
    };
    Ok(eval.bump().alloc(Declared {
        ty,
        default: attrs.get(names.default).map(|a| (a.value(), a.pos)),
        apply: attrs.get(names.apply).map(lang::Attr::value),
        read_only,
        attrs,
    }))
}

fn declared_twice<'a>(eval: &Eval<'a>, loc: Loc<'a>, declarations: &[Declaration<'a>], twice: Option<Sym>) -> Error {
    let files: Vec<String> =
        declarations.iter().map(|d| format!("`{}`", errors::place_text(eval, d.file, d.pos))).collect();
    let (last, before) = (files.last().cloned().unwrap_or_default(), &files[..files.len() - 1]);
    let message = format!("the option `{}` in {last} is already declared in {}", loc.show(eval), before.join(" and "));
    let mut error = errors::error(errors::code::OPTION_DECLARATION, message);
    let mut sorted = declarations.to_vec();
    sorted.sort_by_key(|d| d.pos);
    for d in &sorted {
        error = error.label(eval.name_span(d.pos), "declared here");
    }
    match twice {
        Some(name) => error.hint(format!("only one declaration may have `{}`", eval.symbols().text(name))),
        None => error.hint("the types of the declarations do not agree"),
    }
}
