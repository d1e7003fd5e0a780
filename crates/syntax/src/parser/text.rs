//! The inside of strings and paths, which the lexer leaves alone.

use crate::SyntaxError;
use crate::ast::{Expr, Kind, Part};
use crate::indented::{RawPart, strip};
use crate::lexer::is_path_byte;
use crate::parser::{Parser, Res};
use crate::token::Token;

impl<'s> Parser<'_, '_, 's, '_> {
    pub(super) fn text_parts(&self, start: usize, end: usize) -> &'s [Part<'s>] {
        self.bump.alloc_slice_copy(&[Part::Text(self.bump.alloc_slice_copy(&self.lexer.text[start..end]))])
    }

    /// Reads `${ … }` whose `$` stands at `offset`; the offset behind the `}`.
    pub(super) fn interpolation(&mut self, offset: usize) -> Res<(Expr<'s>, usize)> {
        self.resume(offset + 2)?;
        let inner = self.expr()?;
        if self.token != Token::RBrace {
            return Err(self.unexpected("'}'"));
        }
        Ok((inner, self.end))
    }

    pub(super) fn end_in_string(&self, start: usize) -> SyntaxError {
        let end = self.lexer.text.len();
        SyntaxError::new("syntax error, unexpected end of file, expecting '\"'", self.lexer.span(end, end + 1))
            .related(self.lexer.span(start, start + 1), "the string starts here")
    }

    pub(super) fn string(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = self.end;
        let mut parts = Vec::new();
        let mut text = Vec::new();
        loop {
            if at >= self.lexer.text.len() {
                return Err(self.end_in_string(start));
            }
            match (self.lexer.at(at), self.lexer.at(at + 1)) {
                (b'"', _) => break,
                (b'\\', escaped) if at + 1 < self.lexer.text.len() => {
                    text.push(unescape(escaped));
                    at += 2;
                }
                (b'$', b'{') => {
                    self.flush(&mut text, &mut parts);
                    let (inner, end) = self.interpolation(at)?;
                    parts.push(Part::Expr(inner));
                    at = end;
                }
                // `$` shields the byte behind it: `$${` interpolates nothing.
                (b'$', next) if !matches!(next, b'"' | b'\\') && at + 1 < self.lexer.text.len() => {
                    text.push(b'$');
                    at = self.plain(at + 1, &mut text);
                }
                _ => at = self.plain(at, &mut text),
            }
        }
        self.flush(&mut text, &mut parts);
        self.resume(at + 1)?;
        Ok(self.make(start, Kind::Str(self.bump.alloc_slice_copy(&parts))))
    }

    /// Takes one byte of a string; CR and CRLF are newlines.
    pub(super) fn plain(&self, at: usize, text: &mut Vec<u8>) -> usize {
        match (self.lexer.at(at), self.lexer.at(at + 1)) {
            (b'\r', b'\n') => {
                text.push(b'\n');
                at + 2
            }
            (b'\r', _) => {
                text.push(b'\n');
                at + 1
            }
            (b, _) => {
                text.push(b);
                at + 1
            }
        }
    }

    pub(super) fn flush(&self, text: &mut Vec<u8>, parts: &mut Vec<Part<'s>>) {
        if !text.is_empty() {
            parts.push(Part::Text(self.bump.alloc_slice_copy(text)));
            text.clear();
        }
    }

    pub(super) fn indented_string(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = self.end;
        let mut raw: Vec<RawPart<Expr<'s>>> = Vec::new();
        let mut text = Vec::new();
        loop {
            let rest = self.lexer.text.get(at..).unwrap_or(&[]);
            let escaped: Option<(Vec<u8>, usize)> = match rest {
                [] => return Err(self.end_in_string(start)),
                [b'\'', b'\'', b'$', ..] => Some((b"$".to_vec(), 3)),
                [b'\'', b'\'', b'\\', e, ..] => Some((vec![unescape(*e)], 4)),
                [b'\'', b'\'', b'\'', ..] => Some((b"''".to_vec(), 3)),
                [b'\'', b'\'', ..] => break,
                [b'$', b'{', ..] => {
                    flush_raw(&mut text, &mut raw);
                    let (inner, end) = self.interpolation(at)?;
                    raw.push(RawPart::Expr(inner));
                    at = end;
                    continue;
                }
                [b'$', next, ..] if *next != b'\'' => {
                    text.extend_from_slice(&rest[..2]);
                    at += 2;
                    continue;
                }
                [b'$', ..] => Some((b"$".to_vec(), 1)),
                [b'\'', next, ..] if *next != b'$' => {
                    text.extend_from_slice(&rest[..2]);
                    at += 2;
                    continue;
                }
                [b'\'', ..] => Some((b"'".to_vec(), 1)),
                [b, ..] => {
                    text.push(*b);
                    at += 1;
                    continue;
                }
            };
            if let Some((bytes, width)) = escaped {
                flush_raw(&mut text, &mut raw);
                raw.push(RawPart::Escaped(bytes));
                at += width;
            }
        }
        flush_raw(&mut text, &mut raw);
        let parts: Vec<Part<'s>> = strip(raw)
            .into_iter()
            .map(|p| match p {
                Ok(text) => Part::Text(self.bump.alloc_slice_copy(&text)),
                Err(e) => Part::Expr(e),
            })
            .collect();
        self.resume(at + 2)?;
        Ok(self.make(start, Kind::Str(self.bump.alloc_slice_copy(&parts))))
    }

    pub(super) fn path(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        let mut at = start;
        let mut parts = Vec::new();
        let mut text = Vec::new();
        let mut doubled = false;
        if self.lexer.at(at) == b'~' {
            text.push(b'~');
            at += 1;
        }
        loop {
            let b = self.lexer.at(at);
            if at < self.lexer.text.len() && (is_path_byte(b) || b == b'/') {
                doubled |= b == b'/' && parts.is_empty() && text.ends_with(b"/");
                text.push(b);
                at += 1;
            } else if b == b'$' && self.lexer.at(at + 1) == b'{' {
                self.flush(&mut text, &mut parts);
                let (inner, end) = self.interpolation(at)?;
                parts.push(Part::Expr(inner));
                at = end;
            } else {
                break;
            }
        }
        if self.lexer.at(at - 1) == b'/' {
            return Err(SyntaxError::new("path has a trailing slash", self.lexer.span(start, at)));
        }
        self.flush(&mut text, &mut parts);
        if doubled && parts.len() == 1 {
            // What follows two slashes is read as going on to an interpolation.
            let message = "syntax error, unexpected end of the path, expecting '${'";
            return Err(SyntaxError::new(message, self.lexer.span(start, at)));
        }
        self.resume(at)?;
        Ok(self.make(start, Kind::Path(self.bump.alloc_slice_copy(&parts))))
    }
}

fn flush_raw<E>(text: &mut Vec<u8>, raw: &mut Vec<RawPart<E>>) {
    if !text.is_empty() {
        raw.push(RawPart::Text(std::mem::take(text)));
    }
}

fn unescape(b: u8) -> u8 {
    match b {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}
