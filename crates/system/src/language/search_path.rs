//! The search path of `<name>`: `-I` and `NIX_PATH`.

/// The entries of `NIX_PATH`: separated by colons, but not by the one of an URL.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut entries = Vec::new();
    let mut entry = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let start = entry.rsplit('=').next().unwrap_or_default();
        let is_url = rest.starts_with("//") || matches!(start, "channel" | "flake");
        if c == ':' && !(is_url && !start.is_empty() && start.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')) {
            entries.push(std::mem::take(&mut entry));
        } else {
            entry.push(c);
        }
    }
    entries.push(entry);
    entries.retain(|entry| !entry.is_empty());
    entries
}

/// Prefix and path of an entry.
pub(super) fn entry(text: &str) -> (String, String) {
    match text.split_once('=') {
        Some((prefix, path)) => (prefix.to_owned(), path.to_owned()),
        None => (String::new(), text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{entry, split};

    #[test]
    fn colons_of_urls_separate_nothing() {
        assert_eq!(
            split("a=/x:/y:b=https://h/t.tar.gz:c=flake:nixpkgs"),
            ["a=/x", "/y", "b=https://h/t.tar.gz", "c=flake:nixpkgs"]
        );
        assert!(split("").is_empty());
    }

    #[test]
    fn an_entry_may_have_a_prefix() {
        assert_eq!(entry("a=/b=c"), ("a".to_owned(), "/b=c".to_owned()));
        assert_eq!(entry("/b"), (String::new(), "/b".to_owned()));
    }
}
