//! Finding packages by words, and names like a misspelt one.
//!
//! Words are looked for in names and one-line summaries; longer descriptions are not part of the index.

use crate::index::{Index, IndexError};

/// A package found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// One line of description.
    pub summary: String,
}

/// Packages whose name or summary holds every word, whatever the case: first those whose name is a word, then those whose
/// name holds a word, then the others; by name within each. No words find nothing.
pub fn search(index: &Index, words: &[&str]) -> Result<Vec<Found>, IndexError> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for line in index.summaries()?.lines() {
        let (name, summary) = line.split_once('\t').unwrap_or((line, ""));
        let lower = summary.to_lowercase();
        if words.iter().all(|word| name.contains(word) || lower.contains(word)) {
            let rank = if words.iter().any(|word| word == name) {
                0
            } else {
                1 + u8::from(!words.iter().any(|word| name.contains(word)))
            };
            found.push((rank, Found { name: name.to_owned(), summary: summary.to_owned() }));
        }
    }
    // The summaries are sorted by name, and the sort is stable.
    found.sort_by_key(|&(rank, _)| rank);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// All packages, by name.
pub fn all(index: &Index) -> Result<Vec<Found>, IndexError> {
    let found = |line: &str| {
        let (name, summary) = line.split_once('\t').unwrap_or((line, ""));
        Found { name: name.to_owned(), summary: summary.to_owned() }
    };
    Ok(index.summaries()?.lines().map(found).collect())
}

/// Up to three package names like `name`, the likest first: few letters differ, or `name` is its first part.
pub fn similar_names(index: &Index, name: &str) -> Vec<String> {
    let limit = match name.len() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let mut similar: Vec<(usize, &str)> = Vec::new();
    for candidate in index.names() {
        let near = candidate.len().abs_diff(name.len()) <= limit;
        let distance = near.then(|| strsim::osa_distance(name, candidate)).filter(|distance| *distance <= limit);
        let extends = candidate
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['-', '.']) || rest.starts_with(|first: char| first.is_ascii_digit()));
        if let Some(distance) = distance.or(extends.then_some(limit)) {
            similar.push((distance, candidate));
        }
    }
    similar.sort();
    similar.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}
