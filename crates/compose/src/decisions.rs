//! What was decided about maintainer scripts that are not understood by themselves: `pkgs/maintainer-scripts/*.toml`.
//!
//! One file per package:
//!
//! ```toml
//! package = "openssh-server"        # `*` stands for any text: linux-image-*
//!
//! [[script]]
//! name = "postinst"
//! leftover = ["1f0c9d7be2a34455"]   # digests of the lines this decision was made for
//! reason = "copies the default configuration and makes host keys; the option module does the latter"
//! actions = [{ copy = { from = "/usr/share/openssh/sshd_config", to = "/etc/ssh/sshd_config" } }]
//! ```
//!
//! The digest is of the *leftover* lines, normalised, and not of the whole script: a point release that only changes a
//! version number in a script keeps its decision. A script whose leftover lines are others than decided on keeps the
//! decided actions, and is reported. Actions have the form of [`crate::effect::Effect`].

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::effect::Effect;
use crate::package::Package;
use crate::scripts::read_script;
use crate::view::pattern_matches;

/// A file of decisions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageDecisions {
    /// The package's name, or a pattern of it.
    pub package: String,
    /// One entry per script, or per version of a script.
    #[serde(default)]
    pub script: Vec<Decision>,
}

/// What one script amounts to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// `preinst` or `postinst`.
    pub name: String,
    /// Digests (see [`digest`]) of leftover lines that somebody read.
    pub leftover: Vec<String>,
    /// What the lines do, and why these actions are enough.
    pub reason: String,
    /// What happens instead; often nothing.
    #[serde(default)]
    pub actions: Vec<Effect>,
}

/// A file of decisions that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the decisions in `{file}`")]
pub struct DecisionError {
    /// The file's name.
    pub file: String,
    /// What is wrong, with line and column.
    #[source]
    pub source: Box<toml::de::Error>,
}

/// A script with lines that nobody accounted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnhandledScript {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// `preinst` or `postinst`.
    pub script: String,
    /// Digest of the lines, as a decision would name it.
    pub digest: String,
    /// Whether there is a decision, for other lines.
    pub changed: bool,
    /// The lines.
    pub lines: Vec<String>,
}

impl fmt::Display for UnhandledScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, version, script, digest, .. } = self;
        let what = if self.changed { "changed since it was looked at" } else { "does what nobody has looked at" };
        writeln!(f, "the {script} of package `{package}` {version} {what} (digest {digest}):")?;
        for line in self.lines.iter().take(20) {
            writeln!(f, "    {line}")?;
        }
        if self.lines.len() > 20 {
            writeln!(f, "    … and {} more lines", self.lines.len() - 20)?;
        }
        write!(f, "hint: say what it amounts to in pkgs/maintainer-scripts/{package}.toml")
    }
}

/// Parses one file.
///
/// # Errors
/// When it is not TOML of this form; the message has line and column.
pub fn parse_decisions(file: &str, text: &str) -> Result<PackageDecisions, DecisionError> {
    toml::from_str(text).map_err(|source| DecisionError { file: file.to_owned(), source: Box::new(source) })
}

/// Fills in the effects of every package: what its scripts are recognised to do, and what was decided about the rest.
/// Returns the scripts that are not accounted for.
pub fn apply(packages: &mut [Package], decisions: &[PackageDecisions]) -> Vec<UnhandledScript> {
    let mut unhandled = Vec::new();
    for package in packages {
        let Some(control) = &package.control else { continue };
        let mut effects = Vec::new();
        for (name, text) in &control.scripts {
            let meaning = read_script(name, text);
            effects.extend(meaning.effects);
            let decided: Vec<&Decision> = decisions
                .iter()
                .filter(|file| pattern_matches(&file.package, &package.name))
                .flat_map(|file| file.script.iter().filter(|decision| decision.name == *name))
                .collect();
            let digest = digest(&meaning.leftover);
            let exact = decided.iter().find(|decision| decision.leftover.contains(&digest));
            let chosen = exact.or(decided.first());
            effects.extend(chosen.iter().flat_map(|decision| decision.actions.iter().cloned()));
            if exact.is_none() && !meaning.leftover.is_empty() {
                unhandled.push(UnhandledScript {
                    package: package.name.clone(),
                    version: package.version.clone(),
                    script: name.clone(),
                    digest,
                    changed: !decided.is_empty(),
                    lines: meaning.leftover,
                });
            }
        }
        package.effects = effects;
    }
    unhandled
}

/// 16 hexadecimal digits of the SHA-256 of lines without comments, blanks at the ends, empty lines, and version numbers.
#[must_use]
pub fn digest(lines: &[String]) -> String {
    let mut hasher = Sha256::new();
    for line in lines {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            hasher.update(without_versions(line));
            hasher.update("\n");
        }
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces what looks like a version (begins with a digit, has a dot) by `#`: `lt 8.2110.0-2` → `lt #`.
fn without_versions(line: &str) -> String {
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '~' | '-' | ':');
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        if end == 0 {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..end];
        let is_version = first.is_ascii_digit() && word.contains('.');
        text.push_str(if is_version { "#" } else { word });
        rest = &rest[end..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_number_keeps_the_digest() {
        let lines = |version: &str| vec![format!("if dpkg --compare-versions \"$2\" lt {version}; then"), "\tx".into()];
        assert_eq!(digest(&lines("8.2110.0-2")), digest(&lines("9.1:3~deb13u1")));
        assert_ne!(digest(&lines("8.2110.0-2")), digest(&["x".to_owned()]));
    }

    #[test]
    fn names_with_digits_are_no_versions() {
        assert_eq!(without_versions("version=6.12.117+deb13-cloud-amd64"), "version=#");
        assert_eq!(without_versions("python3.13 libc6 50 /usr/lib/x.so.8"), "python3.13 libc6 50 /usr/lib/x.so.8");
    }

    #[test]
    fn comments_and_blanks_do_not_count() {
        let a = ["# why".to_owned(), "  do it".to_owned(), String::new()];
        assert_eq!(digest(&a), digest(&["do it".to_owned()]));
    }

    #[test]
    fn actions_have_the_form_of_effects() {
        let text = "package = \"p\"\n[[script]]\nname = \"postinst\"\nleftover = []\nreason = \"r\"\n\
                    actions = [{ copy = { from = \"/a\", to = \"/b\" } }, { cache = { name = \"fonts\" } }]\n";
        let decisions = parse_decisions("p.toml", text).unwrap();
        assert_eq!(decisions.script[0].actions.len(), 2);
        let wrong = text.replace("copy", "move");
        assert!(parse_decisions("p.toml", &wrong).unwrap_err().source.to_string().contains("unknown variant"));
    }
}
