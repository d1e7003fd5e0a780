//! Texts in the Nix language that are no configuration: what `esker eval`, `parse`, `instantiate`, `repl` and
//! `nix-instantiate` evaluate. The store is opened only when something wants it.

mod instantiation;
mod nix_report;
pub mod repl;
mod search_path;

use diagnostics::messages;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;
use lang::{Attrs, Eval, Res, Settings, Value};

pub use instantiation::{Action, Input, Instantiation, Printing};

use crate::realiser::{BuildSettings, Realiser};
use crate::study::Unsaved;
use crate::world::{Limits, StoreIo, Surroundings};
use crate::{Locations, SessionOptions, SystemError};

/// What an evaluation may see and do.
pub struct LanguageOptions {
    /// The store, how builds run and how errors look.
    pub session: SessionOptions,
    /// Whether there is an environment, a clock and a search path from outside.
    pub impure: bool,
    /// Features of the reference's list of experimental ones.
    pub features: Vec<String>,
    /// Entries of the search path, `prefix=path` or `path`, those to look at first first.
    pub search_path: Vec<String>,
    /// Whether `builtins.traceVerbose` prints.
    pub trace_verbose: bool,
    /// Whether what is not evaluated prints as the reference prints it.
    pub suspend_literals: bool,
    /// Settings of Nix; with them errors look like the reference's.
    pub nix: Option<NixSettings>,
}

/// Settings that nix-instantiate takes and `esker eval` does not.
#[derive(Clone, Debug, Default)]
pub struct NixSettings {
    /// Nested calls allowed.
    pub max_call_depth: Option<u32>,
    /// `builtins.currentSystem`.
    pub system: Option<String>,
    /// Only the store and what the search path names may be read.
    pub restricted: bool,
    /// Nothing may be built during the evaluation.
    pub no_import_from_derivation: bool,
    /// How long a program may run that is built with during the evaluation.
    pub timeout: Option<Duration>,
}

/// A value for a function's argument, from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `--arg`: an expression.
    Expression(String),
    /// `--argstr`: a text.
    Text(String),
}

/// Evaluates texts.
pub struct Language {
    options: LanguageOptions,
    realiser: Option<Arc<Realiser>>,
}

/// The store that holds nothing.
const DUMMY: &str = "dummy://";

impl Language {
    /// Prepares to evaluate. Nothing is opened yet.
    ///
    /// Errors when nobody says where the store is.
    pub fn new(mut options: LanguageOptions) -> Result<Self, SystemError> {
        if options.impure {
            let more = std::env::var("NIX_PATH").unwrap_or_default();
            options.search_path.extend(search_path::split(&more));
        }
        let named = options.session.store.clone().or_else(|| {
            let remote = std::env::var_os("NIX_REMOTE")?;
            (remote == DUMMY).then(|| PathBuf::from(DUMMY))
        });
        let realiser = match named {
            Some(store) if store.as_os_str() == DUMMY => None,
            named => {
                let SessionOptions { offline, archive, jobs, observer, cancellation, .. } = &options.session;
                let settings = BuildSettings {
                    offline: *offline,
                    archive: archive.clone(),
                    jobs: *jobs,
                    observer: observer.clone(),
                    cancellation: cancellation.clone(),
                    timeout: options.nix.as_ref().and_then(|nix| nix.timeout),
                };
                let root = Locations::store_root(named.as_deref())?;
                Some(Arc::new(Realiser::new(&root, Locations::cache_folder()?, settings)?))
            }
        };
        Ok(Self { options, realiser })
    }

    fn surroundings(&self) -> Surroundings {
        let now = || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
            i64::try_from(now.as_secs()).ok()
        };
        Surroundings {
            has_environment: self.options.impure,
            time: if self.options.impure { now() } else { None },
            search_path: self.options.search_path.iter().map(|entry| search_path::entry(entry)).collect(),
            prints_messages: true,
            limits: self.limits(),
            unsaved: Unsaved::new(),
        }
    }

    fn limits(&self) -> Limits {
        let Some(nix) = &self.options.nix else { return Limits::default() };
        let readable = if !self.options.impure {
            Some((Vec::new(), "pure evaluation mode (use '--impure' to override)"))
        } else if nix.restricted {
            let paths = self.options.search_path.iter().map(|entry| search_path::entry(entry).1);
            let absolute = |path: String| std::path::absolute(&path).map_or(path, |p| p.display().to_string());
            Some((paths.map(absolute).collect(), "restricted mode"))
        } else {
            None
        };
        Limits { readable, no_builds: nix.no_import_from_derivation }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings {
            pure: !self.options.impure,
            trace_verbose: self.options.trace_verbose,
            suspend_literals: self.options.suspend_literals,
            folder: Evaluation::folder(),
            home: std::env::var("HOME").ok(),
            ..Settings::default()
        };
        settings.experimental = self.options.features.iter().cloned().collect();
        let nix = self.options.nix.clone().unwrap_or_default();
        settings.max_call_depth = nix.max_call_depth.unwrap_or(settings.max_call_depth);
        settings.system = nix.system.unwrap_or(settings.system);
        settings
    }

    /// Makes an evaluator and lets `act` use it. What the evaluation adds to the store is written only when `act` says
    /// so, by [`Evaluation::write`].
    ///
    /// Errors with the report of what is wrong.
    pub fn evaluate<R>(
        &self,
        act: impl for<'a> FnOnce(&Evaluation<'_, 'a>) -> Result<R, LanguageError>,
    ) -> Result<R, SystemError> {
        let io = Rc::new(StoreIo::with(self.realiser.clone(), self.surroundings()));
        let bump = Bump::new();
        let world: Rc<dyn lang::io::EvalIo> = io.clone();
        let eval = Eval::new(&bump, world, self.settings());
        module::install(&eval);
        let evaluation = Evaluation { eval: &eval, io: &io, language: self };
        let result = match eval.on_large_stack(|| Ok(act(&evaluation))) {
            Ok(result) => result,
            Err(error) => Err(error.into()),
        };
        // Whatever was not written by now is not wanted; a world may be kept alive by native functions.
        io.discard();
        result.map_err(|error| match error {
            LanguageError::Evaluation(error) => self.report(&eval, &error),
            LanguageError::System(error) => error,
        })
    }

    pub(crate) fn report(&self, eval: &Eval<'_>, error: &lang::Error) -> SystemError {
        let full_trace = self.options.session.full_trace;
        let report = if self.options.nix.is_some() {
            nix_report::render(error, &eval.sources(), full_trace)
        } else {
            let style = diagnostics::Style { colour: self.options.session.colour, full_trace };
            diagnostics::render_all(error.diagnostics(), &eval.sources(), style)
        };
        SystemError::Evaluation { report: report.trim_end().to_owned() }
    }
}

