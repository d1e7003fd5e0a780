//! `esker instantiate`.

use std::path::PathBuf;

use clap::Args;
use system::language::{Action, Input, Instantiation};

use super::Outcome;
use super::language::LanguageArguments;
use crate::context::Context;

/// Write the derivations of an expression to the store and print their paths
#[derive(Debug, Args)]
pub(crate) struct Instantiate {
    /// Files (default: default.nix here); - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// An expression
    #[arg(short = 'E', long, value_name = "EXPRESSION", conflicts_with = "files", allow_hyphen_values = true)]
    expr: Option<String>,
    /// What to select
    #[arg(short = 'A', long = "attr", value_name = "ATTRIBUTE")]
    attr: Vec<String>,
    /// A link to the derivation, which keeps it from the garbage collector
    #[arg(long, value_name = "PATH")]
    add_root: Option<PathBuf>,
    #[command(flatten)]
    language: LanguageArguments,
}

impl Instantiate {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let input = match self.expr {
            Some(text) => Input::Expressions(vec![text]),
            None if self.files == ["-"] => Input::Stdin,
            None if self.files.is_empty() => Input::Files(vec!["./default.nix".to_owned()]),
            None => Input::Files(self.files),
        };
        let wanted = Instantiation {
            input,
            attributes: self.attr,
            arguments: self.language.arguments(),
            action: Action::Instantiate { root: self.add_root },
            read_write: true,
        };
        super::language::run(&self.language.language(context)?, &wanted, context)
    }
}
