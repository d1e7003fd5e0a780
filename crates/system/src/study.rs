//! A configuration as an editor sees it: its options, what is wrong with it and where, and values of options; all of
//! texts that may not be saved yet. Builds nothing and writes nothing to the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::Architecture;
pub use diagnostics::Severity;
use diagnostics::{Diagnostic, SourceMap, Span};
use lang::{Eval, Value};
use module::{ModuleSystem, OptionDoc};

use crate::evaluation::with_evaluator;
use crate::pretty::pretty;
use crate::{Configuration, Found, Session, Subject, SystemError};

/// Texts that an editor has and files may not: what is read instead of them.
pub type Unsaved = BTreeMap<PathBuf, String>;

/// Something wrong in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is a mistake or a warning.
    pub severity: Severity,
    /// Its stable code.
    pub code: &'static str,
    /// What, and what to do about it.
    pub message: String,
    /// Where, the primary place first.
    pub places: Vec<FindingPlace>,
}

/// A range of a file and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPlace {
    /// The file.
    pub file: PathBuf,
    /// Its bytes, as offsets.
    pub range: std::ops::Range<usize>,
    /// Such as "defined here"; may be empty.
    pub text: String,
}

/// A configuration that was evaluated, as long as it is looked at.
pub struct Study<'s> {
    /// All of its options, those of submodules included, in order of their paths.
    pub options: Vec<OptionDoc>,
    /// Everything that is wrong with it.
    pub findings: Vec<Finding>,
    value: &'s dyn Fn(&[&str]) -> Option<String>,
}

impl Study<'_> {
    /// The value of an option as people write it; `None` where it has none.
    pub fn value(&self, path: &[&str]) -> Option<String> {
        (self.value)(path)
    }
}

impl Session {
    /// Evaluates a configuration and shows it to `look`. Where it is so wrong that its modules cannot be read, the options
    /// are those of Esker's own modules.
    ///
    /// Errors when there is no lock and none can be made, or when Esker's own modules cannot be evaluated.
    pub fn study<R>(
        &self,
        configuration: &Configuration,
        system: &str,
        unsaved: &Unsaved,
        look: impl FnOnce(&Study<'_>) -> R,
    ) -> Result<R, SystemError> {
        self.ensure_lock(configuration)?;
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let mut look = Some(look);
        let mut attempt = |unsaved: &Unsaved, before: Vec<Finding>| {
            with_evaluator(self, &subject, unsaved, |eval, modules, value| {
                let options = match modules.docs(eval, value) {
                    Ok(options) => options,
                    Err(error) => return Err(findings(error.diagnostics(), &eval.sources())),
                };
                let findings = if before.is_empty() { mistakes(eval, modules, value) } else { before };
                let value = |path: &[&str]| shown_value(eval, modules, value, path);
                let study = Study { options, findings, value: &value };
                Ok(look.take().map(|look| look(&study)))
            })
        };
        let found = match attempt(unsaved, Vec::new())? {
            Ok(seen) => return seen.ok_or(SystemError::Cancelled),
            Err(found) => found,
        };
        let mut emptied = unsaved.clone();
        emptied.insert(configuration.file.clone(), empty_module(&configuration.file).to_owned());
        match attempt(&emptied, found)? {
            Ok(seen) => seen.ok_or(SystemError::Cancelled),
            Err(found) => Err(SystemError::Evaluation { report: found.into_iter().map(|f| f.message).collect() }),
        }
    }

    /// All packages that a configuration's lock pins, by name; versions are left out.
    ///
    /// Errors when the archive's index cannot be had.
    pub fn packages(&self, configuration: &Configuration, system: &str) -> Result<Vec<Found>, SystemError> {
        let archive = self.archive(configuration)?;
        let architecture = Architecture::parse(system).ok_or_else(|| SystemError::Unexpected {
            what: system.to_owned(),
            expected: "a system that Debian has packages for",
        })?;
        let found = archive.summaries(architecture).map_err(|e| SystemError::Archive(Box::new(e)))?;
        let package = |found: archive::search::Found| Found {
            name: found.name,
            version: String::new(),
            description: found.summary,
        };
        Ok(found.into_iter().map(package).collect())
    }
}

/// A module that says nothing.
fn empty_module(file: &Path) -> &'static str {
    if file.extension().is_some_and(|ending| ending == "toml") { "" } else { "{ }" }
}

fn mistakes<'a>(eval: &Eval<'a>, modules: ModuleSystem<'a>, value: Value<'a>) -> Vec<Finding> {
    let found = modules.check(eval, value);
    findings(&found, &eval.sources())
}

fn shown_value<'a>(eval: &Eval<'a>, modules: ModuleSystem<'a>, value: Value<'a>, path: &[&str]) -> Option<String> {
    let option = modules.option(eval, value, path).ok()?;
    Some(pretty(eval, option.value.ok()?))
}

/// Diagnostics with their places as files and offsets.
pub fn findings<'d>(found: impl IntoIterator<Item = &'d Diagnostic>, sources: &SourceMap) -> Vec<Finding> {
    let finding = |diagnostic: &Diagnostic| {
        let more = diagnostic.notes.iter().chain(&diagnostic.hints).map(|text| format!("\n{text}"));
        Finding {
            severity: diagnostic.severity,
            code: diagnostic.code,
            message: format!("{}{}", diagnostic.message, more.collect::<String>()),
            places: diagnostic.labels.iter().filter_map(|label| place(sources, label.span, &label.text)).collect(),
        }
    };
    found.into_iter().map(finding).collect()
}

fn place(sources: &SourceMap, span: Span, text: &str) -> Option<FindingPlace> {
    let source = sources.file(span.start)?;
    let offset = |position: u32| (position.saturating_sub(source.base) as usize).min(source.text.len());
    let range = offset(span.start.0)..offset(span.end.0.max(span.start.0 + 1));
    Some(FindingPlace { file: PathBuf::from(&source.name), range, text: text.to_owned() })
}
