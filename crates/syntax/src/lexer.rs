//! Bytes to tokens, one at a time, at any offset; the inside of strings and paths is read by the parser.
//!
//! Longest match decides, as in the reference: `a/b` is a path, `a:b` is an URI, `1/2` is a path too.

use diagnostics::{Pos, Span};

use crate::ast::Op;
use crate::token::Token;
use crate::{Symbols, SyntaxError};

/// The text and how its offsets map to positions.
pub(crate) struct Lexer<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) base: Pos,
}

/// What a byte may be part of, as bits: of a word there are many, and each of its bytes is looked up once.
const PATH: u8 = 1;
const IDENT: u8 = 2;
const URI: u8 = 4;
const SCHEME: u8 = 8;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] =
            if byte.is_ascii_alphanumeric() { PATH | IDENT | URI | SCHEME } else { other_class(byte) };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn other_class(byte: u8) -> u8 {
    match byte {
        b'.' | b'+' => PATH | URI | SCHEME,
        b'-' => PATH | IDENT | URI | SCHEME,
        b'_' => PATH | IDENT | URI,
        b'\'' => IDENT | URI,
        b'%' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'$' | b',' | b'!' | b'~' | b'*' => URI,
        _ => 0,
    }
}

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Bytes that may stand in a path, apart from `/`.
#[inline]
pub(crate) fn is_path_byte(b: u8) -> bool {
    is(b, PATH)
}

fn is_ident_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

impl<'t> Lexer<'t> {
    pub(crate) fn at(&self, offset: usize) -> u8 {
        self.text.get(offset).copied().unwrap_or(0)
    }

