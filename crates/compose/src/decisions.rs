//! What was decided about maintainer scripts that are not understood by themselves: `pkgs/maintainer-scripts/*.toml`.
//!
//! One file per package:
//!
//! ```toml
//! package = "openssh-server"        # `*` stands for any text: linux-image-*
//!
//! [[script]]
//! name = "postinst"
//! lines = ["ssh-keygen -q -f \"$file\" -N '' -t ed25519"]
//! reason = "host keys are made by services.openssh, at the machine's first start"
//! actions = [{ copy = { from = "/usr/share/openssh/sshd_config", to = "/etc/ssh/sshd_config" } }]
//! ```
//!
//! `lines` are the leftover lines the decision was made for, as the script has them. Blanks do not count, and neither do
//! version numbers, so a point release keeps its decision; a line that is not listed is reported. Actions have the form of
//! [`crate::effect::Effect`]; they happen when one of the lines occurs, or always when no line is listed.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::effect::Effect;
use crate::package::Package;
use crate::scripts::read_script;
use crate::view::{merged_path, pattern_matches};

/// Top-level directories whose content on a new system is known: what the packages ship.
const PACKAGES_OWN: [&str; 6] = ["usr", "etc", "var", "opt", "srv", "boot"];

/// What nobody ships and yet every system has before a package is configured.
const ALWAYS_THERE: [&str; 4] = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];

/// Programs that make derived files, and what takes their place.
const CACHES: [(&str, &str); 22] = [
    ("depmod", "pkgs/caches/modules-dep.sh"),
    ("fc-cache", "pkgs/caches/fontconfig.sh"),
    ("gdk-pixbuf-query-loaders", "pkgs/caches/gdk-pixbuf.sh"),
    ("gio-querymodules", "pkgs/caches/gio-modules.sh"),
    ("glib-compile-schemas", "pkgs/caches/glib-schemas.sh"),
    ("gtk-update-icon-cache", "pkgs/caches/icons.sh"),
    ("helpztags", "vim-runtime ships its tags; add-ons' help is found without"),
    ("iconvconfig", "pkgs/caches/gconv.sh"),
    ("journalctl", "pkgs/caches/catalog.sh"),
    ("ldconfig", "pkgs/caches/ld-so.sh"),
    ("linux-run-hooks", "initrd and boot loader are Esker's"),
    ("linux-update-symlinks", "/boot is the boot loader's"),
    ("locale-gen", "pkgs/caches/locales.sh"),
    ("mandb", "man finds pages without its index; man-db.service makes it"),
    ("py3compile", "pkgs/caches/python-bytecode.sh"),
    ("systemd-hwdb", "pkgs/caches/hwdb.sh"),
    ("update-ca-certificates", "pkgs/caches/ca-certificates.sh"),
    ("update-catalog", "SGML's catalog: no program of today reads it"),
    ("update-initramfs", "initrds are Esker's"),
    ("update-mime-database", "pkgs/caches/mime.sh"),
    ("update-shells", "the default /etc/shells is copied; further shells are declared"),
    ("update-xmlcatalog", "XML tools fetch or are given the DTDs they want; catalogs only spare that"),
];

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
    /// Leftover lines that somebody read.
    #[serde(default)]
    pub lines: Vec<String>,
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
    /// Whether there is a decision about other lines of it.
    pub changed: bool,
    /// The lines nobody accounted for.
    pub lines: Vec<String>,
}

