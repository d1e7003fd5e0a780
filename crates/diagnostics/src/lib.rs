//! Source map, spans, codes and the rendering of errors.
//!
//! A [`SourceMap`] lays all source texts of a run into one space of 32-bit positions, so that a place is a single
//! number that fits beside every attribute and every piece of code. A [`Diagnostic`] is an error as a value: code,
//! message, labelled spans, the trace that led there, notes and hints; [`render`](fn@render) turns it into text.
//! This package knows no language and opens no file.

mod diagnostic;
mod render;
mod source;

pub use diagnostic::{Diagnostic, Frame, Label, Severity};
pub use render::{Style, render, render_all};
pub use source::{Excerpt, Location, Pos, SourceFile, SourceMap, Span};
