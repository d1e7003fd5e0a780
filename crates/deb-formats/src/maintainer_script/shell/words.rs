//! Words: quoting, variables, command substitutions.

use super::parser::Parser;
use super::{Operation, Part, SyntaxError, Word};

impl Parser<'_> {
    /// The next word, or `None` where none starts.
    pub(super) fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                    break;
                }
                b'\\' if self.looking_at("\\\n") => {
                    self.position += 2;
                    self.line += 1;
                }
                b'\\' => {
                    flush(&mut literal, false, &mut parts);
                    self.advance()?;
                    let escaped = self.character()?;
                    parts.push(Part::Literal { text: escaped, quoted: true });
                }
                b'\'' => {
                    flush(&mut literal, false, &mut parts);
                    self.advance()?;
                    let text = self.until(b'\'')?;
                    parts.push(Part::Literal { text, quoted: true });
                }
                b'"' => {
                    flush(&mut literal, false, &mut parts);
                    self.advance()?;
                    self.quoted(Some(b'"'), &mut parts)?;
                }
                b'$' | b'`' => {
                    flush(&mut literal, false, &mut parts);
                    let part = self.expansion(false)?;
                    parts.push(part);
                }
                _ => literal.push_str(&self.character()?),
            }
        }
        flush(&mut literal, false, &mut parts);
        Ok((!parts.is_empty()).then_some(Word(parts)))
    }

    /// The text of an unquoted here-document.
    pub(super) fn document_text(mut self) -> Result<Word, SyntaxError> {
        let mut parts = Vec::new();
        self.quoted(None, &mut parts)?;
        Ok(Word(parts))
    }

    /// What stands between double quotes; up to and with `end`, or to the end of the text.
    fn quoted(&mut self, end: Option<u8>, parts: &mut Vec<Part>) -> Result<(), SyntaxError> {
        let mut literal = String::new();
        let start = parts.len();
        loop {
            match self.peek() {
                None if end.is_none() => break,
                None => return Err(self.error("a quote is not closed")),
                Some(byte) if Some(byte) == end => {
                    self.advance()?;
                    break;
                }
                Some(b'\\') => {
                    self.advance()?;
                    match self.peek() {
                        Some(b'\n') => self.advance()?,
                        Some(b'$' | b'`' | b'"' | b'\\') => literal.push_str(&self.character()?),
                        _ => literal.push('\\'),
                    }
                }
                Some(b'$' | b'`') => {
                    flush(&mut literal, true, parts);
                    let part = self.expansion(true)?;
                    parts.push(part);
                }
                Some(_) => literal.push_str(&self.character()?),
            }
        }
        flush(&mut literal, true, parts);
        if parts.len() == start {
            // Empty quotes still make a word.
            parts.push(Part::Literal { text: String::new(), quoted: true });
        }
        Ok(())
    }

    /// One character, which may be several bytes.
    fn character(&mut self) -> Result<String, SyntaxError> {
        let start = self.position;
        self.advance()?;
        while self.peek().is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.advance()?;
        }
        let bytes = self.bytes.get(start..self.position).unwrap_or_default();
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn until(&mut self, end: u8) -> Result<String, SyntaxError> {
        let start = self.position;
        while let Some(byte) = self.peek() {
            if byte == end {
                let text = String::from_utf8_lossy(&self.bytes[start..self.position]).into_owned();
                self.advance()?;
                return Ok(text);
            }
            self.advance()?;
        }
        Err(self.error("a quote is not closed"))
    }

    /// `$name`, `${…}`, `$(…)` or backquotes.
    fn expansion(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        let line = self.line;
        if self.peek() == Some(b'`') {
            self.advance()?;
            let mut text = String::new();
            loop {
                match self.peek() {
                    None => return Err(self.error("a backquote is not closed")),
                    Some(b'`') => break,
                    Some(b'\\') if self.bytes.get(self.position + 1).is_some_and(|byte| b"$`\\".contains(byte)) => {
                        self.advance()?
                    }
                    Some(_) => {}
                }
                text.push_str(&self.character()?);
            }
            self.advance()?;
            let commands = Parser::new(&text, line).list()?;
            return Ok(Part::Substitution { commands, quoted });
        }
        self.advance()?;
        match self.peek() {
            Some(b'(') if self.looking_at("((") => {
                self.skip_balanced()?;
                Ok(Part::Opaque)
            }
            Some(b'(') => {
                self.advance()?;
                let commands = self.list()?;
                if self.peek() != Some(b')') {
                    return Err(self.error("`$(` is not closed"));
                }
                self.advance()?;
                Ok(Part::Substitution { commands, quoted })
            }
            Some(b'{') => {
                self.advance()?;
                self.braced(quoted)
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                let name = self.character()?;
                Ok(Part::Variable { name, operation: None, quoted })
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                let start = self.position;
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.advance()?;
                }
                let name = String::from_utf8_lossy(&self.bytes[start..self.position]).into_owned();
                Ok(Part::Variable { name, operation: None, quoted })
            }
            _ => Ok(Part::Literal { text: "$".to_owned(), quoted }),
        }
    }

    /// Skips `((…))`.
    fn skip_balanced(&mut self) -> Result<(), SyntaxError> {
        let mut depth = 0usize;
        loop {
            match self.peek() {
                None => return Err(self.error("`$((` is not closed")),
                Some(b'(') => depth += 1,
                Some(b')') => depth -= 1,
                Some(_) => {}
            }
            self.advance()?;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// `${name…}` after its brace.
    fn braced(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        let start = self.position;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_@*?!".contains(&byte)) {
            self.advance()?;
        }
        let name = String::from_utf8_lossy(&self.bytes[start..self.position]).into_owned();
        let operators = [
            (":-", Operation::DefaultIfEmpty),
            (":=", Operation::DefaultIfEmpty),
            (":+", Operation::AlternativeIfNotEmpty),
            ("-", Operation::Default),
            ("=", Operation::Default),
            ("+", Operation::Alternative),
        ];
        let cutting = [("#", Operation::RemovePrefix), ("%", Operation::RemoveSuffix)];
        let cutting = cutting.iter().filter(|_| !name.is_empty() && !self.looking_at("##") && !self.looking_at("%%"));
        let found = operators.iter().chain(cutting).find(|(sign, _)| self.looking_at(sign));
        let operation = match found {
            Some(&(sign, operation)) => {
                self.position += sign.len();
                Some(operation)
            }
            None if self.peek() == Some(b'}') && !name.is_empty() => None,
            None => Some(Operation::Other),
        };
        let operand = self.operand()?;
        let operation = operation.map(|operation| (operation, operand));
        Ok(Part::Variable { name, operation, quoted })
    }

    /// The word up to and with the brace that closes the expansion.
    fn operand(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error("`${` is not closed")),
                Some(b'}') => {
                    self.advance()?;
                    flush(&mut literal, false, &mut parts);
                    return Ok(Word(parts));
                }
                Some(b'\'') => {
                    flush(&mut literal, false, &mut parts);
                    self.advance()?;
                    let text = self.until(b'\'')?;
                    parts.push(Part::Literal { text, quoted: true });
                }
                Some(b'"') => {
                    flush(&mut literal, false, &mut parts);
                    self.advance()?;
                    self.quoted(Some(b'"'), &mut parts)?;
                }
                Some(b'\\') => {
                    self.advance()?;
                    literal.push_str(&self.character()?);
                }
                Some(b'$' | b'`') => {
                    flush(&mut literal, false, &mut parts);
                    let part = self.expansion(false)?;
                    parts.push(part);
                }
                Some(_) => literal.push_str(&self.character()?),
            }
        }
    }
}

fn flush(literal: &mut String, quoted: bool, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal { text: std::mem::take(literal), quoted });
    }
}
