//! `esker build`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Evaluate a configuration and build its system
///
/// The system's path is printed, and `result` links to it and keeps it from being collected.
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Where the link goes
    #[arg(short, long, value_name = "PATH", default_value = "result")]
    output: PathBuf,
    /// Make no link
    #[arg(long, conflicts_with = "output")]
    no_link: bool,
    /// Say what would be built and fetched, and stop
    #[arg(long)]
    dry_run: bool,
}

impl Build {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let system = self.configuration.system();
        if self.dry_run {
            context.print_text(&session.plan_system(&configuration, &system)?);
            return Ok(ExitCode::SUCCESS);
        }
        let built = session.build_system(&configuration, &system)?;
        if context.is_idle() {
            context.say("nothing to build: the whole system is in the store already");
        }
        context.messages(&built.messages);
        if !self.no_link {
            session.store().add_result_link(&self.output, &built.toplevel)?;
        }
        let logical = session.store().logical(&built.toplevel);
        let physical = session.store().physical(&built.toplevel);
        context.print(json!({ "toplevel": logical, "path": physical }), &physical.display().to_string());
        Ok(ExitCode::SUCCESS)
    }
}
