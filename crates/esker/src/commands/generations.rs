//! `esker generations`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use system::profile;

use super::Outcome;
use crate::context::Context;
use crate::table::columns;

/// List the generations of this machine, or what differs between two of them
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Generations {
    #[command(subcommand)]
    command: Option<GenerationsCommand>,
}

#[derive(Debug, Subcommand)]
enum GenerationsCommand {
    /// List them
    List,
    /// Say what differs between two generations: packages, units, files of /etc
    Diff {
        /// The older one's number
        from: u64,
        /// The newer one's number; the current one by default
        to: Option<u64>,
    },
}

impl Generations {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let store = profile::open_store(context.global.store.as_deref())?;
        match self.command.unwrap_or(GenerationsCommand::List) {
            GenerationsCommand::List => list(context, &store),
            GenerationsCommand::Diff { from, to } => {
                let difference = profile::diff(&store, from, to)?;
                context.print(serde_json::to_value(&difference)?, &difference.describe());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn list(context: &Context, store: &store::Store) -> Outcome {
    let all = profile::list(store)?;
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for entry in &all {
        let marks: Vec<&str> = [(entry.current, "default"), (entry.running, "running"), (entry.booted, "booted")]
            .into_iter()
            .filter_map(|(is, mark)| is.then_some(mark))
            .collect();
        rows.push(vec![entry.number.to_string(), entry.label.clone(), marks.join(" ")]);
        values.push(json!({
            "generation": entry.number,
            "path": store.logical(&entry.path),
            "label": entry.label,
            "default": entry.current,
            "running": entry.running,
            "booted": entry.booted,
        }));
    }
    let text = if rows.is_empty() { "no generations\n".to_owned() } else { columns(&rows) };
    context.print(json!(values), &text);
    Ok(ExitCode::SUCCESS)
}
