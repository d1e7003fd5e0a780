//! Expanding words: variables, quoting, the few command substitutions whose output is known.

use super::interpret::Interpreter;
use super::shell::{Command, CommandKind, Operation, Part, Word};

/// An argument: its text, or `None` when it depends on something unknown.
pub(super) type Argument = Option<String>;

/// The value of an expansion in the making.
struct Field {
    text: String,
    known: bool,
    /// Whether it is a word even when empty.
    quoted: bool,
}

impl Interpreter<'_> {
    /// The arguments that words become. Unquoted values are split at blanks; globs stay as they are, and unknown.
    pub(super) fn expand_words(&mut self, words: &[Word]) -> Vec<Argument> {
        words.iter().flat_map(|word| self.expand_word(word)).collect()
    }

    fn expand_word(&mut self, word: &Word) -> Vec<Argument> {
        let mut fields = vec![Field { text: String::new(), known: true, quoted: false }];
        for part in &word.0 {
            match part {
                Part::Literal { text, quoted } => append(&mut fields, text, *quoted, *quoted || !is_glob(text)),
                Part::Variable { name, operation: None, quoted: true } if name == "@" => {
                    let parameters = self.parameters.clone();
                    for (position, parameter) in parameters.iter().enumerate() {
                        if position > 0 {
                            fields.push(Field { text: String::new(), known: true, quoted: true });
                        }
                        append(&mut fields, parameter.as_deref().unwrap_or(""), true, parameter.is_some());
                    }
                }
                Part::Variable { quoted, .. } | Part::Substitution { quoted, .. } => {
                    let value = self.expand_part(part);
                    match (&value, quoted) {
                        (Some(text), false) => split(&mut fields, text),
                        (value, quoted) => append(
                            &mut fields,
                            value.as_deref().unwrap_or(""),
                            *quoted || value.is_none(),
                            value.is_some(),
                        ),
                    }
                }
                Part::Opaque => append(&mut fields, "", true, false),
            }
        }
        let fields = fields.into_iter().filter(|field| field.quoted || !field.known || !field.text.is_empty());
        fields.map(|field| field.known.then_some(field.text)).collect()
    }

    /// A word's value without splitting, as in assignments and case subjects.
    pub(super) fn expand_value(&mut self, word: &Word) -> Argument {
        let mut text = String::new();
        for part in &word.0 {
            match part {
                Part::Literal { text: literal, .. } => text.push_str(literal),
                part => text.push_str(&self.expand_part(part)?),
            }
        }
        Some(text)
    }

    fn expand_part(&mut self, part: &Part) -> Argument {
        match part {
            Part::Literal { text, .. } => Some(text.clone()),
            Part::Opaque => None,
            Part::Substitution { commands, .. } => self.substitute(commands),
            Part::Variable { name, operation, .. } => {
                let value = self.variable(name);
                let is_set = self.is_set(name);
                match operation {
                    None => value,
                    Some((Operation::Other, _)) => None,
                    Some((Operation::RemovePrefix | Operation::RemoveSuffix, pattern)) => {
                        let (value, pattern) = (value?, self.expand_value(pattern)?);
                        // Patterns would need to be matched shortest or longest first; scripts mostly cut off plain text.
                        let plain = !pattern.contains(['*', '?', '[']);
                        let cut = match operation {
                            Some((Operation::RemovePrefix, _)) => value.strip_prefix(&pattern),
                            _ => value.strip_suffix(&pattern),
                        };
                        plain.then(|| cut.unwrap_or(&value).to_owned())
                    }
                    Some((operation, operand)) => {
                        let value = value?;
                        let present = match operation {
                            Operation::Default | Operation::Alternative => is_set,
                            _ => !value.is_empty(),
                        };
                        match (operation, present) {
                            (Operation::Default | Operation::DefaultIfEmpty, true) => Some(value),
                            (Operation::Default | Operation::DefaultIfEmpty, false) | (_, true) => {
                                self.expand_value(operand)
                            }
                            (_, false) => Some(String::new()),
                        }
                    }
                }
            }
        }
    }

    /// The output of a command, where it follows from the arguments alone.
    fn substitute(&mut self, commands: &[Command]) -> Argument {
        let [command] = commands else { return None };
        match &command.kind {
            CommandKind::Simple { words, .. } => {
                let arguments = self.expand_words(words).into_iter().collect::<Option<Vec<String>>>()?;
                self.known_output(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
            }
            // `echo text | cut -d: -f1`
            CommandKind::Pipeline(parts) => {
                let [first, second] = &parts[..] else {
                    return None;
                };
                let input = self.substitute(std::slice::from_ref(first))?;
                let CommandKind::Simple { words, .. } = &second.kind else {
                    return None;
                };
                let arguments = self.expand_words(words).into_iter().collect::<Option<Vec<String>>>()?;
                filter_output(&input, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
            }
            CommandKind::AndOr(parts) => {
                let (_, first) = parts.first()?;
                self.substitute(std::slice::from_ref(first))
            }
            _ => None,
        }
    }

    fn known_output(&mut self, arguments: &[&str]) -> Argument {
        Some(match arguments {
            ["mktemp", ..] => {
                self.temporary_files += 1;
                format!("{}{}", super::files::TEMPORARY, self.temporary_files)
            }
            ["echo", text @ ..] => text.join(" "),
            ["printf", "%s", text] => (*text).to_owned(),
            ["dirname", path] => path
                .rsplit_once('/')
                .map_or(".", |(directory, _)| if directory.is_empty() { "/" } else { directory })
                .to_owned(),
            ["basename", path] => path.rsplit('/').next().unwrap_or(path).to_owned(),
            // On a new system nothing is diverted.
            ["dpkg-divert", "--truename", path] => (*path).to_owned(),
            ["dpkg-divert", "--listpackage", _] => String::new(),
            ["dpkg-realpath", path] | ["dpkg-realpath", "--", path] => (*path).to_owned(),
            ["command", "-v", command] | ["which", command] => match self.command_exists(command)? {
                true => format!("/usr/bin/{command}"),
                false => String::new(),
            },
            ["dpkg", "--print-architecture"] => self.script.architecture.to_owned(),
            ["dpkg-architecture", "-qDEB_HOST_MULTIARCH"] => match self.script.architecture {
                "amd64" => "x86_64-linux-gnu".to_owned(),
                "arm64" => "aarch64-linux-gnu".to_owned(),
                _ => return None,
            },
            _ => return None,
        })
    }
}

fn filter_output(input: &str, arguments: &[&str]) -> Argument {
    match arguments {
        ["cut", "-d:", field] | ["cut", "-d", ":", field] => {
            let field: usize = field.strip_prefix("-f")?.parse().ok()?;
            Some(input.split(':').nth(field.checked_sub(1)?).unwrap_or("").to_owned())
        }
        _ => None,
    }
}

/// Whether unquoted text stands for the files that match it.
fn is_glob(text: &str) -> bool {
    text.contains(['*', '?']) || text.split_once('[').is_some_and(|(_, rest)| rest.contains(']'))
}

fn append(fields: &mut [Field], text: &str, quoted: bool, known: bool) {
    if let Some(field) = fields.last_mut() {
        field.text.push_str(text);
        field.quoted |= quoted;
        field.known &= known;
    }
}

fn split(fields: &mut Vec<Field>, text: &str) {
    let mut words = text.split([' ', '\t', '\n']);
    if let Some(first) = words.next() {
        append(fields, first, false, true);
    }
    fields.extend(words.map(|word| Field { text: word.to_owned(), known: true, quoted: false }));
}
