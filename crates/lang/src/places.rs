//! Places in the texts that were read: what stands there, and how the language and people are told of them.

use diagnostics::{Location, Pos, SourceMap, Span};

use crate::eval::Eval;
use crate::value::Value;

impl<'a> Eval<'a> {
    /// All texts read so far, for rendering errors.
    pub fn sources(&self) -> std::cell::Ref<'_, SourceMap> {
        self.sources.borrow()
    }

    /// File, line and column of a place.
    pub fn location(&self, pos: Pos) -> Option<Location> {
        self.sources.borrow().location(pos)
    }

    /// File, line and column as `builtins.unsafeGetAttrPos` gives them; `null` when not from a file.
    pub fn position_value(&self, pos: Pos) -> Value<'a> {
        match self.location(pos) {
            Some(at) if at.is_file => self
                .attrs()
                .entry("file", self.string(&at.file))
                .entry("line", Value::Int(i64::from(at.line)))
                .entry("column", Value::Int(i64::from(at.column)))
                .finish(),
            _ => Value::Null,
        }
    }

    /// The span of the attribute name or path at `pos`.
    pub fn name_span(&self, pos: Pos) -> Span {
        let sources = self.sources();
        let Some(file) = sources.file(pos) else { return Span::at(pos) };
        let start = (pos.0 - file.base) as usize;
        let rest = file.text.get(start..).unwrap_or_default();
        // The place of `services.foo.enable = …` is that of the whole path; of an import in TOML, that of its text.
        let in_path = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'\'' | b'"' | b'.' | b'/');
        let width = rest.iter().take_while(|b| in_path(b)).count();
        let width = u32::try_from(width.max(1)).unwrap_or(1);
        Span::new(pos, Pos(pos.0 + width))
    }

    /// The text of a span, as it was written.
    pub(crate) fn source_text(&self, span: Span) -> String {
        let sources = self.sources();
        let Some(file) = sources.file(span.start) else { return String::new() };
        let start = (span.start.0 - file.base) as usize;
        let end = (span.end.0 - file.base) as usize;
        file.text.get(start..end).map(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default()
    }
}
