//! Following a script: control flow, variables, functions.
//!
//! A status is true, false or unknown. Of an unknown condition both ways are followed and their variables joined: what
//! differs becomes unknown. Loops run once for each known word, once with unknown variables otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::Argument;
use super::shell::{Command, CommandKind, Connector, Redirect, RedirectKind, Word};
use super::{Action, Leftover, Meaning, Script, ScriptKind, Step};

/// Commands followed before a script counts as too long to follow.
const COMMANDS: usize = 20_000;
/// Calls of functions within functions.
const DEPTH: usize = 40;

/// Whether a command succeeds; `None` when unknown.
pub(super) type Status = Option<bool>;

/// Why following stopped short of the end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    /// `return`, `break`, `continue`: out of the function or loop.
    Return,
    Exit,
}

pub(super) struct Interpreter<'a> {
    pub(super) script: &'a Script<'a>,
    pub(super) parameters: Vec<Argument>,
    variables: BTreeMap<String, Argument>,
    functions: BTreeMap<String, Command>,
    pub(super) debconf: BTreeMap<String, String>,
    pub(super) steps: Vec<Step>,
    /// The line being followed.
    line: usize,
    /// How many unknown conditions the current command depends on.
    unknown_conditions: usize,
    /// Temporary files made by mktemp so far.
    pub(super) temporary_files: usize,
    leftover: BTreeSet<Leftover>,
    /// Users and groups that the script has made so far.
    pub(super) accounts: BTreeSet<String>,
    commands_followed: usize,
    depth: usize,
}

/// Follows a parsed script.
pub(super) fn run(script: &Script<'_>, commands: &[Command]) -> Meaning {
    let first = if script.kind == ScriptKind::PreInst { "install" } else { "configure" };
    let variables = [
        ("DPKG_ROOT", ""),
        ("DPKG_MAINTSCRIPT_PACKAGE", script.package),
        ("DPKG_MAINTSCRIPT_ARCH", script.architecture),
    ];
    let unknown = ["PATH", "IFS", "RET"].map(|name| (name.to_owned(), None));
    let known = variables.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    let mut interpreter = Interpreter {
        script,
        // postinst is given an empty version the first time, preinst none at all.
        parameters: if first == "configure" {
            vec![Some(first.to_owned()), Some(String::new())]
        } else {
            vec![Some(first.to_owned())]
        },
        variables: known.into_iter().chain(unknown).collect(),
        functions: BTreeMap::new(),
        debconf: super::debconf::defaults(script.templates),
        steps: Vec::new(),
        line: 0,
        unknown_conditions: 0,
        temporary_files: 0,
        leftover: BTreeSet::new(),
        accounts: BTreeSet::new(),
        commands_followed: 0,
        depth: 0,
    };
    interpreter.list(commands);
    interpreter.steps.retain(|step| !step.action.path().is_some_and(|path| path.starts_with(super::files::TEMPORARY)));
    Meaning { steps: interpreter.steps, leftover: interpreter.leftover.into_iter().collect() }
}

