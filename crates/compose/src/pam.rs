//! /etc/pam.d/common-*: the stacks that `pam-auth-update` would write, out of the packages' profiles and templates.
//!
//! Source: pam-auth-update(8) and the profile format of <https://wiki.ubuntu.com/PAMConfigFrameworkSpec>. Local edits are
//! not merged: who wants another stack declares the whole file. Reads nothing.

use std::collections::{BTreeMap, BTreeSet};

/// Stack names with the profile fields they take, as in /usr/share/pam/common-NAME.
const STACKS: [&str; 5] = ["auth", "account", "password", "session", "session-noninteractive"];

const PRIMARY: &str = "# here are the per-package modules (the \"Primary\" block)";
const FALLBACK: &str = "# here's the fallback if no module succeeds";
const ADDITIONAL: &str = "# and here are more per-package modules (the \"Additional\" block)";
const END: &str = "# end of pam-auth-update config";

/// Which profiles take part, beyond those that are on by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PamSelection {
    /// More profiles: name → text in the format of /usr/share/pam-configs. They win over a package's of the same name and
    /// are on unless they say `Default: no`.
    pub profiles: BTreeMap<String, String>,
    /// Profiles to switch on (`mkhomedir`).
    pub enable: BTreeSet<String>,
    /// Profiles to switch off.
    pub disable: BTreeSet<String>,
}

/// A profile: field → text, continuation lines joined by line breaks.
type Profile = BTreeMap<String, String>;

/// The files of /etc/pam.d: `common-auth` and its siblings, for each template given.
///
/// `profiles` and `templates` are the packages' files by name (`unix`; `auth` for `common-auth`). A template without the
/// four marker comments is passed on as it is.
#[must_use]
pub fn compose_stacks(
    profiles: &BTreeMap<String, String>,
    templates: &BTreeMap<String, String>,
    selection: &PamSelection,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<&str, Profile> = BTreeMap::new();
    for (name, text) in profiles.iter().chain(&selection.profiles) {
        all.insert(name, parse_profile(text));
    }
    let mut enabled: Vec<(&str, &Profile)> =
        all.iter().filter(|(name, profile)| takes_part(name, profile, selection)).map(|(n, p)| (*n, p)).collect();
    // Highest priority first; between equals the later name, as pam-auth-update sorts them.
    enabled.sort_by(|(a, pa), (b, pb)| priority(pb).cmp(&priority(pa)).then_with(|| b.cmp(a)));
    let stack = |name: &str| templates.get(name).map(|template| fill_template(template, name, &enabled));
    STACKS.iter().filter_map(|name| stack(name).map(|text| (format!("common-{name}"), text))).collect()
}

fn takes_part(name: &str, profile: &Profile, selection: &PamSelection) -> bool {
    let by_default = profile.get("Default").is_some_and(|value| value == "yes")
        || (selection.profiles.contains_key(name) && !profile.contains_key("Default"));
    (by_default || selection.enable.contains(name)) && !selection.disable.contains(name)
}

fn priority(profile: &Profile) -> i64 {
    profile.get("Priority").and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn parse_profile(text: &str) -> Profile {
    let mut profile = Profile::new();
    let mut field = String::new();
    for line in text.lines() {
        let header = line.split_once(':').filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
        match header {
            Some((name, value)) if value.is_empty() || value.starts_with(char::is_whitespace) => {
                field = name.strip_suffix("-Final").unwrap_or(name).to_owned();
                profile.insert(field.clone(), value.trim().to_owned());
            }
            _ => {
                let line = line.trim();
                let value = profile.entry(field.clone()).or_default();
                if !line.is_empty() {
                    if !value.is_empty() {
                        value.push('\n');
                    }
                    value.push_str(line);
                }
            }
        }
    }
    profile
}

/// A profile's lines for one block of one stack; the first module of a block takes its `-Initial` lines.
fn block_lines<'a>(stack: &str, block: &str, enabled: &[(&str, &'a Profile)]) -> Vec<&'a str> {
    let field = match stack {
        "auth" => "Auth",
        "account" => "Account",
        "password" => "Password",
        _ => "Session",
    };
    let mut lines = Vec::new();
    let mut position = 0;
    for (_, profile) in enabled {
        let interactive_only = profile.get("Session-Interactive-Only").is_some_and(|value| value == "yes");
        if stack == "session-noninteractive" && interactive_only {
            continue;
        }
        if profile.get(&format!("{field}-Type")).map(String::as_str) != Some(block) {
            continue;
        }
        let initial = profile.get(&format!("{field}-Initial")).filter(|text| position == 0 && !text.is_empty());
        let text = initial.or_else(|| profile.get(field)).map_or("", String::as_str);
        lines.extend(text.lines().filter(|line| !line.is_empty()));
        position += 1;
    }
    lines
}

fn fill_template(template: &str, stack: &str, enabled: &[(&str, &Profile)]) -> String {
    let kind = stack.split('-').next().unwrap_or(stack);
    let mut text = String::new();
    let mut skipping = false;
    for line in template.lines() {
        if line.starts_with(FALLBACK) || line.starts_with(END) {
            skipping = false;
        }
        if skipping {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        if line.starts_with(PRIMARY) {
            skipping = true;
            let lines = block_lines(stack, "Primary", enabled);
            if lines.is_empty() {
                // Without any module the stack must still reach the line after `pam_deny`, or every login fails.
                text.push_str(kind);
                text.push_str("\t[default=1]\t\t\tpam_permit.so\n");
            }
            push_lines(&mut text, kind, &lines, lines.len());
        } else if line.starts_with(ADDITIONAL) {
            skipping = true;
            let lines = block_lines(stack, "Additional", enabled);
            // A jump out of the last block must not leave the stack.
            push_lines(&mut text, kind, &lines, lines.len().saturating_sub(1));
        }
    }
    text
}

/// Writes module lines; `end` in a control becomes the number of lines to jump over.
fn push_lines(text: &mut String, kind: &str, lines: &[&str], first_jump: usize) {
    for (index, line) in lines.iter().enumerate() {
        let (control_and_module, options) = split_module_line(line);
        let control_and_module = control_and_module.replace("end", &first_jump.saturating_sub(index).to_string());
        let options = options.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{kind}\t{control_and_module} {options}\n"));
    }
}

/// `[success=end default=ignore] pam_unix.so nullok` → control with module, and the options.
fn split_module_line(line: &str) -> (&str, &str) {
    let control_end = if line.starts_with('[') {
        line.find(']').map_or(line.len(), |at| at + 1)
    } else {
        line.find(char::is_whitespace).unwrap_or(line.len())
    };
    let rest = &line[control_end..];
    let module_start = control_end + (rest.len() - rest.trim_start().len());
    let module_end = line[module_start..].find(char::is_whitespace).map_or(line.len(), |at| module_start + at);
    (&line[..module_end], &line[module_end..])
}

#[cfg(test)]
#[path = "pam/tests.rs"]
mod tests;
