//! An error as a value, before it becomes text.

use crate::Span;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Nothing usable came out.
    Error,
    /// Something usable came out, but a person should look.
    Warning,
}

/// A span and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What it is ("defined here"); may be empty for the primary label.
    pub text: String,
}

/// One step of the way that led to an error, outermost last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where the step was taken, if known.
    pub span: Span,
    /// What was being done ("while evaluating the option `x`").
    pub text: String,
    /// Shown even when the trace is not asked for.
    pub important: bool,
}

/// An error or warning with everything needed to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code, such as `undefined-variable`.
    pub code: &'static str,
    /// The first line.
    pub message: String,
    /// Places, the primary one first.
    pub labels: Vec<Label>,
    /// The way that led here, innermost first.
    pub trace: Vec<Frame>,
    /// Facts worth adding.
    pub notes: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error with nothing but its code and message.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: Vec::new(),
            trace: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A warning with nothing but its code and message.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// Adds a labelled place; places that name nothing are left out.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.start.is_some() {
            self.labels.push(Label { span, text: text.into() });
        }
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }
}
