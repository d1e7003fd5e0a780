//! Version numbers and package names.

use std::cmp::Ordering;

use crate::builtins::Table;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("compareVersions", 2, |e, a| {
        let left = e.force_plain(a[0])?;
        let right = e.force_plain(a[1])?;
        Ok(Value::Int(match compare(left, right) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    }),
    ("parseDrvName", 1, |e, a| {
        let text = e.force_plain(a[0])?;
        let (name, version) = split_name(text);
        Ok(e.attrs().entry("name", e.arena_string(name, None)).entry("version", e.arena_string(version, None)).finish())
    }),
    ("splitVersion", 1, |e, a| {
        let text = e.force_plain(a[0])?;
        let parts: Vec<Value<'_>> = Components { rest: text }.map(|c| e.arena_string(c, None)).collect();
        Ok(e.list(parts))
    }),
];

/// The name ends before the first dash that no letter follows.
fn split_name(text: &[u8]) -> (&[u8], &[u8]) {
    let dash = (0..text.len()).find(|i| text[*i] == b'-' && text.get(i + 1).is_some_and(|b| !b.is_ascii_alphabetic()));
    match dash {
        Some(i) => (&text[..i], &text[i + 1..]),
        None => (text, b""),
    }
}

/// Runs of digits and runs of anything else, without the dots and dashes between them.
struct Components<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Components<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let start = self.rest.iter().position(|b| !matches!(b, b'.' | b'-'))?;
        let rest = &self.rest[start..];
        let digits = rest[0].is_ascii_digit();
        let len =
            rest.iter().position(|b| matches!(b, b'.' | b'-') || b.is_ascii_digit() != digits).unwrap_or(rest.len());
        self.rest = &rest[len..];
        Some(&rest[..len])
    }
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let mut left = Components { rest: left };
    let mut right = Components { rest: right };
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => {
                let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
                if component_less(a, b) {
                    return Ordering::Less;
                }
                if component_less(b, a) {
                    return Ordering::Greater;
                }
            }
        }
    }
}

/// Numbers by value and above words; `pre` below everything; nothing below numbers.
fn component_less(a: &[u8], b: &[u8]) -> bool {
    let number = |c: &[u8]| std::str::from_utf8(c).ok().and_then(|t| t.parse::<u64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a < b,
        (_, Some(_)) if a.is_empty() => true,
        (_, b_number) => {
            if a == b"pre" && b != b"pre" {
                true
            } else if b == b"pre" {
                false
            } else if b_number.is_some() {
                true
            } else if number(a).is_some() {
                false
            } else {
                a < b
            }
        }
    }
}
