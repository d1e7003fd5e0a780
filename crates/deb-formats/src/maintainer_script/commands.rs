//! The commands scripts use: which have no lasting effect on a new system, and what the others do.

use super::expand::Argument;
use super::interpret::{Interpreter, Status};
use super::{Action, Alternative, AlternativeSlave, UnitScope};

/// Commands that print, ask, wait, or talk to what is running, and leave nothing behind on a new system.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    // The shell's own, and output.
    "cat", "cd", "type", "sleep", "wait", "ulimit", "tput",
    // Questions about the system; the answer is unknown.
    "grep", "egrep", "fgrep", "awk", "cut", "sort", "tr", "head", "tail", "wc", "uniq", "stat", "readlink", "realpath", "cmp", "diff",
    "md5sum", "sha256sum", "find", "ls", "expr", "seq", "uname", "hostname", "pidof", "pgrep", "mountpoint", "ischroot", "which",
    "getcap", "dpkg-query", "dpkg-architecture", "dpkg-realpath", "apt-config", "mktemp", "basename", "dirname", "date", "locale",
    "debconf-show", "ucfq", "systemd-detect-virt", "aa-enabled", "selinuxenabled", "ps", "ss", "file", "tempfile", "du", "df",
    // Running services: nothing runs while an image is made, and activation starts what is enabled.
    "invoke-rc.d", "service", "start-stop-daemon", "dbus-send", "busctl", "udevadm", "telinit", "initctl", "killall", "kill", "pkill",
    "systemd-notify", "apparmor_parser", "dpkg-maintscript-helper", "rmdir", "restorecon", "sync", "setupcon", "update-motd",
    "notify-reboot-required", "/usr/share/update-notifier/notify-reboot-required", "/usr/lib/runit-helper/runit-helper",
    // Reading or withdrawing what an earlier version did; there was none.
    "update-shells-remove", "delgroup", "deluser", "userdel", "groupdel", "dpkg-vendor",
];

/// Programs that make derived files. The action names the program.
#[rustfmt::skip]
const CACHES: &[&str] = &[
    "ldconfig", "depmod", "update-initramfs", "update-ca-certificates", "locale-gen", "iconvconfig", "glib-compile-schemas",
    "gio-querymodules", "gdk-pixbuf-query-loaders", "update-mime-database", "update-desktop-database", "gtk-update-icon-cache",
    "update-icon-caches", "fc-cache", "update-mime", "update-menus", "update-xmlcatalog", "update-catalog", "install-info",
    "update-info-dir", "mandb", "py3compile", "pypy3compile", "pycompile", "update-shells", "update-grub", "helpztags", "update-fonts-dir",
    "update-fonts-scale", "update-fonts-alias", "update-pciids", "update-usbids", "update-texmf", "mktexlsr", "update-gconf-defaults",
    "gtk-query-immodules-3.0", "update-cracklib", "update-dictcommon-aspell", "update-dictcommon-hunspell", "ispell-autobuildhash",
    "aspell-autobuildhash", "update-java-alternatives", "update-mono-alternatives", "register-python-package", "emacs-package-install",
    "kernel-install", "dracut", "linux-update-symlinks", "linux-run-hooks", "localedef", "systemd-hwdb", "gschemas.compile",
];

