//! `esker eval`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use crate::context::Context;

/// Evaluate an expression, a file or an option of a configuration
///
/// Without --expr and --file, ATTRIBUTE is looked up in the evaluated configuration: `esker eval config.networking.hostName`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// What to select, such as config.networking.hostName
    #[arg(value_name = "ATTRIBUTE")]
    attribute: Option<String>,
    /// The configuration
    #[arg(long = "configuration", short = 'C', value_name = "DIR|FILE")]
    configuration: Option<PathBuf>,
    /// An expression instead of a configuration
    #[arg(short = 'E', long, value_name = "EXPRESSION", conflicts_with_all = ["file", "configuration"])]
    expr: Option<String>,
    /// A file with an expression, or - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "configuration")]
    file: Option<PathBuf>,
    /// Evaluate everything in it
    #[arg(long)]
    strict: bool,
    /// Print a string as it is
    #[arg(long)]
    raw: bool,
    /// The target, such as aarch64-linux
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
}

impl Eval {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let subject = match (self.expr, self.file) {
            (Some(text), _) => system::EvalSubject::Text(text),
            (None, Some(file)) => system::EvalSubject::File(file),
            (None, None) => system::EvalSubject::Configuration {
                configuration: system::Configuration::find(self.configuration.as_deref())?,
                system: self.system.unwrap_or_else(system::host_system),
            },
        };
        let form = match (context.global.json, self.raw, self.strict) {
            (true, _, _) => system::Form::Json,
            (_, true, _) => system::Form::Raw,
            (_, _, true) => system::Form::Strict,
            _ => system::Form::Lazy,
        };
        let printed = session.eval(&subject, self.attribute.as_deref().unwrap_or(""), form)?;
        context.messages(&printed.messages);
        context.print_text(&printed.text);
        Ok(ExitCode::SUCCESS)
    }
}
