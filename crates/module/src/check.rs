//! Everything that is wrong with a configuration, in one go.
//!
//! Looked at: definitions of undeclared options, and every option that something defines, down into lists, sets and
//! submodules. Never looked at: defaults nobody asked for, and what `apply` makes of a value.

use std::collections::HashSet;

use diagnostics::{Diagnostic, Span};
use lang::{Error, Eval, Res, Value};

use crate::ModuleSystem;
use crate::definition::OPTION_DEFAULT_PRIORITY;
use crate::errors::{self, code};
use crate::evaluation::Evaluation;
use crate::level::{Level, Node};
use crate::loc::Loc;
use crate::option::OptionNode;
use crate::system::{EvaluationNumber, System};
use crate::types::{Kind, Type};

/// More than this many are not reported.
const LIMIT: usize = 100;

impl<'a> ModuleSystem<'a> {
    /// All mistakes in a configuration (what `lib.evalModules` returned), and failed assertions and warnings.
    ///
    /// Mistakes come in the order of the options' names; an empty list means that the configuration is sound as far
    /// as it can be told without forcing what nobody defined.
    pub fn check(&self, eval: &Eval<'a>, configuration: Value<'a>) -> Vec<Diagnostic> {
        let mut report = Report { eval, system: self.system, found: Vec::new(), seen: HashSet::new() };
        match self.evaluation_of(eval, configuration) {
            Ok(evaluation) => {
                report.evaluation(evaluation);
                report.instances();
                report.messages(evaluation);
            }
            Err(error) => report.error(&error),
        }
        report.found
    }

    /// The evaluation behind a configuration.
    ///
    /// # Errors
    /// When the value is none.
    pub(crate) fn evaluation_of(&self, eval: &Eval<'a>, configuration: Value<'a>) -> Res<&'a Evaluation<'a>> {
        let set = eval.force_attrs(configuration)?;
        let number = match set.get(self.system.names.native).map(|a| a.value().peek()) {
            Some(Value::External(external)) => external.data.downcast_ref::<EvaluationNumber>(),
            _ => None,
        };
        number
            .and_then(|n| self.system.evaluation(n.0))
            .ok_or_else(|| Error::type_error("expected a configuration, as `lib.evalModules` returns it"))
    }
}

struct Report<'e, 'a> {
    eval: &'e Eval<'a>,
    system: &'a System<'a>,
    found: Vec<Diagnostic>,
    seen: HashSet<(&'static str, String, Option<Span>)>,
}

impl<'a> Report<'_, 'a> {
    /// Adds what is new; one cause may be met at many options.
    fn error(&mut self, error: &Error) {
        for diagnostic in error.diagnostics() {
            self.add(diagnostic.clone());
        }
    }

    fn add(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.labels.first().map(|l| l.span);
        let new = self.seen.insert((diagnostic.code, diagnostic.message.clone(), place));
        if new && self.found.len() < LIMIT {
            self.found.push(diagnostic);
        }
    }

    fn evaluation(&mut self, evaluation: &'a Evaluation<'a>) {
        match evaluation.forbidden(self.eval) {
            Ok(unmatched) => {
                for diagnostic in crate::unknown::diagnostics(self.eval, &unmatched) {
                    self.add(diagnostic);
                }
            }
            Err(error) => return self.error(&error),
        }
        match evaluation.root(self.eval) {
            Ok(root) => self.level(root),
            Err(error) => self.error(&error),
        }
    }

    /// Submodule instances that came to be, those made by looking at them included.
    fn instances(&mut self) {
        let mut next = 0;
        while let Some(evaluation) = self.system.evaluation(next) {
            next += 1;
            if evaluation.is_instance {
                self.evaluation(evaluation);
            }
        }
    }

    fn level(&mut self, level: &'a Level<'a>) {
        let entries = match level.entries(self.eval) {
            Ok(entries) => entries,
            Err(error) => return self.error(&error),
        };
        let mut sorted: Vec<_> = entries.iter().filter(|e| e.name != self.system.names.module).collect();
        sorted.sort_by_key(|e| self.eval.symbols().bytes(e.name));
        for entry in sorted {
            match level.node(self.eval, entry) {
                Ok(Node::Set(below)) => self.level(below),
                Ok(Node::Option(option)) => self.option(option),
                Err(error) => self.error(&error),
            }
        }
    }

    fn option(&mut self, option: &'a OptionNode<'a>) {
        let result = self.defined_value(option);
        match errors::in_option(self.eval, option.loc, result) {
            Ok(Some((ty, value))) => self.inside(option.loc, ty, value),
            Ok(None) => {}
            Err(error) => self.error(&error),
        }
    }

