//! Boot entries: their names with boot counters, and their text.
//!
//! Knows the Boot Loader Specification's Type #1 syntax and Esker's naming; touches no disk. A file name is
//! `esker-N[-specialisation][+left[-done]].conf`; the counter belongs to the firmware side and is always parsed and kept.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use crate::esp::EspPath;

/// The key by which the boot menu keeps Esker's entries together.
pub const SORT_KEY: &str = "esker";

/// Which generation, and which of its specialisations, an entry boots. Ordered by generation, the generation itself first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The generation's number.
    pub generation: u32,
    /// A specialisation's name, if it is not the generation itself.
    pub specialisation: Option<String>,
}

/// How often an entry may still be tried, and how often it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Tries left.
    pub left: u32,
    /// Tries made that nobody declared good.
    pub done: u32,
}

/// The name of an entry's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFileName {
    /// What it boots.
    pub id: EntryId,
    /// Its counter; an entry without one is known to be good, or nobody counts.
    pub counter: Option<Counter>,
}

/// All that an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPlan {
    /// What it boots.
    pub id: EntryId,
    /// Its title in the menu.
    pub title: String,
    /// What orders entries of one sort key, newest first, and tells equal titles apart.
    pub version: String,
    /// The machine's id; nothing if the entry is not bound to one.
    pub machine_id: Option<String>,
    /// The kernel.
    pub linux: EspPath,
    /// The initrd.
    pub initrd: Option<EspPath>,
    /// The kernel's command line.
    pub options: Vec<String>,
}

/// A value would break the entry's syntax.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryError {
    /// A line break inside a value.
    #[error("the boot entry of {id} has a line break in its {field}: `{value}`")]
    LineBreak {
        /// The entry.
        id: EntryId,
        /// The field.
        field: &'static str,
        /// The value.
        value: String,
    },
}

impl fmt::Display for EntryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "esker-{}", self.generation)?;
        match &self.specialisation {
            Some(name) => write!(out, "-{name}"),
            None => Ok(()),
        }
    }
}

impl EntryId {
    /// The id of a generation itself.
    #[must_use]
    pub fn of_generation(generation: u32) -> Self {
        EntryId { generation, specialisation: None }
    }

    /// Parses `esker-N[-specialisation]`; nothing if it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("esker-")?;
        let (number, specialisation) = match rest.split_once('-') {
            Some((number, name)) => (number, Some(name.to_owned())),
            None => (rest, None),
        };
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let generation = number.parse().ok().filter(|_| is_number)?;
        if specialisation.as_deref() == Some("") {
            return None;
        }
        Some(EntryId { generation, specialisation })
    }

    /// The name by which `loader.conf` and EFI variables refer to the entry, whatever its counter.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{self}.conf")
    }
}

impl EntryFileName {
    /// Parses a file name in `loader/entries`; nothing if the entry is not one of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".conf")?;
        let (id, counter) = split_counter(stem);
        Some(EntryFileName { id: EntryId::parse(id)?, counter })
    }
}

impl fmt::Display for EntryFileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.id)?;
        match self.counter {
            None => {}
            Some(Counter { left, done: 0 }) => write!(out, "+{left}")?,
            Some(Counter { left, done }) => write!(out, "+{left}-{done}")?,
        }
        out.write_str(".conf")
    }
}

/// Splits `+left[-done]` off a file name without its suffix.
pub(crate) fn split_counter(stem: &str) -> (&str, Option<Counter>) {
    let parse = |text: &str| {
        let (left, done) = text.split_once('-').unwrap_or((text, "0"));
        Some(Counter { left: left.parse().ok()?, done: done.parse().ok()? })
    };
    match stem.rsplit_once('+').map(|(id, counter)| (id, parse(counter))) {
        Some((id, Some(counter))) => (id, Some(counter)),
        _ => (stem, None),
    }
}

impl EntryPlan {
    /// The entry's text.
    ///
    /// Errors when a value holds a line break.
    pub fn render(&self) -> Result<String, EntryError> {
        let options = self.options.join(" ");
        let mut lines = vec![("title", self.title.as_str()), ("sort-key", SORT_KEY), ("version", &self.version)];
        if let Some(machine_id) = &self.machine_id {
            lines.push(("machine-id", machine_id));
        }
        let linux = self.linux.to_string();
        let initrd = self.initrd.as_ref().map(EspPath::to_string);
        lines.push(("linux", &linux));
        if let Some(initrd) = &initrd {
            lines.push(("initrd", initrd));
        }
        lines.push(("options", &options));
        let mut text = String::new();
        for (field, value) in lines {
            if value.contains(['\n', '\r', '\0']) {
                return Err(EntryError::LineBreak { id: self.id.clone(), field, value: value.to_owned() });
            }
            text.push_str(&format!("{field} {value}\n"));
        }
        Ok(text)
    }
}

