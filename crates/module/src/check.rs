//! Everything that is wrong with a configuration, in one go.
//!
//! Looked at: definitions of undeclared options, and every option that something defines, down into lists, sets and
//! submodules. Never looked at: defaults nobody asked for, what `apply` makes of a value, and what lies in a lazy set
//! whose type says nothing (the derivations of a system, which cost much and say nothing more).

use std::collections::HashMap;

use diagnostics::{Diagnostic, Pos, Severity};
use lang::{Error, Eval, Res, Value};

use crate::ModuleSystem;
use crate::definition::{OPTION_DEFAULT_PRIORITY, discharge, select};
use crate::errors::{self, code};
use crate::evaluation::Evaluation;
use crate::level::{Level, Node};
use crate::loc::Loc;
use crate::option::OptionNode;
use crate::system::{EvaluationNumber, System};
use crate::types::{Kind, Leaf, Type};

/// More than this many are not reported.
const LIMIT: usize = 100;

impl<'a> ModuleSystem<'a> {
    /// All mistakes in a configuration (what `lib.evalModules` returned), and failed assertions and warnings.
    ///
    /// Mistakes come in the order of the texts, then failed assertions, then warnings; an empty list means that the
    /// configuration is sound as far as it can be told without forcing what nobody defined.
    pub fn check(&self, eval: &Eval<'a>, configuration: Value<'a>) -> Vec<Diagnostic> {
        let mut report = Report { eval, system: self.system, found: Vec::new(), seen: HashMap::new() };
        match self.evaluation_of(eval, configuration) {
            Ok(evaluation) => {
                report.evaluation(evaluation);
                report.instances();
                report.messages(evaluation);
            }
            Err(error) => report.error(&error),
        }
        report.found.sort_by_key(rank);
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
    /// Which of `found` says something.
    seen: HashMap<Saying, usize>,
}

/// A code, a message, and the place as file, line and column: a file that is read twice has two positions for one place.
type Saying = (&'static str, String, Option<(String, u32, u32)>);

/// Where a diagnostic stands among others.
fn rank(diagnostic: &Diagnostic) -> (u8, Pos) {
    let kind = match (diagnostic.severity, diagnostic.code) {
        (Severity::Warning, _) => 2,
        (_, code::ASSERTION) => 1,
        _ => 0,
    };
    (kind, diagnostic.labels.first().map_or(Pos::NONE, |label| label.span.start))
}

impl<'a> Report<'_, 'a> {
    /// Adds what is new; one cause may be met at many options, and the shortest way to it explains most.
    fn error(&mut self, error: &Error) {
        for diagnostic in error.diagnostics() {
            self.add(diagnostic.clone());
        }
    }

    fn add(&mut self, mut diagnostic: Diagnostic) {
        if let Some(argument) = forgotten_argument(&diagnostic) {
            diagnostic =
                diagnostic.hint(format!("name `{argument}` among the module's arguments: `{{ {argument}, ... }}:`"));
        }
        let place = diagnostic.labels.first().and_then(|l| self.eval.location(l.span.start));
        let place = place.map(|at| (at.file, at.line, at.column));
        let key = (diagnostic.code, diagnostic.message.clone(), place);
        match self.seen.get(&key) {
            Some(&known) if diagnostic.trace.len() < self.found[known].trace.len() => self.found[known] = diagnostic,
            None if self.found.len() < LIMIT => {
                self.seen.insert(key, self.found.len());
                self.found.push(diagnostic);
            }
            _ => {}
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
            Err(error) => {
                self.error(&error);
                self.apart(option);
            }
        }
    }

    /// The elements that definitions of a list have, for an option that cannot be merged: what is wrong with one
    /// definition or element must not hide what is wrong with the next.
    fn apart(&mut self, option: &'a OptionNode<'a>) -> Vec<Value<'a>> {
        let Ok(raws) = option.raw_definitions(self.eval) else { return Vec::new() };
        let mut definitions = Vec::new();
        for (_, raw) in raws {
            let found = discharge(self.eval, self.system, *raw, &mut definitions);
            if let Err(error) = errors::in_option(self.eval, option.loc, found) {
                self.error(&error);
            }
        }
        select(&mut definitions);
        let mut elements = Vec::new();
        for definition in definitions {
            let Value::List(list) = definition.value else { continue };
            for item in list.iter() {
                match errors::in_option(self.eval, option.loc, self.eval.force(item)) {
                    Ok(element) => elements.push(element),
                    Err(error) => self.error(&error),
                }
            }
        }
        elements
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
            (Kind::Attrs { elem, lazy, .. }, Value::Attrs(set)) => {
                if *lazy && elem.get(self.eval, self.system).is_ok_and(says_nothing) {
                    return;
                }
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
        let find = || -> Res<Option<&'a OptionNode<'a>>> {
            let root = evaluation.root(self.eval)?;
            let Some(entry) = root.entry(self.eval, name)? else { return Ok(None) };
            Ok(match root.node(self.eval, entry)? {
                Node::Option(option) => Some(option),
                Node::Set(_) => None,
            })
        };
        let option = match find() {
            Ok(Some(option)) => option,
            Ok(None) => return Vec::new(),
            Err(error) => {
                self.error(&error);
                return Vec::new();
            }
        };
        match option.value(self.eval).and_then(|list| self.eval.force_list(list)) {
            Ok(list) => list.iter().collect(),
            Err(error) => {
                self.error(&error);
                self.apart(option)
            }
        }
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
        let span = self.eval.name_span(assertion.pos);
        Ok(Some(Diagnostic::error(code::ASSERTION, text).label(span, "asserted here")))
    }
}

/// Whether a type admits everything.
fn says_nothing(ty: Type<'_>) -> bool {
    ty.native().is_some_and(|native| matches!(native.kind, Kind::Leaf(Leaf::Unspecified | Leaf::Raw | Leaf::Anything)))
}

/// The argument of modules that a text uses without naming it, if that is what is wrong.
fn forgotten_argument(diagnostic: &Diagnostic) -> Option<&'static str> {
    let name = diagnostic.message.strip_prefix("undefined variable '")?.strip_suffix('\'')?;
    ["lib", "pkgs", "config", "options", "modulesPath"].into_iter().find(|argument| *argument == name)
}
