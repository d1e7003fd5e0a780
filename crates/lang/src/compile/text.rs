//! Strings, paths and search paths.

use diagnostics::Span;
use syntax::ast::Part;

use crate::code::{CallCode, Code, Lazy, Piece, Source, Template, ToStringCode};
use crate::compile::Compiler;
use crate::error::Res;
use crate::value::Value;

impl<'a> Compiler<'_, 'a> {
    pub(super) fn string(&mut self, parts: &[Part<'_>]) -> Res<Code<'a>> {
        match parts {
            [] => Ok(self.constant(self.text(b""))),
            [Part::Text(text)] => Ok(self.constant(self.text(text))),
            _ => {
                let parts = self.pieces(parts)?;
                Ok(Code::Str(self.bump.alloc(Template { parts })))
            }
        }
    }

    pub(super) fn pieces(&mut self, parts: &[Part<'_>]) -> Res<&'a [Piece<'a>]> {
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(self.bump.alloc_slice_copy(text)),
                Part::Expr(e) => {
                    let code = self.code(e)?;
                    match to_string_of(code) {
                        Some(of) => Piece::ToString(self.bump.alloc(ToStringCode { of, call: code, span: e.span })),
                        None => Piece::Code(code, e.span),
                    }
                }
            });
        }
        Ok(self.slice(pieces))
    }

    pub(super) fn path(&mut self, parts: &[Part<'_>], span: Span) -> Res<Code<'a>> {
        let (first, rest) = match parts.split_first() {
            Some((Part::Text(first), rest)) => (*first, rest),
            _ => (b"".as_slice(), parts),
        };
        let absolute = self.eval.literal_path(first, self.base_dir, span)?;
        if rest.is_empty() {
            return Ok(self.constant(self.eval.path_value(&absolute)));
        }
        // The normal form drops a slash at the end, which separates here.
        let mut head = absolute;
        if first.ends_with(b"/") && !head.ends_with(b"/") {
            head.push(b'/');
        }
        let mut pieces = vec![Piece::Text(self.bump.alloc_slice_copy(&head))];
        pieces.extend_from_slice(self.pieces(rest)?);
        let parts = self.slice(pieces);
        Ok(Code::Path(self.bump.alloc(Template { parts })))
    }

    /// `<a/b>` is `__findFile __nixPath "a/b"`, by whatever these names mean here.
    pub(super) fn search(&mut self, name: &[u8], span: Span) -> Res<Code<'a>> {
        let function = self.var(self.eval.names.find_file, span);
        let path = match self.var(self.eval.names.nix_path, span) {
            Code::Local(i) => Lazy::Local(i),
            Code::Captured(i) => Lazy::Captured(i),
            Code::Const(v) => Lazy::Const(v),
            other => Lazy::Now(self.bump.alloc(other)),
        };
        let text = self.bump.alloc(self.text(name));
        let args = self.slice(vec![path, Lazy::Const(text)]);
        Ok(Code::Call(self.bump.alloc(CallCode { function, args, span })))
    }
}

/// The variable that `toString` is called with, if that is what the code does.
fn to_string_of(code: Code<'_>) -> Option<Source> {
    let Code::Call(CallCode { function: Code::Const(Value::Native(native)), args: [arg], .. }) = code else {
        return None;
    };
    match arg {
        _ if !native.is_to_string() => None,
        Lazy::Local(i) => u32::try_from(*i).ok().map(Source::Local),
        Lazy::Captured(i) => u32::try_from(*i).ok().map(Source::Captured),
        _ => None,
    }
}
