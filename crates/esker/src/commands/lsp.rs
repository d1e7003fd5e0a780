//! `esker lsp`.

use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use crate::context::Context;

/// Serve an editor: diagnostics, completion, hover, definitions, renaming and formatting for .nix and .toml
///
/// Speaks the Language Server Protocol on standard input and output; editors start it. A file belongs to the configuration
/// in its folder or in the nearest folder above, which is evaluated in the background with what is not saved.
#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// What editors say by habit; there is no other way
    #[arg(long, hide = true)]
    stdio: bool,
}

impl Lsp {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let _ = self.stdio;
        let (connection, threads) = lsp_server::Connection::stdio();
        let served = editor::serve(&connection, context.session_options());
        // The writer ends when nobody sends any more.
        drop(connection);
        served?;
        threads.join()?;
        Ok(ExitCode::SUCCESS)
    }
}
