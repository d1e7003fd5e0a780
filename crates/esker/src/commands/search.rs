//! `esker search`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use system::{Configuration, SystemError};

use super::Outcome;
use crate::context::Context;
use crate::table::columns;

/// Find packages by name and description
///
/// In the archive as the configuration's lock pins it; without a configuration, in the archive as it is.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words that must all occur
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// The configuration whose lock says which packages there are
    #[arg(long = "configuration", short = 'C', value_name = "DIR|FILE")]
    configuration: Option<std::path::PathBuf>,
}

impl Search {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = match Configuration::find(self.configuration.as_deref()) {
            Err(SystemError::NoConfiguration { .. }) if self.configuration.is_none() => None,
            found => Some(found?),
        };
        let found = session.search(configuration.as_ref(), &system::host_system(), &self.words)?;
        let rows: Vec<_> =
            found.iter().map(|p| vec![p.name.clone(), p.version.clone(), p.description.clone()]).collect();
        let values: Vec<_> = found
            .iter()
            .map(|p| json!({ "name": p.name, "version": p.version, "description": p.description }))
            .collect();
        if found.is_empty() {
            context.say(&format!("no package's name or description has `{}`", self.words.join(" ")));
        }
        context.print(json!(values), &columns(&rows));
        Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
