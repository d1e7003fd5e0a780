//! What a maintainer script would do on a first installation, without running it.
//!
//! The script is parsed ([`shell`]) and followed as dpkg would run it on a system that never had the package: conditions that
//! are known then decide, of unknown ones both ways are followed. Commands whose effect is known become [`Action`]s; commands
//! that only ask, print, or talk to running services become nothing; every other command is left over, with its line. The
//! promise is about what is left over: a command is never passed over in silence unless it is listed here as having no
//! lasting effect on a new system. What actions mean for a system is the caller's affair.
//!
//! `prerm` and `postrm` undo things on removal; a package is removed by leaving it out, so they have no effect.
//!
//! Source: Debian Policy chapter 6, debhelper 13's autoscripts, the manual pages of the commands.

mod accounts;
mod action;
mod commands;
mod conditions;
mod debconf;
mod debhelper;
mod expand;
mod files;
mod interpret;
mod shell;

use sha2::{Digest, Sha256};

pub use action::{Action, Alternative, AlternativeSlave, SystemGroup, SystemUser, UnitScope};
pub use shell::SyntaxError;

/// Which of a package's scripts it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptKind {
    /// Asks questions before unpacking.
    Config,
    /// Before unpacking.
    PreInst,
    /// After unpacking.
    PostInst,
    /// Before removal.
    PreRm,
    /// After removal.
    PostRm,
}

impl ScriptKind {
    /// The script of that file name in the control archive.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "config" => Self::Config,
            "preinst" => Self::PreInst,
            "postinst" => Self::PostInst,
            "prerm" => Self::PreRm,
            "postrm" => Self::PostRm,
            _ => return None,
        })
    }
}

/// A script and what is known of where it would run.
#[derive(Clone, Copy)]
pub struct Script<'a> {
    /// Which script it is.
    pub kind: ScriptKind,
    /// The package's name.
    pub package: &'a str,
    /// Debian's name of the architecture.
    pub architecture: &'a str,
    /// Its bytes as text.
    pub text: &'a str,
    /// The control archive's `templates`, for debconf's defaults; empty when there is none.
    pub templates: &'a str,
    /// Whether a path (absolute) exists on a new system; `None` when that cannot be said.
    pub exists: &'a dyn Fn(&str) -> Option<bool>,
}

/// A command whose effect is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// 1-based line of the script.
    pub line: usize,
    /// That line.
    pub text: String,
}

/// An effect and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The effect.
    pub action: Action,
    /// 1-based line of the script.
    pub line: usize,
    /// Whether it depends on a condition that is not known: the script may do it or not.
    pub conditional: bool,
}

/// What a script was understood to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meaning {
    /// Its lasting effects, in order, each once.
    pub steps: Vec<Step>,
    /// Commands that were not understood, by line.
    pub leftover: Vec<Leftover>,
}

/// Follows a script.
pub fn read_script(script: &Script<'_>) -> Meaning {
    if matches!(script.kind, ScriptKind::PreRm | ScriptKind::PostRm) {
        return Meaning::default();
    }
    let interpreter = script.text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or("/bin/sh");
    let is_shell = interpreter.split_ascii_whitespace().next().is_some_and(|program| program.ends_with("sh"));
    if !is_shell {
        return Meaning { steps: Vec::new(), leftover: code_lines(script.text) };
    }
    let (rest, steps) = debhelper::translate(script.text);
    match shell::parse(&rest) {
        Ok(commands) => {
            let mut meaning = interpret::run(script, &commands);
            meaning.steps.splice(0..0, steps);
            meaning
        }
        Err(_) => Meaning { steps, leftover: code_lines(&rest) },
    }
}

/// Parses a script only, to learn why one is left over as a whole.
pub fn check_syntax(text: &str) -> Result<(), SyntaxError> {
    shell::parse(text).map(|_| ())
}

/// SHA-256 of a script in hexadecimal, by which decisions about it are kept.
pub fn script_hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All lines but empty ones and comments.
fn code_lines(text: &str) -> Vec<Leftover> {
    let lines =
        text.lines().enumerate().map(|(position, line)| Leftover { line: position + 1, text: line.trim().to_owned() });
    lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#')).collect()
}

#[cfg(test)]
mod tests;
