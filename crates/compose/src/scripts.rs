//! A maintainer script's text → effects, and the lines left over.

use crate::effect::Effect;

/// What a script was understood to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptMeaning {
    /// What it brings about on a first installation.
    pub effects: Vec<Effect>,
    /// Lines that were not understood.
    pub leftover: Vec<String>,
}

/// Reads a script; `name` is `preinst` or `postinst`.
#[must_use]
pub fn read_script(_name: &str, text: &str) -> ScriptMeaning {
    let meaningless = |line: &str| matches!(line, "" | "set -e" | "exit 0") || line.starts_with('#');
    let leftover = text.lines().filter(|line| !meaningless(line.trim())).map(str::to_owned).collect();
    ScriptMeaning { effects: Vec::new(), leftover }
}
