//! Source texts and places in them.
//!
//! Every text added to a [`SourceMap`] gets a range of positions of its own; position 0 is "nowhere". Lines and
//! columns are computed when asked for, never stored. Texts are bytes: a source file need not be UTF-8.

use std::fmt;
use std::rc::Rc;

/// A place in some text of a [`SourceMap`]; 0 means "no place".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos(pub u32);

impl Pos {
    /// No place: made by the machine, not by a text.
    pub const NONE: Pos = Pos(0);

    /// Whether this names a place.
    pub fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Debug for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// A half-open range of positions in one text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Span {
    /// First position.
    pub start: Pos,
    /// One past the last position.
    pub end: Pos,
}

impl Span {
    /// No place at all.
    pub const NONE: Span = Span { start: Pos::NONE, end: Pos::NONE };

    /// The range from `start` to `end`.
    pub fn new(start: Pos, end: Pos) -> Self {
        Span { start, end }
    }

    /// The single position `pos`, one byte wide; [`Span::NONE`] for no place.
    pub fn at(pos: Pos) -> Self {
        if pos.is_some() { Span { start: pos, end: Pos(pos.0 + 1) } } else { Span::NONE }
    }

    /// The smallest range holding both.
    pub fn to(self, other: Span) -> Self {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One source text with its name as people know it.
#[derive(Debug)]
pub struct SourceFile {
    /// A path, or a name such as `«string»`.
    pub name: String,
    /// The text; bytes, as a file may hold anything.
    pub text: Rc<[u8]>,
    /// Position of the text's first byte.
    pub base: u32,
    /// Whether `name` is the path of a file.
    pub is_file: bool,
}

/// Line and column (both from 1; the column counts bytes, as Nix's does) of a position in a named text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Name of the text.
    pub file: String,
    /// Whether `file` is the path of a file.
    pub is_file: bool,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

/// A source line with the marked range in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Where the range starts.
    pub location: Location,
    /// The line's text, without its end.
    pub line: String,
    /// How many characters of the line are marked, at least 1.
    pub width: usize,
}

/// All texts of a run.
#[derive(Debug)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    next: u32,
}

impl Default for SourceMap {
    fn default() -> Self {
        Self::new()
    }
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> Self {
        SourceMap { files: Vec::new(), next: 1 }
    }

    /// Adds a text and returns the position of its first byte, or `None` when the 4 GiB of positions are used up.
    pub fn add(&mut self, name: String, text: Rc<[u8]>, is_file: bool) -> Option<Pos> {
        let base = self.next;
        let len = u32::try_from(text.len()).ok()?;
        self.next = base.checked_add(len)?.checked_add(1)?;
        self.files.push(SourceFile { name, text, base, is_file });
        Some(Pos(base))
    }

    /// The text that holds `pos`.
    pub fn file(&self, pos: Pos) -> Option<&SourceFile> {
        if !pos.is_some() {
            return None;
        }
        let index = self.files.partition_point(|f| f.base <= pos.0).checked_sub(1)?;
        self.files.get(index)
    }

    /// All texts, in the order they were added.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Line and column of `pos`.
    pub fn location(&self, pos: Pos) -> Option<Location> {
        let file = self.file(pos)?;
        let offset = ((pos.0 - file.base) as usize).min(file.text.len());
        let before = &file.text[..offset];
        let line = before.iter().filter(|b| **b == b'\n').count();
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        Some(Location {
            file: file.name.clone(),
            is_file: file.is_file,
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(offset - start + 1).unwrap_or(u32::MAX),
        })
    }

    /// The line around the start of `span`, with what of it to mark.
    pub fn excerpt(&self, span: Span) -> Option<Excerpt> {
        let file = self.file(span.start)?;
        let location = self.location(span.start)?;
        let offset = ((span.start.0 - file.base) as usize).min(file.text.len());
        let start = offset + 1 - location.column as usize;
        let end = file.text[offset..].iter().position(|b| *b == b'\n').map_or(file.text.len(), |i| offset + i);
        let line = String::from_utf8_lossy(&file.text[start..end]).into_owned();
        let marked_end = ((span.end.0.saturating_sub(file.base)) as usize).clamp(offset, end);
        let width = String::from_utf8_lossy(&file.text[offset..marked_end]).chars().count().max(1);
        Some(Excerpt { location, line, width })
    }
}

#[cfg(test)]
mod tests {
    use super::{Pos, SourceMap, Span};

    #[test]
    fn finds_line_and_column_in_the_right_text() {
        let mut map = SourceMap::new();
        let a = map.add("a".into(), b"one\ntwo\n".as_slice().into(), true).unwrap();
        let b = map.add("b".into(), b"three".as_slice().into(), false).unwrap();
        let at = map.location(Pos(a.0 + 5)).unwrap();
        assert_eq!((at.file.as_str(), at.line, at.column), ("a", 2, 2));
        let at = map.location(b).unwrap();
        assert_eq!((at.file.as_str(), at.line, at.column), ("b", 1, 1));
        assert!(map.location(Pos::NONE).is_none());
    }

    #[test]
    fn an_excerpt_marks_no_more_than_its_line() {
        let mut map = SourceMap::new();
        let a = map.add("a".into(), b"let x = [\n1 2\n]; in x".as_slice().into(), true).unwrap();
        let e = map.excerpt(Span::new(Pos(a.0 + 8), Pos(a.0 + 15))).unwrap();
        assert_eq!((e.line.as_str(), e.location.column, e.width), ("let x = [", 9, 1));
    }
}
