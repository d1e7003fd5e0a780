//! Where in a TOML text the cursor is. Looks at lines, not at a tree: while it is typed, TOML rarely is whole.

use std::ops::Range;

use crate::cursor::{Cursor, Subject};

/// What the cursor at an offset is at; `None` within comments and in values that are no package.
pub(crate) fn at(text: &str, offset: usize) -> Option<Cursor> {
    let line_start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[offset..].find('\n').map_or(text.len(), |newline| offset + newline);
    let (before, line) = (&text[line_start..offset], &text[line_start..line_end]);
    if outside_quotes(before, '#').is_some() {
        return None;
    }
    if before.trim_start().starts_with('[') && !is_within_array(&text[..line_start]) {
        return Some(name(before.trim_start().trim_start_matches('['), text, offset, Vec::new()));
    }
    let table = table(&text[..line_start]);
    if let Some(key) = open_key(text, line_start, before) {
        let mut option = table;
        option.extend(split(key));
        let word = quoted_word(line, offset - line_start)?;
        let word = line_start + word.start..line_start + word.end;
        return Some(Cursor { subject: Subject::Value { option, with_packages: true }, word });
    }
    Some(name(before, text, offset, table))
}

/// A key, whose parts before the cursor are `before`.
fn name(before: &str, text: &str, offset: usize, mut path: Vec<String>) -> Cursor {
    let mut parts = split(before);
    let start = offset - parts.last().map_or(0, |word| before.trim_end().len().min(word.len()));
    parts.pop();
    path.append(&mut parts);
    let length =
        text[offset..].find(|c: char| !(c.is_alphanumeric() || "-_".contains(c))).unwrap_or(text.len() - offset);
    Cursor { subject: Subject::Option(path), word: start..offset + length }
}

/// The parts of a dotted key; behind a last point there is an empty one.
fn split(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for character in key.trim().chars() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '.') => parts.push(String::new()),
            (None, ' ') => {}
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(character);
                }
            }
        }
    }
    parts
}

/// The table that lines are in.
fn table(before: &str) -> Vec<String> {
    let header = before
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| line.starts_with('[') && !line.contains('=') && line.contains(']'));
    let Some(header) = header else { return Vec::new() };
    let (name, _) = header.trim_start_matches('[').split_once(']').unwrap_or_default();
    split(name)
}

/// The key whose value the cursor is in: on its line, or on lines of an array before it.
fn open_key<'t>(text: &'t str, line_start: usize, before: &'t str) -> Option<&'t str> {
    if let Some(sign) = outside_quotes(before, '=') {
        return Some(&before[..sign]);
    }
    if !is_within_array(&text[..line_start]) {
        return None;
    }
    let line = text[..line_start].lines().rev().find(|line| outside_quotes(line, '=').is_some())?;
    outside_quotes(line, '=').map(|sign| &line[..sign])
}

/// Whether an array that began on an earlier line goes on.
fn is_within_array(before: &str) -> bool {
    let mut open = 0i32;
    for line in before.lines().rev() {
        let sign = outside_quotes(line, '=');
        let value = sign.map_or(line, |sign| &line[sign..]);
        if sign.is_none() && line.trim_start().starts_with('[') && open == 0 && line.trim_end().ends_with(']') {
            return false;
        }
        open += count(value, '[') - count(value, ']');
        if sign.is_some() {
            return open > 0;
        }
    }
    false
}

fn count(line: &str, wanted: char) -> i32 {
    i32::try_from(places_outside_quotes(line, wanted).count()).unwrap_or(i32::MAX)
}

fn outside_quotes(line: &str, wanted: char) -> Option<usize> {
    places_outside_quotes(line, wanted).next()
}

fn places_outside_quotes(line: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut quote = None;
    line.char_indices().filter_map(move |(at, character)| {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, _) if character == wanted => return Some(at),
            _ => {}
        }
        None
    })
}

/// The text between the quotes around a column.
fn quoted_word(line: &str, column: usize) -> Option<Range<usize>> {
    let quotes: Vec<usize> = line.match_indices('"').map(|(at, _)| at).collect();
    let opened = quotes.iter().rposition(|at| *at < column).filter(|index| index % 2 == 0)?;
    let close = quotes.get(opened + 1).copied().unwrap_or(column);
    Some(quotes[opened] + 1..close.max(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let offset = text.find('|').expect("a cursor");
        let text = text.replacen('|', "", 1);
        match at(&text, offset) {
            Some(Cursor { subject: Subject::Option(path), word }) => format!("{}|{}", path.join("."), &text[word]),
            Some(Cursor { subject: Subject::Value { option, .. }, word }) => {
                format!("{}={}", option.join("."), &text[word])
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn keys_have_their_table_before_them() {
        for (text, expected) in [
            ("services.open|", "services|open"),
            ("services.|\nother = 1", "services|"),
            ("a = 1\n[users.users.me]\nisN|", "users.users.me|isN"),
            ("[users.us|", "users|us"),
            ("[users.users.\"a b\"]\nx = [\n1 ]\n|", "users.users.a b|"),
            ("networking.host|Name = \"x\"", "networking|hostName"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn values_have_their_key() {
        for (text, expected) in [
            ("environment.systemPackages = [\"vi|\"]", "environment.systemPackages=vi"),
            ("[environment]\nsystemPackages = [\n  \"git\",\n  \"vi|m\",\n]", "environment.systemPackages=vim"),
            ("a = 1 # services.|", "None"),
            ("a = |", "None"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
