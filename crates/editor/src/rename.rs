//! Renaming a local name: what to replace by what.

use std::ops::Range;

use syntax::concrete::{TokenKind, Tree};

use crate::scopes::{Inherit, Local, Names, Place};

/// A piece of a text and what comes in its place.
#[derive(Debug, PartialEq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

/// Why a name cannot be changed.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum RenameError {
    #[error("this is no name that `let`, a function or a recursive set binds")]
    NotLocal,
    #[error("`{0}` is no name")]
    NoName(String),
    #[error("`{0}` is something else here already")]
    Taken(String),
}

/// The edits that give the name at an offset another.
pub(crate) fn rename(tree: &Tree<'_>, offset: usize, new: &str) -> Result<Vec<Edit>, RenameError> {
    let names = Names::of(tree);
    let local = names.at(offset).ok_or(RenameError::NotLocal)?;
    if !is_name(new) {
        return Err(RenameError::NoName(new.to_owned()));
    }
    if local.name == new {
        return Ok(Vec::new());
    }
    // Nothing that is called so may be within its scope, whoever binds it: one of the two would stand for the other.
    if names.is_used_within(new, &local.scope) {
        return Err(RenameError::Taken(new.to_owned()));
    }
    Ok(local.places.iter().flat_map(|place| edits(tree, local, place, new)).collect())
}

fn is_name(text: &str) -> bool {
    let tree = Tree::of(text);
    matches!(tree.tokens.as_slice(), [only, _] if only.kind == TokenKind::Name)
}

fn edits(tree: &Tree<'_>, local: &Local, place: &Place, new: &str) -> Vec<Edit> {
    match &place.inherit {
        None => vec![Edit { range: place.range.clone(), text: new.to_owned() }],
        Some(inherit) => inherited(tree, place, inherit, (&local.name, new)),
    }
}

/// `inherit` binds equal names; with two it becomes a binding of its own.
fn inherited(tree: &Tree<'_>, place: &Place, inherit: &Inherit, (old, new): (&str, &str)) -> Vec<Edit> {
    let binding = match (place.binds, &inherit.from) {
        (true, Some(from)) => format!("{new} = {from}.{old};"),
        (true, None) => format!("{new} = {old};"),
        (false, _) => format!("{old} = {new};"),
    };
    if inherit.names == 1 {
        return vec![Edit { range: inherit.statement.clone(), text: binding }];
    }
    let before = &tree.text[..place.range.start];
    let blank = before.len() - before.trim_end().len();
    vec![
        Edit { range: place.range.start - blank..place.range.end, text: String::new() },
        Edit { range: inherit.statement.end..inherit.statement.end, text: format!(" {binding}") },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(text: &str, new: &str) -> Result<String, RenameError> {
        let offset = text.find('|').expect("a cursor");
        let mut text = text.replacen('|', "", 1);
        let mut edits = rename(&Tree::of(&text), offset, new)?;
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.range.start));
        for edit in edits {
            text.replace_range(edit.range, &edit.text);
        }
        Ok(text)
    }

    #[test]
    fn what_is_bound_and_used_changes_together() {
        let done = |text, new| renamed(text, new).unwrap();
        assert_eq!(done("let |a = 1; in { a = a; b = (a: a) a; }", "c"), "let c = 1; in { a = c; b = (a: a) c; }");
        assert_eq!(done("{ x, y ? |x }: \"${x}\"", "z"), "{ z, y ? z }: \"${z}\"");
        assert_eq!(done("let |a = 1; in { inherit a; }", "c"), "let c = 1; in { a = c; }");
        assert_eq!(done("let |a = 1; in { inherit a x; }", "c"), "let c = 1; in { inherit x; a = c; }");
        assert_eq!(done("let inherit (x.y) |a b; in a", "c"), "let inherit (x.y) b; c = x.y.a; in c");
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        assert_eq!(renamed("let |a = 1; b = 2; in a", "b"), Err(RenameError::Taken("b".to_owned())));
        assert_eq!(renamed("let |a = 1; in b: a", "b"), Err(RenameError::Taken("b".to_owned())));
        assert_eq!(renamed("let |a = 1; in a + b", "b"), Err(RenameError::Taken("b".to_owned())));
        for new in ["if", "1a", "a b", "", "a.b"] {
            assert_eq!(renamed("let |a = 1; in a", new), Err(RenameError::NoName(new.to_owned())));
        }
        assert_eq!(renamed("{ |a = 1; }", "b"), Err(RenameError::NotLocal));
    }
}
