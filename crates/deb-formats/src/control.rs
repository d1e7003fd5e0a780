//! Control data (deb822): paragraphs of `Field: value` lines, borrowed from the text.
//!
//! Made for reading tens of thousands of paragraphs quickly: nothing is copied, and fields are found by a linear scan, as a
//! paragraph has about twenty. Does not write control data, keeps no comments, and knows no particular field.
//!
//! Source: deb-control(5), Debian Policy 5.1.

use thiserror::Error;

/// A line that is neither a field, a continuation, a comment nor empty.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line} of the control data is not a field: `{text}`")]
pub struct ControlError {
    /// 1-based line number in the text given.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// One paragraph: fields in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paragraph<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Paragraph<'a> {
    /// The value of a field, by case-insensitive name, without surrounding blanks. Continuation lines are included with
    /// their line breaks and leading blanks. The first field of that name wins.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|&(_, value)| value)
    }

    /// All fields, in the order of the text.
    pub fn fields(&self) -> &[(&'a str, &'a str)] {
        &self.fields
    }
}

/// Iterates over the paragraphs of `text`. After an error the iteration ends.
pub fn paragraphs(text: &str) -> Paragraphs<'_> {
    Paragraphs { text, offset: 0, line: 0 }
}

/// The paragraphs of a text; made by [`paragraphs`].
#[derive(Debug)]
pub struct Paragraphs<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Paragraphs<'a> {
    /// The next line without its line break, with the offset where it starts.
    fn next_line(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.text.get(self.offset..)?;
        if rest.is_empty() {
            return None;
        }
        let start = self.offset;
        let line = match rest.find('\n') {
            Some(end) => &rest[..end],
            None => rest,
        };
        self.offset += line.len() + 1;
        self.line += 1;
        Some((start, line))
    }
}

impl<'a> Iterator for Paragraphs<'a> {
    type Item = Result<Paragraph<'a>, ControlError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields: Vec<(&'a str, &'a str)> = Vec::with_capacity(24);
        // Where the value of the field being read starts and ends.
        let mut value: Option<(&'a str, usize, usize)> = None;
        let text = self.text;
        let finish = |value: &mut Option<(&'a str, usize, usize)>, fields: &mut Vec<(&'a str, &'a str)>| {
            if let Some((name, start, end)) = value.take() {
                fields.push((name, text[start..end].trim()));
            }
        };
        while let Some((start, line)) = self.next_line() {
            if line.starts_with([' ', '\t']) && !line.trim().is_empty() {
                if let Some((_, _, end)) = &mut value {
                    *end = start + line.len();
                    continue;
                }
            } else if line.starts_with('#') {
                continue;
            } else if line.trim().is_empty() {
                finish(&mut value, &mut fields);
                if fields.is_empty() {
                    continue;
                }
                return Some(Ok(Paragraph { fields }));
            } else if let Some((name, _)) = line.split_once(':') {
                finish(&mut value, &mut fields);
                value = Some((name, start + name.len() + 1, start + line.len()));
                continue;
            }
            self.offset = self.text.len();
            return Some(Err(ControlError { line: self.line, text: line.to_owned() }));
        }
        finish(&mut value, &mut fields);
        (!fields.is_empty()).then_some(Ok(Paragraph { fields }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Paragraph<'_>> {
        paragraphs(text).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn separates_paragraphs_by_empty_lines() {
        let found = parse("\n\nPackage: a\nVersion:1\n\n \nPackage: b\n");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].fields(), [("Package", "a"), ("Version", "1")]);
        assert_eq!(found[1].get("package"), Some("b"));
    }

    #[test]
    fn keeps_continuation_lines_with_their_breaks() {
        let found = parse("Description: short\n long\n .\n more\nTag: x");
        assert_eq!(found[0].get("Description"), Some("short\n long\n .\n more"));
        assert_eq!(found[0].get("Tag"), Some("x"));
    }

    #[test]
    fn a_value_may_hold_colons_and_be_empty() {
        let found = parse("Homepage: https://x.invalid/\nConffiles:\n /etc/a 1\n");
        assert_eq!(found[0].get("Homepage"), Some("https://x.invalid/"));
        assert_eq!(found[0].get("Conffiles"), Some("/etc/a 1"));
        assert_eq!(found[0].get("Absent"), None);
    }

    #[test]
    fn skips_comments() {
        assert_eq!(parse("# about a\nPackage: a\n# inside\nVersion: 1\n")[0].fields().len(), 2);
    }

    #[test]
    fn names_the_line_that_is_no_field() {
        let errors: Vec<_> = paragraphs("Package: a\nrubbish\n\nPackage: b\n").collect();
        assert_eq!(errors, [Err(ControlError { line: 2, text: "rubbish".to_owned() })]);
        let leading = paragraphs(" continued\n").next();
        assert_eq!(leading, Some(Err(ControlError { line: 1, text: " continued".to_owned() })));
    }
}
