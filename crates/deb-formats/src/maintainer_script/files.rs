//! chmod, chown, mkdir, install, cp, ln, rm and their like.
//!
//! Source: coreutils(1), setcap(8), ucf(1).

use super::Action;
use super::expand::Argument;
use super::interpret::{Interpreter, Status};

/// Where files of mktemp are taken to be. What happens to them there is only followed to where they end up.
pub(super) const TEMPORARY: &str = "/tmp/mktemp.";

/// A command line taken apart: single-letter options, those with values, operands.
#[derive(Default)]
struct Options {
    letters: String,
    long: Vec<String>,
    values: Vec<(char, String)>,
    operands: Vec<String>,
}

impl Options {
    /// `with_value` lists the letters of options that take one.
    fn parse(words: &[String], with_value: &str) -> Self {
        let mut options = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let long = word.strip_prefix("--");
            match (long, word.strip_prefix('-')) {
                (Some(""), _) => options.operands.extend(rest.by_ref().cloned()),
                (Some(option), _) => match option.split_once('=') {
                    Some((name, value)) => options.values.push((name.chars().next().unwrap_or(' '), value.to_owned())),
                    None if matches!(option, "mode" | "owner" | "group") && !with_value.is_empty() => {
                        let value = rest.next().cloned().unwrap_or_default();
                        options.values.push((option.chars().next().unwrap_or(' '), value));
                    }
                    None => options.long.push(option.to_owned()),
                },
                (None, Some(letters)) if !letters.is_empty() => {
                    for (position, letter) in letters.char_indices() {
                        if with_value.contains(letter) {
                            let attached = &letters[position + letter.len_utf8()..];
                            let value = if attached.is_empty() {
                                rest.next().cloned().unwrap_or_default()
                            } else {
                                attached.to_owned()
                            };
                            options.values.push((letter, value));
                            break;
                        }
                        options.letters.push(letter);
                    }
                }
                _ => options.operands.push(word.clone()),
            }
        }
        options
    }

    fn value(&self, letter: char) -> Option<String> {
        self.values.iter().find(|(name, _)| *name == letter).map(|(_, value)| value.clone())
    }
}