    /// The merged value, if anything but the default defines it.
    fn defined_value(&self, option: &'a OptionNode<'a>) -> Res<Option<(Type<'a>, Value<'a>)>> {
        // Declarations that contradict each other are a mistake even where nothing is defined.
        let ty = option.declared(self.eval)?.ty;
        if option.raw_definitions(self.eval)?.is_empty() {
            return Ok(None);
        }
        let settled = option.settled(self.eval)?;
        if settled.definitions.is_empty() || settled.highest >= OPTION_DEFAULT_PRIORITY {
            return Ok(None);
        }
        let value = self.eval.force(option.merged(self.eval)?)?;
        Ok(Some((ty, value)))
    }

    /// Forces the elements of lists and sets as far as their types say what they are.
    fn inside(&mut self, loc: Loc<'a>, ty: Type<'a>, value: Value<'a>) {
        let Some(native) = ty.native() else { return };
        let part = match (&native.kind, value) {
            (Kind::List(elem) | Kind::NonEmptyList(elem), Value::List(list)) => {
                for item in list.iter() {
                    self.element(loc, elem.get(self.eval, self.system), item);
                }
                return;
            }
            (Kind::Attrs { elem, .. }, Value::Attrs(set)) => {
                for attr in self.eval.sorted_attrs(set) {
                    let here = loc.attr(self.eval, attr.name);
                    self.element(here, elem.get(self.eval, self.system), attr.value());
                }
                return;
            }
            (Kind::NullOr(_), Value::Null) => return,
            (Kind::NullOr(elem) | Kind::Unique { elem, .. }, _) => elem,
            (Kind::CoercedTo { to, .. }, _) => to,
            (Kind::Either(a, b), _) => {
                let fits = |t: Type<'a>| t.check(self.eval, self.system, value).unwrap_or(false);
                match a.get(self.eval, self.system) {
                    Ok(ty) if fits(ty) => a,
                    _ => b,
                }
            }
            _ => return,
        };
        match part.get(self.eval, self.system) {
            Ok(ty) => self.inside(loc, ty, value),
            Err(error) => self.error(&error),
        }
    }

    fn element(&mut self, loc: Loc<'a>, ty: Res<Type<'a>>, value: Value<'a>) {
        match ty.and_then(|ty| Ok((ty, self.eval.force(value)?))) {
            Ok((ty, value)) => self.inside(loc, ty, value),
            Err(error) => self.error(&error),
        }
    }

    // ---- assertions and warnings

    fn messages(&mut self, evaluation: &'a Evaluation<'a>) {
        let names = &self.system.names;
        for item in self.list_option(evaluation, names.assertions) {
            match self.failed_assertion(item) {
                Ok(Some(diagnostic)) => self.add(diagnostic),
                Ok(None) => {}
                Err(error) => self.error(&error),
            }
        }
        for item in self.list_option(evaluation, names.warnings) {
            match self.eval.force_str(item) {
                Ok(text) => self.add(Diagnostic::warning(code::WARNING, text.to_string_lossy())),
                Err(error) => self.error(&error),
            }
        }
    }

    /// The elements of a top-level option that is a list, if there is such an option.
    fn list_option(&mut self, evaluation: &'a Evaluation<'a>, name: lang::Sym) -> Vec<Value<'a>> {
        let list = || -> Res<Vec<Value<'a>>> {
            let root = evaluation.root(self.eval)?;
            let Some(entry) = root.entry(self.eval, name)? else { return Ok(Vec::new()) };
            let Node::Option(option) = root.node(self.eval, entry)? else { return Ok(Vec::new()) };
            Ok(self.eval.force_list(option.value(self.eval)?)?.iter().collect())
        };
        list().unwrap_or_else(|error| {
            self.error(&error);
            Vec::new()
        })
    }

    fn failed_assertion(&self, item: Value<'a>) -> Res<Option<Diagnostic>> {
        let set = self.eval.force_attrs(item)?;
        let names = &self.system.names;
        let Some(assertion) = set.get(names.assertion) else { return Ok(None) };
        if self.eval.force_bool(assertion.value())? {
            return Ok(None);
        }
        let text = match set.get(names.message) {
            Some(message) => self.eval.force_str(message.value())?.to_string_lossy().trim_end().to_owned(),
            None => "an assertion does not hold".to_owned(),
        };
        let span = errors::name_span(self.eval, assertion.pos);
        Ok(Some(Diagnostic::error(code::ASSERTION, text).label(span, "asserted here")))
    }
}
