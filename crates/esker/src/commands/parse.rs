//! `esker parse`.

use clap::Args;
use system::language::{Action, Input, Instantiation};

use super::Outcome;
use super::language::LanguageArguments;
use crate::context::Context;

/// Show how an expression is understood
///
/// Prints as `nix-instantiate --parse` does: operators in parentheses, sets merged and sorted by name.
#[derive(Debug, Args)]
pub(crate) struct Parse {
    /// Files; standard input for none or -
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// An expression
    #[arg(short = 'E', long, value_name = "EXPRESSION", conflicts_with = "files", allow_hyphen_values = true)]
    expr: Option<String>,
    #[command(flatten)]
    language: LanguageArguments,
}

impl Parse {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let input = match self.expr {
            Some(text) => Input::Expressions(vec![text]),
            None if self.files.is_empty() || self.files == ["-"] => Input::Stdin,
            None => Input::Files(self.files),
        };
        let wanted = Instantiation {
            input,
            attributes: Vec::new(),
            arguments: Vec::new(),
            action: Action::Parse,
            read_write: false,
        };
        super::language::run(&self.language.language(context)?, &wanted, context)
    }
}
