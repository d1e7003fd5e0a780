//! `esker option`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Show an option: what it is, its value and default, and who set it where
///
/// A prefix lists the options below it, nothing lists all. The configuration may have mistakes.
#[derive(Debug, Args)]
pub(crate) struct OptionCommand {
    /// The option's name or a prefix, such as services.openssh
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    /// The configuration
    #[arg(long = "configuration", short = 'C', value_name = "DIR|FILE")]
    configuration: Option<PathBuf>,
}

impl OptionCommand {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let arguments = ConfigurationArguments { configuration: self.configuration, system: None };
        let shown = session.option(&arguments.find()?, &arguments.system(), &self.name)?;
        context.print(shown.json, &shown.text);
        Ok(ExitCode::SUCCESS)
    }
}
