//! adduser, addgroup, useradd, groupadd, usermod: accounts that scripts make.
//!
//! Source: adduser(8), useradd(8), groupadd(8), usermod(8).

use super::expand::Argument;
use super::interpret::{Interpreter, Status};
use super::{Action, SystemGroup, SystemUser};

/// Options that take a value, in all five commands together. A value may also follow `=`.
#[rustfmt::skip]
const WITH_VALUE: &[&str] = &[
    "--home", "--shell", "--gecos", "--comment", "--uid", "--gid", "--ingroup", "--firstuid", "--lastuid", "--firstgid", "--lastgid",
    "--conf", "--home-dir", "--groups", "--base-dir", "--expiredate", "--inactive", "--key", "--password", "--skel", "--root", "--prefix",
    "--append-groups",
];
/// The same as single letters, of useradd's family.
const SHORT_WITH_VALUE: &str = "bcdefgGkKpRsuaP";

/// A command line taken apart.
#[derive(Default)]
struct Options {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    operands: Vec<String>,
}

impl Options {
    fn parse(words: &[String], command: &str) -> Self {
        let mut options = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    options.values.push((name.to_owned(), value.to_owned()))
                }
                _ if WITH_VALUE.contains(&word.as_str()) || takes_short_value(word, command) => {
                    options.values.push((word.clone(), rest.next().cloned().unwrap_or_default()));
                }
                _ if word.starts_with('-') => options.flags.push(word.clone()),
                _ => options.operands.push(word.clone()),
            }
        }
        options
    }

    fn has(&self, names: &[&str]) -> bool {
        self.flags.iter().any(|flag| names.contains(&flag.as_str()))
    }

    fn value(&self, names: &[&str]) -> Option<String> {
        self.values.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.clone())
    }
}

fn takes_short_value(word: &str, command: &str) -> bool {
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    let last = letters.and_then(|letters| letters.chars().last());
    // usermod's -a is a flag; elsewhere it is the sum option of gpasswd.
    let value =
        last.is_some_and(|letter| SHORT_WITH_VALUE.contains(letter) && !(letter == 'a' && command == "usermod"));
    value && !matches!(command, "adduser" | "addgroup")
}

impl Interpreter<'_> {
    pub(super) fn account_command(&mut self, command: &str, arguments: &[Argument], line: usize) -> Status {
        let words = self.all_known(arguments, line)?;
        let options = Options::parse(&words, command);
        let number = |names: &[&str]| options.value(names).and_then(|text| text.parse().ok());
        match (command, &options.operands[..]) {
            ("adduser" | "usermod" | "gpasswd", [user, group]) if command == "adduser" => {
                self.act(Action::Membership { user: user.clone(), group: group.clone() });
            }
            ("addgroup", [user, group]) => self.act(Action::Membership { user: user.clone(), group: group.clone() }),
            ("adduser", [name]) if options.has(&["--group"]) && !options.has(&["--system"]) => {
                self.group(name, number(&["--gid"]))
            }
            ("adduser", [name]) => {
                if options.has(&["--group"]) {
                    self.group(name, number(&["--gid"]));
                }
                let own = options.has(&["--group"]).then(|| name.clone());
                let group = options.value(&["--ingroup", "--gid"]).or(own).unwrap_or_else(|| "nogroup".to_owned());
                self.user(name, group, &options);
            }
            ("addgroup", [name]) => self.group(name, number(&["--gid"])),
            ("groupadd", [name]) => self.group(name, number(&["-g", "--gid", "-rg"])),
            ("useradd", [name]) => {
                let named = options.value(&["-g", "--gid", "-rg"]);
                if named.is_none() && !options.has(&["-N", "--no-user-group"]) {
                    self.group(name, None);
                }
                self.user(name, named.unwrap_or_else(|| name.clone()), &options);
            }
            ("usermod", [user]) => match options.value(&["-aG", "-G", "--groups"]) {
                Some(groups) => {
                    for group in groups.split(',') {
                        self.act(Action::Membership { user: user.clone(), group: group.to_owned() });
                    }
                }
                None => self.leave(line),
            },
            ("gpasswd", [group]) => match options.value(&["-a"]) {
                Some(user) => self.act(Action::Membership { user, group: group.clone() }),
                None => self.leave(line),
            },
            _ => self.leave(line),
        }
        Some(true)
    }

    fn group(&mut self, name: &str, gid: Option<u32>) {
        self.accounts.insert(name.to_owned());
        self.act(Action::Group(SystemGroup { name: name.to_owned(), gid }));
    }

    fn user(&mut self, name: &str, group: String, options: &Options) {
        self.accounts.insert(name.to_owned());
        self.act(Action::User(SystemUser {
            name: name.to_owned(),
            uid: options.value(&["--uid", "-u"]).and_then(|text| text.parse().ok()),
            group,
            home: options.value(&["--home", "--home-dir", "-d", "-rd"]),
            shell: options.value(&["--shell", "-s"]),
            description: options.value(&["--gecos", "--comment", "-c"]),
        }));
    }
}