/// The files on the ESP that an entry, ours or another's, needs to boot.
#[must_use]
pub fn referenced_files(text: &str) -> Vec<EspPath> {
    let value = |line: &str| {
        let (field, value) = line.trim().split_once([' ', '\t'])?;
        let is_file = matches!(field, "linux" | "initrd" | "efi" | "uki" | "devicetree" | "devicetree-overlay");
        is_file.then(|| value.split_whitespace().map(EspPath::new).collect::<Vec<_>>())
    };
    text.lines().filter_map(value).flatten().collect()
}

/// Compares version texts as people read them: runs of digits by value, the rest bytewise.
#[must_use]
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (text_left, rest_left) = left.split_at(left.find(|c: char| c.is_ascii_digit()).unwrap_or(left.len()));
        let (text_right, rest_right) = right.split_at(right.find(|c: char| c.is_ascii_digit()).unwrap_or(right.len()));
        let number = |rest: &str| rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits_left, next_left) = rest_left.split_at(number(rest_left));
        let (digits_right, next_right) = rest_right.split_at(number(rest_right));
        let (value_left, value_right) = (digits_left.trim_start_matches('0'), digits_right.trim_start_matches('0'));
        let order = text_left
            .cmp(text_right)
            .then(value_left.len().cmp(&value_right.len()))
            .then_with(|| value_left.cmp(value_right));
        if order != Ordering::Equal || (next_left.is_empty() && next_right.is_empty()) {
            return order;
        }
        (left, right) = (next_left, next_right);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Counter, EntryError, EntryFileName, EntryId, EntryPlan, compare_versions, referenced_files};
    use crate::esp::EspPath;

    fn plan() -> EntryPlan {
        EntryPlan {
            id: EntryId::of_generation(12),
            title: "Esker web1, generation 12".to_owned(),
            version: "12 13.2".to_owned(),
            machine_id: None,
            linux: EspPath::new("EFI/esker/aa-kernel.efi"),
            initrd: Some(EspPath::new("EFI/esker/bb-initrd.efi")),
            options: vec!["init=/nix/store/x/init".to_owned(), "quiet".to_owned()],
        }
    }

    #[test]
    fn file_names_keep_their_counters() {
        for (name, generation, specialisation, counter) in [
            ("esker-1.conf", 1, None, None),
            ("esker-12+3.conf", 12, None, Some(Counter { left: 3, done: 0 })),
            ("esker-12+2-1.conf", 12, None, Some(Counter { left: 2, done: 1 })),
            ("esker-12+0-3.conf", 12, None, Some(Counter { left: 0, done: 3 })),
            ("esker-7-gnome-x.conf", 7, Some("gnome-x"), None),
            ("esker-7-gnome+1-2.conf", 7, Some("gnome"), Some(Counter { left: 1, done: 2 })),
        ] {
            let parsed = EntryFileName::parse(name).unwrap();
            let id = EntryId { generation, specialisation: specialisation.map(str::to_owned) };
            assert_eq!(parsed, EntryFileName { id, counter });
            assert_eq!(parsed.to_string(), name);
        }
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in
            ["nixos-generation-1.conf", "esker-.conf", "esker-x.conf", "esker-1", "esker-1-.conf", "esker-+1.conf"]
        {
            assert_eq!(EntryFileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_text_is_a_type_1_entry() {
        assert_eq!(
            plan().render().unwrap(),
            "title Esker web1, generation 12\n\
             sort-key esker\n\
             version 12 13.2\n\
             linux /EFI/esker/aa-kernel.efi\n\
             initrd /EFI/esker/bb-initrd.efi\n\
             options init=/nix/store/x/init quiet\n"
        );
        assert_eq!(referenced_files(&plan().render().unwrap()), [plan().linux, plan().initrd.unwrap()]);
    }

    #[test]
    fn a_line_break_cannot_add_a_field() {
        let mut plan = plan();
        plan.options.push("a\nlinux /evil.efi".to_owned());
        assert!(matches!(plan.render(), Err(EntryError::LineBreak { field: "options", .. })));
    }

    #[test]
    fn versions_compare_by_number() {
        for (left, right, order) in [
            ("257.8-1", "257.10-1", Ordering::Less),
            ("257.8-1~deb13u2", "257.8-1~deb13u2", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("258", "257.99", Ordering::Greater),
            ("007", "7", Ordering::Equal),
            ("257", "257.1", Ordering::Less),
        ] {
            assert_eq!(compare_versions(left, right), order, "{left} {right}");
            assert_eq!(compare_versions(right, left), order.reverse());
        }
    }
}
