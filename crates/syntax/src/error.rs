//! What can be wrong with a text.

use diagnostics::{Diagnostic, Span};

/// A syntax error: the reference's message, the place, and perhaps a second place and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Stable code.
    pub code: &'static str,
    /// First line, as the reference says it.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Another place involved ("first defined here").
    pub related: Option<(Span, &'static str)>,
    /// What to do.
    pub hint: Option<String>,
}

impl SyntaxError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        SyntaxError { code: "syntax", message: message.into(), span, related: None, hint: None }
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn related(mut self, span: Span, what: &'static str) -> Self {
        self.related = Some((span, what));
        self
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// The error for showing.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut d = Diagnostic::error(self.code, self.message.clone()).label(self.span, "");
        if let Some((span, what)) = self.related {
            d = d.label(span, what);
        }
        if let Some(hint) = &self.hint {
            d = d.hint(hint.clone());
        }
        d
    }
}
