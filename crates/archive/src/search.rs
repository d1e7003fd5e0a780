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

/// Up to three package names like `name`, the likest first: few letters differ, or `name` is its first part.
pub fn similar_names(index: &Index, name: &str) -> Vec<String> {
    let limit = match name.len() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let mut similar: Vec<(usize, &str)> = Vec::new();
    for candidate in index.names() {
        let distance = edit_distance(name.as_bytes(), candidate.as_bytes(), limit);
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

/// How many letters must be inserted, removed, replaced or swapped with a neighbour; `None` when more than `limit`.
fn edit_distance(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, &letter) in left.iter().enumerate() {
        let mut next = vec![at + 1];
        for (position, &other) in right.iter().enumerate() {
            let mut best =
                (row[position] + usize::from(letter != other)).min(row[position + 1] + 1).min(next[position] + 1);
            if at > 0 && position > 0 && letter == right[position - 1] && left[at - 1] == other {
                best = best.min(before[position - 1] + 1);
            }
            next.push(best);
        }
        if next.iter().all(|&distance| distance > limit) {
            return None;
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_swaps_once() {
        let distance = |left: &str, right: &str| edit_distance(left.as_bytes(), right.as_bytes(), 3);
        assert_eq!(distance("nginx", "nginx"), Some(0));
        assert_eq!(distance("ngnix", "nginx"), Some(1));
        assert_eq!(distance("opensh", "openssh"), Some(1));
        assert_eq!(distance("kitten", "sitting"), Some(3));
        assert_eq!(distance("bash", "postgresql"), None);
        assert_eq!(distance("", ""), Some(0));
    }
}
