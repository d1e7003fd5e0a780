//! Strings and paths with interpolations.

use diagnostics::Span;

use crate::code::{Code, Piece, Template, ToStringCode};
use crate::coerce::Coerce;
use crate::context::Context;
use crate::error::{Error, Failed, Run};
use crate::eval::Eval;
use crate::run::Frame;
use crate::string::{Str, concat};
use crate::value::Value;

/// Strings of at most this many parts are put together without the heap.
const FEW: usize = 8;
/// Room for the digits of integers in one string; what has no room takes the arena.
const DIGITS: usize = 2 * crate::coerce::MAX_DIGITS;

impl<'a> Eval<'a> {
    #[inline(never)]
    pub(super) fn run_string(&self, code: &'a Template<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut digits = [0; DIGITS];
        if code.parts.len() <= FEW {
            let mut parts: [&[u8]; FEW] = [&[]; FEW];
            return self.join(code, &mut parts[..code.parts.len()], &mut digits, frame);
        }
        let mut parts: Vec<&[u8]> = vec![&[]; code.parts.len()];
        self.join(code, &mut parts, &mut digits, frame)
    }

    #[inline]
    fn join<'t>(
        &self,
        code: &'a Template<'a>,
        parts: &mut [&'t [u8]],
        mut digits: &'t mut [u8],
        frame: &Frame<'_, 'a>,
    ) -> Run<Value<'a>>
    where
        'a: 't,
    {
        let mut context: Option<&'a Context<'a>> = None;
        for (part, piece) in parts.iter_mut().zip(code.parts) {
            *part = match piece {
                Piece::Text(text) => text,
                Piece::Code(inner, span) => {
                    let text = self.piece(*inner, *span, frame)?;
                    context = Context::union(self.bump(), context, text.context());
                    text.as_bytes()
                }
                Piece::ToString(to_string) => match frame.source(to_string.of).peek() {
                    Value::Int(n) if digits.len() >= crate::coerce::MAX_DIGITS => {
                        let len = crate::coerce::write_int(n, digits);
                        let (written, rest) = digits.split_at_mut(len);
                        digits = rest;
                        written
                    }
                    _ => {
                        let text = self.piece(to_string.call, to_string.span, frame)?;
                        context = Context::union(self.bump(), context, text.context());
                        text.as_bytes()
                    }
                },
            };
        }
        Ok(self.arena_string(concat(self.bump(), parts), context))
    }

    #[inline]
    fn piece(&self, code: Code<'a>, span: Span, frame: &Frame<'_, 'a>) -> Run<&'a Str<'a>> {
        match self.operand(code, frame)? {
            Value::String(text) => Ok(text),
            other => self.kept(
                self.coerce(other, Coerce::INTERPOLATION)
                    .map_err(|e| e.at_span(span).step(span, "while evaluating a path segment")),
            ),
        }
    }

    #[inline(never)]
    pub(super) fn run_path(&self, code: &'a Template<'a>, frame: &Frame<'_, 'a>) -> Run<Value<'a>> {
        let mut bytes: Vec<u8> = Vec::new();
        for part in code.parts {
            match part {
                Piece::Text(text) => bytes.extend_from_slice(text),
                Piece::Code(inner, span) | Piece::ToString(ToStringCode { call: inner, span, .. }) => {
                    let value = self.run(*inner, frame)?;
                    let text = self.kept(self.coerce(value, Coerce::PATH_SEGMENT).map_err(|e| e.at_span(*span)))?;
                    if text.context().is_some() {
                        return Err(self.context_in_path(*span));
                    }
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
        }
        Ok(self.path_value(&crate::paths::normalise(&bytes)))
    }

    #[cold]
    fn context_in_path(&self, span: Span) -> Failed {
        self.fail(Error::eval("a string that refers to a store path cannot be appended to a path").at_span(span))
    }
}