impl Interpreter<'_> {
    pub(super) fn file_command(&mut self, command: &str, arguments: &[Argument], line: usize) -> Status {
        // Removing what matches a glob: on a new system only caches and leftovers of earlier versions would.
        let words = self.all_known(arguments, line)?;
        let done = match command {
            "chmod" | "chown" | "chgrp" => self.change_permissions(command, &words),
            "setcap" => self.set_capabilities(&words),
            "mkdir" => self.make_directories(&words),
            "install" => self.install(&words),
            "touch" => self.touch(&words),
            "cp" => self.copy(&words),
            "ln" => self.link(&words),
            "rm" => self.remove(&words),
            "ucf" => self.ucf(&words),
            "mv" => self.rename(&words),
            _ => None,
        };
        if done.is_none() {
            self.leave(line);
        }
        Some(true)
    }

    fn change_permissions(&mut self, command: &str, words: &[String]) -> Option<()> {
        // chmod's own modes may start with a dash (`-x`).
        let options = if command == "chmod"
            && words.first().is_some_and(|word| word.starts_with('-') && word != "-R" && !word.starts_with("--"))
        {
            Options { operands: words.to_vec(), ..Options::default() }
        } else {
            Options::parse(words, "")
        };
        let (change, paths) = options.operands.split_first()?;
        if options.values.iter().any(|(name, _)| *name == 'r') {
            return None;
        }
        let (mut mode, mut user, mut group) = (None, None, None);
        match command {
            "chmod" => mode = Some(change.clone()),
            "chgrp" => group = Some(change.clone()),
            _ => {
                let (owner, owning_group) = change.split_once([':', '.']).unwrap_or((change, ""));
                user = (!owner.is_empty()).then(|| owner.to_owned());
                group = (!owning_group.is_empty()).then(|| owning_group.to_owned());
            }
        }
        for path in absolute(paths)? {
            let (mode, user, group) = (mode.clone(), user.clone(), group.clone());
            self.act(Action::Permissions {
                path,
                mode,
                user,
                group,
                recursive: options.letters.contains('R') || options.long.contains(&"recursive".to_owned()),
            });
        }
        Some(())
    }

    fn set_capabilities(&mut self, words: &[String]) -> Option<()> {
        let words: Vec<&String> = words.iter().filter(|word| *word != "-q").collect();
        match words[..] {
            [remove, _] if remove == "-r" => {}
            [capabilities, path] if path.starts_with('/') => {
                self.act(Action::Capabilities { path: path.clone(), capabilities: capabilities.clone() });
            }
            _ => return None,
        }
        Some(())
    }

    fn make_directories(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "m");
        for path in absolute(&options.operands)? {
            self.act(Action::Directory { path, mode: options.value('m'), user: None, group: None });
        }
        Some(())
    }

    fn install(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "mogtS");
        let (mode, user, group) = (options.value('m'), options.value('o'), options.value('g'));
        if options.letters.contains('d') || options.long.contains(&"directory".to_owned()) {
            for path in absolute(&options.operands)? {
                self.act(Action::Directory { path, mode: mode.clone(), user: user.clone(), group: group.clone() });
            }
            return Some(());
        }
        let [from, to] = &options.operands[..] else {
            return None;
        };
        let to = absolute(std::slice::from_ref(to))?.remove(0);
        if from == "/dev/null" {
            self.act(Action::File { path: to.clone(), text: String::new() });
            if mode.is_some() {
                self.act(Action::Permissions { path: to, mode, user, group, recursive: false });
            }
        } else {
            let from = absolute(std::slice::from_ref(from))?.remove(0);
            self.act(Action::Copy { from, to: to.clone(), mode });
            if user.is_some() || group.is_some() {
                self.act(Action::Permissions { path: to, mode: None, user, group, recursive: false });
            }
        }
        Some(())
    }

    fn touch(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "rdt");
        for path in absolute(&options.operands)? {
            // Flags for programs that watch a running system.
            if !path.starts_with("/run/") && !path.starts_with("/var/run/") {
                self.act(Action::File { path, text: String::new() });
            }
        }
        Some(())
    }

    fn copy(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "t");
        let [from, to] = &options.operands[..] else {
            return None;
        };
        let (from, mut to) = (normal(from)?, normal(to)?);
        if options.operands[1].ends_with('/') {
            to = format!("{to}/{}", from.rsplit('/').next().unwrap_or(""));
        }
        self.copied(from, to);
        Some(())
    }

    /// A copy of a temporary file is a copy of what that was made from.
    fn copied(&mut self, from: String, to: String) {
        let is_temporary = from.starts_with(TEMPORARY);
        let origin = self.steps.iter().rev().find_map(|step| match &step.action {
            Action::Copy { from: origin, to: copy, .. } if is_temporary && *copy == from => {
                Some(Action::Copy { from: origin.clone(), to: to.clone(), mode: None })
            }
            Action::File { path, text } if is_temporary && *path == from => {
                Some(Action::File { path: to.clone(), text: text.clone() })
            }
            _ => None,
        });
        self.act(origin.unwrap_or(Action::Copy { from, to, mode: None }));
    }

    /// Renaming what the script made itself; anything else is left over.
    fn rename(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "t");
        let [from, to] = &options.operands[..] else {
            return None;
        };
        let (from, to) = (normal(from)?, normal(to)?);
        let made = self.steps.iter_mut().rev().find_map(|step| match &mut step.action {
            Action::Copy { to: path, .. } | Action::File { path, .. } | Action::Link { path, .. } if *path == from => {
                Some(path)
            }
            _ => None,
        })?;
        *made = to;
        Some(())
    }

    fn link(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "t");
        let [target, path] = &options.operands[..] else {
            return None;
        };
        if !options.letters.contains('s') && !options.long.contains(&"symbolic".to_owned()) {
            return None;
        }
        let mut path = normal(path)?;
        if options.operands[1].ends_with('/') {
            path = format!("{path}/{}", target.rsplit('/').next().unwrap_or(""));
        }
        let target = if options.letters.contains('r') { relative(target, &path)? } else { target.clone() };
        self.act(Action::Link { path, target });
        Some(())
    }

    fn remove(&mut self, words: &[String]) -> Option<()> {
        let options = Options::parse(words, "");
        for path in absolute(&options.operands)? {
            self.act(Action::Remove { path });
        }
        Some(())
    }

    /// `ucf [options] new destination`
    fn ucf(&mut self, words: &[String]) -> Option<()> {
        let mut operands = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "--sum-file" | "--src-dir" | "--old-mdsum-file" | "--state-dir" | "--debconf-template" => {
                    rest.next();
                }
                option if option.starts_with('-') => {}
                operand => operands.push(operand.to_owned()),
            }
        }
        let [from, to] = &operands[..] else {
            return None;
        };
        self.copied(normal(from)?, normal(to)?);
        Some(())
    }
}

fn absolute(paths: &[String]) -> Option<Vec<String>> {
    (!paths.is_empty()).then_some(())?;
    paths.iter().map(|path| normal(path)).collect()
}

/// An absolute path without doubled and trailing slashes; `None` when it is relative or climbs.
fn normal(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..")).then(|| format!("/{}", parts.join("/")))
}

/// `ln -r`: the link's text so that it leads to `target` from beside `path`.
fn relative(target: &str, path: &str) -> Option<String> {
    let target = normal(target)?;
    let (target, path): (Vec<&str>, Vec<&str>) = (target.split('/').collect(), path.split('/').collect());
    let common = target.iter().zip(&path[..path.len() - 1]).take_while(|(left, right)| left == right).count();
    let up = path.len() - 1 - common;
    let parts: Vec<&str> = std::iter::repeat_n("..", up).chain(target[common..].iter().copied()).collect();
    Some(parts.join("/"))
}
