//! `esker schema`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Print the JSON schema of configuration.toml, for editors that check and complete TOML
///
/// It describes the options of the configuration at hand, those of modules that it imports among them. Write it to a file
/// and name that in the first line of configuration.toml: `#:schema ./schema.json`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The configuration
    #[arg(long = "configuration", short = 'C', value_name = "DIR|FILE")]
    configuration: Option<PathBuf>,
}

impl Schema {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let arguments = ConfigurationArguments { configuration: self.configuration, system: None };
        let schema = session.schema(&arguments.find()?, &arguments.system())?;
        context.print_text(&schema.to_string());
        Ok(ExitCode::SUCCESS)
    }
}