impl Interpreter<'_> {
    /// Follows one command that is neither control flow nor a function of the script's.
    pub(super) fn builtin(&mut self, name: &str, arguments: &[Argument], line: usize) -> Status {
        let texts: Vec<Option<&str>> = arguments.iter().map(Option::as_deref).collect();
        let program = name.rsplit('/').next().unwrap_or(name);
        match (program, &texts[..]) {
            (":" | "true" | "echo" | "printf" | "umask" | "trap" | "alias" | "hash", _) => Some(true),
            ("false", _) => Some(false),
            ("[", _) => self.test(arguments.split_last().map_or(&[][..], |(_, rest)| rest)),
            ("test", _) => self.test(arguments),
            // These libraries only define functions: debconf's db_ commands, dpkg's messages.
            (".", [Some("/usr/share/debconf/confmodule" | "/usr/share/dpkg/sh/dpkg-error.sh"), ..]) => Some(true),
            ("command", [Some("-v" | "-V"), Some(command)]) => self.command_exists(command),
            ("which", [Some(command)]) => self.command_exists(command),
            ("command" | "exec" | "eatmydata", [Some(_), ..]) => self.run_nested(arguments, line),
            (command, _) if command.starts_with("db_") => self.debconf_command(command, arguments),
            ("dpkg", [Some("--compare-versions"), ..]) => self.compare_versions(&arguments[1..]),
            ("dpkg", [Some(option), ..]) if option.starts_with("--assert") => Some(true),
            (
                "dpkg",
                [
                    Some(
                        "-s"
                        | "-l"
                        | "-L"
                        | "-S"
                        | "--status"
                        | "--list"
                        | "--search"
                        | "--listfiles"
                        | "--print-architecture"
                        | "--validate-pkgname",
                    ),
                    ..,
                ],
            ) => None,
            ("dpkg-trigger", _) => {
                if let Some(name) = arguments.iter().rev().flatten().find(|word| !word.starts_with('-')) {
                    self.act(Action::Trigger { name: name.clone() });
                }
                Some(true)
            }
            ("getent", [Some("passwd" | "group" | "shadow"), _]) => self.account_exists(&arguments[1]),
            ("id", _) => arguments.last().and_then(|name| self.account_exists(name)),
            ("update-alternatives", _) => self.update_alternatives(arguments, line),
            ("dpkg-divert", _) => self.dpkg_divert(arguments, line),
            ("dpkg-statoverride", _) => self.dpkg_statoverride(arguments, line),
            ("deb-systemd-helper", _) => self.units(arguments, line),
            ("deb-systemd-invoke", _) => self.invoke_units(arguments),
            ("systemctl", _) => self.systemctl(arguments, line),
            ("systemd-tmpfiles" | "systemd-sysusers", _) => self.systemd_files(program, arguments, line),
            ("update-rc.d", [Some(script), Some("defaults" | "defaults-disabled" | "enable"), ..]) => {
                self.act(Action::InitScript { name: (*script).to_owned() });
                Some(true)
            }
            ("update-rc.d", _) => Some(true),
            ("journalctl", texts) if texts.contains(&Some("--update-catalog")) => self.cache("journalctl"),
            ("pam-auth-update", _) => {
                self.act(Action::PamProfiles);
                Some(true)
            }
            ("adduser" | "addgroup" | "useradd" | "groupadd" | "usermod" | "gpasswd", _) => {
                self.account_command(program, arguments, line)
            }
            // shadow's files are made whole from the declaration.
            ("shadowconfig" | "pwconv" | "grpconv" | "ucfr" | "dbus-uuidgen" | "systemd-machine-id-setup", _) => {
                Some(true)
            }
            (
                "chmod" | "chown" | "chgrp" | "setcap" | "mkdir" | "install" | "touch" | "cp" | "ln" | "rm" | "mv"
                | "ucf",
                _,
            ) => self.file_command(program, arguments, line),
            (program, texts)
                if program.starts_with("python3")
                    && texts.iter().flatten().any(|word| word.ends_with("/py_compile.py")) =>
            {
                self.cache("py3compile")
            }
            (program, _) if CACHES.contains(&program) => self.cache(program),
            (program, _) if HARMLESS.contains(&program) || HARMLESS.contains(&name) => None,
            // A filter that writes to its output only.
            ("sed" | "perl", texts)
                if program == "sed"
                    && !texts.iter().flatten().any(|word| word.starts_with("-i") || word.starts_with("--in-place"))
                    && !texts.contains(&None) =>
            {
                None
            }
            _ => {
                self.leave(line);
                None
            }
        }
    }

    /// Whether a program can be found: those of every system can, of others the caller may know.
    pub(super) fn command_exists(&self, command: &str) -> Status {
        match command {
            "systemd-sysusers"
            | "systemd-tmpfiles"
            | "deb-systemd-helper"
            | "deb-systemd-invoke"
            | "systemctl"
            | "update-alternatives"
            | "dpkg-trigger"
            | "setcap" => return Some(true),
            // Not part of what Esker builds.
            "restorecon" | "chcon" | "semodule" | "initctl" | "openrc-run" => return Some(false),
            _ => {}
        }
        let found = ["/usr/bin/", "/usr/sbin/"].map(|folder| (self.script.exists)(&format!("{folder}{command}")));
        match found {
            [Some(true), _] | [_, Some(true)] => Some(true),
            [Some(false), Some(false)] => Some(false),
            _ => None,
        }
    }

    fn run_nested(&mut self, arguments: &[Argument], line: usize) -> Status {
        match arguments.split_first() {
            Some((Some(name), rest)) => self.builtin(name, rest, line),
            _ => {
                self.leave(line);
                None
            }
        }
    }

    fn cache(&mut self, program: &str) -> Status {
        self.act(Action::Cache { program: program.to_owned() });
        None
    }

    /// All arguments as texts; a line with an unknown one is left over.
    pub(super) fn all_known(&mut self, arguments: &[Argument], line: usize) -> Option<Vec<String>> {
        let known: Option<Vec<String>> = arguments.iter().cloned().collect();
        if known.is_none() {
            self.leave(line);
        }
        known
    }

    fn update_alternatives(&mut self, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let Some(start) = words.iter().position(|word| word == "--install") else {
            // Choices are not made by packages, and there is nothing to remove yet.
            if words.iter().any(|word| matches!(word.as_str(), "--set" | "--set-selections")) {
                self.leave(line);
            }
            return Some(true);
        };
        let parsed = (|| {
            let [link, name, path, priority, rest @ ..] = &words[start + 1..] else {
                return None;
            };
            let mut slaves = Vec::new();
            let mut rest = rest;
            while let [option, link, name, path, after @ ..] = rest {
                if option != "--slave" {
                    break;
                }
                slaves.push(AlternativeSlave { link: link.clone(), name: name.clone(), path: path.clone() });
                rest = after;
            }
            let priority = priority.parse().ok()?;
            rest.is_empty().then(|| Alternative {
                name: name.clone(),
                link: link.clone(),
                path: path.clone(),
                priority,
                slaves,
            })
        })();
        match parsed {
            Some(alternative) => self.act(Action::Alternative(alternative)),
            None => self.leave(line),
        }
        Some(true)
    }

    fn dpkg_divert(&mut self, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let has = |option: &str| words.iter().any(|word| word == option);
        if has("--list") || has("--listpackage") || has("--truename") {
            // Nothing is diverted on a new system; the output is empty, the status a success.
            return None;
        }
        if has("--remove") {
            return Some(true);
        }
        let mut to = None;
        let mut from = None;
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "--divert" => to = rest.next().cloned(),
                "--package" | "--admindir" | "--instdir" => {
                    rest.next();
                }
                word if word.starts_with("--divert=") => to = Some(word["--divert=".len()..].to_owned()),
                word if word.starts_with('-') => {}
                word => from = Some(word.to_owned()),
            }
        }
        match from {
            // Guards for upgrades to a merged /usr: they name files by an alias (/lib/…) that no package uses any more.
            Some(_) if to.as_ref().is_some_and(|to| to.ends_with(".usr-is-merged")) => {}
            Some(from) => {
                let to = to.unwrap_or_else(|| format!("{from}.distrib"));
                self.act(Action::Diversion { from, to });
            }
            None => self.leave(line),
        }
        Some(true)
    }

    fn dpkg_statoverride(&mut self, arguments: &[Argument], line: usize) -> Status {
        let is = |text: &str| arguments.iter().any(|argument| argument.as_deref() == Some(text));
        if is("--list") {
            // The administrator of a new system has not overridden anything.
            return Some(false);
        }
        if is("--remove") {
            return Some(true);
        }
        let words = self.all_known(arguments, line)?;
        let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
        match (words.iter().any(|word| word == "--add"), &operands[..]) {
            (true, [user, group, mode, path]) => self.act(Action::Permissions {
                path: (*path).clone(),
                mode: Some((*mode).clone()),
                user: Some((*user).clone()),
                group: Some((*group).clone()),
                recursive: false,
            }),
            _ => self.leave(line),
        }
        Some(true)
    }

    fn units(&mut self, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let scope = scope(&words);
        let mut operands = words.iter().filter(|word| !word.starts_with('-'));
        match operands.next().map(String::as_str) {
            Some("enable") => operands.for_each(|unit| self.act(Action::EnableUnit { unit: unit.clone(), scope })),
            // debhelper's way of asking whether to enable at first installation.
            Some("was-enabled" | "is-enabled") => return Some(true),
            Some("unmask" | "update-state" | "purge" | "disable" | "reenable") => {}
            // Whether an earlier version of the package managed the unit.
            Some("debian-installed") => return Some(false),
            _ => self.leave(line),
        }
        Some(true)
    }

    fn invoke_units(&mut self, arguments: &[Argument]) -> Status {
        let words: Vec<String> = arguments.iter().flatten().cloned().collect();
        let scope = scope(&words);
        let mut operands = words.iter().filter(|word| !word.starts_with('-'));
        if operands.next().is_some_and(|verb| verb == "start" || verb == "restart") {
            operands.for_each(|unit| self.act(Action::StartUnit { unit: unit.clone(), scope }));
        }
        None
    }

    fn systemctl(&mut self, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let scope = scope(&words);
        let mut operands = words.iter().filter(|word| !word.starts_with('-'));
        match operands.next().map(String::as_str) {
            Some("enable") => operands.for_each(|unit| self.act(Action::EnableUnit { unit: unit.clone(), scope })),
            Some("mask" | "set-default" | "preset" | "preset-all" | "edit" | "link") => self.leave(line),
            _ => {}
        }
        None
    }

    fn systemd_files(&mut self, program: &str, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let files: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
        for file in files {
            let file = file.clone();
            self.act(if program == "systemd-tmpfiles" { Action::Tmpfiles { file } } else { Action::Sysusers { file } });
        }
        Some(true)
    }
}

fn scope(words: &[String]) -> UnitScope {
    if words.iter().any(|word| matches!(word.as_str(), "--user" | "--global")) {
        UnitScope::User
    } else {
        UnitScope::System
    }
}
