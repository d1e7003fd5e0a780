//! sysusers.d(5): lines that describe system users and groups → effects, like those of scripts.
//!
//! Nothing is allocated: `-` leaves the number to the name. An id given as a path (the owner of a file) or as a range does
//! the same, since there is no file to look at when an image is made.

use super::AccountsError;
use crate::effect::{Effect, Group, Membership, User};

/// Reads one file.
///
/// # Errors
/// When a line is no sysusers.d line.
pub fn parse_sysusers(file: &str, text: &str) -> Result<Vec<Effect>, AccountsError> {
    let mut effects = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let wrong = || AccountsError::Line { file: file.to_owned(), line: line.to_owned() };
        let fields = split_fields(line).ok_or_else(wrong)?;
        let field =
            |index: usize| fields.get(index).map(String::as_str).filter(|text| !text.is_empty() && *text != "-");
        let name = field(1).ok_or_else(wrong)?.to_owned();
        match fields[0].trim_end_matches('!') {
            "u" => {
                let (uid, group) = user_ids(field(2));
                effects.push(Effect::User(User {
                    name,
                    uid,
                    group,
                    description: field(3).map(str::to_owned),
                    home: Some(field(4).unwrap_or("/").to_owned()),
                    shell: field(5).map(str::to_owned),
                }));
            }
            "g" => effects.push(Effect::Group(Group { name, gid: field(2).and_then(|id| id.parse().ok()) })),
            "m" => effects
                .push(Effect::Membership(Membership { user: name, group: field(2).ok_or_else(wrong)?.to_owned() })),
            "r" => {}
            _ => return Err(wrong()),
        }
    }
    Ok(effects)
}

/// `UID`, `UID:GID`, `UID:GROUPNAME` or `-:GROUPNAME`.
fn user_ids(id: Option<&str>) -> (Option<u32>, Option<String>) {
    let (uid, group) = match id.and_then(|id| id.split_once(':')) {
        Some((uid, group)) => (Some(uid), Some(group)),
        None => (id, None),
    };
    // The one group that Debian's files name by its number; a view without base-passwd cannot look the name up.
    let group = group.map(|group| if group == "65534" { "nogroup" } else { group });
    let group = group.filter(|group| group.parse::<u32>().is_err()).map(str::to_owned);
    (uid.and_then(|uid| uid.parse().ok()), group)
}

/// Fields are separated by blanks; quotes of both kinds group them. `None` when a quote stays open.
fn split_fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        let mut field = String::new();
        let mut quote = None;
        while let Some(&c) = chars.peek() {
            match quote {
                None if c.is_whitespace() => break,
                None if c == '"' || c == '\'' => quote = Some(c),
                Some(open) if c == open => quote = None,
                _ => field.push(c),
            }
            chars.next();
        }
        if quote.is_some() {
            return None;
        }
        fields.push(field);
    }
    Some(fields)
}
