//! Submodules: types whose values are evaluations of modules.

use diagnostics::Pos;
use lang::{Bool, Error, Eval, Res, Value};

use crate::collect::Input;
use crate::definition::Definition;
use crate::evaluation::Evaluation;
use crate::loc::{Loc, Name};
use crate::memo::Memo;
use crate::system::System;

/// Parameters of `submoduleWith`.
pub(crate) struct SubmoduleSpec<'a> {
    pub(crate) lib: Value<'a>,
    /// A list.
    pub(crate) modules: Value<'a>,
    pub(crate) special_args: Value<'a>,
    pub(crate) shorthand: Shorthand,
    description: Value<'a>,
    pub(crate) class: Value<'a>,
    /// The modules without any definitions.
    base: Memo<&'a Evaluation<'a>>,
}

/// What a definition that is a plain set means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shorthand {
    /// A module like any other.
    Module,
    /// Configuration, whatever its attributes are called.
    OnlyConfig,
    /// Nobody said; agrees with both.
    Unknown,
}

impl<'a> SubmoduleSpec<'a> {
    pub(crate) fn new(lib: Value<'a>, modules: Value<'a>, shorthand: Shorthand) -> Self {
        SubmoduleSpec {
            lib,
            modules,
            special_args: Value::Null,
            shorthand,
            description: Value::Null,
            class: Value::Null,
            base: Memo::new(),
        }
    }

    /// From `submoduleWith`'s argument.
    ///
    /// # Errors
    /// When it is no such set.
    pub(crate) fn from_args(eval: &Eval<'a>, system: &System<'a>, lib: Value<'a>, args: Value<'a>) -> Res<Self> {
        let set = eval.force_attrs(args)?;
        let Some(modules) = set.get(system.names.modules) else {
            return Err(Error::eval("`types.submoduleWith` needs `modules`"));
        };
        let shorthand = match eval.get(set, "shorthandOnlyDefinesConfig").map(|a| eval.force(a.value())).transpose()? {
            None | Some(Value::Bool(Bool::False)) => Shorthand::Module,
            Some(Value::Bool(Bool::True)) => Shorthand::OnlyConfig,
            Some(_) => Shorthand::Unknown,
        };
        let field = |name| set.get(name).map_or(Value::Null, lang::Attr::value);
        Ok(SubmoduleSpec {
            special_args: field(system.names.special_args),
            description: field(system.names.description),
            class: field(system.names.class_plain),
            ..SubmoduleSpec::new(lib, modules.value(), shorthand)
        })
    }

    pub(crate) fn with_modules(&self, modules: Value<'a>) -> Self {
        SubmoduleSpec {
            special_args: self.special_args,
            description: self.description,
            class: self.class,
            ..SubmoduleSpec::new(self.lib, modules, self.shorthand)
        }
    }

    /// The modules of both, for an option declared twice.
    ///
    /// # Errors
    /// When the special arguments clash.
    pub(crate) fn joined(&self, eval: &Eval<'a>, other: &Self) -> Res<Self> {
        let mut joined = self.with_modules(crate::types::concat(eval, self.modules, other.modules)?);
        if let Shorthand::Unknown = joined.shorthand {
            joined.shorthand = other.shorthand;
        }
        joined.special_args = match (eval.force(self.special_args)?, eval.force(other.special_args)?) {
            (Value::Null, args) | (args, Value::Null) => args,
            (a, b) => Value::Attrs(eval.update(eval.force_attrs(a)?, eval.force_attrs(b)?)),
        };
        if matches!(eval.force(joined.description)?, Value::Null) {
            joined.description = other.description;
        }
        if matches!(eval.force(joined.class)?, Value::Null) {
            joined.class = other.class;
        }
        Ok(joined)
    }

    /// A description of its own.
    ///
    /// # Errors
    /// When it cannot be evaluated.
    pub(crate) fn description(&self, eval: &Eval<'a>) -> Res<Option<String>> {
        match eval.force(self.description)? {
            Value::String(text) => Ok(Some(text.to_string_lossy().into_owned())),
            _ => Ok(None),
        }
    }

