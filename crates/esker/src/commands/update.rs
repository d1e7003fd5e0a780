//! `esker update`.

use std::process::ExitCode;

use clap::Args;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Move the pin of Debian's archive and say what changes, security fixes first
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// Say what would change and leave the lock as it is
    #[arg(long)]
    dry_run: bool,
}

impl Update {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let write = if self.dry_run { system::WriteLock::No } else { system::WriteLock::Yes };
        let update = session.update(&configuration, &self.configuration.system(), write)?;
        context.print(update.json(), &update.describe());
        match (update.is_moved(), self.dry_run) {
            (true, true) => context.say(&format!("{} stays as it is", configuration.lock.display())),
            (true, false) => context.say(&format!("moved {}; the next build uses it", configuration.lock.display())),
            (false, _) => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}
