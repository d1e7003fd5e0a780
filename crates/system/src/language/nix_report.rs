//! Errors in the layout of the reference: `error: …`, the place and the line with a caret; with a trace, its steps
//! before it, the outermost first.

use std::fmt::Write;

use diagnostics::{SourceMap, Span};

/// The report of an error.
pub(super) fn render(error: &lang::Error, sources: &SourceMap, full_trace: bool) -> String {
    let mut out = String::new();
    for diagnostic in error.diagnostics() {
        let mut steps: Vec<_> = diagnostic.trace.iter().rev().filter(|f| full_trace || f.important).collect();
        steps.dedup();
        let message = format!("error: {}", diagnostic.message);
        if steps.is_empty() {
            line(&mut out, "", &message);
        } else {
            line(&mut out, "", "error:");
            for step in steps {
                line(&mut out, "       ", &format!("… {}", step.text));
                place(&mut out, "         at ", step.span, sources);
                out.push('\n');
            }
            line(&mut out, "       ", &message);
        }
        if let Some(label) = diagnostic.labels.first() {
            place(&mut out, "       at ", label.span, sources);
        }
        for hint in &diagnostic.hints {
            line(&mut out, "       ", hint);
        }
    }
    out
}

fn line(out: &mut String, indent: &str, text: &str) {
    for (i, part) in text.split('\n').enumerate() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{}{part}", if i == 0 { indent } else { "       " });
    }
}

/// The place with the lines around it.
fn place(out: &mut String, before: &str, span: Span, sources: &SourceMap) {
    let (Some(at), Some(file)) = (sources.location(span.start), sources.file(span.start)) else { return };
    line(out, before, &format!("{}:{}:{}:", at.file, at.line, at.column));
    let text = String::from_utf8_lossy(&file.text);
    let lines: Vec<&str> = text.split('\n').collect();
    let number = at.line as usize;
    let indent = "            ".len() - 1;
    for shown in number.saturating_sub(1).max(1)..=number + 1 {
        // A line behind the last line break is none.
        let Some(content) = lines.get(shown - 1).filter(|l| shown != lines.len() || !l.is_empty()) else { continue };
        let label = format!("{shown:>indent$}| {content}", indent = indent + 2);
        line(out, "", label.trim_end());
        if shown == number {
            let caret = " ".repeat(at.column as usize);
            line(out, "", &format!("{}|{caret}^", " ".repeat(indent + 2)));
        }
    }
}
