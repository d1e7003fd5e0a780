//! Configuration in /etc that a package's service reads without its unit naming it: which change concerns which unit.
//! Modules of the configuration say such things with `restartTriggers`; Debian's units cannot.

use std::io;
use std::path::Path;

use super::view::GenerationView;

/// How a service takes up its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uptake {
    Reload,
    Restart,
}

/// Path below /etc (a file or a whole directory), unit, uptake.
const SETTINGS: [(&str, &str, Uptake); 18] = [
    ("NetworkManager", "NetworkManager.service", Uptake::Reload),
    ("dbus-1", "dbus.service", Uptake::Reload),
    ("modules-load.d", "systemd-modules-load.service", Uptake::Restart),
    ("nftables.conf", "nftables.service", Uptake::Reload),
    ("rsyslog.conf", "rsyslog.service", Uptake::Restart),
    ("rsyslog.d", "rsyslog.service", Uptake::Restart),
    ("ssh/sshd_config", "ssh.service", Uptake::Reload),
    ("ssh/sshd_config.d", "ssh.service", Uptake::Reload),
    ("sysctl.conf", "systemd-sysctl.service", Uptake::Restart),
    ("sysctl.d", "systemd-sysctl.service", Uptake::Restart),
    ("systemd/journald.conf", "systemd-journald.service", Uptake::Restart),
    ("systemd/journald.conf.d", "systemd-journald.service", Uptake::Restart),
    ("systemd/network", "systemd-networkd.service", Uptake::Reload),
    ("systemd/resolved.conf", "systemd-resolved.service", Uptake::Restart),
    ("systemd/resolved.conf.d", "systemd-resolved.service", Uptake::Restart),
    ("systemd/timesyncd.conf", "systemd-timesyncd.service", Uptake::Restart),
    ("systemd/timesyncd.conf.d", "systemd-timesyncd.service", Uptake::Restart),
    ("udev", "systemd-udevd.service", Uptake::Reload),
];

/// Units whose settings differ between two generations, with the path that does.
pub(super) fn changed_settings(
    old: &GenerationView,
    new: &GenerationView,
) -> io::Result<Vec<(&'static str, Uptake, String)>> {
    let mut changed = Vec::new();
    for (path, unit, uptake) in SETTINGS {
        let path = Path::new("/etc").join(path);
        if let Some(what) = first_difference(old, new, &path)? {
            changed.push((unit, uptake, format!("{what} changed")));
        }
    }
    Ok(changed)
}

/// The first path, at or below this one, whose content differs.
fn first_difference(old: &GenerationView, new: &GenerationView, path: &Path) -> io::Result<Option<String>> {
    let (old_place, new_place) = (old.resolve(path)?, new.resolve(path)?);
    if old_place == new_place {
        return Ok(None);
    }
    let mut names = old.list(path)?;
    names.extend(new.list(path)?);
    names.sort();
    names.dedup();
    if names.is_empty() {
        let differs = read_file(old, path)? != read_file(new, path)?;
        return Ok(differs.then(|| path.display().to_string()));
    }
    for name in names {
        if let Some(difference) = first_difference(old, new, &path.join(name))? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

/// An empty directory has the content of an absent file: none.
fn read_file(view: &GenerationView, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match view.read(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(None),
        result => result,
    }
}
