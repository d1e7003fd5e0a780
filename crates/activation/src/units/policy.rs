//! How units that Debian ships are treated when they changed. Their files carry none of NixOS's `X-` keys, so what NixOS's
//! modules say there stands in this table. A changed `X-Restart-Triggers` overrides it: then the configuration asks.

/// What a change may do to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Nothing before the next boot.
    Never,
    /// A reload; it takes up what it can.
    Reload,
    /// `systemctl restart`, which leaves no gap between stop and start in which the switch itself does its work.
    InPlace,
}

/// Pattern (`*` matches anything), policy, reason. The first match counts.
const POLICIES: [(&str, Policy, &str); 32] = [
    ("dbus.service", Policy::Reload, "restarting it would cut off every service"),
    ("dbus-broker.service", Policy::Reload, "restarting it would cut off every service"),
    ("systemd-journald.service", Policy::InPlace, "it keeps the services' log streams"),
    ("systemd-udevd.service", Policy::InPlace, "devices may appear meanwhile"),
    ("systemd-networkd.service", Policy::InPlace, "the network has to stay up"),
    ("systemd-resolved.service", Policy::InPlace, "names have to resolve meanwhile"),
    ("systemd-timesyncd.service", Policy::InPlace, "the clock needs no gap"),
    ("systemd-sysctl.service", Policy::InPlace, "it only applies settings"),
    ("systemd-modules-load.service", Policy::InPlace, "it only loads modules"),
    ("systemd-*", Policy::Never, "it belongs to the boot or to sessions"),
    ("user@*.service", Policy::Never, "people's sessions run in it"),
    ("user-runtime-dir@*.service", Policy::Never, "people's sessions need it"),
    ("getty@*.service", Policy::Never, "people are logged in through it"),
    ("serial-getty@*.service", Policy::Never, "people are logged in through it"),
    ("console-getty.service", Policy::Never, "people are logged in through it"),
    ("container-getty@*.service", Policy::Never, "people are logged in through it"),
    ("autovt@*.service", Policy::Never, "people are logged in through it"),
    ("display-manager.service", Policy::Never, "graphical sessions would end"),
    ("gdm.service", Policy::Never, "graphical sessions would end"),
    ("gdm3.service", Policy::Never, "graphical sessions would end"),
    ("lightdm.service", Policy::Never, "graphical sessions would end"),
    ("sddm.service", Policy::Never, "graphical sessions would end"),
    ("emergency.service", Policy::Never, "somebody works in it"),
    ("rescue.service", Policy::Never, "somebody works in it"),
    ("modprobe@*.service", Policy::Never, "it belongs to the boot"),
    ("auditd.service", Policy::Never, "it refuses to be stopped by hand"),
    ("ssh.service", Policy::InPlace, "the switch may run over it"),
    ("sshd.service", Policy::InPlace, "the switch may run over it"),
    ("ssh@*.service", Policy::Never, "somebody is logged in through it"),
    ("NetworkManager.service", Policy::InPlace, "the network has to stay up"),
    ("wpa_supplicant.service", Policy::InPlace, "the network has to stay up"),
    ("networking.service", Policy::InPlace, "the network has to stay up"),
];

/// Mounts that hold the running system: nothing may stop or remount them.
const SYSTEM_MOUNTS: [&str; 12] = [
    "-.mount",
    "dev*.mount",
    "etc*.mount",
    "home.mount",
    "nix*.mount",
    "proc*.mount",
    "root.mount",
    "run*.mount",
    "sys*.mount",
    "tmp.mount",
    "usr*.mount",
    "var.mount",
];

/// The policy for a package's unit, and why.
pub(super) fn policy_of(unit: &str) -> Option<(Policy, &'static str)> {
    POLICIES.iter().find(|(pattern, ..)| matches(pattern, unit)).map(|(_, policy, reason)| (*policy, *reason))
}

/// Whether a mount or swap belongs to the running system itself.
pub(super) fn is_system_mount(unit: &str) -> bool {
    SYSTEM_MOUNTS.iter().any(|pattern| matches(pattern, unit))
}

/// At most one `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_counts() {
        let policy = |unit| policy_of(unit).map(|(policy, _)| policy);
        assert_eq!(policy("systemd-journald.service"), Some(Policy::InPlace));
        assert_eq!(policy("systemd-logind.service"), Some(Policy::Never));
        assert_eq!(policy("user@1000.service"), Some(Policy::Never));
        assert_eq!(policy("getty@.service"), Some(Policy::Never));
        assert_eq!(policy("nginx.service"), None);
    }

    #[test]
    fn the_mounts_of_the_system_are_known() {
        assert!(
            is_system_mount("nix-store.mount")
                && is_system_mount("-.mount")
                && is_system_mount("usr-lib-modules.mount")
        );
        assert!(!is_system_mount("data.mount") && !is_system_mount("home-alice.mount"));
    }
}
