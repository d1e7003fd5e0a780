//! What the commands that evaluate texts share: arguments, the search path, features.

use std::process::ExitCode;

use clap::Args;
use system::language::{Argument, Instantiation, Language, LanguageOptions};

use super::Outcome;
use crate::context::Context;

/// What a command line gives to expressions.
#[derive(Debug, Args)]
pub(crate) struct Given {
    /// Give a function's argument NAME the value of an expression
    #[arg(long, num_args = 2, value_names = ["NAME", "EXPRESSION"], allow_hyphen_values = true)]
    arg: Vec<String>,
    /// Give a function's argument NAME a text
    #[arg(long, num_args = 2, value_names = ["NAME", "TEXT"], allow_hyphen_values = true)]
    argstr: Vec<String>,
    /// Let <NAME> be found below PATH, before what NIX_PATH says
    #[arg(short = 'I', long = "include", value_name = "[NAME=]PATH")]
    pub(crate) include: Vec<String>,
}

impl Given {
    /// Arguments for functions.
    pub(crate) fn arguments(&self) -> Vec<(String, Argument)> {
        let pairs = |given: &[String], make: fn(String) -> Argument| -> Vec<(String, Argument)> {
            given.chunks_exact(2).map(|pair| (pair[0].clone(), make(pair[1].clone()))).collect()
        };
        [pairs(&self.arg, Argument::Expression), pairs(&self.argstr, Argument::Text)].concat()
    }
}

/// Arguments for functions, and what an evaluation may see.
#[derive(Debug, Args)]
pub(crate) struct LanguageArguments {
    #[command(flatten)]
    given: Given,
    /// Let the expression see the environment, the clock, NIX_PATH and the system it runs on
    #[arg(long)]
    pub(crate) impure: bool,
    /// Switch on parts of the language that are not stable, such as pipe-operators
    #[arg(long, value_name = "NAMES")]
    extra_experimental_features: Vec<String>,
    /// Print the messages of builtins.traceVerbose
    #[arg(long)]
    trace_verbose: bool,
}

impl LanguageArguments {
    pub(crate) fn arguments(&self) -> Vec<(String, Argument)> {
        self.given.arguments()
    }

    pub(crate) fn language(&self, context: &Context) -> Result<Language, system::SystemError> {
        let extra = self.extra_experimental_features.iter().flat_map(|names| names.split_whitespace());
        let stable = lang::Settings::EXPERIMENTAL.iter().copied();
        Language::new(LanguageOptions {
            session: context.session_options(),
            impure: self.impure,
            features: stable.chain(extra).map(str::to_owned).collect(),
            search_path: self.given.include.clone(),
            trace_verbose: self.trace_verbose,
            suspend_literals: false,
            nix: None,
        })
    }
}

/// Does what an instantiation asks for and prints on standard output.
pub(crate) fn run(language: &Language, wanted: &Instantiation, context: &Context) -> Outcome {
    context.quiet();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = language.instantiate(wanted, &mut out);
    // What was printed before an error comes first. A reader that has gone away is no error.
    let _ = std::io::Write::flush(&mut out);
    result?;
    Ok(ExitCode::SUCCESS)
}
