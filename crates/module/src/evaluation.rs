//! One evaluation of modules: what `lib.evalModules` and every submodule instance is.

use std::cell::Cell;

use diagnostics::{Pos, Span};
use lang::{Attrs, Bool, Closure, Error, ErrorKind, Eval, Res, Value};
use syntax::Sym;

use crate::collect::{Input, Module, collect};
use crate::errors;
use crate::level::{Level, Node, Unmatched};
use crate::loc::{Loc, Name};
use crate::memo::Memo;
use crate::merging::{merged_value, settle};
use crate::submodule::{Shorthand, SubmoduleSpec};
use crate::system::{EvaluationNumber, System};
use crate::types::{Kind, Type, make};

/// Modules that are evaluated together. Everything is computed when asked for.
pub(crate) struct Evaluation<'a> {
    pub(crate) system: &'a System<'a>,
    /// The argument `lib` of modules.
    pub(crate) lib: Value<'a>,
    pub(crate) prefix: Loc<'a>,
    /// A string, or null.
    pub(crate) class: Value<'a>,
    /// A set.
    pub(crate) special_args: Value<'a>,
    pub(crate) inputs: &'a [Input<'a>],
    /// Whether it is the value of an option of a submodule type.
    pub(crate) is_instance: bool,
    /// Its place among all evaluations.
    number: Cell<usize>,
    modules: Memo<&'a [Module<'a>]>,
    root: Memo<&'a Level<'a>>,
    config: Memo<Value<'a>>,
    checked: Memo<()>,
    arguments: Memo<&'a Attrs<'a>>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        eval: &Eval<'a>,
        system: &'a System<'a>,
        lib: Value<'a>,
        prefix: Loc<'a>,
        inputs: &[Input<'a>],
    ) -> Self {
        Evaluation {
            system,
            lib,
            prefix,
            class: Value::Null,
            special_args: eval.empty_attrs(),
            inputs: eval.bump().alloc_slice_copy(inputs),
            is_instance: false,
            number: Cell::new(usize::MAX),
            modules: Memo::new(),
            root: Memo::new(),
            config: Memo::new(),
            checked: Memo::new(),
            arguments: Memo::new(),
        }
    }

    /// Gives it its place in the arena.
    pub(crate) fn begin(self, eval: &Eval<'a>) -> &'a Self {
        let system = self.system;
        let evaluation: &'a Self = eval.bump().alloc(self);
        evaluation.number.set(system.add_evaluation(evaluation));
        evaluation
    }

    /// All modules.
    ///
    /// # Errors
    /// When one cannot be loaded.
    pub(crate) fn modules(&'a self, eval: &Eval<'a>) -> Res<&'a [Module<'a>]> {
        self.modules.get(|| collect(eval, self))
    }

    pub(crate) fn root(&'a self, eval: &Eval<'a>) -> Res<&'a Level<'a>> {
        self.root.get(|| Ok(&*eval.bump().alloc(Level::root(self))))
    }

    /// What modules see as `config`: with `_module`, without a check for undeclared options.
    ///
    /// # Errors
    /// When the names of options cannot be told.
    pub(crate) fn config(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.config.get(|| {
            let declared = self.root(eval)?.config(eval)?;
            let Some(freeform) = self.freeform_type(eval)? else { return Ok(declared) };
            let mut unmatched = Vec::new();
            self.root(eval)?.unmatched(eval, &mut unmatched)?;
            if unmatched.is_empty() {
                return Ok(declared);
            }
            let raws = unmatched.iter().flat_map(|u| {
                u.definitions.iter().map(|(_, raw)| {
                    let value = u.within(eval, self.prefix, raw.with_properties(eval, self.system));
                    crate::definition::Raw { value, pending: None, ..*raw }
                })
            });
            let settled = settle(eval, self.system, raws.collect::<Vec<_>>())?;
            let free = merged_value(eval, self.system, self.prefix, freeform, settled.definitions)?;
            recursive_update(eval, free, declared)
        })
    }

    /// The value of `_module.freeformType`, unless it is null.
    fn freeform_type(&'a self, eval: &Eval<'a>) -> Res<Option<Type<'a>>> {
        match self.module_option(eval, self.system.names.freeform_type)? {
            Value::Null => Ok(None),
            ty => Type::decode(eval, self.system, ty).map(Some),
        }
    }

    /// The type of what is not declared, as the language sees it.
    ///
    /// # Errors
    /// When it cannot be evaluated.
    pub(crate) fn freeform_value(&'a self, eval: &Eval<'a>) -> Res<Option<Value<'a>>> {
        Ok(self.freeform_type(eval)?.map(Type::value))
    }

    /// The argument `pkgs` of modules, if there is one.
    ///
    /// # Errors
    /// When it cannot be evaluated.
    pub(crate) fn packages(&'a self, eval: &Eval<'a>) -> Res<Option<Value<'a>>> {
        let name = eval.sym("pkgs");
        if let Some(given) = self.arguments(eval)?.get(name) {
            return Ok(Some(given.value()));
        }
        let args = eval.force_attrs(self.module_option(eval, self.system.names.args)?)?;
        Ok(args.get(name).map(lang::Attr::value))
    }

    /// The value of an option below `_module`.
    fn module_option(&'a self, eval: &Eval<'a>, name: Sym) -> Res<Value<'a>> {
        let root = self.root(eval)?;
        let Some(entry) = root.entry(eval, self.system.names.module)? else { return Ok(Value::Null) };
        let Node::Set(level) = root.node(eval, entry)? else { return Ok(Value::Null) };
        let Some(entry) = level.entry(eval, name)? else { return Ok(Value::Null) };
        match level.node(eval, entry)? {
            Node::Option(option) => option.value(eval),
            Node::Set(_) => Ok(Value::Null),
        }
    }

    /// The configuration as a result: without `_module`, and only if nothing undeclared is defined.
    ///
    /// # Errors
    /// One for every definition of an undeclared option.
    pub(crate) fn checked_config(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.check_unmatched(eval)?;
        let config = eval.force_attrs(self.config(eval)?)?;
        let mut set = eval.attrs();
        for attr in config.all() {
            if attr.name != self.system.names.module {
                set.insert(attr.name, attr.pos, attr.value());
            }
        }
        Ok(set.finish())
    }

    fn check_unmatched(&'a self, eval: &Eval<'a>) -> Res<()> {
        self.checked.get(|| {
            let unmatched = self.forbidden(eval)?;
            match Error::many(ErrorKind::Throw, crate::unknown::diagnostics(eval, &unmatched)) {
                Some(error) => Err(error),
                None => Ok(()),
            }
        })
    }

    /// Definitions of options that are not declared, where that is a mistake.
    ///
    /// # Errors
    /// When declarations or definitions cannot be evaluated that far.
    pub(crate) fn forbidden(&'a self, eval: &Eval<'a>) -> Res<Vec<Unmatched<'a>>> {
        let mut unmatched = Vec::new();
        self.root(eval)?.unmatched(eval, &mut unmatched)?;
        if !unmatched.is_empty() {
            let unchecked = matches!(self.module_option(eval, self.system.names.check)?, Value::Bool(Bool::False));
            if unchecked || self.freeform_type(eval)?.is_some() {
                unmatched.clear();
            }
        }
        Ok(unmatched)
    }

    // ---- arguments of modules

    /// The directory that relative strings in `disabledModules` start from.
    ///
    /// # Errors
    /// When the special argument is no path.
    pub(crate) fn modules_path(&'a self, eval: &Eval<'a>) -> Res<String> {
        let args = eval.force_attrs(self.special_args)?;
        match args.get(self.system.names.modules_path) {
            Some(path) => Ok(eval.coerce(path.value(), lang::Coerce::TO_STRING)?.to_string_lossy().into_owned()),
            None => Ok(String::new()),
        }
    }

    /// What every module gets.
    fn arguments(&'a self, eval: &Eval<'a>) -> Res<&'a Attrs<'a>> {
        self.arguments.get(|| {
            let names = &self.system.names;
            let mut set = eval.attrs();
            set.insert(names.lib, Pos::NONE, self.lib);
            set.insert_lazy(names.config, Pos::NONE, move |eval| self.config(eval));
            set.insert_lazy(names.options, Pos::NONE, move |eval| self.root(eval)?.options(eval));
            set.insert(names.special_args, Pos::NONE, self.special_args);
            set.insert(names.class, Pos::NONE, self.class);
            set.insert_lazy(names.prefix_arg, Pos::NONE, move |eval| Ok(self.prefix.value(eval)));
            Ok(eval.update(set.finish_attrs(), eval.force_attrs(self.special_args)?))
        })
    }

    /// The arguments for one module.
    ///
    /// # Errors
    /// When the function is a set whose arguments cannot be told.
    pub(crate) fn arguments_for(&'a self, eval: &Eval<'a>, function: Value<'a>) -> Res<Value<'a>> {
        let base = self.arguments(eval)?;
        let mut more = eval.attrs();
        let mut any = false;
        for (name, has_default) in crate::functions::formals(eval, self.system, function)? {
            // An absent argument with a default: the module system still looks for it, as nixpkgs does.
            if base.get(name).is_none() {
                let span = formal_span(function, name);
                let _ = has_default;
                more.insert_lazy(name, Pos::NONE, move |eval| self.module_argument(eval, name, span));
                any = true;
            }
        }
        Ok(Value::Attrs(if any { eval.update(base, more.finish_attrs()) } else { base }))
    }

    /// `config._module.args.NAME`
    fn module_argument(&'a self, eval: &Eval<'a>, name: Sym, span: Span) -> Res<Value<'a>> {
        let args = self.module_option(eval, self.system.names.args)?;
        let args = eval.force_attrs(args)?;
        if let Some(found) = args.get(name) {
            return eval.force(found.value());
        }
        let wanted = eval.symbols().text(name);
        let known = args.all().iter().chain(self.arguments(eval)?.all()).map(|a| eval.symbols().text(a.name));
        let near = errors::nearest(&wanted, known);
        let error =
            errors::error(errors::code::MODULE_ARGUMENT, format!("the module argument `{wanted}` does not exist"))
                .label(span, "asked for here");
        Err(match errors::did_you_mean(&near) {
            Some(hint) => error.hint(hint),
            None => error.hint(format!("give it in `specialArgs`, or define `_module.args.{wanted}`")),
        })
    }

    // ---- the module every evaluation has

    pub(crate) fn internal_config(&'a self, eval: &Eval<'a>) -> Value<'a> {
        let names = &self.system.names;
        let mut args = eval.attrs();
        args.insert_lazy(names.extend_modules, Pos::NONE, move |eval| Ok(self.extend_modules(eval)));
        args.insert_lazy(names.module_type, Pos::NONE, move |eval| Ok(self.module_type(eval)));
        let mut inner = eval.attrs();
        inner.insert(names.args, Pos::NONE, args.finish());
        inner.insert(names.special_args, Pos::NONE, self.special_args);
        let mut set = eval.attrs();
        set.insert(names.module, Pos::NONE, inner.finish());
        set.finish()
    }

    fn extend_modules(&'a self, eval: &Eval<'a>) -> Value<'a> {
        eval.native_fn("extendModules", 1, move |eval, args| {
            let given = eval.force_attrs(args[0])?;
            let mut inputs = self.inputs.to_vec();
            if let Some(more) = eval.get(given, "modules") {
                inputs.push(Input::List(more.value()));
            }
            let prefix = match given.get(self.system.names.prefix) {
                Some(prefix) => Loc::from_value(eval, prefix.value())?,
                None => self.prefix,
            };
            let mut extended = Evaluation::new(eval, self.system, self.lib, prefix, &inputs);
            extended.class = self.class;
            extended.special_args = match given.get(self.system.names.special_args) {
                Some(more) => {
                    let (own, more) = (eval.force_attrs(self.special_args)?, eval.force_attrs(more.value())?);
                    Value::Attrs(eval.update(own, more))
                }
                None => self.special_args,
            };
            Ok(extended.begin(eval).result(eval))
        })
    }

    /// The type of submodules that are this evaluation again.
    fn module_type(&'a self, eval: &Eval<'a>) -> Value<'a> {
        let modules = eval.lazy(move |eval| {
            let mut all = Vec::new();
            for input in self.inputs {
                match input {
                    Input::List(list) => all.extend(eval.force_list(*list)?.iter()),
                    Input::Module(module, ..) => all.push(*module),
                    Input::Config(raw) => {
                        let mut set = eval.attrs();
                        set.insert(self.system.names.config, Pos::NONE, raw.value);
                        all.push(set.finish());
                    }
                    // The instance gives its own.
                    Input::Name(_) => {}
                }
            }
            Ok(eval.list(all))
        });
        let mut spec = SubmoduleSpec::new(self.lib, modules, Shorthand::Module);
        spec.special_args = self.special_args;
        spec.class = self.class;
        make(eval, self.system, Kind::Submodule(eval.bump().alloc(spec)))
    }

    /// What `evalModules` returns.
    pub(crate) fn result(&'a self, eval: &Eval<'a>) -> Value<'a> {
        let names = &self.system.names;
        let number: &'a EvaluationNumber = eval.bump().alloc(EvaluationNumber(self.number.get()));
        let mut set = eval.attrs();
        set.insert(names.native, Pos::NONE, eval.external("evaluation", number, &[]));
        set.insert(names.underscore_type, Pos::NONE, eval.string("configuration"));
        set.insert_lazy(names.config, Pos::NONE, move |eval| self.checked_config(eval));
        set.insert(
            names.options,
            Pos::NONE,
            eval.lazy(move |eval| {
                self.check_unmatched(eval)?;
                self.root(eval)?.options(eval)
            }),
        );
        set.insert(
            names.module,
            Pos::NONE,
            eval.lazy(move |eval| {
                self.check_unmatched(eval)?;
                eval.select(self.config(eval)?, "_module")
            }),
        );
        set.insert(names.extend_modules, Pos::NONE, self.extend_modules(eval));
        set.insert_lazy(names.type_, Pos::NONE, move |eval| Ok(self.module_type(eval)));
        set.insert(names.class_plain, Pos::NONE, self.class);
        set.finish()
    }
}