    pub(crate) fn pos(&self, offset: usize) -> Pos {
        // The source map refuses texts that do not fit.
        Pos(self.base.0 + u32::try_from(offset).unwrap_or(0))
    }

    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.pos(start), self.pos(end))
    }

    #[inline]
    fn run(&self, offset: usize, accept: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(offset..).unwrap_or_default();
        offset + rest.iter().position(|b| !accept(*b)).unwrap_or(rest.len())
    }

    /// The first offset that belongs to no white space and no comment.
    pub(crate) fn skip_blank(&self, mut offset: usize) -> usize {
        loop {
            match self.at(offset) {
                b' ' | b'\t' | b'\n' | b'\r' => offset += 1,
                b'#' => offset = self.run(offset, |b| b != b'\n' && b != b'\r'),
                b'/' if self.at(offset + 1) == b'*' => match find(&self.text[offset + 2..], b"*/") {
                    Some(len) => offset += 2 + len + 2,
                    None => return offset,
                },
                _ => return offset,
            }
        }
    }

    /// Whether a path starts here: path bytes, a slash, then a path byte or an interpolation.
    fn path_starts(&self, offset: usize) -> bool {
        let slash = self.run(offset, is_path_byte);
        self.at(slash) == b'/' && self.path_goes_on(slash + 1)
    }

    fn path_goes_on(&self, offset: usize) -> bool {
        is_path_byte(self.at(offset)) || (self.at(offset) == b'$' && self.at(offset + 1) == b'{')
    }

    /// The token that starts at `offset` (no blank there) and the offset behind it.
    pub(crate) fn token(&self, offset: usize, symbols: &Symbols<'_>) -> Result<(Token, usize), SyntaxError> {
        if offset >= self.text.len() {
            return Ok((Token::Eof, offset));
        }
        let first = self.at(offset);
        if is_ident_start(first) {
            return Ok(self.word(offset, symbols));
        }
        let may_be_path = is_path_byte(first) || first == b'/';
        if may_be_path && self.path_starts(offset) {
            return Ok((Token::Path, offset));
        }
        if first.is_ascii_digit() || (first == b'.' && self.at(offset + 1).is_ascii_digit()) {
            return self.number(offset);
        }
        Ok(self.punctuation(offset))
    }

    fn word(&self, offset: usize, symbols: &Symbols<'_>) -> (Token, usize) {
        let end = self.run(offset, |b| is(b, IDENT));
        // What follows tells whether the identifier is the beginning of a path or an URI.
        match self.at(end) {
            b'/' | b'.' | b'+' if self.path_starts(offset) => return (Token::Path, offset),
            b':' | b'.' | b'+' if self.text[offset].is_ascii_alphabetic() => {
                let scheme = self.run(offset, |b| is(b, SCHEME));
                if self.at(scheme) == b':' && is(self.at(scheme + 1), URI) {
                    return (Token::Uri, self.run(scheme + 1, |b| is(b, URI)));
                }
            }
            _ => {}
        }
        let token = match &self.text[offset..end] {
            b"if" => Token::If,
            b"then" => Token::Then,
            b"else" => Token::Else,
            b"assert" => Token::Assert,
            b"with" => Token::With,
            b"let" => Token::Let,
            b"in" => Token::In,
            b"rec" => Token::Rec,
            b"inherit" => Token::Inherit,
            b"or" => Token::OrKw,
            name => Token::Ident(symbols.intern(name)),
        };
        (token, end)
    }

    fn number(&self, offset: usize) -> Result<(Token, usize), SyntaxError> {
        let digits = self.run(offset, |b| b.is_ascii_digit());
        let whole = &self.text[offset..digits];
        let after = self.run(digits + 1, |b| b.is_ascii_digit());
        // `1.` is a number, `0.` and `01.` are not: the reference wants `[1-9][0-9]*\.[0-9]*` or `0?\.[0-9]+`.
        let is_float = self.at(digits) == b'.'
            && match whole {
                b"" | b"0" => after > digits + 1,
                w => w[0] != b'0',
            };
        if !is_float {
            // Digits are UTF-8.
            let text = std::str::from_utf8(whole).unwrap_or_default();
            return match text.parse() {
                Ok(n) => Ok((Token::Int(n), digits)),
                Err(_) => Err(SyntaxError::new(format!("invalid integer '{text}'"), self.span(offset, digits))),
            };
        }
        let mut end = after;
        if matches!(self.at(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.at(end + 1), b'+' | b'-'));
            let exponent = self.run(end + 1 + sign, |b| b.is_ascii_digit());
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let text = String::from_utf8_lossy(&self.text[offset..end]).into_owned();
        match text.parse::<f64>() {
            // Too small is as bad as too big.
            Ok(n) if n.is_finite() && !n.is_subnormal() => Ok((Token::Float(n), end)),
            _ => Err(SyntaxError::new(format!("invalid float '{text}'"), self.span(offset, end))),
        }
    }

    fn punctuation(&self, o: usize) -> (Token, usize) {
        let first = self.text[o];
        let second = self.at(o + 1);
        let pair = match (first, second) {
            (b'=', b'=') => Some(Token::Op(Op::Eq)),
            (b'!', b'=') => Some(Token::Op(Op::Ne)),
            (b'<', b'=') => Some(Token::Op(Op::Le)),
            (b'>', b'=') => Some(Token::Op(Op::Ge)),
            (b'&', b'&') => Some(Token::Op(Op::And)),
            (b'|', b'|') => Some(Token::Op(Op::Or)),
            (b'-', b'>') => Some(Token::Op(Op::Implies)),
            (b'/', b'/') => Some(Token::Op(Op::Update)),
            (b'+', b'+') => Some(Token::Op(Op::Concat)),
            (b'<', b'|') => Some(Token::PipeFrom),
            (b'|', b'>') => Some(Token::PipeInto),
            (b'$', b'{') => Some(Token::DollarBrace),
            _ => None,
        };
        if let Some(token) = pair {
            return (token, o + 2);
        }
        match (first, second) {
            (b'\'', b'\'') => return (Token::IndentQuote, self.indent_quote_end(o + 2)),
            (b'~', b'/') if self.path_goes_on(o + 2) => return (Token::Path, o),
            (b'.', b'.') if self.at(o + 2) == b'.' => return (Token::Ellipsis, o + 3),
            (b'<', _) => {
                if let Some(end) = self.search_path_end(o + 1) {
                    return (Token::Search, end);
                }
            }
            _ => {}
        }
        let token = match first {
            b'"' => Token::Quote,
            b'+' => Token::Op(Op::Add),
            b'-' => Token::Minus,
            b'*' => Token::Op(Op::Mul),
            b'/' => Token::Op(Op::Div),
            b'<' => Token::Op(Op::Lt),
            b'>' => Token::Op(Op::Gt),
            b'!' => Token::Not,
            b'?' => Token::Question,
            b'(' => Token::LParen,
            b')' => Token::RParen,
            b'{' => Token::LBrace,
            b'}' => Token::RBrace,
            b'[' => Token::LBracket,
            b']' => Token::RBracket,
            b';' => Token::Semicolon,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'.' => Token::Dot,
            b'@' => Token::At,
            b'=' => Token::Assign,
            other => Token::Invalid(other),
        };
        (token, o + 1)
    }

    /// The rest of the opening line belongs to the quote when it is blank.
    fn indent_quote_end(&self, offset: usize) -> usize {
        let end = self.run(offset, |b| b == b' ');
        if self.at(end) == b'\n' { end + 1 } else { offset }
    }

    /// `<` path components `>`; the offset behind the `>`.
    fn search_path_end(&self, offset: usize) -> Option<usize> {
        let mut end = offset;
        loop {
            let component = self.run(end, is_path_byte);
            if component == end {
                return None;
            }
            match self.at(component) {
                b'/' => end = component + 1,
                b'>' => return Some(component + 1),
                _ => return None,
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
