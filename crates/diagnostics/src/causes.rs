//! An error with what caused it.

use std::error::Error;

/// An error, what caused it, what caused that, and so on.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What an error and each of its causes say. A transparent error says what its source says: that comes once.
pub fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages: Vec<String> = causes(error).map(ToString::to_string).collect();
    messages.dedup();
    messages
}

/// An error and its causes in one line: `cannot read `a`: permission denied`.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    messages(error).join(": ")
}
