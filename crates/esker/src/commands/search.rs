//! `esker search`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::table::columns;

/// Find packages by name and description
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
        let arguments = ConfigurationArguments { configuration: self.configuration, system: None };
        let found = session.search(&arguments.find()?, &arguments.system(), &self.words)?;
        let rows: Vec<_> =
            found.iter().map(|p| vec![p.name.clone(), p.version.clone(), p.description.clone()]).collect();
        let values: Vec<_> = found
            .iter()
            .map(|p| json!({ "name": p.name, "version": p.version, "description": p.description }))
            .collect();
        context.print(json!(values), &columns(&rows));
        Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
