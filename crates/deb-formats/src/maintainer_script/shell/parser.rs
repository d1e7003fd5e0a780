//! Commands: lists, pipelines, compound commands, redirections.

use super::{Command, CommandKind, Connector, Part, Redirect, RedirectKind, SyntaxError, Word};

/// Parses a whole script.
pub(in crate::maintainer_script) fn parse(text: &str) -> Result<Vec<Command>, SyntaxError> {
    let mut parser = Parser::new(text, 1);
    let commands = parser.list()?;
    match parser.peek() {
        None => Ok(commands),
        Some(_) => Err(parser.error("unexpected end of a compound command")),
    }
}

/// Words that end a list when they stand where a command could.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// A here-document whose text starts after the current line.
struct PendingDocument {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
    slot: usize,
}

pub(super) struct Parser<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) position: usize,
    pub(super) line: usize,
    pending: Vec<PendingDocument>,
    documents: Vec<Word>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        Self { bytes: text.as_bytes(), position: 0, line, pending: Vec::new(), documents: Vec::new() }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        self.bytes[self.position.min(self.bytes.len())..].starts_with(text.as_bytes())
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError { line: self.line, problem: problem.into() }
    }

    /// One byte further; keeps count of lines, and reads here-documents when a line ends.
    pub(super) fn advance(&mut self) -> Result<(), SyntaxError> {
        let byte = self.peek();
        self.position += 1;
        if byte == Some(b'\n') {
            self.line += 1;
            for document in std::mem::take(&mut self.pending) {
                self.read_document(&document)?;
            }
        }
        Ok(())
    }

    fn read_document(&mut self, document: &PendingDocument) -> Result<(), SyntaxError> {
        let start = self.line;
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.position.min(self.bytes.len())..];
            if rest.is_empty() {
                return Err(self.error(format!("the here-document is not closed by `{}`", document.delimiter)));
            }
            let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..length]).into_owned();
            self.position += length + 1;
            self.line += 1;
            let line = if document.strip_tabs { line.trim_start_matches('\t') } else { &line };
            if line == document.delimiter {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        self.documents[document.slot] = if document.quoted {
            Word(vec![Part::Literal { text, quoted: true }])
        } else {
            Parser::new(&text, start).document_text()?
        };
        Ok(())
    }

    /// Blanks, continued lines and comments.
    pub(super) fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.advance()?,
                Some(b'\\') if self.looking_at("\\\n") => {
                    self.position += 2;
                    self.line += 1;
                }
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.advance()?;
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_newlines(&mut self) -> Result<(), SyntaxError> {
        self.skip_blanks()?;
        while self.peek() == Some(b'\n') {
            self.advance()?;
            self.skip_blanks()?;
        }
        Ok(())
    }

    /// Commands up to a closing word, `)`, `;;` or the end.
    pub(super) fn list(&mut self) -> Result<Vec<Command>, SyntaxError> {
        let mut commands = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.peek().is_none_or(|byte| byte == b')') || self.looking_at(";;") || self.at_closing_word() {
                return Ok(commands);
            }
            let mut command = self.and_or()?;
            self.skip_blanks()?;
            if self.peek() == Some(b'\n') {
                // Ends the line, and with it the documents that start after it are read.
                self.advance()?;
                fill_documents(&mut command, &self.documents);
                commands.push(command);
                continue;
            }
            fill_documents(&mut command, &self.documents);
            commands.push(command);
            match self.peek() {
                Some(b';') if !self.looking_at(";;") => self.advance()?,
                Some(b'&') if !self.looking_at("&&") => return Err(self.error("a background job")),
                None | Some(b')') => {}
                Some(_) if self.looking_at(";;") => {}
                Some(byte) => return Err(self.error(format!("unexpected `{}`", char::from(byte)))),
            }
        }
    }

    fn at_closing_word(&self) -> bool {
        CLOSING.iter().any(|word| self.at_word(word))
    }

    /// Whether a reserved word stands here, and ends here.
    fn at_word(&self, word: &str) -> bool {
        let after = self.bytes.get(self.position + word.len());
        self.looking_at(word) && after.is_none_or(|byte| b" \t\r\n;&|()<>".contains(byte))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SyntaxError> {
        self.skip_newlines()?;
        if !self.at_word(word) {
            return Err(self.error(format!("expected `{word}`")));
        }
        self.position += word.len();
        Ok(())
    }

    fn and_or(&mut self) -> Result<Command, SyntaxError> {
        let first = self.pipeline()?;
        let line = first.line;
        let mut parts = vec![(Connector::And, first)];
        loop {
            self.skip_blanks()?;
            let connector = match () {
                () if self.looking_at("&&") => Connector::And,
                () if self.looking_at("||") => Connector::Or,
                () => break,
            };
            self.position += 2;
            self.skip_newlines()?;
            parts.push((connector, self.pipeline()?));
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0).1);
        }
        Ok(Command { line, kind: CommandKind::AndOr(parts), redirects: Vec::new() })
    }

    fn pipeline(&mut self) -> Result<Command, SyntaxError> {
        self.skip_blanks()?;
        let line = self.line;
        if self.at_word("!") {
            self.position += 1;
            let negated = Box::new(self.pipeline()?);
            return Ok(Command { line, kind: CommandKind::Not(negated), redirects: Vec::new() });
        }
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks()?;
            if self.peek() != Some(b'|') || self.looking_at("||") {
                break;
            }
            self.advance()?;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        if commands.len() == 1 {
            return Ok(commands.remove(0));
        }
        Ok(Command { line, kind: CommandKind::Pipeline(commands), redirects: Vec::new() })
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        self.skip_blanks()?;
        let line = self.line;
        let kind = match () {
            () if self.at_word("if") => self.if_command()?,
            () if self.at_word("case") => self.case_command()?,
            () if self.at_word("for") => self.for_command()?,
            () if self.at_word("while") => self.while_command("while")?,
            () if self.at_word("until") => self.while_command("until")?,
            () if self.at_word("{") => {
                self.expect_word("{")?;
                let body = self.list()?;
                self.expect_word("}")?;
                CommandKind::Group(body)
            }
            () if self.peek() == Some(b'(') => {
                self.advance()?;
                let body = self.list()?;
                self.expect_byte(b')')?;
                CommandKind::Group(body)
            }
            () => return self.simple_or_function(),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command { line, kind, redirects })
    }

    fn expect_byte(&mut self, byte: u8) -> Result<(), SyntaxError> {
        self.skip_newlines()?;
        if self.peek() != Some(byte) {
            return Err(self.error(format!("expected `{}`", char::from(byte))));
        }
        self.advance()
    }

    fn if_command(&mut self) -> Result<CommandKind, SyntaxError> {
        let mut branches = Vec::new();
        self.expect_word("if")?;
        loop {
            let condition = self.list()?;
            self.expect_word("then")?;
            branches.push((condition, self.list()?));
            if self.at_word("elif") {
                self.expect_word("elif")?;
                continue;
            }
            let mut otherwise = Vec::new();
            if self.at_word("else") {
                self.expect_word("else")?;
                otherwise = self.list()?;
            }
            self.expect_word("fi")?;
            return Ok(CommandKind::If { branches, otherwise });
        }
    }

    fn case_command(&mut self) -> Result<CommandKind, SyntaxError> {
        self.expect_word("case")?;
        self.skip_blanks()?;
        let subject = self.word()?.ok_or_else(|| self.error("expected a word after `case`"))?;
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.at_word("esac") {
                self.expect_word("esac")?;
                return Ok(CommandKind::Case { subject, arms });
            }
            if self.peek() == Some(b'(') {
                self.advance()?;
            }
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks()?;
                patterns.push(self.word()?.ok_or_else(|| self.error("expected a pattern"))?);
                self.skip_blanks()?;
                match self.peek() {
                    Some(b'|') => self.advance()?,
                    _ => break,
                }
            }
            self.expect_byte(b')')?;
            let body = self.list()?;
            if self.looking_at(";;") {
                self.position += 2;
            }
            arms.push((patterns, body));
        }
    }

    fn for_command(&mut self) -> Result<CommandKind, SyntaxError> {
        self.expect_word("for")?;
        self.skip_blanks()?;
        let variable = self.name().ok_or_else(|| self.error("expected a name after `for`"))?;
        self.skip_newlines()?;
        let mut words = Vec::new();
        if self.at_word("in") {
            self.expect_word("in")?;
            self.skip_blanks()?;
            while let Some(word) = self.word()? {
                words.push(word);
                self.skip_blanks()?;
            }
        } else {
            words.push(Word(vec![Part::Variable { name: "@".to_owned(), operation: None, quoted: true }]));
        }
        if self.peek() == Some(b';') {
            self.advance()?;
        }
        let body = self.do_group()?;
        Ok(CommandKind::For { variable, words, body })
    }

    fn while_command(&mut self, keyword: &str) -> Result<CommandKind, SyntaxError> {
        self.expect_word(keyword)?;
        let condition = self.list()?;
        let body = self.do_group()?;
        Ok(CommandKind::While { condition, body })
    }

    fn do_group(&mut self) -> Result<Vec<Command>, SyntaxError> {
        self.expect_word("do")?;
        let body = self.list()?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn simple_or_function(&mut self) -> Result<Command, SyntaxError> {
        let line = self.line;
        if let Some(name) = self.function_name()? {
            self.skip_newlines()?;
            let body = Box::new(self.command()?);
            return Ok(Command { line, kind: CommandKind::Function { name, body }, redirects: Vec::new() });
        }
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.skip_blanks()?;
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty() {
                if let Some(assignment) = self.assignment()? {
                    assignments.push(assignment);
                    continue;
                }
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.error("expected a command"));
        }
        Ok(Command { line, kind: CommandKind::Simple { assignments, words }, redirects })
    }

    /// `name()`, if that is what comes next.
    fn function_name(&mut self) -> Result<Option<String>, SyntaxError> {
        let start = self.position;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            self.advance()?;
        }
        let name = String::from_utf8_lossy(&self.bytes[start..self.position]).into_owned();
        self.skip_blanks()?;
        let rest = &self.bytes[self.position.min(self.bytes.len())..];
        let closing = rest.strip_prefix(b"(").map(|rest| rest.iter().take_while(|byte| **byte == b' ').count() + 1);
        match closing.filter(|&at| !name.is_empty() && rest.get(at) == Some(&b')')) {
            Some(at) => {
                self.position += at + 1;
                Ok(Some(name))
            }
            None => {
                // Blanks and continued lines between are cheap to read again, but lines must not count twice.
                self.line -= self.bytes[start..self.position].iter().filter(|byte| **byte == b'\n').count();
                self.position = start;
                Ok(None)
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        let rest = &self.bytes[self.position.min(self.bytes.len())..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        if length == 0 || rest[0].is_ascii_digit() {
            return None;
        }
        self.position += length;
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn assignment(&mut self) -> Result<Option<(String, Word)>, SyntaxError> {
        let start = self.position;
        if let Some(name) = self.name() {
            if self.peek() == Some(b'=') {
                self.advance()?;
                let value = self.word()?.unwrap_or_default();
                return Ok(Some((name, value)));
            }
        }
        self.position = start;
        Ok(None)
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, SyntaxError> {
        self.skip_blanks()?;
        let digits =
            self.bytes[self.position.min(self.bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = self.bytes.get(self.position + digits);
        if !operator.is_some_and(|byte| b"<>".contains(byte)) {
            return Ok(None);
        }
        let descriptor = String::from_utf8_lossy(&self.bytes[self.position..self.position + digits]).into_owned();
        self.position += digits;
        const OPERATORS: [(&str, RedirectKind); 9] = [
            ("<<-", RedirectKind::Document),
            ("<<", RedirectKind::Document),
            ("<&", RedirectKind::Duplicate),
            (">&", RedirectKind::Duplicate),
            ("<>", RedirectKind::Output),
            (">>", RedirectKind::Append),
            (">|", RedirectKind::Output),
            (">", RedirectKind::Output),
            ("<", RedirectKind::Input),
        ];
        let Some(&(operator, kind)) = OPERATORS.iter().find(|(operator, _)| self.looking_at(operator)) else {
            return Ok(None);
        };
        self.position += operator.len();
        self.skip_blanks()?;
        let start = self.position;
        let target = self.word()?.ok_or_else(|| self.error("expected a file after a redirection"))?;
        let kind = if matches!(descriptor.as_str(), "" | "0" | "1") { kind } else { RedirectKind::OtherDescriptor };
        if operator.starts_with("<<") {
            let raw = String::from_utf8_lossy(&self.bytes[start..self.position]).into_owned();
            let delimiter = raw.replace(['\'', '"', '\\'], "");
            let quoted = delimiter != raw;
            let slot = self.documents.len();
            self.documents.push(Word::default());
            self.pending.push(PendingDocument { delimiter, quoted, strip_tabs: operator == "<<-", slot });
            let marker = Word(vec![Part::Literal { text: slot.to_string(), quoted: true }]);
            return Ok(Some(Redirect { kind, target: marker }));
        }
        Ok(Some(Redirect { kind, target }))
    }
}

/// Replaces the slots of here-documents by their texts, all through a command. A document that was filled in before is longer
/// than a number or names a slot that does not exist.
fn fill_documents(command: &mut Command, documents: &[Word]) {
    for redirect in command.redirects.iter_mut().filter(|redirect| redirect.kind == RedirectKind::Document) {
        if let [Part::Literal { text, .. }] = &redirect.target.0[..] {
            if let Some(document) = text.parse::<usize>().ok().and_then(|slot| documents.get(slot)) {
                redirect.target = document.clone();
            }
        }
    }
    let fill = |commands: &mut Vec<Command>| commands.iter_mut().for_each(|command| fill_documents(command, documents));
    match &mut command.kind {
        CommandKind::Simple { .. } => {}
        CommandKind::If { branches, otherwise } => {
            for (condition, body) in branches {
                fill(condition);
                fill(body);
            }
            fill(otherwise);
        }
        CommandKind::Case { arms, .. } => arms.iter_mut().for_each(|(_, body)| fill(body)),
        CommandKind::For { body, .. } | CommandKind::Group(body) | CommandKind::Pipeline(body) => fill(body),
        CommandKind::While { condition, body } => {
            fill(condition);
            fill(body);
        }
        CommandKind::Function { body, .. } | CommandKind::Not(body) => fill_documents(body, documents),
        CommandKind::AndOr(parts) => parts.iter_mut().for_each(|(_, part)| fill_documents(part, documents)),
    }
}
