//! `esker eval`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use system::language::{Action, Input, Instantiation, Printing};

use super::Outcome;
use super::language::LanguageArguments;
use crate::context::Context;

/// Evaluate an expression, a file or an option of a configuration
///
/// Without --expr, --file and -, ATTRIBUTE is looked up in the evaluated configuration: `esker eval config.networking.hostName`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// What to select, such as config.networking.hostName; - reads an expression from standard input
    #[arg(value_name = "ATTRIBUTE")]
    attribute: Option<String>,
    /// The configuration
    #[arg(long = "configuration", short = 'C', value_name = "DIR|FILE")]
    configuration: Option<PathBuf>,
    /// An expression instead of a configuration
    #[arg(short = 'E', long, value_name = "EXPRESSION", conflicts_with_all = ["file", "configuration"], allow_hyphen_values = true)]
    expr: Option<String>,
    /// A file with an expression, or - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "configuration")]
    file: Option<String>,
    /// What to select
    #[arg(short = 'A', long = "attr", value_name = "ATTRIBUTE")]
    attr: Option<String>,
    /// Evaluate everything in it
    #[arg(long)]
    strict: bool,
    /// Print a string as it is
    #[arg(long, conflicts_with = "xml")]
    raw: bool,
    /// Print as XML
    #[arg(long)]
    xml: bool,
    /// Write what was evaluated to the store: derivations, texts and copies of sources
    #[arg(long)]
    read_write: bool,
    /// The target, such as aarch64-linux
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    #[command(flatten)]
    language: LanguageArguments,
}

impl Eval {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let printing = match (context.global.json, self.raw, self.xml) {
            (true, _, _) => Printing::Json,
            (_, true, _) => Printing::Raw,
            (_, _, true) => Printing::Xml { places: true },
            _ => Printing::Expression,
        };
        let (input, selected) = match (self.expr, self.file.as_deref(), self.attribute) {
            (Some(text), _, attribute) => (Input::Expressions(vec![text]), attribute),
            (None, Some("-"), attribute) => (Input::Stdin, attribute),
            (None, Some(file), attribute) => (Input::Files(vec![file.to_owned()]), attribute),
            (None, None, Some(attribute)) if attribute == "-" => (Input::Stdin, None),
            (None, None, attribute) => {
                let configuration = system::Configuration::find(self.configuration.as_deref())?;
                let target = self.system.unwrap_or_else(system::host_system);
                let attribute = self.attr.or(attribute).unwrap_or_default();
                let session = context.session()?;
                let printed = session.eval(&configuration, &target, &attribute, (printing, self.strict))?;
                context.messages(&printed.messages);
                let mut out = std::io::stdout().lock();
                // A reader that has gone away is no error.
                let _ = out.write_all(&printed.text);
                let _ = out.write_all(b"\n");
                return Ok(ExitCode::SUCCESS);
            }
        };
        let wanted = Instantiation {
            input,
            attributes: self.attr.into_iter().chain(selected).collect(),
            arguments: self.language.arguments(),
            // JSON of what is not evaluated does not exist.
            action: Action::Evaluate { strict: self.strict || printing == Printing::Json, printing },
            read_write: self.read_write,
        };
        super::language::run(&self.language.language(context)?, &wanted, context)
    }
}
