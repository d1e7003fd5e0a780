//! JSON: values to text and text to values.
//!
//! Writing follows the reference's library to the byte (escapes, floats); reading accepts RFC 8259.

use diagnostics::Span;

use crate::coerce::Coerce;
use crate::context::Context;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::{Slot, Value};

/// Writes values.
pub(crate) struct Writer<'e, 'a> {
    eval: &'e Eval<'a>,
    out: Vec<u8>,
    context: Option<&'a Context<'a>>,
    /// Evaluates nothing.
    pub(crate) refuse_thunks: bool,
}

impl<'e, 'a> Writer<'e, 'a> {
    /// Appends to `out`.
    pub(crate) fn new(eval: &'e Eval<'a>, out: Vec<u8>) -> Self {
        Writer { eval, out, context: None, refuse_thunks: false }
    }

    pub(crate) fn finish(self) -> (Vec<u8>, Option<&'a Context<'a>>) {
        (self.out, self.context)
    }

    pub(crate) fn raw(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    pub(crate) fn string(&mut self, text: &[u8]) -> Res<()> {
        if std::str::from_utf8(text).is_err() {
            return Err(Error::eval("JSON serialization error: invalid UTF-8 byte in a string"));
        }
        self.out.push(b'"');
        let mut done = 0;
        for (i, b) in text.iter().enumerate() {
            if *b >= 0x20 && *b != b'"' && *b != b'\\' {
                continue;
            }
            self.out.extend_from_slice(&text[done..i]);
            done = i + 1;
            match b {
                b'"' => self.raw(b"\\\""),
                b'\\' => self.raw(b"\\\\"),
                b'\n' => self.raw(b"\\n"),
                b'\r' => self.raw(b"\\r"),
                b'\t' => self.raw(b"\\t"),
                8 => self.raw(b"\\b"),
                12 => self.raw(b"\\f"),
                other => self.raw(format!("\\u{other:04x}").as_bytes()),
            }
        }
        self.out.extend_from_slice(&text[done..]);
        self.out.push(b'"');
        Ok(())
    }

    pub(crate) fn value(&mut self, value: Value<'a>) -> Res<()> {
        if self.refuse_thunks && !value.is_evaluated() {
            return Err(Error::type_error("cannot convert a thunk to JSON"));
        }
        let value = self.eval.force(value)?;
        match value {
            Value::Null => self.raw(b"null"),
            Value::Bool(b) => self.raw(if b.get() { b"true" } else { b"false" }),
            Value::Int(n) => {
                use std::io::Write;
                // Writing into a Vec cannot fail.
                let _ = write!(self.out, "{n}");
            }
            Value::Float(n) => {
                let text = float(n.get());
                self.raw(text.as_bytes());
            }
            Value::String(s) => {
                self.context = Context::union(self.eval.bump(), self.context, s.context());
                self.string(s.as_bytes())?;
            }
            Value::Path(_) => {
                let text = self.eval.coerce(value, Coerce::INTERPOLATION)?;
                self.context = Context::union(self.eval.bump(), self.context, text.context());
                self.string(text.as_bytes())?;
            }
            Value::List(list) => {
                self.out.push(b'[');
                for (i, item) in list.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.nested(item)
                        .map_err(|e| e.step(Span::NONE, format!("while evaluating list element at index {i}")))?;
                }
                self.out.push(b']');
            }
            Value::Attrs(set) => self.set(set)?,
            Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => {
                return Err(Error::type_error(format!(
                    "cannot convert {} to JSON",
                    crate::print::describe_type(value)
                )));
            }
            other => {
                return Err(Error::type_error(format!(
                    "cannot convert {} to JSON",
                    crate::print::describe_type(other)
                )));
            }
        }
        Ok(())
    }

    fn nested(&mut self, value: Value<'a>) -> Res<()> {
        self.eval.one_level_down(|| self.value(value))
    }

