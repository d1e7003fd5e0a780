//! Source map, spans, codes and the rendering of errors; what names people may have meant; errors with their causes.
//!
//! A [`SourceMap`] lays all source texts of a run into one space of 32-bit positions, so that a place is a single
//! number that fits beside every attribute and every piece of code. A [`Diagnostic`] is an error as a value: code,
//! message, labelled spans, the trace that led there, notes and hints; [`render`](fn@render) turns it into text.
//! This package knows no language and opens no file.

mod causes;
mod diagnostic;
mod render;
mod source;
mod suggestions;

pub use causes::{causes, messages, one_line};
pub use diagnostic::{Diagnostic, Frame, Label, Severity};
pub use render::{Style, render, render_all};
pub use source::{Excerpt, Location, Pos, SourceFile, SourceMap, Span};
pub use suggestions::{did_you_mean, nearest};