/// Why an evaluation ends early.
#[derive(Debug)]
pub enum LanguageError {
    /// The text is wrong.
    Evaluation(lang::Error),
    /// The world is.
    System(SystemError),
}

impl From<lang::Error> for LanguageError {
    fn from(error: lang::Error) -> Self {
        LanguageError::Evaluation(error)
    }
}

impl From<SystemError> for LanguageError {
    fn from(error: SystemError) -> Self {
        LanguageError::System(error)
    }
}

impl From<store::StoreError> for LanguageError {
    fn from(error: store::StoreError) -> Self {
        LanguageError::System(error.into())
    }
}

/// An evaluator in use.
pub struct Evaluation<'e, 'a> {
    /// The evaluator.
    pub eval: &'e Eval<'a>,
    io: &'e StoreIo,
    language: &'e Language,
}

impl<'a> Evaluation<'_, 'a> {
    /// Writes what the evaluation added to the store.
    ///
    /// Errors when the store cannot be written.
    pub fn write(&self) -> Result<(), LanguageError> {
        Ok(self.io.commit()?)
    }

    /// An error as a text for people.
    pub fn explain(&self, error: LanguageError) -> String {
        let error = match error {
            LanguageError::Evaluation(error) => self.language.report(self.eval, &error),
            LanguageError::System(error) => error,
        };
        messages(&error).join("\n  caused by: ")
    }

    /// Builds every output of a derivation.
    ///
    /// Errors when it cannot be built or there is no store.
    pub(crate) fn build(&self, derivation: &str) -> Result<Vec<(String, String)>, LanguageError> {
        self.write()?;
        let path = self.eval.store_dir().parse(derivation).map_err(|e| lang::Error::eval(e.to_string()))?;
        let realiser = self.language.realiser.as_ref().ok_or_else(no_store)?;
        realiser.realise(&crate::realiser::Supply::default(), &[build::BuildTarget::all(path.clone())])?;
        let built = realiser.store()?.read_derivation(&path)?;
        let shown = built.outputs.iter().filter_map(|(name, output)| {
            Some((name.clone(), realiser.layout().physical(output.path()?).display().to_string()))
        });
        Ok(shown.collect())
    }

    /// Links to a store path from a place of the user's, which keeps it.
    ///
    /// Errors when the link cannot be made or there is no store.
    pub(crate) fn add_root(&self, link: &std::path::Path, target: &str) -> Result<(), LanguageError> {
        let path = self.eval.store_dir().parse(target).map_err(|e| lang::Error::eval(e.to_string()))?;
        let realiser = self.language.realiser.as_ref().ok_or_else(no_store)?;
        Ok(realiser.store()?.add_result_link(link, &path)?)
    }

    /// The folder that relative paths on the command line start at.
    pub(crate) fn folder() -> String {
        std::env::current_dir().map_or_else(|_| "/".to_owned(), |folder| folder.display().to_string())
    }

    /// The file that an argument names: a path, or a name in brackets to look for in the search path.
    pub(crate) fn file(&self, name: &str) -> Res<String> {
        if name.starts_with('<') && name.ends_with('>') {
            return self.find_file(&name[1..name.len() - 1]);
        }
        let path = std::path::absolute(name).map_err(|e| lang::Error::eval(format!("cannot find '{name}': {e}")))?;
        Ok(path.display().to_string())
    }

    /// A name's place in the search path.
    pub(crate) fn find_file(&self, name: &str) -> Res<String> {
        let text = format!("__findFile __nixPath {}", crate::evaluation::quoted(name));
        match self.eval.eval_string(&text, "«command line»", "/")? {
            Value::Path(path) => Ok(path.to_string_lossy().into_owned()),
            other => Ok(self.eval.show(other)),
        }
    }

    /// The values of arguments.
    pub(crate) fn arguments(&self, given: &[(String, Argument)]) -> Res<&'a Attrs<'a>> {
        let mut values = Vec::new();
        for (name, argument) in given {
            let value = match argument {
                Argument::Text(text) => self.eval.string(text),
                Argument::Expression(text) => {
                    let text = &*self.eval.bump().alloc_str(text);
                    self.eval.lazy(move |eval| eval.eval_string(text, "«command line»", &Self::folder()))
                }
            };
            values.push((name.clone(), value));
        }
        Ok(self.eval.arguments(values))
    }
}

fn no_store() -> lang::Error {
    lang::Error::eval("there is no store to write to").hint("`--store DIR` names one")
}
