//! Errors of evaluation.
//!
//! An [`Error`] is one pointer wide; it collects the steps that led to it while it is passed up. Its first line says
//! what the reference says. Turning it into text is the business of `diagnostics`.

use diagnostics::nearest;
use std::fmt;

use diagnostics::{Diagnostic, Frame, Label, Pos, Severity, Span};
use syntax::{Sym, SyntaxError};

use crate::cycle::Cycle;
use crate::eval::Eval;
use crate::value::Value;

/// The result of everything that evaluates.
pub type Res<T> = Result<T, Error>;

/// That an evaluation failed. The error itself waits in the evaluator (`Eval::fail` put it there, `Eval::caught`
/// takes it), so that a value or this still fits in two registers.
#[derive(Debug)]
pub(crate) struct Failed(());

/// The result of the machine's own functions.
pub(crate) type Run<T> = Result<T, Failed>;

impl Eval<'_> {
    /// Leaves an error to whoever takes it.
    #[cold]
    pub(crate) fn fail(&self, error: Error) -> Failed {
        self.failure.set(Some(error));
        Failed(())
    }

    /// The error that was left.
    #[cold]
    pub(crate) fn caught(&self, _: Failed) -> Error {
        // Each `Failed` is made by `fail` and taken once.
        self.failure.take().unwrap_or_else(|| Error::eval("evaluation failed"))
    }

    /// Tells more about an error on its way.
    #[cold]
    pub(crate) fn amend(&self, failed: Failed, more: impl FnOnce(Error) -> Error) -> Failed {
        let error = self.caught(failed);
        self.fail(more(error))
    }

    /// What the machine's result is to the rest of the program.
    #[inline]
    pub(crate) fn outcome<T>(&self, result: Run<T>) -> Res<T> {
        match result {
            Ok(value) => Ok(value),
            Err(failed) => Err(self.caught(failed)),
        }
    }

    /// The reverse of [`Eval::outcome`].
    #[inline]
    pub(crate) fn kept<T>(&self, result: Res<T>) -> Run<T> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(self.fail(error)),
        }
    }
}

/// What sort of error it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The text is not of the language.
    Syntax,
    /// A name that is not in scope.
    UndefinedVariable,
    /// A set lacks an attribute.
    MissingAttribute,
    /// A value of the wrong type.
    Type,
    /// `throw`
    Throw,
    /// `abort`
    Abort,
    /// A failed `assert`
    Assertion,
    /// A value that needs itself.
    InfiniteRecursion,
    /// Too many nested calls.
    StackOverflow,
    /// Somebody wanted no more of it.
    Interrupted,
    /// Anything else wrong with what was asked.
    Eval,
    /// The outside world refused.
    Io,
    /// Not allowed in pure or restricted evaluation.
    Restricted,
    /// A derivation that cannot be made.
    Derivation,
}

impl ErrorKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::Syntax => "syntax",
            ErrorKind::UndefinedVariable => "undefined-variable",
            ErrorKind::MissingAttribute => "missing-attribute",
            ErrorKind::Type => "type",
            ErrorKind::Throw => "throw",
            ErrorKind::Abort => "abort",
            ErrorKind::Assertion => "assertion",
            ErrorKind::InfiniteRecursion => "infinite-recursion",
            ErrorKind::StackOverflow => "stack-overflow",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Eval => "eval",
            ErrorKind::Io => "io",
            ErrorKind::Restricted => "restricted",
            ErrorKind::Derivation => "derivation",
        }
    }
}

/// So many names are told where none is like the one that is missing.
const FEW: usize = 8;

/// Steps beyond this many are not recorded; the innermost ones matter.
const MAX_TRACE: usize = 1000;

/// An error of evaluation.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    diagnostic: Diagnostic,
    more: Vec<Diagnostic>,
    /// Of an infinite recursion, while the way is not known.
    cycle: Option<Cycle>,
}

impl Inner {
    fn new(kind: ErrorKind, diagnostic: Diagnostic, more: Vec<Diagnostic>) -> Box<Self> {
        Box::new(Inner { kind, diagnostic, more, cycle: None })
    }
}

