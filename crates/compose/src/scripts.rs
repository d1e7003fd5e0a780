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
    ScriptMeaning { effects: Vec::new(), leftover: text.lines().map(str::to_owned).collect() }
}
