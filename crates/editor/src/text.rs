//! An open text: offsets in bytes, and the protocol's positions, which count lines and UTF-16 units.

use std::ops::Range;

use lsp_types::{Position, TextDocumentContentChangeEvent};

/// A text as the editor has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pub(crate) content: String,
    /// Where lines start.
    lines: Vec<usize>,
}

impl Text {
    pub(crate) fn new(content: String) -> Self {
        let mut lines = vec![0];
        lines.extend(content.match_indices('\n').map(|(at, _)| at + 1));
        Self { content, lines }
    }

    /// The offset of a position; behind the end of a line or of the text it is that end.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.lines.get(line).copied() else { return self.content.len() };
        let end = self.lines.get(line + 1).map_or(self.content.len(), |next| next - 1);
        let mut units = position.character as usize;
        let mut offset = start;
        for character in self.content[start..end].chars() {
            if units < character.len_utf16() {
                break;
            }
            units -= character.len_utf16();
            offset += character.len_utf8();
        }
        offset
    }

    /// The position of an offset.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.content.len());
        while !self.content.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let units: usize = self.content[self.lines[line]..offset].chars().map(char::len_utf16).sum();
        Position { line: number(line), character: number(units) }
    }

    pub(crate) fn range(&self, range: Range<usize>) -> lsp_types::Range {
        lsp_types::Range { start: self.position(range.start), end: self.position(range.end) }
    }

    /// The text after a change.
    pub(crate) fn changed(&self, change: TextDocumentContentChangeEvent) -> Self {
        let Some(range) = change.range else { return Self::new(change.text) };
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        let mut content = self.content.clone();
        content.replace_range(start..end.max(start), &change.text);
        Self::new(content)
    }
}

/// Lines and columns beyond this are of no text.
fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16_units() {
        let text = Text::new("a\nä😀b\n".to_owned());
        let at = |line, character| Position { line, character };
        assert_eq!(text.offset(at(1, 0)), 2);
        assert_eq!(text.offset(at(1, 1)), 4, "behind ä, of two bytes and one unit");
        assert_eq!(text.offset(at(1, 3)), 8, "behind 😀, of four bytes and two units");
        assert_eq!(text.offset(at(1, 2)), 4, "within 😀 is before it");
        assert_eq!(text.offset(at(1, 99)), 9);
        assert_eq!(text.offset(at(9, 0)), 10);
        assert_eq!(text.position(8), at(1, 3));
        assert_eq!(text.position(5), at(1, 1), "within a character is before it");
        assert_eq!(text.position(10), at(2, 0));
    }

    #[test]
    fn changes_replace_a_range_or_all() {
        let text = Text::new("ä😀b".to_owned());
        let start = Position { line: 0, character: 1 };
        let end = Position { line: 0, character: 3 };
        let range = Some(lsp_types::Range { start, end });
        let change = TextDocumentContentChangeEvent { range, range_length: None, text: "x\ny".to_owned() };
        assert_eq!(text.changed(change).content, "äx\nyb");
        let all = TextDocumentContentChangeEvent { range: None, range_length: None, text: "z".to_owned() };
        assert_eq!(text.changed(all).content, "z");
    }
}