    fn set(&mut self, set: &'a crate::Attrs<'a>) -> Res<()> {
        let names = &self.eval.names;
        if set.get(names.to_string).is_some() {
            let text = self.eval.coerce(Value::Attrs(set), Coerce::PATH_SEGMENT)?;
            self.context = Context::union(self.eval.bump(), self.context, text.context());
            return self.string(text.as_bytes());
        }
        if let Some(out) = set.get(names.out_path) {
            return self.nested(out.value());
        }
        self.out.push(b'{');
        for (i, attr) in self.eval.sorted_attrs(set).into_iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.string(self.eval.symbols().bytes(attr.name))?;
            self.out.push(b':');
            self.nested(attr.value()).map_err(|e| {
                let name = self.eval.symbols().text(attr.name);
                e.step(Span::at(attr.pos), format!("while evaluating attribute '{name}'"))
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// The shortest digits that read back, in plain notation from 1e-4 up to 1e15.
fn float(n: f64) -> String {
    if !n.is_finite() {
        return "null".to_owned();
    }
    if n == 0.0 {
        return if n.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned();
    }
    let text = format!("{n:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return format!("{n:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Reads a text.
///
/// # Errors
/// The first thing that is no JSON.
pub(crate) fn parse<'a>(eval: &Eval<'a>, text: &'a [u8]) -> Res<Value<'a>> {
    // A byte order mark is no error.
    let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut reader = Reader { eval, text, at, buffer: Vec::new() };
    let value = reader.value(0)?;
    reader.blank();
    if reader.at < text.len() { Err(reader.error("unexpected character after the value")) } else { Ok(value) }
}

struct Reader<'e, 'a> {
    eval: &'e Eval<'a>,
    text: &'a [u8],
    at: usize,
    buffer: Vec<u8>,
}

impl<'a> Reader<'_, 'a> {
    #[cold]
    fn error(&self, what: &str) -> Error {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = self.at - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
        Error::eval(format!("parse error at line {line}, column {column} of JSON: {what}"))
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn blank(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Res<Value<'a>> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("invalid literal"))
        }
    }

    fn value(&mut self, depth: u32) -> Res<Value<'a>> {
        self.blank();
        match self.peek() {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => {
                let text = self.string()?;
                if text.is_empty() || text.contains(&0) {
                    return crate::builtins::data::no_null(self.eval, text);
                }
                Ok(self.eval.arena_string(text, None))
            }
            b't' => self.word(b"true", Value::bool(true)),
            b'f' => self.word(b"false", Value::bool(false)),
            b'n' => self.word(b"null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.at >= self.text.len() => Err(self.error("unexpected end of input")),
            _ => Err(self.error("unexpected character")),
        }
    }

    fn nested(&mut self, depth: u32) -> Res<Value<'a>> {
        if depth % 64 == 0 {
            return stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.value(depth));
        }
        self.value(depth)
    }

    fn array(&mut self, depth: u32) -> Res<Value<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(self.eval.empty_list());
        }
        loop {
            items.push(self.nested(depth)?);
            self.blank();
            self.at += 1;
            match self.text.get(self.at - 1) {
                Some(b',') => {}
                Some(b']') => return Ok(self.eval.list(items)),
                _ => return Err(self.error("expected ',' or ']'")),
            }
        }
    }

    fn object(&mut self, depth: u32) -> Res<Value<'a>> {
        self.at += 1;
        let mut set = self.eval.attrs();
        self.blank();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(self.eval.empty_attrs());
        }
        loop {
            self.blank();
            if self.peek() != b'"' {
                return Err(self.error("expected a string as key"));
            }
            let name = self.key()?;
            self.blank();
            if self.peek() != b':' {
                return Err(self.error("expected ':'"));
            }
            self.at += 1;
            let value = self.nested(depth)?;
            set.insert_slot(name, diagnostics::Pos::NONE, Slot::new(value));
            self.blank();
            self.at += 1;
            match self.text.get(self.at - 1) {
                Some(b',') => {}
                Some(b'}') => return Ok(set.finish()),
                _ => return Err(self.error("expected ',' or '}'")),
            }
        }
    }

    fn key(&mut self) -> Res<syntax::Sym> {
        let plain = self.plain_end()?;
        if self.text[plain] == b'"' {
            let name = self.eval.symbols().intern(&self.text[self.at + 1..plain]);
            self.at = plain + 1;
            return Ok(name);
        }
        let text = self.string()?;
        Ok(self.eval.symbols().intern(text))
    }

    /// The first byte of a string that is not plain; checks for UTF-8.
    fn plain_end(&self) -> Res<usize> {
        let rest = &self.text[self.at + 1..];
        let len = rest
            .iter()
            .position(|b| *b == b'"' || *b == b'\\' || *b < 0x20)
            .ok_or_else(|| self.error("missing closing quote"))?;
        if std::str::from_utf8(&rest[..len]).is_err() {
            return Err(self.error("invalid UTF-8 in a string"));
        }
        Ok(self.at + 1 + len)
    }

    fn string(&mut self) -> Res<&'a [u8]> {
        let mut plain = self.plain_end()?;
        if self.text[plain] == b'"' {
            let start = self.at + 1;
            self.at = plain + 1;
            return Ok(&self.text[start..plain]);
        }
        self.buffer.clear();
        loop {
            self.buffer.extend_from_slice(&self.text[self.at + 1..plain]);
            self.at = plain;
            match self.text[plain] {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(self.error("control character in a string")),
            }
            plain = self.plain_end()?;
        }
        self.at += 1;
        Ok(self.eval.bump().alloc_slice_copy(&self.buffer))
    }

    /// Reads an escape; ends on its last byte.
    fn escape(&mut self) -> Res<()> {
        self.at += 1;
        let c = match self.peek() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(self.error("invalid escape")),
        };
        self.buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn unicode(&mut self) -> Res<char> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.error("lone surrogate"));
        }
        if self.text.get(self.at + 1..self.at + 3) != Some(b"\\u") {
            return Err(self.error("lone surrogate"));
        }
        self.at += 2;
        let low = self.hex4()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(self.error("lone surrogate"));
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(|| self.error("lone surrogate"))
    }

    fn hex4(&mut self) -> Res<u32> {
        let digits = self.text.get(self.at + 1..self.at + 5).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(|| self.error("invalid escape"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.error("invalid escape"))
    }

    fn number(&mut self) -> Res<Value<'a>> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        let first = self.at;
        self.digits();
        if self.at == first || (self.text[first] == b'0' && self.at > first + 1) {
            return Err(self.error("invalid number"));
        }
        let mut is_float = false;
        if self.peek() == b'.' {
            is_float = true;
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            is_float = true;
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if is_float {
            return match text.parse::<f64>() {
                Ok(n) if n.is_finite() => Ok(Value::float(n)),
                _ => Err(self.error("number out of range")),
            };
        }
        match text.parse() {
            Ok(n) => Ok(Value::Int(n)),
            Err(_) if text.parse::<u64>().is_ok() => {
                Err(Error::eval(format!("unsigned json number {text} outside of Nix integer range")))
            }
            Err(_) => Ok(Value::float(text.parse().unwrap_or(f64::INFINITY))),
        }
    }

    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Res<()> {
        let start = self.at;
        self.digits();
        if self.at == start { Err(self.error("invalid number")) } else { Ok(()) }
    }
}
