//! All of a text as tokens: the lexer's, and around them blanks, comments and the inside of strings and paths.

use std::ops::Range;

use bumpalo::Bump;
use diagnostics::Pos;

use crate::Symbols;
use crate::lexer::{Lexer, is_path_byte};
use crate::token::Token as Code;

/// A piece of a text.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes.
    pub range: Range<usize>,
    /// What the lexer says of it; the end where it says nothing.
    pub(crate) code: Code,
}

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// White space.
    Blank,
    /// `# …`, without the newline.
    LineComment,
    /// `/* … */`
    BlockComment,
    /// A name.
    Name,
    /// A number, an URI or `<path>`.
    Literal,
    /// A keyword, an operator or punctuation, the quotes of strings among them.
    Mark,
    /// Text within a string or path, as written.
    Text,
    /// What belongs to nothing.
    Invalid,
    /// Behind everything, empty.
    End,
}

impl Token {
    /// Whether it is white space or a comment.
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Blank | TokenKind::LineComment | TokenKind::BlockComment)
    }
}

/// What is around.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Braces,
    String,
    Indented,
    Path,
}

struct Tokenizer<'t, 'y> {
    lexer: Lexer<'t>,
    symbols: &'y Symbols<'y>,
    modes: Vec<Mode>,
    at: usize,
    tokens: Vec<Token>,
}

/// The tokens of a text; together they are all of it.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bump = Bump::new();
    let symbols = Symbols::new(&bump);
    let lexer = Lexer { text: text.as_bytes(), base: Pos::NONE };
    let mut tokenizer = Tokenizer { lexer, symbols: &symbols, modes: Vec::new(), at: 0, tokens: Vec::new() };
    while tokenizer.at < text.len() {
        match tokenizer.modes.last() {
            Some(Mode::String) => tokenizer.string(),
            Some(Mode::Indented) => tokenizer.indented(),
            Some(Mode::Path) => tokenizer.path(),
            Some(Mode::Braces) | None => tokenizer.code(),
        }
    }
    tokenizer.push(TokenKind::End, text.len(), Code::Eof);
    tokenizer.tokens
}

impl Tokenizer<'_, '_> {
    fn push(&mut self, kind: TokenKind, end: usize, code: Code) {
        if end > self.at || kind == TokenKind::End {
            self.tokens.push(Token { kind, range: self.at..end, code });
        }
        self.at = end;
    }

    fn rest(&self) -> &[u8] {
        self.lexer.text.get(self.at..).unwrap_or_default()
    }

    fn code(&mut self) {
        if self.lexer.skip_blank(self.at) > self.at {
            return self.trivia();
        }
        // What the lexer refuses is a number that is too big, or half of something.
        let Ok((code, end)) = self.lexer.token(self.at, self.symbols) else {
            let digits = self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
            return self.push(TokenKind::Literal, self.at + digits.max(1), Code::Int(0));
        };
        match code {
            Code::Path => return self.modes.push(Mode::Path),
            Code::Quote => self.modes.push(Mode::String),
            Code::IndentQuote => {
                self.modes.push(Mode::Indented);
                // The lexer takes the rest of a blank line with it.
                return self.push(TokenKind::Mark, self.at + 2, code);
            }
            Code::LBrace | Code::DollarBrace => self.modes.push(Mode::Braces),
            Code::RBrace if self.modes.last() == Some(&Mode::Braces) => {
                self.modes.pop();
            }
            _ => {}
        }
        let kind = match code {
            Code::Ident(_) => TokenKind::Name,
            Code::Int(_) | Code::Float(_) | Code::Uri | Code::Search => TokenKind::Literal,
            Code::Invalid(_) => TokenKind::Invalid,
            _ => TokenKind::Mark,
        };
        let end = match kind {
            // Whole characters only.
            TokenKind::Invalid => self.at + self.rest().iter().skip(1).take_while(|b| **b & 0xc0 == 0x80).count() + 1,
            _ => end,
        };
        self.push(kind, end, code);
    }

    fn trivia(&mut self) {
        let (kind, length) = match self.rest() {
            [b'#', ..] => {
                let end = self.rest().iter().position(|b| matches!(b, b'\n' | b'\r'));
                (TokenKind::LineComment, end.unwrap_or(self.rest().len()))
            }
            [b'/', ..] => {
                let end = self.rest().windows(2).skip(2).position(|w| w == b"*/");
                (TokenKind::BlockComment, end.map_or(self.rest().len(), |end| end + 4))
            }
            rest => (TokenKind::Blank, rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count()),
        };
        self.push(kind, self.at + length, Code::Eof);
    }

    /// Text up to `length`, then `${` or the closing quote.
    fn text(&mut self, length: usize, quote: usize) {
        self.push(TokenKind::Text, self.at + length, Code::Eof);
        match self.rest() {
            [] => {}
            [b'$', ..] => {
                self.modes.push(Mode::Braces);
                self.push(TokenKind::Mark, self.at + 2, Code::DollarBrace);
            }
            _ => {
                let code = if quote == 1 { Code::Quote } else { Code::IndentQuote };
                self.modes.pop();
                self.push(TokenKind::Mark, self.at + quote, code);
            }
        }
    }

    fn string(&mut self) {
        let rest = self.rest();
        let mut length = 0;
        while length < rest.len() {
            length += match &rest[length..] {
                [b'"', ..] | [b'$', b'{', ..] => break,
                [b'\\', _, ..] => 2,
                // `$` shields what is behind it.
                [b'$', next, ..] if !matches!(next, b'"' | b'\\') => 2,
                _ => 1,
            };
        }
        self.text(character_end(rest, length), 1);
    }

    fn indented(&mut self) {
        let rest = self.rest();
        let mut length = 0;
        while length < rest.len() {
            length += match &rest[length..] {
                [b'\'', b'\'', b'$' | b'\'', ..] => 3,
                [b'\'', b'\'', b'\\', _, ..] => 4,
                [b'\'', b'\'', ..] | [b'$', b'{', ..] => break,
                [b'$', next, ..] if *next != b'\'' => 2,
                [b'\'', next, ..] if *next != b'$' => 2,
                _ => 1,
            };
        }
        self.text(character_end(rest, length), 2);
    }

    fn path(&mut self) {
        let rest = self.rest();
        let tilde = usize::from(rest.first() == Some(&b'~'));
        let length = tilde + rest[tilde..].iter().take_while(|b| is_path_byte(**b) || **b == b'/').count();
        let goes_on = rest[length..].starts_with(b"${");
        self.push(TokenKind::Text, self.at + length, Code::Path);
        if goes_on {
            self.modes.push(Mode::Braces);
            self.push(TokenKind::Mark, self.at + 2, Code::DollarBrace);
        } else {
            self.modes.pop();
        }
    }
}

/// The offset or, within a character, that character's end.
fn character_end(text: &[u8], mut offset: usize) -> usize {
    offset = offset.min(text.len());
    while text.get(offset).is_some_and(|b| b & 0xc0 == 0x80) {
        offset += 1;
    }
    offset
}
