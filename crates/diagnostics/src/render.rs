//! Diagnostics as text: the code and the message, each labelled source line with a mark under it, the trace, notes and hints.
//!
//! The layout is fixed here and nowhere else, so goldens of all packages change together.

use std::collections::HashSet;
use std::fmt::Write;

use crate::{Diagnostic, Frame, Severity, SourceMap, Span};

/// How to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// All steps of the trace instead of the important ones.
    pub full_trace: bool,
}

/// Several diagnostics, an empty line between them.
pub fn render_all<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>, map: &SourceMap, style: Style) -> String {
    let texts: Vec<String> = diagnostics.into_iter().map(|d| render(d, map, style)).collect();
    texts.join("\n")
}

/// One diagnostic as lines of text, with a newline at the end.
pub fn render(diagnostic: &Diagnostic, map: &SourceMap, style: Style) -> String {
    let mut out = Writer { text: String::new(), style };
    let (colour, word) = match diagnostic.severity {
        Severity::Error => ("1;31", "error"),
        Severity::Warning => ("1;33", "warning"),
    };
    // A warning that is no special one has no code but that.
    match diagnostic.code == word {
        true => out.paint(colour, word),
        false => out.paint(colour, &format!("{word}[{}]", diagnostic.code)),
    }
    out.text.push_str(": ");
    out.indented(&diagnostic.message, "       ");
    for label in &diagnostic.labels {
        out.excerpt(map, label.span, &label.text);
    }
    out.trace(map, &diagnostic.trace);
    for note in &diagnostic.notes {
        out.tail("note", note);
    }
    for hint in &diagnostic.hints {
        out.tail("hint", hint);
    }
    out.text
}

struct Writer {
    text: String,
    style: Style,
}

impl Writer {
    fn paint(&mut self, colour: &str, text: &str) {
        if self.style.colour {
            self.push(format_args!("\x1b[{colour}m{text}\x1b[0m"));
        } else {
            self.text.push_str(text);
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn indented(&mut self, text: &str, indent: &str) {
        for (i, line) in text.lines().enumerate() {
            if i > 0 {
                self.text.push_str(indent);
            }
            self.text.push_str(line);
            self.text.push('\n');
        }
        if text.is_empty() {
            self.text.push('\n');
        }
    }

    fn excerpt(&mut self, map: &SourceMap, span: Span, label: &str) {
        let Some(e) = map.excerpt(span) else { return };
        let number = e.location.line.to_string();
        let margin = " ".repeat(number.len());
        let column = e.location.column as usize;
        self.push(format_args!("{margin} "));
        self.paint("34", "-->");
        self.push(format_args!(" {}:{}:{}\n", e.location.file, number, column));
        self.paint("34", &format!("{number} | "));
        self.push(format_args!("{}\n", e.line.replace('\t', " ")));
        self.paint("34", &format!("{margin} | "));
        // The column counts bytes; the mark must count characters.
        let before = e.line.char_indices().take_while(|(i, _)| *i + 1 < column).count();
        self.text.push_str(&" ".repeat(before));
        self.paint("1;31", &"^".repeat(e.width));
        self.push(format_args!("{}{label}\n", if label.is_empty() { "" } else { " " }));
    }

    fn trace(&mut self, map: &SourceMap, frames: &[Frame]) {
        let shown: Vec<&Frame> = frames.iter().filter(|f| self.style.full_trace || f.important).collect();
        let mut said = HashSet::new();
        for frame in &shown {
            // A recursion takes the same steps over and over. Where some are left out, the place tells them apart no more.
            let place = if self.style.full_trace { frame.span.start.0 } else { 0 };
            if !said.insert((place, &frame.text)) {
                continue;
            }
            self.push(format_args!("  … {}", frame.text));
            if let Some(at) = map.location(frame.span.start) {
                self.push(format_args!("\n    at {}:{}:{}", at.file, at.line, at.column));
            }
            self.text.push('\n');
        }
        let again = shown.len() - said.len();
        if again > 0 && self.style.full_trace {
            self.push(format_args!("  ({again} more step{} like these)\n", if again == 1 { "" } else { "s" }));
        }
        if shown.len() < frames.len() {
            let more = frames.len() - shown.len();
            self.push(format_args!("  ({more} more step{}: --show-trace)\n", if more == 1 { "" } else { "s" }));
        }
    }

    fn tail(&mut self, kind: &str, text: &str) {
        self.text.push_str("  ");
        self.paint("1;36", kind);
        self.text.push_str(": ");
        self.indented(text, "        ");
    }
}

#[cfg(test)]
mod tests {
    use crate::{Diagnostic, Pos, SourceMap, Span, Style, render};

    #[test]
    fn shows_line_mark_note_and_hint() {
        let mut map = SourceMap::new();
        let base = map.add("a.nix".into(), b"{\n  x = pkg;\n}".as_slice().into(), true).unwrap();
        let d = Diagnostic::error("undefined-variable", "undefined variable 'pkg'")
            .label(Span::new(Pos(base.0 + 8), Pos(base.0 + 11)), "not in scope")
            .hint("did you mean `pkgs`?");
        let text = render(&d, &map, Style::default());
        assert_eq!(
            text,
            "error[undefined-variable]: undefined variable 'pkg'\n  --> a.nix:2:7\n2 |   x = pkg;\n  |       ^^^ not in scope\n  hint: did you mean `pkgs`?\n"
        );
    }
}
