//! Evaluating a configuration: the evaluator with the module system, the pinned archive and the store bound to it.

use std::rc::Rc;

use bumpalo::Bump;
use diagnostics::{Diagnostic, Severity, Style, render, render_all};
use lang::{Eval, Settings, Value};
use module::ModuleSystem;
use nix_formats::StorePath;

use crate::study::Unsaved;
use crate::world::{StoreIo, Surroundings};
use crate::{Configuration, Session, SystemError, natives};

/// What is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A configuration for a target system.
    System {
        /// The configuration.
        configuration: Configuration,
        /// Such as `x86_64-linux`.
        system: String,
    },
    /// The package set of a target system, with the packages that a configuration's lock pins.
    Packages {
        /// The configuration, for its lock.
        configuration: Configuration,
        /// Such as `x86_64-linux`.
        system: String,
    },
}

impl Subject {
    /// The configuration.
    pub fn configuration(&self) -> &Configuration {
        match self {
            Self::System { configuration, .. } | Self::Packages { configuration, .. } => configuration,
        }
    }

    /// The target.
    pub fn system(&self) -> &str {
        match self {
            Self::System { system, .. } | Self::Packages { system, .. } => system,
        }
    }

    /// The text that evaluates to it.
    fn expression(&self, session: &Session) -> String {
        let share = session.locations().share.display();
        let (file, system) = (quoted(&self.configuration().file.display().to_string()), quoted(self.system()));
        match self {
            // A string with a path in it: the module system reads .nix and .toml alike.
            Self::System { .. } => {
                format!("import {share}/modules/eval.nix {{ system = {system}; modules = [ (/. + {file}) ]; }}")
            }
            Self::Packages { .. } => {
                format!("import {share}/pkgs {{ lib = import {share}/lib; system = {system}; }}")
            }
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}

/// A derivation that evaluation gave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Instantiated {
    /// The derivation.
    pub derivation: String,
    /// Its output `out`.
    pub output: String,
    /// Warnings and traces, in order.
    pub messages: Vec<String>,
}

impl Instantiated {
    /// The derivation's and the output's paths.
    ///
    /// Errors when they are not store paths, which a damaged cache could hold.
    pub fn paths(&self) -> Result<(StorePath, StorePath), SystemError> {
        let parse = |text: &String| {
            StorePath::from_base_name(text)
                .map_err(|_| SystemError::Unexpected { what: text.clone(), expected: "a store path" })
        };
        Ok((parse(&self.derivation)?, parse(&self.output)?))
    }
}

/// Evaluates a subject and hands the evaluator and its value to `use_it`. What the evaluation adds to the store is
/// written when `use_it` succeeds.
///
/// Errors when the configuration is wrong (all mistakes of one run in one report) or the store cannot be written.
pub(crate) fn evaluate<R>(
    session: &Session,
    subject: &Subject,
    use_it: impl for<'a> FnOnce(&Eval<'a>, Value<'a>) -> Result<R, lang::Error>,
) -> Result<(R, Rc<StoreIo>), SystemError> {
    let is_system = matches!(subject, Subject::System { .. });
    let ((value, warnings), io) = evaluate_unchecked(session, subject, |eval, modules, value| {
        let warnings = if is_system { check(modules.check(eval, value))? } else { Vec::new() };
        let shown: Vec<String> = warnings.iter().map(|w| render(w, &eval.sources(), style(session))).collect();
        Ok((use_it(eval, value)?, shown))
    })?;
    for warning in warnings {
        lang::io::EvalIo::trace(&*io, warning.trim_end());
    }
    Ok((value, io))
}

/// Evaluates a subject that may have mistakes, as [`evaluate`] does.
///
/// Errors when what `use_it` looks at is wrong or the store cannot be written.
pub(crate) fn evaluate_unchecked<R>(
    session: &Session,
    subject: &Subject,
    use_it: impl for<'a> FnOnce(&Eval<'a>, ModuleSystem<'a>, Value<'a>) -> Result<R, lang::Error>,
) -> Result<(R, Rc<StoreIo>), SystemError> {
    let io = Rc::new(StoreIo::new(session.realiser().clone()));
    let value = in_world(session, subject, &io, use_it)?;
    io.commit()?;
    Ok((value, io))
}