impl Interpreter<'_> {
    pub(super) fn variable(&self, name: &str) -> Argument {
        match name {
            "@" | "*" => Some(self.parameters.iter().cloned().collect::<Option<Vec<_>>>()?.join(" ")),
            "#" => Some(self.parameters.len().to_string()),
            "?" | "$" | "!" => None,
            "0" => Some(self.script.package.to_owned()),
            _ => match name.parse::<usize>() {
                Ok(position) => self.parameters.get(position.wrapping_sub(1)).cloned().unwrap_or(Some(String::new())),
                Err(_) => self.variables.get(name).cloned().unwrap_or(Some(String::new())),
            },
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        match name.parse::<usize>() {
            Ok(position) => position <= self.parameters.len(),
            Err(_) => self.variables.contains_key(name),
        }
    }

    pub(super) fn set(&mut self, name: &str, value: Argument) {
        self.variables.insert(name.to_owned(), value);
    }

    pub(super) fn act(&mut self, action: Action) {
        let conditional = self.unknown_conditions > 0;
        match self.steps.iter_mut().find(|step| step.action == action) {
            Some(step) => step.conditional &= conditional,
            None => self.steps.push(Step { action, line: self.line, conditional }),
        }
    }

    /// Notes that a line's effect is not known.
    pub(super) fn leave(&mut self, line: usize) {
        let text = self.script.text.lines().nth(line.saturating_sub(1)).unwrap_or("").trim().to_owned();
        self.leftover.insert(Leftover { line, text });
    }

    fn list(&mut self, commands: &[Command]) -> (Status, Flow) {
        let mut status = Some(true);
        for command in commands {
            let flow;
            (status, flow) = self.command(command);
            if flow != Flow::Next {
                return (status, flow);
            }
        }
        (status, Flow::Next)
    }

    fn command(&mut self, command: &Command) -> (Status, Flow) {
        self.line = command.line;
        self.commands_followed += 1;
        if self.commands_followed > COMMANDS {
            self.leave(command.line);
            return (None, Flow::Exit);
        }
        match &command.kind {
            CommandKind::Simple { assignments, words } => self.simple(command, assignments, words),
            CommandKind::If { branches, otherwise } => self.branches(branches, otherwise),
            CommandKind::Case { subject, arms } => self.case(subject, arms),
            CommandKind::For { variable, words, body } => self.for_loop(variable, words, body),
            CommandKind::While { condition, body } => self.while_loop(condition, body),
            CommandKind::Function { name, body } => {
                self.functions.insert(name.clone(), (**body).clone());
                (Some(true), Flow::Next)
            }
            CommandKind::Group(body) => {
                self.redirects(&command.redirects, None, command.line);
                self.list(body)
            }
            CommandKind::AndOr(parts) => self.and_or(parts),
            CommandKind::Pipeline(parts) => {
                // Each part runs by itself; together they only have the last one's status, which depends on data.
                for part in parts {
                    self.command(part);
                }
                (None, Flow::Next)
            }
            CommandKind::Not(negated) => {
                let (status, flow) = self.command(negated);
                (status.map(|status| !status), flow)
            }
        }
    }

    fn and_or(&mut self, parts: &[(Connector, Command)]) -> (Status, Flow) {
        let mut status = Some(true);
        for (position, (connector, part)) in parts.iter().enumerate() {
            let wanted = *connector == Connector::And;
            if position > 0 && status == Some(!wanted) {
                continue;
            }
            let certain = position == 0 || status == Some(wanted);
            if certain {
                let flow;
                (status, flow) = self.command(part);
                if flow != Flow::Next {
                    return (status, flow);
                }
            } else {
                let before = self.variables.clone();
                // Whether it exits is as unknown as whether it runs.
                self.unknown_conditions += 1;
                let (after, _) = self.command(part);
                self.unknown_conditions -= 1;
                self.join(before);
                // `unknown && false` is false, `unknown || true` is true.
                status = if after == Some(!wanted) { after } else { None };
            }
        }
        (status, Flow::Next)
    }

    fn branches(&mut self, branches: &[(Vec<Command>, Vec<Command>)], otherwise: &[Command]) -> (Status, Flow) {
        let Some(((condition, body), rest)) = branches.split_first() else {
            return self.list(otherwise);
        };
        let (status, flow) = self.list(condition);
        if flow != Flow::Next {
            return (status, flow);
        }
        match status {
            Some(true) => self.list(body),
            Some(false) => self.branches(rest, otherwise),
            None => self.either(|this| this.list(body), |this| this.branches(rest, otherwise)),
        }
    }

    /// Follows both ways and joins what they leave.
    fn either(
        &mut self,
        one: impl FnOnce(&mut Self) -> (Status, Flow),
        other: impl FnOnce(&mut Self) -> (Status, Flow),
    ) -> (Status, Flow) {
        let before = self.variables.clone();
        self.unknown_conditions += 1;
        let (first_status, first_flow) = one(self);
        let after_first = std::mem::replace(&mut self.variables, before);
        let (second_status, second_flow) = other(self);
        self.unknown_conditions -= 1;
        match (first_flow, second_flow) {
            (first, second) if first == second => {
                self.join(after_first);
                (if first_status == second_status { first_status } else { None }, first)
            }
            // One way ends here; what follows is reached by the other only.
            (Flow::Next, _) => {
                self.variables = after_first;
                (first_status, Flow::Next)
            }
            (_, Flow::Next) => (second_status, Flow::Next),
            _ => (None, Flow::Return),
        }
    }

    /// Variables that differ from `other` become unknown.
    fn join(&mut self, other: BTreeMap<String, Argument>) {
        for (name, value) in &other {
            if self.variables.get(name) != Some(value) {
                self.variables.insert(name.clone(), None);
            }
        }
        for (name, value) in &mut self.variables {
            if !other.contains_key(name) {
                *value = None;
            }
        }
    }

    fn case(&mut self, subject: &Word, arms: &[(Vec<Word>, Vec<Command>)]) -> (Status, Flow) {
        let subject = self.expand_value(subject);
        for (position, (patterns, body)) in arms.iter().enumerate() {
            let mut matches = Some(false);
            for pattern in patterns {
                let pattern = self.expand_value(pattern);
                let one = match (&subject, &pattern) {
                    (_, Some(pattern)) if pattern == "*" => Some(true),
                    (Some(subject), Some(pattern)) => Some(glob_matches(pattern.as_bytes(), subject.as_bytes())),
                    _ => None,
                };
                matches = match (matches, one) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), one) => one,
                    (None, _) => None,
                };
            }
            match matches {
                Some(true) => return self.list(body),
                Some(false) => {}
                None => {
                    let rest = &arms[position + 1..];
                    let unknown = Word(vec![super::shell::Part::Opaque]);
                    let subject = match &subject {
                        Some(text) => Word(vec![super::shell::Part::Literal { text: text.clone(), quoted: true }]),
                        None => unknown,
                    };
                    return self.either(|this| this.list(body), |this| this.case(&subject, rest));
                }
            }
        }
        (Some(true), Flow::Next)
    }

    fn for_loop(&mut self, variable: &str, words: &[Word], body: &[Command]) -> (Status, Flow) {
        let words = self.expand_words(words);
        for word in words {
            let known = word.is_some();
            self.set(variable, word);
            let (status, flow) = self.list(body);
            match flow {
                Flow::Exit if known => return (status, Flow::Exit),
                Flow::Next | Flow::Return | Flow::Exit => {}
            }
        }
        (Some(true), Flow::Next)
    }

    /// What the loop reads and changes is unknown, so its body is followed once with every variable it sets unknown.
    fn while_loop(&mut self, condition: &[Command], body: &[Command]) -> (Status, Flow) {
        let (status, _) = self.list(condition);
        if status == Some(false) {
            return (Some(true), Flow::Next);
        }
        let before = self.variables.clone();
        let mut names = BTreeSet::new();
        body.iter().for_each(|command| assigned(command, &mut names));
        for name in names {
            self.set(&name, None);
        }
        self.unknown_conditions += 1;
        self.list(body);
        self.unknown_conditions -= 1;
        self.join(before);
        (None, Flow::Next)
    }

    fn simple(&mut self, command: &Command, assignments: &[(String, Word)], words: &[Word]) -> (Status, Flow) {
        let arguments = self.expand_words(words);
        for (name, value) in assignments {
            let value = self.expand_value(value);
            // Assignments before a command hold for that command only, and no command known here heeds any.
            if arguments.is_empty() {
                self.set(name, value);
            }
        }
        let Some(name) = arguments.first() else {
            self.redirects(&command.redirects, None, command.line);
            return (Some(true), Flow::Next);
        };
        let Some(name) = name.clone() else {
            self.leave(command.line);
            return (None, Flow::Next);
        };
        if let Some(flow) = self.control(&name, &arguments[1..]) {
            return flow;
        }
        if let Some(function) = self.functions.get(&name).cloned() {
            return self.call(&function, arguments[1..].to_vec());
        }
        let output = if matches!(name.as_str(), "echo" | "printf" | "cat" | ":" | "true") {
            self.output(&name, &arguments[1..], command)
        } else {
            None
        };
        self.redirects(&command.redirects, output, command.line);
        let status = self.builtin(&name, &arguments[1..], command.line);
        (status, Flow::Next)
    }

    /// `exit`, `return` and what else changes where the script goes on.
    fn control(&mut self, name: &str, arguments: &[Argument]) -> Option<(Status, Flow)> {
        let status = match arguments.first() {
            None => Some(true),
            Some(code) => code.as_ref().map(|code| code == "0"),
        };
        Some(match name {
            "exit" => (status, Flow::Exit),
            "return" => (status, Flow::Return),
            "break" | "continue" => (Some(true), Flow::Return),
            "shift" => {
                if !self.parameters.is_empty() {
                    self.parameters.remove(0);
                }
                (Some(true), Flow::Next)
            }
            "set" => {
                match arguments.first() {
                    Some(Some(first)) if first == "--" => self.parameters = arguments[1..].to_vec(),
                    Some(Some(first)) if !first.starts_with(['-', '+']) => self.parameters = arguments.to_vec(),
                    Some(None) => self.parameters = arguments.to_vec(),
                    _ => {}
                }
                (Some(true), Flow::Next)
            }
            "read" => {
                for name in arguments.iter().flatten().filter(|name| !name.starts_with('-')) {
                    self.set(name, None);
                }
                (None, Flow::Next)
            }
            "local" | "export" | "readonly" | "declare" => {
                for assignment in arguments.iter().flatten() {
                    match assignment.split_once('=') {
                        Some((name, value)) => self.set(name, Some(value.to_owned())),
                        None if name == "local" && !assignment.starts_with('-') => {
                            self.set(assignment, Some(String::new()))
                        }
                        None => {}
                    }
                }
                (Some(true), Flow::Next)
            }
            "unset" => {
                for name in arguments.iter().flatten() {
                    self.variables.remove(name);
                }
                (Some(true), Flow::Next)
            }
            _ => return None,
        })
    }

    fn call(&mut self, function: &Command, arguments: Vec<Argument>) -> (Status, Flow) {
        if self.depth >= DEPTH {
            self.leave(function.line);
            return (None, Flow::Next);
        }
        self.depth += 1;
        let parameters = std::mem::replace(&mut self.parameters, arguments);
        let (status, flow) = self.command(function);
        self.parameters = parameters;
        self.depth -= 1;
        (status, if flow == Flow::Exit { Flow::Exit } else { Flow::Next })
    }

    /// What a command prints that does nothing but print.
    fn output(&mut self, name: &str, arguments: &[Argument], command: &Command) -> Option<Argument> {
        let texts = || arguments.iter().cloned().collect::<Option<Vec<String>>>();
        Some(match name {
            "echo" => texts()
                .filter(|texts| texts.first().is_none_or(|first| !first.starts_with('-')))
                .map(|texts| texts.join(" ") + "\n"),
            "cat" if arguments.is_empty() => {
                let document = command.redirects.iter().find(|redirect| redirect.kind == RedirectKind::Document)?;
                self.expand_value(&document.target)
            }
            ":" | "true" => Some(String::new()),
            _ => None,
        })
    }

    /// What redirections do to files. `output` is what would be written, if that is known at all.
    fn redirects(&mut self, redirects: &[Redirect], output: Option<Argument>, line: usize) {
        for redirect in redirects {
            if !matches!(redirect.kind, RedirectKind::Output | RedirectKind::Append) {
                continue;
            }
            let path = self.expand_value(&redirect.target);
            match (path, redirect.kind) {
                (Some(path), _) if path.starts_with("/dev/") => {}
                (Some(path), RedirectKind::Output) if path.starts_with('/') => match &output {
                    Some(Some(text)) => self.act(Action::File { path, text: text.clone() }),
                    // A command without arguments, `> file`, leaves an empty file.
                    None if redirects.len() == 1 && self.is_bare_redirect(line) => {
                        self.act(Action::File { path, text: String::new() })
                    }
                    _ => self.leave(line),
                },
                _ => self.leave(line),
            }
        }
    }

    fn is_bare_redirect(&self, line: usize) -> bool {
        let text = self.script.text.lines().nth(line.saturating_sub(1)).unwrap_or("");
        text.trim().starts_with('>')
    }
}

