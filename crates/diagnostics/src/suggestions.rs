//! What people may have meant by a name that there is not.

/// How many names are suggested at most.
const MOST: usize = 3;

/// The names most like `wanted`, at most three, in order. Only the nearest count: among the 60,000 names of an archive
/// there are always some at two edits, and they only distract from one at one.
pub fn nearest(wanted: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let limit = match wanted.len() {
        0..=2 => 1,
        3..=7 => 2,
        _ => 3,
    };
    let mut near: Vec<(usize, String)> = names
        .into_iter()
        .filter(|name| name != wanted && name.len().abs_diff(wanted.len()) <= limit)
        .map(|name| (strsim::osa_distance(wanted, &name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort();
    near.dedup();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter().filter(|(distance, _)| *distance == best).take(MOST).map(|(_, name)| name).collect()
}

/// "did you mean `a` or `b`?"; `None` without names.
pub fn did_you_mean(names: &[String]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest_of(wanted: &str, names: &[&str]) -> Vec<String> {
        nearest(wanted, names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn only_the_nearest_are_suggested() {
        assert_eq!(nearest_of("enbale", &["enable", "enabled", "table"]), ["enable"]);
        assert_eq!(nearest_of("prots", &["ports", "port"]), ["ports"]);
        assert!(nearest_of("x", &["abc"]).is_empty());
        assert!(nearest_of("same", &["same"]).is_empty());
    }

    #[test]
    fn names_are_joined_for_people() {
        assert_eq!(did_you_mean(&["a".into(), "b".into()]), Some("did you mean `a` or `b`?".into()));
        assert_eq!(did_you_mean(&[]), None);
    }
}
