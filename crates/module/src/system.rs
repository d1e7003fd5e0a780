//! What all evaluations of modules in one evaluator share: symbols, native types, the evaluations themselves.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use diagnostics::Pos;
use lang::{Eval, Res, Value};

use crate::evaluation::Evaluation;
use crate::memo::Memo;
use crate::names::Names;
use crate::types::{Elem, Kind, Leaf, NativeType, leaf, make};

/// One per evaluator; lives in its arena.
pub(crate) struct System<'a> {
    pub(crate) names: Names,
    types: RefCell<Vec<&'a NativeType<'a>>>,
    compounds: RefCell<HashMap<CompoundKey, &'a NativeType<'a>>>,
    evaluations: RefCell<Vec<&'a Evaluation<'a>>>,
    regex_match: Memo<Value<'a>>,
    internal_options: Cell<Option<Value<'a>>>,
}

/// A constructor and the native types it was given, by their numbers.
pub(crate) type CompoundKey = (&'static str, u32, u32);

/// Number of a native type, as it stands in a type's `__native` attribute.
pub(crate) struct TypeNumber(pub(crate) u32);

/// Number of an evaluation, as it stands in a configuration's `__native` attribute.
pub(crate) struct EvaluationNumber(pub(crate) usize);

impl<'a> System<'a> {
    pub(crate) fn new(eval: &Eval<'a>) -> Self {
        System {
            names: Names::new(eval),
            types: RefCell::default(),
            compounds: RefCell::default(),
            evaluations: RefCell::default(),
            regex_match: Memo::new(),
            internal_options: Cell::new(None),
        }
    }

    /// The number the next native type gets.
    pub(crate) fn next_type(&self) -> u32 {
        u32::try_from(self.types.borrow().len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn add_type(&self, native: &'a NativeType<'a>) {
        self.types.borrow_mut().push(native);
    }

    pub(crate) fn native_type(&self, number: &TypeNumber) -> Option<&'a NativeType<'a>> {
        self.types.borrow().get(number.0 as usize).copied()
    }

    /// A compound type made before from the same parts.
    pub(crate) fn compound(&self, key: CompoundKey) -> Option<&'a NativeType<'a>> {
        self.compounds.borrow().get(&key).copied()
    }

    pub(crate) fn remember_compound(&self, key: CompoundKey, native: &'a NativeType<'a>) {
        self.compounds.borrow_mut().insert(key, native);
    }

    pub(crate) fn add_evaluation(&self, evaluation: &'a Evaluation<'a>) -> usize {
        let mut all = self.evaluations.borrow_mut();
        all.push(evaluation);
        all.len() - 1
    }

    pub(crate) fn evaluation(&self, number: usize) -> Option<&'a Evaluation<'a>> {
        self.evaluations.borrow().get(number).copied()
    }

    /// The options every evaluation has: `_module.args` and its companions.
    pub(crate) fn internal_options(&'a self, eval: &Eval<'a>) -> Value<'a> {
        if let Some(known) = self.internal_options.get() {
            return known;
        }
        let leaf = |kind| leaf(eval, self, kind);
        let option = |ty: Value<'a>, default: Option<Value<'a>>, description: &str| {
            let mut set = eval.attrs();
            set.insert(self.names.underscore_type, Pos::NONE, eval.string("option"));
            set.insert(self.names.type_, Pos::NONE, ty);
            set.insert(self.names.internal, Pos::NONE, Value::bool(true));
            set.insert(self.names.description, Pos::NONE, eval.string(description));
            if let Some(default) = default {
                set.insert(self.names.default, Pos::NONE, default);
            }
            set.finish()
        };
        let args = Kind::Attrs { elem: Elem::new(leaf(Leaf::Raw)), lazy: true, placeholder: "name" };
        let freeform = make(eval, self, Kind::NullOr(Elem::new(leaf(Leaf::OptionType))));
        let module = eval
            .attrs()
            .entry("args", option(make(eval, self, args), None, "Arguments given to every module."))
            .entry("check", option(leaf(Leaf::Bool), Some(Value::bool(true)), "Whether undeclared options are errors."))
            .entry(
                "freeformType",
                option(freeform, Some(Value::Null), "The type of what is not declared, if it is admitted."),
            )
            .entry("specialArgs", option(leaf(Leaf::Raw), None, "Arguments that `imports` may depend on."))
            .finish();
        let options = eval.attrs().entry("_module", module).finish();
        self.internal_options.set(Some(options));
        options
    }

    /// The submodule instance at a path, the newest if there are several.
    pub(crate) fn instance_at(&self, eval: &Eval<'a>, path: &[String]) -> Option<&'a Evaluation<'a>> {
        let all = self.evaluations.borrow();
        all.iter().rev().find(|e| e.is_instance && e.prefix.texts(eval) == path).copied()
    }

    /// Whether a POSIX extended regular expression matches the whole text.
    ///
    /// # Errors
    /// When the expression is none.
    pub(crate) fn matches(&self, eval: &Eval<'a>, pattern: Value<'a>, text: Value<'a>) -> Res<bool> {
        let function = self.regex_match.get(|| eval.eval_string("builtins.match", "«module system»", "/"))?;
        Ok(!matches!(eval.call(function, &[pattern, text])?, Value::Null))
    }
}
