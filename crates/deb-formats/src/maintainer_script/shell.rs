//! The shell language as far as maintainer scripts use it: text → tree.
//!
//! POSIX's grammar without arithmetic, background jobs and extglobs; what is beyond it is a [`SyntaxError`]. Nothing is run
//! and nothing expanded here.
//!
//! Source: POSIX.1-2017, Shell Command Language, sections 2.2 to 2.10.

mod parser;
mod words;

use thiserror::Error;

pub(super) use parser::parse;

/// A script that is not in the part of the language known here.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct SyntaxError {
    /// 1-based line.
    pub line: usize,
    /// What was found or missed.
    pub problem: String,
}

/// A command with the line it starts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) kind: CommandKind,
    pub(super) redirects: Vec<Redirect>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandKind {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
    },
    If {
        branches: Vec<(Vec<Command>, Vec<Command>)>,
        otherwise: Vec<Command>,
    },
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, Vec<Command>)>,
    },
    For {
        variable: String,
        words: Vec<Word>,
        body: Vec<Command>,
    },
    While {
        condition: Vec<Command>,
        body: Vec<Command>,
    },
    Function {
        name: String,
        body: Box<Command>,
    },
    Group(Vec<Command>),
    /// Left to right; the first connector is ignored.
    AndOr(Vec<(Connector, Command)>),
    Pipeline(Vec<Command>),
    Not(Box<Command>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connector {
    And,
    Or,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) kind: RedirectKind,
    /// The file, descriptor, or the document's text.
    pub(super) target: Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RedirectKind {
    Input,
    Output,
    Append,
    /// `>&2`, `<&3`
    Duplicate,
    Document,
    /// Any of the above for a descriptor other than standard input or output.
    OtherDescriptor,
}

/// What becomes one argument, or several, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word(pub(super) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal {
        text: String,
        quoted: bool,
    },
    Variable {
        name: String,
        operation: Option<(Operation, Word)>,
        quoted: bool,
    },
    Substitution {
        commands: Vec<Command>,
        quoted: bool,
    },
    /// Something whose value cannot be known here, as arithmetic.
    Opaque,
}

/// What follows a variable's name in `${name…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// `-`: the word when unset.
    Default,
    /// `:-`: the word when unset or empty; also `:=`.
    DefaultIfEmpty,
    /// `+`: the word when set.
    Alternative,
    /// `:+`: the word when set and not empty.
    AlternativeIfNotEmpty,
    /// `#`: without the word at the beginning.
    RemovePrefix,
    /// `%`: without the word at the end.
    RemoveSuffix,
    /// The rest: lengths, longest matches, replacements.
    Other,
}