impl<'a> Unmatched<'a> {
    /// The value as it stands below `prefix`.
    fn within(&self, eval: &Eval<'a>, prefix: Loc<'a>, value: Value<'a>) -> Value<'a> {
        let mut path: Vec<Name> = self.level.loc.names_below(prefix);
        path.push(Name::Attr(self.name));
        let pos = self.definitions.first().map_or(Pos::NONE, |(_, raw)| raw.pos);
        path.into_iter().rev().fold(value, |inner, name| {
            let mut set = eval.attrs();
            if let Name::Attr(sym) = name {
                set.insert(sym, pos, inner);
            }
            set.finish()
        })
    }
}

fn formal_span(function: Value<'_>, name: Sym) -> Span {
    let Value::Lambda(closure) = function else { return Span::NONE };
    let closure: &Closure<'_> = closure;
    closure.formals().and_then(|f| f.iter().find(|(n, ..)| *n == name).map(|(_, span, _)| span)).unwrap_or(Span::NONE)
}

/// `lib.recursiveUpdate`: sets within sets are joined, otherwise the right side wins.
fn recursive_update<'a>(eval: &Eval<'a>, left: Value<'a>, right: Value<'a>) -> Res<Value<'a>> {
    let (Value::Attrs(l), Value::Attrs(r)) = (eval.force(left)?, eval.force(right)?) else { return eval.force(right) };
    let mut both = eval.attrs();
    let mut any = false;
    for attr in r.all() {
        if let Some(other) = l.get(attr.name) {
            let (left, right) = (other.value(), attr.value());
            both.insert_lazy(attr.name, attr.pos, move |eval| recursive_update(eval, left, right));
            any = true;
        }
    }
    let joined = eval.update(l, r);
    Ok(Value::Attrs(if any { eval.update(joined, both.finish_attrs()) } else { joined }))
}
