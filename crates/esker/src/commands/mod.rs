//! One file per command; its doc comment is its help text.

pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod eval;
pub(crate) mod fmt;
pub(crate) mod gc;
pub(crate) mod generations;
pub(crate) mod image;
pub(crate) mod instantiate;
pub(crate) mod language;
pub(crate) mod lock;
pub(crate) mod lsp;
pub(crate) mod nix_instantiate;
pub(crate) mod option;
pub(crate) mod parse;
pub(crate) mod register_shared_store;
pub(crate) mod repl;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod shell;
pub(crate) mod switch;
pub(crate) mod update;
pub(crate) mod vm;
pub(crate) mod why_big;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use system::{Configuration, Session, SystemError};

use crate::context::Context;

/// How a command ends. An error is printed with its causes and hints.
pub(crate) type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// Which configuration, for which target.
#[derive(Debug, Args)]
pub(crate) struct ConfigurationArguments {
    /// The configuration: a folder with configuration.nix or configuration.toml, or a file
    #[arg(value_name = "DIR|FILE")]
    pub(crate) configuration: Option<PathBuf>,
    /// The target
    #[arg(long, value_name = "SYSTEM", value_parser = ["x86_64-linux", "aarch64-linux"])]
    pub(crate) system: Option<String>,
}

impl ConfigurationArguments {
    pub(crate) fn find(&self) -> Result<Configuration, SystemError> {
        Configuration::find(self.configuration.as_deref())
    }

    /// The configuration, with its lock; says so where that has to be made first.
    pub(crate) fn pinned(&self, context: &Context, session: &Session) -> Result<Configuration, SystemError> {
        let configuration = self.find()?;
        if !configuration.lock.exists() {
            context.say(&format!("pinning Debian's archive in {}", configuration.lock.display()));
            session.ensure_lock(&configuration)?;
        }
        Ok(configuration)
    }

    pub(crate) fn system(&self) -> String {
        self.system.clone().unwrap_or_else(system::host_system)
    }
}
