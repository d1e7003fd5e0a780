//! Removing the common indentation of `''…''` strings.
//!
//! Spaces only count (tabs are text), escapes and interpolations end the indentation of their line, blank lines do
//! not count, and a last line of only spaces goes when the string ends with it.

/// A piece of an indented string before stripping.
pub(crate) enum RawPart<E> {
    /// Text as written; its leading spaces are indentation.
    Text(Vec<u8>),
    /// Text that came from an escape.
    Escaped(Vec<u8>),
    /// An interpolation.
    Expr(E),
}

/// The pieces with the indentation removed; empty texts are left out.
pub(crate) fn strip<E>(parts: Vec<RawPart<E>>) -> Vec<Result<Vec<u8>, E>> {
    let indent = common_indent(&parts);
    let count = parts.len();
    let mut out = Vec::with_capacity(count);
    let mut at_start = true;
    let mut dropped = 0;
    for (i, part) in parts.into_iter().enumerate() {
        let text = match part {
            RawPart::Expr(e) => {
                at_start = false;
                dropped = 0;
                out.push(Err(e));
                continue;
            }
            RawPart::Text(t) | RawPart::Escaped(t) => t,
        };
        let mut kept = Vec::with_capacity(text.len());
        for b in text {
            match (at_start, b) {
                (true, b' ') => {
                    dropped += 1;
                    if dropped <= indent {
                        continue;
                    }
                }
                (true, b'\n') => dropped = 0,
                (true, _) => {
                    at_start = false;
                    dropped = 0;
                }
                (false, b'\n') => at_start = true,
                (false, _) => {}
            }
            kept.push(b);
        }
        if i + 1 == count {
            if let Some(newline) = kept.iter().rposition(|b| *b == b'\n') {
                if kept[newline + 1..].iter().all(|b| *b == b' ') {
                    kept.truncate(newline + 1);
                }
            }
        }
        if !kept.is_empty() {
            out.push(Ok(kept));
        }
    }
    out
}

fn common_indent<E>(parts: &[RawPart<E>]) -> usize {
    let mut least = usize::MAX;
    let mut at_start = true;
    let mut current = 0;
    for part in parts {
        let RawPart::Text(text) = part else {
            if at_start {
                at_start = false;
                least = least.min(current);
            }
            continue;
        };
        for b in text {
            match (at_start, b) {
                (true, b' ') => current += 1,
                (_, b'\n') => {
                    at_start = true;
                    current = 0;
                }
                (true, _) => {
                    at_start = false;
                    least = least.min(current);
                }
                (false, _) => {}
            }
        }
    }
    least
}
