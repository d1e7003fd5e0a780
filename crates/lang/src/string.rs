//! Strings: bytes with a context, appended to without copying.
//!
//! A string is bytes, not necessarily UTF-8. Appending to a long string makes a rope, which is flattened the first
//! time somebody wants the bytes; a loop of appends therefore costs what its result costs. The string of an attribute's
//! name knows the symbol, so that `set.${name}` looks nothing up in the table of symbols.

use std::borrow::Cow;
use std::cell::Cell;

use bumpalo::Bump;
use syntax::Sym;

use crate::context::Context;

/// A string or path.
pub struct Str<'a> {
    repr: Cell<Repr<'a>>,
    context: Option<&'a Context<'a>>,
}

#[derive(Clone, Copy)]
enum Repr<'a> {
    Flat(&'a [u8]),
    Other(&'a Other<'a>),
}

/// What is no plain slice; behind a thin pointer, so that `Repr` needs no tag.
enum Other<'a> {
    Rope(&'a Rope<'a>),
    Name(Sym, &'a [u8]),
}

struct Rope<'a> {
    bump: &'a Bump,
    left: &'a Str<'a>,
    right: &'a Str<'a>,
    len: usize,
}

const _: () = assert!(size_of::<Str<'_>>() == 24);

/// Shorter results are copied at once.
const ROPE_MIN: usize = 256;

impl<'a> Str<'a> {
    /// A string of `bytes`.
    pub(crate) fn flat(bytes: &'a [u8], context: Option<&'a Context<'a>>) -> Self {
        Str { repr: Cell::new(Repr::Flat(bytes)), context }
    }

    /// `left` followed by `right`, with this context.
    pub(crate) fn append(
        bump: &'a Bump,
        left: &'a Str<'a>,
        right: &'a Str<'a>,
        context: Option<&'a Context<'a>>,
    ) -> Self {
        let len = left.len() + right.len();
        if left.len() < ROPE_MIN || len < ROPE_MIN * 2 {
            let bytes = concat(bump, &[left.as_bytes(), right.as_bytes()]);
            return Str::flat(bytes, context);
        }
        let rope = bump.alloc(Other::Rope(bump.alloc(Rope { bump, left, right, len })));
        Str { repr: Cell::new(Repr::Other(rope)), context }
    }

    /// The string of a symbol, whose bytes are `bytes`.
    pub(crate) fn name(bump: &'a Bump, sym: Sym, bytes: &'a [u8]) -> Self {
        Str { repr: Cell::new(Repr::Other(bump.alloc(Other::Name(sym, bytes)))), context: None }
    }

    /// From now on the string of a symbol, whose bytes it has.
    pub(crate) fn set_name(&self, bump: &'a Bump, sym: Sym, bytes: &'a [u8]) {
        debug_assert!(self.context.is_none() && self.as_bytes() == bytes);
        self.repr.set(Repr::Other(bump.alloc(Other::Name(sym, bytes))));
    }

    /// From now on the string of the same symbol as another string.
    pub(crate) fn set_name_of(&self, other: &Str<'a>) {
        debug_assert!(self.as_bytes() == other.as_bytes());
        self.repr.set(other.repr.get());
    }

    /// The symbol, where the string is that of one.
    pub(crate) fn sym(&self) -> Option<Sym> {
        match self.repr.get() {
            Repr::Other(Other::Name(sym, _)) => Some(*sym),
            _ => None,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self.repr.get() {
            Repr::Flat(bytes) | Repr::Other(&Other::Name(_, bytes)) => bytes,
            Repr::Other(Other::Rope(rope)) => self.flatten(rope),
        }
    }

    #[cold]
    fn flatten(&self, rope: &'a Rope<'a>) -> &'a [u8] {
        let buffer = rope.bump.alloc_slice_fill_copy(rope.len, 0u8);
        // Ropes lean left: fill from the end, so that the work list stays short.
        let mut end = rope.len;
        let mut todo = vec![rope.left.repr.get(), rope.right.repr.get()];
        while let Some(repr) = todo.pop() {
            match repr {
                Repr::Flat(bytes) | Repr::Other(&Other::Name(_, bytes)) => {
                    buffer[end - bytes.len()..end].copy_from_slice(bytes);
                    end -= bytes.len();
                }
                Repr::Other(Other::Rope(r)) => {
                    todo.push(r.left.repr.get());
                    todo.push(r.right.repr.get());
                }
            }
        }
        self.repr.set(Repr::Flat(buffer));
        buffer
    }

    /// Length in bytes; never flattens.
    pub fn len(&self) -> usize {
        match self.repr.get() {
            Repr::Flat(bytes) | Repr::Other(&Other::Name(_, bytes)) => bytes.len(),
            Repr::Other(Other::Rope(rope)) => rope.len,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The text, with replacement characters where it is not UTF-8.
    pub fn to_string_lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// The store objects the text refers to.
    pub fn context(&self) -> Option<&'a Context<'a>> {
        self.context
    }
}

/// The slices one after the other, in the arena.
pub(crate) fn concat<'a>(bump: &'a Bump, parts: &[&[u8]]) -> &'a [u8] {
    let len = parts.iter().map(|p| p.len()).sum();
    let buffer = bump.alloc_slice_fill_copy(len, 0u8);
    let mut at = 0;
    for part in parts {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::Str;
    use bumpalo::Bump;

    #[test]
    fn a_rope_reads_as_the_concatenation() {
        let bump = Bump::new();
        let mut s = &*bump.alloc(Str::flat(b"", None));
        let mut expected = Vec::new();
        for i in 0..200u8 {
            let piece = bump.alloc(Str::flat(bump.alloc_slice_fill_copy(7, i), None));
            expected.extend_from_slice(piece.as_bytes());
            s = bump.alloc(Str::append(&bump, s, piece, None));
        }
        assert_eq!(s.len(), 1400);
        assert_eq!(s.as_bytes(), expected);
        assert_eq!(s.as_bytes(), expected);
    }
}