impl Error {
    /// An error without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Inner::new(kind, Diagnostic::error(kind.code(), message), Vec::new()))
    }

    /// A type error.
    pub fn type_error(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Type, message)
    }

    /// An error that is none of the special kinds.
    pub fn eval(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Eval, message)
    }

    /// Several independent errors found in one go; the first gives the kind. None for no diagnostics.
    pub fn many(kind: ErrorKind, diagnostics: Vec<Diagnostic>) -> Option<Self> {
        let mut all = diagnostics.into_iter();
        let diagnostic = all.next()?;
        Some(Error(Inner::new(kind, diagnostic, all.collect())))
    }

    /// Several errors as one; the first gives the kind. None for no errors.
    pub fn together(errors: Vec<Error>) -> Option<Self> {
        let kind = errors.first()?.kind();
        Error::many(kind, errors.iter().flat_map(|e| e.diagnostics().cloned()).collect())
    }

    /// The same error in other words.
    #[must_use]
    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.0.diagnostic.message = message;
        self
    }

    /// What sort it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The first line.
    pub fn message(&self) -> &str {
        &self.0.diagnostic.message
    }

    /// Whether `builtins.tryEval` turns it into a value.
    pub fn is_catchable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Throw | ErrorKind::Assertion)
    }

    /// All errors it stands for, the first one first.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        std::iter::once(&self.0.diagnostic).chain(&self.0.more)
    }

    /// The first error, to add to it.
    pub fn diagnostic_mut(&mut self) -> &mut Diagnostic {
        &mut self.0.diagnostic
    }

    /// Adds a labelled place; the first one added is the primary one.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.start.is_some() {
            self.0.diagnostic.labels.push(Label { span, text: text.into() });
        }
        self
    }

    /// Marks `pos` unless some place is marked already.
    #[must_use]
    pub fn at(self, pos: Pos) -> Self {
        self.at_span(Span::at(pos))
    }

    /// Marks `span` unless some place is marked already.
    #[must_use]
    pub fn at_span(self, span: Span) -> Self {
        if self.0.diagnostic.labels.is_empty() { self.label(span, "") } else { self }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.0.diagnostic.hints.push(text.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.0.diagnostic.notes.push(text.into());
        self
    }

    pub(crate) fn on_cycle(mut self, cycle: Cycle) -> Self {
        self.0.cycle = Some(cycle);
        self
    }

    pub(crate) fn take_cycle(&mut self) -> Option<Cycle> {
        self.0.cycle.take()
    }

    /// Adds a step of the way that led here, innermost first.
    #[must_use]
    pub fn step(mut self, span: Span, text: impl Into<String>) -> Self {
        if self.0.diagnostic.trace.len() < MAX_TRACE {
            self.0.diagnostic.trace.push(Frame { span, text: text.into(), important: false });
        }
        self
    }

    /// Adds a step that is shown without being asked for (`addErrorContext`).
    #[must_use]
    pub fn important_step(mut self, span: Span, text: impl Into<String>) -> Self {
        if self.0.diagnostic.trace.len() < MAX_TRACE {
            self.0.diagnostic.trace.push(Frame { span, text: text.into(), important: true });
        }
        self
    }

    pub(crate) fn stack_overflow() -> Self {
        Error::new(ErrorKind::StackOverflow, "stack overflow; possible infinite recursion")
    }

    pub(crate) fn undefined(eval: &Eval<'_>, name: Sym, span: Span, candidates: Vec<String>) -> Self {
        let text = eval.symbols().text(name);
        let error = Error::new(ErrorKind::UndefinedVariable, format!("undefined variable '{text}'")).label(span, "");
        did_you_mean(error, &text, candidates)
    }

    pub(crate) fn missing_attribute(eval: &Eval<'_>, name: &[u8], span: Span, set: &crate::Attrs<'_>) -> Self {
        let text = String::from_utf8_lossy(name).into_owned();
        let mut names: Vec<String> = set.all().iter().map(|a| eval.symbols().text(a.name)).collect();
        names.sort_unstable();
        let error = Error::new(ErrorKind::MissingAttribute, format!("attribute '{text}' missing")).label(span, "");
        did_you_mean_or(error, &text, names, "the set has")
    }

    /// "expected a list but found a set: { }"
    pub(crate) fn expected<'a>(eval: &Eval<'a>, what: &str, found: Value<'a>) -> Self {
        let kind = crate::print::describe_type(found);
        let shown = eval.show_short(found);
        Error::type_error(format!("expected {what} but found {kind}: {shown}"))
    }
}

/// Adds the names most like `name` as a hint.
pub(crate) fn did_you_mean(error: Error, name: &str, candidates: Vec<String>) -> Error {
    match diagnostics::did_you_mean(&nearest(name, candidates)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Adds the names most like `name` as a hint; where none is, all of them as a note, unless they are many.
pub(crate) fn did_you_mean_or(error: Error, name: &str, names: Vec<String>, all: &str) -> Error {
    let note = match names.len() {
        0 => Some(format!("{all} none")),
        1..=FEW => Some(format!("{all} {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))),
        _ => None,
    };
    let error = did_you_mean(error, name, names);
    match note {
        Some(note) if error.0.diagnostic.hints.is_empty() => error.note(note),
        _ => error,
    }
}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        Error(Inner::new(ErrorKind::Syntax, error.diagnostic(), Vec::new()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            match self.0.diagnostic.severity {
                Severity::Error => self.0.kind.code(),
                Severity::Warning => "warning",
            },
            self.message()
        )
    }
}

impl std::error::Error for Error {}
