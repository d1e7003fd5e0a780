//! `esker image`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::disk;
use crate::table::size;

/// Build a configuration and write it to a bootable disk image
///
#[derive(Debug, Args)]
pub(crate) struct Image {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// The image
    #[arg(short, long, value_name = "FILE", default_value = "disk.img")]
    output: PathBuf,
    /// The image's size, such as 8G; by default what the system needs and room for more
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// Say how the disk would be laid out, and stop
    #[arg(long)]
    dry_run: bool,
}

/// `8G`, `512M`, `4096` in bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let shift = match text[digits.len()..].trim_end_matches("iB") {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        unit => return Err(format!("`{unit}` is not K, M, G or T")),
    };
    number.checked_shl(shift).filter(|bytes| bytes >> shift == number).ok_or_else(|| format!("`{text}` is too much"))
}

impl Image {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let built = session.build_system(&self.configuration.find()?, &self.configuration.system())?;
        context.messages(&built.messages);
        let toplevel = session.store().logical(&built.toplevel);
        if self.dry_run {
            context.print_text(&disk::describe(&session, &built.toplevel, self.size)?);
            return Ok(ExitCode::SUCCESS);
        }
        let report = disk::write(&session, &built.toplevel, &self.output, self.size)?;
        let text = format!("{} ({} of files)", self.output.display(), size(report.contents_bytes));
        context.print(json!({ "image": self.output, "toplevel": toplevel, "bytes": report.disk_bytes }), &text);
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("8G"), Ok(8 << 30));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("5MiB"), Ok(5 << 20));
        parse_size("8X").unwrap_err();
        parse_size("99999999T").unwrap_err();
    }
}
