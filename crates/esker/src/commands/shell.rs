//! `esker completions` and `esker man`: what clap makes of the command tree.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::Outcome;
use crate::cli::Cli;
use crate::context::Context;

/// Print a shell's completions
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "esker", &mut text);
        context.print_text(&String::from_utf8_lossy(&text));
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the manual pages
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder they go to; without one, the main page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        match self.folder {
            Some(folder) => {
                fs_err::create_dir_all(&folder)?;
                clap_mangen::generate_to(Cli::command(), folder)?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command()).render(&mut page)?;
                context.print_text(&String::from_utf8_lossy(&page));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
