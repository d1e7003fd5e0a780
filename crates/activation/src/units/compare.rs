//! Two versions of a unit → does the difference matter to what runs? Pure.

use std::collections::BTreeSet;

use super::file::Unit;

/// The difference between two versions of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    /// None that matters to a running unit.
    None,
    /// Only what a reload takes up.
    Reload(String),
    /// Something else; the keys, for people.
    Restart(String),
}

/// Keys of [Unit] that say nothing about what runs: texts, and what systemd takes up with `daemon-reload` alone.
const PASSIVE_UNIT_KEYS: [&str; 17] = [
    "After",
    "AllowIsolate",
    "Before",
    "CollectMode",
    "Description",
    "Documentation",
    "IgnoreOnIsolate",
    "OnFailure",
    "OnFailureJobMode",
    "OnSuccess",
    "OnSuccessJobMode",
    "RefuseManualStart",
    "RefuseManualStop",
    "SourcePath",
    "StopWhenUnneeded",
    "SurviveFinalKillSignal",
    "Wants",
];

/// The key that asks for a reload when its value changes.
const RELOAD_TRIGGERS: &str = "X-Reload-Triggers";
/// The key that asks for a restart when its value changes: stronger than any policy for a package's own unit.
pub(super) const RESTART_TRIGGERS: &str = "X-Restart-Triggers";

/// Compares two versions.
pub(super) fn compare(old: &Unit, new: &Unit) -> Difference {
    let mut restart = BTreeSet::new();
    let mut reload = BTreeSet::new();
    let sections: BTreeSet<&String> = old.sections.keys().chain(new.sections.keys()).collect();
    for section in sections {
        // [Install] is for `systemctl enable`; the links it makes are compared as links.
        if section == "Install" {
            continue;
        }
        let keys_of = |unit: &Unit| -> BTreeSet<String> {
            unit.sections.get(section).map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
        };
        for key in keys_of(old).union(&keys_of(new)) {
            if old.values(section, key) == new.values(section, key) {
                continue;
            }
            match (section.as_str(), key.as_str()) {
                ("Unit", key) if PASSIVE_UNIT_KEYS.contains(&key) => {}
                ("Unit", key) if key.starts_with("Condition") || key.starts_with("Assert") => {}
                (_, RELOAD_TRIGGERS) => drop(reload.insert(key.clone())),
                // Options are what remounting changes.
                ("Mount", "Options") => drop(reload.insert(key.clone())),
                // How the switch treats a unit is no property of its processes.
                (_, key) if key.starts_with("X-") && key != RESTART_TRIGGERS => {}
                _ => drop(restart.insert(key.clone())),
            }
        }
    }
    let listed = |keys: BTreeSet<String>| {
        let shown: Vec<String> = keys.iter().take(3).cloned().collect();
        let more = if keys.len() > 3 { format!(" and {} more", keys.len() - 3) } else { String::new() };
        format!("{}{more} changed", shown.join(", "))
    };
    if !restart.is_empty() {
        Difference::Restart(listed(restart))
    } else if !reload.is_empty() {
        Difference::Reload(listed(reload))
    } else {
        Difference::None
    }
}

/// Whether the configuration itself asks for a restart.
pub(super) fn triggers_changed(old: &Unit, new: &Unit) -> bool {
    old.values("Unit", RESTART_TRIGGERS) != new.values("Unit", RESTART_TRIGGERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(old: &str, new: &str) -> Difference {
        compare(&Unit::parse(old), &Unit::parse(new))
    }

    #[test]
    fn texts_order_and_installation_do_not_matter() {
        let old = "[Unit]\nDescription=a\nAfter=b.target\n[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=x.target\n";
        let new = "# new\n[Service]\nExecStart = /bin/a\n[Unit]\nDescription=b\nDocumentation=man:a\n[Install]\nAlias=y.service\n";
        assert_eq!(difference(old, new), Difference::None);
    }

    #[test]
    fn what_the_processes_are_made_of_matters() {
        let changed = difference("[Service]\nExecStart=/bin/a\nUser=a\n", "[Service]\nExecStart=/bin/b\n");
        assert_eq!(changed, Difference::Restart("ExecStart, User changed".into()));
        let many = difference("[Service]\nA=1\nB=1\nC=1\nD=1\nE=1\n", "[Service]\n");
        assert_eq!(many, Difference::Restart("A, B, C and 2 more changed".into()));
        assert_eq!(difference("[Unit]\nRequires=a\n", "[Unit]\n"), Difference::Restart("Requires changed".into()));
    }

    #[test]
    fn triggers_choose_between_reload_and_restart() {
        let reload = difference("[Unit]\nX-Reload-Triggers=a\n", "[Unit]\nX-Reload-Triggers=b\n");
        assert_eq!(reload, Difference::Reload("X-Reload-Triggers changed".into()));
        let both = difference("[Unit]\nX-Reload-Triggers=a\n", "[Unit]\nX-Restart-Triggers=b\nX-Reload-Triggers=b\n");
        assert_eq!(both, Difference::Restart("X-Restart-Triggers changed".into()));
        assert_eq!(difference("[Service]\nX-StopIfChanged=no\n", "[Service]\n"), Difference::None);
    }

    #[test]
    fn mount_options_need_only_a_remount() {
        let old = "[Mount]\nWhat=a\nOptions=ro\n";
        assert!(matches!(difference(old, "[Mount]\nWhat=a\nOptions=rw\n"), Difference::Reload(_)));
        assert!(matches!(difference(old, "[Mount]\nWhat=b\nOptions=ro\n"), Difference::Restart(_)));
    }
}
