//! `esker gc`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use store::GcRequest;
use system::profile;

use super::Outcome;
use crate::context::Context;
use crate::table::size;

/// Delete what no generation, no result link and no running program needs
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Delete generations older than this first, such as 30d; never the current, the booted or the default one
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    delete_older_than: Option<u64>,
    /// Keep only this many of the newest generations
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Also hard-link files of the same content
    #[arg(long)]
    optimise: bool,
}

/// `30d`, `12h`, `2w` in seconds.
fn parse_age(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "h" => 3600,
        "d" | "" => 86_400,
        "w" => 604_800,
        _ => return Err(format!("`{unit}` is not h, d or w")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    number.checked_mul(seconds).ok_or_else(|| format!("`{text}` is too long ago"))
}

impl Gc {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let store = session.store();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let limit =
            profile::Limit { older_than: self.delete_older_than.map(|age| now.saturating_sub(age)), keep: self.keep };
        let old = profile::plan_deletion(store, &limit)?;
        for generation in &old {
            context.say(&format!(
                "generation {}{}",
                generation.number,
                if self.dry_run { " would be deleted" } else { " is deleted" }
            ));
        }
        if !self.dry_run && !old.is_empty() {
            profile::delete(store, &old)?;
        }
        let request = if self.dry_run { GcRequest::ListDead } else { GcRequest::Delete };
        let report = store.collect_garbage(request)?;
        if self.optimise && !self.dry_run {
            store.optimise()?;
        }
        let bytes: u64 = report.dead.iter().map(|dead| dead.nar_size_bytes).sum();
        let text = match self.dry_run {
            true => format!("{} paths are dead, about {}", report.dead.len(), size(bytes)),
            false => format!("{} paths deleted, {} freed", report.dead.len(), size(report.freed_bytes)),
        };
        let dead: Vec<_> = report.dead.iter().map(|dead| store.logical(&dead.path)).collect();
        context.print(json!({ "dead": dead, "views": report.views, "freedBytes": report.freed_bytes }), &text);
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        assert_eq!(parse_age("30d"), Ok(30 * 86_400));
        assert_eq!(parse_age("2w"), Ok(14 * 86_400));
        parse_age("d").unwrap_err();
        parse_age("3y").unwrap_err();
    }
}
