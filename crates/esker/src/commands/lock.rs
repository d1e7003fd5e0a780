//! `esker lock`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Pin Debian's archive as it is now, where no esker.lock is yet
#[derive(Debug, Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

impl Lock {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.find()?;
        let made = session.ensure_lock(&configuration)?;
        let text = match made {
            true => format!("wrote {}", configuration.lock.display()),
            false => format!("{} is there already; `esker update` moves it", configuration.lock.display()),
        };
        context.print(json!({ "lock": configuration.lock, "written": made }), &text);
        Ok(ExitCode::SUCCESS)
    }
}