/// Variables that a command may set.
fn assigned(command: &Command, names: &mut BTreeSet<String>) {
    let mut all = |commands: &[Command]| commands.iter().for_each(|command| assigned(command, names));
    match &command.kind {
        CommandKind::Simple { assignments, .. } => names.extend(assignments.iter().map(|(name, _)| name.clone())),
        CommandKind::If { branches, otherwise } => {
            branches.iter().for_each(|(condition, body)| {
                all(condition);
                all(body);
            });
            all(otherwise);
        }
        CommandKind::Case { arms, .. } => arms.iter().for_each(|(_, body)| all(body)),
        CommandKind::For { variable, body, .. } => {
            all(body);
            names.insert(variable.clone());
        }
        CommandKind::While { condition, body } => {
            all(condition);
            all(body);
        }
        CommandKind::Group(body) | CommandKind::Pipeline(body) => all(body),
        CommandKind::Function { body, .. } | CommandKind::Not(body) => assigned(body, names),
        CommandKind::AndOr(parts) => parts.iter().for_each(|(_, part)| assigned(part, names)),
    }
}

/// `*` and `?`; brackets count as letters, which no script seen needs otherwise.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob_matches(rest, text) || text.split_first().is_some_and(|(_, after)| glob_matches(pattern, after))
        }
        (Some((b'?', rest)), Some((_, after))) => glob_matches(rest, after),
        (Some((letter, rest)), Some((other, after))) if letter == other => glob_matches(rest, after),
        _ => false,
    }
}