/// Evaluates a subject that may have mistakes, with texts that are not saved yet. Nothing is written to the store.
///
/// Errors when not even Esker's own part of it can be evaluated.
pub(crate) fn with_evaluator<R>(
    session: &Session,
    subject: &Subject,
    unsaved: &Unsaved,
    use_it: impl for<'a> FnOnce(&Eval<'a>, ModuleSystem<'a>, Value<'a>) -> R,
) -> Result<R, SystemError> {
    let surroundings = Surroundings { unsaved: unsaved.clone(), ..Surroundings::default() };
    let io = Rc::new(StoreIo::with(Some(session.realiser().clone()), surroundings));
    let result = in_world(session, subject, &io, |eval, modules, value| Ok(use_it(eval, modules, value)));
    io.discard();
    result
}

fn in_world<R>(
    session: &Session,
    subject: &Subject,
    io: &Rc<StoreIo>,
    use_it: impl for<'a> FnOnce(&Eval<'a>, ModuleSystem<'a>, Value<'a>) -> Result<R, lang::Error>,
) -> Result<R, SystemError> {
    let bump = Bump::new();
    let world: Rc<dyn lang::io::EvalIo> = io.clone();
    let eval = Eval::new(&bump, world, Settings { pure: false, ..Settings::default() });
    let modules = module::install(&eval);
    natives::install(&eval, session, subject, io)?;
    let text = subject.expression(session);
    let result = eval.on_large_stack(|| {
        let value = eval.eval_string(&text, "«esker»", "/")?;
        use_it(&eval, modules, value)
    });
    result.map_err(|error| {
        // Native functions keep the world for ever; its temporary copies must go now.
        io.discard();
        report(session, &eval, &error)
    })
}

/// The warnings among what a check found.
///
/// Errors with all mistakes of a configuration at once.
fn check(found: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, lang::Error> {
    let (mistakes, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|d| d.severity == Severity::Error);
    match lang::Error::many(lang::ErrorKind::Eval, mistakes) {
        Some(error) => Err(error),
        None => Ok(warnings),
    }
}

fn style(session: &Session) -> Style {
    Style { colour: session.colour(), full_trace: session.full_trace() }
}

pub(crate) fn report(session: &Session, eval: &Eval<'_>, error: &lang::Error) -> SystemError {
    let mut found: Vec<Diagnostic> = error.diagnostics().cloned().collect();
    for diagnostic in found.iter_mut().filter(|d| d.code == natives::ARCHIVE && !session.full_trace()) {
        diagnostic.labels.clear();
        diagnostic.trace.clear();
    }
    let report = render_all(&found, &eval.sources(), style(session));
    SystemError::Evaluation { report: report.trim_end().to_owned() }
}

/// Follows attribute names from a value. Names may be quoted.
///
/// Errors when an attribute is missing.
pub(crate) fn select_path<'a>(
    eval: &Eval<'a>,
    mut value: Value<'a>,
    path: &[String],
) -> Result<Value<'a>, lang::Error> {
    for name in path {
        value = eval.select(value, name)?;
    }
    eval.force(value)
}

/// Splits `a."b.c".d` into names.
pub(crate) fn attribute_path(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut in_quotes = false;
    for character in text.chars() {
        match character {
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => names.push(std::mem::take(&mut name)),
            other => name.push(other),
        }
    }
    if !name.is_empty() || !names.is_empty() {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_dots_together() {
        assert_eq!(attribute_path("a.\"b.c\".d"), ["a", "b.c", "d"]);
        assert!(attribute_path("").is_empty());
    }

    #[test]
    fn text_in_expressions_is_only_text() {
        assert_eq!(quoted("a\"${b}"), "\"a\\\"\\${b}\"");
    }
}