impl fmt::Display for UnhandledScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, version, script, .. } = self;
        let what = if self.changed { "changed since it was looked at" } else { "does what nobody has looked at" };
        writeln!(f, "the {script} of package `{package}` {version} {what}:")?;
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
    let shipped = shipped_paths(packages);
    // A new system has what packages ship and nothing else; of /proc, /run and their like nobody knows.
    let exists = |path: &str| {
        let path = merged_path(path.trim_start_matches('/').trim_end_matches('/'));
        let top = path.split('/').next().unwrap_or_default();
        match shipped.contains(path.as_ref()) {
            true => Some(true),
            false if ALWAYS_THERE.contains(&path.as_ref()) => Some(true),
            false if PACKAGES_OWN.contains(&top) => Some(false),
            false => None,
        }
    };
    let mut unhandled = Vec::new();
    let mut all_effects = Vec::with_capacity(packages.len());
    for package in packages.iter() {
        let mut effects = Vec::new();
        if let Some(control) = &package.control {
            for name in control.scripts.keys() {
                let mut meaning = read_script(package, control, name, &exists);
                meaning.leftover.extend(meaning.effects.iter().filter_map(unmade_cache));
                effects.extend(meaning.effects);
                let decided = decisions_on(decisions, &package.name, name);
                unhandled.extend(settle(package, name, &meaning.leftover, &decided, &mut effects));
            }
        }
        all_effects.push(effects);
    }
    for (package, effects) in packages.iter_mut().zip(all_effects) {
        package.effects = effects;
    }
    unhandled
}

/// A line about a derived file that nothing here makes.
fn unmade_cache(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Cache(cache) if !CACHES.iter().any(|(program, _)| *program == cache.name) => {
            Some(format!("{} (makes a derived file that no cache derivation makes)", cache.name))
        }
        _ => None,
    }
}

fn shipped_paths(packages: &[Package]) -> HashSet<String> {
    let members = packages.iter().flat_map(|package| &package.members);
    members.map(|member| merged_path(&member.path).into_owned()).collect()
}

fn decisions_on<'d>(decisions: &'d [PackageDecisions], package: &str, script: &str) -> Vec<&'d Decision> {
    let files = decisions.iter().filter(|file| pattern_matches(&file.package, package));
    files.flat_map(|file| &file.script).filter(|decision| decision.name == script).collect()
}

/// Adds the decided actions and returns what no decision covers.
fn settle(
    package: &Package,
    script: &str,
    leftover: &[String],
    decided: &[&Decision],
    effects: &mut Vec<Effect>,
) -> Option<UnhandledScript> {
    let left: BTreeSet<String> = leftover.iter().map(|line| normalise(line)).collect();
    let mut covered = BTreeSet::new();
    for decision in decided {
        let lines: BTreeSet<String> = decision.lines.iter().map(|line| normalise(line)).collect();
        if lines.is_empty() || !lines.is_disjoint(&left) {
            effects.extend(decision.actions.iter().cloned());
        }
        covered.extend(lines);
    }
    let lines: Vec<String> = leftover.iter().filter(|line| !covered.contains(&normalise(line))).cloned().collect();
    (!lines.is_empty()).then(|| UnhandledScript {
        package: package.name.clone(),
        version: package.version.clone(),
        script: script.to_owned(),
        changed: !decided.is_empty(),
        lines,
    })
}

/// A line without surrounding blanks, with single blanks inside and without version numbers.
#[must_use]
pub fn normalise(line: &str) -> String {
    without_versions(&line.split_whitespace().collect::<Vec<_>>().join(" "))
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
    fn names_with_digits_are_no_versions() {
        assert_eq!(normalise("version=6.12.117+deb13-cloud-amd64"), "version=#");
        assert_eq!(normalise("\tlt  8.2110.0-2 "), "lt #");
        assert_eq!(normalise("python3.13 libc6 50 /usr/lib/x.so.8"), "python3.13 libc6 50 /usr/lib/x.so.8");
    }

    #[test]
    fn actions_have_the_form_of_effects() {
        let text = "package = \"p\"\n[[script]]\nname = \"postinst\"\nlines = []\nreason = \"r\"\n\
                    actions = [{ copy = { from = \"/a\", to = \"/b\" } }, { cache = { name = \"fonts\" } }]\n";
        let decisions = parse_decisions("p.toml", text).unwrap();
        assert_eq!(decisions.script[0].actions.len(), 2);
        let wrong = text.replace("copy", "move");
        assert!(parse_decisions("p.toml", &wrong).unwrap_err().source.to_string().contains("unknown variant"));
    }
}
