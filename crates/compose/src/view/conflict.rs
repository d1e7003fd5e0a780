//! Two packages with one path: who may take it from whom.
//!
//! Source: Debian Policy 7.6.1 (overwriting files in other packages).

use std::fmt::Write as _;

use crate::package::Package;

/// A path that two packages hold without either replacing the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConflict {
    /// The path in the view.
    pub path: String,
    /// The package unpacked first, with its version.
    pub first: String,
    /// The package unpacked later, with its version.
    pub second: String,
}

/// Who keeps a path that two packages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// The one that was there.
    First,
    /// The one that comes later.
    Second,
    /// Neither may have it.
    Nobody,
}

/// Decides between two packages by their `Replaces`. Where both replace each other, the later one wins, as it would with dpkg.
pub(super) fn settle(first: &Package, second: &Package) -> Claim {
    if second.replaces(first) {
        Claim::Second
    } else if first.replaces(second) {
        Claim::First
    } else {
        Claim::Nobody
    }
}

/// One line per conflict.
pub(super) fn describe(conflicts: &[FileConflict]) -> String {
    let mut text = String::new();
    for conflict in conflicts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  `/{}`: {} and {}", conflict.path, conflict.first, conflict.second);
    }
    text.push_str("hint: leave one of the packages out, or hide the path of both with `exclude`");
    text
}
