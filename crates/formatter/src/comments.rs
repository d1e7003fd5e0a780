//! Comments and empty lines between tokens: which belongs to what, and how it is written.

use syntax::concrete::{TokenKind, Tree};

use crate::doc::{Doc, blank, concat, hard, nest, nil, text, trailing};

/// What stands between two tokens.
#[derive(Default)]
pub(crate) struct Between {
    /// Comments at the end of the earlier token's line.
    pub(crate) after: Vec<usize>,
    /// What stands before the later token.
    pub(crate) before: Vec<Lead>,
}

impl Between {
    /// Whether there is a comment that ends a line.
    pub(crate) fn is_commented(&self) -> bool {
        !self.after.is_empty() || self.before.iter().any(|lead| matches!(lead, Lead::Own(_)))
    }
}

/// A thing before a token.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lead {
    /// An empty line, or several.
    Blank,
    /// A comment on lines of its own.
    Own(usize),
    /// A comment on the token's line.
    Inline(usize),
}

/// What stands before a token, back to the one before it.
pub(crate) fn between(tree: &Tree<'_>, token: usize) -> Between {
    let start = (0..token).rev().find(|i| !tree.tokens[*i].is_trivia()).map_or(0, |i| i + 1);
    let mut found = Between::default();
    let is_first = start == 0;
    let mut newlines = usize::from(is_first);
    for index in start..token {
        let text = tree.token_text(index);
        if tree.tokens[index].kind == TokenKind::Blank {
            newlines += text.matches('\n').count();
            if newlines > 1 && !is_first_thing(is_first, &found) && found.before.last() != Some(&Lead::Blank) {
                found.before.push(Lead::Blank);
            }
            continue;
        }
        let is_alone = ends_its_line(tree, index, token);
        match (newlines, is_alone) {
            (0, true) if !text.contains('\n') && found.before.is_empty() => found.after.push(index),
            (_, true) => found.before.push(Lead::Own(index)),
            (_, false) => found.before.push(Lead::Inline(index)),
        }
        newlines = usize::from(newlines > 0 && !is_alone);
    }
    found
}

fn is_first_thing(is_first: bool, found: &Between) -> bool {
    is_first && found.before.is_empty()
}

/// Whether no code follows a comment on its line.
fn ends_its_line(tree: &Tree<'_>, comment: usize, token: usize) -> bool {
    let rest = &tree.tokens[comment + 1..token];
    let is_end = tree.tokens[token].kind == TokenKind::End;
    let ends = |range: std::ops::Range<usize>| tree.text.get(range).is_some_and(|text| text.contains('\n'));
    is_end
        || rest.iter().any(|t| t.kind == TokenKind::LineComment || ends(t.range.clone()))
        || tree.tokens[comment].kind == TokenKind::LineComment
}

/// Whether there are comments between two tokens.
pub(crate) fn any_within(tree: &Tree<'_>, first: usize, last: usize) -> bool {
    tree.tokens[first..last].iter().any(|t| matches!(t.kind, TokenKind::LineComment | TokenKind::BlockComment))
}

/// Comments at the end of a line.
pub(crate) fn trailing_comments(tree: &Tree<'_>, comments: &[usize]) -> Doc {
    concat(comments.iter().map(|comment| trailing(line_comment(tree.token_text(*comment)))))
}

/// Comments before a token, without an empty line before the first.
pub(crate) fn leading(tree: &Tree<'_>, leads: &[Lead]) -> Doc {
    let mut docs = Vec::new();
    for lead in leads {
        match lead {
            Lead::Blank if docs.is_empty() => {}
            Lead::Blank => docs.push(blank()),
            Lead::Own(comment) => docs.extend([hard(), own_comment(tree, *comment), hard()]),
            Lead::Inline(comment) => docs.extend([text(tree.token_text(*comment)), text(" ")]),
        }
    }
    if docs.is_empty() { nil() } else { concat(docs) }
}

/// `/* c */` on one line as `# c`.
fn line_comment(comment: &str) -> String {
    let inner = match comment.strip_prefix("/*") {
        Some(rest) => rest.strip_suffix("*/").unwrap_or(rest),
        None => return comment.trim_end().to_owned(),
    };
    format!("# {}", inner.trim()).trim_end().to_owned()
}

/// A comment on lines of its own. Blocks of several lines keep how their lines stand to each other; so do `/** … */`,
/// which document what follows.
pub(crate) fn own_comment(tree: &Tree<'_>, comment: usize) -> Doc {
    let whole = tree.token_text(comment);
    let Some(inner) = whole.strip_prefix("/*") else { return text(line_comment(whole)) };
    let inner = inner.strip_suffix("*/").unwrap_or(inner);
    let (open, inner) = match inner.strip_prefix('*') {
        Some(rest) if !inner.trim_matches('*').trim().is_empty() => ("/**", rest),
        _ => ("/*", inner),
    };
    if !inner.contains('\n') {
        return text(if open == "/*" { line_comment(whole) } else { whole.to_owned() });
    }
    let lines = without_common_indent(inner);
    let mut body = Vec::new();
    for line in &lines {
        body.push(if line.is_empty() { blank() } else { concat([hard(), text(*line)]) });
    }
    concat([text(open), nest(concat(body)), hard(), text("*/")])
}

/// The lines of a comment's inside: without empty ones at both ends, and without what all are indented by.
fn without_common_indent(inner: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = inner.lines().map(str::trim_end).collect();
    let indent_of = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let starts_with_text = lines.first().is_some_and(|line| !line.trim().is_empty());
    // What stands behind `/*` says nothing about the other lines.
    let rest = &lines[usize::from(starts_with_text)..];
    let common = rest.iter().filter(|line| !line.is_empty()).map(|line| indent_of(line)).min().unwrap_or(0);
    for (index, line) in lines.iter_mut().enumerate() {
        let cut = if index == 0 && starts_with_text { indent_of(line) } else { common.min(indent_of(line)) };
        *line = &line[cut..];
    }
    let is_filled = |line: &&str| !line.is_empty();
    let first = lines.iter().position(is_filled).unwrap_or(0);
    let last = lines.iter().rposition(is_filled).map_or(first, |last| last + 1);
    lines[first..last].to_vec()
}
