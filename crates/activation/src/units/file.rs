//! Unit files as values: systemd.syntax(7). Parses text, no I/O, and knows no key's meaning.

use std::collections::BTreeMap;

/// A unit: section → key → values, in the order of assignment. Drop-ins are parsed into the same value after the main file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    pub(super) sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Unit {
    /// Reads a whole unit file. Lines that are neither comment, section nor assignment are ignored, as systemd does.
    pub fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        unit.merge(text);
        unit
    }

    /// Reads another file on top: later assignments add to a key, an empty one clears it.
    pub fn merge(&mut self, text: &str) {
        let mut section = String::new();
        for line in logical_lines(text) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                let keys = self.sections.entry(section.clone()).or_default();
                let values = keys.entry(key.trim_end().to_owned()).or_default();
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_owned()),
                }
            }
        }
    }

    /// All values of a key; empty when it is not set.
    pub fn values(&self, section: &str, key: &str) -> &[String] {
        self.sections.get(section).and_then(|keys| keys.get(key)).map_or(&[], Vec::as_slice)
    }

    /// The value that counts for a key with one value: the last.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).last().map(String::as_str)
    }

    /// The blank-separated words of all values of a key.
    pub fn words(&self, section: &str, key: &str) -> impl Iterator<Item = &str> {
        self.values(section, key).iter().flat_map(|value| value.split_whitespace())
    }

    /// A boolean, `default` when it is unset or none. NixOS's `X-` keys are looked for in [Unit] and [Service] both.
    pub(super) fn flag(&self, key: &str, default: Flag) -> bool {
        let value = self.value("Unit", key).or_else(|| self.value("Service", key));
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("1" | "yes" | "true" | "on" | "y" | "t") => true,
            Some("0" | "no" | "false" | "off" | "n" | "f") => false,
            _ => default == Flag::Set,
        }
    }
}

/// What an unset boolean means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Set,
    Unset,
}

/// Lines without comments and surrounding blanks, continued lines joined by a blank.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        // Comments may stand between the lines of a continued one.
        if line.starts_with(['#', ';']) || (line.is_empty() && pending.is_none()) {
            continue;
        }
        let (content, continues) = match line.strip_suffix('\\') {
            Some(content) => (content.trim_end(), true),
            None => (line, false),
        };
        let whole = match pending.take() {
            Some(before) => format!("{before} {content}"),
            None => content.to_owned(),
        };
        if continues {
            pending = Some(whole);
        } else {
            lines.push(whole);
        }
    }
    lines.extend(pending);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_continuations_and_resets_are_read_as_systemd_does() {
        let text = "# c\n[Unit]\nAfter=a.target b.target\nAfter = c.target\n; c\n[Service]\nExecStart=/bin/a \\\n# within\n  --long \\\n  x\n\
                    Environment=A=1\nEnvironment=\nEnvironment=B=2 = 3\nnonsense\n";
        let unit = Unit::parse(text);
        let after: Vec<&str> = unit.words("Unit", "After").collect();
        assert_eq!(after, ["a.target", "b.target", "c.target"]);
        assert_eq!(unit.value("Service", "ExecStart"), Some("/bin/a --long x"));
        assert_eq!(unit.values("Service", "Environment"), ["B=2 = 3"]);
    }

    #[test]
    fn a_drop_in_adds_and_clears() {
        let mut unit = Unit::parse("[Service]\nExecStart=/bin/a\nRestart=no\n");
        unit.merge("[Service]\nExecStart=\nExecStart=/bin/b\nRestart=always\n");
        assert_eq!(unit.values("Service", "ExecStart"), ["/bin/b"]);
        assert_eq!(unit.value("Service", "Restart"), Some("always"));
    }

    #[test]
    fn flags_are_systemd_booleans() {
        let unit = Unit::parse("[Unit]\nX-A=no\n[Service]\nX-B=TRUE\nX-C=maybe\n");
        assert!(!unit.flag("X-A", Flag::Set));
        assert!(unit.flag("X-B", Flag::Unset));
        assert!(unit.flag("X-C", Flag::Set) && !unit.flag("X-D", Flag::Unset));
    }
}