    /// As the language sees the parameters.
    pub(crate) fn payload(&self, eval: &Eval<'a>, system: &System<'a>) -> Value<'a> {
        let mut set = eval.attrs();
        set.insert(system.names.modules, Pos::NONE, self.modules);
        set.insert(system.names.special_args, Pos::NONE, self.args(eval));
        set.insert(system.names.description, Pos::NONE, self.description);
        set.insert(system.names.class_plain, Pos::NONE, self.class);
        let shorthand = match self.shorthand {
            Shorthand::Module => Value::bool(false),
            Shorthand::OnlyConfig => Value::bool(true),
            Shorthand::Unknown => Value::Null,
        };
        set.entry("shorthandOnlyDefinesConfig", shorthand).finish()
    }

    fn args(&self, eval: &Eval<'a>) -> Value<'a> {
        match self.special_args.peek() {
            Value::Null => eval.empty_attrs(),
            args => args,
        }
    }

    fn evaluation(&self, eval: &Eval<'a>, system: &'a System<'a>, loc: Loc<'a>, more: &[Input<'a>]) -> Evaluation<'a> {
        let mut inputs = vec![Input::List(self.modules)];
        inputs.extend_from_slice(more);
        let mut evaluation = Evaluation::new(eval, system, self.lib, loc, &inputs);
        evaluation.special_args = self.args(eval);
        evaluation.class = self.class;
        evaluation
    }

    /// The modules alone, at `prefix`; names that instances have are placeholders.
    fn base_at(&self, eval: &Eval<'a>, system: &'a System<'a>, prefix: Loc<'a>) -> &'a Evaluation<'a> {
        let name = Name::Attr(eval.sym("‹name›"));
        self.evaluation(eval, system, prefix, &[Input::Name(name)]).begin(eval)
    }

    pub(crate) fn base(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<&'a Evaluation<'a>> {
        self.base.get(|| Ok(self.base_at(eval, system, Loc::root())))
    }

    /// The type of what is not declared, if it is admitted.
    ///
    /// # Errors
    /// When the modules cannot be evaluated.
    pub(crate) fn freeform_type(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Option<Value<'a>>> {
        self.base(eval, system)?.freeform_value(eval)
    }

    /// The options of the modules, for documentation.
    ///
    /// # Errors
    /// When the modules cannot be evaluated.
    pub(crate) fn options_for_docs(&self, eval: &Eval<'a>, system: &'a System<'a>, prefix: Loc<'a>) -> Res<Value<'a>> {
        let evaluation = self.base_at(eval, system, prefix);
        let all = eval.force_attrs(evaluation.root(eval)?.options(eval)?)?;
        let mut set = eval.attrs();
        for attr in all.all() {
            set.insert(attr.name, attr.pos, attr.value());
        }
        if let Some(freeform) = evaluation.freeform_value(eval)? {
            let options = eval.select(freeform, "getSubOptions")?;
            set = set.entry("_freeformOptions", eval.lazy_call(options, prefix.value(eval)));
        }
        Ok(set.finish())
    }
}

/// Evaluates the modules with the definitions as further modules.
///
/// # Errors
/// When something undeclared is defined, or the modules cannot be evaluated.
pub(crate) fn merge<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    spec: &'a SubmoduleSpec<'a>,
    loc: Loc<'a>,
    definitions: &[Definition<'a>],
) -> Res<Value<'a>> {
    let mut more = Vec::with_capacity(definitions.len() + 1);
    if let Some(name) = loc.last() {
        more.push(Input::Name(name));
    }
    for d in definitions {
        more.push(match (d.value, spec.shorthand) {
            (Value::Attrs(set), Shorthand::OnlyConfig) if set.get(system.names.functor_call).is_none() => {
                Input::Config(d.part(Pos::NONE, d.value))
            }
            _ => Input::Module(d.value, d.file, d.pos),
        });
    }
    let mut instance = spec.evaluation(eval, system, loc, &more);
    instance.is_instance = true;
    instance.begin(eval).checked_config(eval)
}
